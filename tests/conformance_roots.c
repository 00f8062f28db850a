/* Conformance: registered roots: slots, ranges, scanners, ambiguous ranges. Each keeps and follows what it
 * holds, and keeps nothing once it is removed. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { TARGET_BYTES = 56, ROUNDS = 3 };

static void disturb(world *here) {
  world_churn(here, 50);
  world_collect(here);
}

START_TEST(single_slots) {
  world here;
  world_open(&here, _i, NULL);
  enum { COUNT = 300 };
  midden_word *slots[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    slots[i] = calloc(1, sizeof *slots[i]); /* scattered over the host's memory */
    ck_assert_ptr_nonnull(slots[i]);
    ck_assert_int_eq(midden_root_add(here.heap, slots[i]), MIDDEN_OK);
    *slots[i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
  }
  disturb(&here);
  for (size_t i = 0; i < COUNT; i++) EXPECT_LEAF((void *)*slots[i], TARGET_BYTES, i);
  /* Remove in an order that is neither that of adding nor its reverse. */
  for (size_t i = 0; i < COUNT; i++) {
    size_t chosen = i * 7 % COUNT;
    ck_assert_int_eq(midden_root_remove(here.heap, slots[chosen]), MIDDEN_OK);
    ck_assert_int_eq(midden_root_remove(here.heap, slots[chosen]), MIDDEN_BAD_ARGUMENT);
    free(slots[chosen]);
    slots[chosen] = NULL;
    if (i % 50 != 0) continue;
    disturb(&here);
    for (size_t k = 0; k < COUNT; k++)
      if (slots[k] != NULL) EXPECT_LEAF((void *)*slots[k], TARGET_BYTES, k);
  }
  world_close(&here);
}
END_TEST

static void scan_slot(midden_visitor *visitor, void *context) { midden_visit(visitor, context); }

/* NULL, immediates, and a new value later: a slot is looked at when collecting, not when added. */
START_TEST(slots_change_freely) {
  world here;
  world_open(&here, _i, NULL);
  midden_word slot = 0;
  ck_assert_int_eq(midden_root_add(here.heap, &slot), MIDDEN_OK);
  disturb(&here);
  ck_assert_uint_eq(slot, 0);
  slot = immediate(99);
  disturb(&here);
  ck_assert_uint_eq(slot, immediate(99));
  for (uint64_t i = 0; i < 20; i++) {
    slot = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
    world_churn(&here, 5);
    EXPECT_LEAF((void *)slot, TARGET_BYTES, i);
  }
  ck_assert_int_eq(midden_root_remove(here.heap, &slot), MIDDEN_OK);
  world_close(&here);
}
END_TEST

START_TEST(two_slots_with_one_object) {
  world here;
  world_open(&here, _i, NULL);
  static midden_word slots[4];
  ck_assert_int_eq(midden_root_range_add(here.heap, &slots[0], 2), MIDDEN_OK);
  ck_assert_int_eq(midden_root_add(here.heap, &slots[2]), MIDDEN_OK);
  slots[0] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 5);
  slots[1] = slots[2] = here.slots[9] = slots[0];
  for (int round = 0; round < ROUNDS; round++) {
    disturb(&here);
    ck_assert_uint_eq(slots[1], slots[0]);
    ck_assert_uint_eq(slots[2], slots[0]);
    ck_assert_uint_eq(here.slots[9], slots[0]);
    EXPECT_LEAF((void *)slots[0], TARGET_BYTES, 5);
  }
  ck_assert_int_eq(midden_root_remove(here.heap, &slots[2]), MIDDEN_OK);
  ck_assert_int_eq(midden_root_remove(here.heap, &slots[0]), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* One slot registered twice, alone and in a range: it is rewritten once, not forwarded twice. Objects next
 * to each other make that show: the new place of one is the old place of another. */
START_TEST(one_slot_registered_twice) {
  world here;
  world_open(&here, _i, NULL);
  enum { COUNT = 200 };
  for (size_t i = 0; i < COUNT; i++) ck_assert_int_eq(midden_root_add(here.heap, &here.slots[i]), MIDDEN_OK);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan_slot, &here.slots[7]), MIDDEN_OK);
  for (size_t round = 0; round < 5; round++) {
    for (size_t i = 0; i < COUNT; i++) here.slots[i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
    /* Gaps of every width, so that whatever slides slides onto another's place. */
    for (size_t i = round % 3; i < COUNT; i += 2 + round) here.slots[i] = 0;
    disturb(&here);
    for (size_t i = 0; i < COUNT; i++)
      if (here.slots[i] != 0) EXPECT_LEAF((void *)here.slots[i], TARGET_BYTES, i);
  }
  for (size_t i = 0; i < COUNT; i++) ck_assert_int_eq(midden_root_remove(here.heap, &here.slots[i]), MIDDEN_OK);
  /* The first slot's address is the range's as well: the newest goes first, the range is still there. */
  here.slots[1] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  disturb(&here);
  EXPECT_LEAF((void *)here.slots[1], TARGET_BYTES, 1);
  world_close(&here);
}
END_TEST

START_TEST(ranges) {
  world here;
  world_open(&here, _i, NULL);
  enum { COUNT = 500 };
  midden_word *words = calloc(COUNT, sizeof *words);
  ck_assert_ptr_nonnull(words);
  ck_assert_int_eq(midden_root_range_add(here.heap, words, COUNT), MIDDEN_OK);
  for (size_t i = 0; i < COUNT; i++) words[i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
  for (size_t i = 0; i < COUNT; i += 3) words[i] = i % 2 ? 0 : immediate(i);
  disturb(&here);
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 3 == 0) EXPECT(words[i] == (i % 2 ? 0 : immediate(i)), "word %zu was changed", i);
    else EXPECT_LEAF((void *)words[i], TARGET_BYTES, i);
  }
  /* Only by what was added. */
  ck_assert_int_eq(midden_root_remove(here.heap, words + 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_OK);
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_BAD_ARGUMENT);
  free(words);
  disturb(&here);
  world_close(&here);
}
END_TEST

/* A scanner that visits with each of the four functions. */
typedef struct scanned {
  midden_word edge, pinned, range[3], ambiguous[2];
  uint64_t calls;
} scanned;

static void scan(midden_visitor *visitor, void *context) {
  scanned *roots = context;
  roots->calls++;
  midden_visit(visitor, &roots->edge);
  midden_visit_pinned(visitor, (const void *)roots->pinned);
  midden_visit_range(visitor, roots->range, COUNT_OF(roots->range));
  midden_visit_ambiguous(visitor, roots->ambiguous, COUNT_OF(roots->ambiguous));
}

START_TEST(scanners) {
  world here;
  world_open(&here, _i, NULL);
  static scanned roots;
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan, &roots), MIDDEN_OK);
  roots.edge = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  roots.pinned = (uintptr_t)world_leaf(&here, TARGET_BYTES, 2);
  for (size_t i = 0; i < 3; i++) roots.range[i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 3 + i);
  roots.ambiguous[0] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 6);
  roots.ambiguous[1] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 7) + 20;
  uintptr_t pinned = roots.pinned, start = roots.ambiguous[0], interior = roots.ambiguous[1];
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 50);
    uint64_t calls = roots.calls, collections = world_statistics(&here).collections;
    world_collect(&here);
    if (here.combination->collects) {
      ck_assert_uint_eq(world_statistics(&here).collections, collections + 1);
      ck_assert_uint_gt(roots.calls, calls);
    }
    EXPECT_LEAF((void *)roots.edge, TARGET_BYTES, 1);
    EXPECT_LEAF((void *)pinned, TARGET_BYTES, 2);
    for (size_t i = 0; i < 3; i++) EXPECT_LEAF((void *)roots.range[i], TARGET_BYTES, 3 + i);
    EXPECT_LEAF((void *)start, TARGET_BYTES, 6);
    EXPECT_LEAF((void *)(interior - 20), TARGET_BYTES, 7);
    ck_assert_uint_eq(roots.pinned, pinned);
    ck_assert_uint_eq(roots.ambiguous[0], start);
    ck_assert_uint_eq(roots.ambiguous[1], interior);
  }
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan, &roots), MIDDEN_OK);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan, &roots), MIDDEN_BAD_ARGUMENT);
  uint64_t calls = roots.calls;
  disturb(&here);
  ck_assert_uint_eq(roots.calls, calls);
  world_close(&here);
}
END_TEST

/* The same function with two contexts is two scanners. */
START_TEST(two_scanners) {
  world here;
  world_open(&here, _i, NULL);
  static scanned first, second;
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan, &first), MIDDEN_OK);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan, &second), MIDDEN_OK);
  first.edge = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  second.edge = (uintptr_t)world_leaf(&here, TARGET_BYTES, 2);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan, &first), MIDDEN_OK);
  disturb(&here);
  EXPECT_LEAF((void *)second.edge, TARGET_BYTES, 2);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan, &second), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Words of an ambiguous range may point to, into, or just past an object; none is changed. Neighbours
 * in the same span move or go as they like. */
START_TEST(ambiguous_ranges) {
  world here;
  world_open(&here, _i, NULL);
  enum { COUNT = 90, BYTES = 64 };
  static midden_word words[COUNT];
  static uintptr_t expected[COUNT];
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, words, COUNT), MIDDEN_OK);
  for (size_t i = 0; i < COUNT; i++) {
    static const size_t offsets[] = {0, 1, 8, 33, BYTES - 1, BYTES};
    words[i] = expected[i] = (uintptr_t)world_leaf(&here, BYTES, i) + offsets[i % COUNT_OF(offsets)];
    here.slots[i] = (uintptr_t)world_leaf(&here, BYTES, 1000 + i); /* a neighbour that may move */
    world_leaf(&here, BYTES, 2000);                                /* and one that goes */
  }
  for (int round = 0; round < 2 * ROUNDS; round++) {
    disturb(&here);
    for (size_t i = 0; i < COUNT; i++) {
      static const size_t offsets[] = {0, 1, 8, 33, BYTES - 1, BYTES};
      EXPECT(words[i] == expected[i], "word %zu was changed", i);
      const void *target = (const void *)(words[i] - offsets[i % COUNT_OF(offsets)]);
      EXPECT(leaf_is(target, BYTES, i), "round %d: hit %zu is gone", round, i);
      EXPECT_LEAF((const void *)here.slots[i], BYTES, 1000 + i);
    }
  }
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_OK);
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_BAD_ARGUMENT);
  world_close(&here);
}
END_TEST

/* What a word just past an object keeps, by kind: roots.h states the one exception. The words are to the
 * end of objects in a row, so that each is the start of the next as well, but for the last. */
static void past_the_end(world *here, midden_kind kind, size_t size, bool kept_by_neighbours_start) {
  enum { ROW = 20 };
  static midden_word words[ROW];
  memset(words, 0, sizeof words);
  ck_assert_int_eq(midden_root_ambiguous_add(here->heap, words, ROW), MIDDEN_OK);
  for (size_t i = 0; i < ROW; i++) {
    void *object = midden_alloc_sized(here->mutator, kind, size);
    ck_assert_ptr_nonnull(object);
    leaf_fill(object, size, i);
    here->slots[i] = (uintptr_t)object; /* keeps the row together while it is made */
    words[i] = (uintptr_t)object + midden_size_of(here->heap, object);
  }
  memset(here->slots, 0, ROW * sizeof *here->slots);
  disturb(here);
  size_t kept = 0;
  for (size_t i = 0; i < ROW; i++) {
    uintptr_t start = words[i] - midden_good_size(size);
    /* Collections in between put other objects there too. */
    bool starts_another = i + 1 < ROW || here->combination->stress != MIDDEN_STRESS_OFF;
    bool there = midden_object_at(here->heap, (void *)start) == (void *)start && leaf_is((void *)start, size, i);
    kept += there;
    if (kept_by_neighbours_start || !starts_another) EXPECT(there, "object %zu of %zu bytes is gone", i, size);
  }
  ck_assert_uint_gt(kept, 0);
  ck_assert_int_eq(midden_root_remove(here->heap, words), MIDDEN_OK);
}

START_TEST(words_just_past_an_object) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind small = midden_kind_define(here.heap, &(midden_shape){.name = "small", .size = 128}, NULL);
  midden_kind bigger = midden_kind_define(here.heap, &(midden_shape){.name = "bigger", .size = 144}, NULL);
  ck_assert_uint_ne(small.id, 0);
  ck_assert_uint_ne(bigger.id, 0);
  past_the_end(&here, small, 128, false);
  past_the_end(&here, bigger, 144, true);
  past_the_end(&here, here.leaf, 16, true);
  past_the_end(&here, here.leaf, 1024, true);
  past_the_end(&here, here.leaf, 40960, true);
  world_close(&here);
}
END_TEST

/* One object as precise root and ambiguous one: it stays, and the precise slot agrees. */
START_TEST(precise_and_ambiguous_to_one_object) {
  world here;
  world_open(&here, _i, NULL);
  static midden_word ambiguous;
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, &ambiguous, 1), MIDDEN_OK);
  world_list(&here, 0, 10);
  ambiguous = here.slots[0];
  uintptr_t address = ambiguous;
  for (int round = 0; round < ROUNDS; round++) {
    disturb(&here);
    ck_assert_uint_eq(here.slots[0], address);
    world_list_check(&here, 0, 10);
  }
  ck_assert_int_eq(midden_root_remove(here.heap, &ambiguous), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Removed roots keep nothing. */
START_TEST(removed_roots_keep_nothing) {
  world here;
  world_open(&here, _i, NULL);
  static midden_word single, range[5], ambiguous[3];
  static scanned roots;
  ck_assert_int_eq(midden_root_add(here.heap, &single), MIDDEN_OK);
  ck_assert_int_eq(midden_root_range_add(here.heap, range, 5), MIDDEN_OK);
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, ambiguous, 3), MIDDEN_OK);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan, &roots), MIDDEN_OK);
  single = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  for (size_t i = 0; i < 5; i++) range[i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  for (size_t i = 0; i < 3; i++) ambiguous[i] = (uintptr_t)world_leaf(&here, 1024, 1) + 8;
  roots.edge = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  roots.pinned = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 11);
  ck_assert_int_eq(midden_root_remove(here.heap, &single), MIDDEN_OK);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 10);
  ck_assert_int_eq(midden_root_remove(here.heap, range), MIDDEN_OK);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 5);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan, &roots), MIDDEN_OK);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 3);
  ck_assert_int_eq(midden_root_remove(here.heap, ambiguous), MIDDEN_OK);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 0);
  ck_assert_uint_eq(world_statistics(&here).live_bytes, 0);
  world_close(&here);
}
END_TEST

/* Registering neither allocates from the heap nor collects. */
START_TEST(registering_leaves_the_heap_alone) {
  world here;
  world_open(&here, _i, NULL);
  midden_statistics before = world_statistics(&here);
  static midden_word words[2000];
  for (size_t i = 0; i < COUNT_OF(words); i++) EXPECT(midden_root_add(here.heap, &words[i]) == MIDDEN_OK, "add");
  midden_scope scope = midden_scope_open(here.mutator);
  for (size_t i = 0; i < 5000; i++) EXPECT(midden_handle_new(here.mutator, NULL) != NULL, "handle");
  midden_scope_close(here.mutator, scope);
  for (size_t i = 0; i < COUNT_OF(words); i++) EXPECT(midden_root_remove(here.heap, &words[i]) == MIDDEN_OK, "remove");
  midden_statistics after = world_statistics(&here);
  ck_assert_uint_eq(after.allocations, before.allocations);
  ck_assert_uint_eq(after.collections, before.collections);
  ck_assert_uint_eq(after.used_bytes, before.used_bytes);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {single_slots, ANYWHERE},
      {slots_change_freely, ANYWHERE},
      {two_slots_with_one_object, ANYWHERE},
      {one_slot_registered_twice, ANYWHERE},
      {ranges, ANYWHERE},
      {scanners, ANYWHERE},
      {two_scanners, ANYWHERE},
      {ambiguous_ranges, ANYWHERE},
      {words_just_past_an_object, ANYWHERE},
      {precise_and_ambiguous_to_one_object, ANYWHERE},
      {removed_roots_keep_nothing, PRECISE | COLLECTING | CALM},
      {registering_leaves_the_heap_alone, ANYWHERE},
  };
  return run_combinations("roots", tests, COUNT_OF(tests));
}
