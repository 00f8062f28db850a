/* Two tables that compare keys by identity: one by identity hash, one by address, which it hashes again when
 * objects have moved. The code of docs/running.md, run by a test.
 *
 * usage: eq-tables [OPTIONS] */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>

enum { PLACES = 4096, KEYS = 1500 };

struct symbol {
  uintptr_t number;
};

/* Keys are references, registered as roots; a place without a key is NULL. */
struct table {
  midden_mutator *mutator;
  uint64_t (*hash)(struct table *table, struct symbol *key);
  uint64_t epoch; /* by address: when the keys were hashed */
  struct symbol *keys[PLACES];
  uintptr_t values[PLACES];
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "eq-tables: %s\n", what);
  exit(1);
}

/* The place of a key, or the free one where it belongs. */
static size_t place_of(struct table *table, struct symbol *key) {
  size_t place = table->hash(table, key) % PLACES;
  while (table->keys[place] && table->keys[place] != key) place = (place + 1) % PLACES;
  return place;
}

/* ---- by identity: nothing to do when objects move ---- */

static uint64_t by_identity(struct table *table, struct symbol *key) {
  uint64_t hash = midden_identity_hash(table->mutator, key);
  require(hash != 0, "out of memory");
  return hash;
}

/* ---- by address: no cost for a key, but all are hashed again when some have moved ---- */

static uint64_t by_address(struct table *table, struct symbol *key) {
  (void)table;
  return ((uintptr_t)key >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> 20;
}

static void rehash(struct table *table) {
  static struct symbol *keys[PLACES]; /* nothing is allocated meanwhile: these are no roots */
  static uintptr_t values[PLACES];
  for (size_t i = 0; i < PLACES; i++) {
    keys[i] = table->keys[i];
    values[i] = table->values[i];
    table->keys[i] = NULL;
  }
  for (size_t i = 0; i < PLACES; i++) {
    if (!keys[i]) continue;
    size_t place = place_of(table, keys[i]);
    table->keys[place] = keys[i];
    table->values[place] = values[i];
  }
}

static void keep_hashed(struct table *table) {
  uint64_t epoch = midden_moved_epoch(table->mutator);
  if (table->hash != by_address || table->epoch == epoch) return;
  rehash(table);
  table->epoch = epoch;
}

/* ---- */

static void put(struct table *table, struct symbol *key, uintptr_t value) {
  keep_hashed(table);
  size_t place = place_of(table, key);
  table->keys[place] = key;
  table->values[place] = value;
}

static uintptr_t get(struct table *table, struct symbol *key) {
  keep_hashed(table);
  size_t place = place_of(table, key);
  return table->keys[place] ? table->values[place] : 0;
}

static midden_mutator *open_heap(const char *options, midden_kind *symbol) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  midden_heap *heap;
  require(midden_config_parse(&config, options, &error) == MIDDEN_OK, error.message);
  require(midden_heap_open(&config, &heap, &error) == MIDDEN_OK, error.message);
  midden_mutator *mutator = midden_attach(heap, NULL, &error);
  require(mutator != NULL, error.message);
  midden_shape shape = {.name = "symbol", .size = sizeof(struct symbol)};
  *symbol = midden_kind_define(heap, &shape, &error);
  require(symbol->id != 0, error.message);
  return mutator;
}

static void use(struct table *table, midden_kind kind) {
  static struct symbol *symbols[KEYS];
  midden_heap *heap = midden_heap_of(table->mutator);
  require(midden_root_range_add(heap, table->keys, PLACES) == MIDDEN_OK, "root");
  require(midden_root_range_add(heap, symbols, KEYS) == MIDDEN_OK, "root");
  for (size_t i = 0; i < KEYS; i++) {
    symbols[i] = midden_alloc(table->mutator, kind);
    require(symbols[i] != NULL, "out of memory");
    symbols[i]->number = i << 3 | 1;
    put(table, symbols[i], i + 1);
    if (i % 100 == 0) midden_collect(table->mutator, i % 200 ? MIDDEN_MINOR : MIDDEN_FULL);
  }
  midden_collect(table->mutator, MIDDEN_FULL);
  for (size_t i = 0; i < KEYS; i++) require(get(table, symbols[i]) == i + 1, "a key is lost");
  midden_root_remove(heap, symbols);
  midden_root_remove(heap, table->keys);
}

int main(int argc, char **argv) {
  static struct table identities, addresses;
  midden_kind symbol;
  midden_mutator *mutator = open_heap(argc > 1 ? argv[1] : "", &symbol);
  identities.mutator = addresses.mutator = mutator;
  identities.hash = by_identity;
  addresses.hash = by_address;
  use(&identities, symbol);
  use(&addresses, symbol);
  midden_heap_close(midden_heap_of(mutator));
  return 0;
}
