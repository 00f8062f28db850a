/* Conformance: the doctor. Each of its rules is provoked, and silent when the cause has gone or was never there. */
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

static void expect_finding(world *here, const char *words) {
  char text[4000];
  size_t length = midden_doctor(here->heap, text, sizeof text);
  ck_assert_uint_eq(length, strlen(text));
  ck_assert_msg(strstr(text, words) != NULL, "the doctor does not say \"%s\" but:\n%s", words, text);
}

START_TEST(healthy) {
  world here;
  char text[8] = "";
  world_open(&here, _i, "verify=off");
  expect_finding(&here, "Nothing is wrong");
  size_t length = midden_doctor(here.heap, NULL, 0);
  ck_assert_uint_eq(midden_doctor(here.heap, text, sizeof text), length);
  ck_assert_str_eq(text, "Nothing");
  world_list(&here, 0, 30000);
  world_collect(&here);
  expect_finding(&here, "Nothing is wrong");
  world_close(&here);
}
END_TEST

/* One of nine stays: a heap that does not move is told so, and does as it is told. */
START_TEST(fragmented) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=64M,growth=fixed,nursery=64M");
  ck_assert_int_eq(midden_heap_use(here.heap, "mark-sweep", NULL), MIDDEN_OK);
  for (size_t i = 0; i < 9 * 3000; i++) {
    void *leaf = world_leaf(&here, 512, i);
    if (i % 9 == 0) here.slots[i / 9] = (uintptr_t)leaf;
  }
  stack_wipe();
  world_collect(&here);
  expect_finding(&here, "midden_defragment");
  ck_assert_int_eq(midden_heap_use(here.heap, "mark-compact", NULL), MIDDEN_OK);
  world_collect(&here);
  midden_trim(here.heap);
  expect_finding(&here, "Nothing is wrong");
  world_close(&here);
}
END_TEST

START_TEST(pinned) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=64M,growth=fixed,nursery=64M");
  ck_assert_int_eq(midden_heap_use(here.heap, "copying", NULL), MIDDEN_OK);
  for (size_t i = 0; i < 20000; i++) {
    void *leaf = world_leaf(&here, 512, i);
    if (i % 9 == 0) ck_assert_int_eq(midden_pin(here.mutator, leaf), MIDDEN_OK);
  }
  stack_wipe();
  world_collect(&here);
  expect_finding(&here, "2223 pinned objects kept");
  expect_finding(&here, "2223 are pinned by midden_pin");
  world_close(&here);
}
END_TEST

START_TEST(full_and_wasteful) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=8M");
  for (size_t i = 0; i < 3970; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 1793, i);
  world_collect(&here);
  expect_finding(&here, "more than 90 % of heap-limit (8.0 MiB)");
  memset(here.slots, 0, 3970 * sizeof *here.slots);
  stack_wipe();
  for (size_t i = 0; i < 400000; i++) EXPECT(midden_alloc_sized(here.mutator, here.leaf, 17), "leaf %zu", i);
  expect_finding(&here, "midden_good_size");
  world_close(&here);
}
END_TEST

START_TEST(free_pages) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=128M,growth=fixed,nursery=128M");
  for (size_t i = 0; i < 300; i++) world_leaf(&here, 100000, i);
  stack_wipe();
  world_collect(&here);
  expect_finding(&here, "midden_trim");
  midden_trim(here.heap);
  expect_finding(&here, "Nothing is wrong");
  world_close(&here);
}
END_TEST

START_TEST(busy_collecting) {
  world here;
  world_open(&here, _i, "verify=off");
  world_list(&here, 0, 100000);
  for (int i = 0; i < 100; i++) world_collect(&here);
  expect_finding(&here, "% of the time");
  world_close(&here);
}
END_TEST

static void expect_no_finding(world *here, const char *words) {
  char text[4000];
  midden_doctor(here->heap, text, sizeof text);
  ck_assert_msg(strstr(text, words) == NULL, "the doctor says \"%s\":\n%s", words, text);
}

/* The system refuses memory long before any other reason to collect comes up. */
START_TEST(emergencies) {
  static counting_memory memory;
  world here;
  midden_config config = combination_config(_i);
  counting_memory_open(&memory);
  config.memory = &memory.face;
  config.verify = MIDDEN_VERIFY_OFF;
  config.heap_limit = config.heap_initial = config.nursery = (size_t)64 << 20;
  world_open_config(&here, _i, &config);
  world_list(&here, 0, 10000);
  for (int i = 0; i < 1000; i++) world_leaf(&here, 1000, 1);
  expect_no_finding(&here, "emergencies");
  counting_memory_fail(&memory, 1, true);
  for (int i = 0; i < 100000 && world_statistics(&here).emergency_collections < 10; i++) {
    EXPECT(midden_alloc_sized(here.mutator, here.leaf, 1000) != NULL, "no leaf");
  }
  counting_memory_heal(&memory);
  expect_finding(&here, "collections were emergencies (more than a tenth)");
  for (int i = 0; i < 120; i++) world_collect(&here); /* then they are fewer than a tenth */
  expect_no_finding(&here, "emergencies");
  world_list_check(&here, 0, 10000);
  world_close(&here);
}
END_TEST

/* More than half of the limit lives, so that not all of it can be copied. */
START_TEST(no_room_to_copy) {
  world here;
  world_open(&here, _i, "verify=off,heap-limit=8M,heap-initial=64M,nursery=64M");
  world_list(&here, 0, 50000);
  stack_wipe();
  world_collect(&here);
  expect_no_finding(&here, "want of room");
  for (size_t i = 1; i <= 6; i++) world_list(&here, i, 50000);
  stack_wipe();
  world_collect(&here);
  ck_assert_uint_ge(world_statistics(&here).marked_in_place, 1000);
  expect_finding(&here, "for want of room");
  for (size_t i = 0; i <= 6; i++) world_list_check(&here, i, 50000);
  world_close(&here);
}
END_TEST

/* Every other cell lives: each allocation after that takes a run of one cell. */
START_TEST(scattered_cells) {
  enum { PAIRS = 120000 };
  world here;
  world_open(&here, _i, "verify=off,heap-limit=64M,growth=fixed,nursery=64M,memory-checker=no"); /* which takes one at a time */
  ck_assert_int_eq(midden_heap_use(here.heap, "mark-sweep", NULL), MIDDEN_OK);
  here.slots[0] = (uintptr_t)world_vector(&here, PAIRS / 2);
  for (size_t i = 0; i < PAIRS; i++) {
    pair *made = world_pair(&here);
    vector *all = (vector *)here.slots[0];
    if (i % 2) midden_store(here.mutator, all, &all->elements[i / 2], made);
  }
  stack_wipe();
  world_collect(&here);
  expect_no_finding(&here, "scattered");
  for (size_t i = 0; i < PAIRS / 2; i++) world_pair(&here);
  expect_finding(&here, "free cells lie scattered");
  world_close(&here);
}
END_TEST

/* A wide graph is traced while the system refuses memory. */
START_TEST(no_memory_to_mark) {
  enum { VECTORS = 40, WIDTH = 3000 };
  static counting_memory memory;
  world here;
  midden_config config = combination_config(_i);
  counting_memory_open(&memory);
  config.memory = &memory.face;
  config.heap_limit = config.heap_initial = config.nursery = (size_t)64 << 20;
  world_open_config(&here, _i, &config);
  here.slots[0] = (uintptr_t)world_vector(&here, VECTORS);
  for (size_t v = 0; v < VECTORS; v++) {
    vector *inner = world_vector(&here, WIDTH);
    midden_store(here.mutator, (void *)here.slots[0], &((vector *)here.slots[0])->elements[v], inner);
    for (size_t i = 0; i < WIDTH; i++) {
      pair *made = world_pair(&here);
      inner = (vector *)((vector *)here.slots[0])->elements[v];
      midden_store(here.mutator, inner, &inner->elements[i], made);
    }
  }
  expect_no_finding(&here, "mark stack");
  counting_memory_fail(&memory, 1, true);
  world_collect(&here);
  counting_memory_heal(&memory);
  expect_finding(&here, "The mark stack could not grow");
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {healthy, CALM | COLLECTING},
      {fragmented, CALM | PRECISE | COLLECTING | ONE_GENERATION},
      {pinned, CALM | PRECISE | COLLECTING | ONE_GENERATION},
      {full_and_wasteful, CALM | COLLECTING},
      {free_pages, CALM | PRECISE | COLLECTING},
      {busy_collecting, CALM | COLLECTING},
      {emergencies, CALM | COLLECTING},
      {no_room_to_copy, CALM | PRECISE | EVACUATING},
      {scattered_cells, CALM | PRECISE | COLLECTING},
      {no_memory_to_mark, CALM | PRECISE | COLLECTING},
  };
  return run_combinations("conformance_doctor", tests, COUNT_OF(tests));
}
