/* A hash table from objects' addresses to numbers, for algorithms that run to their end without
 * allocating in the heap: addresses must not change meanwhile. */
#ifndef SCHEME_ADDRESS_TABLE_H
#define SCHEME_ADDRESS_TABLE_H

#include "values.h"

struct address_entry {
  value key; /* 0: free */
  int64_t number;
};

struct address_table {
  struct address_entry *entries;
  size_t count, capacity;
};

/* The entry of `key`, which is made, with number 0, if it is not there. NULL: no memory. */
struct address_entry *address_table_enter(struct address_table *table, value key);
/* The entry or NULL. */
struct address_entry *address_table_find(const struct address_table *table, value key);
void address_table_close(struct address_table *table);

#endif
