/* Conformance: finalizers in order. Dependants come first, cycles are reported and broken, and closing keeps to it. */
#include <string.h>

#include "finalizer_journal.h"

/* A chain in order takes a collection for each; it is read from both ends, across what has no finalizer. */
START_TEST(dependants_come_first) {
  world here;
  journal_begin(&here, _i, NULL);
  midden_kind kind = journal_define_thing(&here);
  enum { CHAIN = 6 };
  for (size_t i = 0; i < 2 * CHAIN; i++) journal_make(&here, kind, i);
  for (size_t i = 0; i + 1 < 2 * CHAIN; i++) journal_link(&here, i, i + 1); /* even ones are to be finalized */
  for (size_t i = 0; i < 2 * CHAIN; i += 2) {
    journal_link(&here, i + 1, i); /* what is in between leads back: no cycle, for it has no finalizer */
    size_t which = i % 4 ? i : 2 * CHAIN - 4 - i;
    midden_finalizer_add_ordered(here.mutator, (void *)here.slots[which], journal_finalize, &journal);
  }
  journal_drop(&here, 0, 2 * CHAIN);
  for (size_t round = 0; round < CHAIN; round++) {
    size_t before = journal.count;
    world_collect(&here);
    EXPECT(midden_finalizers_waiting(here.heap) <= 1 || here.combination->stress != MIDDEN_STRESS_OFF, "two at once");
    journal_run_all(&here);
    if (journal_exact(&here)) EXPECT(journal.count > before, "round %zu", round);
  }
  for (size_t i = 1; i < journal.count; i++) EXPECT(journal.numbers[i - 1] < journal.numbers[i], "order at %zu", i);
  if (journal_exact(&here)) ck_assert_uint_eq(journal.count, CHAIN);
  ck_assert_uint_eq(world_statistics(&here).finalizer_cycles, 0);
  world_close(&here);
}
END_TEST

static size_t reports;
static void count_report(void *context, const char *line) {
  (void)context;
  reports += strstr(line, "ordered finalizers") != NULL;
}

/* A cycle of three with one behind it and one before it: reported, broken at the oldest, all run in the end. */
START_TEST(cycles_are_broken) {
  world here;
  midden_config config = combination_config(_i);
  config.report = count_report;
  world_open_config(&here, _i, &config);
  journal = (struct journal){.here = &here};
  midden_kind kind = journal_define_thing(&here);
  reports = 0;
  journal_make_all(&here, kind, 6);
  journal_link(&here, 0, 1); /* 0 -> (1 -> 2 -> 3 -> 1) -> 4; 5 leads to itself only */
  journal_link(&here, 1, 2);
  journal_link(&here, 2, 3);
  journal_link(&here, 3, 1);
  journal_link(&here, 3, 4);
  journal_link(&here, 5, 5);
  for (size_t i = 6; i-- > 0;) midden_finalizer_add_ordered(here.mutator, (void *)here.slots[i], journal_finalize, &journal);
  journal_drop(&here, 0, 6);
  for (size_t round = 0; round < 6; round++) {
    world_collect(&here);
    journal_run_all(&here);
  }
  if (journal_exact(&here)) {
    ck_assert_uint_eq(journal.count, 6);
    ck_assert_uint_gt(journal_place(3), journal_place(0));
    ck_assert_uint_gt(journal_place(2), journal_place(3)); /* by age; with 3 gone, 2 and 1 are still a cycle */
    ck_assert_uint_gt(journal_place(1), journal_place(2));
    ck_assert_uint_gt(journal_place(4), journal_place(1));
    ck_assert_uint_eq(world_statistics(&here).finalizer_cycles, 2);
    ck_assert_uint_eq(reports, 2);
  }
  for (size_t i = 0; i < 6; i++) EXPECT(journal_times(i) <= 1, "finalizer %zu ran %zu times", i, journal_times(i));
  world_close(&here);
}
END_TEST

/* What a finalizer without order reaches waits for it, too. */
START_TEST(unordered_before_ordered) {
  world here;
  journal_begin(&here, _i, NULL);
  journal_make_all(&here, journal_define_thing(&here), 2);
  journal_link(&here, 0, 1);
  midden_finalizer_add_ordered(here.mutator, (void *)here.slots[1], journal_finalize, &journal);
  midden_finalizer_add(here.mutator, (void *)here.slots[0], journal_finalize, &journal);
  journal_drop(&here, 0, 2);
  for (size_t round = 0; round < 3; round++) {
    world_collect(&here);
    journal_run_all(&here);
  }
  if (journal_exact(&here)) {
    ck_assert_uint_eq(journal.count, 2);
    ck_assert_uint_eq(journal.numbers[0], 0);
  }
  world_close(&here);
}
END_TEST

/* At the end: run, dependants first and whatever is reachable; or dropped. */
START_TEST(at_close) {
  for (size_t runs = 0; runs < 2; runs++) {
    world here;
    journal_begin(&here, _i, runs ? "finalizers=run" : "finalizers=drop");
    journal_make_all(&here, journal_define_thing(&here), COUNT);
    for (size_t i = 0; i + 1 < COUNT; i++) journal_link(&here, i, i + 1);
    for (size_t i = COUNT; i-- > 0;) {
      midden_finalizer_add_ordered(here.mutator, (void *)here.slots[i], journal_finalize, &journal);
    }
    journal.again = true; /* has no effect any more */
    world_close(&here);
    ck_assert_uint_eq(journal.count, runs ? COUNT : 0);
    for (size_t i = 0; i < journal.count; i++) EXPECT(journal.numbers[i] == i, "%zu ran as number %zu", journal.numbers[i], i);
  }
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {dependants_come_first, COLLECTING},
      {cycles_are_broken, COLLECTING},
      {unordered_before_ordered, COLLECTING},
      {at_close, ANYWHERE},
  };
  return run_combinations("conformance_finalizer_order", tests, COUNT_OF(tests));
}
