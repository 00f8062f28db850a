/* The parser: forms that are said in terms of others. They are built as trees, not as new forms,
 * so they need no heap and cannot capture a program's variables. */
#include "ast.h"
#include "heap.h"

/* ---- and, or, when, unless, cond, case ---- */
static struct node *parse_and(struct compiler *compiler, value forms, struct scope *scope) {
  if (forms == NIL)
    return new_immediate(compiler, TRUE_VALUE);
  struct node *first = parse(compiler, car(forms), scope);
  if (cdr(forms) == NIL)
    return first;
  return new_if(compiler, first, parse_and(compiler, cdr(forms), scope),
                new_immediate(compiler, FALSE_VALUE));
}

static struct node *parse_or(struct compiler *compiler, value forms, struct scope *scope) {
  if (forms == NIL)
    return new_immediate(compiler, FALSE_VALUE);
  struct node *first = parse(compiler, car(forms), scope);
  if (cdr(forms) == NIL)
    return first;
  return new_or(compiler, first, parse_or(compiler, cdr(forms), scope));
}

/* (test => procedure), with the rest of the clauses in `otherwise`. */
static struct node *parse_arrow(struct compiler *compiler, struct node *test, value procedure,
                                struct node *otherwise, struct scope *scope) {
  struct variable *variable = new_variable(compiler, FALSE_VALUE);
  struct node *argument = new_local(compiler, variable);
  struct node *call = parse_call(compiler, parse(compiler, procedure, scope), &argument, 1);
  return new_let(compiler, variable, test, new_if(compiler, new_local(compiler, variable), call, otherwise));
}

static struct node *parse_clauses(struct compiler *compiler, value clauses, struct node *otherwise,
                                  struct scope *scope) {
  if (clauses == NIL)
    return otherwise;
  value clause = car(clauses);
  int length = form_length(compiler, clause);
  if (length == 0)
    syntax_error(compiler, "bad cond clause", clause);
  if (keyword_of(compiler, car(clause), scope) == KEYWORD_ELSE)
    return parse_sequence(compiler, cdr(clause), scope);
  struct node *test = parse(compiler, car(clause), scope);
  bool arrow = length == 3 && keyword_of(compiler, form_item(clause, 1), scope) == KEYWORD_ARROW;
  struct node *body = length == 1 || arrow ? NULL : parse_sequence(compiler, cdr(clause), scope);
  struct node *rest = parse_clauses(compiler, cdr(clauses), otherwise, scope);
  if (arrow)
    return parse_arrow(compiler, test, form_item(clause, 2), rest, scope);
  return body ? new_if(compiler, test, body, rest) : new_or(compiler, test, rest);
}

/* One test for each datum of a clause; eqv? turns into eq? where that is the same. */
static struct node *case_test(struct compiler *compiler, struct variable *key, value data) {
  struct node *test = NULL;
  for (; is_pair(data); data = cdr(data)) {
    struct node *arguments[2] = {new_local(compiler, key), new_constant(compiler, car(data))};
    struct node *one = new_global_call(compiler, is_flonum(car(data)) ? "%eqv?" : "%eq?", arguments, 2);
    test = test ? new_or(compiler, test, one) : one;
  }
  return test ? test : new_immediate(compiler, FALSE_VALUE);
}

static struct node *parse_case_clauses(struct compiler *compiler, value clauses, struct variable *key,
                                       struct scope *scope) {
  if (clauses == NIL)
    return new_immediate(compiler, UNSPECIFIED);
  value clause = car(clauses);
  int length = form_length(compiler, clause);
  if (length < 2)
    syntax_error(compiler, "bad case clause", clause);
  struct node *body;
  if (length == 3 && keyword_of(compiler, form_item(clause, 1), scope) == KEYWORD_ARROW) {
    struct node *argument = new_local(compiler, key);
    body = parse_call(compiler, parse(compiler, form_item(clause, 2), scope), &argument, 1);
  } else {
    body = parse_sequence(compiler, cdr(clause), scope);
  }
  if (keyword_of(compiler, car(clause), scope) == KEYWORD_ELSE)
    return body;
  return new_if(compiler, case_test(compiler, key, car(clause)), body,
                parse_case_clauses(compiler, cdr(clauses), key, scope));
}

static struct node *parse_case(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 2)
    syntax_error(compiler, "bad case", form);
  struct variable *key = new_variable(compiler, FALSE_VALUE);
  struct node *init = parse(compiler, form_item(form, 1), scope);
  return new_let(compiler, key, init, parse_case_clauses(compiler, cdr(cdr(form)), key, scope));
}

/* ---- Forms that are calls of procedures in boot.scm ---- */
static struct node *parse_promise(struct compiler *compiler, value form, struct scope *scope,
                                  const char *maker) {
  if (form_length(compiler, form) != 2)
    syntax_error(compiler, "bad delay", form);
  struct node *thunk = new_thunk(compiler, parse(compiler, form_item(form, 1), scope));
  return new_global_call(compiler, maker, &thunk, 1);
}

/* (guard (variable clause ...) body ...): the clauses become a procedure of the condition and of
 * a thunk that raises it again from where it came. */
static struct node *parse_guard(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 3 || form_length(compiler, form_item(form, 1)) < 1)
    syntax_error(compiler, "bad guard", form);
  value clauses = form_item(form, 1);
  struct scope inner = {.parent = scope};
  scope_add(compiler, &inner, require_symbol(compiler, car(clauses), form));
  scope_add(compiler, &inner, FALSE_VALUE);
  struct node *again = parse_call(compiler, new_local(compiler, inner.variables[1]), NULL, 0);
  struct lambda *lambda = new_lambda(compiler, 0);
  lambda->parameters = inner.variables;
  lambda->required = 2;
  lambda->body = parse_clauses(compiler, cdr(clauses), again, &inner);
  struct node *handler = new_node(compiler, NODE_LAMBDA, 0);
  handler->u.lambda = lambda;
  struct node *body = new_thunk(compiler, parse_body(compiler, cdr(cdr(form)), scope));
  return new_global_call(compiler, "%guard", (struct node *[]){body, handler}, 2);
}

static struct node *parse_parameterize(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 3)
    syntax_error(compiler, "bad parameterize", form);
  struct node *list = new_immediate(compiler, NIL);
  for (value rest = form_item(form, 1); is_pair(rest); rest = cdr(rest)) {
    struct node *parts[2] = {parse(compiler, car(car(rest)), scope),
                             parse(compiler, binding_init(compiler, car(rest), form), scope)};
    struct node *links[2] = {new_global_call(compiler, "%cons", parts, 2), list};
    list = new_global_call(compiler, "%cons", links, 2);
  }
  struct node *body = new_thunk(compiler, parse_body(compiler, cdr(cdr(form)), scope));
  return new_global_call(compiler, "%parameterize", (struct node *[]){list, body}, 2);
}

static struct node *parse_case_lambda(struct compiler *compiler, value form, struct scope *scope) {
  int count = form_length(compiler, form) - 1;
  struct node **clauses = arena_take(compiler, (size_t)(count + 1) * sizeof *clauses);
  value rest = cdr(form);
  for (int i = 0; i < count; i++, rest = cdr(rest)) {
    if (form_length(compiler, car(rest)) < 2)
      syntax_error(compiler, "bad case-lambda", form);
    clauses[i] = parse_lambda(compiler, car(car(rest)), cdr(car(rest)), FALSE_VALUE, scope);
  }
  return new_global_call(compiler, "%case-lambda", clauses, count);
}

static struct node *parse_when(struct compiler *compiler, value form, struct scope *scope, bool sense) {
  if (form_length(compiler, form) < 2)
    syntax_error(compiler, "bad when or unless", form);
  struct node *test = parse(compiler, form_item(form, 1), scope);
  struct node *body = parse_sequence(compiler, cdr(cdr(form)), scope);
  struct node *nothing = new_immediate(compiler, UNSPECIFIED);
  return sense ? new_if(compiler, test, body, nothing) : new_if(compiler, test, nothing, body);
}

struct node *parse_derived(struct compiler *compiler, enum keyword keyword, value form, struct scope *scope) {
  int length = form_length(compiler, form);
  switch (keyword) {
  case KEYWORD_AND:
    return parse_and(compiler, cdr(form), scope);
  case KEYWORD_OR:
    return parse_or(compiler, cdr(form), scope);
  case KEYWORD_WHEN:
    return parse_when(compiler, form, scope, true);
  case KEYWORD_UNLESS:
    return parse_when(compiler, form, scope, false);
  case KEYWORD_COND:
    form_length(compiler, cdr(form));
    return parse_clauses(compiler, cdr(form), new_immediate(compiler, UNSPECIFIED), scope);
  case KEYWORD_CASE:
    return parse_case(compiler, form, scope);
  case KEYWORD_LET:
  case KEYWORD_LET_STAR:
  case KEYWORD_LETREC:
  case KEYWORD_LETREC_STAR:
  case KEYWORD_LET_VALUES:
  case KEYWORD_LET_STAR_VALUES:
  case KEYWORD_DO:
    return parse_binding_form(compiler, keyword, form, scope);
  case KEYWORD_DELAY:
    return parse_promise(compiler, form, scope, "%make-delayed");
  case KEYWORD_DELAY_FORCE:
    return parse_promise(compiler, form, scope, "%make-lazy");
  case KEYWORD_GUARD:
    return parse_guard(compiler, form, scope);
  case KEYWORD_PARAMETERIZE:
    return parse_parameterize(compiler, form, scope);
  case KEYWORD_CASE_LAMBDA:
    return parse_case_lambda(compiler, form, scope);
  case KEYWORD_QUASIQUOTE:
    if (length != 2)
      syntax_error(compiler, "bad quasiquote", form);
    return parse_quasiquote(compiler, form_item(form, 1), 1, scope);
  case KEYWORD_DEFINE_SYNTAX:
  case KEYWORD_LET_SYNTAX:
  case KEYWORD_LETREC_SYNTAX:
    syntax_error(compiler, "macros are not supported", form);
  default:
    syntax_error(compiler, "this keyword means nothing here", form);
  }
}
