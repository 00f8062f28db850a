/* Conformance: midden_adopt. A heap goes from thread to thread, one at a time; what only the locals of the thread hold that
 * has it stays alive and in place, what those of the one before hold does not; frames and coroutines stay. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "harness.h"

enum { TARGET_BYTES = 64, THREADS = 3, ROUNDS = 6, STACK_BYTES = 256 << 10 };

static void disturb(world *here) {
  world_churn(here, 40);
  world_collect(here);
}

/* Runs a function in a thread of its own, to its end. */
static void in_a_thread(void *(*function)(void *), void *context) {
  pthread_t thread;
  ck_assert_int_eq(pthread_create(&thread, NULL, function, context), 0);
  ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void adopt(world *here, const void *stack_bottom) {
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_msg(midden_adopt(here->mutator, stack_bottom, &error) == MIDDEN_OK, "%s", error.message);
}

/* The heap is another thread's: nothing works, nothing happens. */
static void check_refused(world *here) {
  static midden_word slot;
  ck_assert_int_eq(midden_collect(here->mutator, MIDDEN_FULL), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_root_add(here->heap, &slot), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_heap_close(here->heap), MIDDEN_MISUSE);
}

/* ---- locals ---- */

/* With stack=pinning something else must keep it alive. */
static void work(world *here) {
  void *volatile local = world_leaf(here, TARGET_BYTES, 1);
  const void *place = local;
  here->slots[2] = here->config.stack == MIDDEN_STACK_PINNING ? (uintptr_t)local : 0;
  for (int round = 0; round < 3; round++) {
    disturb(here);
    EXPECT_LEAF(local, TARGET_BYTES, 1);
    EXPECT(midden_object_at(here->heap, place) == place, "it is gone from where it was");
  }
  if (here->slots[2]) EXPECT((uintptr_t)local == here->slots[2], "it is elsewhere");
  here->slots[1] = (uintptr_t)local;
  here->slots[2] = 0;
}

static void *work_with_a_hint(void *context) {
  world *here = context;
  check_refused(here);
  int hint = 0;
  adopt(here, &hint);
  work(here);
  return NULL;
}

static void *work_without_a_hint(void *context) {
  adopt(context, NULL);
  work(context);
  return NULL;
}

/* There and back, and there again: a local of the thread that has adopted, and of the first one again. */
START_TEST(a_local_of_the_adopting_thread) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 100);
  for (int round = 0; round < 2; round++) {
    in_a_thread(round == 0 ? work_with_a_hint : work_without_a_hint, &here);
    check_refused(&here);
    adopt(&here, NULL);
    disturb(&here);
    EXPECT_LEAF((void *)here.slots[1], TARGET_BYTES, 1);
    world_list_check(&here, 0, 100);
    work(&here);
  }
  world_close(&here);
}
END_TEST

static void *collect_here(void *context) {
  adopt(context, NULL);
  world_collect(context);
  return NULL;
}

/* Only the stack of the thread that waits holds it: its weak slot is cleared, so it is not found there. */
START_TEST(locals_of_the_previous_thread) {
  world here;
  world_open(&here, _i, NULL);
  void *volatile local = world_leaf(&here, TARGET_BYTES, 1);
  midden_word weak = (uintptr_t)local;
  ck_assert_int_eq(midden_weak_add(here.heap, &weak, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  world_collect(&here);
  ck_assert_uint_eq(weak, (uintptr_t)local);
  in_a_thread(collect_here, &here);
  ck_assert_uint_eq(weak, 0);
  local = NULL;
  adopt(&here, NULL);
  world_close(&here);
}
END_TEST

/* stack=pinning: what a slot keeps and only the stack of the thread that waits holds may move meanwhile. */
START_TEST(the_previous_thread_pins_nothing) {
  enum { LEAVES = 60 };
  static uintptr_t hidden[LEAVES];
  world here;
  world_open(&here, _i, NULL);
  void *volatile locals[LEAVES];
  for (size_t i = 0; i < LEAVES; i++) {
    here.slots[i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
    locals[i] = (void *)here.slots[i];
    hidden[i] = ~here.slots[i];
  }
  world_collect(&here);
  for (size_t i = 0; i < LEAVES; i++) EXPECT((uintptr_t)locals[i] == here.slots[i], "leaf %zu has moved", i);
  in_a_thread(collect_here, &here);
  adopt(&here, NULL);
  size_t moved = 0;
  for (size_t i = 0; i < LEAVES; i++) {
    EXPECT_LEAF((void *)here.slots[i], TARGET_BYTES, i);
    moved += here.slots[i] != ~hidden[i];
  }
  ck_assert_uint_ge(moved, LEAVES - 4);
  ck_assert_ptr_nonnull(locals[0]);
  world_close(&here);
}
END_TEST

/* The heap's own thread may adopt too: the bottom of its stack moves. */
static __attribute__((noinline)) void below(world *here) {
  int hint = 0;
  adopt(here, &hint);
  work(here);
}

START_TEST(the_same_thread) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 50);
  below(&here);
  adopt(&here, NULL);
  work(&here);
  world_list_check(&here, 0, 50);
  world_close(&here);
}
END_TEST

/* ---- taking turns ---- */

typedef struct baton {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  world *here;
  size_t turn;
} baton;

typedef struct runner {
  baton *baton;
  size_t number;
} runner;

/* One turn, with the lock held: each thread adds to its own list, and has a reference in a local meanwhile. */
static __attribute__((noinline)) void take_turn(world *here, size_t number, size_t round) {
  adopt(here, NULL);
  for (size_t i = 0; i < THREADS && round > 0; i++) world_list_check(here, i, i < number ? round * 10 + 10 : round * 10);
  world_list(here, number, round * 10 + 10);
  if (here->config.stack == MIDDEN_STACK_CONSERVATIVE) {
    void *volatile local = world_leaf(here, TARGET_BYTES, number);
    disturb(here);
    EXPECT_LEAF(local, TARGET_BYTES, number);
  } else {
    void *local = world_leaf(here, TARGET_BYTES, number);
    MIDDEN_FRAME(here->mutator, local);
    disturb(here);
    EXPECT_LEAF(local, TARGET_BYTES, number);
    MIDDEN_END(here->mutator);
  }
}

static void *run(void *context) {
  runner *self = context;
  baton *shared = self->baton;
  for (size_t round = 0; round < ROUNDS; round++) {
    pthread_mutex_lock(&shared->lock);
    while (shared->turn != round * THREADS + self->number) pthread_cond_wait(&shared->changed, &shared->lock);
    take_turn(shared->here, self->number, round);
    shared->turn++;
    pthread_cond_broadcast(&shared->changed);
    pthread_mutex_unlock(&shared->lock);
  }
  return NULL;
}

START_TEST(threads_take_turns) {
  world here;
  world_open(&here, _i, NULL);
  baton shared = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, &here, 0};
  runner runners[THREADS];
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    runners[i] = (runner){&shared, i};
    ck_assert_int_eq(pthread_create(&threads[i], NULL, run, &runners[i]), 0);
  }
  for (size_t i = 0; i < THREADS; i++) ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
  ck_assert_uint_eq(shared.turn, THREADS * ROUNDS);
  adopt(&here, NULL);
  disturb(&here);
  for (size_t i = 0; i < THREADS; i++) world_list_check(&here, i, ROUNDS * 10);
  world_close(&here);
}
END_TEST

/* ---- what stays ---- */

static void *collect_in_a_frame(void *context) {
  world *here = context;
  adopt(here, NULL);
  void *mine = world_leaf(here, TARGET_BYTES, 2);
  MIDDEN_FRAME(here->mutator, mine);
  disturb(here);
  EXPECT_LEAF(mine, TARGET_BYTES, 2);
  MIDDEN_END(here->mutator);
  return NULL;
}

/* Frames are a chain over both stacks, and handles the mutator's: what they hold is kept and followed. */
START_TEST(frames_and_handles_stay) {
  world here;
  world_open(&here, _i, NULL);
  void *framed = world_leaf(&here, TARGET_BYTES, 1);
  MIDDEN_FRAME(here.mutator, framed);
  midden_scope scope = midden_scope_open(here.mutator);
  midden_handle handle = midden_handle_new(here.mutator, world_leaf(&here, TARGET_BYTES, 3));
  in_a_thread(collect_in_a_frame, &here);
  adopt(&here, NULL);
  EXPECT_LEAF(framed, TARGET_BYTES, 1);
  EXPECT_LEAF((void *)*handle, TARGET_BYTES, 3);
  disturb(&here);
  EXPECT_LEAF(framed, TARGET_BYTES, 1);
  EXPECT_LEAF((void *)*handle, TARGET_BYTES, 3);
  midden_scope_close(here.mutator, scope);
  MIDDEN_END(here.mutator);
  world_close(&here);
}
END_TEST

/* A coroutine that waits, with a reference that is nowhere else. */
static ucontext_t coroutine, caller;
static world *coroutine_world;
static bool coroutine_kept;

static void coroutine_body(void) {
  void *volatile local = world_leaf(coroutine_world, TARGET_BYTES, 4);
  if (midden_stack_switch(coroutine_world->mutator, NULL) != MIDDEN_OK) abort();
  swapcontext(&coroutine, &caller);
  coroutine_kept = leaf_is(local, TARGET_BYTES, 4);
  if (midden_stack_switch(coroutine_world->mutator, NULL) != MIDDEN_OK) abort();
  setcontext(&caller);
}

static __attribute__((noinline)) void resume(midden_stack *stack) {
  ck_assert_int_eq(midden_stack_switch(coroutine_world->mutator, stack), MIDDEN_OK);
  swapcontext(&caller, &coroutine);
}

START_TEST(coroutines_stay) {
  world here;
  world_open(&here, _i, NULL);
  char *memory = malloc(STACK_BYTES);
  ck_assert_ptr_nonnull(memory);
  midden_stack *stack = midden_stack_add(here.mutator, memory, STACK_BYTES);
  ck_assert_ptr_nonnull(stack);
  ck_assert_int_eq(getcontext(&coroutine), 0);
  coroutine.uc_stack.ss_sp = memory;
  coroutine.uc_stack.ss_size = STACK_BYTES;
  makecontext(&coroutine, coroutine_body, 0);
  coroutine_world = &here;
  coroutine_kept = false;
  resume(stack);
  in_a_thread(collect_here, &here);
  adopt(&here, NULL);
  world_churn(&here, 40);
  resume(stack);
  ck_assert(coroutine_kept);
  ck_assert_int_eq(midden_stack_remove(here.mutator, stack), MIDDEN_OK);
  free(memory);
  world_close(&here);
}
END_TEST

/* ---- misuse ---- */

/* Answers MISUSE with a sentence that contains `word`. */
static void refuse(midden_mutator *mutator, const char *word) {
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_adopt(mutator, NULL, &error), MIDDEN_MISUSE);
  ck_assert_int_eq(error.status, MIDDEN_MISUSE);
  ck_assert_msg(strstr(error.message, word) != NULL, "\"%s\" does not contain \"%s\"", error.message, word);
  ck_assert_int_eq(midden_adopt(mutator, NULL, NULL), MIDDEN_MISUSE);
}

static void *refuse_others(void *context) {
  refuse(context, "other mutators");
  return NULL;
}

static void *refuse_coroutine(void *context) {
  refuse(context, "coroutine");
  return NULL;
}

static void *adopt_with_a_bad_hint(void *context) {
  world *here = context;
  static int elsewhere;
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_adopt(here->mutator, &elsewhere, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_msg(strstr(error.message, "stack_bottom") != NULL, "%s", error.message);
  check_refused(here);
  return NULL;
}

static void *adopt_with_any_hint(void *context) {
  static int elsewhere;
  adopt(context, &elsewhere);
  return NULL;
}

START_TEST(bad_arguments) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 30);
  refuse(NULL, "attached mutator");

  midden_mutator *second = midden_attach(here.heap, NULL, NULL);
  ck_assert_ptr_nonnull(second);
  in_a_thread(refuse_others, second);
  in_a_thread(refuse_others, here.mutator);
  world_churn(&here, 30);
  ck_assert_int_eq(midden_detach(second), MIDDEN_OK);
  refuse(second, "attached mutator");

  char *memory = malloc(STACK_BYTES);
  midden_stack *stack = midden_stack_add(here.mutator, memory, STACK_BYTES);
  ck_assert_int_eq(midden_stack_switch(here.mutator, stack), MIDDEN_OK); /* only said, not done */
  in_a_thread(refuse_coroutine, here.mutator);
  ck_assert_int_eq(midden_stack_switch(here.mutator, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_stack_remove(here.mutator, stack), MIDDEN_OK);
  free(memory);

  if (here.config.stack != MIDDEN_STACK_PRECISE) { /* else the hint is ignored */
    in_a_thread(adopt_with_a_bad_hint, &here);
    work(&here); /* nothing has changed: the stack is still this one */
  } else {
    in_a_thread(adopt_with_any_hint, &here);
    check_refused(&here);
    adopt(&here, NULL);
  }
  world_list_check(&here, 0, 30);
  world_close(&here);
}
END_TEST

/* What the calls from inside were answered. */
static midden_status from_a_scanner, from_a_walk, from_the_callback, from_closing;

static void adopt_in_a_scanner(midden_visitor *visitor, void *mutator) {
  (void)visitor;
  from_a_scanner = midden_adopt(mutator, NULL, NULL);
}

static bool adopt_in_a_walk(void *mutator, void *object, size_t size, uint16_t kind_id) {
  (void)object, (void)size, (void)kind_id;
  from_a_walk = midden_adopt(mutator, NULL, NULL);
  return false;
}

static bool adopt_in_the_callback(void *context, midden_heap *heap, midden_pressure pressure, size_t bytes) {
  (void)heap, (void)pressure, (void)bytes;
  from_the_callback = midden_adopt(((world *)context)->mutator, NULL, NULL);
  return false;
}

static void adopt_at_closing(midden_mutator *mutator, void *object, void *context) {
  (void)object, (void)context;
  from_closing = midden_adopt(mutator, NULL, NULL);
}

START_TEST(from_inside) {
  world here;
  midden_config config = combination_config(_i);
  config.heap_limit = 4 << 20;
  config.pressure = adopt_in_the_callback;
  config.pressure_context = &here;
  config.run_finalizers = true;
  from_a_scanner = from_a_walk = from_the_callback = from_closing = MIDDEN_OK;
  world_open_config(&here, _i, &config);
  world_list(&here, 0, 30);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, adopt_in_a_scanner, here.mutator), MIDDEN_OK);
  world_collect(&here);
  ck_assert_int_eq(from_a_scanner, here.combination->collects ? MIDDEN_MISUSE : MIDDEN_OK);
  ck_assert_int_eq(midden_each(here.heap, adopt_in_a_walk, here.mutator), MIDDEN_OK);
  ck_assert_int_eq(from_a_walk, MIDDEN_MISUSE);
  here.slots[1] = (uintptr_t)world_leaf(&here, 3 << 20, 1);
  ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, 3 << 20));
  ck_assert_int_eq(from_the_callback, MIDDEN_MISUSE);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[0], adopt_at_closing, NULL), MIDDEN_OK);
  world_list_check(&here, 0, 30);
  world_close(&here);
  ck_assert_int_eq(from_closing, MIDDEN_MISUSE);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {a_local_of_the_adopting_thread, CONSERVATIVE},
      {a_local_of_the_adopting_thread, PINNING},
      {locals_of_the_previous_thread, CONSERVATIVE | COLLECTING | CALM},
      {the_previous_thread_pins_nothing, PINNING | EVACUATING | CALM},
      {the_same_thread, CONSERVATIVE},
      {the_same_thread, PINNING},
      {threads_take_turns, ANYWHERE},
      {threads_take_turns, PINNING | CALM},
      {frames_and_handles_stay, ANYWHERE},
      {frames_and_handles_stay, PINNING | CALM},
      {coroutines_stay, CONSERVATIVE},
      {bad_arguments, ANYWHERE},
      {bad_arguments, PINNING | CALM},
      {from_inside, ANYWHERE},
  };
  return run_combinations("adopt", tests, COUNT_OF(tests));
}
