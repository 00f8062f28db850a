/* From forms to procedures. */
#ifndef SCHEME_COMPILER_H
#define SCHEME_COMPILER_H

#include "vm.h"

/* Compiles one top-level form. post: a procedure of no arguments; or FAIL, and a syntax error or
 * out-of-memory is the exception. MAY COLLECT AND MOVE. */
value compile_toplevel(struct vm *vm, value form);

/* Looks through the forms of a whole program for definitions of names that have a builtin meaning,
 * so that no form is compiled with the wrong one. Does not collect. */
void compile_announce(struct vm *vm, value form);

/* A builtin that the compiler turns into an instruction. */
enum primitive_class {
  PRIMITIVE_ONE,    /* a := b */
  PRIMITIVE_TWO,    /* a := b, c; may allocate */
  PRIMITIVE_FOLD,   /* the same, and more arguments than two are folded from the left */
  PRIMITIVE_EFFECT, /* two or three operands, no result */
  PRIMITIVE_TEST_ONE,
  PRIMITIVE_TEST_TWO,
  PRIMITIVE_COMPARE, /* two operands; numbers */
  PRIMITIVE_NOT
};

struct primitive {
  const char *name;
  enum primitive_class class;
  enum opcode opcode;
  int operands;
  int detail;              /* TEST_ONE: the enum type_test, or the number or value to compare with */
  enum opcode with_small;  /* the form whose last operand is a small fixnum */
  enum opcode small_first; /* the same, first operand */
  bool swapped;            /* COMPARE: operands change places */
};

/* The primitive of that name, or NULL. */
const struct primitive *primitive_named(const char *name);

#endif
