/* Numbers: what the VM's instructions leave to C. Bignums and exact fractions do not exist yet:
 * an integer result above 62 bits is an error, and the quotient of integers that is none is a
 * flonum. This interface is where they will go. */
#ifndef SCHEME_NUMBERS_H
#define SCHEME_NUMBERS_H

#include "vm.h"

/* All return FAIL with an exception set if an operand is no number, or the result is out of range.
 * MAY COLLECT AND MOVE; operands are read first. */
value number_add(struct vm *vm, value x, value y);
value number_subtract(struct vm *vm, value x, value y);
value number_multiply(struct vm *vm, value x, value y);
value number_divide(struct vm *vm, value x, value y);
value number_quotient(struct vm *vm, value x, value y);
value number_remainder(struct vm *vm, value x, value y);
value number_modulo(struct vm *vm, value x, value y);

/* post: -1, 0, 1; or NUMBERS_UNORDERED (a NaN); or NUMBERS_NOT, and an exception is set. */
enum { NUMBERS_UNORDERED = 2, NUMBERS_NOT = 3 };
int number_compare(struct vm *vm, const char *name, value x, value y);

/* An integer as the smallest representation of it; error if it does not fit. */
value make_integer(struct vm *vm, int64_t n);
double number_to_double(value number);
/* The fixnum that equals a flonum. false: it is no integer, or out of range. */
bool double_to_fixnum(double number, int64_t *out);

/* ---- Text ---- */
enum { NUMBER_TEXT_MAX = 80 };
void number_to_text(value number, int radix, char text[NUMBER_TEXT_MAX]);

struct scanned_number {
  bool exact;
  bool overflow; /* an exact integer that does not fit */
  int64_t integer;
  double number;
};
/* true: the text is a number. */
bool number_scan(const char *text, size_t size, int radix, struct scanned_number *out);

#endif
