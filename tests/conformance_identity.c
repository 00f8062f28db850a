/* midden_identity_hash: stable as long as the object lives, whatever moves; and the moved epoch. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { OBJECTS = 1000 };

static uint64_t identity(world *here, size_t slot) {
  uint64_t hash = midden_identity_hash(here->mutator, (void *)here->slots[slot]);
  EXPECT(hash != 0, "no hash for slot %zu: %s", slot, midden_status_name(midden_last_status(here->mutator)));
  return hash;
}

/* Some are asked early, some later, some never; they die and are replaced; collections of both sorts between. */
START_TEST(stable) {
  world here;
  static uint64_t hashes[OBJECTS];
  uint64_t random = 5;
  world_open(&here, _i, "heap-initial=64K");
  memset(hashes, 0, sizeof hashes);
  size_t count = world_count(&here, OBJECTS, 70), asked = 0;
  for (size_t step = 0; step < count * 30; step++) {
    size_t i = test_random_below(&random, count);
    if (here.slots[i] == 0 || test_random_below(&random, 4) == 0) {
      here.slots[i] = (uintptr_t)world_leaf(&here, i % 211 == 7 ? 33000 : 16 + i % 90, i);
      hashes[i] = 0;
    }
    if (hashes[i] || i % 3) {
      uint64_t hash = identity(&here, i);
      EXPECT(hashes[i] == 0 || hashes[i] == hash, "slot %zu", i);
      hashes[i] = hash;
    }
    if (step % (count * 2) == 0) midden_collect(here.mutator, step % (count * 4) ? MIDDEN_FULL : MIDDEN_MINOR);
  }
  for (size_t i = 0; i < count; i++) {
    if (hashes[i] == 0) continue;
    asked++;
    EXPECT(identity(&here, i) == hashes[i], "slot %zu at the end", i);
    for (size_t other = 0; other < i; other++) EXPECT(hashes[other] != hashes[i], "%zu and %zu have the same", other, i);
  }
  stack_wipe();
  world_collect(&here);
  for (size_t i = 0; i < count; i++) EXPECT(hashes[i] == 0 || identity(&here, i) == hashes[i], "slot %zu after all", i);
  if (here.combination->collects && here.combination->stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).identities, asked);
  world_close(&here);
}
END_TEST

/* A hash does not keep its object, and an object at the same address gets another. */
START_TEST(dropped_with_the_object) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < 200; i++) {
    here.slots[0] = (uintptr_t)world_pair(&here);
    identity(&here, 0);
  }
  ck_assert_uint_ge(world_statistics(&here).identities, 1);
  here.slots[0] = 0;
  stack_wipe();
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).identities, 0);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 0);
  world_close(&here);
}
END_TEST

START_TEST(addresses_repeat_hashes_do_not) {
  world here;
  static uint64_t seen[100];
  static uintptr_t where[100];
  world_open(&here, _i, NULL);
  size_t repeated = 0;
  for (size_t i = 0; i < 100; i++) {
    here.slots[0] = (uintptr_t)world_pair(&here);
    seen[i] = identity(&here, 0);
    where[i] = ~here.slots[0];
    for (size_t before = 0; before < i; before++) {
      EXPECT(seen[before] != seen[i], "%zu and %zu have the same", before, i);
      repeated += where[before] == where[i];
    }
    here.slots[0] = 0;
    stack_wipe();
    world_collect(&here);
  }
  ck_assert_uint_gt(repeated, 0); /* or it has shown nothing */
  world_close(&here);
}
END_TEST

/* Objects that never ask cost nothing: no entry, no memory. */
START_TEST(no_cost_for_the_others) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < 1000; i++) here.slots[i] = (uintptr_t)world_pair(&here);
  for (size_t i = 0; i < 500; i++) identity(&here, i);
  for (size_t i = 0; i < 500; i++) identity(&here, i);
  ck_assert_uint_eq(world_statistics(&here).identities, 500);
  world_close(&here);
}
END_TEST

/* The epoch changes with every collection that has moved something, and with no other. */
START_TEST(the_epoch) {
  world here;
  world_open(&here, _i, NULL);
  uint64_t random = 3;
  for (size_t round = 0; round < 60; round++) {
    uint64_t epoch = midden_moved_epoch(here.mutator), moved = world_statistics(&here).objects_moved;
    for (size_t i = test_random_below(&random, 4); i > 0; i--)
      here.slots[test_random_below(&random, 50)] = round % 20 == 19 ? 0 : (uintptr_t)world_leaf(&here, 40, i);
    midden_collect(here.mutator, round % 2 ? MIDDEN_FULL : MIDDEN_MINOR);
    bool moves = world_statistics(&here).objects_moved != moved;
    EXPECT(moves == (midden_moved_epoch(here.mutator) != epoch), "round %zu", round);
  }
  if (here.combination->moves == MOVES_NEVER) ck_assert_uint_eq(midden_moved_epoch(here.mutator), 0);
  midden_error error;
  midden_mutator *other = midden_attach(here.heap, NULL, &error);
  ck_assert_uint_eq(midden_moved_epoch(other), midden_moved_epoch(here.mutator));
  world_list(&here, 60, 50);
  midden_collect(other, MIDDEN_FULL);
  ck_assert_uint_eq(midden_moved_epoch(other), midden_moved_epoch(here.mutator));
  if (here.combination->moves == MOVES_ALWAYS && here.combination->stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_gt(midden_moved_epoch(other), 0);
  world_close(&here);
}
END_TEST

/* A minor collection does not look at the entries of old objects, and a full one looks once at each. */
START_TEST(minor_collections_leave_old_entries_alone) {
  world here;
  const size_t old = 3000, young = 7;
  world_open(&here, _i, "nursery=64M,heap-initial=64M");
  for (size_t i = 0; i < old; i++) {
    here.slots[i] = (uintptr_t)world_pair(&here);
    identity(&here, i);
  }
  midden_collect(here.mutator, MIDDEN_MINOR);
  uint64_t before = world_statistics(&here).side_entries;
  ck_assert_uint_eq(before, old);
  for (size_t round = 1; round <= 10; round++) {
    for (size_t i = 0; i < young; i++) {
      here.slots[old + i] = (uintptr_t)world_pair(&here);
      identity(&here, old + i);
    }
    midden_collect(here.mutator, MIDDEN_MINOR);
    ck_assert_uint_eq(world_statistics(&here).side_entries, before + round * young);
  }
  before = world_statistics(&here).side_entries;
  size_t identities = world_statistics(&here).identities;
  midden_collect(here.mutator, MIDDEN_FULL);
  ck_assert_uint_eq(world_statistics(&here).side_entries, before + identities);
  world_close(&here);
}
END_TEST

static void check_resurrected(midden_mutator *mutator, void *object, void *context) {
  uint64_t *hash = context;
  EXPECT(midden_identity_hash(mutator, object) == *hash, "a finalizer's object has another identity");
  EXPECT(midden_external_of(mutator, object) == 1234, "a finalizer's object has lost its external memory");
  *hash = 0;
}

/* An object that waits for its finalizer is not gone: it keeps its identity and its external memory until after that. */
START_TEST(kept_for_a_finalizer) {
  world here;
  enum { FINALIZED = 30 };
  static uint64_t hashes[FINALIZED];
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < FINALIZED; i++) {
    world_pair(&here);
    here.slots[i] = (uintptr_t)world_pair(&here);
    hashes[i] = identity(&here, i);
    ck_assert_int_eq(midden_external_add(here.mutator, (void *)here.slots[i], 1234), MIDDEN_OK);
    ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[i], check_resurrected, &hashes[i]), MIDDEN_OK);
  }
  memset(here.slots, 0, FINALIZED * sizeof here.slots[0]);
  stack_wipe();
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).identities, FINALIZED);
  ck_assert_uint_eq(world_statistics(&here).external_bytes, FINALIZED * 1234);
  size_t ran = midden_finalizers_run(here.mutator, SIZE_MAX);
  stack_wipe();
  world_collect(&here);
  if (here.combination->stack == MIDDEN_STACK_PRECISE) {
    ck_assert_uint_eq(ran, FINALIZED);
    ck_assert_uint_eq(world_statistics(&here).identities, 0);
    ck_assert_uint_eq(world_statistics(&here).external_bytes, 0);
  } else {
    ck_assert_uint_gt(ran, FINALIZED / 2);
  }
  world_close(&here);
}
END_TEST

START_TEST(bad_arguments) {
  world here;
  world_open(&here, _i, NULL);
  char *object = (char *)world_pair(&here);
  here.slots[0] = (uintptr_t)object;
  ck_assert_uint_eq(midden_identity_hash(here.mutator, object + 8), 0);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_BAD_ARGUMENT);
  ck_assert_uint_eq(midden_identity_hash(here.mutator, NULL), 0);
  ck_assert_uint_eq(midden_identity_hash(here.mutator, &here), 0);
  ck_assert_uint_eq(midden_identity_hash(NULL, object), 0);
  ck_assert_uint_eq(world_statistics(&here).identities, 0);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {stable, ANYWHERE},
      {dropped_with_the_object, COLLECTING | PRECISE},
      {addresses_repeat_hashes_do_not, COLLECTING | PRECISE | ONE_GENERATION},
      {no_cost_for_the_others, ANYWHERE},
      {the_epoch, ANYWHERE},
      {minor_collections_leave_old_entries_alone, GENERATIONAL | CALM},
      {kept_for_a_finalizer, COLLECTING},
      {bad_arguments, ANYWHERE},
  };
  return run_combinations("identity", tests, COUNT_OF(tests));
}
