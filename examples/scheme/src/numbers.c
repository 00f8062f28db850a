/* Generic arithmetic on fixnums and flonums, and numbers as text. */
#include "numbers.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "errors.h"
#include "heap.h"

double number_to_double(value number) {
  return is_fixnum(number) ? (double)fixnum_of(number) : flonum_of(number);
}

bool double_to_fixnum(double number, int64_t *out) {
  if (!(number >= (double)FIXNUM_MIN && number < -(double)FIXNUM_MIN) || number != floor(number))
    return false;
  *out = (int64_t)number;
  return true;
}

static value overflow(struct vm *vm) {
  return raise_error(vm, CONDITION_NUMBER, "integer overflow", 0, NULL);
}

value make_integer(struct vm *vm, int64_t n) { return fits_fixnum(n) ? make_fixnum(n) : overflow(vm); }

static bool check_numbers(struct vm *vm, const char *name, value x, value y) {
  if (is_number(x) && is_number(y))
    return true;
  char message[48];
  snprintf(message, sizeof message, "%s: not a number", name);
  raise_type(vm, message, is_number(x) ? y : x);
  return false;
}

value number_add(struct vm *vm, value x, value y) {
  if (!check_numbers(vm, "+", x, y))
    return FAIL;
  if (are_fixnums(x, y))
    return make_integer(vm, fixnum_of(x) + fixnum_of(y));
  return make_flonum(vm, number_to_double(x) + number_to_double(y));
}

value number_subtract(struct vm *vm, value x, value y) {
  if (!check_numbers(vm, "-", x, y))
    return FAIL;
  if (are_fixnums(x, y))
    return make_integer(vm, fixnum_of(x) - fixnum_of(y));
  return make_flonum(vm, number_to_double(x) - number_to_double(y));
}

value number_multiply(struct vm *vm, value x, value y) {
  if (!check_numbers(vm, "*", x, y))
    return FAIL;
  if (!are_fixnums(x, y))
    return make_flonum(vm, number_to_double(x) * number_to_double(y));
  int64_t product;
  if (__builtin_mul_overflow(fixnum_of(x), fixnum_of(y), &product))
    return overflow(vm);
  return make_integer(vm, product);
}

static value division_by_zero(struct vm *vm, const char *name) {
  char message[48];
  snprintf(message, sizeof message, "%s: division by zero", name);
  return raise_error(vm, CONDITION_NUMBER, message, 0, NULL);
}

value number_divide(struct vm *vm, value x, value y) {
  if (!check_numbers(vm, "/", x, y))
    return FAIL;
  if (y == make_fixnum(0))
    return division_by_zero(vm, "/");
  if (are_fixnums(x, y) && fixnum_of(x) % fixnum_of(y) == 0)
    return make_integer(vm, fixnum_of(x) / fixnum_of(y));
  return make_flonum(vm, number_to_double(x) / number_to_double(y));
}

static bool is_integer(value v) {
  return is_fixnum(v) || (is_flonum(v) && isfinite(flonum_of(v)) && flonum_of(v) == floor(flonum_of(v)));
}

static bool check_integers(struct vm *vm, const char *name, value x, value y) {
  if (is_integer(x) && is_integer(y)) {
    if (y != make_fixnum(0) && !(is_flonum(y) && flonum_of(y) == 0))
      return true;
    division_by_zero(vm, name);
    return false;
  }
  char message[48];
  snprintf(message, sizeof message, "%s: not an integer", name);
  raise_type(vm, message, is_integer(x) ? y : x);
  return false;
}

value number_quotient(struct vm *vm, value x, value y) {
  if (!check_integers(vm, "quotient", x, y))
    return FAIL;
  if (are_fixnums(x, y))
    return make_integer(vm, fixnum_of(x) / fixnum_of(y));
  return make_flonum(vm, trunc(number_to_double(x) / number_to_double(y)));
}

value number_remainder(struct vm *vm, value x, value y) {
  if (!check_integers(vm, "remainder", x, y))
    return FAIL;
  if (are_fixnums(x, y))
    return make_fixnum(fixnum_of(x) % fixnum_of(y));
  return make_flonum(vm, fmod(number_to_double(x), number_to_double(y)));
}

value number_modulo(struct vm *vm, value x, value y) {
  if (!check_integers(vm, "modulo", x, y))
    return FAIL;
  if (are_fixnums(x, y)) {
    int64_t rest = fixnum_of(x) % fixnum_of(y);
    if (rest != 0 && (rest < 0) != (fixnum_of(y) < 0))
      rest += fixnum_of(y);
    return make_fixnum(rest);
  }
  double divisor = number_to_double(y), rest = fmod(number_to_double(x), divisor);
  if (rest != 0 && (rest < 0) != (divisor < 0))
    rest += divisor;
  return make_flonum(vm, rest);
}

static int compare_doubles(double x, double y) {
  if (isnan(x) || isnan(y))
    return NUMBERS_UNORDERED;
  return (x > y) - (x < y);
}

/* A fixnum against a flonum, exactly: not every fixnum is a double. */
static int compare_mixed(int64_t x, double y) {
  if (isnan(y))
    return NUMBERS_UNORDERED;
  if (y >= -(double)FIXNUM_MIN)
    return -1;
  if (y < (double)FIXNUM_MIN)
    return 1;
  int64_t whole = (int64_t)floor(y);
  if (x != whole)
    return x < whole ? -1 : 1;
  return y > floor(y) ? -1 : 0;
}

int number_compare(struct vm *vm, const char *name, value x, value y) {
  if (!check_numbers(vm, name, x, y))
    return NUMBERS_NOT;
  if (are_fixnums(x, y))
    return ((int64_t)x > (int64_t)y) - ((int64_t)x < (int64_t)y);
  if (is_fixnum(x))
    return compare_mixed(fixnum_of(x), flonum_of(y));
  if (is_fixnum(y)) {
    int order = compare_mixed(fixnum_of(y), flonum_of(x));
    return order == NUMBERS_UNORDERED ? order : -order;
  }
  return compare_doubles(flonum_of(x), flonum_of(y));
}

/* ---- Text ---- */
static void integer_to_text(int64_t n, int radix, char *text) {
  char digits[72];
  int count = 0;
  uint64_t rest = n < 0 ? -(uint64_t)n : (uint64_t)n;
  do {
    digits[count++] = "0123456789abcdefghijklmnopqrstuvwxyz"[rest % (unsigned)radix];
    rest /= (unsigned)radix;
  } while (rest);
  if (n < 0)
    *text++ = '-';
  while (count)
    *text++ = digits[--count];
  *text = 0;
}

/* The shortest digits that read back as the same flonum. post: their number, and the exponent of
 * the first one. */
static int shortest_digits(double number, char digits[20], int *exponent) {
  char text[40];
  for (int precision = 0;; precision++) {
    if (precision == 6)
      precision = 13; /* few have between 7 and 14 digits: those print some zeros more */
    snprintf(text, sizeof text, "%.*e", precision, number);
    if (precision == 16 || strtod(text, NULL) == number)
      break;
  }
  int count = 0;
  const char *c = text;
  for (; *c != 'e'; c++)
    if (*c >= '0' && *c <= '9')
      digits[count++] = *c;
  *exponent = atoi(c + 1);
  while (count > 1 && digits[count - 1] == '0')
    count--;
  return count;
}

/* Positional from 1e-7 to below 1e21, else with an exponent. */
static void double_to_text(double number, char text[NUMBER_TEXT_MAX]) {
  if (isnan(number) || isinf(number)) {
    strcpy(text, isnan(number) ? "+nan.0" : number > 0 ? "+inf.0" : "-inf.0");
    return;
  }
  char digits[20];
  int exponent, count = shortest_digits(number, digits, &exponent);
  if (signbit(number))
    *text++ = '-';
  if (exponent < -6 || exponent > 20) {
    *text++ = digits[0];
    if (count > 1)
      *text++ = '.';
    for (int i = 1; i < count; i++)
      *text++ = digits[i];
    sprintf(text, "e%d", exponent);
    return;
  }
  for (int place = exponent < 0 ? 0 : exponent; place >= exponent - count + 1 || place >= -1; place--) {
    int index = exponent - place;
    if (place == -1)
      *text++ = '.';
    *text++ = index >= 0 && index < count ? digits[index] : '0';
  }
  *text = 0;
}

void number_to_text(value number, int radix, char text[NUMBER_TEXT_MAX]) {
  if (is_fixnum(number))
    integer_to_text(fixnum_of(number), radix, text);
  else
    double_to_text(flonum_of(number), text);
}

static int digit_of(char c) {
  if (c >= '0' && c <= '9')
    return c - '0';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 10;
  if (c >= 'A' && c <= 'Z')
    return c - 'A' + 10;
  return 99;
}

static bool scan_integer(const char *text, size_t size, int radix, struct scanned_number *out) {
  size_t i = text[0] == '-' || text[0] == '+';
  bool negative = text[0] == '-';
  if (i == size)
    return false;
  int64_t n = 0;
  double approximate = 0;
  *out = (struct scanned_number){.exact = true};
  for (; i < size; i++) {
    int digit = digit_of(text[i]);
    if (digit >= radix)
      return false;
    approximate = approximate * radix + digit;
    if (out->overflow || __builtin_mul_overflow(n, radix, &n) ||
        __builtin_add_overflow(n, negative ? -digit : digit, &n) || !fits_fixnum(n))
      out->overflow = true;
  }
  out->integer = n;
  out->number = negative ? -approximate : approximate;
  return true;
}

/* Only what Scheme writes, which is less than what strtod reads. */
static bool scan_decimal(const char *text, size_t size, struct scanned_number *out) {
  char copy[128];
  size_t i = text[0] == '-' || text[0] == '+', digits = 0;
  if (size >= sizeof copy)
    return false;
  for (; i < size && text[i] >= '0' && text[i] <= '9'; i++)
    digits++;
  if (i < size && text[i] == '.')
    for (i++; i < size && text[i] >= '0' && text[i] <= '9'; i++)
      digits++;
  if (digits == 0)
    return false;
  if (i < size && (text[i] == 'e' || text[i] == 'E')) {
    i++;
    if (i < size && (text[i] == '-' || text[i] == '+'))
      i++;
    if (i == size)
      return false;
    while (i < size && text[i] >= '0' && text[i] <= '9')
      i++;
  }
  if (i != size)
    return false;
  memcpy(copy, text, size);
  copy[size] = 0;
  *out = (struct scanned_number){.number = strtod(copy, NULL)};
  return true;
}

static bool scan_special(const char *text, size_t size, struct scanned_number *out) {
  if (size != 6 || (text[0] != '+' && text[0] != '-'))
    return false;
  double number = !memcmp(text + 1, "inf.0", 5) ? INFINITY : !memcmp(text + 1, "nan.0", 5) ? NAN : 0;
  if (number == 0)
    return false;
  *out = (struct scanned_number){.number = text[0] == '-' ? -number : number};
  return true;
}

/* #x #b #o #d #e #i before the digits. */
static bool scan_prefix(const char **text, size_t *size, int *radix, char *exactness) {
  while (*size >= 2 && (*text)[0] == '#') {
    switch ((*text)[1]) {
    case 'x':
    case 'X':
      *radix = 16;
      break;
    case 'b':
    case 'B':
      *radix = 2;
      break;
    case 'o':
    case 'O':
      *radix = 8;
      break;
    case 'd':
    case 'D':
      *radix = 10;
      break;
    case 'e':
    case 'E':
      *exactness = 'e';
      break;
    case 'i':
    case 'I':
      *exactness = 'i';
      break;
    default:
      return false;
    }
    *text += 2;
    *size -= 2;
  }
  return *size > 0;
}

bool number_scan(const char *text, size_t size, int radix, struct scanned_number *out) {
  char exactness = 0;
  if (!scan_prefix(&text, &size, &radix, &exactness))
    return false;
  struct scanned_number number;
  if (!scan_integer(text, size, radix, &number) && !(radix == 10 && scan_decimal(text, size, &number)) &&
      !scan_special(text, size, &number))
    return false;
  if (exactness == 'i' && number.exact) {
    number.exact = number.overflow = false;
  } else if (exactness == 'e' && !number.exact) {
    number.exact = true;
    number.overflow = !double_to_fixnum(number.number, &number.integer);
  }
  *out = number;
  return true;
}
