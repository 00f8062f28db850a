/* Conformance: finalizers. Queued when the object is unreachable, run when the host drains, at most once for each
 * registration, with the object and all that it reaches intact. Order: conformance_finalizer_order. */
#include "finalizer_journal.h"

static void finalize_tagged(midden_mutator *mutator, void *object, void *context) {
  const uintptr_t *dead = object;
  (void)mutator, (void)context;
  EXPECT(dead[0] == (uintptr_t)dead + (5 | UINT64_C(0xfff) << 52), "the object is not intact: %#zx", (size_t)dead[0]);
  journal.numbers[journal.count++] = dead[1] >> 3;
}

START_TEST(each_runs_once) {
  world here;
  journal_begin(&here, _i, NULL);
  journal_make_all(&here, journal_define_thing(&here), COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[i], journal_finalize, &journal), MIDDEN_OK);
    if (i == COUNT / 2) world_collect(&here);
  }
  ck_assert_uint_eq(world_statistics(&here).finalizers_registered, COUNT);
  world_collect(&here);
  ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  journal_drop(&here, 0, COUNT / 2);
  world_collect(&here);
  ck_assert_uint_eq(journal.count, 0); /* nothing runs by itself */
  size_t waiting = midden_finalizers_waiting(here.heap);
  if (journal_exact(&here)) ck_assert_uint_eq(waiting, COUNT / 2);
  world_churn(&here, 30);
  world_collect(&here); /* the queue is a root */
  waiting = midden_finalizers_waiting(here.heap);
  ck_assert_uint_eq(midden_finalizers_run(here.mutator, 3), waiting < 3 ? waiting : 3);
  journal_run_all(&here);
  for (size_t i = 0; i < COUNT; i++) {
    EXPECT(journal_times(i) <= (i < COUNT / 2), "finalizer %zu ran %zu times", i, journal_times(i));
    if (journal_exact(&here) && i < COUNT / 2) EXPECT(journal_times(i) == 1, "finalizer %zu did not run", i);
  }
  size_t before = world_statistics(&here).live_objects;
  world_collect(&here);
  journal_run_all(&here);
  if (journal_exact(&here)) {
    ck_assert_uint_eq(journal.count, COUNT / 2);
    ck_assert_uint_lt(world_statistics(&here).live_objects, before);
  }
  journal_drop(&here, COUNT / 2, COUNT / 2);
  world_collect(&here);
  journal_run_all(&here);
  if (journal_exact(&here)) ck_assert_uint_eq(journal.count, COUNT);
  ck_assert_uint_eq(world_statistics(&here).finalizers_run, journal.count);
  ck_assert_uint_eq(world_statistics(&here).finalizers_queued, journal.count);
  world_close(&here);
}
END_TEST

/* An object that its finalizer makes reachable again stays; one that registers itself again is finalized again. */
START_TEST(resurrection_and_registering_again) {
  world here;
  journal_begin(&here, _i, NULL);
  journal_make_all(&here, journal_define_thing(&here), COUNT);
  for (size_t i = 0; i < COUNT; i++) midden_finalizer_add(here.mutator, (void *)here.slots[i], journal_finalize, &journal);
  journal_drop(&here, 0, COUNT);
  journal.keeps = journal.again = true;
  world_collect(&here);
  journal_run_all(&here);
  size_t first = journal.count;
  if (journal_exact(&here)) ck_assert_uint_eq(first, COUNT);
  journal.keeps = false;
  world_collect(&here);
  journal_run_all(&here);
  ck_assert_uint_eq(journal.count, first + (journal_exact(&here) ? 0 : journal.count - first));
  for (size_t i = 0; i < COUNT; i++) {
    const thing *kept = (const thing *)here.slots[2000 + i];
    if (kept) EXPECT_LEAF((const void *)kept->leaf, TARGET_BYTES, i);
  }
  journal_drop(&here, 2000, COUNT);
  journal.again = false;
  world_collect(&here);
  journal_run_all(&here);
  if (journal_exact(&here)) for (size_t i = 0; i < COUNT; i++) EXPECT(journal_times(i) == 2, "finalizer %zu ran %zu times", i, journal_times(i));
  world_close(&here);
}
END_TEST

/* Short weak references are cleared before, long ones and ephemerons by key after what is finalized is gone. */
START_TEST(weak_references_and_resurrection) {
  world here;
  journal_begin(&here, _i, NULL);
  static midden_word brief, lasting;
  midden_kind table = journal_define(&here, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS});
  journal_make(&here, journal_define_thing(&here), 1);
  midden_finalizer_add(here.mutator, (void *)here.slots[1], journal_finalize, &journal);
  here.slots[9] = (uintptr_t)midden_alloc_sized(here.mutator, table, 2 * sizeof(midden_word));
  void *value = world_leaf(&here, TARGET_BYTES, 77);
  midden_word *entry = (midden_word *)here.slots[9];
  midden_store(here.mutator, entry, &entry[1], value);
  midden_store_word(here.mutator, entry, &entry[0], here.slots[1]);
  brief = lasting = here.slots[1];
  midden_weak_add(here.heap, &brief, MIDDEN_WEAK_SHORT);
  midden_weak_add(here.heap, &lasting, MIDDEN_WEAK_LONG);
  journal_drop(&here, 1, 1);
  world_collect(&here);
  entry = (midden_word *)here.slots[9];
  if (midden_finalizers_waiting(here.heap) > 0) {
    ck_assert_uint_eq(brief, 0);
    ck_assert_uint_ne(lasting, 0);
    ck_assert_uint_eq(entry[0], lasting);
    EXPECT_LEAF((const void *)entry[1], TARGET_BYTES, 77);
  }
  if (journal_exact(&here)) ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 1);
  journal_run_all(&here);
  world_collect(&here);
  if (journal_exact(&here)) {
    ck_assert_uint_eq(journal.count, 1);
    ck_assert_uint_eq(lasting, 0);
    ck_assert_uint_eq(((midden_word *)here.slots[9])[0], 0);
    ck_assert_uint_eq(((midden_word *)here.slots[9])[1], 0);
  }
  world_close(&here);
}
END_TEST

/* A kind's finalizer: each object of it, small and large, has one from its allocation on. */
START_TEST(kinds_with_a_finalizer) {
  world here;
  journal_begin(&here, _i, NULL);
  midden_kind fixed = journal_define(&here, &(midden_shape){.name = "fixed", .size = sizeof(thing), .refs = MIDDEN_REFS_ALL,
                                                    .finalizer = journal_finalize, .finalizer_context = &journal});
  midden_kind sized = journal_define(&here, &(midden_shape){.name = "sized", .refs = MIDDEN_REFS_ALL, .finalizer = journal_finalize,
                                                    .finalizer_context = &journal, .flags = MIDDEN_KIND_FINALIZER_ORDERED});
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 2) {
      journal_make(&here, sized, i);
    } else {
      here.slots[i] = (uintptr_t)midden_alloc(here.mutator, fixed);
      ck_assert_uint_ne(here.slots[i], 0);
      ((thing *)here.slots[i])->number = immediate(i);
      void *leaf = world_leaf(&here, TARGET_BYTES, i);
      thing *made = (thing *)here.slots[i];
      midden_store(here.mutator, made, &made->leaf, leaf);
    }
  }
  ck_assert_uint_eq(world_statistics(&here).finalizers_registered, COUNT);
  world_collect(&here);
  ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  journal_drop(&here, 0, COUNT);
  world_collect(&here);
  journal_run_all(&here);
  world_collect(&here);
  journal_run_all(&here);
  for (size_t i = 0; i < COUNT; i++) {
    if (journal_exact(&here)) EXPECT(journal_times(i) == 1, "finalizer %zu ran %zu times", i, journal_times(i));
    EXPECT(journal_times(i) <= 1, "finalizer %zu ran %zu times", i, journal_times(i));
  }
  world_close(&here);
}
END_TEST

/* In minor collections: young ones are found, old ones are left until a full one. */
START_TEST(minor_collections) {
  world here;
  journal_begin(&here, _i, NULL);
  midden_kind kind = journal_define_thing(&here);
  journal_make_all(&here, kind, COUNT);
  for (size_t i = 0; i < COUNT; i++) midden_finalizer_add(here.mutator, (void *)here.slots[i], journal_finalize, &journal);
  journal_drop(&here, 0, COUNT / 2);
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
  bool calm = here.combination->stress == MIDDEN_STRESS_OFF;
  if (journal_exact(&here) && calm) ck_assert_uint_eq(midden_finalizers_waiting(here.heap), COUNT / 2);
  journal_run_all(&here);
  journal_drop(&here, COUNT / 2, COUNT / 2);
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
  if (calm) ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  journal_run_all(&here);
  world_collect(&here);
  journal_run_all(&here);
  if (journal_exact(&here)) ck_assert_uint_eq(journal.count, COUNT);
  world_close(&here);
}
END_TEST

START_TEST(removing_and_misuse) {
  world here;
  journal_begin(&here, _i, NULL);
  journal_make_all(&here, journal_define_thing(&here), 3);
  for (size_t i = 0; i < 3; i++) midden_finalizer_add(here.mutator, (void *)here.slots[i], journal_finalize, &journal);
  world_collect(&here);
  void *middle = (void *)here.slots[1];
  ck_assert_int_eq(midden_finalizer_remove(here.mutator, middle, journal_finalize, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_remove(here.mutator, middle, journal_finalize, &journal), MIDDEN_OK);
  ck_assert_int_eq(midden_finalizer_remove(here.mutator, middle, journal_finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, NULL, journal_finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, (char *)middle + 8, journal_finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, &here, journal_finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, middle, NULL, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(NULL, middle, journal_finalize, &journal), MIDDEN_MISUSE);
  ck_assert_uint_eq(midden_finalizers_run(NULL, 1), 0);
  ck_assert_uint_eq(world_statistics(&here).finalizers_registered, 2);
  middle = NULL;
  journal_drop(&here, 0, 3);
  world_collect(&here);
  journal_run_all(&here);
  ck_assert_uint_eq(journal_times(1), 0);
  world_close(&here);
}
END_TEST

/* The heap's references may all be tagged: registrations hold objects all the same. */
START_TEST(tagged_references) {
  world here;
  midden_config config = combination_config(_i);
  config.references.low_tags = 1 << 3 | 1 << 5;
  config.references.high_mask = config.references.high_match = UINT64_C(0xfff) << 52;
  world_open_config(&here, _i, &config);
  const uintptr_t tag = 5 | UINT64_C(0xfff) << 52;
  journal = (struct journal){.here = &here};
  for (size_t i = 0; i < COUNT; i++) {
    uintptr_t *made = midden_alloc(here.mutator, here.pair);
    here.slots[i] = (uintptr_t)made + tag;
    made[0] = (uintptr_t)made + tag; /* to itself */
    made[1] = immediate(i);
    midden_written(here.mutator, made, made, 2);
    if (i % 2) midden_finalizer_add_ordered(here.mutator, made, finalize_tagged, &journal);
    else midden_finalizer_add(here.mutator, made, finalize_tagged, &journal);
  }
  world_collect(&here);
  ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  journal_drop(&here, 0, COUNT);
  world_collect(&here);
  world_churn(&here, 30);
  world_collect(&here);
  journal_run_all(&here);
  if (journal_exact(&here)) ck_assert_uint_eq(journal.count, COUNT);
  for (size_t i = 0; i < COUNT; i++) EXPECT(journal_times(i) <= 1, "finalizer %zu ran %zu times", i, journal_times(i));
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {each_runs_once, ANYWHERE},
      {resurrection_and_registering_again, ANYWHERE},
      {weak_references_and_resurrection, ANYWHERE},
      {kinds_with_a_finalizer, ANYWHERE},
      {minor_collections, GENERATIONAL},
      {removing_and_misuse, ANYWHERE},
      {tagged_references, ANYWHERE},
  };
  return run_combinations("conformance_finalizers", tests, COUNT_OF(tests));
}
