/* Unit: each table and list that the verifier knows is broken on purpose, and the verifier says which; then it is mended, and
 * all is well again. */
#include <stdio.h>
#include <string.h>

#include "gc/remembered.h"
#include "harness.h"
#include "heap/heap.h"

enum { SLOTS = 64 };

typedef struct victim {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair, vector;
  midden_word slots[SLOTS];
} victim;

static void open_victim(victim *at, const char *options) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  memset(at, 0, sizeof *at);
  ck_assert_int_eq(midden_config_parse(&config, options, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_heap_open(&config, &at->heap, NULL), MIDDEN_OK);
  at->mutator = midden_attach(at->heap, NULL, NULL);
  at->pair = midden_kind_define(at->heap, &(midden_shape){.name = "pair", .size = 16, .refs = MIDDEN_REFS_ALL}, NULL);
  at->vector = midden_kind_define(at->heap, &(midden_shape){.name = "vector", .refs = MIDDEN_REFS_ALL}, NULL);
  ck_assert_int_eq(midden_root_range_add(at->heap, at->slots, SLOTS), MIDDEN_OK);
  ck_assert_int_eq(midden_root_name(at->heap, at->slots, "slots"), MIDDEN_OK);
  for (size_t i = 0; i < 5000; i++) { /* several spans, half of what is in them dead */
    midden_word *object = midden_alloc(at->mutator, at->pair);
    midden_store_word(at->mutator, object, object, i % 2 ? at->slots[i % 8] : 0);
    if (i % 2) at->slots[i % 8] = (uintptr_t)object;
  }
  at->slots[10] = (uintptr_t)midden_alloc_sized(at->mutator, at->vector, 100000);
  ck_assert_int_eq(midden_collect(at->mutator, MIDDEN_FULL), MIDDEN_OK);
}

static void close_victim(victim *at) {
  ck_assert_int_eq(midden_verify(at->heap, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_heap_close(at->heap), MIDDEN_OK);
}

static void expect_sentence(victim *at, const char *part) {
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_verify(at->heap, &error), MIDDEN_CORRUPT);
  ck_assert_msg(strstr(error.message, part) != NULL, "\"%s\" does not say \"%s\"", error.message, part);
}

static void expect_whole(victim *at) {
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_msg(midden_verify(at->heap, &error) == MIDDEN_OK, "%s", error.message);
}

/* Verifies with a variable changed, and after it was changed back. */
#define EXPECT_BROKEN(at, variable, value, part) \
  do {                                           \
    __typeof__(variable) kept_ = (variable);     \
    (variable) = (value);                        \
    expect_sentence(at, part);                   \
    (variable) = kept_;                          \
    expect_whole(at);                            \
  } while (0)

static const char *const everywhere[] = {"collector=mark-sweep", "collector=mark-compact,stack=precise",
                                         "collector=copying,stack=precise", "collector=copying,generational=yes"};

START_TEST(lists_of_spans) {
  for (size_t i = 0; i < COUNT_OF(everywhere); i++) {
    static victim at;
    open_victim(&at, everywhere[i]);
    midden_alloc(at.mutator, at.pair);
    expect_whole(&at); /* flushed: there is a span with free cells */
    struct central *central = at.heap->core.kinds.kinds[at.pair.id].centrals;
    struct span *span = central->available;
    ck_assert_ptr_nonnull(span);
    EXPECT_BROKEN(&at, span->previous_available, span, "the links of the spans that are offered to refills disagree");
    EXPECT_BROKEN(&at, central->available_last, NULL, "the links of the spans that are offered to refills disagree");
    EXPECT_BROKEN(&at, span->available, false, "has free cells behind its position, and is not offered to refills");
    struct span *rest = span->next_available, *last = central->available_last;
    if (rest) { /* the list is cut behind its first span */
      central->available_last = span;
      span->next_available = NULL;
      expect_sentence(&at, "spans are offered to refills and ");
      central->available_last = last;
      span->next_available = rest;
    }
    close_victim(&at);
  }
}
END_TEST

START_TEST(summaries_of_pages) {
  static victim at;
  open_victim(&at, "collector=mark-sweep");
  struct page_summary *summary = &at.heap->core.space.pages.summary;
  size_t longest = summary->tree[1].longest;
  ck_assert_uint_gt(summary->leaves, 1);
  EXPECT_BROKEN(&at, summary->tree[summary->leaves].start, 3, "0 levels above the leaves: it does not agree with the pages' bits");
  EXPECT_BROKEN(&at, summary->tree[summary->leaves / 2].end, 3, "1 levels above the leaves: it does not agree with the two below it");
  EXPECT_BROKEN(&at, summary->tree[1].longest, (uint32_t)longest + 1, "the summary says");
  close_victim(&at);
}
END_TEST

START_TEST(tables_of_weak_slots) {
  static victim at;
  static midden_word weak[20];
  open_victim(&at, "collector=mark-sweep");
  for (size_t i = 0; i < COUNT_OF(weak); i++) ck_assert_int_eq(midden_weak_add(at.heap, &weak[i], MIDDEN_WEAK_SHORT), MIDDEN_OK);
  struct weak_slots *slots = &at.heap->core.weak.registered;
  EXPECT_BROKEN(&at, slots->count, 19, "the table of weak slots has 20 entries and counts 19");
  EXPECT_BROKEN(&at, slots->capacity, slots->capacity - 1, "which is no power of two");
  struct weak_slot *first = slots->entries;
  while (!first->slot) first++;
  EXPECT_BROKEN(&at, first->slot, &at.slots[40], "is in the table and cannot be found there");
  EXPECT_BROKEN(&at, first->strength, (midden_weak)7, "has a strength that there is not, 7");
  close_victim(&at);
}
END_TEST

START_TEST(notes_of_a_collection) {
  static victim at;
  open_victim(&at, "collector=mark-sweep");
  EXPECT_BROKEN(&at, at.heap->core.weak.notes[1].count, 2, "2 weak references are noted outside a collection");
  EXPECT_BROKEN(&at, at.heap->core.ephemerons.pending.count, 3, "3 ephemerons are pending outside a collection");
  EXPECT_BROKEN(&at, at.heap->core.ephemerons.watching, true, "ephemerons are pending outside a collection");
  close_victim(&at);
}
END_TEST

START_TEST(remembered_sets) {
  static victim at;
  open_victim(&at, "collector=mark-sweep,generational=yes");
  struct core *core = &at.heap->core;
  midden_word *old = (midden_word *)at.slots[1], *other = (midden_word *)at.slots[3], *large = (midden_word *)at.slots[10];
  midden_store_word(at.mutator, old, old, at.slots[3]);
  midden_store_word(at.mutator, large, &large[500], at.slots[3]);
  ck_assert_uint_eq(core->remembered.cells.count, 2);
  expect_whole(&at);
  size_t granule = space_granule(&core->space, (uintptr_t)old), of_large = space_granule(&core->space, (uintptr_t)large);
  uint64_t *word = &core->space.mark_bits[granule >> 6], *large_word = &core->space.mark_bits[of_large >> 6];
  EXPECT_BROKEN(&at, *word, *word | UINT64_C(1) << (granule & 63), "is in the remembered set, and its flags say that it is not");
  EXPECT_BROKEN(&at, *large_word, *large_word & ~LARGE_LISTED, "is in the remembered set, and its flags say that it is not");
  EXPECT_BROKEN(&at, ((uintptr_t *)core->remembered.cells.items)[0], (uintptr_t)large, "twice");
  EXPECT_BROKEN(&at, ((uintptr_t *)core->remembered.cells.items)[0], (uintptr_t)other + 8, "which is no object");
  EXPECT_BROKEN(&at, core->remembered.cells.count, 1, "says that it is in the remembered set, and is not");
  EXPECT_BROKEN(&at, core->generational, false, "the heap has one generation");
  close_victim(&at);
}
END_TEST

/* ---- the path to what is broken ---- */

START_TEST(paths_to_what_is_broken) {
  for (size_t i = 0; i < COUNT_OF(everywhere); i++) {
    static victim at;
    open_victim(&at, everywhere[i]);
    at.slots[20] = (uintptr_t)midden_alloc(at.mutator, at.pair);
    midden_word *target = midden_alloc(at.mutator, at.pair);
    midden_word *first = (midden_word *)at.slots[20];
    midden_store_word(at.mutator, first, &first[1], (uintptr_t)target);
    char expected[128];
    snprintf(expected, sizeof expected, "; it is reached by root slots[20] -> pair %#zx+8 -> pair %#zx", (size_t)first, (size_t)target);
    EXPECT_BROKEN(&at, target[0], (uintptr_t)target + 8, expected);
    snprintf(expected, sizeof expected, "the pair at %#zx holds at offset 0", (size_t)target);
    EXPECT_BROKEN(&at, target[0], (uintptr_t)target + 8, expected);
    /* Dead, and not yet collected: the heap is walked by cells, not from the roots. */
    if (at.heap->config.stack == MIDDEN_STACK_PRECISE) {
      uintptr_t held = first[1];
      first[1] = 0;
      EXPECT_BROKEN(&at, target[0], (uintptr_t)target + 8, "; no root leads to it");
      first[1] = held;
    }
    /* Where the structure is broken too, nothing is said of paths, and nothing worse happens. */
    struct page_summary *summary = &at.heap->core.space.pages.summary;
    uint32_t kept = summary->tree[summary->leaves].start;
    summary->tree[summary->leaves].start = kept + 1;
    uintptr_t word = target[0];
    target[0] = (uintptr_t)target + 8;
    midden_error error = {MIDDEN_OK, ""};
    ck_assert_int_eq(midden_verify(at.heap, &error), MIDDEN_CORRUPT);
    ck_assert_msg(strstr(error.message, "holds at offset 0") && !strstr(error.message, "reached by"), "%s", error.message);
    target[0] = word;
    summary->tree[summary->leaves].start = kept;
    close_victim(&at);
  }
}
END_TEST

int main(void) {
  const TTest *const tests[] = {lists_of_spans,   summaries_of_pages, tables_of_weak_slots,
                                notes_of_a_collection, remembered_sets,    paths_to_what_is_broken};
  return run_once("unit_verify", tests, COUNT_OF(tests));
}
