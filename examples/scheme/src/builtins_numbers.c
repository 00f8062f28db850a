/* Builtins: arithmetic, comparison, integers. */
#include <math.h>

#include "builtins.h"
#include "numbers.h"

/* ---- Arithmetic on any number of arguments ---- */
typedef value (*operation)(struct vm *vm, value x, value y);

/* The running result is kept in argv[0], where the heap sees it. */
static value fold(struct vm *vm, operation combine, value *argv, int argc) {
  for (int i = 1; i < argc; i++) {
    argv[0] = combine(vm, argv[0], argv[i]);
    if (argv[0] == FAIL)
      return FAIL;
  }
  return argv[0];
}

static value add(struct vm *vm, value *argv, int argc) {
  if (argc == 0)
    return make_fixnum(0);
  if (argc == 1)
    return number_add(vm, argv[0], make_fixnum(0));
  return fold(vm, number_add, argv, argc);
}

static value multiply(struct vm *vm, value *argv, int argc) {
  if (argc == 0)
    return make_fixnum(1);
  if (argc == 1)
    return number_multiply(vm, argv[0], make_fixnum(1));
  return fold(vm, number_multiply, argv, argc);
}

static value subtract(struct vm *vm, value *argv, int argc) {
  if (argc > 1)
    return fold(vm, number_subtract, argv, argc);
  if (is_flonum(argv[0]))
    return make_flonum(vm, -flonum_of(argv[0])); /* 0 - 0.0 is not -0.0 */
  return number_subtract(vm, make_fixnum(0), argv[0]);
}

static value divide(struct vm *vm, value *argv, int argc) {
  if (argc > 1)
    return fold(vm, number_divide, argv, argc);
  return number_divide(vm, make_fixnum(1), argv[0]);
}

static value quotient(struct vm *vm, value *argv, int argc) {
  return (void)argc, number_quotient(vm, argv[0], argv[1]);
}
static value remainder_(struct vm *vm, value *argv, int argc) {
  return (void)argc, number_remainder(vm, argv[0], argv[1]);
}
static value modulo(struct vm *vm, value *argv, int argc) {
  return (void)argc, number_modulo(vm, argv[0], argv[1]);
}

static value floor_quotient(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value rest = number_modulo(vm, argv[0], argv[1]);
  if (rest == FAIL)
    return FAIL;
  argv[0] = number_subtract(vm, argv[0], rest);
  return argv[0] == FAIL ? FAIL : number_quotient(vm, argv[0], argv[1]);
}

/* ---- Comparison ---- */
enum order { ORDER_LESS = 1, ORDER_EQUAL = 2, ORDER_GREATER = 4 };

static value compare_chain(struct vm *vm, const char *name, value *argv, int argc, unsigned allowed) {
  bool holds = true;
  if (argc == 1 && number_compare(vm, name, argv[0], argv[0]) == NUMBERS_NOT)
    return FAIL;
  for (int i = 0; i + 1 < argc; i++) {
    int order = number_compare(vm, name, argv[i], argv[i + 1]);
    if (order == NUMBERS_NOT)
      return FAIL;
    if (order == NUMBERS_UNORDERED || !(allowed & (1u << (order + 1))))
      holds = false;
  }
  return make_boolean(holds);
}

static value equal(struct vm *vm, value *argv, int argc) {
  return compare_chain(vm, "=", argv, argc, ORDER_EQUAL);
}
static value less(struct vm *vm, value *argv, int argc) {
  return compare_chain(vm, "<", argv, argc, ORDER_LESS);
}
static value greater(struct vm *vm, value *argv, int argc) {
  return compare_chain(vm, ">", argv, argc, ORDER_GREATER);
}
static value less_equal(struct vm *vm, value *argv, int argc) {
  return compare_chain(vm, "<=", argv, argc, ORDER_LESS | ORDER_EQUAL);
}
static value greater_equal(struct vm *vm, value *argv, int argc) {
  return compare_chain(vm, ">=", argv, argc, ORDER_GREATER | ORDER_EQUAL);
}

/* If any argument is inexact, so is the result. */
static value extreme(struct vm *vm, const char *name, value *argv, int argc, int sign) {
  value best = argv[0];
  bool inexact = is_flonum(best);
  if (number_compare(vm, name, best, best) == NUMBERS_NOT)
    return FAIL;
  for (int i = 1; i < argc; i++) {
    int order = number_compare(vm, name, argv[i], best);
    if (order == NUMBERS_NOT)
      return FAIL;
    if (is_flonum(argv[i]))
      inexact = true;
    if (order == sign || (order == NUMBERS_UNORDERED && is_flonum(argv[i]) && isnan(flonum_of(argv[i]))))
      best = argv[i];
  }
  return inexact && is_fixnum(best) ? make_flonum(vm, (double)fixnum_of(best)) : best;
}

static value maximum(struct vm *vm, value *argv, int argc) { return extreme(vm, "max", argv, argc, 1); }
static value minimum(struct vm *vm, value *argv, int argc) { return extreme(vm, "min", argv, argc, -1); }

/* ---- Predicates and parts ---- */
static bool is_whole(value v) {
  return is_fixnum(v) || (is_flonum(v) && isfinite(flonum_of(v)) && flonum_of(v) == floor(flonum_of(v)));
}

value require_number(struct vm *vm, const char *name, value v) {
  return is_number(v) ? v : bad_argument(vm, name, "not a number", v);
}

static value is_number_(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(is_number(argv[0]));
}
static value is_rational(struct vm *vm, value *argv, int argc) {
  (void)vm, (void)argc;
  return make_boolean(is_fixnum(argv[0]) || (is_flonum(argv[0]) && isfinite(flonum_of(argv[0]))));
}
static value is_integer(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(is_whole(argv[0]));
}
static value is_exact_integer(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(is_fixnum(argv[0]));
}
static value is_exact(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return require_number(vm, "exact?", argv[0]) == FAIL ? FAIL : make_boolean(is_fixnum(argv[0]));
}
static value is_inexact(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return require_number(vm, "inexact?", argv[0]) == FAIL ? FAIL : make_boolean(is_flonum(argv[0]));
}
static value is_nan(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (require_number(vm, "nan?", argv[0]) == FAIL)
    return FAIL;
  return make_boolean(is_flonum(argv[0]) && isnan(flonum_of(argv[0])));
}
static value is_finite(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (require_number(vm, "finite?", argv[0]) == FAIL)
    return FAIL;
  return make_boolean(is_fixnum(argv[0]) || isfinite(flonum_of(argv[0])));
}
static value is_infinite(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (require_number(vm, "infinite?", argv[0]) == FAIL)
    return FAIL;
  return make_boolean(is_flonum(argv[0]) && isinf(flonum_of(argv[0])));
}

static value sign_test(struct vm *vm, const char *name, value v, int sign) {
  int order = number_compare(vm, name, v, make_fixnum(0));
  return order == NUMBERS_NOT ? FAIL : make_boolean(order == sign);
}
static value is_zero(struct vm *vm, value *argv, int argc) {
  return (void)argc, sign_test(vm, "zero?", argv[0], 0);
}
static value is_positive(struct vm *vm, value *argv, int argc) {
  return (void)argc, sign_test(vm, "positive?", argv[0], 1);
}
static value is_negative(struct vm *vm, value *argv, int argc) {
  return (void)argc, sign_test(vm, "negative?", argv[0], -1);
}

static value parity(struct vm *vm, const char *name, value v, bool odd) {
  if (!is_whole(v))
    return bad_argument(vm, name, "not an integer", v);
  bool is_odd = is_fixnum(v) ? fixnum_of(v) & 1 : fmod(flonum_of(v), 2) != 0;
  return make_boolean(is_odd == odd);
}
static value is_odd(struct vm *vm, value *argv, int argc) {
  return (void)argc, parity(vm, "odd?", argv[0], true);
}
static value is_even(struct vm *vm, value *argv, int argc) {
  return (void)argc, parity(vm, "even?", argv[0], false);
}

static value absolute(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (require_number(vm, "abs", argv[0]) == FAIL)
    return FAIL;
  if (is_flonum(argv[0]))
    return make_flonum(vm, fabs(flonum_of(argv[0])));
  return make_integer(vm, fixnum_of(argv[0]) < 0 ? -fixnum_of(argv[0]) : fixnum_of(argv[0]));
}

/* ---- Integers ---- */
static int64_t gcd_of(int64_t a, int64_t b) {
  while (b) {
    int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a < 0 ? -a : a;
}

static value gcd(struct vm *vm, value *argv, int argc) {
  int64_t result = 0;
  bool inexact = false;
  for (int i = 0; i < argc; i++) {
    int64_t n;
    if (is_fixnum(argv[i])) {
      n = fixnum_of(argv[i]);
    } else if (is_flonum(argv[i]) && double_to_fixnum(flonum_of(argv[i]), &n)) {
      inexact = true;
    } else {
      return bad_argument(vm, "gcd", "not an integer", argv[i]);
    }
    result = gcd_of(result, n);
  }
  return inexact ? make_flonum(vm, (double)result) : make_integer(vm, result);
}

static value lcm(struct vm *vm, value *argv, int argc) {
  value result = make_fixnum(1);
  for (int i = 0; i < argc; i++) {
    if (!is_fixnum(argv[i]))
      return bad_argument(vm, "lcm", "not an exact integer", argv[i]);
    int64_t n = fixnum_of(argv[i]);
    if (n == 0)
      return make_fixnum(0);
    result = number_multiply(vm, result, make_fixnum((n < 0 ? -n : n) / gcd_of(fixnum_of(result), n)));
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

static value exact_integer_sqrt(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0)
    return bad_argument(vm, "exact-integer-sqrt", "not an exact natural number", argv[0]);
  int64_t n = fixnum_of(argv[0]), root = (int64_t)sqrt((double)n);
  while (root * root > n)
    root--;
  while ((root + 1) * (root + 1) <= n)
    root++;
  value parts[2] = {make_fixnum(root), make_fixnum(n - root * root)};
  return make_multiple(vm, parts, 2);
}

static value expt_integer(struct vm *vm, value base, int64_t exponent) {
  value result = make_fixnum(1);
  if (base == make_fixnum(1) || base == make_fixnum(0) || base == make_fixnum(-1))
    return exponent == 0 ? result : base == make_fixnum(-1) && exponent % 2 == 0 ? result : base;
  for (; exponent > 0; exponent--) {
    result = number_multiply(vm, result, base);
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

static value expt(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (require_number(vm, "expt", argv[0]) == FAIL || require_number(vm, "expt", argv[1]) == FAIL)
    return FAIL;
  if (is_fixnum(argv[0]) && is_fixnum(argv[1]) && fixnum_of(argv[1]) >= 0)
    return expt_integer(vm, argv[0], fixnum_of(argv[1]));
  return make_flonum(vm, pow(number_to_double(argv[0]), number_to_double(argv[1])));
}

/* Bits of fixnums, by the names of SRFI 151 and of R6RS. */
#define BITWISE(function, name, start, combine)                                                              \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    int64_t result = (start);                                                                                \
    for (int i = 0; i < argc; i++) {                                                                         \
      if (!is_fixnum(argv[i]))                                                                               \
        return bad_argument(vm, name, "not an exact integer", argv[i]);                                      \
      result = result combine fixnum_of(argv[i]);                                                            \
    }                                                                                                        \
    return make_fixnum(result);                                                                              \
  }
BITWISE(bitwise_and, "bitwise-and", -1, &)
BITWISE(bitwise_or, "bitwise-ior", 0, |)
BITWISE(bitwise_xor, "bitwise-xor", 0, ^)

static value bitwise_not(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return is_fixnum(argv[0]) ? make_fixnum(~fixnum_of(argv[0]))
                            : bad_argument(vm, "bitwise-not", "not an exact integer", argv[0]);
}

static value arithmetic_shift(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_fixnum(argv[0]))
    return bad_argument(vm, "arithmetic-shift", "not an exact integer", argv[0]);
  if (!is_fixnum(argv[1]))
    return bad_argument(vm, "arithmetic-shift", "not an exact integer", argv[1]);
  int64_t n = fixnum_of(argv[0]), shift = fixnum_of(argv[1]);
  if (shift <= 0)
    return make_fixnum(shift < -62 ? (n < 0 ? -1 : 0) : n >> -shift);
  if (n == 0)
    return make_fixnum(0);
  if (shift > 61)
    return raise_error(vm, CONDITION_NUMBER, "integer overflow", 0, NULL);
  int64_t shifted = (int64_t)((uint64_t)n << shift);
  if (shifted >> shift != n)
    return raise_error(vm, CONDITION_NUMBER, "integer overflow", 0, NULL);
  return make_integer(vm, shifted);
}

const struct builtin number_builtins[] = {
    {"+", add, 0, -1},
    {"*", multiply, 0, -1},
    {"-", subtract, 1, -1},
    {"/", divide, 1, -1},
    {"=", equal, 1, -1},
    {"<", less, 1, -1},
    {">", greater, 1, -1},
    {"<=", less_equal, 1, -1},
    {">=", greater_equal, 1, -1},
    {"max", maximum, 1, -1},
    {"min", minimum, 1, -1},
    {"quotient", quotient, 2, 2},
    {"remainder", remainder_, 2, 2},
    {"modulo", modulo, 2, 2},
    {"truncate-quotient", quotient, 2, 2},
    {"truncate-remainder", remainder_, 2, 2},
    {"floor-remainder", modulo, 2, 2},
    {"floor-quotient", floor_quotient, 2, 2},
    {"number?", is_number_, 1, 1},
    {"complex?", is_number_, 1, 1},
    {"real?", is_number_, 1, 1},
    {"rational?", is_rational, 1, 1},
    {"integer?", is_integer, 1, 1},
    {"exact-integer?", is_exact_integer, 1, 1},
    {"exact-rational?", is_exact_integer, 1, 1},
    {"exact?", is_exact, 1, 1},
    {"inexact?", is_inexact, 1, 1},
    {"nan?", is_nan, 1, 1},
    {"finite?", is_finite, 1, 1},
    {"infinite?", is_infinite, 1, 1},
    {"zero?", is_zero, 1, 1},
    {"positive?", is_positive, 1, 1},
    {"negative?", is_negative, 1, 1},
    {"odd?", is_odd, 1, 1},
    {"even?", is_even, 1, 1},
    {"abs", absolute, 1, 1},
    {"magnitude", absolute, 1, 1},
    {"gcd", gcd, 0, -1},
    {"lcm", lcm, 0, -1},
    {"exact-integer-sqrt", exact_integer_sqrt, 1, 1},
    {"expt", expt, 2, 2},
    {"bitwise-and", bitwise_and, 0, -1},
    {"bitwise-ior", bitwise_or, 0, -1},
    {"bitwise-xor", bitwise_xor, 0, -1},
    {"bitwise-not", bitwise_not, 1, 1},
    {"arithmetic-shift", arithmetic_shift, 2, 2},
    {NULL, NULL, 0, 0},
};
