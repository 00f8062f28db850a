/* Builtins: hash tables, by the names of R6RS; weak ones by those of Chez Scheme. What calls procedures is in boot.scm. */
#include <string.h>

#include "builtins.h"
#include "hashtable.h"

static bool check_table(struct vm *vm, const char *name, value v) {
  if (is_kind(vm, v, KIND_HASHTABLE))
    return true;
  bad_argument(vm, name, "not a hashtable", v);
  return false;
}

/* ---- Making ---- */

static value make(struct vm *vm, const char *name, enum hash_by by, bool is_weak, const value *argv,
                  int argc) {
  if (argc > 0 && (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0))
    return bad_argument(vm, name, "not a number of entries", argv[0]);
  return make_hashtable(vm, by, is_weak, argc > 0 ? fixnum_of(argv[0]) : 0);
}

static value make_eq(struct vm *vm, value *argv, int argc) {
  return make(vm, "make-eq-hashtable", HASH_IDENTITY, false, argv, argc);
}
static value make_address(struct vm *vm, value *argv, int argc) {
  return make(vm, "make-address-hashtable", HASH_ADDRESS, false, argv, argc);
}
static value make_weak_eq(struct vm *vm, value *argv, int argc) {
  return make(vm, "make-weak-eq-hashtable", HASH_IDENTITY, true, argv, argc);
}
static value make_eqv(struct vm *vm, value *argv, int argc) {
  return make(vm, "make-eqv-hashtable", HASH_EQV, false, argv, argc);
}

static bool is_builtin(value v, const char *name) {
  const struct builtin *builtin = is_procedure(v) ? builtin_of(v) : NULL;
  return builtin && !strcmp(builtin->name, name);
}

/* (make-hashtable [capacity]), or with R6RS's procedures before it: those that mean the same are taken. */
static value make_equal(struct vm *vm, value *argv, int argc) {
  if (argc == 0 || !is_procedure(argv[0]))
    return argc > 1 ? bad_argument(vm, "make-hashtable", "not a hash function", argv[0])
                    : make(vm, "make-hashtable", HASH_EQUAL, false, argv, argc);
  if (!is_builtin(argv[0], "equal-hash") && !is_builtin(argv[0], "string-hash"))
    return bad_argument(vm, "make-hashtable", "only equal-hash and string-hash are supported", argv[0]);
  if (argc < 2 || (!is_builtin(argv[1], "equal?") && !is_builtin(argv[1], "string=?")))
    return bad_argument(vm, "make-hashtable", "only equal? and string=? are supported",
                        argc < 2 ? argv[0] : argv[1]);
  return make(vm, "make-hashtable", HASH_EQUAL, false, argv + 2, argc - 2);
}

static value is_hashtable(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_kind(vm, argv[0], KIND_HASHTABLE));
}

/* ---- One entry ---- */

static value hashtable_ref(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_table(vm, "hashtable-ref", argv[0]))
    return FAIL;
  int64_t entry;
  const value *slot = hashtable_find(vm, &argv[0], &argv[1], &entry);
  return slot ? *slot : entry == -1 ? argv[2] : FAIL;
}

static value hashtable_contains(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_table(vm, "hashtable-contains?", argv[0]))
    return FAIL;
  int64_t entry;
  hashtable_find(vm, &argv[0], &argv[1], &entry);
  return entry == -2 ? FAIL : make_boolean(entry >= 0);
}

static value hashtable_set_(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_table(vm, "hashtable-set!", argv[0]))
    return FAIL;
  return hashtable_set(vm, &argv[0], &argv[1], &argv[2]) ? UNSPECIFIED : FAIL;
}

static value hashtable_delete_(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!check_table(vm, "hashtable-delete!", argv[0]))
    return FAIL;
  return hashtable_delete(vm, &argv[0], &argv[1]) ? UNSPECIFIED : FAIL;
}

/* ---- All entries ---- */

#define WHOLE(function, name, result)                                                                        \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    return (void)argc, check_table(vm, name, argv[0]) ? (result) : FAIL;                                     \
  }
WHOLE(size, "hashtable-size", make_fixnum(hashtable_size(argv[0])))
WHOLE(capacity, "%hashtable-capacity", make_fixnum(hashtable_capacity(argv[0])))
WHOLE(clear, "hashtable-clear!", (hashtable_clear(vm, &argv[0]), UNSPECIFIED))
WHOLE(keys, "hashtable-keys", hashtable_parts(vm, &argv[0], PART_KEYS))
WHOLE(contents, "hashtable-values", hashtable_parts(vm, &argv[0], PART_VALUES))
WHOLE(cells, "%hashtable-cells", hashtable_parts(vm, &argv[0], PART_CELLS))
WHOLE(is_weak, "hashtable-weak?", hashtable_of(argv[0])->is_weak)

/* ---- Hash numbers for programs: a fixnum that is not negative ---- */

static value hash_number(struct vm *vm, enum hash_by by, const value *argv) {
  uint64_t hash;
  if (!hash_value(vm, by, argv[0], &hash)) {
    heap_collect(vm);
    if (!hash_value(vm, by, argv[0], &hash))
      return out_of_memory(vm);
  }
  return make_fixnum((int64_t)(hash >> 3));
}

static value eq_hash(struct vm *vm, value *argv, int argc) {
  return (void)argc, hash_number(vm, HASH_IDENTITY, argv);
}
static value equal_hash(struct vm *vm, value *argv, int argc) {
  return (void)argc, hash_number(vm, HASH_EQUAL, argv);
}
static value string_hash(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return is_string(vm, argv[0]) ? hash_number(vm, HASH_EQUAL, argv)
                                : bad_argument(vm, "string-hash", "not a string", argv[0]);
}

const struct builtin hashtable_builtins[] = {
    {"make-eq-hashtable", make_eq, 0, 1},
    {"make-address-hashtable", make_address, 0, 1},
    {"make-weak-eq-hashtable", make_weak_eq, 0, 1},
    {"make-eqv-hashtable", make_eqv, 0, 1},
    {"make-hashtable", make_equal, 0, 3},
    {"hashtable?", is_hashtable, 1, 1},
    {"hashtable-weak?", is_weak, 1, 1},
    {"hashtable-ref", hashtable_ref, 3, 3},
    {"hashtable-contains?", hashtable_contains, 2, 2},
    {"hashtable-set!", hashtable_set_, 3, 3},
    {"hashtable-delete!", hashtable_delete_, 2, 2},
    {"hashtable-size", size, 1, 1},
    {"%hashtable-capacity", capacity, 1, 1},
    {"hashtable-clear!", clear, 1, 1},
    {"hashtable-keys", keys, 1, 1},
    {"hashtable-values", contents, 1, 1},
    {"%hashtable-cells", cells, 1, 1},
    {"eq-hash", eq_hash, 1, 1},
    {"equal-hash", equal_hash, 1, 1},
    {"string-hash", string_hash, 1, 1},
    {NULL, NULL, 0, 0},
};
