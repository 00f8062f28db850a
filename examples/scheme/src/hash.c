/* Hash numbers of values: by identity, by address, by content. */
#include "hash.h"

#include <string.h>

#define FNV_BASIS 14695981039346656037u
#define FNV_PRIME 1099511628211u

enum {
  TREE_BUDGET = 64, /* parts of a tree that are looked at: also what ends the walk of a circular one */
  TREE_PENDING = 16
};

uint64_t hash_string(value string) { /* FNV-1a, by character */
  uint64_t hash = FNV_BASIS;
  for (int64_t i = 0; i < string_of(string)->length; i++)
    hash = (hash ^ string_get(string, i)) * FNV_PRIME;
  return hash;
}

uint64_t hash_bytes(const void *bytes, size_t count) {
  const unsigned char *byte = bytes;
  uint64_t hash = FNV_BASIS;
  for (size_t i = 0; i < count; i++)
    hash = (hash ^ byte[i]) * FNV_PRIME;
  return hash;
}

/* The finalizer of SplitMix64 (Steele, Lea and Flood 2014): each bit of a word changes all bits of the result. */
static uint64_t mix(uint64_t word) {
  word = (word ^ word >> 30) * 0xbf58476d1ce4e5b9u;
  word = (word ^ word >> 27) * 0x94d049bb133111ebu;
  return word ^ word >> 31;
}

static bool is_reference(value v) { return SCHEME_REFERENCE_TAGS >> (v & TAG_MASK) & 1; }

/* Symbols are looked up most: they have a number of their own, so they need none of the heap's. */
static bool hash_identity(struct vm *vm, value v, uint64_t *hash) {
  if (!is_reference(v)) {
    *hash = mix(v);
    return true;
  }
  if (is_symbol(vm, v)) {
    *hash = symbol_of(v)->hash;
    return true;
  }
  *hash = midden_identity_hash(vm->mutator, untagged(v));
  return *hash != 0;
}

static bool hash_eqv(struct vm *vm, value v, uint64_t *hash) {
  if (!is_flonum(v))
    return hash_identity(vm, v, hash);
  double number = flonum_of(v);
  uint64_t bits;
  memcpy(&bits, &number, sizeof bits);
  *hash = mix(bits);
  return true;
}

static bool hash_leaf(struct vm *vm, value v, uint64_t *hash) {
  if (has_tag(v, TAG_OBJECT)) {
    enum kind kind = kind_of(vm, v);
    if (kind == KIND_STRING || kind == KIND_BYTEVECTOR) {
      *hash = kind == KIND_STRING ? hash_string(v)
                                  : hash_bytes(bytevector_of(v)->data, (size_t)bytevector_of(v)->length);
      return true;
    }
  }
  return hash_eqv(vm, v, hash);
}

/* Pairs and vectors depth first, as far as the budget and the list of what is pending go: equal trees are
 * cut at the same places. */
static bool hash_tree(struct vm *vm, value v, uint64_t *hash) {
  value pending[TREE_PENDING] = {v};
  int count = 1;
  *hash = 0;
  for (int budget = TREE_BUDGET; count > 0 && budget > 0; budget--) {
    v = pending[--count];
    uint64_t part = 0;
    if (is_pair(v)) {
      if (count < TREE_PENDING)
        pending[count++] = cdr(v);
      if (count < TREE_PENDING)
        pending[count++] = car(v);
    } else if (is_vector(v)) {
      part = vector_of(v)->length;
      for (int64_t i = 0; i < vector_length(v) && count < TREE_PENDING; i++)
        pending[count++] = vector_of(v)->items[i];
    } else if (!hash_leaf(vm, v, &part)) {
      return false;
    }
    *hash = mix(*hash + part + 0x9e3779b97f4a7c15u);
  }
  return true;
}

bool hash_value(struct vm *vm, enum hash_by by, value v, uint64_t *hash) {
  switch (by) {
  case HASH_IDENTITY:
    return hash_identity(vm, v, hash);
  case HASH_ADDRESS:
    *hash = mix(v);
    return true;
  case HASH_EQV:
    return hash_eqv(vm, v, hash);
  case HASH_EQUAL:
    break;
  }
  return is_pair(v) || is_vector(v) ? hash_tree(vm, v, hash) : hash_leaf(vm, v, hash);
}
