/* Builtins: pairs and lists. */
#include <string.h>

#include "builtins.h"
#include "equal.h"

int64_t list_length(struct vm *vm, const char *name, value list) {
  int64_t length = 0;
  value slow = list;
  for (value rest = list; rest != NIL; rest = cdr(rest)) {
    if (!is_pair(rest)) {
      bad_argument(vm, name, "not a list", list);
      return -1;
    }
    if (++length % 2 == 0)
      slow = cdr(slow);
    if (length > 2 && rest == slow) {
      bad_argument(vm, name, "not a proper list", NIL);
      return -1;
    }
  }
  return length;
}

value bad_argument(struct vm *vm, const char *name, const char *what, value argument) {
  char message[128];
  snprintf(message, sizeof message, "%s: %s", name, what);
  return raise_type(vm, message, argument);
}

bool check_index(struct vm *vm, const char *name, value index, int64_t length) {
  if (is_index(index, (uint64_t)length))
    return true;
  bad_argument(vm, name, "index out of range", index);
  return false;
}

bool optional_range(struct vm *vm, const char *name, const value *argv, int argc, int first, int64_t length,
                    int64_t *start, int64_t *end) {
  *start = 0;
  *end = length;
  if (argc > first + 1) {
    if (!is_index(argv[first + 1], (uint64_t)length + 1)) {
      bad_argument(vm, name, "end out of range", argv[first + 1]);
      return false;
    }
    *end = fixnum_of(argv[first + 1]);
  }
  if (argc > first) {
    if (!is_index(argv[first], (uint64_t)*end + 1)) {
      bad_argument(vm, name, "start out of range", argv[first]);
      return false;
    }
    *start = fixnum_of(argv[first]);
  }
  return true;
}

/* ---- Pairs ---- */
static value cons(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_pair(vm, argv[0], argv[1]);
}

static value set_car(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_pair(argv[0]))
    return bad_argument(vm, "set-car!", "not a pair", argv[0]);
  heap_store(vm, pair_of(argv[0]), &pair_of(argv[0])->car, argv[1]);
  return UNSPECIFIED;
}

static value set_cdr(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_pair(argv[0]))
    return bad_argument(vm, "set-cdr!", "not a pair", argv[0]);
  heap_store(vm, pair_of(argv[0]), &pair_of(argv[0])->cdr, argv[1]);
  return UNSPECIFIED;
}

/* path: the letters between c and r. */
static value select_part(struct vm *vm, const char *path, value v) {
  value part = v;
  for (size_t i = strlen(path); i-- > 0;) {
    if (!is_pair(part)) {
      char message[32];
      snprintf(message, sizeof message, "c%sr: not a pair", path);
      return raise_type(vm, message, v);
    }
    part = path[i] == 'a' ? car(part) : cdr(part);
  }
  return part;
}

#define SELECTORS(X)                                                                                         \
  X(a)                                                                                                       \
  X(d) X(aa) X(ad) X(da) X(dd) X(aaa) X(aad) X(ada) X(add) X(daa) X(dad) X(dda) X(ddd) X(aaaa) X(aaad)       \
      X(aada) X(aadd) X(adaa) X(adad) X(adda) X(addd) X(daaa) X(daad) X(dada) X(dadd) X(ddaa) X(ddad)        \
          X(ddda) X(dddd)
#define X(path)                                                                                              \
  static value select_c##path##r(struct vm *vm, value *argv, int argc) {                                     \
    return (void)argc, select_part(vm, #path, argv[0]);                                                      \
  }
SELECTORS(X)
#undef X

/* ---- Making lists ---- */
static value list(struct vm *vm, value *argv, int argc) {
  value result = NIL;
  for (int i = argc - 1; i >= 0; i--) {
    result = make_pair(vm, argv[i], result);
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

static value cons_star(struct vm *vm, value *argv, int argc) {
  value result = argv[argc - 1];
  for (int i = argc - 2; i >= 0; i--) {
    result = make_pair(vm, argv[i], result);
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

static value make_list(struct vm *vm, value *argv, int argc) {
  if (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0)
    return bad_argument(vm, "make-list", "not a length", argv[0]);
  value result = NIL;
  for (int64_t i = fixnum_of(argv[0]); i > 0; i--) {
    result = make_pair(vm, argc > 1 ? argv[1] : FALSE_VALUE, result);
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

static value iota(struct vm *vm, value *argv, int argc) {
  for (int i = 0; i < argc; i++)
    if (!is_fixnum(argv[i]))
      return bad_argument(vm, "iota", "not an exact integer", argv[i]);
  int64_t start = argc > 1 ? fixnum_of(argv[1]) : 0, step = argc > 2 ? fixnum_of(argv[2]) : 1;
  value result = NIL;
  for (int64_t i = fixnum_of(argv[0]); i > 0; i--) {
    result = make_pair(vm, make_fixnum(start + (i - 1) * step), result);
    if (result == FAIL)
      return FAIL;
  }
  return result;
}

/* Copies a list in front of `tail`. The copy is built forwards: its first and last pair are held. */
static value copy_before(struct vm *vm, const char *name, value source, value tail) {
  value first = tail, last = NIL, result = NIL;
  SCHEME_FRAME(vm, source, tail, first, last);
  for (; is_pair(source); source = cdr(source)) {
    value pair = make_pair(vm, car(source), tail);
    if (pair == FAIL) {
      result = FAIL;
      break;
    }
    if (last == NIL)
      first = pair;
    else
      heap_store(vm, pair_of(last), &pair_of(last)->cdr, pair);
    last = pair;
  }
  SCHEME_END(vm);
  if (result == FAIL)
    return FAIL;
  return source == NIL ? first : bad_argument(vm, name, "not a list", source);
}

/* argv[argc - 1] is the result so far. */
static value append(struct vm *vm, value *argv, int argc) {
  if (argc == 0)
    return NIL;
  for (int i = argc - 2; i >= 0; i--) {
    value result = copy_before(vm, "append", argv[i], argv[argc - 1]);
    if (result == FAIL)
      return FAIL;
    argv[argc - 1] = result;
  }
  return argv[argc - 1];
}

static value list_copy(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value end = argv[0];
  while (is_pair(end))
    end = cdr(end);
  if (end == NIL)
    return copy_before(vm, "list-copy", argv[0], NIL);
  return is_pair(argv[0]) ? bad_argument(vm, "list-copy", "not a proper list", argv[0]) : argv[0];
}

static value reverse(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value result = NIL;
  for (; is_pair(argv[0]); argv[0] = cdr(argv[0])) {
    result = make_pair(vm, car(argv[0]), result);
    if (result == FAIL)
      return FAIL;
  }
  return argv[0] == NIL ? result : bad_argument(vm, "reverse", "not a list", argv[0]);
}

static value reverse_in_place(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value result = NIL, rest = argv[0];
  while (is_pair(rest)) {
    value next = cdr(rest);
    heap_store(vm, pair_of(rest), &pair_of(rest)->cdr, result);
    result = rest;
    rest = next;
  }
  return rest == NIL ? result : bad_argument(vm, "reverse!", "not a list", rest);
}

static value append_in_place(struct vm *vm, value *argv, int argc) {
  value result = NIL, last = NIL;
  for (int i = 0; i < argc; i++) {
    if (argv[i] == NIL)
      continue;
    if (last == NIL)
      result = argv[i];
    else
      heap_store(vm, pair_of(last), &pair_of(last)->cdr, argv[i]);
    if (!is_pair(argv[i]))
      break;
    for (last = argv[i]; is_pair(cdr(last));)
      last = cdr(last);
  }
  return result;
}

/* ---- Looking into lists ---- */
static value is_list(struct vm *vm, value *argv, int argc) {
  (void)vm, (void)argc;
  value slow = argv[0];
  for (value fast = argv[0]; is_pair(fast); fast = cdr(fast), slow = cdr(slow)) {
    fast = cdr(fast);
    if (fast == NIL)
      return TRUE_VALUE;
    if (!is_pair(fast) || fast == slow)
      return FALSE_VALUE;
  }
  return make_boolean(argv[0] == NIL || slow != argv[0]);
}

static value length(struct vm *vm, value *argv, int argc) {
  (void)argc;
  int64_t result = list_length(vm, "length", argv[0]);
  return result < 0 ? FAIL : make_fixnum(result);
}

static value tail_of(struct vm *vm, const char *name, const value *argv) {
  value rest = argv[0];
  if (!is_fixnum(argv[1]) || fixnum_of(argv[1]) < 0)
    return bad_argument(vm, name, "not an index", argv[1]);
  for (int64_t i = fixnum_of(argv[1]); i > 0; i--) {
    if (!is_pair(rest))
      return bad_argument(vm, name, "index out of range", argv[1]);
    rest = cdr(rest);
  }
  return rest;
}

static value list_tail(struct vm *vm, value *argv, int argc) {
  return (void)argc, tail_of(vm, "list-tail", argv);
}

static value list_ref(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value tail = tail_of(vm, "list-ref", argv);
  if (tail == FAIL)
    return FAIL;
  return is_pair(tail) ? car(tail) : bad_argument(vm, "list-ref", "index out of range", argv[1]);
}

static value list_set(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value tail = tail_of(vm, "list-set!", argv);
  if (tail == FAIL)
    return FAIL;
  if (!is_pair(tail))
    return bad_argument(vm, "list-set!", "index out of range", argv[1]);
  heap_store(vm, pair_of(tail), &pair_of(tail)->car, argv[2]);
  return UNSPECIFIED;
}

static value last_pair(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value rest = argv[0];
  if (!is_pair(rest))
    return bad_argument(vm, "last-pair", "not a pair", rest);
  while (is_pair(cdr(rest)))
    rest = cdr(rest);
  return rest;
}

/* ---- Searching ---- */
enum sameness { SAME_EQ, SAME_EQV, SAME_EQUAL };

/* 1, 0, or -1: no memory. */
static int same(struct vm *vm, enum sameness sameness, value a, value b) {
  if (a == b)
    return 1;
  if (sameness == SAME_EQ)
    return 0;
  if (sameness == SAME_EQV || is_fixnum(a) || has_tag(a, TAG_IMMEDIATE))
    return values_eqv(a, b);
  enum equality equality = values_equal(vm, a, b);
  if (equality == EQUAL_NO_MEMORY)
    out_of_memory(vm);
  return equality == EQUAL_NO_MEMORY ? -1 : equality == EQUAL_YES;
}

static value member_of(struct vm *vm, const char *name, enum sameness sameness, const value *argv) {
  value rest = argv[1];
  for (; is_pair(rest); rest = cdr(rest)) {
    int found = same(vm, sameness, argv[0], car(rest));
    if (found < 0)
      return FAIL;
    if (found)
      return rest;
  }
  return rest == NIL ? FALSE_VALUE : bad_argument(vm, name, "not a list", argv[1]);
}

static value entry_of(struct vm *vm, const char *name, enum sameness sameness, const value *argv) {
  value rest = argv[1];
  for (; is_pair(rest); rest = cdr(rest)) {
    if (!is_pair(car(rest)))
      return bad_argument(vm, name, "not an association list", argv[1]);
    int found = same(vm, sameness, argv[0], car(car(rest)));
    if (found < 0)
      return FAIL;
    if (found)
      return car(rest);
  }
  return rest == NIL ? FALSE_VALUE : bad_argument(vm, name, "not a list", argv[1]);
}

static value memq(struct vm *vm, value *argv, int argc) {
  return (void)argc, member_of(vm, "memq", SAME_EQ, argv);
}
static value memv(struct vm *vm, value *argv, int argc) {
  return (void)argc, member_of(vm, "memv", SAME_EQV, argv);
}
static value member(struct vm *vm, value *argv, int argc) {
  return (void)argc, member_of(vm, "member", SAME_EQUAL, argv);
}
static value assq(struct vm *vm, value *argv, int argc) {
  return (void)argc, entry_of(vm, "assq", SAME_EQ, argv);
}
static value assv(struct vm *vm, value *argv, int argc) {
  return (void)argc, entry_of(vm, "assv", SAME_EQV, argv);
}
static value assoc(struct vm *vm, value *argv, int argc) {
  return (void)argc, entry_of(vm, "assoc", SAME_EQUAL, argv);
}

const struct builtin list_builtins[] = {
    {"cons", cons, 2, 2},
    {"set-car!", set_car, 2, 2},
    {"set-cdr!", set_cdr, 2, 2},
#define X(path) {"c" #path "r", select_c##path##r, 1, 1},
    SELECTORS(X)
#undef X
        {"list", list, 0, -1},
    {"cons*", cons_star, 1, -1},
    {"make-list", make_list, 1, 2},
    {"iota", iota, 1, 3},
    {"append", append, 0, -1},
    {"append!", append_in_place, 0, -1},
    {"reverse", reverse, 1, 1},
    {"reverse!", reverse_in_place, 1, 1},
    {"list-copy", list_copy, 1, 1},
    {"list?", is_list, 1, 1},
    {"length", length, 1, 1},
    {"list-tail", list_tail, 2, 2},
    {"list-ref", list_ref, 2, 2},
    {"list-set!", list_set, 3, 3},
    {"last-pair", last_pair, 1, 1},
    {"memq", memq, 2, 2},
    {"memv", memv, 2, 2},
    {"%member", member, 2, 2},
    {"assq", assq, 2, 2},
    {"assv", assv, 2, 2},
    {"%assoc", assoc, 2, 2},
    {NULL, NULL, 0, 0},
};
