/* API misuse: what the headers promise to answer with a status or NULL, and that nothing has happened then. */
#include <pthread.h>
#include <stdio.h>
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
  config.stack = (midden_stack_mode)7;
  refuse(&config, MIDDEN_BAD_ARGUMENT, "stack", "");
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

/* ---- threads ---- */

typedef struct foreign_calls {
  world *here;
  midden_status collect, close, detach, verify, root, attach;
  midden_mutator *attached;
  midden_kind kind;
  void *object;
} foreign_calls;

static void *call_from_elsewhere(void *context) {
  foreign_calls *calls = context;
  midden_error error = {MIDDEN_OK, ""};
  static midden_word slot;
  calls->collect = midden_collect(calls->here->mutator, MIDDEN_FULL);
  calls->close = midden_heap_close(calls->here->heap);
  calls->detach = midden_detach(calls->here->mutator);
  calls->verify = midden_verify(calls->here->heap, NULL);
  calls->root = midden_root_add(calls->here->heap, &slot);
  calls->attached = midden_attach(calls->here->heap, NULL, &error);
  calls->attach = error.status;
  calls->kind = midden_kind_define(calls->here->heap, &(midden_shape){.name = "foreign"}, NULL);
  calls->object = midden_alloc_sized(calls->here->mutator, calls->here->leaf, 100000);
  return NULL;
}

START_TEST(the_wrong_thread) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 100);
  midden_statistics before = world_statistics(&here);
  foreign_calls calls = {&here, MIDDEN_OK, MIDDEN_OK, MIDDEN_OK, MIDDEN_OK, MIDDEN_OK, MIDDEN_OK,
                         here.mutator, here.pair, &here};
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, call_from_elsewhere, &calls), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
  ck_assert_int_eq(calls.collect, MIDDEN_MISUSE);
  ck_assert_int_eq(calls.close, MIDDEN_MISUSE);
  ck_assert_int_eq(calls.detach, MIDDEN_MISUSE);
  ck_assert_int_eq(calls.verify, MIDDEN_MISUSE);
  ck_assert_int_eq(calls.root, MIDDEN_MISUSE);
  ck_assert_int_eq(calls.attach, MIDDEN_MISUSE);
  ck_assert_ptr_null(calls.attached);
  ck_assert_uint_eq(calls.kind.id, 0);
  ck_assert_ptr_null(calls.object);
  midden_statistics after = world_statistics(&here);
  ck_assert_uint_eq(after.allocations, before.allocations);
  ck_assert_uint_eq(after.collections, before.collections);
  world_list_check(&here, 0, 100);
  world_close(&here);
}
END_TEST

/* ---- from inside a collection ---- */

typedef struct inside {
  world *here;
  uint64_t calls;
  midden_status collect, verify, close, detach, root, remove, status;
  void *small, *large;
  midden_kind kind;
  midden_mutator *attached;
  midden_word slot;
} inside;

static void misbehave(midden_visitor *visitor, void *context) {
  inside *state = context;
  static midden_word another;
  (void)visitor;
  if (state->calls++ > 0) return;
  state->collect = midden_collect(state->here->mutator, MIDDEN_FULL);
  state->verify = midden_verify(state->here->heap, NULL);
  state->close = midden_heap_close(state->here->heap);
  state->detach = midden_detach(state->here->mutator);
  state->root = midden_root_add(state->here->heap, &another);
  state->remove = midden_root_scanner_remove(state->here->heap, misbehave, state);
  midden_last_status(state->here->mutator);
  state->small = midden_alloc(state->here->mutator, state->here->pair);
  state->large = midden_alloc_sized(state->here->mutator, state->here->leaf, 100000);
  state->status = midden_last_status(state->here->mutator);
  state->kind = midden_kind_define(state->here->heap, &(midden_shape){.name = "inside"}, NULL);
  state->attached = midden_attach(state->here->heap, NULL, NULL);
}

static void check_answers(const inside *state) {
  ck_assert_uint_gt(state->calls, 0);
  ck_assert_int_eq(state->collect, MIDDEN_MISUSE);
  ck_assert_int_eq(state->verify, MIDDEN_MISUSE);
  ck_assert_int_eq(state->close, MIDDEN_MISUSE);
  ck_assert_int_eq(state->detach, MIDDEN_MISUSE);
  ck_assert_int_eq(state->root, MIDDEN_MISUSE);
  ck_assert_int_eq(state->remove, MIDDEN_MISUSE);
  ck_assert_ptr_null(state->small);
  ck_assert_ptr_null(state->large);
  ck_assert_int_eq(state->status, MIDDEN_MISUSE);
  ck_assert_uint_eq(state->kind.id, 0);
  ck_assert_ptr_null(state->attached);
}

START_TEST(from_a_scanner) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 200);
  static inside state;
  memset(&state, 0, sizeof state);
  state.here = &here;
  state.small = state.large = &here;
  state.attached = here.mutator;
  state.kind = here.pair;
  ck_assert_int_eq(midden_root_scanner_add(here.heap, misbehave, &state), MIDDEN_OK);
  world_collect(&here);
  check_answers(&state);
  world_list_check(&here, 0, 200);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, misbehave, &state), MIDDEN_OK);
  world_list(&here, 1, 200);
  world_list_check(&here, 1, 200);
  world_close(&here);
}
END_TEST

static void trace_and_misbehave(void *object, size_t size, midden_visitor *visitor, void *context) {
  (void)object, (void)size;
  misbehave(visitor, context);
}

START_TEST(from_a_trace_function) {
  world here;
  world_open(&here, _i, "verify=off");
  static inside state;
  memset(&state, 0, sizeof state);
  state.here = &here;
  state.small = state.large = &here;
  state.attached = here.mutator;
  midden_kind kind = midden_kind_define(here.heap, &(midden_shape){.name = "rude", .size = 16, .refs = MIDDEN_REFS_TRACE,
                                                                   .trace = trace_and_misbehave, .trace_context = &state},
                                        NULL);
  ck_assert_uint_ne(kind.id, 0);
  state.kind = kind;
  here.slots[0] = (uintptr_t)midden_alloc(here.mutator, kind);
  world_list(&here, 1, 100);
  world_collect(&here);
  check_answers(&state);
  world_list_check(&here, 1, 100);
  world_close(&here);
}
END_TEST

/* ---- roots, stacks, mutators ---- */

START_TEST(roots_that_were_never_registered) {
  world here;
  world_open(&here, _i, NULL);
  static midden_word slot;
  ck_assert_int_eq(midden_root_remove(here.heap, &slot), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, misbehave, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_add(here.heap, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_remove(here.heap, NULL), MIDDEN_BAD_ARGUMENT);
  world_list(&here, 0, 10);
  world_collect(&here);
  world_list_check(&here, 0, 10);
  world_close(&here);
}
END_TEST

START_TEST(several_mutators_of_one_thread) {
  world here;
  world_open(&here, _i, NULL);
  midden_mutator *second = midden_attach(here.heap, NULL, NULL);
  ck_assert_ptr_nonnull(second);
  ck_assert_ptr_ne(second, here.mutator);
  for (size_t i = 0; i < 200; i++) {
    pair *cell = midden_alloc(i % 2 ? second : here.mutator, here.pair);
    ck_assert_ptr_nonnull(cell);
    cell->car = immediate(i);
    here.slots[i] = (uintptr_t)cell;
  }
  ck_assert_int_eq(midden_collect(second, MIDDEN_FULL), here.combination->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED);
  ck_assert_int_eq(midden_detach(second), MIDDEN_OK);
  world_churn(&here, 20);
  for (size_t i = 0; i < 200; i++) ck_assert_uint_eq(((pair *)here.slots[i])->car, immediate(i));
  ck_assert_uint_ge(world_statistics(&here).allocations, 200);
  world_close(&here);
}
END_TEST

/* Until the next attach, a detached mutator is noticed. */
START_TEST(a_detached_mutator) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 30);
  midden_mutator *gone = here.mutator;
  ck_assert_int_eq(midden_detach(gone), MIDDEN_OK);
  ck_assert_int_eq(midden_detach(gone), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_collect(gone, MIDDEN_FULL), MIDDEN_MISUSE);
  ck_assert_ptr_null(midden_alloc(gone, here.pair));
  ck_assert_ptr_null(midden_alloc_sized(gone, here.leaf, 40));
  ck_assert_ptr_null(midden_alloc_sized(gone, here.leaf, 40000));
  ck_assert_ptr_null(midden_handle_new(gone, NULL));
  here.mutator = midden_attach(here.heap, NULL, NULL);
  ck_assert_ptr_nonnull(here.mutator);
  world_list_check(&here, 0, 30);
  world_close(&here);
}
END_TEST

/* Closing detaches; a heap may be closed with everything still registered. */
START_TEST(closing_with_everything_registered) {
  world here;
  world_open(&here, _i, NULL);
  ck_assert_ptr_nonnull(midden_attach(here.heap, NULL, NULL));
  midden_scope_open(here.mutator);
  for (size_t i = 0; i < 1000; i++) ck_assert_ptr_nonnull(midden_handle_new(here.mutator, NULL));
  static char stack[65536];
  ck_assert_ptr_nonnull(midden_stack_add(here.mutator, stack, sizeof stack));
  world_list(&here, 0, 100);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {configurations_that_cannot_work, NEVER_COLLECTING | PRECISE}, /* once is enough for the first three */
      {values_outside_their_enumerations, NEVER_COLLECTING | PRECISE},
      {references_that_cannot_work, NEVER_COLLECTING | PRECISE},
      {missing_arguments, NEVER_COLLECTING | PRECISE},
      {shapes_that_contradict_themselves, CALM},
      {too_many_kinds, CALM},
      {too_many_cursors, CALM},
      {the_wrong_thread, CALM},
      {from_a_scanner, COLLECTING},
      {from_a_trace_function, COLLECTING},
      {roots_that_were_never_registered, ANYWHERE},
      {several_mutators_of_one_thread, ANYWHERE},
      {a_detached_mutator, ANYWHERE},
      {closing_with_everything_registered, ANYWHERE},
  };
  return run_combinations("misuse", tests, COUNT_OF(tests));
}
