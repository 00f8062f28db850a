/* An ephemeron table used as a cache: SIZE (40 000) keys are alive, and what was computed for a key is found by the key
 * as long as that lives. A quarter of the requests replaces a key by a new one; nobody tells the table. The table is
 * mapped directly, so hits do not depend on when the entries of dead keys go. */
#include "shim.h"

struct key {
  uint64_t id;
  struct key *related; /* another key, so that keys are traced */
};

struct cache {
  struct key **keys;
  void *table; /* of ephemerons */
  uint64_t mask;
};

static shim_kind key_kind, cache_kind, leaf_kind, array_kind, table_kind;

static SHIM_NOINLINE struct key *make_key(struct cache *cache, uint64_t slot, uint64_t id) {
  SHIM_FRAME(cache);
  struct key *key = shim_allocate(key_kind, sizeof *key);
  key->id = id;
  shim_store(cache->keys, &cache->keys[slot], key);
  SHIM_END();
  return key;
}

/* What is costly to compute: a leaf of its length in words, the key's number and filling. */
static SHIM_NOINLINE uint64_t *compute(uint64_t id) {
  uint64_t words = 3 + id % 13;
  uint64_t *value = shim_allocate_leaf(leaf_kind, words * sizeof *value);
  value[0] = words;
  for (uint64_t i = 1; i < words; i++) value[i] = id + i - 1;
  return value;
}

static bool value_is_right(const uint64_t *value, uint64_t id) {
  return value[0] == 3 + id % 13 && value[1] == id && value[value[0] - 1] == id + value[0] - 2;
}

/* 1 for a hit, 0 for a miss, 2 for a wrong value. */
static SHIM_NOINLINE unsigned look_up(struct cache *cache, uint64_t slot) {
  struct key *key = cache->keys[slot];
  SHIM_FRAME(cache, key);
  uint64_t index = (key->id * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & cache->mask;
  unsigned result = 1;
  if (shim_pair_key(cache->table, index) == key) {
    if (!value_is_right(shim_pair_value(cache->table, index), key->id)) result = 2;
  } else {
    result = 0;
    uint64_t *value = compute(key->id);
    shim_pair_set(cache->table, index, key, value);
  }
  SHIM_END();
  return result;
}

static SHIM_NOINLINE bool run(uint64_t count, uint64_t *checksum) {
  struct cache *cache = NULL;
  SHIM_FRAME(cache);
  uint64_t entries = 1, next = 0, hits = 0, wrong = 0, requests = 25 * count;
  while (entries < 2 * count) entries *= 2;
  cache = shim_allocate(cache_kind, sizeof *cache);
  struct key **keys = shim_allocate_array(array_kind, count);
  shim_store(cache, &cache->keys, keys);
  void *table = shim_allocate_pairs(table_kind, entries);
  shim_store(cache, &cache->table, table);
  cache->mask = entries - 1;
  for (uint64_t i = 0; i < count; i++) make_key(cache, i, next++);
  for (uint64_t i = 0; i < requests; i++) {
    uint64_t slot = shim_random_below(count);
    if (shim_random_below(4) == 0) {
      struct key *key = make_key(cache, slot, next++);
      shim_store(key, &key->related, cache->keys[shim_random_below(count)]);
      struct key *related = key->related;
      if (related != key) shim_store(related, &related->related, NULL); /* chains of dead keys stay short */
    }
    unsigned result = look_up(cache, slot);
    hits += result == 1;
    wrong += result == 2;
    if (i == requests / 2) shim_checkpoint();
  }
  for (uint64_t i = 0; i < count; i++) *checksum = *checksum * 31 + cache->keys[i]->id;
  *checksum += hits;
  SHIM_END();
  return wrong == 0 && hits > requests / 4;
}

int main(int argc, char **argv) {
  uint64_t count = shim_begin(argc, argv, 40000, __builtin_frame_address(0));
  key_kind = shim_define("key", sizeof(struct key), 2);
  cache_kind = shim_define("cache", sizeof(struct cache), 3);
  leaf_kind = shim_define_leaf("value");
  array_kind = shim_define_array("keys");
  table_kind = shim_define_pairs("table");
  uint64_t checksum = 0;
  bool correct = run(count, &checksum);
  return shim_finish(correct, checksum);
}
