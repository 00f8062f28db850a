/* clang-format off */
/* Part of the VM loop: arithmetic. Fixnums that do not overflow and pairs of flonums are done
 * here, all else in numbers.c. Included by vm.c. */

/* The operands are read before the result is allocated, so nothing is held across it. */
#define FLONUM_RESULT(expression)                                                                         \
  do {                                                                                                    \
    double number_ = (expression);                                                                        \
    vm->frame = fp, vm->top = fp + D;                                                                     \
    struct flonum *flonum_ = midden_alloc(mutator, vm->kinds[KIND_FLONUM]);                               \
    if (!flonum_) goto no_memory;                                                                         \
    flonum_->number = number_;                                                                            \
    R(A) = tagged(flonum_, TAG_FLONUM);                                                                   \
    NEXT(2);                                                                                              \
  } while (0)
#define SLOW_ARITHMETIC(function, x, y)                                                                   \
  do {                                                                                                    \
    vm->frame = fp, vm->top = fp + D;                                                                     \
    value result_ = function(vm, x, y);                                                                   \
    if (MIDDEN_UNLIKELY(result_ == FAIL)) goto arithmetic_failed;                                         \
    R(A) = result_;                                                                                       \
    NEXT(2);                                                                                              \
  } while (0)

L_ADD: {
  value x = R(B), y = R(C);
  int64_t sum;
  if (MIDDEN_LIKELY(are_fixnums(x, y) && !__builtin_add_overflow((int64_t)x, (int64_t)y, &sum))) {
    R(A) = (value)sum;
    NEXT(2);
  }
  if (is_flonum(x) && is_flonum(y)) FLONUM_RESULT(flonum_of(x) + flonum_of(y));
  SLOW_ARITHMETIC(number_add, x, y);
}

L_SUBTRACT: {
  value x = R(B), y = R(C);
  int64_t difference;
  if (MIDDEN_LIKELY(are_fixnums(x, y) && !__builtin_sub_overflow((int64_t)x, (int64_t)y, &difference))) {
    R(A) = (value)difference;
    NEXT(2);
  }
  if (is_flonum(x) && is_flonum(y)) FLONUM_RESULT(flonum_of(x) - flonum_of(y));
  SLOW_ARITHMETIC(number_subtract, x, y);
}

L_ADD_I: {
  value x = R(B);
  int64_t sum;
  if (MIDDEN_LIKELY(is_fixnum(x) && !__builtin_add_overflow((int64_t)x, (int64_t)SMALL(C), &sum))) {
    R(A) = (value)sum;
    NEXT(2);
  }
  if (is_flonum(x)) FLONUM_RESULT(flonum_of(x) + (double)(int16_t)C);
  SLOW_ARITHMETIC(number_add, x, SMALL(C));
}

L_MULTIPLY: {
  value x = R(B), y = R(C);
  int64_t product;
  if (MIDDEN_LIKELY(are_fixnums(x, y) && !__builtin_mul_overflow(fixnum_of(x), (int64_t)y, &product))) {
    R(A) = (value)product;
    NEXT(2);
  }
  if (is_flonum(x) && is_flonum(y)) FLONUM_RESULT(flonum_of(x) * flonum_of(y));
  SLOW_ARITHMETIC(number_multiply, x, y);
}

L_DIVIDE: {
  value x = R(B), y = R(C);
  if (is_flonum(x) && is_flonum(y)) FLONUM_RESULT(flonum_of(x) / flonum_of(y));
  SLOW_ARITHMETIC(number_divide, x, y);
}

/* With a divisor above zero nothing overflows. */
L_QUOTIENT: {
  value x = R(B), y = R(C);
  if (MIDDEN_LIKELY(are_fixnums(x, y) && (int64_t)y > 0)) {
    R(A) = make_fixnum((int64_t)x / (int64_t)y);
    NEXT(2);
  }
  SLOW_ARITHMETIC(number_quotient, x, y);
}

L_REMAINDER: {
  value x = R(B), y = R(C);
  if (MIDDEN_LIKELY(are_fixnums(x, y) && (int64_t)y > 0)) {
    R(A) = (value)((int64_t)x % (int64_t)y);
    NEXT(2);
  }
  SLOW_ARITHMETIC(number_remainder, x, y);
}

L_MODULO: {
  value x = R(B), y = R(C);
  if (MIDDEN_LIKELY(are_fixnums(x, y) && (int64_t)y > 0)) {
    int64_t rest = (int64_t)x % (int64_t)y;
    R(A) = (value)(rest < 0 ? rest + (int64_t)y : rest);
    NEXT(2);
  }
  SLOW_ARITHMETIC(number_modulo, x, y);
}

arithmetic_failed:
  argc = 0;
  goto raise;
