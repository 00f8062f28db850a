/* The parser: forms at top level, where definitions make global variables. */
#include "ast.h"
#include "heap.h"

static struct node *define_global(struct compiler *compiler, value symbol, struct node *init) {
  struct node *node = new_node(compiler, NODE_DEFINE, 1);
  node->u.global = parse_global(compiler, symbol);
  global_forget_builtin(node->u.global);
  symbol_of(symbol)->keyword = NOT_A_KEYWORD;
  node->children[0] = init;
  return node;
}

static struct node *parse_toplevel_begin(struct compiler *compiler, value form) {
  int count = form_length(compiler, form) - 1;
  if (count == 0)
    return new_immediate(compiler, UNSPECIFIED);
  struct node *node = new_node(compiler, NODE_SEQUENCE, count);
  value rest = cdr(form);
  for (int i = 0; i < count; i++, rest = cdr(rest))
    node->children[i] = parse_toplevel(compiler, car(rest));
  return node;
}

/* (define-values formals expression): each variable is defined, then all are set. */
static struct node *parse_toplevel_values(struct compiler *compiler, value form) {
  if (form_length(compiler, form) != 3)
    syntax_error(compiler, "bad define-values", form);
  struct node *producer = new_thunk(compiler, parse(compiler, form_item(form, 2), NULL));
  struct scope inner = {.parent = NULL};
  value rest = form_item(form, 1);
  for (; is_pair(rest); rest = cdr(rest))
    scope_add(compiler, &inner, require_symbol(compiler, car(rest), form));
  int required = inner.count;
  if (rest != NIL)
    scope_add(compiler, &inner, require_symbol(compiler, rest, form));
  struct lambda *consumer = new_lambda(compiler, 0);
  consumer->parameters = inner.variables;
  consumer->required = required;
  consumer->rest = rest != NIL;
  struct node *body = new_node(compiler, NODE_SEQUENCE, inner.count + 1);
  for (int i = 0; i < inner.count; i++)
    body->children[i] =
        define_global(compiler, inner.variables[i]->symbol, new_local(compiler, inner.variables[i]));
  body->children[inner.count] = new_immediate(compiler, UNSPECIFIED);
  consumer->body = body;
  struct node *receiver = new_node(compiler, NODE_LAMBDA, 0);
  receiver->u.lambda = consumer;
  return new_global_call(compiler, "%call-with-values", (struct node *[]){producer, receiver}, 2);
}

struct node *parse_toplevel(struct compiler *compiler, value form) {
  switch (is_pair(form) ? keyword_of(compiler, car(form), NULL) : NOT_A_KEYWORD) {
  case KEYWORD_BEGIN:
    return parse_toplevel_begin(compiler, form);
  case KEYWORD_DEFINE: {
    value name = definition_name(compiler, form);
    global_forget_builtin(parse_global(compiler, name)); /* before its own body is parsed */
    symbol_of(name)->keyword = NOT_A_KEYWORD;
    return define_global(compiler, name, definition_value(compiler, form, NULL));
  }
  case KEYWORD_DEFINE_VALUES:
    return parse_toplevel_values(compiler, form);
  case KEYWORD_DEFINE_RECORD_TYPE:
    parse_record_definition(compiler, form, NULL);
    return parse_record_globals(compiler);
  default:
    return parse(compiler, form, NULL);
  }
}
