/* The parser: quasiquote. The template becomes calls of cons, append and list->vector; parts without
 * unquotes stay constants. */
#include "ast.h"

static struct node *quasi_template(struct compiler *compiler, value template, int depth, struct scope *scope);

enum { QUASI_NESTING_MAX = 10000 };

static struct node *quasi_pair(struct compiler *compiler, struct node *first, struct node *rest) {
  return new_global_call(compiler, "%cons", (struct node *[]){first, rest}, 2);
}

static bool is_constant(const struct node *node) {
  return node->kind == NODE_IMMEDIATE || node->kind == NODE_CONSTANT;
}

/* (keyword argument) in a template: a list of two, the first the symbol. */
static struct node *quasi_nested(struct compiler *compiler, value template, int depth, struct scope *scope) {
  struct node *argument = parse_quasiquote(compiler, form_item(template, 1), depth, scope);
  return quasi_pair(compiler, new_constant(compiler, car(template)),
                    quasi_pair(compiler, argument, new_immediate(compiler, NIL)));
}

static struct node *quasi_list(struct compiler *compiler, value template, int depth, struct scope *scope) {
  value first = car(template);
  if (is_pair(first) && keyword_of(compiler, car(first), scope) == KEYWORD_UNQUOTE_SPLICING &&
      form_length(compiler, first) == 2 && depth == 1) {
    struct node *parts[2] = {parse(compiler, form_item(first, 1), scope),
                             parse_quasiquote(compiler, cdr(template), depth, scope)};
    return new_global_call(compiler, "%append", parts, 2);
  }
  struct node *head = parse_quasiquote(compiler, first, depth, scope);
  struct node *tail = parse_quasiquote(compiler, cdr(template), depth, scope);
  if (is_constant(head) && is_constant(tail))
    return new_constant(compiler, template);
  return quasi_pair(compiler, head, tail);
}

/* A vector is made from the list of its items. */
static struct node *quasi_vector(struct compiler *compiler, value template, int depth, struct scope *scope) {
  struct node *list = new_immediate(compiler, NIL);
  bool constant = true;
  for (int64_t i = vector_length(template) - 1; i >= 0; i--) {
    value item = vector_of(template)->items[i];
    if (is_pair(item) && keyword_of(compiler, car(item), scope) == KEYWORD_UNQUOTE_SPLICING && depth == 1 &&
        form_length(compiler, item) == 2) {
      struct node *parts[2] = {parse(compiler, form_item(item, 1), scope), list};
      list = new_global_call(compiler, "%append", parts, 2);
      constant = false;
      continue;
    }
    struct node *node = parse_quasiquote(compiler, item, depth, scope);
    constant = constant && is_constant(node);
    list = quasi_pair(compiler, node, list);
  }
  return constant ? new_constant(compiler, template) : new_global_call(compiler, "%list->vector", &list, 1);
}

static struct node *quasi_template(struct compiler *compiler, value template, int depth,
                                   struct scope *scope) {
  if (is_vector(template))
    return quasi_vector(compiler, template, depth, scope);
  if (!is_pair(template))
    return new_constant(compiler, template);
  bool two = is_pair(cdr(template)) && cdr(cdr(template)) == NIL;
  switch (two ? keyword_of(compiler, car(template), scope) : NOT_A_KEYWORD) {
  case KEYWORD_UNQUOTE:
    if (depth == 1)
      return parse(compiler, form_item(template, 1), scope);
    return quasi_nested(compiler, template, depth - 1, scope);
  case KEYWORD_UNQUOTE_SPLICING:
    return quasi_nested(compiler, template, depth - 1, scope);
  case KEYWORD_QUASIQUOTE:
    return quasi_nested(compiler, template, depth + 1, scope);
  default:
    return quasi_list(compiler, template, depth, scope);
  }
}

struct node *parse_quasiquote(struct compiler *compiler, value template, int depth, struct scope *scope) {
  if (++compiler->quasi_nesting > QUASI_NESTING_MAX)
    syntax_error(compiler, "the template is too long", FALSE_VALUE);
  struct node *node = quasi_template(compiler, template, depth, scope);
  compiler->quasi_nesting--;
  return node;
}
