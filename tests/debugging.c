/* The built-in checks: the verifier finds what is broken and says so, collections report it, logs and reports
 * go where the configuration says, poison names who freed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

typedef struct reports {
  size_t count;
  char last[600];
} reports;

static void report(void *context, const char *line) {
  reports *received = context;
  received->count++;
  snprintf(received->last, sizeof received->last, "%s", line);
}

/* ---- the verifier ---- */

/* The verifier must fail with a sentence that contains the two texts, and pass again after the repair. */
static void expect_corrupt(world *here, const char *first, const char *second) {
  midden_error error = {MIDDEN_OK, ""};
  uint64_t walks = world_statistics(here).verifications;
  ck_assert_int_eq(midden_verify(here->heap, &error), MIDDEN_CORRUPT);
  ck_assert_int_eq(error.status, MIDDEN_CORRUPT);
  ck_assert_msg(strstr(error.message, first) != NULL && strstr(error.message, second) != NULL,
                "\"%s\" does not contain \"%s\" and \"%s\"", error.message, first, second);
  ck_assert_int_eq(midden_verify(here->heap, NULL), MIDDEN_CORRUPT);
  ck_assert_uint_eq(world_statistics(here).verifications, walks + 2);
}

START_TEST(references_that_lead_nowhere) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 20);
  here.slots[1] = (uintptr_t)world_leaf(&here, 64, 1);
  pair *cell = (pair *)((pair *)here.slots[0])->cdr;
  uintptr_t right = cell->cdr, wrong[3];
  world_verify(&here);
  wrong[0] = here.slots[1] + 8;                           /* the inside of an object */
  wrong[1] = here.slots[1] + 4096;                        /* a cell or page that is free */
  wrong[2] = (here.slots[1] & ~(uintptr_t)8191) + 800000; /* beyond what was ever used */
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    char address[32];
    snprintf(address, sizeof address, "%#zx", (size_t)wrong[i]);
    cell->cdr = wrong[i];
    expect_corrupt(&here, "pair", address);
    cell->cdr = right;
    world_verify(&here);
    here.slots[2] = wrong[i];
    expect_corrupt(&here, "root", address);
    here.slots[2] = 0;
    world_verify(&here);
  }
  world_close(&here);
}
END_TEST

static void trace_first(void *object, size_t size, midden_visitor *visitor, void *context) {
  (void)size, (void)context;
  midden_visit(visitor, object);
}

START_TEST(every_layout_and_root_is_verified) {
  world here;
  world_open(&here, _i, NULL);
  const midden_shape shapes[] = {
      {.name = "all", .size = 16, .refs = MIDDEN_REFS_ALL},
      {.name = "bitmap", .size = 16, .refs = MIDDEN_REFS_BITMAP, .bitmap = 1},
      {.name = "elements", .refs = MIDDEN_REFS_ELEMENTS, .element_size = 16, .element_bitmap = 1},
      {.name = "traced", .size = 16, .refs = MIDDEN_REFS_TRACE, .trace = trace_first},
      {.name = "large", .size = 100000, .refs = MIDDEN_REFS_ALL},
  };
  uintptr_t wrong = (uintptr_t)world_leaf(&here, 64, 1) + 16;
  for (size_t i = 0; i < COUNT_OF(shapes); i++) {
    midden_kind kind = midden_kind_define(here.heap, &shapes[i], NULL);
    midden_word *object = midden_alloc_sized(here.mutator, kind, 16);
    ck_assert_ptr_nonnull(object);
    here.slots[i] = (uintptr_t)object;
    object[0] = wrong;
    expect_corrupt(&here, shapes[i].name, "");
    object[0] = 0;
    world_verify(&here);
  }
  midden_scope scope = midden_scope_open(here.mutator);
  midden_handle handle = midden_handle_new(here.mutator, (void *)wrong);
  ck_assert_ptr_nonnull(handle);
  expect_corrupt(&here, "root", "");
  midden_scope_close(here.mutator, scope);
  void *local = (void *)wrong;
  MIDDEN_FRAME(here.mutator, local);
  expect_corrupt(&here, "root", "");
  MIDDEN_END(here.mutator);
  static midden_word word;
  word = wrong;
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, &word, 1), MIDDEN_OK);
  world_verify(&here); /* an ambiguous word may be anything */
  world_close(&here);
}
END_TEST

/* verify=before finds it too: the collection says CORRUPT, and reports. */
START_TEST(collections_report_corruption) {
  static reports received;
  memset(&received, 0, sizeof received);
  midden_config config = combination_config(_i);
  config.verify = MIDDEN_VERIFY_BEFORE;
  config.report = report;
  config.report_context = &received;
  world here;
  world_open_config(&here, _i, &config);
  midden_word *object = (midden_word *)world_pair(&here);
  here.slots[0] = (uintptr_t)object;
  void *target = world_leaf(&here, 4096, 1);
  object = (midden_word *)here.slots[0];
  object[0] = (uintptr_t)target + 2048; /* the inside of an object: harmless to mark */
  size_t before = received.count;
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_FULL), MIDDEN_CORRUPT);
  ck_assert_uint_gt(received.count, before);
  ck_assert_ptr_nonnull(strstr(received.last, "pair"));
  ((midden_word *)here.slots[0])[0] = 0;
  ck_assert_int_eq(midden_heap_close(here.heap), MIDDEN_OK);
  free(here.slots);
}
END_TEST

/* verify= walks as often as it says. */
START_TEST(verifications_are_made) {
  static const midden_verify_mode modes[] = {MIDDEN_VERIFY_OFF, MIDDEN_VERIFY_BEFORE, MIDDEN_VERIFY_AFTER, MIDDEN_VERIFY_BOTH};
  static const uint64_t walks[] = {0, 1, 1, 2};
  for (size_t i = 0; i < COUNT_OF(modes); i++) {
    midden_config config = combination_config(_i);
    config.verify = modes[i];
    world here;
    world_open_config(&here, _i, &config);
    for (uint64_t round = 1; round <= 5; round++) {
      world_collect(&here);
      ck_assert_uint_eq(world_statistics(&here).verifications, round * walks[i]);
    }
    world_close(&here);
  }
}
END_TEST

/* ---- logs ---- */

START_TEST(a_line_for_each_collection) {
  char path[] = "/tmp/midden-log-XXXXXX";
  int descriptor = mkstemp(path);
  ck_assert_int_ge(descriptor, 0);
  midden_config config = combination_config(_i);
  snprintf(config.log, sizeof config.log, "%s", path);
  world here;
  world_open_config(&here, _i, &config);
  world_list(&here, 0, 100);
  uint64_t collections = 0;
  for (int i = 0; i < 6; i++) world_collect(&here);
  collections = world_statistics(&here).collections;
  ck_assert_uint_ge(collections, 6);
  world_close(&here);
  FILE *log = fdopen(descriptor, "r");
  char line[600];
  uint64_t lines = 0;
  while (fgets(line, sizeof line, log) != NULL) {
    lines += strncmp(line, "midden: collection ", 19) == 0;
    ck_assert_msg(strncmp(line, "midden: ", 8) == 0, "\"%s\"", line);
    ck_assert_int_eq(line[strlen(line) - 1], '\n');
  }
  fclose(log);
  unlink(path);
  ck_assert_uint_eq(lines, collections);
}
END_TEST

START_TEST(reports_go_to_the_host) {
  static reports received;
  memset(&received, 0, sizeof received);
  midden_config config = combination_config(_i);
  strcpy(config.log, "stderr");
  config.report = report;
  config.report_context = &received;
  world here;
  world_open_config(&here, _i, &config);
  for (int i = 0; i < 4; i++) world_collect(&here);
  ck_assert_uint_eq(received.count, world_statistics(&here).collections);
  ck_assert_ptr_null(strchr(received.last, '\n'));
  ck_assert_ptr_nonnull(strstr(received.last, here.combination->collector));
  world_close(&here);
}
END_TEST

START_TEST(no_log_by_default) {
  static reports received;
  memset(&received, 0, sizeof received);
  midden_config config = combination_config(_i);
  config.report = report;
  config.report_context = &received;
  world here;
  world_open_config(&here, _i, &config);
  world_churn(&here, 100);
  world_collect(&here);
  ck_assert_uint_eq(received.count, 0);
  world_close(&here);
}
END_TEST

/* ---- poison ---- */

/* Frees an object between two pinned ones, and reads its word. */
static uintptr_t word_left_behind(world *here, bool moves) {
  enum { COUNT = 64, BYTES = 64 };
  static midden_word hold[COUNT];
  uintptr_t addresses[COUNT];
  memset(hold, 0, sizeof hold);
  ck_assert_int_eq(midden_root_ambiguous_add(here->heap, hold, COUNT), MIDDEN_OK);
  for (size_t i = 0; i < COUNT; i++) addresses[i] = here->slots[i] = (uintptr_t)world_leaf(here, BYTES, i);
  for (size_t i = 0; i < COUNT; i += 2) hold[i] = addresses[i] + 1;
  if (!moves) memset(here->slots, 0, COUNT * sizeof *here->slots);
  world_collect(here);
  uintptr_t found = 0;
  for (size_t i = 1; i < COUNT; i += 2) {
    if (moves && here->slots[i] == addresses[i]) continue;
    if (midden_object_at(here->heap, (void *)addresses[i]) != NULL) continue;
    uintptr_t word = freed_word(addresses[i] + 16);
    ck_assert_msg(is_poison(word), "a freed cell holds %#zx", (size_t)word);
    for (size_t at = 0; at < BYTES; at += 8) ck_assert_uint_eq(freed_word(addresses[i] + at), word);
    if (found != 0) ck_assert_uint_eq(word, found);
    found = word;
  }
  ck_assert_int_eq(midden_root_remove(here->heap, hold), MIDDEN_OK);
  return found;
}

START_TEST(poison_names_who_freed) {
  world here;
  world_open(&here, _i, NULL);
  uintptr_t dead = word_left_behind(&here, false);
  uintptr_t moved = here.combination->moves == MOVES_NEVER ? 0 : word_left_behind(&here, true);
  if (strcmp(here.combination->collector, "mark-sweep") == 0) {
    ck_assert_uint_eq(dead, MIDDEN_POISON_SWEPT);
  } else if (strcmp(here.combination->collector, "copying") == 0) {
    ck_assert_uint_eq(dead, MIDDEN_POISON_SWEPT);
    ck_assert_uint_eq(moved, MIDDEN_POISON_EVACUATED);
  } else {
    ck_assert(is_poison(dead));
  }
  world_close(&here);
}
END_TEST

/* No poison is a reference under the default tags. */
START_TEST(poison_is_no_reference) {
  static const uintptr_t words[] = {MIDDEN_POISON_SWEPT, MIDDEN_POISON_EVACUATED, MIDDEN_POISON_SLID, MIDDEN_POISON_LARGE};
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    ck_assert_uint_ne(words[i] & 7, 0);
    for (size_t k = 0; k < i; k++) ck_assert_uint_ne(words[i], words[k]);
  }
  world here;
  world_open(&here, _i, NULL);
  pair *cell = world_pair(&here);
  here.slots[0] = (uintptr_t)cell;
  cell->car = words[0], cell->cdr = words[1];
  world_collect(&here);
  ck_assert_uint_eq(((pair *)here.slots[0])->cdr, words[1]);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {references_that_lead_nowhere, CALM},
      {every_layout_and_root_is_verified, CALM},
      {collections_report_corruption, COLLECTING | CALM | PRECISE},
      {verifications_are_made, COLLECTING | CALM},
      {a_line_for_each_collection, COLLECTING | CALM},
      {reports_go_to_the_host, COLLECTING | CALM},
      {no_log_by_default, COLLECTING},
      {poison_names_who_freed, COLLECTING | CALM | PRECISE},
      {poison_is_no_reference, ANYWHERE},
  };
  return run_combinations("debugging", tests, COUNT_OF(tests));
}
