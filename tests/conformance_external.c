/* External memory: bytes outside the heap count for pacing and for the limit, and go with their object. */
#include <string.h>

#include "harness.h"

enum { OBJECTS = 600 };

/* Small objects that keep large things alive are collected in time: many times over the heap's own pace. */
START_TEST(it_paces) {
  world here;
  world_open(&here, _i, "heap-initial=1M,heap-limit=64M");
  size_t most = 0;
  for (size_t i = 0; i < 20000; i++) { /* 320 KB of pairs, 200 MB outside */
    pair *object = world_pair(&here);
    EXPECT(midden_external_add(here.mutator, object, 10000) == MIDDEN_OK, "object %zu", i);
    size_t external = world_statistics(&here).external_bytes;
    if (external > most) most = external;
  }
  ck_assert_uint_gt(world_statistics(&here).collections, 10);
  ck_assert_uint_lt(most, 10 << 20);
  world_close(&here);
}
END_TEST

/* The growth rule sees what is kept outside: twice the live size, not twice the few bytes in the heap. */
START_TEST(live_bytes_outside_count) {
  world here;
  world_open(&here, _i, "heap-initial=64K,heap-limit=256M,verify=off");
  here.slots[0] = (uintptr_t)world_pair(&here);
  ck_assert_int_eq(midden_external_add(here.mutator, (void *)here.slots[0], 32 << 20), MIDDEN_OK);
  world_collect(&here);
  uint64_t before = world_statistics(&here).collections;
  world_churn(&here, 120000); /* 14 MB */
  ck_assert_uint_le(world_statistics(&here).collections - before, 1);
  world_close(&here);
}
END_TEST

/* They count for the limit, together with the pages of the heap. */
START_TEST(it_is_limited) {
  world here;
  world_open(&here, _i, "heap-limit=4M,heap-initial=64K");
  here.slots[0] = (uintptr_t)world_pair(&here);
  ck_assert_int_eq(midden_external_add(here.mutator, (void *)here.slots[0], 3 << 20), MIDDEN_OK);
  ck_assert_int_eq(midden_external_add(here.mutator, NULL, 2 << 20), MIDDEN_NO_MEMORY);
  ck_assert_int_eq(midden_external_add(here.mutator, NULL, SIZE_MAX), MIDDEN_NO_MEMORY);
  ck_assert_int_eq(midden_external_room(here.mutator, 2 << 20), MIDDEN_NO_MEMORY);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_OK);
  ck_assert_uint_eq(world_statistics(&here).external_bytes, 3 << 20);
  ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, 2 << 20));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  here.slots[1] = (uintptr_t)world_leaf(&here, 500 << 10, 1);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_le(statistics.span_bytes + statistics.external_bytes, statistics.limit_bytes);
  ck_assert_int_eq(midden_external_remove(here.mutator, (void *)here.slots[0], 2 << 20), MIDDEN_OK);
  here.slots[2] = (uintptr_t)world_leaf(&here, 1 << 20, 2);
  EXPECT_LEAF((void *)here.slots[1], 500 << 10, 1);
  world_close(&here);
}
END_TEST

/* An object that dies makes room for another, without a word from the host. */
START_TEST(room_is_made) {
  world here;
  world_open(&here, _i, "heap-limit=4M,heap-initial=4M,verify=off");
  for (size_t i = 0; i < 100; i++) {
    here.slots[0] = 0;
    stack_wipe();
    ck_assert_int_eq(midden_external_room(here.mutator, 2 << 20), MIDDEN_OK);
    here.slots[0] = (uintptr_t)world_pair(&here);
    ck_assert_int_eq(midden_external_add(here.mutator, (void *)here.slots[0], 2 << 20), MIDDEN_OK);
  }
  ck_assert_uint_ge(world_statistics(&here).collections, 30);
  world_close(&here);
}
END_TEST

/* Counted, moved, dropped at random, against a copy. */
START_TEST(at_random) {
  world here;
  static size_t counted[OBJECTS];
  uint64_t random = 99;
  size_t unowned = 0;
  world_open(&here, _i, "heap-initial=64K");
  memset(counted, 0, sizeof counted);
  size_t count = world_count(&here, OBJECTS, 60);
  for (size_t step = 0; step < count * 40; step++) {
    size_t i = test_random_below(&random, count), bytes = test_random_below(&random, 500);
    if (here.slots[i] == 0 || step % 7 == 0) {
      here.slots[i] = (uintptr_t)world_leaf(&here, 24 + i % 50, i);
      counted[i] = 0;
    }
    void *object = (void *)here.slots[i];
    size_t choice = test_random_below(&random, 5);
    if (choice < 2) {
      EXPECT(midden_external_add(here.mutator, object, bytes) == MIDDEN_OK, "add to %zu", i);
      counted[i] += bytes;
    } else if (choice == 2 && counted[i] > 0) {
      bool fits = bytes <= counted[i];
      EXPECT(midden_external_remove(here.mutator, object, bytes) == (fits ? MIDDEN_OK : MIDDEN_BAD_ARGUMENT), "remove %zu", i);
      if (fits) counted[i] -= bytes;
    } else if (choice == 3) {
      EXPECT(midden_external_add(here.mutator, NULL, bytes) == MIDDEN_OK, "add");
      unowned += bytes;
    } else if (bytes <= unowned) {
      EXPECT(midden_external_remove(here.mutator, NULL, bytes) == MIDDEN_OK, "remove");
      unowned -= bytes;
    }
    if (step % 200 == 0) midden_collect(here.mutator, step % 400 ? MIDDEN_FULL : MIDDEN_MINOR);
    EXPECT(midden_external_of(here.mutator, (void *)here.slots[i]) == counted[i], "object %zu", i);
  }
  size_t sum = unowned;
  for (size_t i = 0; i < count; i++) {
    if (here.slots[i] == 0) continue;
    EXPECT(midden_external_of(here.mutator, (void *)here.slots[i]) == counted[i], "object %zu", i);
    EXPECT_LEAF((void *)here.slots[i], 24 + i % 50, i);
    sum += counted[i];
  }
  ck_assert_uint_eq(midden_external_of(here.mutator, NULL), unowned);
  stack_wipe();
  world_collect(&here);
  size_t external = world_statistics(&here).external_bytes;
  if (here.combination->collects && here.combination->stack == MIDDEN_STACK_PRECISE) ck_assert_uint_eq(external, sum);
  else ck_assert_uint_ge(external, sum);
  world_close(&here);
}
END_TEST

START_TEST(bad_arguments) {
  world here;
  world_open(&here, _i, NULL);
  char *object = (char *)world_pair(&here);
  here.slots[0] = (uintptr_t)object;
  ck_assert_int_eq(midden_external_add(here.mutator, object + 8, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_external_remove(here.mutator, object, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_external_remove(here.mutator, NULL, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_external_add(NULL, object, 1), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_external_room(NULL, 1), MIDDEN_MISUSE);
  ck_assert_uint_eq(midden_external_of(here.mutator, object), 0);
  ck_assert_uint_eq(world_statistics(&here).external_bytes, 0);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {it_paces, COLLECTING | CALM},
      {live_bytes_outside_count, COLLECTING | CALM | ONE_GENERATION},
      {it_is_limited, ANYWHERE},
      {room_is_made, COLLECTING | PRECISE | CALM},
      {at_random, ANYWHERE},
      {bad_arguments, ANYWHERE},
  };
  return run_combinations("external memory", tests, COUNT_OF(tests));
}
