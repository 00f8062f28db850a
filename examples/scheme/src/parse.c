/* The parser: forms to trees. Core forms are here; what can be said in terms of them is in
 * parse_derived.c. Nothing here allocates in the heap, so forms can be held in plain C variables;
 * errors leave by longjmp. */
#include <stdlib.h>
#include <string.h>

#include "ast.h"
#include "compiler.h"
#include "heap.h"

enum { NESTING_MAX = 1000 };

_Noreturn void syntax_error(struct compiler *compiler, const char *message, value form) {
  compiler->message = message;
  compiler->culprit = form;
  longjmp(compiler->failure, 1);
}

int form_length(struct compiler *compiler, value form) {
  int length = 0;
  value rest = form;
  for (; is_pair(rest); rest = cdr(rest))
    if (++length > 1 << 24)
      syntax_error(compiler, "circular form", FALSE_VALUE);
  if (rest != NIL)
    syntax_error(compiler, "not a proper list", form);
  return length;
}

value form_item(value form, int index) {
  while (index-- > 0)
    form = cdr(form);
  return car(form);
}

value require_symbol(struct compiler *compiler, value symbol, value form) {
  if (!is_symbol(compiler->vm, symbol))
    syntax_error(compiler, "a variable's name was expected", form);
  return symbol;
}

/* ---- Scopes ---- */
struct variable *lookup(struct scope *scope, value symbol) {
  for (; scope; scope = scope->parent)
    for (int i = scope->count - 1; i >= 0; i--)
      if (scope->variables[i]->symbol == symbol)
        return scope->variables[i];
  return NULL;
}

struct variable *scope_add(struct compiler *compiler, struct scope *scope, value symbol) {
  if (scope->count == scope->capacity) {
    int capacity = scope->capacity ? scope->capacity * 2 : 4;
    struct variable **variables = arena_take(compiler, (size_t)capacity * sizeof *variables);
    if (scope->count)
      memcpy(variables, scope->variables, (size_t)scope->count * sizeof *variables);
    scope->variables = variables;
    scope->capacity = capacity;
  }
  return scope->variables[scope->count++] = new_variable(compiler, symbol);
}

enum keyword keyword_of(struct compiler *compiler, value form, struct scope *scope) {
  if (!is_symbol(compiler->vm, form) || lookup(scope, form))
    return NOT_A_KEYWORD;
  return (enum keyword)symbol_of(form)->keyword;
}

struct global *parse_global(struct compiler *compiler, value symbol) {
  struct global *global = global_of(compiler->vm, symbol);
  if (!global)
    compile_out_of_memory(compiler);
  return global;
}

/* ---- Variables and calls ---- */
static struct node *parse_reference(struct compiler *compiler, value symbol, struct scope *scope) {
  struct variable *variable = lookup(scope, symbol);
  if (variable && variable->record) {
    struct record_procedure *record = variable->record;
    if (!record->procedure)
      record->procedure = pool(compiler, FALSE_VALUE);
    struct node *node = new_node(compiler, NODE_CONSTANT, 0);
    node->u.constant = record->procedure;
    return node;
  }
  if (variable)
    return new_local(compiler, variable);
  if (symbol_of(symbol)->keyword != NOT_A_KEYWORD)
    syntax_error(compiler, "a keyword is not a variable", symbol);
  struct node *node = new_node(compiler, NODE_GLOBAL, 0);
  node->u.global = parse_global(compiler, symbol);
  return node;
}

static struct node *new_primitive(struct compiler *compiler, const struct primitive *primitive,
                                  struct node **arguments, int count) {
  struct node *node = new_node(compiler, NODE_PRIMITIVE, count);
  node->u.primitive = primitive;
  memcpy(node->children, arguments, (size_t)count * sizeof *arguments);
  return node;
}

/* A call of a builtin that the program has not redefined: an instruction if there is one. */
static struct node *parse_builtin_call(struct compiler *compiler, struct global *global,
                                       struct node **arguments, int count) {
  const struct primitive *primitive = primitive_named(global->builtin->name);
  if (primitive && primitive->operands == count)
    return new_primitive(compiler, primitive, arguments, count);
  if (primitive && primitive->class == PRIMITIVE_FOLD && count > 2) {
    struct node *result = arguments[0];
    for (int i = 1; i < count; i++) {
      struct node *operands[2] = {result, arguments[i]};
      result = new_primitive(compiler, primitive, operands, 2);
    }
    return result;
  }
  const struct builtin *builtin = global->builtin;
  if (count < builtin->minimum || (builtin->maximum >= 0 && count > builtin->maximum))
    return NULL;
  struct node *node = new_node(compiler, NODE_BUILTIN, count);
  node->u.builtin = builtin;
  if (count)
    memcpy(node->children, arguments, (size_t)count * sizeof *arguments);
  return node;
}

static struct node *new_record_operation(struct compiler *compiler, struct record_procedure *record,
                                         struct node **arguments, int count) {
  if (count != record->argument_count)
    return NULL;
  struct node *node = new_node(compiler, NODE_RECORD, count);
  node->u.record = record;
  if (count)
    memcpy(node->children, arguments, (size_t)count * sizeof *arguments);
  return node;
}

/* A global that is a record procedure says so; its closure has the details (stubs.c). */
static struct record_procedure *record_of_global(struct compiler *compiler, struct global *global) {
  enum inline_kind kind = (enum inline_kind)fixnum_of(global->inlined);
  if (kind < INLINE_CONSTRUCTOR || !is_procedure(global->content))
    return NULL;
  const struct closure *closure = closure_of(global->content);
  struct record_procedure *record = arena_take(compiler, sizeof *record);
  record->kind = kind;
  record->type = pool(compiler, closure->slots[0]);
  record->field_count = (int)fixnum_of(record_type_of(closure->slots[0])->field_count);
  record->argument_count = kind == INLINE_MODIFIER ? 2 : 1;
  if (kind != INLINE_CONSTRUCTOR) {
    if (kind != INLINE_PREDICATE)
      record->field = (int)fixnum_of(closure->slots[1]);
    return record;
  }
  record->argument_count = (int)fixnum_of(closure->slots[1]);
  record->arguments = arena_take(compiler, (size_t)record->field_count * sizeof *record->arguments);
  for (int i = 0; i < record->field_count; i++)
    record->arguments[i] = (int)fixnum_of(closure->slots[2 + i]);
  return record;
}

/* ((lambda (a b) body) x y) is a let. */
static struct node *call_lambda(struct compiler *compiler, struct lambda *lambda, struct node **arguments,
                                int count) {
  if (lambda->rest || lambda->required != count)
    return NULL;
  struct node *node = new_node(compiler, NODE_LET, count + 1);
  node->u.variables = lambda->parameters;
  for (int i = 0; i < count; i++) {
    node->children[i] = arguments[i];
    if (arguments[i]->kind == NODE_LAMBDA)
      lambda->parameters[i]->lambda = arguments[i]->u.lambda;
  }
  node->children[count] = lambda->body;
  return node;
}

struct node *parse_call(struct compiler *compiler, struct node *procedure, struct node **arguments,
                        int count) {
  struct node *node = NULL;
  if (procedure->kind == NODE_GLOBAL && procedure->u.global->builtin) {
    node = parse_builtin_call(compiler, procedure->u.global, arguments, count);
  } else if (procedure->kind == NODE_GLOBAL) {
    struct record_procedure *record = record_of_global(compiler, procedure->u.global);
    if (record)
      node = new_record_operation(compiler, record, arguments, count);
  } else if (procedure->kind == NODE_LAMBDA) {
    node = call_lambda(compiler, procedure->u.lambda, arguments, count);
  }
  if (node)
    return node;
  node = new_node(compiler, NODE_CALL, count + 1);
  node->children[0] = procedure;
  if (count)
    memcpy(node->children + 1, arguments, (size_t)count * sizeof *arguments);
  return node;
}

static struct node *parse_application(struct compiler *compiler, value form, struct scope *scope) {
  int count = form_length(compiler, form) - 1;
  struct node **arguments = arena_take(compiler, (size_t)(count + 1) * sizeof *arguments);
  value rest = cdr(form);
  for (int i = 0; i < count; i++, rest = cdr(rest))
    arguments[i] = parse(compiler, car(rest), scope);
  struct variable *variable = is_symbol(compiler->vm, car(form)) ? lookup(scope, car(form)) : NULL;
  if (variable && variable->record) {
    struct node *node = new_record_operation(compiler, variable->record, arguments, count);
    if (node)
      return node;
  }
  return parse_call(compiler, parse(compiler, car(form), scope), arguments, count);
}

struct node *parse(struct compiler *compiler, value form, struct scope *scope) {
  if (is_symbol(compiler->vm, form))
    return parse_reference(compiler, form, scope);
  if (!is_pair(form)) {
    if (form == NIL)
      syntax_error(compiler, "() is not an expression", form);
    return new_constant(compiler, form);
  }
  if (++compiler->nesting > NESTING_MAX)
    syntax_error(compiler, "the expression is nested too deeply", FALSE_VALUE);
  enum keyword keyword = keyword_of(compiler, car(form), scope);
  struct node *node = keyword == NOT_A_KEYWORD ? parse_application(compiler, form, scope)
                                               : parse_special(compiler, keyword, form, scope);
  compiler->nesting--;
  return node;
}

/* ---- Core forms ---- */
struct node *parse_sequence(struct compiler *compiler, value forms, struct scope *scope) {
  int count = form_length(compiler, forms);
  if (count == 0)
    return new_immediate(compiler, UNSPECIFIED);
  if (count == 1)
    return parse(compiler, car(forms), scope);
  struct node *node = new_node(compiler, NODE_SEQUENCE, count);
  for (int i = 0; i < count; i++, forms = cdr(forms))
    node->children[i] = parse(compiler, car(forms), scope);
  return node;
}

struct node *parse_lambda(struct compiler *compiler, value formals, value body, value name,
                          struct scope *scope) {
  struct scope inner = {.parent = scope};
  value rest = formals;
  for (; is_pair(rest); rest = cdr(rest)) {
    value symbol = require_symbol(compiler, car(rest), formals);
    for (int i = 0; i < inner.count; i++)
      if (inner.variables[i]->symbol == symbol)
        syntax_error(compiler, "a parameter is named twice", formals);
    scope_add(compiler, &inner, symbol);
  }
  int required = inner.count;
  if (rest != NIL)
    scope_add(compiler, &inner, require_symbol(compiler, rest, formals));
  struct lambda *lambda = new_lambda(compiler, 0);
  lambda->parameters = inner.variables;
  lambda->required = required;
  lambda->rest = rest != NIL;
  compiler->vm->temporaries.items[lambda->name] = name;
  lambda->body = parse_body(compiler, body, &inner);
  struct node *node = new_node(compiler, NODE_LAMBDA, 0);
  node->u.lambda = lambda;
  return node;
}

/* (define name value) and (define (name . formals) body ...), also curried. post: the name, and
 * in *curried how often. */
value definition_name(struct compiler *compiler, value form) {
  if (form_length(compiler, form) < 2)
    syntax_error(compiler, "bad definition", form);
  value target = form_item(form, 1);
  while (is_pair(target))
    target = car(target);
  return require_symbol(compiler, target, form);
}

struct node *definition_value(struct compiler *compiler, value form, struct scope *scope) {
  value target = form_item(form, 1);
  value body = cdr(cdr(form));
  if (is_pair(target)) {
    if (is_pair(car(target)))
      syntax_error(compiler, "curried definitions are not supported", form);
    return parse_lambda(compiler, cdr(target), body, car(target), scope);
  }
  if (body == NIL)
    return new_immediate(compiler, UNSPECIFIED);
  if (cdr(body) != NIL)
    syntax_error(compiler, "bad definition", form);
  value expression = car(body);
  if (is_pair(expression) && keyword_of(compiler, car(expression), scope) == KEYWORD_LAMBDA &&
      form_length(compiler, expression) >= 3)
    return parse_lambda(compiler, form_item(expression, 1), cdr(cdr(expression)), target, scope);
  return parse(compiler, expression, scope);
}

static struct node *parse_set(struct compiler *compiler, value form, struct scope *scope) {
  if (form_length(compiler, form) != 3)
    syntax_error(compiler, "bad set!", form);
  value symbol = require_symbol(compiler, form_item(form, 1), form);
  struct variable *variable = lookup(scope, symbol);
  if (variable && variable->record)
    syntax_error(compiler, "a record procedure cannot be assigned", form);
  struct node *node = new_node(compiler, variable ? NODE_SET_LOCAL : NODE_SET_GLOBAL, 1);
  if (variable) {
    variable->assigned = true;
    node->u.variable = variable;
  } else {
    node->u.global = parse_global(compiler, symbol);
    global_forget_builtin(node->u.global);
  }
  node->children[0] = parse(compiler, form_item(form, 2), scope);
  return node;
}

static struct node *parse_quote(struct compiler *compiler, value form) {
  if (form_length(compiler, form) != 2)
    syntax_error(compiler, "bad quote", form);
  return new_constant(compiler, form_item(form, 1));
}

static struct node *parse_if(struct compiler *compiler, value form, struct scope *scope) {
  int length = form_length(compiler, form);
  if (length != 3 && length != 4)
    syntax_error(compiler, "bad if", form);
  return new_if(
      compiler, parse(compiler, form_item(form, 1), scope), parse(compiler, form_item(form, 2), scope),
      length == 4 ? parse(compiler, form_item(form, 3), scope) : new_immediate(compiler, UNSPECIFIED));
}

struct node *parse_special(struct compiler *compiler, enum keyword keyword, value form, struct scope *scope) {
  switch (keyword) {
  case KEYWORD_QUOTE:
    return parse_quote(compiler, form);
  case KEYWORD_IF:
    return parse_if(compiler, form, scope);
  case KEYWORD_SET:
    return parse_set(compiler, form, scope);
  case KEYWORD_LAMBDA:
    if (form_length(compiler, form) < 3)
      syntax_error(compiler, "bad lambda", form);
    return parse_lambda(compiler, form_item(form, 1), cdr(cdr(form)), FALSE_VALUE, scope);
  case KEYWORD_BEGIN:
    return parse_sequence(compiler, cdr(form), scope);
  case KEYWORD_IMPORT:
    return new_immediate(compiler, UNSPECIFIED);
  case KEYWORD_DEFINE:
  case KEYWORD_DEFINE_VALUES:
  case KEYWORD_DEFINE_RECORD_TYPE:
    syntax_error(compiler, "a definition where an expression is expected", form);
  default:
    return parse_derived(compiler, keyword, form, scope);
  }
}
