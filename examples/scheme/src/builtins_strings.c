/* Builtins: strings and symbols. */
#include <string.h>

#include "builtins.h"
#include "ports.h"
#include "unicode.h"

static bool check_string(struct vm *vm, const char *name, value v) {
  if (is_string(vm, v))
    return true;
  bad_argument(vm, name, "not a string", v);
  return false;
}

static int64_t length_of(value s) { return string_of(s)->length; }

/* pre: the string is wide enough. */
static void put(value s, int64_t index, uint32_t character) {
  void *data = object_of(string_of(s)->body);
  if (string_of(s)->width == 1)
    ((uint8_t *)data)[index] = (uint8_t)character;
  else
    ((uint32_t *)data)[index] = character;
}

/* Copies characters. pre: `to` is wide enough and long enough. The two may be the same. */
static void copy_characters(value to, int64_t at, value from, int64_t start, int64_t end) {
  size_t count = (size_t)(end - start), width = (size_t)string_of(to)->width;
  if (string_of(from)->width == string_of(to)->width) {
    char *target = object_of(string_of(to)->body), *source = object_of(string_of(from)->body);
    memmove(target + (size_t)at * width, source + (size_t)start * width, count * width);
    return;
  }
  for (int64_t i = start; i < end; i++)
    put(to, at + i - start, string_get(from, i));
}

static value is_string_(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_string(vm, argv[0]));
}

static value make_string_(struct vm *vm, value *argv, int argc) {
  if (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0)
    return bad_argument(vm, "make-string", "not a length", argv[0]);
  if (argc > 1 && !is_character(argv[1]))
    return bad_argument(vm, "make-string", "not a character", argv[1]);
  uint32_t fill = argc > 1 ? character_of(argv[1]) : ' ';
  value s = make_string(vm, fixnum_of(argv[0]), fill > 0xff ? 4 : 1);
  if (s == FAIL)
    return FAIL;
  for (int64_t i = 0; i < length_of(s); i++)
    put(s, i, fill);
  return s;
}

static value string(struct vm *vm, value *argv, int argc) {
  int width = 1;
  for (int i = 0; i < argc; i++) {
    if (!is_character(argv[i]))
      return bad_argument(vm, "string", "not a character", argv[i]);
    if (character_of(argv[i]) > 0xff)
      width = 4;
  }
  value s = make_string(vm, argc, width);
  if (s == FAIL)
    return FAIL;
  for (int i = 0; i < argc; i++)
    put(s, i, character_of(argv[i]));
  return s;
}

static value string_length(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return check_string(vm, "string-length", argv[0]) ? make_fixnum(length_of(argv[0])) : FAIL;
}

static value string_ref(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_string(vm, "string-ref", argv[0]) || !check_index(vm, "string-ref", argv[1], length_of(argv[0])))
    return FAIL;
  return make_character(string_get(argv[0], fixnum_of(argv[1])));
}

static value string_set(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_string(vm, "string-set!", argv[0]) ||
      !check_index(vm, "string-set!", argv[1], length_of(argv[0])))
    return FAIL;
  if (!is_character(argv[2]))
    return bad_argument(vm, "string-set!", "not a character", argv[2]);
  if (character_of(argv[2]) > 0xff && string_of(argv[0])->width == 1 && !string_widen(vm, argv[0]))
    return FAIL;
  put(argv[0], fixnum_of(argv[1]), character_of(argv[2]));
  return UNSPECIFIED;
}

/* ---- Comparison ---- */
static int compare(value a, value b, bool fold) {
  int64_t shorter = length_of(a) < length_of(b) ? length_of(a) : length_of(b);
  for (int64_t i = 0; i < shorter; i++) {
    uint32_t x = string_get(a, i), y = string_get(b, i);
    if (fold) {
      x = character_downcase(x);
      y = character_downcase(y);
    }
    if (x != y)
      return x < y ? -1 : 1;
  }
  return (length_of(a) > length_of(b)) - (length_of(a) < length_of(b));
}

#define COMPARISON(function, name, fold, relation)                                                           \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    bool holds = true;                                                                                       \
    for (int i = 0; i < argc; i++) {                                                                         \
      if (!check_string(vm, name, argv[i]))                                                                  \
        return FAIL;                                                                                         \
      if (i > 0 && !(compare(argv[i - 1], argv[i], fold) relation 0))                                         \
        holds = false;                                                                                       \
    }                                                                                                        \
    return make_boolean(holds);                                                                              \
  }
COMPARISON(string_equal, "string=?", false, ==)
COMPARISON(string_less, "string<?", false, <)
COMPARISON(string_greater, "string>?", false, >)
COMPARISON(string_less_equal, "string<=?", false, <=)
COMPARISON(string_greater_equal, "string>=?", false, >=)
COMPARISON(string_ci_equal, "string-ci=?", true, ==)
COMPARISON(string_ci_less, "string-ci<?", true, <)
COMPARISON(string_ci_greater, "string-ci>?", true, >)
COMPARISON(string_ci_less_equal, "string-ci<=?", true, <=)
COMPARISON(string_ci_greater_equal, "string-ci>=?", true, >=)

/* ---- Parts and sums ---- */
static value copy_range(struct vm *vm, const char *name, value *argv, int argc) {
  int64_t start, end;
  if (!check_string(vm, name, argv[0]) ||
      !optional_range(vm, name, argv, argc, 1, length_of(argv[0]), &start, &end))
    return FAIL;
  value s = make_string(vm, end - start, (int)string_of(argv[0])->width);
  if (s == FAIL)
    return FAIL;
  copy_characters(s, 0, argv[0], start, end);
  return s;
}

static value substring(struct vm *vm, value *argv, int argc) {
  return copy_range(vm, "substring", argv, argc);
}
static value string_copy(struct vm *vm, value *argv, int argc) {
  return copy_range(vm, "string-copy", argv, argc);
}

static value string_append(struct vm *vm, value *argv, int argc) {
  int64_t total = 0;
  int width = 1;
  for (int i = 0; i < argc; i++) {
    if (!check_string(vm, "string-append", argv[i]))
      return FAIL;
    total += length_of(argv[i]);
    if (string_of(argv[i])->width == 4)
      width = 4;
  }
  value s = make_string(vm, total, width);
  if (s == FAIL)
    return FAIL;
  int64_t at = 0;
  for (int i = 0; i < argc; i++) {
    copy_characters(s, at, argv[i], 0, length_of(argv[i]));
    at += length_of(argv[i]);
  }
  return s;
}

static value string_copy_to(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_string(vm, "string-copy!", argv[0]) || !check_string(vm, "string-copy!", argv[2]) ||
      !check_index(vm, "string-copy!", argv[1], length_of(argv[0]) + 1) ||
      !optional_range(vm, "string-copy!", argv, argc, 3, length_of(argv[2]), &start, &end))
    return FAIL;
  if (end - start > length_of(argv[0]) - fixnum_of(argv[1]))
    return bad_argument(vm, "string-copy!", "the target is too short", argv[0]);
  if (string_of(argv[2])->width > string_of(argv[0])->width && !string_widen(vm, argv[0]))
    return FAIL;
  copy_characters(argv[0], fixnum_of(argv[1]), argv[2], start, end);
  return UNSPECIFIED;
}

static value string_fill(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_string(vm, "string-fill!", argv[0]) ||
      !optional_range(vm, "string-fill!", argv, argc, 2, length_of(argv[0]), &start, &end))
    return FAIL;
  if (!is_character(argv[1]))
    return bad_argument(vm, "string-fill!", "not a character", argv[1]);
  if (character_of(argv[1]) > 0xff && string_of(argv[0])->width == 1 && !string_widen(vm, argv[0]))
    return FAIL;
  for (int64_t i = start; i < end; i++)
    put(argv[0], i, character_of(argv[1]));
  return UNSPECIFIED;
}

static value map_characters(struct vm *vm, const char *name, value *argv, uint32_t (*function)(uint32_t)) {
  if (!check_string(vm, name, argv[0]))
    return FAIL;
  value s = make_string(vm, length_of(argv[0]), (int)string_of(argv[0])->width);
  if (s == FAIL)
    return FAIL;
  for (int64_t i = 0; i < length_of(s); i++)
    put(s, i, function(string_get(argv[0], i)));
  return s;
}
static value string_upcase(struct vm *vm, value *argv, int argc) {
  return (void)argc, map_characters(vm, "string-upcase", argv, character_upcase);
}
static value string_downcase(struct vm *vm, value *argv, int argc) {
  return (void)argc, map_characters(vm, "string-downcase", argv, character_downcase);
}

/* ---- Conversions ---- */
static value string_to_list(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_string(vm, "string->list", argv[0]) ||
      !optional_range(vm, "string->list", argv, argc, 1, length_of(argv[0]), &start, &end))
    return FAIL;
  value result = NIL;
  for (int64_t i = end - 1; i >= start; i--) {
    result = make_pair(vm, make_character(string_get(argv[0], i)), result);
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

static value list_to_string(struct vm *vm, value *argv, int argc) {
  (void)argc;
  int64_t length = list_length(vm, "list->string", argv[0]);
  if (length < 0)
    return FAIL;
  int width = 1;
  for (value rest = argv[0]; is_pair(rest); rest = cdr(rest)) {
    if (!is_character(car(rest)))
      return bad_argument(vm, "list->string", "not a character", car(rest));
    if (character_of(car(rest)) > 0xff)
      width = 4;
  }
  value s = make_string(vm, length, width);
  if (s == FAIL)
    return FAIL;
  value rest = argv[0];
  for (int64_t i = 0; i < length; i++, rest = cdr(rest))
    put(s, i, character_of(car(rest)));
  return s;
}

static value string_to_vector(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!check_string(vm, "string->vector", argv[0]) ||
      !optional_range(vm, "string->vector", argv, argc, 1, length_of(argv[0]), &start, &end))
    return FAIL;
  value v = make_vector(vm, end - start, FALSE_VALUE);
  if (v == FAIL)
    return FAIL;
  for (int64_t i = start; i < end; i++)
    vector_of(v)->items[i - start] = make_character(string_get(argv[0], i));
  return v;
}

static value vector_to_string(struct vm *vm, value *argv, int argc) {
  int64_t start, end;
  if (!is_vector(argv[0]))
    return bad_argument(vm, "vector->string", "not a vector", argv[0]);
  if (!optional_range(vm, "vector->string", argv, argc, 1, vector_length(argv[0]), &start, &end))
    return FAIL;
  for (int64_t i = start; i < end; i++) {
    value item = vector_of(argv[0])->items[i];
    if (!is_character(item))
      return bad_argument(vm, "vector->string", "not a character", item);
  }
  value s = make_string(vm, end - start, 4);
  if (s == FAIL)
    return FAIL;
  for (int64_t i = start; i < end; i++)
    put(s, i - start, character_of(vector_of(argv[0])->items[i]));
  return s;
}

/* ---- Symbols ---- */
static value is_symbol_(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_symbol(vm, argv[0]));
}

static value symbol_to_string(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_symbol(vm, argv[0]))
    return bad_argument(vm, "symbol->string", "not a symbol", argv[0]);
  argv[0] = symbol_of(argv[0])->name;
  return copy_range(vm, "symbol->string", argv, 1);
}

static value string_to_symbol(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return check_string(vm, "string->symbol", argv[0]) ? intern_string(vm, argv[0]) : FAIL;
}

static value symbol_equal(struct vm *vm, value *argv, int argc) {
  bool holds = true;
  for (int i = 0; i < argc; i++) {
    if (!is_symbol(vm, argv[i]))
      return bad_argument(vm, "symbol=?", "not a symbol", argv[i]);
    if (argv[i] != argv[0])
      holds = false;
  }
  return make_boolean(holds);
}

const struct builtin string_builtins[] = {
    {"string?", is_string_, 1, 1},
    {"make-string", make_string_, 1, 2},
    {"string", string, 0, -1},
    {"string-length", string_length, 1, 1},
    {"string-ref", string_ref, 2, 2},
    {"string-set!", string_set, 3, 3},
    {"string=?", string_equal, 1, -1},
    {"string<?", string_less, 1, -1},
    {"string>?", string_greater, 1, -1},
    {"string<=?", string_less_equal, 1, -1},
    {"string>=?", string_greater_equal, 1, -1},
    {"string-ci=?", string_ci_equal, 1, -1},
    {"string-ci<?", string_ci_less, 1, -1},
    {"string-ci>?", string_ci_greater, 1, -1},
    {"string-ci<=?", string_ci_less_equal, 1, -1},
    {"string-ci>=?", string_ci_greater_equal, 1, -1},
    {"substring", substring, 2, 3},
    {"string-copy", string_copy, 1, 3},
    {"string-append", string_append, 0, -1},
    {"string-copy!", string_copy_to, 3, 5},
    {"string-fill!", string_fill, 2, 4},
    {"string-upcase", string_upcase, 1, 1},
    {"string-downcase", string_downcase, 1, 1},
    {"string-foldcase", string_downcase, 1, 1},
    {"string->list", string_to_list, 1, 3},
    {"list->string", list_to_string, 1, 1},
    {"string->vector", string_to_vector, 1, 3},
    {"vector->string", vector_to_string, 1, 3},
    {"symbol?", is_symbol_, 1, 1},
    {"symbol->string", symbol_to_string, 1, 1},
    {"string->symbol", string_to_symbol, 1, 1},
    {"symbol=?", symbol_equal, 1, -1},
    {NULL, NULL, 0, 0},
};
