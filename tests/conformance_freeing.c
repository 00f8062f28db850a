/* Conformance: garbage is freed. After roots are dropped, what is live is what is reachable, to the byte
 * when the stack is precise; a program that churns runs in bounded space; poison marks what went. */
#include <string.h>

#include "harness.h"

/* The cells that a list or leaf set occupies, counted from outside. */
static size_t list_bytes(const world *here, size_t slot) {
  size_t bytes = 0;
  for (const pair *cell = (const pair *)here->slots[slot]; cell != NULL; cell = (const pair *)cell->cdr)
    bytes += midden_size_of(here->heap, cell);
  return bytes;
}

START_TEST(live_is_exactly_what_is_reachable) {
  world here;
  world_open(&here, _i, NULL);
  size_t length = world_count(&here, 3000, 100);
  for (size_t slot = 0; slot < 6; slot++) world_list(&here, slot, length * (slot + 1));
  size_t large = 0;
  for (size_t i = 0; i < 5; i++) {
    here.slots[10 + i] = (uintptr_t)world_leaf(&here, 50000 + i * 9000, i);
    large += midden_size_of(here.heap, (void *)here.slots[10 + i]);
  }
  for (size_t dropped = 0; dropped < 6; dropped++) {
    world_collect(&here);
    midden_statistics statistics = world_statistics(&here);
    size_t objects = 5, bytes = large;
    for (size_t slot = dropped; slot < 6; slot++) {
      objects += length * (slot + 1);
      bytes += list_bytes(&here, slot);
    }
    ck_assert_uint_eq(statistics.live_objects, objects);
    ck_assert_uint_eq(statistics.live_bytes, bytes);
    ck_assert_uint_ge(statistics.used_bytes, bytes);
    here.slots[dropped] = 0;
  }
  memset(here.slots, 0, 20 * sizeof *here.slots);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 0);
  ck_assert_uint_eq(world_statistics(&here).live_bytes, 0);
  world_close(&here);
}
END_TEST

/* With a conservative stack a few dead words may keep objects, but not many. */
START_TEST(live_is_nearly_what_is_reachable) {
  world here;
  world_open(&here, _i, NULL);
  size_t count = world_count(&here, 4000, 200);
  for (size_t i = 0; i < count; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 64, i);
  world_collect(&here);
  ck_assert_uint_ge(world_statistics(&here).live_objects, count);
  memset(here.slots, 0, count * sizeof *here.slots);
  stack_wipe();
  world_collect(&here);
  ck_assert_uint_le(world_statistics(&here).live_objects, 40);
  world_close(&here);
}
END_TEST

/* Garbage that refers to itself and to live objects goes all the same. */
START_TEST(dead_cycles_go) {
  world here;
  world_open(&here, _i, NULL);
  size_t length = world_count(&here, 2000, 60);
  world_list(&here, 0, 50);
  for (size_t slot = 1; slot < 4; slot++) {
    world_list(&here, slot, length);
    pair *last = (pair *)here.slots[slot];
    while (last->cdr != 0) last = (pair *)last->cdr;
    midden_store_word(here.mutator, last, &last->cdr, here.slots[slot]);
    midden_store_word(here.mutator, last, &last->car, here.slots[0]);
  }
  memset(&here.slots[1], 0, 3 * sizeof *here.slots);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 50);
  world_list_check(&here, 0, 50);
  world_close(&here);
}
END_TEST

/* Ten times the limit in garbage, around a live list: space stays bounded and the list is well. */
START_TEST(churn_in_bounded_space) {
  world here;
  world_open(&here, _i, "heap-limit=16M,heap-initial=1M,verify=off");
  world_list(&here, 0, 20000);
  uint64_t random = 9;
  for (size_t i = 0; i < 400000; i++) {
    size_t size = 1 + test_random_below(&random, i % 1000 == 0 ? 200000 : 800);
    void *object = midden_alloc_sized(here.mutator, here.leaf, size);
    EXPECT(object != NULL, "object %zu of %zu bytes", i, size);
    if (i % 100 == 0) here.slots[1 + i / 100 % 64] = (uintptr_t)object;
  }
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_gt(statistics.allocated_bytes, (uint64_t)10 * 16 << 20);
  ck_assert_uint_le(statistics.span_bytes, 16 << 20);
  ck_assert_uint_gt(statistics.collections, 5);
  world_list_check(&here, 0, 20000);
  world_close(&here);
}
END_TEST

/* The default growth keeps a small live set in a small heap. */
START_TEST(default_growth_is_bounded) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 1000);
  for (size_t i = 0; i < 500000; i++) world_leaf(&here, 64, i);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_gt(statistics.collections, 2);
  ck_assert_uint_le(statistics.peak_committed_bytes, 24 << 20);
  world_list_check(&here, 0, 1000);
  world_close(&here);
}
END_TEST

/* Freed cells carry a poison word, or serve a new object, or lie in pages that went back. Looked at
 * through objects' own cells, so nothing is read that is not the heap's. */
START_TEST(poison_marks_freed_cells) {
  world here;
  world_open(&here, _i, NULL);
  enum { COUNT = 600 };
  static uintptr_t addresses[COUNT];
  for (size_t i = 0; i < COUNT; i++) addresses[i] = here.slots[i] = (uintptr_t)world_leaf(&here, 64, i);
  /* Every other one stays pinned, so that the pages do not go back. */
  static midden_word hold[COUNT];
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, hold, COUNT), MIDDEN_OK);
  for (size_t i = 0; i < COUNT; i += 2) hold[i] = addresses[i] + 8;
  memset(here.slots, 0, COUNT * sizeof *here.slots);
  world_collect(&here);
  /* Collectors may sweep late: fill the gaps' spans with new objects until each freed cell was seen. */
  size_t poisoned = 0, kept = 0, other = 0;
  for (size_t i = 0; i < 8; i++) world_pair(&here);
  world_collect(&here);
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 2 == 0) {
      kept += leaf_is((void *)addresses[i], 64, i);
      continue;
    }
    uintptr_t word = freed_word(addresses[i] + 8);
    bool old = midden_object_at(here.heap, (void *)addresses[i]) && leaf_is((void *)addresses[i], 64, i);
    if (is_poison(word)) poisoned++;
    else if (!old) other++;
  }
  ck_assert_uint_eq(kept, COUNT / 2);
  ck_assert_msg(poisoned >= COUNT / 2 * 9 / 10, "%zu of %d freed cells are poisoned, %zu changed otherwise", poisoned,
                COUNT / 2, other);
  ck_assert_int_eq(midden_root_remove(here.heap, hold), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Pages of a heap that has become empty can be given back. */
START_TEST(trim_gives_pages_back) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < 2000; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 4000, i);
  size_t high = world_statistics(&here).committed_bytes;
  ck_assert_uint_gt(high, 2000 * 4000);
  memset(here.slots, 0, 2000 * sizeof *here.slots);
  stack_wipe();
  world_collect(&here);
  world_collect(&here);
  midden_trim(here.heap);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_eq(statistics.free_bytes, 0);
  ck_assert_uint_gt(statistics.pages_returned, 0);
  ck_assert_uint_le(statistics.committed_bytes, high / 4);
  ck_assert_uint_eq(midden_trim(here.heap), 0);
  world_churn(&here, 100);
  for (size_t i = 0; i < 500; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 4000, i);
  for (size_t i = 0; i < 500; i++) EXPECT_LEAF((void *)here.slots[i], 4000, i);
  world_close(&here);
}
END_TEST

/* Garbage of one kind and size makes room for another. */
START_TEST(memory_moves_between_kinds) {
  world here;
  world_open(&here, _i, "heap-limit=8M,verify=off");
  for (size_t phase = 0; phase < 12; phase++) {
    memset(here.slots, 0, WORLD_SLOTS * sizeof *here.slots);
    size_t size = (size_t)48 << phase % 12;
    size_t count = ((size_t)5 << 20) / (size + 16);
    if (count > WORLD_SLOTS) count = WORLD_SLOTS;
    for (size_t i = 0; i < count; i++) {
      void *object = midden_alloc_sized(here.mutator, phase % 2 ? here.vector : here.leaf, size);
      EXPECT(object != NULL, "phase %zu: object %zu of %zu bytes", phase, i, size);
      here.slots[i] = (uintptr_t)object;
    }
  }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {live_is_exactly_what_is_reachable, COLLECTING | PRECISE},
      {live_is_nearly_what_is_reachable, COLLECTING | CONSERVATIVE},
      {dead_cycles_go, COLLECTING | PRECISE},
      {churn_in_bounded_space, COLLECTING | CALM},
      {default_growth_is_bounded, COLLECTING | CALM},
      {poison_marks_freed_cells, COLLECTING | PRECISE | CALM},
      {trim_gives_pages_back, COLLECTING | CALM},
      {memory_moves_between_kinds, COLLECTING | CALM},
  };
  return run_combinations("freeing", tests, COUNT_OF(tests));
}
