/* Hash numbers of values. Nothing here allocates in the heap. */
#ifndef SCHEME_HASH_H
#define SCHEME_HASH_H

#include "vm.h"

enum hash_by {
  HASH_IDENTITY, /* eq?, by the number that the heap keeps for an object wherever it moves */
  HASH_ADDRESS,  /* eq?, by the address: good until midden_moved_epoch changes */
  HASH_EQV,      /* eqv?: identity, and flonums by content */
  HASH_EQUAL     /* equal?: by content */
};

/* post: *hash; or false: the heap had no memory for an object's identity, which a collection may help. */
bool hash_value(struct vm *vm, enum hash_by by, value v, uint64_t *hash);

/* By characters; the same for equal strings whatever their width, and for ASCII the same as hash_bytes. */
uint64_t hash_string(value string);
uint64_t hash_bytes(const void *bytes, size_t count);

#endif
