/* The parser: forms that are said in terms of others. They are built as trees, not as new forms,
 * so they need no heap and cannot capture a program's variables. */
#include <string.h>

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

/* ---- let and its relatives ---- */
struct bindings {
  int count;
  struct scope scope;
  struct node **inits;
};

static value binding_init(struct compiler *compiler, value binding, value form) {
  if (form_length(compiler, binding) != 2)
    syntax_error(compiler, "bad binding", form);
  return form_item(binding, 1);
}

/* The value bound to a variable; a lambda expression gets the variable's name. */
static struct node *parse_init(struct compiler *compiler, value name, value init, struct scope *scope) {
  if (is_pair(init) && keyword_of(compiler, car(init), scope) == KEYWORD_LAMBDA &&
      form_length(compiler, init) >= 3)
    return parse_lambda(compiler, form_item(init, 1), cdr(cdr(init)), name, scope);
  return parse(compiler, init, scope);
}

/* `inner`: the values see the variables (letrec). */
static void parse_bindings(struct compiler *compiler, struct bindings *bindings, value list, value form,
                           struct scope *scope, bool inner) {
  bindings->scope = (struct scope){.parent = scope};
  bindings->count = form_length(compiler, list);
  bindings->inits = arena_take(compiler, (size_t)(bindings->count + 1) * sizeof *bindings->inits);
  for (value rest = list; is_pair(rest); rest = cdr(rest)) {
    if (!is_pair(car(rest)))
      syntax_error(compiler, "bad binding", form);
    scope_add(compiler, &bindings->scope, require_symbol(compiler, car(car(rest)), form));
  }
  value rest = list;
  for (int i = 0; i < bindings->count; i++, rest = cdr(rest)) {
    bindings->inits[i] = parse_init(compiler, car(car(rest)), binding_init(compiler, car(rest), form),
                                    inner ? &bindings->scope : scope);
    if (bindings->inits[i]->kind == NODE_LAMBDA)
      bindings->scope.variables[i]->lambda = bindings->inits[i]->u.lambda;
  }
}

static struct node *new_binding_form(struct compiler *compiler, enum node_kind kind,
                                     struct bindings *bindings, struct node *body) {
  if (bindings->count == 0)
    return body;
  struct node *node = new_node(compiler, kind, bindings->count + 1);
  node->u.variables = bindings->scope.variables;
  memcpy(node->children, bindings->inits, (size_t)bindings->count * sizeof *bindings->inits);
  node->children[bindings->count] = body;
  return node;
}

static struct variable **single(struct compiler *compiler, struct variable *variable) {
  struct variable **variables = arena_take(compiler, sizeof *variables);
  variables[0] = variable;
  return variables;
}

/* A loop: (letrec ((name (lambda parameters body))) (name init ...)), the inits outside. */
static struct node *new_loop(struct compiler *compiler, struct variable *name, struct node *procedure,
                             struct node **inits, int count) {
  name->lambda = procedure->u.lambda;
  struct node *node = new_node(compiler, NODE_LETREC, 2);
  node->u.variables = single(compiler, name);
  node->children[0] = procedure;
  node->children[1] = parse_call(compiler, new_local(compiler, name), inits, count);
  return node;
}

static struct node *parse_named_let(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 4)
    syntax_error(compiler, "bad named let", form);
  value name = form_item(form, 1), list = form_item(form, 2);
  struct bindings bindings;
  parse_bindings(compiler, &bindings, list, form, scope, false);
  struct scope outer = {.parent = scope};
  struct variable *variable = scope_add(compiler, &outer, name);
  bindings.scope.parent = &outer;
  for (int i = 0; i < bindings.count; i++)
    bindings.scope.variables[i]->lambda = NULL;
  struct node *procedure = new_node(compiler, NODE_LAMBDA, 0);
  procedure->u.lambda = new_lambda(compiler, 0);
  procedure->u.lambda->parameters = bindings.scope.variables;
  procedure->u.lambda->required = bindings.count;
  compiler->vm->temporaries.items[procedure->u.lambda->name] = name;
  procedure->u.lambda->body = parse_body(compiler, cdr(cdr(cdr(form))), &bindings.scope);
  return new_loop(compiler, variable, procedure, bindings.inits, bindings.count);
}

static struct node *parse_let(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 3)
    syntax_error(compiler, "bad let", form);
  if (is_symbol(compiler->vm, form_item(form, 1)))
    return parse_named_let(compiler, form, scope);
  struct bindings bindings;
  parse_bindings(compiler, &bindings, form_item(form, 1), form, scope, false);
  return new_binding_form(compiler, NODE_LET, &bindings,
                          parse_body(compiler, cdr(cdr(form)), &bindings.scope));
}

static struct node *parse_let_star(struct compiler *compiler, value list, value form, struct scope *scope) {
  if (list == NIL)
    return parse_body(compiler, cdr(cdr(form)), scope);
  if (!is_pair(list) || !is_pair(car(list)))
    syntax_error(compiler, "bad let*", form);
  struct scope inner = {.parent = scope};
  value symbol = require_symbol(compiler, car(car(list)), form);
  struct node *init = parse_init(compiler, symbol, binding_init(compiler, car(list), form), scope);
  struct variable *variable = scope_add(compiler, &inner, symbol);
  if (init->kind == NODE_LAMBDA)
    variable->lambda = init->u.lambda;
  return new_let(compiler, variable, init, parse_let_star(compiler, cdr(list), form, &inner));
}

static struct node *parse_letrec(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 3)
    syntax_error(compiler, "bad letrec", form);
  struct bindings bindings;
  parse_bindings(compiler, &bindings, form_item(form, 1), form, scope, true);
  return new_binding_form(compiler, NODE_LETREC, &bindings,
                          parse_body(compiler, cdr(cdr(form)), &bindings.scope));
}

/* (let-values (((a b . c) expression) ...) body ...), each nested in the one before; `outer` is where
 * the expressions of let-values are looked at, NULL for let*-values. */
static struct node *parse_let_values(struct compiler *compiler, value list, value form, struct scope *scope,
                                     struct scope *outer) {
  if (list == NIL)
    return parse_body(compiler, cdr(cdr(form)), scope);
  if (!is_pair(list) || !is_pair(car(list)))
    syntax_error(compiler, "bad let-values", form);
  struct node *producer =
      new_thunk(compiler, parse(compiler, binding_init(compiler, car(list), form), outer ? outer : scope));
  struct scope inner = {.parent = scope};
  value rest = car(car(list));
  for (; is_pair(rest); rest = cdr(rest))
    scope_add(compiler, &inner, require_symbol(compiler, car(rest), form));
  struct lambda *lambda = new_lambda(compiler, 0);
  lambda->required = inner.count;
  lambda->rest = rest != NIL;
  if (rest != NIL)
    scope_add(compiler, &inner, require_symbol(compiler, rest, form));
  lambda->parameters = inner.variables;
  lambda->body = parse_let_values(compiler, cdr(list), form, &inner, outer);
  struct node *consumer = new_node(compiler, NODE_LAMBDA, 0);
  consumer->u.lambda = lambda;
  return new_global_call(compiler, "%call-with-values", (struct node *[]){producer, consumer}, 2);
}

/* ---- do ---- */
static struct node *parse_do(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) < 3)
    syntax_error(compiler, "bad do", form);
  value list = form_item(form, 1), exit = form_item(form, 2);
  int count = form_length(compiler, list);
  if (form_length(compiler, exit) < 1)
    syntax_error(compiler, "bad do", form);
  struct scope inner = {.parent = scope};
  struct node **inits = arena_take(compiler, (size_t)(count + 1) * sizeof *inits);
  struct node **steps = arena_take(compiler, (size_t)(count + 1) * sizeof *steps);
  value rest = list;
  for (int i = 0; i < count; i++, rest = cdr(rest)) {
    int length = form_length(compiler, car(rest));
    if (length != 2 && length != 3)
      syntax_error(compiler, "bad do", form);
    scope_add(compiler, &inner, require_symbol(compiler, car(car(rest)), form));
    inits[i] = parse(compiler, form_item(car(rest), 1), scope);
  }
  rest = list;
  for (int i = 0; i < count; i++, rest = cdr(rest))
    steps[i] = cdr(cdr(car(rest))) == NIL ? new_local(compiler, inner.variables[i])
                                          : parse(compiler, form_item(car(rest), 2), &inner);
  struct variable *loop = new_variable(compiler, FALSE_VALUE);
  struct node *again = parse_call(compiler, new_local(compiler, loop), steps, count);
  value body = cdr(cdr(cdr(form)));
  if (body != NIL)
    again = new_pair_sequence(compiler, parse_sequence(compiler, body, &inner), again);
  struct node *procedure = new_node(compiler, NODE_LAMBDA, 0);
  procedure->u.lambda = new_lambda(compiler, 0);
  procedure->u.lambda->parameters = inner.variables;
  procedure->u.lambda->required = count;
  procedure->u.lambda->body = new_if(compiler, parse(compiler, car(exit), &inner),
                                     parse_sequence(compiler, cdr(exit), &inner), again);
  return new_loop(compiler, loop, procedure, inits, count);
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
    return parse_let(compiler, form, scope);
  case KEYWORD_LET_STAR:
    if (length < 3)
      syntax_error(compiler, "bad let*", form);
    return parse_let_star(compiler, form_item(form, 1), form, scope);
  case KEYWORD_LETREC:
  case KEYWORD_LETREC_STAR:
    return parse_letrec(compiler, form, scope);
  case KEYWORD_LET_VALUES:
  case KEYWORD_LET_STAR_VALUES:
    if (length < 3)
      syntax_error(compiler, "bad let-values", form);
    return parse_let_values(compiler, form_item(form, 1), form, scope,
                            keyword == KEYWORD_LET_VALUES ? scope : NULL);
  case KEYWORD_DO:
    return parse_do(compiler, form, scope);
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
