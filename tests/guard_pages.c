/* Guard mode: what is guarded and for how long, and what midden_explain says of any address. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

static bool has_stacks(void) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  midden_heap *heap;
  if (midden_config_parse(&config, "stack=precise,unrooted=lost", &error) != MIDDEN_OK) return false;
  midden_status status = midden_heap_open(&config, &heap, &error);
  if (status == MIDDEN_OK) midden_heap_close(heap);
  return status == MIDDEN_OK;
}

/* ---- the quarantine ---- */

/* Many times the heap's address range is allocated: pages are used again, and nothing fails or is lost. */
START_TEST(it_gives_way) {
  world here;
  world_open(&here, _i, "guard=report,heap-limit=1M,heap-initial=64K,verify=off");
  world_list(&here, 0, 500);
  size_t guarded = 0;
  for (size_t round = 0; round < 60; round++) {
    for (size_t i = 0; i < 40; i++) {
      size_t size = round % 3 == 0 ? 40000 : 1000;
      EXPECT(midden_alloc_sized(here.mutator, here.leaf, size) != NULL, "refused in round %zu", round);
      for (size_t k = 0; k < 40 && size == 1000; k++) {
        EXPECT(midden_alloc_sized(here.mutator, here.leaf, size) != NULL, "refused in round %zu", round);
      }
    }
    guarded |= world_statistics(&here).guarded_bytes;
  }
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_gt(guarded, 0);
  ck_assert_uint_gt(statistics.guard_reused_bytes, 0);
  ck_assert_uint_le(statistics.span_bytes + statistics.free_bytes, statistics.limit_bytes + statistics.limit_bytes / 16);
  world_list_check(&here, 0, 500);
  world_verify(&here);
  world_close(&here);
}
END_TEST

/* Under copying nothing that may move stays: what a full collection leaves behind is guarded, all of it. */
START_TEST(all_is_evacuated) {
  world here;
  world_open(&here, _i, "guard=fault");
  world_list(&here, 0, 3000);
  midden_statistics before = world_statistics(&here);
  midden_collect(here.mutator, MIDDEN_FULL);
  midden_statistics after = world_statistics(&here);
  ck_assert_uint_eq(after.objects_moved - before.objects_moved, after.live_objects);
  ck_assert_uint_ge(after.guarded_bytes, before.span_bytes);
  world_list_check(&here, 0, 3000);
  world_close(&here);
}
END_TEST

START_TEST(combinations_that_cannot_be) {
  midden_config config = combination_config(_i);
  counting_memory memory;
  midden_error error = {MIDDEN_OK, ""};
  midden_heap *heap;
  config.guard_sites = 3;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_CONFLICT);
  ck_assert_ptr_nonnull(strstr(error.message, "guard_sites"));
  config.guard_sites = 0;
  config.guard = (midden_guard)9;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_BAD_ARGUMENT);
  config.guard = MIDDEN_GUARD_OFF;
  config.unrooted = MIDDEN_UNROOTED_LOST;
  bool possible = config.stack == MIDDEN_STACK_PRECISE && combination_at(_i)->collects;
  midden_status expected = !possible ? MIDDEN_CONFLICT : has_stacks() ? MIDDEN_OK : MIDDEN_UNSUPPORTED;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), expected);
  if (expected == MIDDEN_OK) midden_heap_close(heap);
  else ck_assert_msg(strstr(error.message, "unrooted=off") != NULL, "%s", error.message);
  config.unrooted = MIDDEN_UNROOTED_OFF;
  counting_memory_open(&memory);
  config.guard = MIDDEN_GUARD_FAULT;
  config.memory = &memory.face;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_CONFLICT);
  ck_assert_ptr_nonnull(strstr(error.message, "guard=off"));
  ck_assert_uint_eq(memory.reserved_bytes, 0);
}
END_TEST

/* ---- midden_explain ---- */

static void expect_explained(const world *here, uintptr_t address, const char *wanted) {
  char text[800];
  size_t length = midden_explain(here->heap, (void *)address, text, sizeof text);
  ck_assert_uint_eq(length, strlen(text));
  ck_assert_msg(strstr(text, wanted) != NULL, "\"%s\" is not in \"%s\"", wanted, text);
}

START_TEST(every_address_has_a_sentence) {
  world here;
  world_open(&here, _i, _i % 2 ? "guard=fault" : NULL);
  uintptr_t object = here.slots[0] = (uintptr_t)world_leaf(&here, 100, 1);
  char wanted[100];
  snprintf(wanted, sizeof wanted, "%#zx, a leaf of 104 bytes", (size_t)object);
  expect_explained(&here, object, wanted);
  snprintf(wanted, sizeof wanted, "%#zx, 9 bytes into the leaf of 104 bytes at %#zx", (size_t)object + 9, (size_t)object);
  expect_explained(&here, object + 9, wanted);
  expect_explained(&here, object + 104 * 3, "a free cell of 104 bytes for the kind leaf");
  expect_explained(&here, (object & ~(uintptr_t)8191) + 8000000, "a page that was never used");
  expect_explained(&here, 4096, "outside the heap (");
  expect_explained(&here, (uintptr_t)&here, "outside the heap (");
  void *block = midden_block_alloc(here.mutator, 64);
  expect_explained(&here, (uintptr_t)block + 5, "in the block of 64 bytes at");
  midden_block_free(here.mutator, block);
  midden_pool *pool;
  midden_lease lease;
  midden_pool_options options = {.name = "packets", .total_bytes = 65536};
  ck_assert_int_eq(midden_pool_open(here.mutator, &options, &pool, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(pool, 100, MIDDEN_AT_ONCE, "test", &lease), MIDDEN_OK);
  expect_explained(&here, (uintptr_t)lease.address, "of the pool packets");
  midden_pool_release(pool, &lease);
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_OK);
  char text[8] = "unused";
  ck_assert_uint_eq(midden_explain(NULL, NULL, text, sizeof text), 0);
  ck_assert_str_eq(text, "unused");
  ck_assert_uint_gt(midden_explain(here.heap, text, text, sizeof text), sizeof text);
  ck_assert_uint_eq(strlen(text), 7);
  ck_assert_uint_gt(midden_explain(here.heap, text, NULL, 0), 20);
  world_close(&here);
}
END_TEST

/* Every address that some objects ever had leads to where they are now, or to their death. */
START_TEST(histories_are_followed) {
  enum { OBJECTS = 60, ROUNDS = 8 };
  world here;
  world_open(&here, _i, "guard=report");
  uintptr_t places[ROUNDS][OBJECTS];
  uint64_t first = world_statistics(&here).collections;
  for (size_t i = 0; i < OBJECTS; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 8 + 16 * (i % 5), i);
  for (size_t round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < OBJECTS; i++) places[round][i] = here.slots[i];
    midden_collect(here.mutator, MIDDEN_FULL);
  }
  for (size_t i = 0; i < OBJECTS; i += 2) here.slots[i] = 0;
  midden_collect(here.mutator, MIDDEN_FULL);
  for (size_t round = 0; round < ROUNDS; round++) {
    for (size_t i = 0; i < OBJECTS; i++) {
      char wanted[100];
      uint64_t last = world_statistics(&here).collections;
      size_t moves = ROUNDS - round + (i % 2);
      ck_assert_uint_eq(last, first + ROUNDS + 1);
      snprintf(wanted, sizeof wanted, "it is at %#zx now, after %zu moves", (size_t)here.slots[i], moves);
      if (i % 2 == 0) snprintf(wanted, sizeof wanted, "collection %llu (copying) found it dead", (unsigned long long)last);
      expect_explained(&here, places[round][i], wanted);
    }
  }
  world_close(&here);
}
END_TEST

/* The oldest records go first, and it says so. */
START_TEST(what_is_forgotten) {
  world here;
  world_open(&here, _i, "guard=report,heap-limit=64M,verify=off");
  uintptr_t old = here.slots[0] = (uintptr_t)world_leaf(&here, 64, 1);
  midden_collect(here.mutator, MIDDEN_FULL);
  world_list(&here, 1, 40000);
  expect_explained(&here, old, "a leaf of 64 bytes");
  for (int i = 0; i < 10; i++) midden_collect(here.mutator, MIDDEN_FULL);
  expect_explained(&here, old, "is forgotten");
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {it_gives_way, COLLECTING | CALM},
      {all_is_evacuated, EVACUATING | PRECISE | CALM},
      {combinations_that_cannot_be, CALM},
      {every_address_has_a_sentence, CALM},
      {histories_are_followed, EVACUATING | PRECISE | CALM},
      {what_is_forgotten, EVACUATING | PRECISE | CALM},
  };
  return run_combinations("guard pages", tests, COUNT_OF(tests));
}
