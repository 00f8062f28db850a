/* The instructions of the register machine.
 *
 * An instruction is a label word, an operand word, and for some one or more words that follow.
 * Registers are words of the current frame: register 0 is the running closure, 1..n its
 * arguments, then variables and temporaries. `depth` is the number of registers in use: what an
 * instruction that may allocate has the heap scan of its frame.
 *
 * A call with window w: the return address goes to register w, the distance back to the caller's
 * frame to w+1, the procedure is in w+2 and its arguments follow; w+2 becomes the callee's
 * register 0, and the result arrives in w. */
#ifndef SCHEME_OPCODES_H
#define SCHEME_OPCODES_H

/* Words that a call puts between the window's start and the callee's frame. */
#define LINKAGE 2

/* X(name, words, format). Formats, for the disassembler: r a register, i a number, w the window,
 * d a depth, . unused; j a jump in place of c and d. Then one letter for each following word:
 * I an immediate value, K an index into the constants, G a global, B a builtin, * captures. */
#define OPCODES(X)                                                                                           \
  /* moving values */                                                                                        \
  X(MOVE, 2, "rr")                                                                                           \
  X(IMMEDIATE, 3, "rI")                                                                                      \
  X(CONSTANT, 3, "rK")                                                                                       \
  X(CAPTURED, 2, "ri")                                                                                       \
  X(BOX, 2, "rr.d")                                                                                          \
  X(UNBOX, 2, "rr")                                                                                          \
  X(SET_BOX, 2, "rr")                                                                                        \
  X(UNBOX_CAPTURED, 2, "ri")                                                                                 \
  X(SET_BOX_CAPTURED, 2, "ir")                                                                               \
  X(GLOBAL, 3, "rG")                                                                                         \
  X(SET_GLOBAL, 3, "rG")                                                                                     \
  X(DEFINE_GLOBAL, 3, "rG")                                                                                  \
  X(CLOSURE, 0, "rid.K*") /* b captures, four in a word: register, or 0x8000 | slot of this closure */       \
  X(CLOSURE_SET, 2, "rir")                                                                                   \
  /* control */                                                                                              \
  X(JUMP, 2, "..j")                                                                                          \
  X(JUMP_FALSE, 2, "r.j")                                                                                    \
  X(JUMP_TRUE, 2, "r.j")                                                                                     \
  X(CALL, 2, "wi")                                                                                           \
  X(CALL_GLOBAL, 3, "wiG")                                                                                   \
  X(CALL_KNOWN, 2, "wir") /* the closure in c, and the number of arguments is right */                       \
  X(TAIL_CALL, 2, "ri")   /* procedure in a, arguments after it */                                           \
  X(TAIL_CALL_GLOBAL, 3, "riG")                                                                              \
  X(BUILTIN, 3, "rirB") /* arguments from a, count b, result to c */                                         \
  X(RETURN, 2, "r")                                                                                          \
  X(RETURN_IMMEDIATE, 3, ".I")                                                                               \
  X(ENTER_LARGE, 2, "...d")                                                                                  \
  /* tests; each with its negation directly after it */                                                      \
  X(JUMP_EQ, 2, "rrj")                                                                                       \
  X(JUMP_NOT_EQ, 2, "rrj")                                                                                   \
  X(JUMP_EQ_IMMEDIATE, 3, "r.jI")                                                                            \
  X(JUMP_NOT_EQ_IMMEDIATE, 3, "r.jI")                                                                        \
  X(JUMP_EQ_CONSTANT, 3, "r.jK")                                                                             \
  X(JUMP_NOT_EQ_CONSTANT, 3, "r.jK")                                                                         \
  X(JUMP_PAIR, 2, "r.j")                                                                                     \
  X(JUMP_NOT_PAIR, 2, "r.j")                                                                                 \
  X(JUMP_TYPE, 2, "rij")                                                                                     \
  X(JUMP_NOT_TYPE, 2, "rij")                                                                                 \
  X(JUMP_RECORD, 3, "r.jK")                                                                                  \
  X(JUMP_NOT_RECORD, 3, "r.jK")                                                                              \
  X(JUMP_LESS, 2, "rrj")                                                                                     \
  X(JUMP_NOT_LESS, 2, "rrj")                                                                                 \
  X(JUMP_LESS_EQUAL, 2, "rrj")                                                                               \
  X(JUMP_NOT_LESS_EQUAL, 2, "rrj")                                                                           \
  X(JUMP_NUMBER_EQUAL, 2, "rrj")                                                                             \
  X(JUMP_NOT_NUMBER_EQUAL, 2, "rrj")                                                                         \
  X(JUMP_LESS_I, 2, "rij")                                                                                   \
  X(JUMP_NOT_LESS_I, 2, "rij")                                                                               \
  X(JUMP_LESS_EQUAL_I, 2, "rij")                                                                             \
  X(JUMP_NOT_LESS_EQUAL_I, 2, "rij")                                                                         \
  X(JUMP_GREATER_I, 2, "rij")                                                                                \
  X(JUMP_NOT_GREATER_I, 2, "rij")                                                                            \
  X(JUMP_GREATER_EQUAL_I, 2, "rij")                                                                          \
  X(JUMP_NOT_GREATER_EQUAL_I, 2, "rij")                                                                      \
  X(JUMP_NUMBER_EQUAL_I, 2, "rij")                                                                           \
  X(JUMP_NOT_NUMBER_EQUAL_I, 2, "rij")                                                                       \
  X(JUMP_CHARACTER_EQUAL, 2, "rrj")                                                                          \
  X(JUMP_NOT_CHARACTER_EQUAL, 2, "rrj")                                                                      \
  /* numbers */                                                                                              \
  X(ADD, 2, "rrrd")                                                                                          \
  X(SUBTRACT, 2, "rrrd")                                                                                     \
  X(MULTIPLY, 2, "rrrd")                                                                                     \
  X(DIVIDE, 2, "rrrd")                                                                                       \
  X(ADD_I, 2, "rrid")                                                                                        \
  X(QUOTIENT, 2, "rrrd")                                                                                     \
  X(REMAINDER, 2, "rrrd")                                                                                    \
  X(MODULO, 2, "rrrd")                                                                                       \
  /* data */                                                                                                 \
  X(CONS, 2, "rrrd")                                                                                         \
  X(CAR, 2, "rr")                                                                                            \
  X(CDR, 2, "rr")                                                                                            \
  X(CAAR, 2, "rr")                                                                                           \
  X(CADR, 2, "rr")                                                                                           \
  X(CDAR, 2, "rr")                                                                                           \
  X(CDDR, 2, "rr")                                                                                           \
  X(CADDR, 2, "rr")                                                                                          \
  X(SET_CAR, 2, "rr")                                                                                        \
  X(SET_CDR, 2, "rr")                                                                                        \
  X(VECTOR_REF, 2, "rrr")                                                                                    \
  X(VECTOR_SET, 2, "rrr")                                                                                    \
  X(VECTOR_LENGTH, 2, "rr")                                                                                  \
  X(STRING_REF, 2, "rrr")                                                                                    \
  X(RECORD, 3, "rirdK") /* b fields from register c on */                                                    \
  X(RECORD_REF, 3, "rriK")                                                                                   \
  X(RECORD_SET, 3, "rriK")                                                                                   \
  /* entries of procedures that are not compiled from source (stubs.c) */                                    \
  X(BUILTIN_ENTRY, 2, "")                                                                                    \
  X(APPLY_ENTRY, 2, "")                                                                                      \
  X(CALL_CC_ENTRY, 2, "")                                                                                    \
  X(VALUES_ENTRY, 2, "")                                                                                     \
  X(CONTINUATION_ENTRY, 2, "")                                                                               \
  X(RESUME_ENTRY, 2, "")                                                                                     \
  X(TAIL_CALL_VALUES, 2, "rr")                                                                               \
  X(CONSTRUCTOR_ENTRY, 2, "")                                                                                \
  X(PREDICATE_ENTRY, 2, "")                                                                                  \
  X(ACCESSOR_ENTRY, 2, "")                                                                                   \
  X(MODIFIER_ENTRY, 2, "")                                                                                   \
  X(EVAL_ENTRY, 2, "")                                                                                       \
  X(UNDERFLOW, 2, "")                                                                                        \
  X(HALT, 2, "")

enum opcode {
#define X(name, words, format) OP_##name,
  OPCODES(X)
#undef X
      OPCODE_COUNT
};

/* What JUMP_TYPE tests for. */
enum type_test {
  TEST_FIXNUM,
  TEST_NUMBER,
  TEST_SYMBOL,
  TEST_STRING,
  TEST_VECTOR,
  TEST_PROCEDURE,
  TEST_CHARACTER,
  TEST_BOOLEAN,
  TEST_FLONUM
};

#endif
