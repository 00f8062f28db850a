/* Builtins: rounding, conversion, functions of real analysis, numbers as text. */
#include <math.h>

#include "builtins.h"
#include "numbers.h"
#include "ports.h"

/* ---- Rounding and conversion ---- */
static value round_with(struct vm *vm, const char *name, value v, double (*function)(double)) {
  if (require_number(vm, name, v) == FAIL)
    return FAIL;
  return is_fixnum(v) ? v : make_flonum(vm, function(flonum_of(v)));
}
static value floor_(struct vm *vm, value *argv, int argc) {
  return (void)argc, round_with(vm, "floor", argv[0], floor);
}
static value ceiling(struct vm *vm, value *argv, int argc) {
  return (void)argc, round_with(vm, "ceiling", argv[0], ceil);
}
static value truncate_(struct vm *vm, value *argv, int argc) {
  return (void)argc, round_with(vm, "truncate", argv[0], trunc);
}
/* To even, which is the mode that C starts in. */
static value round_(struct vm *vm, value *argv, int argc) {
  return (void)argc, round_with(vm, "round", argv[0], nearbyint);
}

static value exact(struct vm *vm, value *argv, int argc) {
  (void)argc;
  int64_t n;
  if (is_fixnum(argv[0]))
    return argv[0];
  if (!is_flonum(argv[0]))
    return bad_argument(vm, "exact", "not a number", argv[0]);
  if (double_to_fixnum(flonum_of(argv[0]), &n))
    return make_fixnum(n);
  return bad_argument(vm, "exact", "no exact integer of this size equals it", argv[0]);
}

static value inexact(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (require_number(vm, "inexact", argv[0]) == FAIL)
    return FAIL;
  return is_flonum(argv[0]) ? argv[0] : make_flonum(vm, (double)fixnum_of(argv[0]));
}

/* ---- Functions of real analysis ---- */
#define REAL_FUNCTION(function, name, expression)                                                            \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    (void)argc;                                                                                              \
    if (require_number(vm, name, argv[0]) == FAIL)                                                           \
      return FAIL;                                                                                           \
    double x = number_to_double(argv[0]);                                                                    \
    return make_flonum(vm, expression);                                                                      \
  }
REAL_FUNCTION(sin_, "sin", sin(x))
REAL_FUNCTION(cos_, "cos", cos(x))
REAL_FUNCTION(tan_, "tan", tan(x))
REAL_FUNCTION(asin_, "asin", asin(x))
REAL_FUNCTION(acos_, "acos", acos(x))

static value exp_(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (argv[0] == make_fixnum(0))
    return make_fixnum(1);
  if (require_number(vm, "exp", argv[0]) == FAIL)
    return FAIL;
  return make_flonum(vm, exp(number_to_double(argv[0])));
}

static value log_(struct vm *vm, value *argv, int argc) {
  for (int i = 0; i < argc; i++)
    if (require_number(vm, "log", argv[i]) == FAIL)
      return FAIL;
  if (argc == 1 && argv[0] == make_fixnum(1))
    return make_fixnum(0);
  double result = log(number_to_double(argv[0]));
  return make_flonum(vm, argc == 2 ? result / log(number_to_double(argv[1])) : result);
}

static value atan_(struct vm *vm, value *argv, int argc) {
  for (int i = 0; i < argc; i++)
    if (require_number(vm, "atan", argv[i]) == FAIL)
      return FAIL;
  if (argc == 1)
    return make_flonum(vm, atan(number_to_double(argv[0])));
  return make_flonum(vm, atan2(number_to_double(argv[0]), number_to_double(argv[1])));
}

static value sqrt_(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (require_number(vm, "sqrt", argv[0]) == FAIL)
    return FAIL;
  double x = number_to_double(argv[0]);
  if (x < 0)
    return bad_argument(vm, "sqrt", "complex numbers are not supported", argv[0]);
  double root = sqrt(x);
  if (is_fixnum(argv[0]) && root == floor(root)) {
    int64_t whole = (int64_t)root;
    if (whole <= INT32_MAX && whole * whole == fixnum_of(argv[0]))
      return make_fixnum(whole);
  }
  return make_flonum(vm, root);
}

static value square(struct vm *vm, value *argv, int argc) {
  return (void)argc, number_multiply(vm, argv[0], argv[0]);
}

/* ---- Text ---- */
static bool radix_of(struct vm *vm, const char *name, const value *argv, int argc, int *radix) {
  *radix = 10;
  if (argc < 2)
    return true;
  if (!is_index(argv[1], 37) || fixnum_of(argv[1]) < 2) {
    bad_argument(vm, name, "not a radix", argv[1]);
    return false;
  }
  *radix = (int)fixnum_of(argv[1]);
  return true;
}

static value number_to_string(struct vm *vm, value *argv, int argc) {
  int radix;
  char text[NUMBER_TEXT_MAX];
  if (require_number(vm, "number->string", argv[0]) == FAIL)
    return FAIL;
  if (!radix_of(vm, "number->string", argv, argc, &radix))
    return FAIL;
  number_to_text(argv[0], radix, text);
  return make_string_from(vm, text);
}

static value string_to_number(struct vm *vm, value *argv, int argc) {
  int radix;
  char text[160];
  struct scanned_number number;
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, "string->number", "not a string", argv[0]);
  if (!radix_of(vm, "string->number", argv, argc, &radix))
    return FAIL;
  size_t size = string_copy_text(argv[0], text, sizeof text);
  if (size == 0 || size >= sizeof text || !number_scan(text, size, radix, &number))
    return FALSE_VALUE;
  if (!number.exact)
    return make_flonum(vm, number.number);
  return number.overflow ? raise_error(vm, CONDITION_NUMBER, "integer overflow", 1, argv)
                         : make_fixnum(number.integer);
}

const struct builtin real_builtins[] = {
    {"floor", floor_, 1, 1},
    {"ceiling", ceiling, 1, 1},
    {"truncate", truncate_, 1, 1},
    {"round", round_, 1, 1},
    {"exact", exact, 1, 1},
    {"inexact", inexact, 1, 1},
    {"inexact->exact", exact, 1, 1},
    {"exact->inexact", inexact, 1, 1},
    {"sin", sin_, 1, 1},
    {"cos", cos_, 1, 1},
    {"tan", tan_, 1, 1},
    {"asin", asin_, 1, 1},
    {"acos", acos_, 1, 1},
    {"atan", atan_, 1, 2},
    {"exp", exp_, 1, 1},
    {"log", log_, 1, 2},
    {"sqrt", sqrt_, 1, 1},
    {"square", square, 1, 1},
    {"number->string", number_to_string, 1, 2},
    {"string->number", string_to_number, 1, 2},
    {NULL, NULL, 0, 0},
};
