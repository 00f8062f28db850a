/* Censuses and growth; and what happens when a writer, a file or memory fails, or the call is not allowed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counting_memory.h"
#include "harness.h"
#include "text_writer.h"

static void expect_text(const char *text, const char *part) {
  ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in:\n%s", part, text);
}

/* ---- censuses ---- */

START_TEST(censuses_count) {
  world here;
  world_open(&here, _i, NULL);
  midden_census_line before[8], after[8];
  world_list(&here, 0, 100);
  if (here.combination->collects) world_collect(&here);
  ck_assert_uint_eq(midden_census(here.heap, before, 8), 1);
  ck_assert_str_eq(before[0].name, "pair");
  if (here.combination->collects) ck_assert_uint_eq(before[0].objects, 100);
  ck_assert_uint_eq(before[0].bytes, before[0].objects * 16);
  ck_assert_uint_eq(before[0].retained, 0);
  here.slots[1] = (uintptr_t)world_leaf(&here, 100000, 1); /* a large one */
  ck_assert_uint_eq(midden_census(here.heap, after, 8), 2);
  ck_assert_str_eq(after[0].name, "leaf");
  ck_assert_uint_ge(after[0].bytes, 100000);
  ck_assert_uint_eq(midden_census(here.heap, after, 1), 2); /* says how many there are */
  ck_assert_uint_eq(midden_census(here.heap, after, 8), 2);

  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_compare(before, 1, after, 2, &writer, NULL), MIDDEN_OK);
  char expected[160];
  snprintf(expected, sizeof expected, "%-32s %12d -> %-12d %+14lld bytes\n", "leaf", 0, 1, (long long)after[0].bytes);
  ck_assert_str_eq(text.bytes, expected);
  writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_compare(after, 2, before, 1, &writer, NULL), MIDDEN_OK);
  snprintf(expected, sizeof expected, "%-32s %12d -> %-12d %+14lld bytes\n", "leaf", 1, 0, -(long long)after[0].bytes);
  ck_assert_str_eq(text.bytes, expected);
  midden_census_line wrong[2] = {after[1], after[0]};
  ck_assert_int_eq(midden_census_compare(wrong, 2, after, 2, &writer, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_census_compare(after, 2, after, 2, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  world_close(&here);
}
END_TEST

/* A leak shows: the kind that grows with every collection comes first, and says so. Only the last censuses are kept. */
START_TEST(growth_is_seen) {
  world here;
  world_open(&here, _i, "census=4");
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_growth(here.heap, &writer, NULL), MIDDEN_OK);
  for (size_t round = 0; round < 6; round++) {
    world_list(&here, 1, 50 + 10 * (round % 2)); /* goes up and down */
    here.slots[10 + round] = (uintptr_t)world_leaf(&here, 1000, round);
    ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_FULL), MIDDEN_OK);
  }
  writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_growth(here.heap, &writer, NULL), MIDDEN_OK);
  expect_text(text.bytes, ", 4 full collections\n");
  const char *leaf = strstr(text.bytes, "leaf "), *list = strstr(text.bytes, "pair ");
  ck_assert_msg(leaf && list && leaf < list, "%s", text.bytes);
  expect_text(leaf, " 3 -> 6 ");
  expect_text(leaf, "grew in 3 of 3\n");
  expect_text(list, "grew in 2 of 3\n");
  world_close(&here);
}
END_TEST

/* ---- reports, failures ---- */

static void keep_line(void *context, const char *line) {
  size_t *lines = context;
  ck_assert_ptr_null(strchr(line, '\n'));
  ++*lines;
}

START_TEST(without_a_writer_lines_are_reported) {
  static size_t lines;
  lines = 0;
  midden_config config = combination_config(_i);
  config.report = keep_line;
  config.report_context = &lines;
  world here;
  world_open_config(&here, _i, &config);
  world_list(&here, 0, 3);
  ck_assert_int_eq(midden_why(here.heap, (void *)here.slots[0], NULL, NULL), MIDDEN_OK);
  ck_assert_uint_eq(lines, 3);
  ck_assert_int_eq(midden_memory_report(here.heap, 1, NULL, NULL), MIDDEN_OK);
  ck_assert_uint_eq(lines, 3 + 5);
  world_close(&here);
}
END_TEST

static midden_status status_in_scanner;
static void ask_in_scanner(midden_visitor *visitor, void *context) {
  (void)visitor;
  status_in_scanner = midden_why(context, context, NULL, NULL);
}

START_TEST(refusals) {
  world here;
  world_open(&here, _i, NULL);
  midden_error error = {MIDDEN_OK, ""};
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  here.slots[0] = (uintptr_t)world_leaf(&here, 64, 1);
  ck_assert_int_eq(midden_why(here.heap, (char *)here.slots[0] + 8, &writer, &error), MIDDEN_BAD_ARGUMENT);
  expect_text(error.message, "not the start of an object");
  ck_assert_int_eq(midden_why(here.heap, NULL, &writer, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_why(here.heap, &here, &writer, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_why(NULL, NULL, &writer, &error), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_census_growth(here.heap, &writer, &error), MIDDEN_UNSUPPORTED);
  expect_text(error.message, "census=N");
  ck_assert_uint_eq(midden_census(NULL, NULL, 0), 0);
  ck_assert_int_eq(midden_retained(here.heap, NULL, 0, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_snapshot(here.heap, NULL, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_snapshot_file(here.heap, NULL, NULL, &error), MIDDEN_BAD_ARGUMENT);
  const char *const names[] = {"a"};
  midden_kind none = {0, 0, 0}, beyond = {1000, 0, 0};
  ck_assert_int_eq(midden_kind_name_slots(here.heap, none, names, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_kind_name_slots(here.heap, beyond, names, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_kind_name_slots(here.heap, here.pair, NULL, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_kind_name_slots_by(here.heap, none, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_name(here.heap, names, "x"), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_scanner_name(here.heap, ask_in_scanner, NULL, "x"), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, ask_in_scanner, here.heap), MIDDEN_OK);
  ck_assert_int_eq(midden_why(here.heap, (void *)here.slots[0], &writer, &error), MIDDEN_OK);
  ck_assert_int_eq(status_in_scanner, MIDDEN_MISUSE);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, ask_in_scanner, here.heap), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* A writer or a file that takes no more: the call says so, and the file is gone. */
START_TEST(writing_fails) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 500);
  midden_error error = {MIDDEN_OK, ""};
  static text_writer text;
  for (size_t calls = 0; calls < 3; calls++) {
    midden_writer writer = text_writer_open(&text);
    text.refuse_from = calls;
    midden_status status = midden_snapshot(here.heap, NULL, &writer, &error);
    if (status == MIDDEN_OK) break;
    ck_assert_int_eq(status, MIDDEN_IO_ERROR);
    ck_assert_int_eq(error.status, MIDDEN_IO_ERROR);
    expect_text(error.message, "the snapshot could not be written");
  }
  midden_writer writer = text_writer_open(&text);
  text.refuse_from = 0;
  ck_assert_int_eq(midden_why(here.heap, (void *)here.slots[0], &writer, &error), MIDDEN_IO_ERROR);
  ck_assert_int_eq(midden_memory_report(here.heap, 3, &writer, &error), MIDDEN_IO_ERROR);
  ck_assert_int_eq(midden_snapshot_file(here.heap, NULL, "/no such directory/file", &error), MIDDEN_IO_ERROR);
  expect_text(error.message, "/no such directory/file could not be written: ");
  if (access("/dev/full", W_OK) == 0 && symlink("/dev/full", "midden-full.heapsnapshot") == 0) {
    ck_assert_int_eq(midden_snapshot_file(here.heap, NULL, "midden-full.heapsnapshot", &error), MIDDEN_IO_ERROR);
    ck_assert_int_ne(access("midden-full.heapsnapshot", F_OK), 0);
  }
  world_close(&here);
}
END_TEST

/* The n-th request for memory fails, for every n: NO_MEMORY and a sentence, all is given back, and the heap is whole. */
static void expect_given_back(counting_memory *memory, midden_status (*call)(world *, midden_error *), world *here) {
  for (uint64_t n = 1;; n++) {
    size_t reserved = memory->reserved_bytes;
    midden_error error = {MIDDEN_OK, ""};
    counting_memory_fail(memory, n, true);
    midden_status status = call(here, &error);
    bool failed = memory->failed;
    counting_memory_heal(memory);
    EXPECT(memory->reserved_bytes == reserved && memory->violations == 0, "memory after the %llu-th request", (unsigned long long)n);
    if (!failed) {
      EXPECT(status == MIDDEN_OK && n > 2, "%s", error.message);
      return;
    }
    EXPECT(status == MIDDEN_NO_MEMORY && error.status == MIDDEN_NO_MEMORY && strlen(error.message) > 10, "request %llu: %s",
           (unsigned long long)n, midden_status_name(status));
    world_verify(here);
  }
}

static midden_status ask_why(world *here, midden_error *error) {
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  return midden_why(here->heap, (void *)((midden_word *)here->slots[0])[0], &writer, error);
}
static midden_status ask_memory(world *here, midden_error *error) {
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  return midden_memory_report(here->heap, 3, &writer, error);
}
static midden_status ask_snapshot(world *here, midden_error *error) {
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  return midden_snapshot(here->heap, NULL, &writer, error);
}

START_TEST(memory_is_refused) {
  static counting_memory memory;
  counting_memory_open(&memory);
  midden_config config = combination_config(_i);
  config.memory = &memory.face;
  config.heap_limit = (size_t)16 << 20;
  world here;
  world_open_config(&here, _i, &config);
  midden_kind table = midden_kind_define(here.heap, &(midden_shape){.name = "ephemerons", .refs = MIDDEN_REFS_PAIRS}, NULL);
  ck_assert_uint_ne(table.id, 0);
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, table, 16);
  here.slots[1] = (uintptr_t)world_leaf(&here, 24, 1);
  ((midden_word *)here.slots[0])[0] = here.slots[1];
  ((midden_word *)here.slots[0])[1] = here.slots[1];
  midden_written(here.mutator, (void *)here.slots[0], (void *)here.slots[0], 2);
  world_list(&here, 2, 2000);
  expect_given_back(&memory, ask_why, &here);
  expect_given_back(&memory, ask_memory, &here);
  expect_given_back(&memory, ask_snapshot, &here);
  world_close(&here);
  ck_assert_uint_eq(memory.reservations, 0);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {censuses_count, CALM},
      {growth_is_seen, COLLECTING | CALM | PRECISE},
      {without_a_writer_lines_are_reported, CALM},
      {refusals, CALM},
      {writing_fails, CALM},
      {memory_is_refused, CALM},
  };
  return run_combinations("heap_census", tests, COUNT_OF(tests));
}
