/* clang-format off */
/* Part of the VM loop: tests fused with the jump that they decide. Included by vm.c.
 * Each test T has a twin NOT_T; they are not the same as swapping the targets of one, because a
 * comparison with a NaN is false both ways. */

#define TEST_PAIR_OF_JUMPS(name, condition, words)                                                        \
  L_JUMP_##name : BRANCH(condition, words);                                                               \
  L_JUMP_NOT_##name : BRANCH(!(condition), words);

  TEST_PAIR_OF_JUMPS(EQ, R(A) == R(B), 2)
  TEST_PAIR_OF_JUMPS(EQ_IMMEDIATE, R(A) == pc[2].constant, 3)
  TEST_PAIR_OF_JUMPS(EQ_CONSTANT, R(A) == CONSTANT(2), 3)
  TEST_PAIR_OF_JUMPS(PAIR, is_pair(R(A)), 2)
  TEST_PAIR_OF_JUMPS(TYPE, type_test(vm, R(A), B), 2)
  TEST_PAIR_OF_JUMPS(RECORD, is_record_of(R(A), CONSTANT(2)), 3)

/* Fixnums and flonums here; what is left, errors included, in number_compare. */
#define COMPARE(name, relation, x, y, negate)                                                             \
  L_JUMP_##name : {                                                                                       \
    value x_ = (x), y_ = (y);                                                                             \
    bool holds;                                                                                           \
    if (MIDDEN_LIKELY(are_fixnums(x_, y_))) {                                                             \
      holds = (int64_t)x_ relation (int64_t)y_;                                                           \
    } else if (is_flonum(x_) && is_flonum(y_)) {                                                          \
      holds = flonum_of(x_) relation flonum_of(y_);                                                       \
    } else {                                                                                              \
      vm->top = frame_end(fp, 0);                                                                         \
      int order = number_compare(vm, "comparison", x_, y_);                                                \
      if (order == NUMBERS_NOT) goto raise;                                                               \
      holds = order != NUMBERS_UNORDERED && order relation 0;                                             \
    }                                                                                                     \
    BRANCH(holds != (negate), 2);                                                                         \
  }
#define COMPARE_PAIR(name, relation, x, y) COMPARE(name, relation, x, y, 0) COMPARE(NOT_##name, relation, x, y, 1)
#define SMALL(n) make_fixnum((int16_t)(n))

  COMPARE_PAIR(LESS, <, R(A), R(B))
  COMPARE_PAIR(LESS_EQUAL, <=, R(A), R(B))
  COMPARE_PAIR(NUMBER_EQUAL, ==, R(A), R(B))
  COMPARE_PAIR(LESS_I, <, R(A), SMALL(B))
  COMPARE_PAIR(LESS_EQUAL_I, <=, R(A), SMALL(B))
  COMPARE_PAIR(GREATER_I, >, R(A), SMALL(B))
  COMPARE_PAIR(GREATER_EQUAL_I, >=, R(A), SMALL(B))
  COMPARE_PAIR(NUMBER_EQUAL_I, ==, R(A), SMALL(B))

L_JUMP_CHARACTER_EQUAL:
  if (!is_character(R(A))) TYPE_ERROR("char=?: not a character", R(A));
  if (!is_character(R(B))) TYPE_ERROR("char=?: not a character", R(B));
  BRANCH(R(A) == R(B), 2);

L_JUMP_NOT_CHARACTER_EQUAL:
  if (!is_character(R(A))) TYPE_ERROR("char=?: not a character", R(A));
  if (!is_character(R(B))) TYPE_ERROR("char=?: not a character", R(B));
  BRANCH(R(A) != R(B), 2);
