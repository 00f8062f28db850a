/* Conformance: generations. A minor collection keeps what old objects refer to since a store with the write
 * barrier, frees young garbage, and may leave old garbage; a full one frees that too. */
#include <stdio.h>
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

enum { TARGET_BYTES = 48 };

/* What a heap reported last. */
typedef struct reports {
  size_t count;
  char last[512];
} reports;

static void reports_take(void *context, const char *line) {
  reports *seen = context;
  seen->count++;
  snprintf(seen->last, sizeof seen->last, "%s", line);
}

static void minor(world *here) { ck_assert_int_eq(midden_collect(here->mutator, MIDDEN_MINOR), MIDDEN_OK); }

static midden_kind define(world *here, const midden_shape *shape) {
  midden_kind kind = midden_kind_define(here->heap, shape, NULL);
  ck_assert_uint_ne(kind.id, 0);
  return kind;
}

static void trace_all(void *object, size_t size, midden_visitor *visitor, void *context) {
  (void)context;
  midden_visit_range(visitor, object, size / sizeof(midden_word));
}

/* An old object of each layout is stored into, and the store is all that keeps the young object. */
START_TEST(old_objects_keep_young_ones) {
  world here;
  world_open(&here, _i, NULL);
  const midden_shape shapes[] = {
      {.name = "all", .size = 64, .refs = MIDDEN_REFS_ALL},
      {.name = "bitmap", .size = 64, .refs = MIDDEN_REFS_BITMAP, .bitmap = 0xff},
      {.name = "elements", .refs = MIDDEN_REFS_ELEMENTS, .element_size = 8, .element_bitmap = 1},
      {.name = "fixed part", .size = 64, .refs = MIDDEN_REFS_ELEMENTS, .bitmap = 0xff, .element_size = 16, .element_bitmap = 2},
      {.name = "traced", .refs = MIDDEN_REFS_TRACE, .trace = trace_all},
      {.name = "pinned", .size = 64, .refs = MIDDEN_REFS_ALL, .flags = MIDDEN_KIND_PINNED},
      {.name = "ambiguous", .refs = MIDDEN_REFS_AMBIGUOUS},
  };
  for (size_t s = 0; s < COUNT_OF(shapes); s++) {
    midden_kind kind = define(&here, &shapes[s]);
    here.slots[s] = (uintptr_t)midden_alloc_sized(here.mutator, kind, 64);
    ck_assert_uint_ne(here.slots[s], 0);
  }
  world_collect(&here); /* now they are old */
  minor(&here);
  for (size_t round = 0; round < 24; round++) {
    for (size_t s = 0; s < COUNT_OF(shapes); s++) {
      void *young = world_leaf(&here, TARGET_BYTES, round * 100 + s);
      midden_word *old = (midden_word *)here.slots[s];
      midden_store(here.mutator, old, &old[round % 8], young);
    }
    if (round % 3 != 1) minor(&here);
    world_churn(&here, 5);
    for (size_t s = 0; s < COUNT_OF(shapes); s++)
      for (size_t back = 0; back < 8 && back <= round; back++) {
        const midden_word *old = (const midden_word *)here.slots[s];
        const void *target = (const void *)old[(round - back) % 8];
        EXPECT(leaf_is(target, TARGET_BYTES, (round - back) * 100 + s), "%s, round %zu, %zu back", shapes[s].name,
               round, back);
      }
  }
  world_close(&here);
}
END_TEST

/* Chains of young objects behind one store, and young objects that refer back to old ones. */
START_TEST(young_graphs_behind_old_objects) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_vector(&here, 50);
  world_collect(&here);
  for (size_t i = 0; i < 50; i++) {
    world_list(&here, 1, 20 + i);
    vector *old = (vector *)here.slots[0];
    midden_store_word(here.mutator, old, &old->elements[i], here.slots[1]);
    here.slots[1] = 0;
    if (i % 4 == 0) minor(&here);
  }
  minor(&here);
  for (size_t i = 0; i < 50; i++) {
    here.slots[1] = ((vector *)here.slots[0])->elements[i];
    world_list_check(&here, 1, 20 + i);
  }
  world_close(&here);
}
END_TEST

/* Stores all over a large old array, one by one and in bulk: each is found. */
START_TEST(large_old_arrays) {
  world here;
  world_open(&here, _i, NULL);
  const size_t length = world_count(&here, 200000, 9000);
  here.slots[0] = (uintptr_t)world_vector(&here, length);
  world_collect(&here);
  static size_t stored[2000];
  uint64_t random = 6;
  size_t count = world_count(&here, COUNT_OF(stored), 200);
  for (size_t i = 0; i < count; i++) {
    stored[i] = test_random_below(&random, length - 16);
    void *young = world_leaf(&here, TARGET_BYTES, stored[i]);
    vector *old = (vector *)here.slots[0];
    midden_store(here.mutator, old, &old->elements[stored[i]], young);
    if (i % 97 == 0) minor(&here);
  }
  minor(&here);
  const vector *old = (const vector *)here.slots[0];
  for (size_t i = 0; i < count; i++)
    EXPECT(leaf_is((const void *)old->elements[stored[i]], TARGET_BYTES, stored[i]), "element %zu", stored[i]);
  /* The first and the last element, and a bulk copy over the boundary of any card. */
  midden_word young[1000];
  for (size_t i = 0; i < COUNT_OF(young); i++) here.slots[100 + i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
  memcpy(young, &here.slots[100], sizeof young);
  vector *target = (vector *)here.slots[0];
  memcpy(&target->elements[length - COUNT_OF(young)], young, sizeof young);
  midden_written(here.mutator, target, &target->elements[length - COUNT_OF(young)], COUNT_OF(young));
  midden_store_word(here.mutator, target, &target->elements[0], young[0]);
  memset(&here.slots[100], 0, sizeof young);
  minor(&here);
  world_churn(&here, 20);
  minor(&here);
  target = (vector *)here.slots[0];
  for (size_t i = 0; i < COUNT_OF(young); i++)
    EXPECT(leaf_is((const void *)target->elements[length - COUNT_OF(young) + i], TARGET_BYTES, i), "copied %zu", i);
  ck_assert_uint_eq(target->elements[0], target->elements[length - COUNT_OF(young)]);
  world_close(&here);
}
END_TEST

/* A whole object rewritten by the host, announced once. */
START_TEST(objects_written_in_bulk) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_vector(&here, 30);
  world_collect(&here);
  for (size_t round = 0; round < 6; round++) {
    for (size_t i = 0; i < 30; i++) here.slots[10 + i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, round * 30 + i);
    vector *old = (vector *)here.slots[0];
    midden_written(here.mutator, old, old->elements, 30); /* may come before the writing */
    memcpy(old->elements, &here.slots[10], 30 * sizeof(midden_word));
    memset(&here.slots[10], 0, 30 * sizeof(midden_word));
    minor(&here);
    for (size_t i = 0; i < 30; i++)
      EXPECT(leaf_is((const void *)((vector *)here.slots[0])->elements[i], TARGET_BYTES, round * 30 + i), "element %zu", i);
  }
  world_close(&here);
}
END_TEST

/* Young garbage goes in a minor collection, old garbage by the next full one. */
START_TEST(what_minor_collections_free) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 300);
  world_list(&here, 1, 200);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 500);
  world_list(&here, 2, 1000);
  world_list(&here, 3, 50);
  here.slots[2] = 0;
  minor(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 550);
  here.slots[1] = 0; /* old */
  world_list(&here, 4, 400);
  here.slots[4] = 0;
  minor(&here);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_ge(statistics.live_objects, 350);
  ck_assert_uint_le(statistics.live_objects, 550);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 350);
  world_list_check(&here, 0, 300);
  world_list_check(&here, 3, 50);
  world_close(&here);
}
END_TEST

START_TEST(minor_collections_are_counted) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 50);
  world_collect(&here);
  midden_statistics first = world_statistics(&here);
  for (int i = 0; i < 5; i++) minor(&here);
  midden_statistics second = world_statistics(&here);
  ck_assert_uint_eq(second.minor_collections - first.minor_collections, 5);
  ck_assert_uint_eq(second.collections - first.collections, 5);
  pair *old = (pair *)here.slots[0];
  for (int i = 0; i < 10; i++) midden_store_word(here.mutator, old, &old->car, immediate(0));
  midden_statistics third = world_statistics(&here);
  ck_assert_uint_eq(third.objects_remembered - second.objects_remembered, 1);
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).minor_collections, third.minor_collections);
  world_list_check(&here, 0, 50);
  world_close(&here);
}
END_TEST

/* nursery=: a minor collection about every so many bytes. */
START_TEST(the_nursery_sets_the_pace) {
  world here;
  world_open(&here, _i, "nursery=1M,verify=off");
  world_list(&here, 0, 2000);
  midden_statistics first = world_statistics(&here);
  for (size_t i = 0; i < 20 * 65536; i++) world_pair(&here); /* 20 MiB */
  midden_statistics second = world_statistics(&here);
  ck_assert_uint_ge(second.collections - first.collections, 15);
  ck_assert_uint_le(second.collections - first.collections, 25);
  ck_assert_uint_ge(second.minor_collections - first.minor_collections, 10);
  world_list_check(&here, 0, 2000);
  world_close(&here);
}
END_TEST

/* Stress makes both kinds of collections. */
START_TEST(stress_makes_both) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 1000);
  world_churn(&here, 1000);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_gt(statistics.minor_collections, 5);
  ck_assert_uint_gt(statistics.stress_collections - statistics.minor_collections, 2);
  world_list_check(&here, 0, 1000);
  world_close(&here);
}
END_TEST

/* Where there is no memory to remember stores, nothing is lost: the next collection is a full one. */
START_TEST(stores_that_cannot_be_remembered) {
  static counting_memory memory;
  counting_memory_open(&memory);
  midden_config config = combination_config(_i);
  config.memory = &memory.face;
  config.heap_limit = (size_t)64 << 20;
  world here;
  world_open_config(&here, _i, &config);
  enum { COUNT = 30000 };
  here.slots[0] = (uintptr_t)world_vector(&here, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    pair *cell = world_pair(&here);
    vector *all = (vector *)here.slots[0];
    midden_store(here.mutator, all, &all->elements[i], cell);
  }
  for (size_t i = 0; i < 40; i++) here.slots[10 + i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
  world_collect(&here);
  for (size_t i = 0; i < 40; i++) here.slots[10 + i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i); /* young */
  uint64_t minors = world_statistics(&here).minor_collections;
  counting_memory_fail(&memory, 1, true);
  for (size_t i = 0; i < COUNT; i++) {
    pair *cell = (pair *)((vector *)here.slots[0])->elements[i];
    midden_store_word(here.mutator, cell, &cell->cdr, here.slots[10 + i % 40]);
  }
  memset(&here.slots[10], 0, 40 * sizeof(midden_word));
  ck_assert(memory.failed);
  minor(&here);
  counting_memory_heal(&memory);
  ck_assert_uint_eq(world_statistics(&here).minor_collections, minors);
  for (size_t i = 0; i < COUNT; i++) {
    const pair *cell = (const pair *)((vector *)here.slots[0])->elements[i];
    EXPECT(leaf_is((const void *)cell->cdr, TARGET_BYTES, i % 40), "element %zu", i);
  }
  minor(&here);
  ck_assert_uint_eq(world_statistics(&here).minor_collections, minors + 1);
  world_close(&here);
}
END_TEST

static void expect_missed(world *here, const char *old, const char *place, const char *young) {
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_verify(here->heap, &error), MIDDEN_CORRUPT);
  ck_assert_msg(strstr(error.message, "missed write barrier") && strstr(error.message, old) &&
                    strstr(error.message, place) && strstr(error.message, young),
                "\"%s\" does not name %s, %s and %s", error.message, old, place, young);
}

static void expect_none_missed(world *here) {
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_msg(midden_verify(here->heap, &error) == MIDDEN_OK, "%s", error.message);
}

/* A store without the barrier is named, whatever the layout, though the young object has another root too; the
 * barrier said late makes it good. */
START_TEST(missed_barriers_are_named) {
  world here;
  world_open(&here, _i, NULL);
  const midden_shape shapes[] = {
      {.name = "all", .size = 64, .refs = MIDDEN_REFS_ALL},
      {.name = "bitmap", .size = 64, .refs = MIDDEN_REFS_BITMAP, .bitmap = 0xff},
      {.name = "elements", .refs = MIDDEN_REFS_ELEMENTS, .element_size = 8, .element_bitmap = 1},
      {.name = "traced", .refs = MIDDEN_REFS_TRACE, .trace = trace_all},
  };
  for (size_t s = 0; s < COUNT_OF(shapes); s++) {
    midden_kind kind = define(&here, &shapes[s]);
    here.slots[s] = (uintptr_t)midden_alloc_sized(here.mutator, kind, 64);
    ck_assert_uint_ne(here.slots[s], 0);
  }
  world_collect(&here);
  here.slots[10] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  expect_none_missed(&here);
  for (size_t s = 0; s < COUNT_OF(shapes); s++) {
    midden_word *old = (midden_word *)here.slots[s];
    old[3] = here.slots[10];
    expect_missed(&here, shapes[s].name, "offset 24", "leaf");
    midden_written(here.mutator, old, &old[3], 1);
    expect_none_missed(&here);
    midden_word *remembered = old; /* from another old object to a remembered one: both are old */
    midden_word *other = (midden_word *)here.slots[(s + 1) % COUNT_OF(shapes)];
    other[5] = (midden_word)remembered;
    expect_none_missed(&here);
  }
  minor(&here);
  expect_none_missed(&here);
  world_close(&here);
}
END_TEST

/* Of a large array only the parts said to be written are scanned: a store into another part is missed. */
START_TEST(missed_barriers_of_large_objects_are_named) {
  world here;
  world_open(&here, _i, NULL);
  enum { COUNT = 20000 };
  here.slots[0] = (uintptr_t)world_vector(&here, COUNT);
  world_collect(&here);
  here.slots[1] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1);
  vector *all = (vector *)here.slots[0];
  midden_store_word(here.mutator, all, &all->elements[100], here.slots[1]);
  expect_none_missed(&here);
  all->elements[15000] = here.slots[1];
  char place[40];
  snprintf(place, sizeof place, "offset %zu", (size_t)((char *)&all->elements[15000] - (char *)all));
  expect_missed(&here, "vector", place, "leaf");
  midden_written(here.mutator, all, &all->elements[15000], 1);
  expect_none_missed(&here);
  world_close(&here);
}
END_TEST

/* With verify=before the collection that would have lost the object is not made, and says so. */
START_TEST(a_missed_barrier_stops_the_collection) {
  midden_config config = combination_config(_i);
  config.verify = MIDDEN_VERIFY_BEFORE;
  reports seen;
  config.report = reports_take;
  config.report_context = &seen;
  seen = (reports){0, ""};
  world here;
  world_open_config(&here, _i, &config);
  here.slots[0] = (uintptr_t)world_pair(&here);
  world_collect(&here);
  pair *young = world_pair(&here), *old = (pair *)here.slots[0];
  old->cdr = (midden_word)young;
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_CORRUPT);
  ck_assert_msg(strstr(seen.last, "missed write barrier") != NULL, "reported: %s", seen.last);
  ck_assert_ptr_eq((void *)old->cdr, (void *)young); /* nothing has moved */
  midden_written(here.mutator, old, &old->cdr, 1);
  minor(&here);
  ck_assert_uint_ne(((const pair *)here.slots[0])->cdr, 0);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {old_objects_keep_young_ones, GENERATIONAL},
      {young_graphs_behind_old_objects, GENERATIONAL},
      {large_old_arrays, GENERATIONAL},
      {objects_written_in_bulk, GENERATIONAL},
      {what_minor_collections_free, GENERATIONAL | PRECISE | CALM},
      {minor_collections_are_counted, GENERATIONAL | CALM},
      {the_nursery_sets_the_pace, GENERATIONAL | CALM},
      {stress_makes_both, GENERATIONAL | STRESSED},
      {stores_that_cannot_be_remembered, GENERATIONAL | CALM},
      {missed_barriers_are_named, GENERATIONAL | CALM},
      {missed_barriers_of_large_objects_are_named, GENERATIONAL | CALM},
      {a_missed_barrier_stops_the_collection, GENERATIONAL | CALM},
  };
  return run_combinations("generational", tests, COUNT_OF(tests));
}
