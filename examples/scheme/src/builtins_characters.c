/* Builtins: characters. */
#include "builtins.h"
#include "unicode.h"

static bool check(struct vm *vm, const char *name, value v) {
  if (is_character(v))
    return true;
  bad_argument(vm, name, "not a character", v);
  return false;
}

static value is_character_(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(is_character(argv[0]));
}

static uint32_t identity(uint32_t c) { return c; }

#define COMPARISON(function, name, key, relation)                                                            \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    bool holds = true;                                                                                       \
    for (int i = 0; i < argc; i++) {                                                                         \
      if (!check(vm, name, argv[i]))                                                                         \
        return FAIL;                                                                                         \
      if (i > 0 && !(key(character_of(argv[i - 1])) relation key(character_of(argv[i]))))                    \
        holds = false;                                                                                       \
    }                                                                                                        \
    return make_boolean(holds);                                                                              \
  }
COMPARISON(equal, "char=?", identity, ==)
COMPARISON(less, "char<?", identity, <)
COMPARISON(greater, "char>?", identity, >)
COMPARISON(less_equal, "char<=?", identity, <=)
COMPARISON(greater_equal, "char>=?", identity, >=)
COMPARISON(ci_equal, "char-ci=?", character_downcase, ==)
COMPARISON(ci_less, "char-ci<?", character_downcase, <)
COMPARISON(ci_greater, "char-ci>?", character_downcase, >)
COMPARISON(ci_less_equal, "char-ci<=?", character_downcase, <=)
COMPARISON(ci_greater_equal, "char-ci>=?", character_downcase, >=)

#define CLASS(function, name, test)                                                                          \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    (void)argc;                                                                                              \
    return check(vm, name, argv[0]) ? make_boolean(test(character_of(argv[0]))) : FAIL;                      \
  }
CLASS(is_alphabetic, "char-alphabetic?", character_is_alphabetic)
CLASS(is_numeric, "char-numeric?", character_is_numeric)
CLASS(is_whitespace, "char-whitespace?", character_is_space)
CLASS(is_upper, "char-upper-case?", character_is_upper)
CLASS(is_lower, "char-lower-case?", character_is_lower)

static value upcase(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return check(vm, "char-upcase", argv[0]) ? make_character(character_upcase(character_of(argv[0]))) : FAIL;
}

static value downcase(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return check(vm, "char-downcase", argv[0]) ? make_character(character_downcase(character_of(argv[0])))
                                             : FAIL;
}

static value to_integer(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return check(vm, "char->integer", argv[0]) ? make_fixnum(character_of(argv[0])) : FAIL;
}

static value from_integer(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_index(argv[0], 0x110000) || (fixnum_of(argv[0]) >= 0xd800 && fixnum_of(argv[0]) < 0xe000))
    return bad_argument(vm, "integer->char", "not a character's number", argv[0]);
  return make_character((uint32_t)fixnum_of(argv[0]));
}

static value digit_value(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check(vm, "digit-value", argv[0]))
    return FAIL;
  uint32_t c = character_of(argv[0]);
  return character_is_numeric(c) ? make_fixnum(c - '0') : FALSE_VALUE;
}

const struct builtin character_builtins[] = {
    {"char?", is_character_, 1, 1},
    {"char=?", equal, 1, -1},
    {"char<?", less, 1, -1},
    {"char>?", greater, 1, -1},
    {"char<=?", less_equal, 1, -1},
    {"char>=?", greater_equal, 1, -1},
    {"char-ci=?", ci_equal, 1, -1},
    {"char-ci<?", ci_less, 1, -1},
    {"char-ci>?", ci_greater, 1, -1},
    {"char-ci<=?", ci_less_equal, 1, -1},
    {"char-ci>=?", ci_greater_equal, 1, -1},
    {"char-alphabetic?", is_alphabetic, 1, 1},
    {"char-numeric?", is_numeric, 1, 1},
    {"char-whitespace?", is_whitespace, 1, 1},
    {"char-upper-case?", is_upper, 1, 1},
    {"char-lower-case?", is_lower, 1, 1},
    {"char-upcase", upcase, 1, 1},
    {"char-downcase", downcase, 1, 1},
    {"char-foldcase", downcase, 1, 1},
    {"char->integer", to_integer, 1, 1},
    {"integer->char", from_integer, 1, 1},
    {"digit-value", digit_value, 1, 1},
    {NULL, NULL, 0, 0},
};
