/* Misuse of an open heap: calls from the wrong thread, from inside a collection, with what is gone or was
 * never registered. Each is answered with a status or NULL, and nothing has happened. */
#include <pthread.h>
#include <string.h>

#include "harness.h"

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
