/* A map from object addresses to a word: open addressing with linear probing. What is known of some few
 * objects only, such as pins and identities, lies in such a table and costs the others nothing.
 *
 * Addresses are multiples of 8 and not 0; a free place has address 0. At most three quarters are in use. */
#ifndef MIDDEN_BASE_ADDRESS_TABLE_H
#define MIDDEN_BASE_ADDRESS_TABLE_H

#include "base/arena.h"

struct address_entry {
  uintptr_t address;
  uint64_t value;
};

struct address_table {
  struct address_entry *entries;
  size_t count, capacity; /* 0 or a power of two */
};

/* The value of an address. post: NULL if it has none; else good until the table is changed. */
uint64_t *mdn_address_find(const struct address_table *table, uintptr_t address);

/* The same, with a new entry of value 0 if there is none. post: NULL if there is no memory for one. */
uint64_t *mdn_address_add(struct address_table *table, struct arena *arena, uintptr_t address);

/* Removes an entry if there is one. */
void mdn_address_remove(struct address_table *table, uintptr_t address);

/* Removes all entries; keeps the memory. Cost: proportional to the capacity, if there are any. */
void mdn_address_clear(struct address_table *table);

/* Gives every entry the address that `function` answers, or drops it if that is 0. Needs no memory, so it can
 * be done while memory is out. pre: no two answers are the same. */
typedef uintptr_t (*address_function)(void *context, uintptr_t address, uint64_t value);
void mdn_address_rewrite(struct address_table *table, address_function function, void *context);

#endif
