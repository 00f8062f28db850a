/* The compiler's arena, its pool of values, and constructors of tree nodes. */
#include <stdlib.h>
#include <string.h>

#include "ast.h"
#include "heap.h"

enum { ARENA_BLOCK = 16 << 10 };

struct arena_block {
  struct arena_block *next;
  size_t used, capacity;
  max_align_t data[];
};

_Noreturn void compile_out_of_memory(struct compiler *compiler) {
  out_of_memory(compiler->vm);
  compiler->message = NULL;
  longjmp(compiler->failure, 1);
}

void *arena_take(struct compiler *compiler, size_t size) {
  size = (size + sizeof(max_align_t) - 1) & ~(sizeof(max_align_t) - 1);
  struct arena_block *block = compiler->arena;
  if (!block || block->capacity - block->used < size) {
    size_t capacity = size > ARENA_BLOCK ? size : ARENA_BLOCK;
    block = malloc(sizeof *block + capacity);
    if (!block)
      compile_out_of_memory(compiler);
    *block = (struct arena_block){compiler->arena, 0, capacity};
    compiler->arena = block;
  }
  void *memory = (char *)block->data + block->used;
  block->used += size;
  memset(memory, 0, size);
  return memory;
}

void arena_close(struct compiler *compiler) {
  while (compiler->arena) {
    struct arena_block *next = compiler->arena->next;
    free(compiler->arena);
    compiler->arena = next;
  }
}

pooled pool(struct compiler *compiler, value v) {
  struct value_stack *values = &compiler->vm->temporaries;
  if (!value_stack_push(values, v))
    compile_out_of_memory(compiler);
  return values->count - 1;
}

struct node *new_node(struct compiler *compiler, enum node_kind kind, int count) {
  struct node *node = arena_take(compiler, sizeof *node);
  node->kind = kind;
  node->count = count;
  if (count)
    node->children = arena_take(compiler, (size_t)count * sizeof *node->children);
  return node;
}

struct node *new_immediate(struct compiler *compiler, value v) {
  struct node *node = new_node(compiler, NODE_IMMEDIATE, 0);
  node->u.immediate = v;
  return node;
}

struct node *new_constant(struct compiler *compiler, value v) {
  if (is_fixnum(v) || has_tag(v, TAG_IMMEDIATE))
    return new_immediate(compiler, v);
  struct node *node = new_node(compiler, NODE_CONSTANT, 0);
  node->u.constant = pool(compiler, v);
  return node;
}

struct node *new_local(struct compiler *compiler, struct variable *variable) {
  struct node *node = new_node(compiler, NODE_LOCAL, 0);
  node->u.variable = variable;
  return node;
}

struct node *new_if(struct compiler *compiler, struct node *test, struct node *then, struct node *otherwise) {
  struct node *node = new_node(compiler, NODE_IF, 3);
  node->children[0] = test;
  node->children[1] = then;
  node->children[2] = otherwise;
  return node;
}

struct node *new_or(struct compiler *compiler, struct node *first, struct node *second) {
  struct node *node = new_node(compiler, NODE_OR, 2);
  node->children[0] = first;
  node->children[1] = second;
  return node;
}

struct node *new_pair_sequence(struct compiler *compiler, struct node *first, struct node *second) {
  struct node *node = new_node(compiler, NODE_SEQUENCE, 2);
  node->children[0] = first;
  node->children[1] = second;
  return node;
}

/* A call of one of our own procedures, whatever the program calls by that name: they are found
 * under names that start with %, which nothing else defines. */
struct node *new_global_call(struct compiler *compiler, const char *name, struct node **arguments,
                             int count) {
  struct node *procedure = new_node(compiler, NODE_GLOBAL, 0);
  procedure->u.global = global_find(compiler->vm, name);
  if (!procedure->u.global)
    syntax_error(compiler, "this form needs a procedure that is not loaded", FALSE_VALUE);
  return parse_call(compiler, procedure, arguments, count);
}

struct node *new_let(struct compiler *compiler, struct variable *variable, struct node *init,
                     struct node *body) {
  struct node *node = new_node(compiler, NODE_LET, 2);
  node->u.variables = arena_take(compiler, sizeof *node->u.variables);
  node->u.variables[0] = variable;
  node->children[0] = init;
  node->children[1] = body;
  return node;
}

struct node *new_thunk(struct compiler *compiler, struct node *body) {
  struct node *node = new_node(compiler, NODE_LAMBDA, 0);
  node->u.lambda = new_lambda(compiler, 0);
  node->u.lambda->body = body;
  return node;
}

struct variable *new_variable(struct compiler *compiler, value symbol) {
  struct variable *variable = arena_take(compiler, sizeof *variable);
  variable->symbol = symbol;
  return variable;
}

struct lambda *new_lambda(struct compiler *compiler, int parameter_count) {
  struct lambda *lambda = arena_take(compiler, sizeof *lambda);
  lambda->parameters = arena_take(compiler, (size_t)parameter_count * sizeof *lambda->parameters);
  lambda->required = parameter_count;
  lambda->name = pool(compiler, FALSE_VALUE);
  return lambda;
}
