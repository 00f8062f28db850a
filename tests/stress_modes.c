/* stress=: what it says it does, it does, and a run can be replayed. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "harness.h"

/* Under copying everything that may move does move at each allocation: all but what is pinned, large, or of a kind that
 * never moves. */
START_TEST(everything_moves) {
  world here;
  world_open(&here, _i, "stress=alloc:1");
  midden_shape shape = {.name = "fixed", .size = 32, .refs = MIDDEN_REFS_NONE, .flags = MIDDEN_KIND_PINNED};
  midden_kind fixed = midden_kind_define(here.heap, &shape, NULL);
  here.slots[0] = (uintptr_t)midden_alloc(here.mutator, fixed);
  here.slots[1] = (uintptr_t)world_leaf(&here, 100000, 1);
  world_list(&here, 2, 300);
  here.slots[3] = (uintptr_t)world_pair(&here);
  ck_assert_int_eq(midden_pin(here.mutator, (void *)here.slots[3]), MIDDEN_OK);
  for (size_t i = 0; i < 50; i++) {
    midden_statistics before = world_statistics(&here);
    world_leaf(&here, 24, i);
    midden_statistics after = world_statistics(&here);
    EXPECT(after.stress_collections == before.stress_collections + 1, "no collection at allocation %zu", i);
    EXPECT(after.live_objects == 303, "%zu live objects", after.live_objects);
    EXPECT(after.stress_moved - before.stress_moved == after.live_objects - 3, "%llu of %zu objects moved",
           (unsigned long long)(after.stress_moved - before.stress_moved), after.live_objects);
    EXPECT(after.stress_pinned - before.stress_pinned == 1, "not one pinned object");
    EXPECT(after.marked_in_place == before.marked_in_place, "no room to move");
  }
  world_list_check(&here, 2, 300);
  world_close(&here);
}
END_TEST

/* Pacing's collections are no part of it. */
START_TEST(only_stress_is_counted) {
  world here;
  world_open(&here, _i, "stress=off");
  world_list(&here, 0, 300);
  world_collect(&here);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_eq(statistics.stress_collections, 0);
  ck_assert_uint_eq(statistics.stress_moved, 0);
  ck_assert_uint_gt(statistics.objects_moved, 0);
  world_close(&here);
}
END_TEST

enum { ALLOCATIONS = 2000 };

/* The numbers of the allocations at which collections were made. */
static size_t run_sequence(int index, const char *options, uint16_t *sequence) {
  world here;
  world_open(&here, index, options);
  uint64_t random = 5, collections = world_statistics(&here).stress_collections;
  size_t count = 0;
  for (size_t i = 0; i < ALLOCATIONS; i++) {
    here.slots[i % 50] = (uintptr_t)world_leaf(&here, 8 + test_random_below(&random, 200), i);
    uint64_t now = world_statistics(&here).stress_collections;
    EXPECT(now - collections <= 1, "two collections at allocation %zu", i);
    if (now > collections) sequence[count++] = (uint16_t)i;
    collections = now;
  }
  world_close(&here);
  return count;
}

START_TEST(the_same_seed_is_the_same_sequence) {
  uint16_t first[ALLOCATIONS], second[ALLOCATIONS], other[ALLOCATIONS];
  const char *options = "verify=off,heap-initial=16M,stress=random:11:16";
  size_t count = run_sequence(_i, options, first);
  ck_assert_uint_gt(count, ALLOCATIONS / 16 / 2);
  ck_assert_uint_lt(count, ALLOCATIONS / 16 * 2);
  ck_assert_uint_eq(run_sequence(_i, options, second), count);
  ck_assert_mem_eq(first, second, count * sizeof *first);
  size_t others = run_sequence(_i, "verify=off,heap-initial=16M,stress=random:12:16", other);
  ck_assert(others != count || memcmp(first, other, count * sizeof *first) != 0);
  count = run_sequence(_i, "verify=off,heap-initial=16M,stress=random:11:4", second);
  ck_assert_uint_gt(count, ALLOCATIONS / 4 / 2);
  count = run_sequence(_i, "verify=off,heap-initial=16M,stress=random:11", second);
  ck_assert_uint_gt(count, ALLOCATIONS / 64 / 2);
  ck_assert_uint_lt(count, ALLOCATIONS / 64 * 2);
}
END_TEST

/* A host with a bug: it keeps a reference where no root is, and uses it some allocations later. */
static void run_with_a_bug(void *context) {
  world here;
  world_open(&here, *(int *)context, "guard=fault,stress=random:3:40");
  for (size_t i = 0; i < 1000; i++) {
    uintptr_t *volatile stale = world_leaf(&here, 64, i);
    here.slots[0] = (uintptr_t)stale;
    here.slots[1] = (uintptr_t)world_leaf(&here, 64, i);
    fprintf(stderr, "%zu ", i);
    if (*(uintptr_t *volatile)stale == 1) fputs("?", stderr);
  }
}

/* It fails by chance of the seed, and with the same seed at the same place. */
START_TEST(a_failure_is_replayed) {
  outcome first, second;
  int index = _i;
  run_child(run_with_a_bug, &index, &first);
  ck_assert_int_eq(first.signal, SIGSEGV);
  ck_assert_uint_gt(strlen(first.text), 1);
  for (int i = 0; i < 3; i++) {
    run_child(run_with_a_bug, &index, &second);
    ck_assert_int_eq(second.signal, SIGSEGV);
    ck_assert_str_eq(first.text, second.text);
  }
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {everything_moves, EVACUATING | PRECISE | CALM | ONE_GENERATION},
      {only_stress_is_counted, EVACUATING | PRECISE | CALM},
      {the_same_seed_is_the_same_sequence, COLLECTING | CALM},
      {a_failure_is_replayed, EVACUATING | PRECISE | CALM},
  };
  return run_combinations("stress_modes", tests, COUNT_OF(tests));
}
