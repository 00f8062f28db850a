/* A cache that drops what was used least recently: SIZE (40 000) entries in a hash table and a doubly linked
 * list. Each request makes a short-lived key; a hit moves its entry to the front, makes a short-lived copy of its
 * value, and sometimes replaces it; a miss drops the oldest entry. Many stores into old objects, which die in the order of their age. */
#include "shim.h"

struct entry {
  struct entry *chain, *newer, *older;
  uint64_t *value; /* a leaf: its length in words, the key, filling */
  uint64_t key;
};

/* The ends of the list, and the table of chains. */
struct cache {
  struct entry *newest, *oldest;
  struct entry **buckets;
  uint64_t mask, count;
};

static shim_kind entry_kind, cache_kind, leaf_kind, array_kind;

static uint64_t bucket_of(const struct cache *cache, uint64_t key) {
  return (key * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & cache->mask;
}

static SHIM_NOINLINE uint64_t *make_value(uint64_t key) {
  uint64_t words = 2 + (shim_random_below(8) + 1) * (shim_random_below(4) + 1) / 2;
  uint64_t *value = shim_allocate_leaf(leaf_kind, words * sizeof *value);
  value[0] = words;
  value[1] = key;
  for (uint64_t i = 2; i < words; i++) value[i] = key + i;
  return value;
}

static bool value_is_right(const uint64_t *value, uint64_t key) {
  return value[1] == key && (value[0] == 2 || value[value[0] - 1] == key + value[0] - 1);
}

static void unlink_entry(struct cache *cache, struct entry *entry) {
  if (entry->newer) {
    shim_store(entry->newer, &entry->newer->older, entry->older);
  } else {
    shim_store(cache, &cache->newest, entry->older);
  }
  if (entry->older) {
    shim_store(entry->older, &entry->older->newer, entry->newer);
  } else {
    shim_store(cache, &cache->oldest, entry->newer);
  }
}

static void link_newest(struct cache *cache, struct entry *entry) {
  shim_store(entry, &entry->newer, NULL);
  shim_store(entry, &entry->older, cache->newest);
  if (cache->newest) {
    shim_store(cache->newest, &cache->newest->newer, entry);
  } else {
    shim_store(cache, &cache->oldest, entry);
  }
  shim_store(cache, &cache->newest, entry);
}

static SHIM_NOINLINE struct entry *find(const struct cache *cache, uint64_t key) {
  struct entry *entry = cache->buckets[bucket_of(cache, key)];
  while (entry && entry->key != key) entry = entry->chain;
  return entry;
}

static SHIM_NOINLINE void drop_oldest(struct cache *cache) {
  struct entry *entry = cache->oldest, *before = NULL;
  struct entry **bucket = &cache->buckets[bucket_of(cache, entry->key)];
  for (struct entry *at = *bucket; at != entry; at = at->chain) before = at;
  if (before) {
    shim_store(before, &before->chain, entry->chain);
  } else {
    shim_store(cache->buckets, bucket, entry->chain);
  }
  unlink_entry(cache, entry);
  shim_free(entry->value);
  shim_free(entry);
  cache->count--;
}

static SHIM_NOINLINE void insert(struct cache *cache, uint64_t key) {
  struct entry *entry = NULL;
  SHIM_FRAME(cache, entry);
  entry = shim_allocate(entry_kind, sizeof *entry);
  entry->key = key;
  uint64_t *value = make_value(key);
  shim_store(entry, &entry->value, value);
  struct entry **bucket = &cache->buckets[bucket_of(cache, key)];
  shim_store(entry, &entry->chain, *bucket);
  shim_store(cache->buckets, bucket, entry);
  link_newest(cache, entry);
  cache->count++;
  SHIM_END();
}

/* What a request is answered with: a copy of the value, which is dropped when it was read. */
static SHIM_NOINLINE bool answer(struct entry *entry) {
  SHIM_FRAME(entry);
  uint64_t bytes = entry->value[0] * sizeof(uint64_t);
  uint64_t *copy = shim_allocate_leaf(leaf_kind, bytes);
  memcpy(copy, entry->value, bytes);
  bool correct = value_is_right(copy, entry->key);
  shim_free(copy);
  SHIM_END();
  return correct;
}

static SHIM_NOINLINE void replace_value(struct entry *entry) {
  SHIM_FRAME(entry);
  uint64_t *value = make_value(entry->key);
  shim_free(entry->value);
  shim_store(entry, &entry->value, value);
  SHIM_END();
}

/* One request: 1 for a hit, 0 for a miss, and 2 for a wrong value. Half of the keys come from a tenth. */
static SHIM_NOINLINE unsigned request(struct cache *cache, uint64_t capacity) {
  struct entry *entry = NULL;
  SHIM_FRAME(cache, entry);
  uint64_t range = 2 * capacity;
  uint64_t *key = shim_allocate_leaf(leaf_kind, 4 * sizeof *key);
  key[0] = shim_random() & UINT64_C(1) << 40 ? shim_random_below(range) : shim_random_below(range / 10);
  entry = find(cache, key[0]);
  unsigned result = entry != NULL;
  if (entry) {
    unlink_entry(cache, entry);
    link_newest(cache, entry);
    shim_free(key);
    if (!answer(entry)) result = 2;
    if (shim_random_below(4) == 0) replace_value(entry);
  } else {
    uint64_t wanted = key[0];
    shim_free(key);
    if (cache->count == capacity) drop_oldest(cache);
    insert(cache, wanted);
  }
  SHIM_END();
  return result;
}

/* The list and the table hold the same entries; frees them where there is someone to do it. */
static SHIM_NOINLINE bool verify(struct cache *cache, uint64_t *checksum) {
  uint64_t listed = 0;
  bool correct = true;
  for (struct entry *entry = cache->newest, *newer = NULL, *older; entry; newer = entry, entry = older) {
    older = entry->older;
    correct = correct && entry->newer == newer && value_is_right(entry->value, entry->key) &&
              find(cache, entry->key) == entry;
    *checksum = *checksum * 31 + entry->key;
    listed++;
  }
  for (struct entry *entry = cache->newest, *older; entry; entry = older) {
    older = entry->older;
    shim_free(entry->value);
    shim_free(entry);
  }
  return correct && listed == cache->count;
}

static SHIM_NOINLINE bool run(uint64_t capacity, uint64_t *checksum) {
  struct cache *cache = NULL;
  SHIM_FRAME(cache);
  uint64_t buckets = 1;
  while (buckets < capacity) buckets *= 2;
  cache = shim_allocate(cache_kind, sizeof *cache);
  struct entry **array = shim_allocate_array(array_kind, buckets);
  shim_store(cache, &cache->buckets, array);
  cache->mask = buckets - 1;
  uint64_t requests = capacity * 20, hits = 0, wrong = 0;
  for (uint64_t i = 0; i < requests; i++) {
    unsigned result = request(cache, capacity);
    hits += result == 1;
    wrong += result == 2;
    if (i == requests / 2) shim_checkpoint();
  }
  *checksum = hits;
  bool correct = wrong == 0 && cache->count == capacity && hits > requests / 4 && verify(cache, checksum);
  shim_free(cache->buckets);
  shim_free(cache);
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  uint64_t capacity = shim_begin(argc, argv, 40000, __builtin_frame_address(0));
  entry_kind = shim_define("entry", sizeof(struct entry), 15);
  cache_kind = shim_define("cache", sizeof(struct cache), 7);
  leaf_kind = shim_define_leaf("value");
  array_kind = shim_define_array("buckets");
  uint64_t checksum = 0;
  bool correct = run(capacity, &checksum);
  return shim_finish(correct, checksum);
}
