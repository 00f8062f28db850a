/* Conformance: finalizers. Queued when the object is unreachable, run when the host drains, at most once for each
 * registration, with the object and all that it reaches intact; in order where that was asked for. */
#include <string.h>

#include "harness.h"

enum { COUNT = 40, TARGET_BYTES = 40, BIG = 40000 };

/* What finalizers saw: numbers in the order in which they ran. */
static struct journal {
  world *here;
  size_t count;
  size_t numbers[4 * COUNT];
  bool keeps; /* the finalizer stores its object in slots[2000 + number] */
  bool again; /* it registers itself again */
} journal;

static size_t times_run(size_t number) {
  size_t times = 0;
  for (size_t i = 0; i < journal.count; i++) times += journal.numbers[i] == number;
  return times;
}

static size_t place_run(size_t number) {
  for (size_t i = 0; i < journal.count; i++)
    if (journal.numbers[i] == number) return i;
  return SIZE_MAX;
}

/* An object: its number, the next one, and a leaf with the number's content. */
typedef struct thing {
  midden_word number, next, leaf, other;
} thing;

static void finalize(midden_mutator *mutator, void *object, void *context) {
  thing *dead = object;
  world *here = journal.here;
  ck_assert_ptr_eq(context, &journal);
  ck_assert_ptr_eq(mutator, here->mutator);
  MIDDEN_FRAME(mutator, dead);
  EXPECT(midden_object_at(here->heap, dead) == dead, "a finalizer got no object");
  size_t number = dead->number >> 3;
  EXPECT(number < COUNT, "a finalizer got number %#zx", (size_t)dead->number);
  EXPECT_LEAF((const void *)dead->leaf, TARGET_BYTES, number);
  world_churn(here, 3); /* it may allocate, and so collect */
  EXPECT(dead->number >> 3 == number, "the object is gone while its finalizer runs");
  EXPECT_LEAF((const void *)dead->leaf, TARGET_BYTES, number);
  journal.numbers[journal.count++] = number;
  if (journal.keeps) here->slots[2000 + number] = (uintptr_t)dead;
  if (journal.again) ck_assert_int_eq(midden_finalizer_add(mutator, dead, finalize, &journal), MIDDEN_OK);
  MIDDEN_END(mutator);
}

static void finalize_tagged(midden_mutator *mutator, void *object, void *context) {
  const uintptr_t *dead = object;
  (void)mutator, (void)context;
  EXPECT(dead[0] == (uintptr_t)dead + (5 | UINT64_C(0xfff) << 52), "the object is not intact: %#zx", (size_t)dead[0]);
  journal.numbers[journal.count++] = dead[1] >> 3;
}

static void begin(world *here, int index, const char *options) {
  world_open(here, index, options);
  journal = (struct journal){.here = here};
}

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

static midden_kind define_thing(world *here) {
  return define(here, &(midden_shape){.name = "thing", .refs = MIDDEN_REFS_ALL});
}

/* Makes thing `number` in slots[number]; some are large. */
static thing *make_thing(world *here, midden_kind kind, size_t number) {
  size_t size = number % 10 == 9 ? BIG : sizeof(thing);
  world_leaf(here, TARGET_BYTES, 0);
  here->slots[number] = (uintptr_t)midden_alloc_sized(here->mutator, kind, size);
  ck_assert_uint_ne(here->slots[number], 0);
  ((thing *)here->slots[number])->number = immediate(number);
  void *leaf = world_leaf(here, TARGET_BYTES, number);
  thing *made = (thing *)here->slots[number];
  midden_store(here->mutator, made, &made->leaf, leaf);
  return made;
}

static void make_things(world *here, midden_kind kind, size_t count) {
  for (size_t i = 0; i < count; i++) make_thing(here, kind, i);
}

static void link(world *here, size_t from, size_t to) {
  thing *object = (thing *)here->slots[from];
  midden_store_word(here->mutator, object, object->next ? &object->other : &object->next, here->slots[to]);
}

static void drop(world *here, size_t first, size_t count) {
  memset(&here->slots[first], 0, count * sizeof here->slots[0]);
  stack_wipe();
}

static bool exact(const world *here) {
  return here->combination->stack == MIDDEN_STACK_PRECISE && here->combination->collects;
}

static void run_all(world *here) {
  size_t waiting = midden_finalizers_waiting(here->heap);
  ck_assert_uint_eq(midden_finalizers_run(here->mutator, waiting), waiting);
}

START_TEST(each_runs_once) {
  world here;
  begin(&here, _i, NULL);
  make_things(&here, define_thing(&here), COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[i], finalize, &journal), MIDDEN_OK);
    if (i == COUNT / 2) world_collect(&here);
  }
  ck_assert_uint_eq(world_statistics(&here).finalizers_registered, COUNT);
  world_collect(&here);
  ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  drop(&here, 0, COUNT / 2);
  world_collect(&here);
  ck_assert_uint_eq(journal.count, 0); /* nothing runs by itself */
  size_t waiting = midden_finalizers_waiting(here.heap);
  if (exact(&here)) ck_assert_uint_eq(waiting, COUNT / 2);
  world_churn(&here, 30);
  world_collect(&here); /* the queue is a root */
  waiting = midden_finalizers_waiting(here.heap);
  ck_assert_uint_eq(midden_finalizers_run(here.mutator, 3), waiting < 3 ? waiting : 3);
  run_all(&here);
  for (size_t i = 0; i < COUNT; i++) {
    EXPECT(times_run(i) <= (i < COUNT / 2), "finalizer %zu ran %zu times", i, times_run(i));
    if (exact(&here) && i < COUNT / 2) EXPECT(times_run(i) == 1, "finalizer %zu did not run", i);
  }
  size_t before = world_statistics(&here).live_objects;
  world_collect(&here);
  run_all(&here);
  if (exact(&here)) {
    ck_assert_uint_eq(journal.count, COUNT / 2);
    ck_assert_uint_lt(world_statistics(&here).live_objects, before);
  }
  drop(&here, COUNT / 2, COUNT / 2);
  world_collect(&here);
  run_all(&here);
  if (exact(&here)) ck_assert_uint_eq(journal.count, COUNT);
  ck_assert_uint_eq(world_statistics(&here).finalizers_run, journal.count);
  ck_assert_uint_eq(world_statistics(&here).finalizers_queued, journal.count);
  world_close(&here);
}
END_TEST

/* An object that its finalizer makes reachable again stays; one that registers itself again is finalized again. */
START_TEST(resurrection_and_registering_again) {
  world here;
  begin(&here, _i, NULL);
  make_things(&here, define_thing(&here), COUNT);
  for (size_t i = 0; i < COUNT; i++) midden_finalizer_add(here.mutator, (void *)here.slots[i], finalize, &journal);
  drop(&here, 0, COUNT);
  journal.keeps = journal.again = true;
  world_collect(&here);
  run_all(&here);
  size_t first = journal.count;
  if (exact(&here)) ck_assert_uint_eq(first, COUNT);
  journal.keeps = false;
  world_collect(&here);
  run_all(&here);
  ck_assert_uint_eq(journal.count, first + (exact(&here) ? 0 : journal.count - first));
  for (size_t i = 0; i < COUNT; i++) {
    const thing *kept = (const thing *)here.slots[2000 + i];
    if (kept) EXPECT_LEAF((const void *)kept->leaf, TARGET_BYTES, i);
  }
  drop(&here, 2000, COUNT);
  journal.again = false;
  world_collect(&here);
  run_all(&here);
  if (exact(&here)) for (size_t i = 0; i < COUNT; i++) EXPECT(times_run(i) == 2, "finalizer %zu ran %zu times", i, times_run(i));
  world_close(&here);
}
END_TEST

/* Short weak references are cleared before, long ones and ephemerons by key after what is finalized is gone. */
START_TEST(weak_references_and_resurrection) {
  world here;
  begin(&here, _i, NULL);
  static midden_word brief, lasting;
  midden_kind table = define(&here, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS});
  make_thing(&here, define_thing(&here), 1);
  midden_finalizer_add(here.mutator, (void *)here.slots[1], finalize, &journal);
  here.slots[9] = (uintptr_t)midden_alloc_sized(here.mutator, table, 2 * sizeof(midden_word));
  void *value = world_leaf(&here, TARGET_BYTES, 77);
  midden_word *entry = (midden_word *)here.slots[9];
  midden_store(here.mutator, entry, &entry[1], value);
  midden_store_word(here.mutator, entry, &entry[0], here.slots[1]);
  brief = lasting = here.slots[1];
  midden_weak_add(here.heap, &brief, MIDDEN_WEAK_SHORT);
  midden_weak_add(here.heap, &lasting, MIDDEN_WEAK_LONG);
  drop(&here, 1, 1);
  world_collect(&here);
  entry = (midden_word *)here.slots[9];
  if (midden_finalizers_waiting(here.heap) > 0) {
    ck_assert_uint_eq(brief, 0);
    ck_assert_uint_ne(lasting, 0);
    ck_assert_uint_eq(entry[0], lasting);
    EXPECT_LEAF((const void *)entry[1], TARGET_BYTES, 77);
  }
  if (exact(&here)) ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 1);
  run_all(&here);
  world_collect(&here);
  if (exact(&here)) {
    ck_assert_uint_eq(journal.count, 1);
    ck_assert_uint_eq(lasting, 0);
    ck_assert_uint_eq(((midden_word *)here.slots[9])[0], 0);
    ck_assert_uint_eq(((midden_word *)here.slots[9])[1], 0);
  }
  world_close(&here);
}
END_TEST

/* A chain in order takes a collection for each; it is read from both ends, across what has no finalizer. */
START_TEST(dependants_come_first) {
  world here;
  begin(&here, _i, NULL);
  midden_kind kind = define_thing(&here);
  enum { CHAIN = 6 };
  for (size_t i = 0; i < 2 * CHAIN; i++) make_thing(&here, kind, i);
  for (size_t i = 0; i + 1 < 2 * CHAIN; i++) link(&here, i, i + 1); /* even ones are to be finalized */
  for (size_t i = 0; i < 2 * CHAIN; i += 2) {
    link(&here, i + 1, i); /* what is in between leads back: no cycle, for it has no finalizer */
    size_t which = i % 4 ? i : 2 * CHAIN - 4 - i;
    midden_finalizer_add_ordered(here.mutator, (void *)here.slots[which], finalize, &journal);
  }
  drop(&here, 0, 2 * CHAIN);
  for (size_t round = 0; round < CHAIN; round++) {
    size_t before = journal.count;
    world_collect(&here);
    EXPECT(midden_finalizers_waiting(here.heap) <= 1 || here.combination->stress != MIDDEN_STRESS_OFF, "two at once");
    run_all(&here);
    if (exact(&here)) EXPECT(journal.count > before, "round %zu", round);
  }
  for (size_t i = 1; i < journal.count; i++) EXPECT(journal.numbers[i - 1] < journal.numbers[i], "order at %zu", i);
  if (exact(&here)) ck_assert_uint_eq(journal.count, CHAIN);
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
  midden_kind kind = define_thing(&here);
  reports = 0;
  make_things(&here, kind, 6);
  link(&here, 0, 1); /* 0 -> (1 -> 2 -> 3 -> 1) -> 4; 5 leads to itself only */
  link(&here, 1, 2);
  link(&here, 2, 3);
  link(&here, 3, 1);
  link(&here, 3, 4);
  link(&here, 5, 5);
  for (size_t i = 6; i-- > 0;) midden_finalizer_add_ordered(here.mutator, (void *)here.slots[i], finalize, &journal);
  drop(&here, 0, 6);
  for (size_t round = 0; round < 6; round++) {
    world_collect(&here);
    run_all(&here);
  }
  if (exact(&here)) {
    ck_assert_uint_eq(journal.count, 6);
    ck_assert_uint_gt(place_run(3), place_run(0));
    ck_assert_uint_gt(place_run(2), place_run(3)); /* by age; with 3 gone, 2 and 1 are still a cycle */
    ck_assert_uint_gt(place_run(1), place_run(2));
    ck_assert_uint_gt(place_run(4), place_run(1));
    ck_assert_uint_eq(world_statistics(&here).finalizer_cycles, 2);
    ck_assert_uint_eq(reports, 2);
  }
  for (size_t i = 0; i < 6; i++) EXPECT(times_run(i) <= 1, "finalizer %zu ran %zu times", i, times_run(i));
  world_close(&here);
}
END_TEST

/* What a finalizer without order reaches waits for it, too. */
START_TEST(unordered_before_ordered) {
  world here;
  begin(&here, _i, NULL);
  make_things(&here, define_thing(&here), 2);
  link(&here, 0, 1);
  midden_finalizer_add_ordered(here.mutator, (void *)here.slots[1], finalize, &journal);
  midden_finalizer_add(here.mutator, (void *)here.slots[0], finalize, &journal);
  drop(&here, 0, 2);
  for (size_t round = 0; round < 3; round++) {
    world_collect(&here);
    run_all(&here);
  }
  if (exact(&here)) {
    ck_assert_uint_eq(journal.count, 2);
    ck_assert_uint_eq(journal.numbers[0], 0);
  }
  world_close(&here);
}
END_TEST

/* A kind's finalizer: each object of it, small and large, has one from its allocation on. */
START_TEST(kinds_with_a_finalizer) {
  world here;
  begin(&here, _i, NULL);
  midden_kind fixed = define(&here, &(midden_shape){.name = "fixed", .size = sizeof(thing), .refs = MIDDEN_REFS_ALL,
                                                    .finalizer = finalize, .finalizer_context = &journal});
  midden_kind sized = define(&here, &(midden_shape){.name = "sized", .refs = MIDDEN_REFS_ALL, .finalizer = finalize,
                                                    .finalizer_context = &journal, .flags = MIDDEN_KIND_FINALIZER_ORDERED});
  for (size_t i = 0; i < COUNT; i++) {
    if (i % 2) {
      make_thing(&here, sized, i);
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
  drop(&here, 0, COUNT);
  world_collect(&here);
  run_all(&here);
  world_collect(&here);
  run_all(&here);
  for (size_t i = 0; i < COUNT; i++) {
    if (exact(&here)) EXPECT(times_run(i) == 1, "finalizer %zu ran %zu times", i, times_run(i));
    EXPECT(times_run(i) <= 1, "finalizer %zu ran %zu times", i, times_run(i));
  }
  world_close(&here);
}
END_TEST

/* In minor collections: young ones are found, old ones are left until a full one. */
START_TEST(minor_collections) {
  world here;
  begin(&here, _i, NULL);
  midden_kind kind = define_thing(&here);
  make_things(&here, kind, COUNT);
  for (size_t i = 0; i < COUNT; i++) midden_finalizer_add(here.mutator, (void *)here.slots[i], finalize, &journal);
  drop(&here, 0, COUNT / 2);
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
  bool calm = here.combination->stress == MIDDEN_STRESS_OFF;
  if (exact(&here) && calm) ck_assert_uint_eq(midden_finalizers_waiting(here.heap), COUNT / 2);
  run_all(&here);
  drop(&here, COUNT / 2, COUNT / 2);
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
  if (calm) ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  run_all(&here);
  world_collect(&here);
  run_all(&here);
  if (exact(&here)) ck_assert_uint_eq(journal.count, COUNT);
  world_close(&here);
}
END_TEST

START_TEST(removing_and_misuse) {
  world here;
  begin(&here, _i, NULL);
  make_things(&here, define_thing(&here), 3);
  for (size_t i = 0; i < 3; i++) midden_finalizer_add(here.mutator, (void *)here.slots[i], finalize, &journal);
  world_collect(&here);
  void *middle = (void *)here.slots[1];
  ck_assert_int_eq(midden_finalizer_remove(here.mutator, middle, finalize, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_remove(here.mutator, middle, finalize, &journal), MIDDEN_OK);
  ck_assert_int_eq(midden_finalizer_remove(here.mutator, middle, finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, NULL, finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, (char *)middle + 8, finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, &here, finalize, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, middle, NULL, &journal), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_finalizer_add(NULL, middle, finalize, &journal), MIDDEN_MISUSE);
  ck_assert_uint_eq(midden_finalizers_run(NULL, 1), 0);
  ck_assert_uint_eq(world_statistics(&here).finalizers_registered, 2);
  middle = NULL;
  drop(&here, 0, 3);
  world_collect(&here);
  run_all(&here);
  ck_assert_uint_eq(times_run(1), 0);
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
  drop(&here, 0, COUNT);
  world_collect(&here);
  world_churn(&here, 30);
  world_collect(&here);
  run_all(&here);
  if (exact(&here)) ck_assert_uint_eq(journal.count, COUNT);
  for (size_t i = 0; i < COUNT; i++) EXPECT(times_run(i) <= 1, "finalizer %zu ran %zu times", i, times_run(i));
  world_close(&here);
}
END_TEST

/* At the end: run, dependants first and whatever is reachable; or dropped. */
START_TEST(at_close) {
  for (size_t runs = 0; runs < 2; runs++) {
    world here;
    begin(&here, _i, runs ? "finalizers=run" : "finalizers=drop");
    make_things(&here, define_thing(&here), COUNT);
    for (size_t i = 0; i + 1 < COUNT; i++) link(&here, i, i + 1);
    for (size_t i = COUNT; i-- > 0;) {
      midden_finalizer_add_ordered(here.mutator, (void *)here.slots[i], finalize, &journal);
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
      {each_runs_once, ANYWHERE},
      {resurrection_and_registering_again, ANYWHERE},
      {weak_references_and_resurrection, ANYWHERE},
      {dependants_come_first, COLLECTING},
      {cycles_are_broken, COLLECTING},
      {unordered_before_ordered, COLLECTING},
      {kinds_with_a_finalizer, ANYWHERE},
      {minor_collections, GENERATIONAL},
      {removing_and_misuse, ANYWHERE},
      {tagged_references, ANYWHERE},
      {at_close, ANYWHERE},
  };
  return run_combinations("conformance_finalizers", tests, COUNT_OF(tests));
}
