/* Heap limits. Just above what lives, every collector completes; below it, allocation returns NULL and says
 * why, the heap is whole, and goes on once roots are dropped. No growth policy exceeds the limit. */
#include <stdio.h>
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

enum { PAGE = 8192 };

/* Pages of cells in spans never exceed the limit; with those that are free and not yet returned, at most by a
 * sixteenth. */
static void check_limit(world *here) {
  midden_statistics statistics = world_statistics(here);
  EXPECT(statistics.span_bytes <= statistics.limit_bytes, "%zu bytes in spans of %zu", statistics.span_bytes,
         statistics.limit_bytes);
  EXPECT(statistics.span_bytes + statistics.free_bytes <= statistics.limit_bytes + statistics.limit_bytes / 16, "%zu + %zu bytes of %zu",
         statistics.span_bytes, statistics.free_bytes, statistics.limit_bytes);
}

static void open_limited(world *here, int index, size_t bytes, const char *more) {
  char options[128];
  snprintf(options, sizeof options, "heap-limit=%zu,heap-initial=64K,verify=off%s", bytes, more);
  world_open(here, index, options);
  ck_assert_uint_ge(world_statistics(here).limit_bytes, bytes);
  ck_assert_uint_lt(world_statistics(here).limit_bytes, bytes + PAGE); /* whole pages */
}

/* Drops a hundred times what the limit leaves. */
static void churn_pairs(world *here, size_t count) {
  for (size_t i = 0; i < count; i++) {
    pair *garbage = midden_alloc(here->mutator, here->pair);
    EXPECT(garbage != NULL, "pair %zu: %s", i, midden_status_name(midden_last_status(here->mutator)));
    garbage->car = immediate(i);
    if (i % 4096 == 0) check_limit(here);
  }
}

START_TEST(a_list_just_below_the_limit) {
  world here;
  const size_t length = 131072; /* 2 MiB of pairs */
  open_limited(&here, _i, length * sizeof(pair) + 16 * PAGE, "");
  world_list(&here, 0, length);
  churn_pairs(&here, 400000);
  world_list_check(&here, 0, length);
  check_limit(&here);
  ck_assert_uint_gt(world_statistics(&here).collections, 10);
  world_close(&here);
}
END_TEST

/* 3 MiB of leaves of many sizes in slots. post: how many. */
static size_t build_mixture(world *here, uint32_t *sizes) {
  uint64_t random = 8;
  size_t live = 0, count = 0;
  while (live < (size_t)3 << 20) {
    sizes[count] = (uint32_t)(16 + test_random_below(&random, count % 16 == 0 ? 6000 : 1400));
    here->slots[count] = (uintptr_t)world_leaf(here, sizes[count], count);
    live += midden_size_of(here->heap, (void *)here->slots[count++]);
  }
  return count;
}

/* The same with objects of many sizes: a tenth more than the spans that hold them. */
START_TEST(a_mixture_just_below_the_limit) {
  world here;
  static uint32_t sizes[WORLD_SLOTS];
  open_limited(&here, _i, (size_t)64 << 20, "");
  build_mixture(&here, sizes);
  world_collect(&here);
  size_t needed = world_statistics(&here).span_bytes;
  ck_assert_uint_lt(needed, (size_t)4 << 20);
  world_close(&here);
  open_limited(&here, _i, needed + needed / 10, "");
  size_t count = build_mixture(&here, sizes);
  for (size_t i = 0; i < 20000; i++) {
    void *garbage = midden_alloc_sized(here.mutator, here.leaf, sizes[i % count]);
    EXPECT(garbage != NULL, "object %zu of %u bytes", i, sizes[i % count]);
    if (i % 1000 == 0) check_limit(&here);
  }
  for (size_t i = 0; i < count; i++) EXPECT(leaf_is((void *)here.slots[i], sizes[i], i), "leaf %zu", i);
  world_close(&here);
}
END_TEST

/* No page is free, but every second cell is: smaller objects of the same kind get these cells. */
START_TEST(cells_of_larger_classes_are_borrowed) {
  world here;
  open_limited(&here, _i, (size_t)256 << 10, "");
  size_t count = 0;
  for (;; count++) {
    void *leaf = count < WORLD_SLOTS ? midden_alloc_sized(here.mutator, here.leaf, 480) : NULL;
    if (!leaf) break;
    leaf_fill(leaf, 480, count);
    here.slots[count] = (uintptr_t)leaf;
  }
  ck_assert_uint_gt(count, 400);
  ck_assert_uint_lt(count, WORLD_SLOTS);
  for (size_t i = 1; i < count; i += 2) here.slots[i] = 0;
  size_t small = 0;
  for (; small < count / 4; small++) {
    void *leaf = midden_alloc_sized(here.mutator, here.leaf, 300);
    EXPECT(leaf != NULL, "object %zu of 300 bytes", small);
    if (!leaf) break;
    leaf_fill(leaf, 300, small);
    here.slots[2 * small + 1] = (uintptr_t)leaf;
    check_limit(&here);
  }
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY); /* of the filling; no later request failed */
  for (size_t i = 0; i < count; i += 2) EXPECT(leaf_is((void *)here.slots[i], 480, i), "leaf %zu", i);
  for (size_t i = 0; i < small; i++) EXPECT(leaf_is((void *)here.slots[2 * i + 1], 300, i), "small leaf %zu", i);
  world_verify(&here);
  world_close(&here);
}
END_TEST

/* Grows a list until memory is out. post: its length. */
static size_t fill_with_a_list(world *here, size_t slot) {
  size_t length = 0;
  here->slots[slot] = 0;
  for (;; length++) {
    pair *cell = midden_alloc(here->mutator, here->pair);
    if (cell == NULL) return length;
    midden_store_word(here->mutator, cell, &cell->car, immediate(length));
    midden_store_word(here->mutator, cell, &cell->cdr, here->slots[slot]);
    here->slots[slot] = (uintptr_t)cell;
  }
}

static void check_descending(const world *here, size_t slot, size_t length) {
  const pair *cell = (const pair *)here->slots[slot];
  for (size_t i = length; i-- > 0; cell = (const pair *)cell->cdr)
    EXPECT(cell != NULL && cell->car == immediate(i), "cell %zu", i);
  EXPECT(cell == NULL, "the list goes on");
}

static void exhaust(int index, const char *growth) {
  world here;
  const size_t limit = (size_t)1 << 20;
  open_limited(&here, index, limit, growth);
  for (int round = 0; round < 3; round++) {
    size_t length = fill_with_a_list(&here, 0);
    ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
    ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_OK);
    ck_assert_uint_le(length * sizeof(pair), limit);
    ck_assert_uint_ge(length * sizeof(pair), limit * 9 / 10); /* a collector keeps no reserve for itself */
    ck_assert_uint_gt(world_statistics(&here).emergency_collections, 0);
    check_descending(&here, 0, length);
    check_limit(&here);
    world_verify(&here);
    /* A dead word on the stack may have kept a dead pair or two while the list grew; their cells are taken. */
    bool conservative = here.combination->stack == MIDDEN_STACK_CONSERVATIVE;
    for (size_t i = 2; conservative && i < 4; i++) here.slots[i] = (uintptr_t)midden_alloc(here.mutator, here.pair);
    /* Out of memory again and again, with nothing dropped. */
    for (int i = 0; i < 5; i++) ck_assert_ptr_null(midden_alloc(here.mutator, here.pair));
    ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
    check_descending(&here, 0, length);
    here.slots[0] = here.slots[2] = here.slots[3] = 0;
    stack_wipe();
    world_list(&here, 1, 1000);
    churn_pairs(&here, 100000);
    world_list_check(&here, 1, 1000);
    here.slots[1] = 0;
    stack_wipe();
  }
  world_close(&here);
}

START_TEST(exhausted_under_ratio) { exhaust(_i, ""); }
END_TEST
START_TEST(exhausted_under_a_large_ratio) { exhaust(_i, ",growth=ratio:100"); }
END_TEST
START_TEST(exhausted_under_fixed) { exhaust(_i, ",growth=fixed"); }
END_TEST
START_TEST(exhausted_under_balance) { exhaust(_i, ",growth=balance"); }
END_TEST

/* Stress does not change what fits. */
START_TEST(exhausted_under_stress) {
  world here;
  open_limited(&here, _i, 128 << 10, "");
  size_t length = fill_with_a_list(&here, 0);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  ck_assert_uint_ge(length * sizeof(pair), (128 << 10) * 9 / 10);
  check_descending(&here, 0, length);
  here.slots[0] = 0;
  stack_wipe();
  world_list(&here, 1, 100);
  world_list_check(&here, 1, 100);
  world_close(&here);
}
END_TEST

/* A collector that never collects runs full once, and everything is still there. */
START_TEST(full_without_collecting) {
  world here;
  open_limited(&here, _i, 1 << 20, "");
  size_t length = fill_with_a_list(&here, 0);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  check_descending(&here, 0, length);
  here.slots[0] = 0;
  ck_assert_ptr_null(midden_alloc(here.mutator, here.pair));
  ck_assert_uint_eq(world_statistics(&here).collections, 0);
  world_close(&here);
}
END_TEST

START_TEST(large_objects_and_the_limit) {
  world here;
  open_limited(&here, _i, 4 << 20, "");
  ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, 5 << 20));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  for (int round = 0; round < 20; round++) {
    here.slots[0] = 0;
    stack_wipe();
    here.slots[0] = (uintptr_t)world_leaf(&here, 3 << 20, (uint64_t)round);
    ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, 2 << 20));
    ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
    EXPECT_LEAF((void *)here.slots[0], 3 << 20, (uint64_t)round);
    world_leaf(&here, 500 << 10, 1);
    check_limit(&here);
  }
  world_close(&here);
}
END_TEST

/* Where address space is short, the heap takes less of it, but never less than its limit. */
START_TEST(address_space_is_short) {
  counting_memory memory;
  counting_memory_open(&memory);
  memory.most_reserved = (size_t)100 << 20;
  midden_config config = combination_config(_i);
  config.memory = &memory.face;
  midden_heap *heap = NULL;
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_msg(midden_heap_open(&config, &heap, &error) == MIDDEN_OK, "%s", error.message);
  midden_statistics statistics;
  midden_statistics_read(heap, &statistics);
  ck_assert_uint_le(statistics.reserved_bytes, memory.most_reserved);
  ck_assert_uint_le(statistics.limit_bytes, statistics.reserved_bytes);
  ck_assert_uint_ge(statistics.limit_bytes, 16 << 20);
  ck_assert_int_eq(midden_heap_close(heap), MIDDEN_OK);
  config.heap_limit = (size_t)64 << 20;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_OK);
  midden_statistics_read(heap, &statistics);
  ck_assert_uint_eq(statistics.limit_bytes, 64 << 20);
  ck_assert_int_eq(midden_heap_close(heap), MIDDEN_OK);
  config.heap_limit = (size_t)200 << 20;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_NO_MEMORY);
  ck_assert_ptr_nonnull(strstr(error.message, "heap-limit"));
  ck_assert_uint_eq(memory.reservations, 0);
  ck_assert_uint_eq(memory.violations, 0);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {a_list_just_below_the_limit, COLLECTING | CALM},
      {a_mixture_just_below_the_limit, COLLECTING | CALM},
      {cells_of_larger_classes_are_borrowed, COLLECTING | CALM | PRECISE},
      {exhausted_under_ratio, COLLECTING | CALM},
      {exhausted_under_a_large_ratio, COLLECTING | CALM},
      {exhausted_under_fixed, COLLECTING | CALM},
      {exhausted_under_balance, COLLECTING | CALM},
      {exhausted_under_stress, COLLECTING | MILD},
      {full_without_collecting, NEVER_COLLECTING},
      {large_objects_and_the_limit, COLLECTING | CALM},
      {address_space_is_short, CALM},
  };
  return run_combinations("limits", tests, COUNT_OF(tests));
}
