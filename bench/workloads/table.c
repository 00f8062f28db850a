/* A hash table that grows and shrinks: SIZE (100 000) entries inserted, nine tenths removed again, thirty times.
 * The chains' array doubles and halves with the number of entries; keys are boxed. Large objects come and go,
 * and every rehash stores into every entry. */
#include "shim.h"

struct entry {
  struct entry *next;
  uint64_t *key; /* a leaf of two words: the key, and its complement */
};

struct table {
  struct entry **buckets;
  uint64_t size, count, key_sum;
};

static shim_kind entry_kind, table_kind, key_kind, array_kind;

static uint64_t bucket_of(uint64_t size, uint64_t key) {
  return (key * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (size - 1);
}

static SHIM_NOINLINE void resize(struct table *table, uint64_t size) {
  SHIM_FRAME(table);
  struct entry **to = shim_allocate_array(array_kind, size), **from = table->buckets;
  for (uint64_t i = 0; i < table->size; i++) {
    for (struct entry *entry = from[i], *next; entry; entry = next) {
      next = entry->next;
      struct entry **bucket = &to[bucket_of(size, entry->key[0])];
      shim_store(entry, &entry->next, *bucket);
      shim_store(to, bucket, entry);
    }
  }
  shim_free(from);
  shim_store(table, &table->buckets, to);
  table->size = size;
  SHIM_END();
}

static SHIM_NOINLINE void insert(struct table *table, uint64_t key) {
  struct entry *entry = NULL;
  SHIM_FRAME(table, entry);
  if (table->count == table->size) resize(table, table->size * 2);
  entry = shim_allocate(entry_kind, sizeof *entry);
  uint64_t *box = shim_allocate(key_kind, 2 * sizeof *box);
  box[0] = key;
  box[1] = ~key;
  shim_store(entry, &entry->key, box);
  struct entry **bucket = &table->buckets[bucket_of(table->size, key)];
  shim_store(entry, &entry->next, *bucket);
  shim_store(table->buckets, bucket, entry);
  table->count++;
  table->key_sum += key;
  SHIM_END();
}

static SHIM_NOINLINE bool take_out(struct table *table, uint64_t key) {
  SHIM_FRAME(table);
  struct entry **bucket = &table->buckets[bucket_of(table->size, key)], *before = NULL, *entry = *bucket;
  while (entry && entry->key[0] != key) {
    before = entry;
    entry = entry->next;
  }
  bool found = entry && entry->key[1] == ~key;
  if (found) {
    if (before) {
      shim_store(before, &before->next, entry->next);
    } else {
      shim_store(table->buckets, bucket, entry->next);
    }
    shim_free(entry->key);
    shim_free(entry);
    table->count--;
    table->key_sum -= key;
    if (table->count * 4 < table->size && table->size > 16) resize(table, table->size / 2);
  }
  SHIM_END();
  return found;
}

/* The sum over all entries is what was inserted and not taken out. */
static bool sum_is_right(const struct table *table) {
  uint64_t count = 0, sum = 0;
  for (uint64_t i = 0; i < table->size; i++) {
    for (struct entry *entry = table->buckets[i]; entry; entry = entry->next) {
      count++;
      sum += entry->key[0];
    }
  }
  return count == table->count && sum == table->key_sum;
}

static SHIM_NOINLINE bool run(uint64_t size, uint64_t *checksum) {
  struct table *table = NULL;
  SHIM_FRAME(table);
  table = shim_allocate(table_kind, sizeof *table);
  resize(table, 16);
  bool correct = true;
  uint64_t first = 0; /* keys from `first` to first + count are in the table */
  for (int round = 0; round < 30; round++) {
    while (table->count < size) insert(table, first + table->count);
    shim_checkpoint();
    correct = correct && sum_is_right(table);
    for (uint64_t i = 0; i < size - size / 10; i++) correct = take_out(table, first++) && correct;
    correct = correct && sum_is_right(table);
    *checksum = *checksum * 31 + table->key_sum;
  }
  while (table->count > 0) correct = take_out(table, first++) && correct;
  shim_free(table->buckets);
  shim_free(table);
  SHIM_END();
  return correct;
}

int main(int argc, char **argv) {
  uint64_t size = shim_begin(argc, argv, 100000, __builtin_frame_address(0));
  entry_kind = shim_define("entry", sizeof(struct entry), 3);
  table_kind = shim_define("table", sizeof(struct table), 1);
  key_kind = shim_define("key", 16, 0);
  array_kind = shim_define_array("buckets");
  uint64_t checksum = 0;
  bool correct = run(size, &checksum);
  return shim_finish(correct, checksum);
}
