/* Conformance: tables that compare by identity, of both sorts: hashed by midden_identity_hash, and hashed by address and
 * again when midden_moved_epoch has changed. The same keys go in and out at random, under whatever moves them. */
#include <string.h>

#include "harness.h"

enum { CAPACITY = 512, KEYS = 180, TABLES = 2 }; /* open addressing, at most a third full */

/* Keys are in rooted slots of their own, so that they move with their objects. */
typedef struct table {
  world *here;
  midden_word *keys; /* CAPACITY slots; 0: free */
  size_t numbers[CAPACITY];
  bool by_identity;
  uint64_t epoch;
  size_t rehashed;
} table;

static size_t place_of(const table *in, uintptr_t key) {
  uint64_t hash = in->by_identity ? midden_identity_hash(in->here->mutator, (const void *)key)
                                  : (key >> 3) * UINT64_C(0x9e3779b97f4a7c15);
  EXPECT(hash != 0, "no hash");
  return (size_t)(hash >> 55) % CAPACITY;
}

static size_t find(const table *in, uintptr_t key) {
  size_t at = place_of(in, key);
  while (in->keys[at] != 0 && in->keys[at] != key) at = (at + 1) % CAPACITY;
  return at;
}

/* All entries again, by what their keys hash to now. */
static void rehash(table *in) {
  midden_word keys[CAPACITY];
  size_t numbers[CAPACITY];
  memcpy(keys, in->keys, sizeof keys);
  memcpy(numbers, in->numbers, sizeof numbers);
  memset(in->keys, 0, sizeof keys);
  for (size_t i = 0; i < CAPACITY; i++) {
    if (keys[i] == 0) continue;
    size_t at = find(in, keys[i]);
    EXPECT(in->keys[at] == 0, "a key is there twice");
    in->keys[at] = keys[i];
    in->numbers[at] = numbers[i];
  }
}

static void keep_hashed(table *in) {
  uint64_t epoch = midden_moved_epoch(in->here->mutator);
  if (in->by_identity || in->epoch == epoch) return;
  rehash(in);
  in->epoch = epoch;
  in->rehashed++;
}

static void put(table *in, uintptr_t key, size_t number) {
  keep_hashed(in);
  size_t at = find(in, key);
  in->keys[at] = key;
  in->numbers[at] = number;
}

static void take_out(table *in, uintptr_t key) {
  keep_hashed(in);
  size_t at = find(in, key);
  EXPECT(in->keys[at] == key, "the key is not in the table");
  in->keys[at] = 0;
  rehash(in); /* what collided with it */
}

static void check(table *in, const midden_word *objects) {
  keep_hashed(in);
  for (size_t i = 0; i < KEYS; i++) {
    if (objects[i] == 0) continue;
    size_t at = find(in, objects[i]);
    EXPECT(in->keys[at] == objects[i] && in->numbers[at] == i, "key %zu is not found by %s", i,
           in->by_identity ? "identity" : "address");
  }
}

START_TEST(eq_tables_of_each_sort) {
  world here;
  world_open(&here, _i, "heap-initial=64K");
  uint64_t random = 99;
  midden_word *objects = here.slots;
  static table tables[TABLES];
  memset(tables, 0, sizeof tables);
  for (size_t i = 0; i < TABLES; i++) {
    tables[i].here = &here;
    tables[i].keys = &here.slots[1000 + i * CAPACITY];
    tables[i].by_identity = i == 0;
    tables[i].epoch = midden_moved_epoch(here.mutator);
  }
  size_t steps = world_count(&here, 3000, 800);
  for (size_t step = 0; step < steps; step++) {
    size_t i = test_random_below(&random, KEYS);
    if (objects[i] != 0) {
      for (size_t t = 0; t < TABLES; t++) take_out(&tables[t], objects[i]);
      objects[i] = 0;
    } else {
      world_leaf(&here, 24, 1); /* so that survivors have somewhere to go */
      pair *made = world_pair(&here);
      made->car = immediate(i);
      objects[i] = (uintptr_t)made;
      for (size_t t = 0; t < TABLES; t++) put(&tables[t], objects[i], i);
    }
    if (step % 100 == 50) midden_collect(here.mutator, step % 200 == 50 ? MIDDEN_FULL : MIDDEN_MINOR);
    if (step % 20 == 0) for (size_t t = 0; t < TABLES; t++) check(&tables[t], objects);
  }
  for (size_t t = 0; t < TABLES; t++) check(&tables[t], objects);
  if (here.combination->moves == MOVES_NEVER) ck_assert_uint_eq(tables[1].rehashed, 0);
  if (here.combination->moves == MOVES_ALWAYS && here.combination->stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_gt(tables[1].rehashed, 0);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {eq_tables_of_each_sort, ANYWHERE},
  };
  return run_combinations("eq tables", tests, COUNT_OF(tests));
}
