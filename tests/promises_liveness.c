/* What docs/liveness.md and docs/running.md promise in words, where no other test holds them to it: the order of the
 * end of a collection, finalizers that leave or come in numbers, closing without a mutator, pages that go back. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

static bool exact(const world *here) {
  return here->combination->stack == MIDDEN_STACK_PRECISE && here->combination->collects;
}

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

/* ---- the order: 1 ephemerons, 2 the host, 3 short, 4 finalizers, 5 long, 6 the host, 7 on_free ---- */

static struct order {
  world *here;
  midden_word brief, lasting, plain; /* short and long to what is finalized; long to what is not */
  midden_word ephemeral;             /* short, to the value of an ephemeron whose key is reachable */
  midden_word late;                  /* dead until the host marks it; key of an ephemeron */
  midden_word late_value;            /* short, to that one's value */
  bool armed, saw_ends, saw_begins, freed;
} order;

static void freed_last(void *object, size_t size, void *context) {
  (void)object, (void)size, (void)context;
  if (!order.armed) return;
  EXPECT(order.saw_begins, "on_free comes before the sweep");
  order.freed = true;
}

static void watch_order(midden_marking *marking, midden_phase phase, void *context) {
  struct order *state = context;
  if (!state->armed) return;
  if (phase == MIDDEN_MARKING_ENDS) {
    state->saw_ends = true;
    EXPECT(midden_marking_is_marked(marking, state->ephemeral), "1: ephemerons come first");
    EXPECT(state->brief != 0 && state->lasting != 0 && state->plain != 0, "2: nothing weak is cleared yet");
    EXPECT(midden_finalizers_waiting(state->here->heap) == 0, "2: nothing is queued yet");
    EXPECT(midden_marking_mark(marking, &state->late) == MIDDEN_OK, "2: the host marks");
    return;
  }
  state->saw_begins = true;
  EXPECT(!state->freed, "7: on_free is last");
  EXPECT(midden_finalizers_waiting(state->here->heap) == 1, "4: it is queued");
  EXPECT(state->brief == 0, "3: short ones are cleared");
  EXPECT(state->lasting != 0, "5: long ones of what is finalized stay");
  EXPECT(state->plain == 0, "5: long ones of what is gone are cleared");
  EXPECT(state->late_value != 0, "2: what the host marked holds the values of its ephemerons");
}

static void finalize_nothing(midden_mutator *mutator, void *object, void *context) { (void)mutator, (void)object, (void)context; }

START_TEST(the_order) {
  world here;
  world_open(&here, _i, NULL);
  order = (struct order){.here = &here};
  midden_kind table = define(&here, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS});
  midden_kind freed = define(&here, &(midden_shape){.name = "freed", .on_free = freed_last});
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, table, 4 * sizeof(midden_word));
  for (size_t i = 1; i < 8; i++) here.slots[i] = (uintptr_t)world_pair(&here);
  midden_word *pairs = (midden_word *)here.slots[0];
  midden_store_word(here.mutator, pairs, &pairs[0], here.slots[1]); /* a key that stays, */
  midden_store_word(here.mutator, pairs, &pairs[1], here.slots[2]);
  midden_store_word(here.mutator, pairs, &pairs[2], here.slots[3]); /* and one that the host marks */
  midden_store_word(here.mutator, pairs, &pairs[3], here.slots[4]);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[5], finalize_nothing, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_weak_add(here.heap, &order.brief, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  ck_assert_int_eq(midden_weak_add(here.heap, &order.lasting, MIDDEN_WEAK_LONG), MIDDEN_OK);
  ck_assert_int_eq(midden_weak_add(here.heap, &order.plain, MIDDEN_WEAK_LONG), MIDDEN_OK);
  ck_assert_int_eq(midden_weak_add(here.heap, &order.ephemeral, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  ck_assert_int_eq(midden_weak_add(here.heap, &order.late_value, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  ck_assert_int_eq(midden_phase_add(here.heap, watch_order, &order, false), MIDDEN_OK);
  ck_assert_ptr_nonnull(midden_alloc_sized(here.mutator, freed, 40));
  order.ephemeral = here.slots[2];
  order.late = here.slots[3];
  order.late_value = here.slots[4];
  order.brief = order.lasting = here.slots[5];
  order.plain = here.slots[6];
  memset(&here.slots[2], 0, 6 * sizeof here.slots[0]);
  order.armed = true;
  world_collect(&here);
  order.armed = false;
  ck_assert(order.saw_ends && order.saw_begins && order.freed);
  ck_assert_uint_eq(midden_finalizers_run(here.mutator, 9), 1);
  world_close(&here);
}
END_TEST

/* ---- finalizers ---- */

static jmp_buf out;
static bool leaving; /* `out` is good. A word on the stack may keep an object alive until later, when it is not any more */
static size_t ran[4];

static void leave(midden_mutator *mutator, void *object, void *context) {
  (void)mutator, (void)object;
  ++*(size_t *)context;
  if (leaving) longjmp(out, 1);
}

static void run_more(midden_mutator *mutator, void *object, void *context) {
  (void)object;
  ++*(size_t *)context;
  midden_finalizers_run(mutator, 1);
}

static void detach(midden_mutator *mutator, void *object, void *context) {
  (void)object;
  ++*(size_t *)context;
  EXPECT(midden_detach(mutator) == MIDDEN_OK, "detach");
}

static void finalize_dead(world *here, size_t count, midden_finalizer_function function, size_t which) {
  for (size_t i = 0; i < count; i++)
    EXPECT(midden_finalizer_add(here->mutator, world_pair(here), function, &ran[which]) == MIDDEN_OK, "add");
  stack_wipe();
  world_collect(here);
}

/* Each is off the queue before it runs: it may leave by longjmp, run others, or detach, and none is lost or run twice. */
START_TEST(finalizers_that_leave) {
  world here;
  world_open(&here, _i, NULL);
  memset(ran, 0, sizeof ran);
  finalize_dead(&here, 5, leave, 0);
  midden_mark mark = midden_mark_save(here.mutator);
  volatile size_t left = 0;
  leaving = true;
  if (setjmp(out)) {
    midden_mark_restore(here.mutator, mark);
    left++;
  }
  midden_finalizers_run(here.mutator, SIZE_MAX);
  ck_assert_uint_eq(left, ran[0]);
  leaving = false;
  ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  if (exact(&here)) ck_assert_uint_eq(left, 5);
  finalize_dead(&here, 5, run_more, 1);
  size_t waiting = midden_finalizers_waiting(here.heap);
  ck_assert_uint_le(midden_finalizers_run(here.mutator, 2), 2);
  midden_finalizers_run(here.mutator, SIZE_MAX);
  /* Stress may have found more dead than waited; among those that did may be one of the first that was found late. */
  ck_assert_uint_ge(ran[1] + ran[0] - left, waiting);
  if (exact(&here)) ck_assert_uint_eq(ran[1], 5);
  finalize_dead(&here, 3, detach, 2);
  waiting = midden_finalizers_waiting(here.heap);
  size_t done = midden_finalizers_run(here.mutator, SIZE_MAX);
  if (ran[2]) here.mutator = midden_attach(here.heap, NULL, NULL);
  if (exact(&here)) { /* the mutator is gone: the others stay in the queue */
    ck_assert(waiting == 3 && done == 1 && ran[2] == 1);
    ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 2);
  }
  world_close(&here);
}
END_TEST

static void count_run(midden_mutator *mutator, void *object, void *context) {
  (void)mutator, (void)object;
  ++*(size_t *)context;
}

/* Several of one object are queued in one collection; removing takes the newest of the same registration. */
START_TEST(several_finalizers_of_one_object) {
  world here;
  world_open(&here, _i, NULL);
  memset(ran, 0, sizeof ran);
  here.slots[0] = (uintptr_t)world_pair(&here);
  for (size_t i = 0; i < 4; i++)
    ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[0], count_run, &ran[i % 2]), MIDDEN_OK);
  ck_assert_int_eq(midden_finalizer_remove(here.mutator, (void *)here.slots[0], count_run, &ran[1]), MIDDEN_OK);
  ck_assert_uint_eq(world_statistics(&here).finalizers_registered, 3);
  here.slots[0] = 0;
  stack_wipe();
  world_collect(&here);
  if (exact(&here)) ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 3);
  size_t waiting = midden_finalizers_waiting(here.heap);
  ck_assert_uint_eq(midden_finalizers_run(here.mutator, SIZE_MAX), waiting);
  if (exact(&here)) ck_assert(ran[0] == 2 && ran[1] == 1);
  world_collect(&here);
  ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
  world_close(&here);
}
END_TEST

static midden_mutator *ran_with;
static void note_mutator(midden_mutator *mutator, void *object, void *context) {
  world *here = context;
  MIDDEN_FRAME(mutator, object);
  ran_with = mutator;
  ran[0]++;
  EXPECT(midden_object_at(here->heap, object) == object, "no object");
  EXPECT(midden_alloc(mutator, here->pair) != NULL, "it may allocate");
  EXPECT(midden_heap_close(here->heap) == MIDDEN_MISUSE, "it is being closed");
  EXPECT(midden_finalizer_add(mutator, object, note_mutator, context) == MIDDEN_OK, "add");
  MIDDEN_END(mutator);
}

/* finalizers=run: with the mutator attached last, or one attached for it; what is registered meanwhile does not run. */
START_TEST(closing_runs_finalizers) {
  for (int attached = 0; attached < 2; attached++) {
    world here;
    world_open(&here, _i, "finalizers=run");
    memset(ran, 0, sizeof ran);
    here.slots[0] = (uintptr_t)world_pair(&here);
    ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[0], note_mutator, &here), MIDDEN_OK);
    midden_mutator *last = midden_attach(here.heap, NULL, NULL);
    ck_assert_ptr_nonnull(last);
    midden_heap *heap = here.heap;
    if (!attached) {
      ck_assert_int_eq(midden_detach(last), MIDDEN_OK);
      ck_assert_int_eq(midden_detach(here.mutator), MIDDEN_OK);
    }
    ran_with = NULL;
    ck_assert_int_eq(midden_heap_close(heap), MIDDEN_OK);
    free(here.slots);
    ck_assert_uint_eq(ran[0], 1);
    if (attached) ck_assert_ptr_eq(ran_with, last);
    ck_assert_ptr_nonnull(ran_with);
  }
}
END_TEST

/* ---- pages go back by themselves ---- */

/* Half a second after they came free, at the next collection, and in the end none is left. */
START_TEST(free_pages_go_back) {
  world here;
  world_open(&here, _i, "heap-initial=256M,verify=off,poison=no");
  for (size_t i = 0; i < 100; i++) memset(world_leaf(&here, 100000, i), 1, 100000);
  world_collect(&here);
  midden_statistics before = world_statistics(&here);
  size_t resident = midden_resident_bytes(here.heap);
  usleep(700000);
  world_collect(&here);
  midden_statistics after = world_statistics(&here);
  ck_assert_uint_ge(before.free_bytes + before.pages_returned * 8192, 8 << 20);
  ck_assert_uint_ge(after.pages_returned * 8192, 8 << 20);
  ck_assert_uint_le(after.free_bytes, 1 << 20);
  ck_assert_uint_le((after.pages_returned - before.pages_returned) * 8192, before.committed_bytes - after.committed_bytes);
  ck_assert_uint_lt(midden_resident_bytes(here.heap), resident);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {the_order, COLLECTING | PRECISE | CALM},
      {finalizers_that_leave, ANYWHERE},
      {several_finalizers_of_one_object, ANYWHERE},
      {closing_runs_finalizers, ANYWHERE},
      {free_pages_go_back, COLLECTING | PRECISE | CALM | ONE_GENERATION},
  };
  return run_combinations("promises, liveness", tests, COUNT_OF(tests));
}
