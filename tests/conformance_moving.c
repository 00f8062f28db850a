/* Conformance: what moves and what does not, shown by addresses and by the counters. Under a copying
 * collector all that is not pinned moves in every collection; under any, pinned kinds, ambiguous hits and
 * large objects stay. */
#include <string.h>

#include "harness.h"

enum { COUNT = 1000 };

typedef struct before {
  uintptr_t addresses[COUNT];
} before;

/* Objects of several kinds and sizes in slots[0 .. COUNT), all reachable from there only. */
static size_t populate(world *here) {
  size_t count = world_count(here, COUNT, 120);
  for (size_t i = 0; i < count; i++) {
    switch (i % 3) {
      case 0: here->slots[i] = (uintptr_t)world_leaf(here, 1 + i * 13 % 900, i); break;
      case 1: here->slots[i] = (uintptr_t)world_vector(here, i % 40); break;
      default: here->slots[i] = (uintptr_t)world_pair(here); break;
    }
    if (i % 3 != 0) midden_store_word(here->mutator, (void *)here->slots[i], (void *)here->slots[i], immediate(i));
  }
  return count;
}

static void check_content(const world *here, size_t count) {
  for (size_t i = 0; i < count; i++) {
    const midden_word *object = (const midden_word *)here->slots[i];
    if (i % 3 == 0) ck_assert_msg(leaf_is(object, 1 + i * 13 % 900, i), "leaf %zu", i);
    else ck_assert_uint_eq(object[0], immediate(i));
  }
}

START_TEST(everything_moves_each_time) {
  world here;
  world_open(&here, _i, NULL);
  size_t count = populate(&here);
  static before old;
  for (int round = 0; round < 5; round++) {
    memcpy(old.addresses, here.slots, count * sizeof(midden_word));
    midden_statistics first = world_statistics(&here);
    world_collect(&here);
    midden_statistics second = world_statistics(&here);
    size_t moved = 0;
    for (size_t i = 0; i < count; i++) moved += here.slots[i] != old.addresses[i];
    check_content(&here, count);
    ck_assert_uint_eq(second.collections, first.collections + 1);
    ck_assert_uint_eq(second.marked_in_place, first.marked_in_place);
    if (here.config.stack == MIDDEN_STACK_PRECISE) {
      ck_assert_uint_eq(moved, count);
      ck_assert_uint_eq(second.objects_moved - first.objects_moved, count);
      ck_assert_uint_eq(second.bytes_moved - first.bytes_moved, second.live_bytes);
      ck_assert_uint_eq(second.objects_pinned, first.objects_pinned);
    } else {
      ck_assert_uint_ge(moved + 40, count); /* dead words of the stack may pin a few */
      ck_assert_uint_ge(second.objects_moved - first.objects_moved, moved);
    }
  }
  world_close(&here);
}
END_TEST

/* The same at every collection that stress= makes, proved by its counter. */
START_TEST(stress_moves_each_time) {
  world here;
  world_open(&here, _i, NULL);
  size_t count = populate(&here);
  static before old;
  for (int round = 0; round < 60; round++) {
    memcpy(old.addresses, here.slots, count * sizeof(midden_word));
    midden_statistics first = world_statistics(&here);
    world_churn(&here, 1);
    midden_statistics second = world_statistics(&here);
    size_t moved = 0;
    for (size_t i = 0; i < count; i++) moved += here.slots[i] != old.addresses[i];
    uint64_t collections = second.collections - first.collections;
    ck_assert_uint_eq(collections, second.stress_collections - first.stress_collections);
    if (collections == 0) ck_assert_uint_eq(moved, 0);
    else if (here.config.stack == MIDDEN_STACK_PRECISE) ck_assert_uint_eq(moved, count);
    else ck_assert_uint_ge(moved + 40, count);
    if (here.combination->stress == MIDDEN_STRESS_ALLOC && here.combination->stress_value == 1)
      ck_assert_uint_eq(collections, 1);
  }
  check_content(&here, count);
  world_close(&here);
}
END_TEST

/* stress=alloc:N collects once in N allocations, no more and no less; random once in 64 or so. */
START_TEST(stress_keeps_its_count) {
  world here;
  world_open(&here, _i, "growth=fixed,heap-limit=256M");
  const uint64_t allocations = 2800;
  midden_statistics first = world_statistics(&here);
  for (uint64_t i = 0; i < allocations; i++) {
    if (i % 2) world_pair(&here);
    else world_leaf(&here, 8 + i % 600, i);
  }
  midden_statistics second = world_statistics(&here);
  uint64_t collections = second.stress_collections - first.stress_collections;
  ck_assert_uint_eq(second.allocations - first.allocations, allocations);
  switch (here.combination->stress) {
    case MIDDEN_STRESS_OFF: ck_assert_uint_eq(collections, 0); break;
    case MIDDEN_STRESS_ALLOC: ck_assert_uint_eq(collections, allocations / here.combination->stress_value); break;
    case MIDDEN_STRESS_RANDOM:
      ck_assert_uint_ge(collections, allocations / 64 / 2);
      ck_assert_uint_le(collections, allocations / 64 * 2);
      break;
  }
  world_close(&here);
}
END_TEST

/* random stress is reproducible: the same seed collects at the same allocations. */
START_TEST(random_stress_is_reproducible) {
  bool collected[2][1000];
  memset(collected, 0, sizeof collected);
  for (int run = 0; run < 2; run++) {
    world here;
    world_open(&here, _i, "stress=random:77");
    for (size_t i = 0; i < COUNT_OF(collected[0]); i++) {
      uint64_t collections = world_statistics(&here).stress_collections;
      world_pair(&here);
      collected[run][i] = world_statistics(&here).stress_collections != collections;
    }
    world_close(&here);
  }
  ck_assert_mem_eq(collected[0], collected[1], sizeof collected[0]);
  ck_assert_ptr_nonnull(memchr(collected[0], true, sizeof collected[0]));
}
END_TEST

/* Among objects that move: a pinned kind, ambiguous hits, and a large object stay. */
START_TEST(what_must_stay_stays) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind pinned = midden_kind_define(
      here.heap, &(midden_shape){.name = "pinned", .size = 32, .flags = MIDDEN_KIND_PINNED}, NULL);
  ck_assert_uint_ne(pinned.id, 0);
  size_t count = populate(&here);
  static midden_word hits[20];
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, hits, COUNT_OF(hits)), MIDDEN_OK);
  for (size_t i = 0; i < 40; i++) here.slots[2000 + i] = (uintptr_t)midden_alloc(here.mutator, pinned);
  here.slots[2040] = (uintptr_t)world_leaf(&here, 100000, 3);
  for (size_t i = 0; i < COUNT_OF(hits); i++) hits[i] = here.slots[i * 6] + (i % 3 == 0 ? 0 : 1);
  static uintptr_t stay[41];
  memcpy(stay, &here.slots[2000], sizeof stay);
  for (int round = 0; round < 5; round++) {
    midden_statistics first = world_statistics(&here);
    world_collect(&here);
    midden_statistics second = world_statistics(&here);
    ck_assert_mem_eq(stay, &here.slots[2000], sizeof stay);
    for (size_t i = 0; i < COUNT_OF(hits); i++) ck_assert_uint_eq(here.slots[i * 6], hits[i] - (i % 3 == 0 ? 0 : 1));
    check_content(&here, count);
    ck_assert_uint_ge(second.objects_pinned - first.objects_pinned, COUNT_OF(hits));
    if (here.combination->moves == MOVES_ALWAYS && here.config.stack == MIDDEN_STACK_PRECISE) {
      /* Each hit pins its object, and where it lies just past the end of a neighbour, that one too. */
      ck_assert_uint_ge(second.objects_moved - first.objects_moved, count - 2 * COUNT_OF(hits));
      ck_assert_uint_le(second.objects_moved - first.objects_moved, count - COUNT_OF(hits));
    }
  }
  ck_assert_int_eq(midden_root_remove(here.heap, hits), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Once a pin is gone its object moves like any other. */
START_TEST(pins_end_with_their_word) {
  world here;
  world_open(&here, _i, NULL);
  static midden_word hit;
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, &hit, 1), MIDDEN_OK);
  here.slots[0] = (uintptr_t)world_leaf(&here, 48, 1);
  here.slots[1] = (uintptr_t)world_leaf(&here, 48, 2);
  for (int round = 0; round < 4; round++) {
    hit = here.slots[0];
    uintptr_t held = here.slots[0];
    world_collect(&here);
    ck_assert_uint_eq(here.slots[0], held);
    hit = 0;
    world_collect(&here);
    ck_assert_uint_ne(here.slots[0], held);
    EXPECT_LEAF((void *)here.slots[0], 48, 1);
    EXPECT_LEAF((void *)here.slots[1], 48, 2);
  }
  ck_assert_int_eq(midden_root_remove(here.heap, &hit), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Compaction: after most of a heap is dropped the rest is moved together, and the counters say so. */
START_TEST(sparse_heaps_are_moved_together) {
  world here;
  world_open(&here, _i, NULL);
  enum { MANY = 60000, EVERY = 50 };
  here.slots[0] = (uintptr_t)world_vector(&here, MANY / EVERY);
  for (size_t i = 0; i < MANY; i++) {
    void *object = world_leaf(&here, 64, i);
    vector *kept = (vector *)here.slots[0];
    if (i % EVERY == 0) midden_store(here.mutator, kept, &kept->elements[i / EVERY], object);
  }
  midden_statistics first = world_statistics(&here);
  world_collect(&here);
  midden_statistics second = world_statistics(&here);
  const vector *kept = (const vector *)here.slots[0];
  for (size_t i = 0; i < MANY / EVERY; i++) EXPECT_LEAF((const void *)kept->elements[i], 64, i * EVERY);
  ck_assert_uint_gt(second.objects_moved, first.objects_moved);
  ck_assert_uint_ge(second.objects_moved - first.objects_moved, MANY / EVERY / 2);
  ck_assert_uint_ge(second.bytes_moved - first.bytes_moved, (second.objects_moved - first.objects_moved) * 64);
  /* 1200 objects of 64 bytes fit 10 pages; all spans together may need a few more. */
  ck_assert_uint_le(second.span_bytes, first.span_bytes / 4);
  world_close(&here);
}
END_TEST

/* A collector that does not move says so in its counters, and addresses agree. */
START_TEST(what_does_not_move) {
  world here;
  world_open(&here, _i, NULL);
  if (here.combination->moves == MOVES_NEVER) {
    size_t count = populate(&here);
    static before old;
    memcpy(old.addresses, here.slots, count * sizeof(midden_word));
    for (int round = 0; round < 3; round++) {
      world_churn(&here, 50);
      world_collect(&here);
    }
    ck_assert_mem_eq(old.addresses, here.slots, count * sizeof(midden_word));
    check_content(&here, count);
  }
  midden_statistics statistics = world_statistics(&here);
  if (here.combination->moves == MOVES_NEVER) ck_assert_uint_eq(statistics.objects_moved, 0);
  if (statistics.collections == 0) ck_assert_uint_eq(statistics.bytes_moved, 0);
  world_close(&here);
}
END_TEST

/* How many objects the next full collection moves that comes by itself, when one of a hundred leaves in a long
 * sequence has died. */
static uint64_t moved_in_a_dense_heap(int index, const char *options) {
  world here;
  world_open(&here, index, options);
  enum { MANY = 20000, EVERY = 100 };
  here.slots[0] = (uintptr_t)world_vector(&here, MANY);
  for (size_t i = 0; i < MANY; i++) {
    void *object = world_leaf(&here, 64, i);
    vector *kept = (vector *)here.slots[0];
    midden_store(here.mutator, kept, &kept->elements[i], object);
  }
  world_collect(&here);
  for (size_t i = 0; i < MANY; i += EVERY) ((vector *)here.slots[0])->elements[i] = 0;
  midden_statistics first = world_statistics(&here), last = first;
  while (last.collections == first.collections) { /* other classes than the leaves' */
    EXPECT(midden_alloc_sized(here.mutator, here.leaf, 2000) != NULL, "out of memory");
    last = world_statistics(&here);
  }
  ck_assert_uint_eq(last.requested_collections, first.requested_collections);
  for (size_t i = 0; i < MANY; i++) {
    const void *leaf = (const void *)((const vector *)here.slots[0])->elements[i];
    if (i % EVERY == 0) {
      EXPECT(leaf == NULL, "leaf %zu", i);
    } else {
      EXPECT_LEAF(leaf, 64, i);
    }
  }
  world_close(&here);
  return last.objects_moved - first.objects_moved;
}

/* Compaction leaves a dense beginning alone, unless it is told not to. */
START_TEST(dense_beginnings_stay) {
  if (strcmp(combination_at(_i)->collector, "mark-compact") != 0) return; /* the option is its own */
  ck_assert_uint_lt(moved_in_a_dense_heap(_i, "heap-initial=4M"), 2000); /* what lies behind the dense part */
  ck_assert_uint_gt(moved_in_a_dense_heap(_i, "heap-initial=4M,dense-span=100"), 15000);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {everything_moves_each_time, EVACUATING},
      {stress_moves_each_time, EVACUATING | ONE_GENERATION},
      {stress_keeps_its_count, COLLECTING},
      {random_stress_is_reproducible, COLLECTING | CALM},
      {what_must_stay_stays, MOVING},
      {pins_end_with_their_word, EVACUATING | PRECISE},
      {sparse_heaps_are_moved_together, MOVING | PRECISE | CALM},
      {what_does_not_move, ANYWHERE},
      {dense_beginnings_stay, MOVING | PRECISE | CALM | ONE_GENERATION},
  };
  return run_combinations("moving", tests, COUNT_OF(tests));
}
