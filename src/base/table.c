/* Growing tables: see table.h. */
#include "base/table.h"

#include <string.h>

#include "base/bits.h"

#define TABLE_LEAST ((size_t)4096)
#define TABLE_KEPT ((size_t)64 << 10)

bool mdn_table_grow_to(struct table *table, const midden_memory *memory, size_t needed, size_t item_size) {
  size_t bytes = round_up(size_maximum(size_maximum(needed * item_size, 2 * table->bytes), TABLE_LEAST), 4096);
  void *items = memory->reserve(memory->context, bytes);
  if (!items) return false;
  if (!memory->commit(memory->context, items, bytes)) {
    memory->release(memory->context, items, bytes);
    return false;
  }
  if (table->count) memcpy(items, table->items, table->count * item_size);
  if (table->items) memory->release(memory->context, table->items, table->bytes);
  table->items = items;
  table->bytes = bytes;
  return true;
}

void mdn_table_close(struct table *table, const midden_memory *memory) {
  if (table->items) memory->release(memory->context, table->items, table->bytes);
  *table = (struct table){NULL, 0, 0};
}

void mdn_table_clear(struct table *table, const midden_memory *memory) {
  table->count = 0;
  if (table->bytes > TABLE_KEPT) mdn_table_close(table, memory);
}
