/* Conformance: stack=pinning. What words of the stacks and registers hit stays in place, as long as something else keeps it
 * alive: they keep nothing alive themselves. */
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#include "harness.h"

enum { TARGET_BYTES = 64, COUNT = 100, OTHERS = 400, STACK_BYTES = 256 << 10 };

static void disturb(world *here) {
  world_churn(here, 40);
  world_collect(here);
}

/* Addresses where no scan finds them. */
static uintptr_t hidden[OTHERS];

/* Leaves of `size` bytes in slots, with garbage between them: what a compacting collector has a reason to move. */
static void make_others(world *here, size_t first, size_t count, size_t size) {
  for (size_t i = 0; i < count; i++) {
    here->slots[first + i] = (uintptr_t)world_leaf(here, size, first + i);
    world_leaf(here, size, 1);
  }
}

static void hide(const world *here, size_t first, size_t count) {
  for (size_t i = 0; i < count; i++) hidden[i] = ~here->slots[first + i];
}

/* post: how many of those that were hidden are elsewhere. */
static size_t count_moved(const world *here, size_t first, size_t count, size_t size) {
  size_t moved = 0;
  for (size_t i = 0; i < count; i++) {
    EXPECT(leaf_is((const void *)here->slots[first + i], size, first + i), "leaf %zu", first + i);
    moved += here->slots[first + i] != ~hidden[i];
  }
  return moved;
}

/* Full collections move: all that nothing holds under copying, some of it under compaction. */
static void expect_moved(const world *here, size_t moved, size_t count) {
  if (here->combination->moves == MOVES_NEVER) ck_assert_uint_eq(moved, 0);
  /* Words of frames that have returned, which an optimised caller does not write over, hold a few more in place. */
  if (here->combination->moves == MOVES_ALWAYS) ck_assert_uint_ge(moved, count - count / 4);
  if (here->combination->moves == MOVES_SOMETIMES && here->combination->stress == MIDDEN_STRESS_OFF)
    ck_assert_uint_ge(moved, count / 2);
}

/* ---- not kept ---- */

static struct {
  midden_word weak[COUNT];
  unsigned freed[COUNT];
  uintptr_t addresses[COUNT]; /* hidden by ~ */
} dying;

/* A leaf that says which one it is when it is freed. */
static void note_freed(void *object, size_t size, void *context) {
  (void)size, (void)context;
  dying.freed[*(uintptr_t *)object]++;
}

static midden_kind define_dying(world *here) {
  memset(&dying, 0, sizeof dying);
  for (size_t i = 0; i < COUNT; i++) ck_assert_int_eq(midden_weak_add(here->heap, &dying.weak[i], MIDDEN_WEAK_SHORT), MIDDEN_OK);
  midden_kind kind = midden_kind_define(here->heap, &(midden_shape){.name = "dying", .on_free = note_freed}, NULL);
  ck_assert_uint_ne(kind.id, 0);
  return kind;
}

static void *make_dying(world *here, midden_kind kind, size_t number, size_t size) {
  uintptr_t *object = midden_alloc_sized(here->mutator, kind, size);
  EXPECT(object != NULL, "no object of %zu bytes", size);
  *object = number;
  dying.weak[number] = (uintptr_t)object;
  dying.addresses[number] = ~(uintptr_t)object;
  return object;
}

static void expect_freed(const world *here, size_t count) {
  for (size_t i = 0; i < count; i++) {
    EXPECT((dying.weak[i] == 0) == here->combination->collects, "weak slot %zu is %#zx", i, (size_t)dying.weak[i]);
    EXPECT(dying.freed[i] == here->combination->collects, "%zu was freed %u times", i, dying.freed[i]);
  }
}

/* Locals are volatile where a test wants them in memory; their addresses do not escape otherwise. */
START_TEST(a_local_keeps_nothing_alive) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define_dying(&here);
  void *volatile locals[COUNT];
  for (size_t i = 0; i < COUNT; i++) locals[i] = make_dying(&here, kind, i, 16 + i % 9 * 40);
  world_collect(&here);
  expect_freed(&here, COUNT);
  for (size_t i = 0; i < COUNT; i++) EXPECT((uintptr_t)locals[i] == ~dying.addresses[i], "local %zu has changed", i);
  world_verify(&here);
  world_close(&here);
}
END_TEST

/* Pointers into objects, to their ends, and to large ones: neither do these. */
START_TEST(nor_do_other_pointers) {
  static const size_t sizes[] = {16, 48, 64, 1024, 32768, 65536, 300000};
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define_dying(&here);
  const char *volatile locals[COUNT_OF(sizes) * 3];
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    for (size_t k = 0; k < 3; k++) {
      char *object = make_dying(&here, kind, 3 * i + k, sizes[i]);
      locals[3 * i + k] = object + (k == 0 ? 8 : k == 1 ? sizes[i] - 1 : sizes[i]);
    }
  }
  world_collect(&here);
  expect_freed(&here, COUNT_OF(locals));
  ck_assert_ptr_nonnull(locals[0]);
  world_close(&here);
}
END_TEST

/* In a minor collection too. */
START_TEST(a_minor_collection_takes_it) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define_dying(&here);
  void *volatile local = make_dying(&here, kind, 0, TARGET_BYTES);
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
  expect_freed(&here, 1);
  ck_assert_uint_eq((uintptr_t)local, ~dying.addresses[0]);
  world_close(&here);
}
END_TEST

/* What holds nothing but garbage is given back, whatever words hit it; and what is dead does not count as pinned. (Of a span
 * whose only pins were on dead objects the statistics said that pins kept it.) */
START_TEST(dead_hits_cost_nothing) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define_dying(&here);
  void *volatile locals[30];
  for (int round = 0; round < 4; round++) {
    for (size_t i = 0; i < COUNT_OF(locals); i++) locals[i] = make_dying(&here, kind, i, 100 + i * 200);
    uint64_t before = world_statistics(&here).objects_pinned;
    ck_assert_int_eq(midden_collect(here.mutator, round % 2 ? MIDDEN_MINOR : MIDDEN_FULL), MIDDEN_OK);
    midden_statistics now = world_statistics(&here);
    ck_assert_uint_eq(now.live_objects + now.span_bytes, 0);
    ck_assert_uint_eq(now.pinned_objects + now.pinned_span_bytes, 0);
    ck_assert_uint_eq(now.objects_pinned, before);
  }
  ck_assert_ptr_nonnull(locals[0]);
  world_close(&here);
}
END_TEST

/* ---- kept in place ---- */

/* Collections of every sort, with garbage before each. */
static void collect_in_turn(world *here, int round) {
  static const midden_collection requests[] = {MIDDEN_FULL, MIDDEN_MINOR, MIDDEN_PACED};
  world_churn(here, 40);
  midden_status expected = here->combination->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED;
  midden_status status = round % 4 == 3 ? midden_defragment(here->mutator, SIZE_MAX, NULL)
                                        : midden_collect(here->mutator, requests[round % 4]);
  ck_assert_int_eq(status, expected);
}

/* Each tenth object is held by a local, in one of three ways. */
static const char *point_to(uintptr_t object, size_t size, size_t way) {
  return (const char *)object + (way % 3 == 0 ? 0 : way % 3 == 1 ? size / 2 : size - 1); /* NOLINT: an object */
}

static void hold_and_collect(world *here, size_t size, size_t count) {
  const char *volatile locals[OTHERS / 10];
  make_others(here, 0, count, size);
  for (size_t i = 0; i < count / 10; i++) locals[i] = point_to(here->slots[10 * i], size, i);
  for (int round = 0; round < 5; round++) {
    hide(here, 0, count);
    collect_in_turn(here, round);
    size_t moved = count_moved(here, 0, count, size);
    if (round == 0) expect_moved(here, moved, count - count / 10);
    for (size_t i = 0; i < count / 10; i++) {
      EXPECT(locals[i] == point_to(here->slots[10 * i], size, i), "round %d: leaf %zu of %zu bytes has moved", round, i, size);
    }
  }
  memset(here->slots, 0, count * sizeof *here->slots);
  world_collect(here);
}

START_TEST(what_a_local_holds_stays) {
  world here;
  world_open(&here, _i, NULL);
  hold_and_collect(&here, 16, world_count(&here, OTHERS, 80));
  hold_and_collect(&here, TARGET_BYTES, world_count(&here, OTHERS, 80));
  hold_and_collect(&here, 1000, world_count(&here, OTHERS, 80));
  world_close(&here);
}
END_TEST

/* A pointer that walked to the end of its object, as loops leave them. */
START_TEST(ends_of_objects_hold_them) {
  static const size_t sizes[] = {24, 64, 128, 1024, 32768};
  world here;
  world_open(&here, _i, NULL);
  const char *volatile ends[COUNT_OF(sizes)];
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    world_leaf(&here, sizes[i], 7);
    here.slots[i] = (uintptr_t)world_leaf(&here, sizes[i], i);
    ends[i] = (const char *)here.slots[i] + sizes[i]; /* NOLINT: an object */
  }
  for (int round = 0; round < 4; round++) collect_in_turn(&here, round);
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    ck_assert_ptr_eq(ends[i], (const char *)here.slots[i] + sizes[i]); /* NOLINT: an object */
    EXPECT_LEAF((const void *)here.slots[i], sizes[i], i);
  }
  world_close(&here);
}
END_TEST

/* Large objects stay where they are in any case, with or without something in them. */
START_TEST(large_objects) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_leaf(&here, 200000, 1);
  here.slots[1] = (uintptr_t)world_vector(&here, 20000);
  pair *object = world_pair(&here);
  midden_store_word(here.mutator, (vector *)here.slots[1], &((vector *)here.slots[1])->elements[19000], (uintptr_t)object);
  char *volatile inside = (char *)here.slots[0] + 150000; /* NOLINT: an object */
  midden_word *volatile element = &((vector *)here.slots[1])->elements[19000];
  for (int round = 0; round < 4; round++) {
    collect_in_turn(&here, round);
    ck_assert_uint_eq((uintptr_t)inside, here.slots[0] + 150000);
    ck_assert_uint_eq(*element, ((vector *)here.slots[1])->elements[19000]);
    ck_assert_ptr_eq(midden_object_at(here.heap, (void *)*element), (void *)*element);
    EXPECT_LEAF((const void *)here.slots[0], 200000, 1);
  }
  world_close(&here);
}
END_TEST

/* Deep down and on the way back: a local in each frame of a recursion, its object in a slot of the same number. */
static __attribute__((noinline)) size_t descend(world *here, size_t depth, size_t every) {
  here->slots[depth] = (uintptr_t)world_leaf(here, TARGET_BYTES, depth);
  void *volatile mine = (void *)here->slots[depth];
  size_t deeper = depth == 0 ? 0 : descend(here, depth - 1, every);
  if (depth % every == 0) disturb(here);
  EXPECT((uintptr_t)mine == here->slots[depth], "the local at depth %zu is stale", depth);
  EXPECT_LEAF(mine, TARGET_BYTES, depth);
  return deeper + 1;
}

START_TEST(deep_recursion) {
  world here;
  world_open(&here, _i, NULL);
  size_t depth = world_count(&here, 3000, 60);
  ck_assert_uint_eq(descend(&here, depth, world_count(&here, 1000, 30)), depth + 1);
  world_close(&here);
}
END_TEST

/* ---- as long as the local is there ---- */

static __attribute__((noinline)) void hold_for_a_while(world *here, size_t count) {
  void *volatile locals[COUNT];
  for (size_t i = 0; i < count; i++) locals[i] = (void *)here->slots[i];
  world_collect(here);
  for (size_t i = 0; i < count; i++) EXPECT((uintptr_t)locals[i] == here->slots[i], "leaf %zu has moved", i);
}

START_TEST(afterwards_it_moves) {
  world here;
  world_open(&here, _i, NULL);
  make_others(&here, 0, COUNT, TARGET_BYTES);
  hide(&here, 0, COUNT);
  hold_for_a_while(&here, COUNT);
  ck_assert_uint_eq(count_moved(&here, 0, COUNT, TARGET_BYTES), 0);
  stack_wipe();
  world_collect(&here);
  expect_moved(&here, count_moved(&here, 0, COUNT, TARGET_BYTES), COUNT);
  world_close(&here);
}
END_TEST

/* A copying heap marks first; in a minor collection it cannot tell then what was young, and all stays. */
START_TEST(minor_collections_leave_in_place) {
  world here;
  world_open(&here, _i, NULL);
  make_others(&here, 0, COUNT, TARGET_BYTES);
  hide(&here, 0, COUNT);
  stack_wipe();
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
  ck_assert_uint_eq(count_moved(&here, 0, COUNT, TARGET_BYTES), 0);
  ck_assert_uint_eq(world_statistics(&here).minor_collections, 1);
  world_collect(&here);
  expect_moved(&here, count_moved(&here, 0, COUNT, TARGET_BYTES), COUNT);
  world_close(&here);
}
END_TEST

/* midden_defragment empties no span that a local holds something of. */
START_TEST(defragmenting) {
  world here;
  world_open(&here, _i, NULL);
  enum { LEAVES = 4000, KEPT = LEAVES / 20 };
  for (size_t i = 0; i < LEAVES; i++) here.slots[i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
  for (size_t i = 0; i < LEAVES; i++)
    if (i % 20) here.slots[i] = 0;
  void *volatile locals[KEPT / 20];
  for (size_t i = 0; i < COUNT_OF(locals); i++) locals[i] = (void *)here.slots[i * 400];
  midden_statistics before = world_statistics(&here);
  ck_assert_int_eq(midden_defragment(here.mutator, SIZE_MAX, NULL), MIDDEN_OK);
  midden_statistics after = world_statistics(&here);
  ck_assert_uint_gt(after.spans_emptied, before.spans_emptied);
  for (size_t i = 0; i < COUNT_OF(locals); i++) ck_assert_ptr_eq(locals[i], (void *)here.slots[i * 400]);
  for (size_t i = 0; i < LEAVES; i += 20) EXPECT_LEAF((const void *)here.slots[i], TARGET_BYTES, i);
  world_close(&here);
}
END_TEST

/* ---- what keeps alive as ever ---- */

START_TEST(ambiguous_ranges_keep) {
  static midden_word words[COUNT];
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define_dying(&here);
  memset(words, 0, sizeof words);
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, words, COUNT), MIDDEN_OK);
  for (size_t i = 0; i < COUNT; i++) words[i] = (uintptr_t)make_dying(&here, kind, i, 48 + i % 5 * 300) + i % 3 * 8;
  for (int round = 0; round < 4; round++) {
    collect_in_turn(&here, round);
    for (size_t i = 0; i < COUNT; i++) {
      EXPECT(dying.freed[i] == 0 && dying.weak[i] == ~dying.addresses[i], "%zu was freed or has moved", i);
    }
  }
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_OK);
  world_collect(&here);
  expect_freed(&here, COUNT);
  world_close(&here);
}
END_TEST

/* A frame, a handle and a pin keep what a local holds, and it stays: the frame's variable is not rewritten. */
START_TEST(frames_handles_and_pins_keep) {
  world here;
  world_open(&here, _i, NULL);
  void *framed = world_leaf(&here, TARGET_BYTES, 1);
  MIDDEN_FRAME(here.mutator, framed);
  midden_scope scope = midden_scope_open(here.mutator);
  midden_handle handle = midden_handle_new(here.mutator, world_leaf(&here, TARGET_BYTES, 2));
  void *volatile local = framed, *volatile handled = (void *)*handle, *volatile pinned = world_leaf(&here, TARGET_BYTES, 3);
  ck_assert_int_eq(midden_pin(here.mutator, pinned), MIDDEN_OK);
  for (int round = 0; round < 4; round++) {
    collect_in_turn(&here, round);
    ck_assert_ptr_eq(local, framed);
    ck_assert_ptr_eq(handled, (void *)*handle);
    EXPECT_LEAF(local, TARGET_BYTES, 1);
    EXPECT_LEAF(handled, TARGET_BYTES, 2);
    EXPECT_LEAF(pinned, TARGET_BYTES, 3);
  }
  midden_scope_close(here.mutator, scope);
  MIDDEN_END(here.mutator);
  world_close(&here);
}
END_TEST

/* ---- coroutines ---- */

static struct {
  ucontext_t self, caller;
  world *here;
  midden_kind kind;
  bool in_place, kept_alive;
} coroutine;

/* Two objects in locals of a stack that waits: one is in a slot too. */
static void coroutine_body(void) {
  world *here = coroutine.here;
  void *volatile held = (void *)here->slots[0], *volatile bare = make_dying(here, coroutine.kind, 0, TARGET_BYTES);
  if (midden_stack_switch(here->mutator, NULL) != MIDDEN_OK) abort();
  swapcontext(&coroutine.self, &coroutine.caller);
  coroutine.in_place = (uintptr_t)held == here->slots[0];
  coroutine.kept_alive = dying.freed[0] == 0;
  if ((uintptr_t)bare != ~dying.addresses[0]) abort();
  /* And the other way round: the caller waits with such a local while this stack collects. */
  disturb(here);
  if (midden_stack_switch(here->mutator, NULL) != MIDDEN_OK) abort();
  setcontext(&coroutine.caller);
}

static __attribute__((noinline)) void resume(midden_stack *stack) {
  ck_assert_int_eq(midden_stack_switch(coroutine.here->mutator, stack), MIDDEN_OK);
  swapcontext(&coroutine.caller, &coroutine.self);
}

START_TEST(coroutines) {
  world here;
  world_open(&here, _i, NULL);
  coroutine.here = &here;
  coroutine.kind = define_dying(&here);
  char *memory = malloc(STACK_BYTES);
  ck_assert_ptr_nonnull(memory);
  midden_stack *stack = midden_stack_add(here.mutator, memory, STACK_BYTES);
  ck_assert_ptr_nonnull(stack);
  ck_assert_int_eq(getcontext(&coroutine.self), 0);
  coroutine.self.uc_stack.ss_sp = memory;
  coroutine.self.uc_stack.ss_size = STACK_BYTES;
  makecontext(&coroutine.self, coroutine_body, 0);
  make_others(&here, 0, COUNT, TARGET_BYTES);
  resume(stack);
  hide(&here, 0, COUNT);
  stack_wipe();
  world_collect(&here);
  ck_assert_uint_eq(here.slots[0], ~hidden[0]);
  expect_moved(&here, count_moved(&here, 0, COUNT, TARGET_BYTES), COUNT);
  make_others(&here, COUNT, COUNT, TARGET_BYTES);
  void *volatile local = (void *)here.slots[COUNT + 1];
  resume(stack);
  ck_assert(coroutine.in_place);
  ck_assert_int_eq(coroutine.kept_alive, !here.combination->collects);
  ck_assert_ptr_eq(local, (void *)here.slots[COUNT + 1]);
  ck_assert_int_eq(midden_stack_remove(here.mutator, stack), MIDDEN_OK);
  free(memory);
  world_close(&here);
}
END_TEST

static bool write_nothing(void *context, const char *bytes, size_t count) { return (void)context, (void)bytes, (void)count, true; }

/* A stack that was switched to without a word is noticed: what its locals hold would not stay. Those who only look at what
 * keeps what alive need no stack. */
START_TEST(unannounced_stacks) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_pair(&here);
  char *memory = malloc(STACK_BYTES);
  ck_assert_ptr_nonnull(memory);
  midden_stack *stack = midden_stack_add(here.mutator, memory, STACK_BYTES);
  ck_assert_int_eq(midden_stack_switch(here.mutator, stack), MIDDEN_OK); /* only said, not done */
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_FULL), MIDDEN_MISUSE);
  midden_writer writer = {write_nothing, NULL};
  ck_assert_int_eq(midden_why(here.heap, (void *)here.slots[0], &writer, NULL), MIDDEN_OK);
  ck_assert_int_eq(midden_stack_switch(here.mutator, NULL), MIDDEN_OK);
  world_collect(&here);
  ck_assert_int_eq(midden_stack_remove(here.mutator, stack), MIDDEN_OK);
  free(memory);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {a_local_keeps_nothing_alive, PINNING},
      {nor_do_other_pointers, PINNING},
      {a_minor_collection_takes_it, PINNING | GENERATIONAL | CALM},
      {dead_hits_cost_nothing, PINNING | COLLECTING | CALM},
      {what_a_local_holds_stays, PINNING},
      {ends_of_objects_hold_them, PINNING},
      {large_objects, PINNING},
      {deep_recursion, PINNING},
      {afterwards_it_moves, PINNING},
      {minor_collections_leave_in_place, PINNING | GENERATIONAL | CALM},
      {defragmenting, PINNING | COLLECTING | CALM},
      {ambiguous_ranges_keep, PINNING},
      {frames_handles_and_pins_keep, PINNING},
      {coroutines, PINNING},
      {unannounced_stacks, PINNING | COLLECTING | CALM},
  };
  return run_combinations("pinning stack", tests, COUNT_OF(tests));
}
