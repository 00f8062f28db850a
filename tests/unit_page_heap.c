/* Unit: the page heap against a naive one: an array with a state for each page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alloc/space.h"
#include "counting_memory.h"
#include "harness.h"
#include "heap/heap.h"

enum { PAGES = 1700, LIMIT = 900, RUNS = 400, MARK = 0x5a };

enum page_state { VIRGIN, TAKEN, DIRTY, CLEAN };

typedef struct naive {
  struct space space;
  counting_memory memory;
  unsigned char states[PAGES];
  struct {
    size_t first, count;
  } runs[RUNS];
  size_t run_count;
  size_t frontier;
} naive;

static naive *open_both(size_t limit_pages) {
  static naive here;
  memset(&here, 0, sizeof here);
  counting_memory_open(&here.memory);
  ck_assert_int_eq(mdn_space_open(&here.space, &here.memory.face, PAGES * PAGE_BYTES, PAGES * PAGE_BYTES,
                                  limit_pages * PAGE_BYTES, false),
                   MIDDEN_OK);
  return &here;
}

static void close_both(naive *here) {
  mdn_space_close(&here->space);
  ck_assert_uint_eq(here->memory.reservations, 0);
  ck_assert_uint_eq(here->memory.violations, 0);
}

static unsigned char *page_at(const naive *here, size_t page) {
  return (unsigned char *)here->space.base + page * PAGE_BYTES;
}

static size_t count_state(const naive *here, enum page_state state) {
  size_t count = 0;
  for (size_t i = 0; i < PAGES; i++) count += here->states[i] == state;
  return count;
}

/* The lowest run of free pages below the frontier, else the frontier. */
static size_t naive_find(const naive *here, size_t count) {
  size_t run = 0;
  for (size_t page = 0; page < here->frontier; page++) {
    run = here->states[page] == DIRTY || here->states[page] == CLEAN ? run + 1 : 0;
    if (run == count) return page + 1 - count;
  }
  return here->frontier;
}

static void check_counters(const naive *here) {
  const struct page_heap *heap = &here->space.pages;
  EXPECT(heap->used_pages == count_state(here, TAKEN), "%zu used pages", heap->used_pages);
  EXPECT(heap->dirty_pages == count_state(here, DIRTY), "%zu dirty pages", heap->dirty_pages);
  EXPECT(heap->used_pages <= heap->limit_pages && heap->used_pages + heap->dirty_pages <= page_heap_most_backed(heap), "above the limit");
  EXPECT(heap->frontier == here->frontier, "frontier %zu, not %zu", heap->frontier, here->frontier);
  for (size_t page = 0; page < here->frontier; page++) {
    bool is_free = here->states[page] == DIRTY || here->states[page] == CLEAN;
    EXPECT(bitmap_test(heap->summary.free, page) == is_free, "page %zu", page);
  }
}

/* Pages that went back to the system on the way, seen by their decommits. */
static void note_returns(naive *here) {
  const struct page_heap *heap = &here->space.pages;
  for (size_t page = 0; page < here->frontier; page++)
    if (here->states[page] == DIRTY && !bitmap_test(heap->dirty, page)) here->states[page] = CLEAN;
}

static bool reads_zero(const naive *here, size_t first, size_t count) {
  const unsigned char *bytes = page_at(here, first);
  for (size_t i = 0; i < count * PAGE_BYTES; i += 512)
    if (bytes[i] != 0) return false;
  return true;
}

/* Pages go back when new ones are backed, and as many as the goal asks for, or the limit; never otherwise. */
static void check_goal(const struct page_heap *heap, bool backed, uint64_t returned_before) {
  size_t backed_pages = heap->used_pages + heap->dirty_pages;
  if (!backed) EXPECT(heap->returned_pages == returned_before, "pages went back, and no new ones were backed");
  if (!backed || heap->goal_pages == 0) return;
  EXPECT(backed_pages <= heap->goal_pages + page_heap_slack(heap, 1) || heap->dirty_pages == 0,
         "%zu pages are backed, %zu of them free, with a goal of %zu", backed_pages, heap->dirty_pages, heap->goal_pages);
}

static void take(naive *here, size_t count) {
  bool zero = false, backed = false;
  size_t expected = naive_find(here, count);
  uint64_t returned = here->space.pages.returned_pages;
  for (size_t page = expected; page < expected + count && page < PAGES; page++) {
    backed |= here->states[page] == CLEAN || here->states[page] == VIRGIN;
  }
  size_t first = mdn_page_heap_take(&here->space.pages, count, &zero);
  note_returns(here);
  check_goal(&here->space.pages, first != NO_PAGE && backed, returned);
  if (first == NO_PAGE) {
    bool frontier_full = expected == here->frontier && here->frontier + count > PAGES;
    EXPECT(frontier_full || count_state(here, TAKEN) + count > LIMIT, "%zu pages were refused", count);
    return;
  }
  EXPECT(first == expected, "%zu pages at %zu, not %zu", count, first, expected);
  for (size_t page = first; page < first + count; page++) {
    EXPECT(here->states[page] != TAKEN, "page %zu was taken twice", page);
    here->states[page] = TAKEN;
  }
  if (first + count > here->frontier) here->frontier = first + count;
  if (zero) EXPECT(reads_zero(here, first, count), "pages %zu + %zu are said to be zero", first, count);
  memset(page_at(here, first), MARK, count * PAGE_BYTES);
  here->runs[here->run_count].first = first;
  here->runs[here->run_count++].count = count;
}

/* Gives back a run, or a part of it, as spans of other sizes would. */
static void give(naive *here, size_t chosen, uint64_t now) {
  size_t first = here->runs[chosen].first, count = here->runs[chosen].count;
  for (size_t page = first; page < first + count; page++)
    EXPECT(page_at(here, page)[17] == MARK, "page %zu lost its content", page);
  mdn_page_heap_give(&here->space.pages, first, count, now);
  memset(&here->states[first], DIRTY, count);
  here->runs[chosen] = here->runs[--here->run_count];
}

START_TEST(random_against_naive) {
  for (uint64_t seed = 1; seed <= (long_tests() ? 200 : 12); seed++) {
    uint64_t random = seed, now = 100;
    naive *here = open_both(LIMIT);
    for (int step = 0; step < 1500; step++) {
      size_t choice = test_random_below(&random, 100);
      if (seed % 2 && step % 100 == 0) here->space.pages.goal_pages = test_random_below(&random, 2 * LIMIT);
      size_t most = seed % 3 == 0 ? 300 : 12;
      if (choice < 52 && here->run_count < RUNS) take(here, 1 + test_random_below(&random, most));
      else if (choice < 98 && here->run_count > 0) give(here, test_random_below(&random, here->run_count), now++);
      else if (choice >= 98) {
        size_t dirty = here->space.pages.dirty_pages, returned = mdn_page_heap_return(&here->space.pages, now);
        EXPECT(dirty - here->space.pages.dirty_pages == returned, "%zu pages returned", returned);
        note_returns(here);
      }
      if (step % 10 == 0) check_counters(here);
    }
    while (here->run_count > 0) give(here, here->run_count - 1, now);
    check_counters(here);
    /* Coalesced: all of it is one run again. */
    bool zero;
    if (here->frontier <= LIMIT) ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, here->frontier, &zero), 0);
    else ck_assert_uint_eq(here->space.pages.summary.tree[1].longest, here->frontier);
    close_both(here);
  }
}
END_TEST

/* Only pages freed before the given time go back. */
START_TEST(returning_by_age) {
  naive *here = open_both(LIMIT);
  bool zero;
  size_t first = mdn_page_heap_take(&here->space.pages, 600, &zero);
  ck_assert_uint_eq(first, 0);
  mdn_page_heap_give(&here->space.pages, 0, 512, 1000);
  mdn_page_heap_give(&here->space.pages, 512, 88, 2000);
  ck_assert_uint_eq(mdn_page_heap_return(&here->space.pages, 999), 0);
  ck_assert_uint_eq(mdn_page_heap_return(&here->space.pages, 1500), 512);
  ck_assert_uint_eq(mdn_page_heap_return(&here->space.pages, 1500), 0);
  ck_assert_uint_eq(mdn_page_heap_return(&here->space.pages, UINT64_MAX), 88);
  ck_assert_uint_eq(here->space.pages.returned_pages, 600);
  ck_assert_uint_eq(here->space.pages.peak_pages, 600);
  close_both(here);
}
END_TEST

/* When the system refuses, nothing has changed, and the next request succeeds. */
START_TEST(refused_commits_change_nothing) {
  naive *here = open_both(LIMIT);
  bool zero;
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 3, &zero), 0);
  counting_memory_fail(&here->memory, 1, true);
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 500, &zero), NO_PAGE);
  ck_assert_uint_eq(here->space.pages.used_pages, 3);
  ck_assert_uint_eq(here->space.pages.frontier, 3);
  counting_memory_heal(&here->memory);
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 500, &zero), 3);
  ck_assert(zero);
  close_both(here);
}
END_TEST

START_TEST(the_limit_is_exact) {
  naive *here = open_both(LIMIT);
  bool zero;
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, LIMIT + 1, &zero), NO_PAGE);
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, LIMIT, &zero), 0);
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 1, &zero), NO_PAGE);
  mdn_page_heap_give(&here->space.pages, 10, 1, 1);
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 2, &zero), NO_PAGE);
  mdn_page_heap_give(&here->space.pages, 500, 1, 1);
  /* Two free pages apart: a run of two comes from beyond; what is backed may exceed the limit by a sixteenth. */
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 2, &zero), LIMIT);
  ck_assert_uint_le(here->space.pages.used_pages + here->space.pages.dirty_pages, LIMIT + LIMIT / 16);
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 1, &zero), NO_PAGE);
  close_both(here);
}
END_TEST

/* ---- the goal ---- */

/* Single pages, of which every second one is free again: what requests of more find no place in. post: the heap. */
static naive *open_scattered(size_t pages, size_t goal) {
  naive *here = open_both(LIMIT);
  bool zero;
  for (size_t i = 0; i < pages; i++) ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 1, &zero), i);
  for (size_t i = 0; i < pages; i += 2) mdn_page_heap_give(&here->space.pages, i, 1, 1);
  here->space.pages.goal_pages = goal;
  return here;
}

static void take_new(naive *here, size_t count) {
  bool zero = false;
  size_t frontier = here->space.pages.frontier;
  ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, count, &zero), frontier);
  ck_assert(zero);
}

START_TEST(without_a_goal_pages_are_kept) {
  naive *here = open_scattered(400, 0);
  for (size_t i = 0; i < 100; i++) take_new(here, 3);
  ck_assert_uint_eq(here->space.pages.returned_pages, 0);
  ck_assert_uint_eq(here->space.pages.dirty_pages, 200);
  close_both(here);
}
END_TEST

/* What is backed stays within the goal and its slack; from there, down to the goal, the highest first. */
START_TEST(scattered_pages_go_back_for_new_ones) {
  enum { GOAL = 420, LARGE = 16 };
  naive *here = open_scattered(400, GOAL);
  struct page_heap *heap = &here->space.pages;
  size_t most = GOAL + page_heap_slack(heap, LARGE), without = 0;
  ck_assert_uint_eq(page_heap_slack(heap, LARGE), 64);
  for (; heap->used_pages + heap->dirty_pages + LARGE <= most; without++) take_new(here, LARGE);
  ck_assert_uint_eq(without, 5);
  ck_assert_uint_eq(heap->returned_pages, 0);
  take_new(here, LARGE);
  ck_assert_uint_eq(heap->used_pages + heap->dirty_pages, GOAL);
  ck_assert_uint_eq(heap->returned_pages, 76);
  for (size_t i = 0; i < 400; i += 2) ck_assert_int_eq(bitmap_test(heap->dirty, i), i < 2 * (200 - 76));
  while (heap->used_pages + LARGE <= GOAL) {
    take_new(here, LARGE);
    ck_assert_uint_le(heap->used_pages + heap->dirty_pages, most);
  }
  close_both(here);
}
END_TEST

/* A request that is small says little about the gaps: it has four times the slack. (Without, a heap that is kept full of
 * objects of many sizes took twice the time.) */
START_TEST(small_requests_have_more_slack) {
  enum { GOAL = 420, SMALL = 15 };
  naive *here = open_scattered(400, GOAL);
  struct page_heap *heap = &here->space.pages;
  ck_assert_uint_eq(page_heap_slack(heap, SMALL), 256);
  while (heap->used_pages + heap->dirty_pages + SMALL <= GOAL + 256) take_new(here, SMALL);
  ck_assert_uint_eq(heap->returned_pages, 0);
  take_new(here, SMALL);
  ck_assert_uint_gt(heap->returned_pages, 0);
  close_both(here);
}
END_TEST

/* However far the goal is exceeded: who takes what is backed already has nothing returned. */
START_TEST(what_fits_returns_nothing) {
  naive *here = open_scattered(800, 10);
  bool zero;
  for (size_t i = 0; i < 400; i++) {
    ck_assert_uint_eq(mdn_page_heap_take(&here->space.pages, 1, &zero), 2 * i);
    ck_assert(!zero);
  }
  ck_assert_uint_eq(here->space.pages.returned_pages, 0);
  ck_assert_uint_eq(here->space.pages.used_pages, 800);
  close_both(here);
}
END_TEST

/* More is in use than the goal: all that is free goes, and pages are had as before. */
START_TEST(the_goal_refuses_nothing) {
  naive *here = open_scattered(400, 100);
  struct page_heap *heap = &here->space.pages;
  take_new(here, 3);
  ck_assert_uint_eq(heap->dirty_pages, 0);
  ck_assert_uint_eq(heap->returned_pages, 200);
  take_new(here, 500);
  ck_assert_uint_eq(heap->used_pages, 703);
  bool zero;
  ck_assert_uint_eq(mdn_page_heap_take(heap, 1, &zero), 0); /* clean: backed anew */
  ck_assert(zero);
  ck_assert_uint_eq(heap->returned_pages, 200);
  close_both(here);
}
END_TEST

/* A sixteenth of a large goal is slack. With the limit below the goal it is the limit that counts, and the other way round
 * the goal. */
START_TEST(the_goal_and_the_limit) {
  naive *here = open_scattered(880, 100 * LIMIT);
  struct page_heap *heap = &here->space.pages;
  ck_assert_uint_eq(page_heap_slack(heap, 100 * LIMIT), 100 * LIMIT / 16);
  take_new(here, 70); /* 950 of 956 */
  ck_assert_uint_eq(heap->returned_pages, 0);
  take_new(here, 10);
  ck_assert_uint_eq(heap->used_pages + heap->dirty_pages, LIMIT);
  heap->goal_pages = 600;
  take_new(here, 10);
  ck_assert_uint_eq(heap->used_pages + heap->dirty_pages, 600);
  bool zero;
  ck_assert_uint_eq(mdn_page_heap_take(heap, LIMIT, &zero), NO_PAGE);
  ck_assert_uint_eq(heap->used_pages + heap->dirty_pages, 600);
  close_both(here);
}
END_TEST

/* ---- what a heap sets it to ---- */

enum { LEAVES = 300, LEAF_BYTES = 8000, NURSERY = 1 << 20 };
static midden_word leaves[LEAVES];

static size_t goal_of(const midden_heap *heap) { return heap->core.space.pages.goal_pages << PAGE_SHIFT; }

/* What lives and what may be allocated on top: with growth=ratio:3, three times what lives, outside included. */
static void check_aim(midden_heap *heap, size_t external) {
  size_t live = heap->core.figures.live_bytes, expected = 3 * (live + external) - external;
  ck_assert_uint_ge(live, (size_t)LEAVES * LEAF_BYTES);
  if (heap->collector->capabilities & COLLECTOR_NEEDS_ROOM) expected += live; /* for the copies */
  if (heap->config.generational) expected += NURSERY;
  ck_assert_msg(goal_of(heap) <= expected && goal_of(heap) + PAGE_BYTES > expected, "%s: %zu, not %zu",
                midden_heap_config(heap)->collector, goal_of(heap), expected);
}

static void check_heaps_goal(const char *collector, bool generational) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_heap *heap;
  char options[160];
  snprintf(options, sizeof options, "collector=%s,generational=%s,nursery=1M,stack=precise,heap-initial=64K,growth=ratio:3,heap-limit=64M",
           collector, generational ? "yes" : "no");
  ck_assert_int_eq(midden_config_parse(&config, options, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_heap_open(&config, &heap, NULL), MIDDEN_OK);
  midden_mutator *mutator = midden_attach(heap, NULL, NULL);
  midden_kind kind = midden_kind_define(heap, &(midden_shape){.name = "leaf", .size = LEAF_BYTES}, NULL);
  memset(leaves, 0, sizeof leaves);
  ck_assert_int_eq(midden_root_range_add(heap, leaves, LEAVES), MIDDEN_OK);
  ck_assert_uint_eq(goal_of(heap), 0); /* nothing is known */
  for (size_t i = 0; i < LEAVES; i++) leaves[i] = (uintptr_t)midden_alloc(mutator, kind);
  ck_assert_int_eq(midden_collect(mutator, MIDDEN_FULL), MIDDEN_OK);
  check_aim(heap, 0);
  size_t before = goal_of(heap);
  for (size_t i = 0; i < 3; i++) ck_assert_ptr_nonnull(midden_alloc(mutator, kind));
  if (generational) ck_assert_int_eq(midden_collect(mutator, MIDDEN_MINOR), MIDDEN_OK);
  ck_assert_uint_eq(goal_of(heap), before);
  ck_assert_int_eq(midden_external_add(mutator, NULL, 5 << 20), MIDDEN_OK);
  ck_assert_int_eq(midden_collect(mutator, MIDDEN_FULL), MIDDEN_OK);
  check_aim(heap, 5 << 20);
  for (size_t i = 0; midden_collector_name(i) != NULL; i++) {
    const char *other = midden_collector_name(i);
    if (midden_heap_use(heap, other, NULL) != MIDDEN_OK) continue; /* none, where there are generations */
    if (strcmp(other, "none") == 0) ck_assert_uint_eq(goal_of(heap), 0);
    else check_aim(heap, 5 << 20);
  }
  ck_assert_int_eq(midden_heap_close(heap), MIDDEN_OK);
}

START_TEST(heaps_set_the_goal) {
  for (size_t i = 0; midden_collector_name(i) != NULL; i++) {
    if (!collector_collects(midden_collector_name(i))) continue;
    check_heaps_goal(midden_collector_name(i), false);
    check_heaps_goal(midden_collector_name(i), true);
  }
}
END_TEST

/* The summary alone, over sizes that are no power of two, with runs across chunks. */
START_TEST(summary_finds_the_lowest_run) {
  enum { CHUNKS = 5, BITS = CHUNKS * SUMMARY_CHUNK };
  static uint64_t free_bits[8 * SUMMARY_CHUNK / 64];
  static struct run_summary tree[16];
  struct page_summary summary = {free_bits, tree, mdn_page_summary_leaves(BITS)};
  ck_assert_uint_eq(summary.leaves, 8);
  uint64_t random = 77;
  for (int step = 0; step < 6000; step++) {
    size_t first = test_random_below(&random, BITS), end = first + 1 + test_random_below(&random, step % 9 ? 30 : 900);
    if (end > BITS) end = BITS;
    bool all_free = bitmap_next_clear(free_bits, first, end) == end;
    bool none_free = bitmap_next(free_bits, first, end) == end;
    if (none_free) mdn_page_summary_free(&summary, first, end - first);
    else if (all_free) mdn_page_summary_take(&summary, first, end - first);
    size_t count = 1 + test_random_below(&random, step % 4 ? 40 : BITS), run = 0, expected = NO_PAGE;
    for (size_t page = 0; page < BITS && expected == NO_PAGE; page++) {
      run = bitmap_test(free_bits, page) ? run + 1 : 0;
      if (run == count) expected = page + 1 - count;
    }
    EXPECT(mdn_page_summary_find(&summary, count) == expected, "a run of %zu", count);
  }
}
END_TEST

int main(void) {
  const TTest *const tests[] = {random_against_naive, returning_by_age, refused_commits_change_nothing,
                                the_limit_is_exact, without_a_goal_pages_are_kept,
                                scattered_pages_go_back_for_new_ones, what_fits_returns_nothing,
                                small_requests_have_more_slack, what_fits_returns_nothing,
                                the_goal_refuses_nothing, the_goal_and_the_limit, heaps_set_the_goal,
                                summary_finds_the_lowest_run};
  return run_once("page heap", tests, COUNT_OF(tests));
}
