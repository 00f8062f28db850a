/* Things that are kept once each: what has the same key is the same item. Items stay where they are until the heap is
 * closed. */
#ifndef MIDDEN_DEBUG_INTERN_H
#define MIDDEN_DEBUG_INTERN_H

#include "base/arena.h"

/* An item begins with this; then comes what its user keeps with it, and then the key. */
struct interned {
  uint64_t hash;
  size_t key_bytes;
};

/* A hash table with linear probing, at most half full. */
struct intern_table {
  struct interned **items;
  size_t count, capacity; /* 0 or a power of two */
  size_t item_bytes;      /* of an item without its key */
};

/* The item of a key, a new one with zeroes if there is none. post: NULL if there is no memory for one. */
void *mdn_intern(struct intern_table *table, struct arena *arena, const void *key, size_t key_bytes);

/* An item's key: aligned to 8 if item_bytes is a multiple of 8. */
static inline const void *intern_key(const struct intern_table *table, const void *item) {
  return (const char *)item + table->item_bytes;
}

#endif
