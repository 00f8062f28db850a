/* The parser: let and its relatives, and do. Built as trees, as in parse_derived.c. */
#include <string.h>

#include "ast.h"
#include "heap.h"

struct bindings {
  int count;
  struct scope scope;
  struct node **inits;
};

value binding_init(struct compiler *compiler, value binding, value form) {
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

struct node *parse_binding_form(struct compiler *compiler, enum keyword keyword, value form,
                                struct scope *scope) {
  int length = form_length(compiler, form);
  switch (keyword) {
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
  default: /* KEYWORD_DO */
    return parse_do(compiler, form, scope);
  }
}
