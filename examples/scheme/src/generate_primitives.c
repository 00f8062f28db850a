/* The code generator: builtins that are instructions. */
#include <string.h>

#include "generate.h"

/* {name, class, opcode, operands, detail, with_small, small_first, swapped} */
static const struct primitive primitives[] = {
    {"car", PRIMITIVE_ONE, OP_CAR, 1, 0, 0, 0, false},
    {"cdr", PRIMITIVE_ONE, OP_CDR, 1, 0, 0, 0, false},
    {"caar", PRIMITIVE_ONE, OP_CAAR, 1, 0, 0, 0, false},
    {"cadr", PRIMITIVE_ONE, OP_CADR, 1, 0, 0, 0, false},
    {"cdar", PRIMITIVE_ONE, OP_CDAR, 1, 0, 0, 0, false},
    {"cddr", PRIMITIVE_ONE, OP_CDDR, 1, 0, 0, 0, false},
    {"caddr", PRIMITIVE_ONE, OP_CADDR, 1, 0, 0, 0, false},
    {"vector-length", PRIMITIVE_ONE, OP_VECTOR_LENGTH, 1, 0, 0, 0, false},
    {"cons", PRIMITIVE_TWO, OP_CONS, 2, 0, 0, 0, false},
    {"vector-ref", PRIMITIVE_TWO, OP_VECTOR_REF, 2, 0, 0, 0, false},
    {"string-ref", PRIMITIVE_TWO, OP_STRING_REF, 2, 0, 0, 0, false},
    {"+", PRIMITIVE_FOLD, OP_ADD, 2, 1, OP_ADD_I, OP_ADD_I, false},
    {"-", PRIMITIVE_FOLD, OP_SUBTRACT, 2, -1, OP_ADD_I, 0, false},
    {"*", PRIMITIVE_FOLD, OP_MULTIPLY, 2, 0, 0, 0, false},
    {"/", PRIMITIVE_FOLD, OP_DIVIDE, 2, 0, 0, 0, false},
    {"quotient", PRIMITIVE_TWO, OP_QUOTIENT, 2, 0, 0, 0, false},
    {"truncate-quotient", PRIMITIVE_TWO, OP_QUOTIENT, 2, 0, 0, 0, false},
    {"remainder", PRIMITIVE_TWO, OP_REMAINDER, 2, 0, 0, 0, false},
    {"truncate-remainder", PRIMITIVE_TWO, OP_REMAINDER, 2, 0, 0, 0, false},
    {"modulo", PRIMITIVE_TWO, OP_MODULO, 2, 0, 0, 0, false},
    {"floor-remainder", PRIMITIVE_TWO, OP_MODULO, 2, 0, 0, 0, false},
    {"set-car!", PRIMITIVE_EFFECT, OP_SET_CAR, 2, 0, 0, 0, false},
    {"set-cdr!", PRIMITIVE_EFFECT, OP_SET_CDR, 2, 0, 0, 0, false},
    {"vector-set!", PRIMITIVE_EFFECT, OP_VECTOR_SET, 3, 0, 0, 0, false},
    {"not", PRIMITIVE_NOT, OP_JUMP_TRUE, 1, 0, 0, 0, false},
    {"pair?", PRIMITIVE_TEST_ONE, OP_JUMP_PAIR, 1, 0, 0, 0, false},
    {"null?", PRIMITIVE_TEST_ONE, OP_JUMP_EQ_IMMEDIATE, 1, (int)NIL, 0, 0, false},
    {"eof-object?", PRIMITIVE_TEST_ONE, OP_JUMP_EQ_IMMEDIATE, 1, (int)EOF_VALUE, 0, 0, false},
    {"zero?", PRIMITIVE_TEST_ONE, OP_JUMP_NUMBER_EQUAL_I, 1, 0, 0, 0, false},
    {"positive?", PRIMITIVE_TEST_ONE, OP_JUMP_GREATER_I, 1, 0, 0, 0, false},
    {"negative?", PRIMITIVE_TEST_ONE, OP_JUMP_LESS_I, 1, 0, 0, 0, false},
    {"number?", PRIMITIVE_TEST_ONE, OP_JUMP_TYPE, 1, TEST_NUMBER, 0, 0, false},
    {"symbol?", PRIMITIVE_TEST_ONE, OP_JUMP_TYPE, 1, TEST_SYMBOL, 0, 0, false},
    {"string?", PRIMITIVE_TEST_ONE, OP_JUMP_TYPE, 1, TEST_STRING, 0, 0, false},
    {"vector?", PRIMITIVE_TEST_ONE, OP_JUMP_TYPE, 1, TEST_VECTOR, 0, 0, false},
    {"procedure?", PRIMITIVE_TEST_ONE, OP_JUMP_TYPE, 1, TEST_PROCEDURE, 0, 0, false},
    {"char?", PRIMITIVE_TEST_ONE, OP_JUMP_TYPE, 1, TEST_CHARACTER, 0, 0, false},
    {"boolean?", PRIMITIVE_TEST_ONE, OP_JUMP_TYPE, 1, TEST_BOOLEAN, 0, 0, false},
    {"eq?", PRIMITIVE_TEST_TWO, OP_JUMP_EQ, 2, 0, 0, 0, false},
    {"char=?", PRIMITIVE_TEST_TWO, OP_JUMP_CHARACTER_EQUAL, 2, 0, 0, 0, false},
    {"<", PRIMITIVE_COMPARE, OP_JUMP_LESS, 2, 0, OP_JUMP_LESS_I, OP_JUMP_GREATER_I, false},
    {">", PRIMITIVE_COMPARE, OP_JUMP_LESS, 2, 0, OP_JUMP_GREATER_I, OP_JUMP_LESS_I, true},
    {"<=", PRIMITIVE_COMPARE, OP_JUMP_LESS_EQUAL, 2, 0, OP_JUMP_LESS_EQUAL_I, OP_JUMP_GREATER_EQUAL_I, false},
    {">=", PRIMITIVE_COMPARE, OP_JUMP_LESS_EQUAL, 2, 0, OP_JUMP_GREATER_EQUAL_I, OP_JUMP_LESS_EQUAL_I, true},
    {"=", PRIMITIVE_COMPARE, OP_JUMP_NUMBER_EQUAL, 2, 0, OP_JUMP_NUMBER_EQUAL_I, OP_JUMP_NUMBER_EQUAL_I,
     false},
};

const struct primitive *primitive_named(const char *name) {
  for (size_t i = 0; i < sizeof primitives / sizeof primitives[0]; i++)
    if (!strcmp(primitives[i].name, name))
      return &primitives[i];
  return NULL;
}

/* A fixnum that fits, with its negation, into an operand. */
static bool is_small(const struct node *node, int *number) {
  if (node->kind != NODE_IMMEDIATE || !is_fixnum(node->u.immediate))
    return false;
  int64_t n = fixnum_of(node->u.immediate);
  if (n < -32767 || n > 32767)
    return false;
  *number = (int)n;
  return true;
}

static void generate_value(struct generator *generator, struct node *node, struct target target) {
  const struct primitive *primitive = node->u.primitive;
  int saved = generator->depth, small;
  enum opcode opcode = primitive->opcode;
  int b, c = 0;
  if (primitive->with_small && is_small(node->children[1], &small)) {
    opcode = primitive->with_small;
    b = generate_operand(generator, node->children[0]);
    c = small * primitive->detail;
  } else if (primitive->small_first && is_small(node->children[0], &small)) {
    opcode = primitive->small_first;
    b = generate_operand(generator, node->children[1]);
    c = small;
  } else {
    b = generate_operand(generator, node->children[0]);
    if (primitive->operands == 2)
      c = generate_operand(generator, node->children[1]);
  }
  int depth = generator->depth;
  generator->depth = saved;
  int reg = result_register(generator, target);
  emit(generator, opcode, reg, b, c & 0xffff, primitive->operands == 2 ? depth : 0);
  deliver(generator, reg, target);
}

static void generate_effect(struct generator *generator, struct node *node, struct target target) {
  int saved = generator->depth;
  int a = generate_operand(generator, node->children[0]);
  int b = generate_operand(generator, node->children[1]);
  int c = node->count == 3 ? generate_operand(generator, node->children[2]) : 0;
  emit(generator, node->u.primitive->opcode, a, b, c, 0);
  generator->depth = saved;
  deliver_immediate(generator, UNSPECIFIED, target);
}

/* ---- Tests ---- */
static void generate_not(struct generator *generator, struct node *node, struct target target) {
  struct materialised test;
  struct target ways = begin_test(generator, &test, target);
  struct target swapped = ways;
  swapped.yes = ways.no;
  swapped.no = ways.yes;
  generate_node(generator, node->children[0], swapped);
  if (target.mode == TARGET_TEST)
    return;
  finish_test(generator, &test, target, ways);
}

static void generate_test_one(struct generator *generator, struct node *node, struct target target) {
  const struct primitive *primitive = node->u.primitive;
  struct materialised test;
  struct target ways = begin_test(generator, &test, target);
  int saved = generator->depth;
  int a = generate_operand(generator, node->children[0]);
  generator->depth = saved;
  bool word = primitive->opcode == OP_JUMP_EQ_IMMEDIATE;
  emit_branch(generator, primitive->opcode, a, word ? 0 : primitive->detail, ways);
  if (word)
    emit_word(generator, (union word){.constant = (value)primitive->detail});
  finish_test(generator, &test, target, ways);
}

/* eq? with something known is a test of one register. */
static void generate_eq(struct generator *generator, struct node *node, struct target ways) {
  struct node *x = node->children[0], *y = node->children[1];
  if (x->kind == NODE_IMMEDIATE || x->kind == NODE_CONSTANT) {
    struct node *other = x;
    x = y;
    y = other;
  }
  int a = generate_operand(generator, x);
  if (y->kind == NODE_IMMEDIATE) {
    emit_branch(generator, OP_JUMP_EQ_IMMEDIATE, a, 0, ways);
    emit_word(generator, (union word){.constant = y->u.immediate});
  } else if (y->kind == NODE_CONSTANT) {
    emit_branch(generator, OP_JUMP_EQ_CONSTANT, a, 0, ways);
    emit_word(generator, (union word){.integer = assembler_constant(&generator->assembler, y->u.constant)});
  } else {
    emit_branch(generator, OP_JUMP_EQ, a, generate_operand(generator, y), ways);
  }
}

static void generate_comparison(struct generator *generator, struct node *node, struct target ways) {
  const struct primitive *primitive = node->u.primitive;
  int small;
  if (primitive->with_small && is_small(node->children[1], &small)) {
    emit_branch(generator, primitive->with_small, generate_operand(generator, node->children[0]),
                small & 0xffff, ways);
  } else if (primitive->small_first && is_small(node->children[0], &small)) {
    emit_branch(generator, primitive->small_first, generate_operand(generator, node->children[1]),
                small & 0xffff, ways);
  } else {
    int a = generate_operand(generator, node->children[0]);
    int b = generate_operand(generator, node->children[1]);
    emit_branch(generator, primitive->opcode, primitive->swapped ? b : a, primitive->swapped ? a : b, ways);
  }
}

static void generate_test_two(struct generator *generator, struct node *node, struct target target) {
  struct materialised test;
  struct target ways = begin_test(generator, &test, target);
  int saved = generator->depth;
  if (node->u.primitive->opcode == OP_JUMP_EQ)
    generate_eq(generator, node, ways);
  else
    generate_comparison(generator, node, ways);
  generator->depth = saved;
  finish_test(generator, &test, target, ways);
}

void generate_primitive(struct generator *generator, struct node *node, struct target target) {
  switch (node->u.primitive->class) {
  case PRIMITIVE_ONE:
  case PRIMITIVE_TWO:
  case PRIMITIVE_FOLD:
    generate_value(generator, node, target);
    break;
  case PRIMITIVE_EFFECT:
    generate_effect(generator, node, target);
    break;
  case PRIMITIVE_TEST_ONE:
    generate_test_one(generator, node, target);
    break;
  case PRIMITIVE_TEST_TWO:
  case PRIMITIVE_COMPARE:
    generate_test_two(generator, node, target);
    break;
  case PRIMITIVE_NOT:
    generate_not(generator, node, target);
    break;
  }
}
