/* Things that are kept once each: see intern.h. */
#include "debug/intern.h"

#include <string.h>

#define INTERN_LEAST 64

/* FNV-1a (Fowler, Noll, Vo 1991), and its high bits mixed down. */
static uint64_t hash_bytes(const unsigned char *bytes, size_t count) {
  uint64_t hash = UINT64_C(0xcbf29ce484222325);
  for (size_t i = 0; i < count; i++) hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
  return hash ^ hash >> 32;
}

static struct interned **place_for(const struct intern_table *table, uint64_t hash, const void *key, size_t key_bytes) {
  size_t place = (size_t)hash & (table->capacity - 1);
  for (;; place = (place + 1) & (table->capacity - 1)) {
    const struct interned *item = table->items[place];
    if (!item) break;
    if (item->hash != hash || item->key_bytes != key_bytes) continue;
    if (memcmp(intern_key(table, item), key, key_bytes) == 0) break;
  }
  return &table->items[place];
}

static bool grow_interned(struct intern_table *table, struct arena *arena) {
  struct intern_table larger = *table;
  larger.capacity = table->capacity ? 2 * table->capacity : INTERN_LEAST;
  larger.items = mdn_arena_allocate(arena, larger.capacity * sizeof *larger.items);
  if (!larger.items) return false;
  for (size_t i = 0; i < table->capacity; i++) {
    struct interned *item = table->items[i];
    if (item) *place_for(&larger, item->hash, intern_key(table, item), item->key_bytes) = item;
  }
  mdn_arena_free(arena, table->items, table->capacity * sizeof *table->items);
  *table = larger;
  return true;
}

void *mdn_intern(struct intern_table *table, struct arena *arena, const void *key, size_t key_bytes) {
  uint64_t hash = hash_bytes(key, key_bytes);
  if (table->count > 0) {
    struct interned *known = *place_for(table, hash, key, key_bytes);
    if (known) return known;
  }
  if (2 * (table->count + 1) > table->capacity && !grow_interned(table, arena)) return NULL;
  struct interned *item = mdn_arena_allocate(arena, table->item_bytes + key_bytes);
  if (!item) return NULL;
  item->hash = hash;
  item->key_bytes = key_bytes;
  memcpy((char *)item + table->item_bytes, key, key_bytes);
  *place_for(table, hash, key, key_bytes) = item;
  table->count++;
  return item;
}
