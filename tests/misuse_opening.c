/* Misuse when opening heaps and defining kinds: refused with a sentence, and nothing has changed. */
#include <string.h>

#include "harness.h"

/* ---- opening ---- */

/* Opening must fail with this status, a sentence that contains each word, and the heap untouched. */
static void refuse(const midden_config *config, midden_status status, const char *first, const char *second) {
  midden_heap *untouched = (midden_heap *)&status, *heap = untouched;
  midden_error error = {MIDDEN_OK, ""};
  midden_status answer = midden_heap_open(config, &heap, &error);
  ck_assert_msg(answer == status, "%s instead of %s", midden_status_name(answer), midden_status_name(status));
  ck_assert_int_eq(error.status, status);
  ck_assert_msg(strstr(error.message, first) != NULL && strstr(error.message, second) != NULL,
                "\"%s\" does not contain \"%s\" and \"%s\"", error.message, first, second);
  ck_assert_ptr_eq(heap, untouched);
  ck_assert_int_eq(midden_heap_open(config, &heap, NULL), status);
  ck_assert_ptr_eq(heap, untouched);
}

START_TEST(configurations_that_cannot_work) {
  const midden_config initial = MIDDEN_CONFIG_DEFAULT;
  midden_config config = initial;
  strcpy(config.collector, "mark-sweeep");
  refuse(&config, MIDDEN_BAD_OPTION, "mark-sweeep", "mark-compact");
  config = initial;
  strcpy(config.collector, "none");
  config.stress = MIDDEN_STRESS_ALLOC;
  config.stress_value = 1;
  refuse(&config, MIDDEN_CONFLICT, "stress", "choose");
  config.stress = MIDDEN_STRESS_OFF;
  config.verify = MIDDEN_VERIFY_BOTH;
  refuse(&config, MIDDEN_CONFLICT, "verify", "choose");
  config.verify = MIDDEN_VERIFY_OFF;
  config.generational = true;
  refuse(&config, MIDDEN_CONFLICT, "generational", "choose");
  config = initial;
  config.collecting = MIDDEN_COLLECTING_ASKED;
  config.stress = MIDDEN_STRESS_ALLOC;
  config.stress_value = 1;
  refuse(&config, MIDDEN_CONFLICT, "stress", "choose collect=auto");
  config.stress = MIDDEN_STRESS_RANDOM;
  refuse(&config, MIDDEN_CONFLICT, "collect=asked", "choose collect=auto");
  config = initial;
  config.unrooted = MIDDEN_UNROOTED_LOST;
  refuse(&config, MIDDEN_CONFLICT, "unrooted", "choose stack=precise");
  config.stack = MIDDEN_STACK_PINNING;
  refuse(&config, MIDDEN_CONFLICT, "unrooted", "choose stack=precise");
  config = initial;
  config.growth = MIDDEN_GROWTH_FIXED;
  refuse(&config, MIDDEN_CONFLICT, "growth=fixed", "heap-limit");
  config = initial;
  config.growth_factor = 1.0;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "growth", "1");
  config.growth_factor = -5.0;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "growth", "1");
  config.growth = MIDDEN_GROWTH_BALANCE;
  config.growth_factor = 0;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "growth", "0");
  config = initial;
  config.stress = MIDDEN_STRESS_ALLOC;
  config.stress_value = 0;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "stress", "1");
  config = initial;
  config.heap_limit = SIZE_MAX;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "heap-limit", "");
  config = initial;
  strcpy(config.log, "/nonexistent/directory/file");
  refuse(&config, MIDDEN_BAD_ARGUMENT, "log", "/nonexistent/directory/file");
}
END_TEST

START_TEST(values_outside_their_enumerations) {
  const midden_config initial = MIDDEN_CONFIG_DEFAULT;
  midden_config config = initial;
  config.stack = (midden_stack_mode)(MIDDEN_STACK_PINNING + 1);
  refuse(&config, MIDDEN_BAD_ARGUMENT, "stack", "");
  config = initial;
  config.collecting = (midden_collecting)7;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "collecting", "");
  config = initial;
  config.growth = (midden_growth)7;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "growth", "");
  config = initial;
  config.stress = (midden_stress)7;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "stress", "");
  config = initial;
  config.verify = (midden_verify_mode)7;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "verify", "");
  config = initial;
  memset(config.collector, 'x', sizeof config.collector); /* not terminated */
  refuse(&config, MIDDEN_BAD_OPTION, "xxx", "");
}
END_TEST

START_TEST(references_that_cannot_work) {
  const midden_config initial = MIDDEN_CONFIG_DEFAULT;
  midden_config config = initial;
  config.references = (midden_references){0, 0, 0};
  refuse(&config, MIDDEN_BAD_ARGUMENT, "low_tags", "");
  config.references = (midden_references){1, UINT64_C(0xff00000000000000), UINT64_C(0x00ff000000000000)};
  refuse(&config, MIDDEN_BAD_ARGUMENT, "high_match", "");
  config.references = (midden_references){1, UINT64_C(0xffffffff00000000), 0};
  refuse(&config, MIDDEN_BAD_ARGUMENT, "high_mask", "");
}
END_TEST

START_TEST(missing_arguments) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_heap *heap = NULL;
  ck_assert_int_eq(midden_heap_open(NULL, &heap, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_heap_open(&config, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_heap_close(NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_detach(NULL), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_collect(NULL, MIDDEN_FULL), MIDDEN_MISUSE);
  ck_assert_ptr_null(midden_attach(NULL, NULL, NULL));
  ck_assert_uint_eq(midden_kind_define(NULL, &(midden_shape){.name = "x"}, NULL).id, 0);
  ck_assert_int_eq(midden_verify(NULL, NULL), MIDDEN_MISUSE);
}
END_TEST

/* ---- kinds ---- */

static void trace_nothing(void *object, size_t size, midden_visitor *visitor, void *context) {
  (void)object, (void)size, (void)visitor, (void)context;
}

START_TEST(shapes_that_contradict_themselves) {
  const midden_shape shapes[] = {
      {.name = NULL, .size = 16},
      {.name = "x", .size = 16, .refs = (midden_layout)77},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_TRACE},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_ALL, .trace = trace_nothing},
      {.name = "x", .size = 16, .alignment = 3},
      {.name = "x", .size = 16, .alignment = 32},
      {.name = "x", .size = 16, .flags = 1u << 20},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_ALL, .flags = MIDDEN_KIND_UNZEROED},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_ALL, .flags = MIDDEN_KIND_TRACE_PINS},
      {.name = "x", .size = 8, .refs = MIDDEN_REFS_ELEMENTS, .element_size = 0, .element_bitmap = 1},
      {.name = "x", .size = 8, .refs = MIDDEN_REFS_ELEMENTS, .element_size = 12, .element_bitmap = 1},
      {.name = "x", .size = 8, .refs = MIDDEN_REFS_ELEMENTS, .element_size = 520, .element_bitmap = 1},
      {.name = "x", .size = 12, .refs = MIDDEN_REFS_ELEMENTS, .element_size = 8, .element_bitmap = 1},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_BITMAP, .bitmap = 1, .element_size = 8},
      {.name = "x", .size = SIZE_MAX},
  };
  world here;
  world_open(&here, _i, NULL);
  uint16_t next = here.vector.id;
  for (size_t i = 0; i < COUNT_OF(shapes); i++) {
    midden_error error = {MIDDEN_OK, ""};
    midden_kind kind = midden_kind_define(here.heap, &shapes[i], &error);
    ck_assert_msg(kind.id == 0, "shape %zu was accepted", i);
    ck_assert_int_eq(error.status, MIDDEN_BAD_ARGUMENT);
    ck_assert_uint_gt(strlen(error.message), 10);
    ck_assert_uint_eq(midden_kind_define(here.heap, &shapes[i], NULL).id, 0);
  }
  /* None of them took a number. */
  midden_kind kind = midden_kind_define(here.heap, &(midden_shape){.name = "good"}, NULL);
  ck_assert_uint_eq(kind.id, next + 1);
  ck_assert_uint_eq(midden_kind_define(here.heap, NULL, NULL).id, 0);
  ck_assert_ptr_null(midden_kind_name(here.heap, 0));
  ck_assert_ptr_null(midden_kind_name(here.heap, (uint16_t)(kind.id + 1)));
  ck_assert_ptr_null(midden_kind_name(here.heap, UINT16_MAX));
  world_close(&here);
}
END_TEST

START_TEST(too_many_kinds) {
  world here;
  world_open(&here, _i, NULL);
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind, last = {0, 0, 0};
  size_t count = here.vector.id;
  while ((kind = midden_kind_define(here.heap, &(midden_shape){.name = "fixed", .size = 32}, &error)).id != 0) {
    last = kind;
    ck_assert_uint_le(++count, MIDDEN_KIND_MAX);
  }
  ck_assert_uint_eq(count, MIDDEN_KIND_MAX);
  ck_assert_int_eq(error.status, MIDDEN_LIMIT);
  ck_assert_ptr_nonnull(midden_alloc(here.mutator, last));
  ck_assert_ptr_null(midden_alloc(here.mutator, kind));
  world_list(&here, 0, 50);
  world_collect(&here);
  world_list_check(&here, 0, 50);
  world_close(&here);
}
END_TEST

/* A kind of variable size takes 80 of 16384 cursors. */
START_TEST(too_many_cursors) {
  world here;
  world_open(&here, _i, NULL);
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind, last = {0, 0, 0};
  size_t count = 2; /* leaf and vector are such kinds */
  while ((kind = midden_kind_define(here.heap, &(midden_shape){.name = "variable"}, &error)).id != 0) {
    last = kind;
    count++;
  }
  ck_assert_int_eq(error.status, MIDDEN_LIMIT);
  ck_assert_uint_eq(count, 16384 / 80);
  for (size_t size = 8; size < 40000; size += size / 2) {
    void *object = midden_alloc_sized(here.mutator, last, size);
    ck_assert_ptr_nonnull(object);
    ck_assert_uint_eq(midden_kind_of(here.heap, object), last.id);
  }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {configurations_that_cannot_work, NEVER_COLLECTING | PRECISE}, /* once is enough for the first four */
      {values_outside_their_enumerations, NEVER_COLLECTING | PRECISE},
      {references_that_cannot_work, NEVER_COLLECTING | PRECISE},
      {missing_arguments, NEVER_COLLECTING | PRECISE},
      {shapes_that_contradict_themselves, CALM},
      {too_many_kinds, CALM},
      {too_many_cursors, CALM},
  };
  return run_combinations("misuse when opening", tests, COUNT_OF(tests));
}
