/* A hash table from objects' addresses to numbers: open addressing, linear probing. */
#include "address_table.h"

#include <stdlib.h>

static size_t home(const struct address_table *table, value key) {
  return (size_t)((key * 0x9e3779b97f4a7c15u) >> 20) & (table->capacity - 1);
}

static struct address_entry *probe(const struct address_table *table, value key) {
  size_t i = home(table, key);
  while (table->entries[i].key && table->entries[i].key != key)
    i = (i + 1) & (table->capacity - 1);
  return &table->entries[i];
}

static bool grow(struct address_table *table) {
  struct address_table larger = {NULL, table->count, table->capacity ? table->capacity * 2 : 64};
  larger.entries = calloc(larger.capacity, sizeof *larger.entries);
  if (!larger.entries)
    return false;
  for (size_t i = 0; i < table->capacity; i++)
    if (table->entries[i].key)
      *probe(&larger, table->entries[i].key) = table->entries[i];
  free(table->entries);
  *table = larger;
  return true;
}

struct address_entry *address_table_enter(struct address_table *table, value key) {
  if (table->count * 2 >= table->capacity && !grow(table))
    return NULL;
  struct address_entry *entry = probe(table, key);
  if (!entry->key) {
    entry->key = key;
    table->count++;
  }
  return entry;
}

struct address_entry *address_table_find(const struct address_table *table, value key) {
  if (table->capacity == 0)
    return NULL;
  struct address_entry *entry = probe(table, key);
  return entry->key ? entry : NULL;
}

void address_table_close(struct address_table *table) { free(table->entries); }
