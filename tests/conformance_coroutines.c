/* Conformance: coroutine stacks. References that live only on a stack that is not running, or in the
 * registers it was left with, are found; a stack that was removed is not looked at any more. */
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "harness.h"

enum { TARGET_BYTES = 48, STACK_BYTES = 256 << 10, COROUTINES = 6 };

typedef struct coroutine {
  ucontext_t context;
  ucontext_t caller;
  midden_stack *stack;
  midden_stack *caller_stack;
  void *memory;
  world *here;
  bool (*run)(struct coroutine *self, size_t depth); /* what it does */
  size_t number;
  size_t yields;
  bool finished;
  bool good;
} coroutine;

static void disturb(world *here) {
  world_churn(here, 30);
  world_collect(here);
}

/* Announces the switch in the function that makes it, as roots.h asks. */
static __attribute__((noinline)) void resume(coroutine *to, midden_stack *from) {
  to->caller_stack = from;
  ck_assert_int_eq(midden_stack_switch(to->here->mutator, to->stack), MIDDEN_OK);
  swapcontext(&to->caller, &to->context);
}

static __attribute__((noinline)) void yield_back(coroutine *self) {
  self->yields++;
  if (midden_stack_switch(self->here->mutator, self->caller_stack) != MIDDEN_OK) abort();
  swapcontext(&self->context, &self->caller);
}

static coroutine *starting; /* makecontext passes integers only */

/* Locals at three depths of the coroutine's stack, kept over yields. */
static __attribute__((noinline)) bool inner(coroutine *self, size_t depth) {
  void *volatile local = world_leaf(self->here, TARGET_BYTES, self->number * 100 + depth);
  bool good = true;
  if (depth > 0) good = inner(self, depth - 1);
  for (int i = 0; i < 2; i++) {
    yield_back(self);
    world_churn(self->here, 20);
    if (i == 1) world_collect(self->here);
    good = good && leaf_is(local, TARGET_BYTES, self->number * 100 + depth);
  }
  return good;
}

static void body(void) {
  coroutine *self = starting;
  self->good = self->run(self, 3);
  self->finished = true;
  midden_stack_switch(self->here->mutator, self->caller_stack);
  setcontext(&self->caller);
}

static void create(world *here, coroutine *made, size_t number) {
  memset(made, 0, sizeof *made);
  made->here = here;
  made->run = inner;
  made->number = number;
  made->memory = malloc(STACK_BYTES);
  ck_assert_ptr_nonnull(made->memory);
  made->stack = midden_stack_add(here->mutator, made->memory, STACK_BYTES);
  ck_assert_ptr_nonnull(made->stack);
  ck_assert_int_eq(getcontext(&made->context), 0);
  made->context.uc_stack.ss_sp = made->memory;
  made->context.uc_stack.ss_size = STACK_BYTES;
  made->context.uc_link = NULL;
  makecontext(&made->context, body, 0);
}

static void destroy(coroutine *gone) {
  ck_assert_int_eq(midden_stack_remove(gone->here->mutator, gone->stack), MIDDEN_OK);
  free(gone->memory);
}

START_TEST(one_coroutine) {
  world here;
  world_open(&here, _i, NULL);
  static coroutine only;
  create(&here, &only, 1);
  disturb(&here); /* not yet run */
  void *volatile outside = world_leaf(&here, TARGET_BYTES, 7);
  while (!only.finished) {
    starting = &only;
    resume(&only, NULL);
    disturb(&here);
    EXPECT_LEAF(outside, TARGET_BYTES, 7);
  }
  ck_assert(only.good);
  ck_assert_uint_eq(only.yields, 8);
  destroy(&only);
  disturb(&here);
  world_close(&here);
}
END_TEST

START_TEST(coroutines_interleaved) {
  world here;
  world_open(&here, _i, NULL);
  static coroutine all[COROUTINES];
  for (size_t i = 0; i < COROUTINES; i++) create(&here, &all[i], i + 1);
  uint64_t random = 3;
  for (size_t left = COROUTINES; left > 0;) {
    coroutine *chosen = &all[test_random_below(&random, COROUTINES)];
    if (chosen->finished) continue;
    starting = chosen;
    resume(chosen, NULL);
    if (chosen->finished) left--;
    if (left % 2) disturb(&here);
  }
  for (size_t i = 0; i < COROUTINES; i++) {
    ck_assert_msg(all[i].good, "coroutine %zu", i);
    destroy(&all[i]);
  }
  world_close(&here);
}
END_TEST

/* A coroutine that runs another: its caller is a coroutine too. */
static coroutine nested[2];
static bool nested_good;

static void outer_body(void) {
  coroutine *self = &nested[0];
  void *volatile local = world_leaf(self->here, TARGET_BYTES, 50);
  nested_good = true;
  while (!nested[1].finished) {
    starting = &nested[1];
    nested[1].caller_stack = self->stack;
    midden_stack_switch(self->here->mutator, nested[1].stack);
    swapcontext(&nested[1].caller, &nested[1].context);
    disturb(self->here);
    nested_good = nested_good && leaf_is(local, TARGET_BYTES, 50);
    yield_back(self);
    nested_good = nested_good && leaf_is(local, TARGET_BYTES, 50);
  }
  self->finished = true;
  midden_stack_switch(self->here->mutator, self->caller_stack);
  setcontext(&self->caller);
}

START_TEST(a_coroutine_in_a_coroutine) {
  world here;
  world_open(&here, _i, NULL);
  create(&here, &nested[0], 1);
  create(&here, &nested[1], 2);
  makecontext(&nested[0].context, outer_body, 0);
  while (!nested[0].finished) {
    resume(&nested[0], NULL);
    disturb(&here);
  }
  ck_assert(nested_good);
  ck_assert(nested[1].good);
  destroy(&nested[1]);
  destroy(&nested[0]);
  world_close(&here);
}
END_TEST

/* Objects held only by a coroutine that will not go on are garbage once its stack is removed. */
START_TEST(removed_stacks_keep_nothing) {
  world here;
  world_open(&here, _i, NULL);
  static coroutine all[COROUTINES];
  for (size_t i = 0; i < COROUTINES; i++) {
    create(&here, &all[i], i + 1);
    starting = &all[i];
    resume(&all[i], NULL);
  }
  stack_wipe();
  world_collect(&here);
  size_t held = world_statistics(&here).live_objects;
  ck_assert_uint_ge(held, COROUTINES * 4);
  for (size_t i = 0; i < COROUTINES; i++) destroy(&all[i]);
  stack_wipe();
  world_collect(&here);
  ck_assert_uint_le(world_statistics(&here).live_objects, held - COROUTINES * 4 + 4);
  world_close(&here);
}
END_TEST

/* Frames belong to the stack that they were made on: coroutines that end in another order than they began leave each
 * other's frames alone, and those that wait are roots, by which objects move. */
static __attribute__((noinline)) bool framed(coroutine *self, size_t depth) {
  uintptr_t seed = self->number * 100 + depth;
  void *local = world_leaf(self->here, TARGET_BYTES, seed);
  MIDDEN_FRAME(self->here->mutator, local);
  bool good = depth == 0 || framed(self, depth - 1);
  for (size_t i = 0; i < self->number; i++) {
    yield_back(self);
    world_churn(self->here, 20);
    good = good && leaf_is(local, TARGET_BYTES, seed);
  }
  MIDDEN_END(self->here->mutator);
  return good;
}

START_TEST(frames_of_each_stack) {
  world here;
  world_open(&here, _i, NULL);
  static coroutine all[COROUTINES];
  for (size_t i = 0; i < COROUTINES; i++) {
    create(&here, &all[i], i + 1);
    all[i].run = framed;
  }
  void *outside = world_leaf(&here, TARGET_BYTES, 7);
  MIDDEN_FRAME(here.mutator, outside);
  for (size_t left = COROUTINES; left > 0;) {
    for (size_t i = 0; i < COROUTINES; i++) {
      if (all[i].finished) continue;
      starting = &all[i];
      resume(&all[i], NULL);
      if (all[i].finished) left--;
    }
    disturb(&here);
    EXPECT_LEAF(outside, TARGET_BYTES, 7);
  }
  for (size_t i = 0; i < COROUTINES; i++) {
    ck_assert_msg(all[i].good, "coroutine %zu", i);
    destroy(&all[i]);
  }
  MIDDEN_END(here.mutator);
  world_close(&here);
}
END_TEST

START_TEST(misuse_is_answered) {
  world here, other;
  world_open(&here, _i, NULL);
  world_open(&other, _i, NULL);
  static coroutine only;
  create(&here, &only, 1);
  static char memory[STACK_BYTES];
  midden_stack *foreign = midden_stack_add(other.mutator, memory, sizeof memory);
  ck_assert_ptr_nonnull(foreign);
  ck_assert_int_eq(midden_stack_switch(here.mutator, foreign), MIDDEN_BAD_ARGUMENT);
  starting = &only;
  resume(&only, NULL);
  ck_assert_uint_eq(only.yields, 1);
  world_collect(&here);
  /* Switching to the stack that runs is no switch. */
  ck_assert_int_eq(midden_stack_switch(here.mutator, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_stack_remove(other.mutator, foreign), MIDDEN_OK);
  destroy(&only);
  world_close(&other);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {one_coroutine, CONSERVATIVE},
      {coroutines_interleaved, CONSERVATIVE},
      {a_coroutine_in_a_coroutine, CONSERVATIVE},
      {removed_stacks_keep_nothing, CONSERVATIVE | COLLECTING | CALM},
      {frames_of_each_stack, ANYWHERE},
      {misuse_is_answered, CONSERVATIVE},
  };
  return run_combinations("coroutines", tests, COUNT_OF(tests));
}
