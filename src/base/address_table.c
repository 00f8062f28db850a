/* The map from addresses: see address_table.h. */
#include "base/address_table.h"

#include <string.h>

#include "base/assertion.h"

#define CAPACITY_LEAST 16
#define UNPLACED ((uintptr_t)1) /* while an address is rewritten: its entry may be in a wrong place */

/* Multiplicative hashing (Knuth 1973): the high bits of the product are the good ones. */
static size_t place_of(const struct address_table *table, uintptr_t address) {
  uint64_t product = (uint64_t)(address >> 3) * UINT64_C(0x9e3779b97f4a7c15);
  return (size_t)(product >> 32) & (table->capacity - 1);
}

static size_t after(const struct address_table *table, size_t place) { return (place + 1) & (table->capacity - 1); }

uint64_t *mdn_address_find(const struct address_table *table, uintptr_t address) {
  if (table->count == 0) return NULL;
  for (size_t place = place_of(table, address); table->entries[place].address; place = after(table, place)) {
    if (table->entries[place].address == address) return &table->entries[place].value;
  }
  return NULL;
}

static struct address_entry *free_place(const struct address_table *table, uintptr_t address) {
  size_t place = place_of(table, address);
  while (table->entries[place].address) place = after(table, place);
  return &table->entries[place];
}

static bool grow(struct address_table *table, struct arena *arena) {
  struct address_table larger = {NULL, table->count, table->capacity ? 2 * table->capacity : CAPACITY_LEAST};
  larger.entries = mdn_arena_allocate(arena, larger.capacity * sizeof *larger.entries);
  if (!larger.entries) return false;
  for (size_t i = 0; i < table->capacity; i++) {
    const struct address_entry *entry = &table->entries[i];
    if (entry->address) *free_place(&larger, entry->address) = *entry;
  }
  mdn_arena_free(arena, table->entries, table->capacity * sizeof *table->entries);
  *table = larger;
  return true;
}

uint64_t *mdn_address_add(struct address_table *table, struct arena *arena, uintptr_t address) {
  CHECK(address && address % 8 == 0);
  uint64_t *value = mdn_address_find(table, address);
  if (value) return value;
  if ((table->count + 1) * 4 > table->capacity * 3 && !grow(table, arena)) return NULL;
  struct address_entry *entry = free_place(table, address);
  *entry = (struct address_entry){address, 0};
  table->count++;
  return &entry->value;
}

/* Entries behind the hole that could not be found across it move into it (Knuth 1973, algorithm R): so there
 * are no tombstones, and a table that is added to and removed from for ever does not fill up. */
void mdn_address_remove(struct address_table *table, uintptr_t address) {
  uint64_t *value = mdn_address_find(table, address);
  if (!value) return;
  size_t mask = table->capacity - 1;
  size_t hole = ((uintptr_t)value - (uintptr_t)table->entries) / sizeof(struct address_entry);
  for (size_t place = after(table, hole); table->entries[place].address; place = after(table, place)) {
    size_t home = place_of(table, table->entries[place].address);
    if (((place - home) & mask) < ((place - hole) & mask)) continue; /* its home lies behind the hole */
    table->entries[hole] = table->entries[place];
    hole = place;
  }
  table->entries[hole] = (struct address_entry){0, 0};
  table->count--;
}

void mdn_address_clear(struct address_table *table) {
  if (table->count > 0) memset(table->entries, 0, table->capacity * sizeof *table->entries);
  table->count = 0;
}

/* Puts an entry where it belongs, passing placed ones only, and then whichever unplaced one it displaced: so
 * what is placed need not move again, and no free place comes between an entry and its home. */
static void settle(struct address_table *table, struct address_entry entry) {
  size_t place = place_of(table, entry.address & ~UNPLACED);
  for (;;) {
    struct address_entry *there = &table->entries[place];
    if (there->address && !(there->address & UNPLACED)) {
      place = after(table, place);
      continue;
    }
    struct address_entry displaced = *there;
    *there = (struct address_entry){entry.address & ~UNPLACED, entry.value};
    if (!displaced.address) return;
    entry = displaced;
    place = place_of(table, entry.address & ~UNPLACED);
  }
}

void mdn_address_rewrite(struct address_table *table, address_function function, void *context) {
  for (size_t i = 0; i < table->capacity; i++) {
    struct address_entry *entry = &table->entries[i];
    if (!entry->address) continue;
    entry->address = function(context, entry->address, entry->value);
    if (entry->address) {
      entry->address |= UNPLACED;
    } else {
      *entry = (struct address_entry){0, 0};
      table->count--;
    }
  }
  for (size_t i = 0; i < table->capacity; i++) {
    struct address_entry entry = table->entries[i];
    if (!(entry.address & UNPLACED)) continue;
    table->entries[i] = (struct address_entry){0, 0};
    settle(table, entry);
  }
}
