/* A growing table straight from the memory source, for what a collection notes: unlike the arena's blocks, what
 * a table no longer needs goes back to the system. */
#ifndef MIDDEN_BASE_TABLE_H
#define MIDDEN_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "midden/config.h"

/* Invariant: `bytes` are committed at `items`, or both are zero; `count` items are in use. */
struct table {
  void *items;
  size_t count, bytes;
};

/* Makes room for `needed` items. post: true, and the items in use keep their content; or false, and the table is
 * untouched. */
bool mdn_table_grow_to(struct table *table, const midden_memory *memory, size_t needed, size_t item_size);

static inline bool table_grow(struct table *table, const midden_memory *memory, size_t needed, size_t item_size) {
  return needed * item_size <= table->bytes || mdn_table_grow_to(table, memory, needed, item_size);
}

/* Empties it; gives its memory back if that is more than a little. */
void mdn_table_clear(struct table *table, const midden_memory *memory);
/* Gives its memory back. */
void mdn_table_close(struct table *table, const midden_memory *memory);

#endif
