/* Exceptions raised by C code. */
#ifndef SCHEME_ERRORS_H
#define SCHEME_ERRORS_H

#include "vm.h"

enum condition_kind {
  CONDITION_ERROR, /* (error ...) of the program */
  CONDITION_TYPE,  /* a wrong argument */
  CONDITION_ARITY,
  CONDITION_UNDEFINED,
  CONDITION_NUMBER, /* overflow, division by zero */
  CONDITION_MEMORY,
  CONDITION_STACK,
  CONDITION_FILE,
  CONDITION_READ,
  CONDITION_SYNTAX
};

/* Makes a condition the exception. `irritants` may be on the C stack. Always returns FAIL.
 * May collect; pre: vm->top covers what is live on the VM stack. */
value raise_error(struct vm *vm, enum condition_kind kind, const char *message, int count,
                  const value *irritants);
value raise_type(struct vm *vm, const char *message, value irritant);
value raise_arity(struct vm *vm, value procedure, int argc);

/* Prints an exception, and the procedures that were active, to standard error. Does not allocate
 * in the heap. */
void report_exception(struct vm *vm, value exception, value *frame);

#endif
