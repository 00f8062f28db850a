/* midden_heap_use: another collector for a running heap, any to any, between any two operations. */
#include <stdio.h>
#include <string.h>

#include "harness.h"

enum { LISTS = 24, LEAVES = 40 };

/* A name of the build's collectors at random; `none` only where it can be. */
static const char *any_collector(uint64_t *random, bool may_be_none) {
  size_t count = 0;
  while (midden_collector_name(count) != NULL) count++;
  for (;;) {
    const char *name = midden_collector_name(test_random_below(random, count));
    if (may_be_none || collector_collects(name)) return name;
  }
}

static void use(world *here, const char *name) {
  midden_error error = {MIDDEN_OK, ""};
  midden_status status = midden_heap_use(here->heap, name, &error);
  EXPECT(status == MIDDEN_OK, "%s -> %s: %s", here->combination->name, name, error.message);
  EXPECT(strcmp(midden_heap_config(here->heap)->collector, name) == 0, "the configuration says %s",
         midden_heap_config(here->heap)->collector);
}

/* Lists, leaves and a vector that holds them all again, rebuilt and checked in turn. */
static void build(world *here, size_t i, uint64_t *random, size_t *lengths) {
  lengths[i] = test_random_below(random, 60);
  world_list(here, i, lengths[i]);
  size_t leaf = LISTS + test_random_below(random, LEAVES);
  here->slots[leaf] = 0;
  here->slots[leaf] = (uintptr_t)world_leaf(here, 16 + leaf * 9, leaf);
  vector *all = world_vector(here, LISTS);
  for (size_t n = 0; n < LISTS; n++) midden_store_word(here->mutator, all, &all->elements[n], here->slots[n]);
  here->slots[LISTS + LEAVES] = (uintptr_t)all;
}

static void check(world *here, const size_t *lengths) {
  const vector *all = (const vector *)here->slots[LISTS + LEAVES];
  for (size_t i = 0; i < LISTS; i++) {
    world_list_check(here, i, lengths[i]);
    EXPECT(all->elements[i] == here->slots[i], "list %zu: the vector holds %#zx, the root %#zx", i,
           (size_t)all->elements[i], (size_t)here->slots[i]);
  }
  for (size_t leaf = LISTS; leaf < LISTS + LEAVES; leaf++) {
    if (here->slots[leaf]) EXPECT_LEAF((void *)here->slots[leaf], 16 + leaf * 9, leaf);
  }
}

static void switch_at_random(int index, const char *options, bool may_be_none) {
  world here;
  size_t lengths[LISTS] = {0};
  uint64_t random = 77 + (uint64_t)index;
  world_open(&here, index, options);
  uint64_t switches = 0;
  const char *now = combination_at(index)->collector;
  size_t rounds = world_count(&here, 400, combination_at(index)->stress_value == 1 ? 30 : 120);
  for (size_t i = 0; i < LISTS; i++) build(&here, i, &random, lengths);
  for (size_t round = 0; round < rounds; round++) {
    const char *next = any_collector(&random, may_be_none);
    switches += strcmp(next, now) != 0;
    use(&here, next);
    now = next;
    build(&here, test_random_below(&random, LISTS), &random, lengths);
    midden_status status = midden_collect(here.mutator, test_random_below(&random, 2) ? MIDDEN_FULL : MIDDEN_MINOR);
    EXPECT(status == (collector_collects(now) ? MIDDEN_OK : MIDDEN_UNSUPPORTED), "%s: %s", now, midden_status_name(status));
    check(&here, lengths);
    if (round % 16 == 0) world_verify(&here);
  }
  ck_assert_uint_gt(switches, 8);
  ck_assert_uint_eq(world_statistics(&here).collector_switches, switches);
  world_close(&here);
}

/* What combination_config turns on, verify and stress, collects: here without `none`. */
START_TEST(at_random_among_those_that_collect) { switch_at_random(_i, "heap-initial=64K", false); }
END_TEST

START_TEST(at_random_among_all) { switch_at_random(_i, "heap-initial=64K,verify=off", true); }
END_TEST

/* Close to the limit, a collector that needs room takes over from one that has filled the gaps, and back. */
START_TEST(at_random_near_the_limit) {
  switch_at_random(_i, "heap-initial=64K,heap-limit=256K,verify=off", false);
}
END_TEST

/* ---- what does not keep its object, while collectors come and go ---- */

enum { WATCHED = 90, ROOTED = 600 };

typedef struct watched {
  midden_word weak[WATCHED]; /* weak slots, to what roots ROOTED... hold */
  size_t born, finalized, freed;
} watched;

static void count_finalized(midden_mutator *mutator, void *object, void *context) {
  (void)mutator;
  EXPECT(((const pair *)object)->car == immediate(7), "a finalizer's object is not intact");
  ((watched *)context)->finalized++;
}

static void count_freed(void *object, size_t size, void *context) {
  (void)size;
  EXPECT(((const pair *)object)->car == immediate(7), "a freed object is not intact");
  ((watched *)context)->freed++;
}

/* Object `i` anew, with a finalizer, a weak slot, and an ephemeron from it to a leaf. */
static void bear(world *here, watched *all, midden_kind kind, size_t i) {
  here->slots[ROOTED + i] = 0;
  pair *object = midden_alloc(here->mutator, kind);
  EXPECT(object != NULL, "no object %zu", i);
  here->slots[ROOTED + i] = (uintptr_t)object;
  midden_store_word(here->mutator, object, &object->car, immediate(7));
  EXPECT(midden_finalizer_add(here->mutator, object, count_finalized, all) == MIDDEN_OK, "finalizer %zu", i);
  all->weak[i] = here->slots[ROOTED + i];
  all->born++;
  void *leaf = world_leaf(here, 40, i);
  midden_word *table = (midden_word *)here->slots[ROOTED + WATCHED];
  midden_store_word(here->mutator, table, &table[2 * i], here->slots[ROOTED + i]);
  midden_store_word(here->mutator, table, &table[2 * i + 1], (uintptr_t)leaf);
}

static void check_watched(world *here, const watched *all) {
  const midden_word *table = (const midden_word *)here->slots[ROOTED + WATCHED];
  for (size_t i = 0; i < WATCHED; i++) {
    midden_word object = here->slots[ROOTED + i];
    EXPECT(!object || all->weak[i] == object, "weak slot %zu", i);
    EXPECT(!object || table[2 * i] == object, "key %zu", i);
    EXPECT((table[2 * i] == 0) == (table[2 * i + 1] == 0), "half of ephemeron %zu is cleared", i);
    if (table[2 * i]) EXPECT_LEAF((const void *)table[2 * i + 1], 40, i);
  }
}

/* Weak slots, ephemerons, finalizers and on_free, under a collector that changes at random: each finalizer runs once,
 * each object is freed once, and with precise roots all that were dropped. */
START_TEST(weak_ones_at_random) {
  world here;
  static watched all;
  uint64_t random = 5;
  memset(&all, 0, sizeof all);
  world_open(&here, _i, "heap-initial=64K");
  midden_kind kind = midden_kind_define(here.heap, &(midden_shape){.name = "watched", .size = sizeof(pair), .refs = MIDDEN_REFS_ALL,
                                        .on_free = count_freed, .on_free_context = &all}, NULL);
  midden_kind pairs = midden_kind_define(here.heap, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS}, NULL);
  here.slots[ROOTED + WATCHED] = (uintptr_t)midden_alloc_sized(here.mutator, pairs, 2 * WATCHED * sizeof(midden_word));
  for (size_t i = 0; i < WATCHED; i++) ck_assert_int_eq(midden_weak_add(here.heap, &all.weak[i], (midden_weak)(i % 2)), MIDDEN_OK);
  size_t rounds = world_count(&here, 150, combination_at(_i)->stress_value == 1 ? 15 : 60);
  for (size_t round = 0; round < rounds; round++) {
    use(&here, any_collector(&random, false));
    for (int n = 0; n < 8; n++) bear(&here, &all, kind, test_random_below(&random, WATCHED));
    here.slots[ROOTED + test_random_below(&random, WATCHED)] = 0;
    ck_assert_int_eq(midden_collect(here.mutator, round % 3 ? MIDDEN_MINOR : MIDDEN_FULL), MIDDEN_OK);
    check_watched(&here, &all);
    if (round % 2) midden_finalizers_run(here.mutator, 5);
  }
  memset(&here.slots[ROOTED], 0, WATCHED * sizeof here.slots[0]);
  stack_wipe();
  for (int round = 0; round < 3; round++) { /* found dead; gone; once more under another collector */
    use(&here, any_collector(&random, false));
    world_collect(&here);
    while (midden_finalizers_run(here.mutator, SIZE_MAX) > 0) continue;
    stack_wipe();
  }
  check_watched(&here, &all);
  if (here.combination->stack == MIDDEN_STACK_PRECISE) {
    ck_assert_uint_eq(all.finalized, all.born);
    ck_assert_uint_eq(all.freed, all.born);
    for (size_t i = 0; i < WATCHED; i++) EXPECT(all.weak[i] == 0, "weak slot %zu is not cleared", i);
  }
  world_close(&here);
  ck_assert_uint_eq(all.freed, all.born); /* the rest at the heap's end */
  ck_assert_uint_le(all.finalized, all.born);
}
END_TEST

/* A heap that never collected is emptied by the first collector that can, at the next refill. */
START_TEST(from_none) {
  world here;
  world_open(&here, _i, "heap-initial=64K,verify=off");
  world_list(&here, 0, 500);
  use(&here, "none");
  uint64_t before = world_statistics(&here).collections;
  world_churn(&here, 20000);
  ck_assert_uint_eq(world_statistics(&here).collections, before);
  size_t full = world_statistics(&here).used_bytes;
  use(&here, "mark-sweep");
  world_churn(&here, 5000);
  ck_assert_uint_gt(world_statistics(&here).collections, before);
  ck_assert_uint_lt(world_statistics(&here).used_bytes, full / 2);
  world_list_check(&here, 0, 500);
  world_close(&here);
}
END_TEST

/* The new collector is the one that collects: one that moves does, one that does not does not. */
START_TEST(the_new_one_collects) {
  world here;
  world_open(&here, _i, NULL);
  for (int round = 0; round < 4; round++) {
    bool moves = round % 2 == 0;
    world_list(&here, 0, 300);
    use(&here, moves ? "copying" : "mark-sweep");
    uint64_t moved = world_statistics(&here).objects_moved;
    stack_wipe();
    world_collect(&here);
    moved = world_statistics(&here).objects_moved - moved;
    EXPECT(moves ? moved >= 250 : moved == 0, "round %d: %llu objects moved", round, (unsigned long long)moved);
    world_list_check(&here, 0, 300);
  }
  world_close(&here);
}
END_TEST

/* Fragmented by sweeping, then compacted when idle. */
START_TEST(compact_when_idle) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=32M");
  use(&here, "mark-sweep");
  const size_t leaves = 4000;
  for (size_t i = 0; i < leaves * 8; i++) {
    void *leaf = world_leaf(&here, 200, i);
    if (i % 8 == 0) here.slots[i / 8] = (uintptr_t)leaf;
  }
  stack_wipe();
  world_collect(&here);
  size_t swept = world_statistics(&here).span_bytes;
  use(&here, "mark-compact");
  stack_wipe();
  world_collect(&here);
  size_t compacted = world_statistics(&here).span_bytes;
  EXPECT(compacted < swept / 2, "%zu bytes in spans after sweeping, %zu after compacting", swept, compacted);
  for (size_t i = 0; i < leaves; i++) EXPECT(leaf_is((void *)here.slots[i], 200, i * 8), "leaf %zu", i);
  world_close(&here);
}
END_TEST

/* The options that `none` cannot have are refused with their sentence, and nothing changes. */
START_TEST(refusals) {
  world here;
  midden_error error = {MIDDEN_OK, ""};
  world_open(&here, _i, "verify=off");
  const char *collector = combination_at(_i)->collector;
  const combination *where = combination_at(_i);
  bool conflict = where->generational || where->stress != MIDDEN_STRESS_OFF;
  ck_assert_int_eq(midden_heap_use(here.heap, "none", &error), conflict ? MIDDEN_CONFLICT : MIDDEN_OK);
  if (conflict) ck_assert_msg(strstr(error.message, where->stress != MIDDEN_STRESS_OFF ? "stress" : "generational") != NULL, "%s", error.message);
  ck_assert_int_eq(midden_heap_use(here.heap, collector, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_heap_use(here.heap, "mark-swee", &error), MIDDEN_BAD_OPTION);
  ck_assert_msg(strstr(error.message, "mark-sweep") != NULL, "%s", error.message);
  ck_assert_int_eq(midden_heap_use(here.heap, "a name much longer than that of any collector there is", &error),
                   MIDDEN_BAD_OPTION);
  ck_assert_int_eq(midden_heap_use(here.heap, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_heap_use(NULL, "none", &error), MIDDEN_MISUSE);
  ck_assert_str_eq(midden_heap_config(here.heap)->collector, collector);
  world_close(&here);
}
END_TEST

static midden_status inside;
static void switch_inside(midden_visitor *visitor, void *context) {
  (void)visitor;
  inside = midden_heap_use(context, "copying", NULL);
}

START_TEST(not_from_inside_a_collection) {
  world here;
  world_open(&here, _i, NULL);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, switch_inside, here.heap), MIDDEN_OK);
  world_collect(&here);
  ck_assert_int_eq(inside, MIDDEN_MISUSE);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {at_random_among_those_that_collect, COLLECTING},
      {at_random_among_all, CALM | ONE_GENERATION},
      {at_random_near_the_limit, COLLECTING},
      {weak_ones_at_random, COLLECTING},
      {from_none, CALM | ONE_GENERATION},
      {the_new_one_collects, COLLECTING | PRECISE | CALM},
      {compact_when_idle, CALM | PRECISE | COLLECTING},
      {refusals, COLLECTING},
      {not_from_inside_a_collection, COLLECTING},
  };
  return run_combinations("switching", tests, COUNT_OF(tests));
}
