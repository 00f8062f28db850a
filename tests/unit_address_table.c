/* The map from addresses against an array: found, removed, rewritten. */
#include <string.h>

#include "base/address_table.h"
#include "base/os.h"
#include "harness.h"

enum { SLOTS = 3000, LONGEST = 20000 };

static uint64_t values[SLOTS]; /* by address / 8; 0: not in the table */
static uintptr_t moved_to[SLOTS];

static void check(const struct address_table *table) {
  size_t count = 0;
  for (size_t i = 1; i < SLOTS; i++) {
    const uint64_t *value = mdn_address_find(table, i * 8);
    EXPECT((value != NULL) == (values[i] != 0), "address %zu", i * 8);
    if (value != NULL) EXPECT(*value == values[i], "value of %zu", i * 8);
    count += value != NULL;
  }
  EXPECT(table->count == count, "%zu entries are counted and %zu found", table->count, count);
}

static void change(struct address_table *table, struct arena *arena, uint64_t *random) {
  size_t i = 1 + test_random_below(random, SLOTS - 1);
  if (test_random_below(random, 5) < 3) {
    uint64_t *value = mdn_address_add(table, arena, i * 8);
    EXPECT(value != NULL && *value == values[i], "added %zu", i * 8);
    *value = values[i] = test_random(random) | 1;
  } else {
    mdn_address_remove(table, i * 8);
    values[i] = 0;
  }
}

static uintptr_t answer(void *context, uintptr_t address, uint64_t value) {
  (void)context;
  EXPECT(values[address / 8] == value, "the value of %zu", (size_t)address);
  return moved_to[address / 8];
}

/* Every entry goes to another address, which may be the old one of another entry, or away. */
static void rewrite(struct address_table *table, uint64_t *random) {
  static uint64_t before[SLOTS];
  size_t target = 1;
  memcpy(before, values, sizeof before);
  memset(values, 0, sizeof values);
  bool slide = test_random_below(random, 2);
  size_t shift = test_random_below(random, SLOTS - 1);
  for (size_t i = 1; i < SLOTS; i++) {
    moved_to[i] = 0;
    if (before[i] == 0 || test_random_below(random, 4) == 0) continue;
    size_t to = slide ? target++ : 1 + (i - 1 + shift) % (SLOTS - 1);
    moved_to[i] = to * 8;
    values[to] = before[i];
  }
  uint64_t after[SLOTS];
  memcpy(after, values, sizeof after);
  memcpy(values, before, sizeof values);
  mdn_address_rewrite(table, answer, NULL);
  memcpy(values, after, sizeof values);
}

START_TEST(against_an_array) {
  struct arena arena;
  struct address_table table = {NULL, 0, 0};
  uint64_t random = 1;
  mdn_arena_open(&arena, mdn_os_memory());
  ck_assert_ptr_null(mdn_address_find(&table, 8));
  mdn_address_remove(&table, 8);
  mdn_address_rewrite(&table, answer, NULL);
  for (size_t round = 0; round < 60; round++) {
    size_t changes = test_random_below(&random, 4000);
    for (size_t i = 0; i < changes; i++) change(&table, &arena, &random);
    check(&table);
    rewrite(&table, &random);
    check(&table);
  }
  mdn_arena_close(&arena);
}
END_TEST

/* Adding and removing for ever does not fill the table up. */
START_TEST(it_stays_small) {
  struct arena arena;
  struct address_table table = {NULL, 0, 0};
  mdn_arena_open(&arena, mdn_os_memory());
  for (uintptr_t i = 1; i < LONGEST; i++) {
    ck_assert(mdn_address_add(&table, &arena, i * 8) != NULL);
    if (i > 10) mdn_address_remove(&table, (i - 10) * 8);
  }
  ck_assert_uint_le(table.capacity, 16);
  mdn_arena_close(&arena);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {against_an_array, it_stays_small};
  return run_once("address table", tests, COUNT_OF(tests));
}
