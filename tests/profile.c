/* The allocation profile: which objects are sampled, what they stand for, when they die, the guest's calls, and what
 * goes wrong with files. What is in the file is read by profile/check.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

static midden_profile_totals read_profile(world *here, midden_kind kind) {
  midden_profile_totals totals;
  ck_assert_int_eq(midden_profile_read(here->heap, kind.id, &totals), MIDDEN_OK);
  return totals;
}

static const midden_kind all_kinds = {0, 0, 0};

static bool near(double found, double right) { return fabs(found - right) <= right * 1e-6 + 0.5; }

/* With an interval of one byte every object is a sample that stands for itself: the profile is what the statistics say,
 * after any allocations and collections. */
START_TEST(each_object_is_counted) {
  world here;
  world_open(&here, _i, "profile=1");
  uint64_t random = 11;
  size_t rounds = world_count(&here, 3000, 200);
  for (size_t i = 0; i < rounds; i++) {
    size_t slot = test_random_below(&random, 300);
    switch (test_random_below(&random, 8)) {
      case 0: world_list(&here, slot, 3); break;
      case 1: here.slots[slot] = (uintptr_t)world_leaf(&here, 24 + test_random_below(&random, 3000), i); break;
      case 2: here.slots[slot] = 0; break;
      case 3: if (i % 50 == 3) here.slots[slot] = (uintptr_t)world_leaf(&here, 40000 + 100 * i, i); break;
      case 4: if (i % 10 == 4) midden_collect(here.mutator, i % 20 == 4 ? MIDDEN_FULL : MIDDEN_MINOR); break;
      default: here.slots[slot] = (uintptr_t)world_pair(&here);
    }
  }
  midden_statistics figures = world_statistics(&here);
  midden_profile_totals totals = read_profile(&here, all_kinds);
  EXPECT(totals.samples == figures.allocations, "%llu samples of %llu objects", (unsigned long long)totals.samples,
         (unsigned long long)figures.allocations);
  EXPECT(near(totals.objects, (double)figures.allocations), "%f objects", totals.objects);
  EXPECT(near(totals.bytes, (double)figures.allocated_bytes), "%f of %llu bytes", totals.bytes,
         (unsigned long long)figures.allocated_bytes);
  world_collect(&here);
  figures = world_statistics(&here);
  totals = read_profile(&here, all_kinds);
  size_t live = here.combination->collects ? figures.live_objects : (size_t)figures.allocations;
  EXPECT(totals.live_samples == live, "%llu samples of %zu live objects", (unsigned long long)totals.live_samples, live);
  EXPECT(near(totals.live_bytes, (double)figures.used_bytes), "%f of %zu live bytes", totals.live_bytes, figures.used_bytes);
  midden_usage usage;
  ck_assert_int_eq(midden_usage_of_kind(here.heap, here.pair.id, &usage), MIDDEN_OK);
  totals = read_profile(&here, here.pair);
  ck_assert_uint_eq(totals.live_samples, usage.objects);
  ck_assert_uint_eq(totals.samples, usage.allocations);
  midden_identity_hash(here.mutator, (void *)here.slots[0]); /* the other side tables are not disturbed */
  world_close(&here);
}
END_TEST

/* What is estimated lies where it must: the number of samples of n cells is binomial, and the estimate is that number
 * divided by p. Five standard deviations; the samples are the same in each run. */
START_TEST(estimates_are_right) {
  world here;
  world_open(&here, _i, "profile=2K");
  static const size_t sizes[] = {16, 48, 512, 2048, 30000, 50000};
  midden_kind kinds[COUNT_OF(sizes)];
  double counts[COUNT_OF(sizes)];
  uint64_t random = 4;
  for (size_t k = 0; k < COUNT_OF(sizes); k++) {
    char name[16];
    snprintf(name, sizeof name, "of %zu", sizes[k]);
    midden_shape shape = {.name = name, .size = sizes[k]};
    kinds[k] = midden_kind_define(here.heap, &shape, NULL);
    counts[k] = 0;
  }
  for (size_t i = 0; i < 60000; i++) {
    size_t k = i % 100 ? test_random_below(&random, 4) : 4 + i / 100 % 2;
    ck_assert_ptr_nonnull(midden_alloc(here.mutator, kinds[k]));
    if (i % 5000 == 0) world_verify(&here); /* runs are given back in between */
    counts[k]++;
  }
  for (size_t k = 0; k < COUNT_OF(sizes); k++) {
    midden_profile_totals totals = read_profile(&here, kinds[k]);
    double size = (double)midden_good_size(sizes[k]), p = 1 - exp(-size / 2048), count = counts[k];
    double deviation = sqrt(count * p * (1 - p));
    EXPECT(fabs((double)totals.samples - count * p) <= 5 * deviation + 1, "%llu samples of size %zu instead of %.1f ± %.1f",
           (unsigned long long)totals.samples, sizes[k], count * p, deviation);
    EXPECT(near(totals.objects, (double)totals.samples / p), "%f objects", totals.objects);
    EXPECT(near(totals.bytes, totals.objects * size), "%f bytes", totals.bytes);
    EXPECT(fabs(totals.objects - count) <= 5 * deviation / p + 1, "%f objects of size %zu, not %f", totals.objects, sizes[k], count);
  }
  world_close(&here);
}
END_TEST

/* The rests of runs, given back again and again, are not counted as allocated. */
START_TEST(rests_of_runs_do_not_count) {
  world here;
  world_open(&here, _i, "profile=2K");
  double objects = 0;
  for (int round = 0; round < 800; round++) {
    for (int i = 0; i < 3; i++, objects++) midden_alloc(here.mutator, here.pair);
    world_verify(&here);
    if (round % 100 == 0) midden_collect(here.mutator, MIDDEN_FULL);
  }
  double p = 1 - exp(-16.0 / 2048), samples = (double)read_profile(&here, here.pair).samples;
  ck_assert_msg(fabs(samples - objects * p) <= 5 * sqrt(objects * p), "%f samples, not %f", samples, objects * p);
  world_close(&here);
}
END_TEST

/* A mutator holds runs of so many lists only, and gives one back for another. (Once that went unnoticed by the profile,
 * which then took a hundred times too many samples.) */
START_TEST(more_lists_than_a_mutator_holds) {
  enum { KINDS = 150 };
  world here;
  world_open(&here, _i, "profile=2K");
  midden_kind kinds[KINDS];
  for (size_t k = 0; k < KINDS; k++) {
    char name[16];
    snprintf(name, sizeof name, "kind %zu", k);
    midden_shape shape = {.name = name, .size = 16};
    kinds[k] = midden_kind_define(here.heap, &shape, NULL);
  }
  double objects = 0;
  for (int round = 0; round < 100; round++) {
    for (size_t k = 0; k < KINDS; k++, objects++) midden_alloc(here.mutator, kinds[k]);
  }
  double p = 1 - exp(-16.0 / 2048), samples = (double)read_profile(&here, all_kinds).samples;
  ck_assert_msg(fabs(samples - objects * p) <= 5 * sqrt(objects * p), "%f samples, not %f", samples, objects * p);
  world_close(&here);
}
END_TEST

static uint64_t samples_of_a_run(int index) {
  world here;
  world_open(&here, index, "profile=4K");
  uint64_t hash = 0, random = 9;
  for (size_t i = 0; i < 5000; i++) {
    here.slots[i % 100] = (uintptr_t)world_leaf(&here, 8 + test_random_below(&random, 400), i);
    hash = hash * 31 + read_profile(&here, all_kinds).samples;
  }
  ck_assert_uint_gt(read_profile(&here, all_kinds).samples, 100);
  world_close(&here);
  return hash;
}

START_TEST(samples_are_the_same_again) { ck_assert_uint_eq(samples_of_a_run(_i), samples_of_a_run(_i)); }
END_TEST

/* Several mutators, some of which go: each has cursors of its own. */
START_TEST(mutators_come_and_go) {
  world here;
  world_open(&here, _i, "profile=1K");
  size_t allocated = 0;
  for (int round = 0; round < 40; round++) {
    midden_mutator *others[3];
    for (size_t m = 0; m < COUNT_OF(others); m++) others[m] = midden_attach(here.heap, &here, NULL);
    for (size_t i = 0; i < 600; i++, allocated++) midden_alloc(others[i % 3], here.pair);
    for (size_t m = 0; m < COUNT_OF(others); m++) ck_assert_int_eq(midden_detach(others[m]), MIDDEN_OK);
  }
  double p = 1 - exp(-16.0 / 1024), expected = (double)allocated * p;
  double samples = (double)read_profile(&here, here.pair).samples;
  ck_assert_msg(fabs(samples - expected) <= 5 * sqrt(expected), "%f samples, not %f", samples, expected);
  world_close(&here);
}
END_TEST

/* ---- the guest's calls ---- */

typedef struct guest {
  world *here;
  size_t calls, depth;
} guest;

static size_t tell_stack(void *context, midden_mutator *mutator, midden_guest_frame *frames, size_t capacity) {
  guest *told = context;
  told->calls++;
  midden_statistics untouched = {.allocations = 77};
  midden_statistics_read(told->here->heap, &untouched);
  EXPECT(midden_alloc(mutator, told->here->vector) == NULL, "the guest could allocate");
  EXPECT(midden_collect(mutator, MIDDEN_FULL) == MIDDEN_MISUSE, "the guest could collect");
  EXPECT(midden_heap_close(told->here->heap) == MIDDEN_MISUSE, "the guest could close the heap");
  for (size_t i = 0; i < told->depth && i < capacity; i++) frames[i] = (midden_guest_frame){"f", "f.scm", (int64_t)i};
  return told->depth; /* may be more than there is room for */
}

START_TEST(the_guest_is_asked_for_samples_only) {
  world here;
  world_open(&here, _i, "profile=1K");
  guest told = {&here, 0, 3};
  ck_assert_int_eq(midden_profile_guest(here.heap, tell_stack, &told), MIDDEN_OK);
  for (size_t depth = 0; depth < 200; depth = depth * 3 + 1) {
    told.depth = depth;
    for (size_t i = 0; i < 100; i++) world_list(&here, i, 3);
  }
  ck_assert_uint_gt(told.calls, 5);
  ck_assert_uint_eq(told.calls, read_profile(&here, all_kinds).samples);
  ck_assert_int_eq(midden_profile_guest(here.heap, NULL, NULL), MIDDEN_OK);
  size_t calls = told.calls;
  for (size_t i = 0; i < 500; i++) world_list(&here, i, 3);
  ck_assert_uint_eq(told.calls, calls);
  ck_assert_uint_gt(read_profile(&here, all_kinds).samples, calls);
  world_close(&here);
}
END_TEST

/* ---- writing ---- */

typedef struct sink {
  size_t bytes, most;
  world *here;
} sink;

static bool swallow(void *context, const char *bytes, size_t count) {
  sink *into = context;
  (void)bytes;
  if (into->bytes + count > into->most) return false;
  into->bytes += count;
  return midden_collect(into->here->mutator, MIDDEN_FULL) == MIDDEN_MISUSE; /* the heap is not to be used meanwhile */
}

START_TEST(writers_may_fail_anywhere) {
  world here;
  world_open(&here, _i, "profile=1K");
  for (size_t i = 0; i < 200; i++) world_list(&here, i, 3);
  sink whole = {0, SIZE_MAX, &here};
  midden_writer writer = {swallow, &whole};
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_profile_write(here.heap, &writer, &error), MIDDEN_OK);
  ck_assert_str_eq(error.message, "");
  for (size_t most = 0; most < whole.bytes - 20; most += 1 + whole.bytes / 40) {
    sink part = {0, most, &here};
    writer.context = &part;
    ck_assert_int_eq(midden_profile_write(here.heap, &writer, &error), MIDDEN_IO_ERROR);
    ck_assert_ptr_nonnull(strstr(error.message, "the profile"));
  }
  world_close(&here);
}
END_TEST

START_TEST(files_may_fail) {
  world here;
  world_open(&here, _i, "profile=1K");
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_profile_save(here.heap, "/no/such/directory/p", &error), MIDDEN_IO_ERROR);
  ck_assert_ptr_nonnull(strstr(error.message, "/no/such/directory/p"));
  if (access("/dev/full", W_OK) == 0) {
    ck_assert_int_eq(midden_profile_save(here.heap, "/dev/full", &error), MIDDEN_IO_ERROR);
  }
  ck_assert_int_eq(midden_profile_save(here.heap, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_profile_write(here.heap, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_profile_write(NULL, NULL, &error), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_profile_read(here.heap, 999, NULL), MIDDEN_BAD_ARGUMENT);
  midden_profile_totals totals;
  ck_assert_int_eq(midden_profile_read(here.heap, 999, &totals), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_profile_read(NULL, 0, &totals), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_profile_guest(NULL, NULL, NULL), MIDDEN_MISUSE);
  world_close(&here);
  world_open(&here, _i, NULL); /* no profile */
  ck_assert_int_eq(midden_profile_read(here.heap, 0, &totals), MIDDEN_UNSUPPORTED);
  ck_assert_int_eq(midden_profile_save(here.heap, "/tmp/none", &error), MIDDEN_UNSUPPORTED);
  ck_assert_int_eq(midden_profile_guest(here.heap, tell_stack, NULL), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* What an option names is opened with the heap, so that a mistake shows at once. */
START_TEST(a_heap_needs_its_files) {
  static const char *const options[] = {"profile=1K:/no/such/directory/p", "timeline=/no/such/directory/t"};
  for (size_t i = 0; i < COUNT_OF(options); i++) {
    midden_config config = MIDDEN_CONFIG_DEFAULT;
    midden_heap *heap = NULL;
    midden_error error = {MIDDEN_OK, ""};
    ck_assert_int_eq(midden_config_parse(&config, options[i], &error), MIDDEN_OK);
    ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_IO_ERROR);
    ck_assert_ptr_null(heap);
    ck_assert_ptr_nonnull(strstr(error.message, "/no/such/directory/"));
  }
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {each_object_is_counted, ANYWHERE},
      {estimates_are_right, CALM},
      {rests_of_runs_do_not_count, CALM},
      {more_lists_than_a_mutator_holds, CALM},
      {samples_are_the_same_again, CALM},
      {mutators_come_and_go, MILD},
      {the_guest_is_asked_for_samples_only, CALM},
      {writers_may_fail_anywhere, CALM | PRECISE},
      {files_may_fail, CALM | PRECISE},
      {a_heap_needs_its_files, CALM | PRECISE},
  };
  return run_combinations("profile", tests, COUNT_OF(tests));
}
