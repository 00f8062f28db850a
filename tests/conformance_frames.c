/* Conformance: precise locals. Frames of 1 to 12 variables, nesting, longjmp; handles and their scopes.
 * Under stack=precise nothing else keeps these objects; under both modes the values must stay right. */
#include <setjmp.h>
#include <string.h>

#include "harness.h"

enum { TARGET_BYTES = 40 };

static void disturb(world *here) {
  world_churn(here, 10);
  world_collect(here);
}

#define NEW(seed) world_leaf(&here, TARGET_BYTES, seed)
#define IS(variable, seed) EXPECT(leaf_is(variable, TARGET_BYTES, seed), #variable " is not " #seed)

START_TEST(one_to_three_variables) {
  world here;
  world_open(&here, _i, NULL);
  {
    void *a = NULL;
    MIDDEN_FRAME(here.mutator, a);
    a = NEW(1);
    disturb(&here);
    IS(a, 1);
    {
      void *b = NULL, *c = NEW(3);
      MIDDEN_FRAME(here.mutator, b, c);
      b = NEW(2);
      disturb(&here);
      IS(a, 1), IS(b, 2), IS(c, 3);
      {
        void *d = a;
        midden_word e = (midden_word)b, f = immediate(6);
        MIDDEN_FRAME(here.mutator, d, e, f);
        disturb(&here);
        ck_assert_ptr_eq(d, a);
        ck_assert_uint_eq(e, (midden_word)b);
        ck_assert_uint_eq(f, immediate(6));
        MIDDEN_END(here.mutator);
      }
      MIDDEN_END(here.mutator);
    }
    disturb(&here);
    IS(a, 1);
    MIDDEN_END(here.mutator);
  }
  ck_assert_ptr_null(here.mutator->frames);
  world_close(&here);
}
END_TEST

START_TEST(twelve_variables) {
  world here;
  world_open(&here, _i, NULL);
  void *a = NULL, *b = NULL, *c = NULL, *d = NULL, *e = NULL, *f = NULL;
  void *g = NULL, *h = NULL, *i = NULL, *j = NULL, *k = NULL, *l = NULL;
  MIDDEN_FRAME(here.mutator, a, b, c, d, e, f, g, h, i, j, k, l);
  a = NEW(1), b = NEW(2), c = NEW(3), d = NEW(4), e = NEW(5), f = NEW(6);
  g = NEW(7), h = NEW(8), i = NEW(9), j = NEW(10), k = NEW(11), l = NEW(12);
  for (int round = 0; round < 3; round++) {
    disturb(&here);
    IS(a, 1), IS(b, 2), IS(c, 3), IS(d, 4), IS(e, 5), IS(f, 6);
    IS(g, 7), IS(h, 8), IS(i, 9), IS(j, 10), IS(k, 11), IS(l, 12);
  }
  MIDDEN_END(here.mutator);
  world_close(&here);
}
END_TEST

/* A frame in each call of a recursion; checked on the way back, after collections at every depth. */
static size_t descend(world *here, size_t depth, size_t every) {
  void *mine = world_leaf(here, TARGET_BYTES, depth);
  void *list = NULL;
  MIDDEN_FRAME(here->mutator, mine, list);
  list = world_pair(here);
  midden_store(here->mutator, list, &((pair *)list)->car, mine);
  size_t count = depth == 0 ? 0 : descend(here, depth - 1, every);
  if (depth % every == 0) disturb(here);
  EXPECT_LEAF(mine, TARGET_BYTES, depth);
  EXPECT(((pair *)list)->car == (midden_word)mine, "depth %zu", depth);
  MIDDEN_END(here->mutator);
  return count + 1;
}

START_TEST(recursion_with_frames) {
  world here;
  world_open(&here, _i, NULL);
  size_t depth = world_count(&here, 5000, 150);
  ck_assert_uint_eq(descend(&here, depth, world_count(&here, 500, 30)), depth + 1);
  ck_assert_ptr_null(here.mutator->frames);
  world_close(&here);
}
END_TEST

/* Frames, handles and scopes that a longjmp skips are roots no longer; those below it are. */
static jmp_buf jump;

static void descend_and_jump(world *here, size_t depth, bool jumps) {
  void *mine = world_leaf(here, TARGET_BYTES, 1000 + depth);
  MIDDEN_FRAME(here->mutator, mine);
  midden_scope_open(here->mutator);
  ck_assert_ptr_nonnull(midden_handle_new(here->mutator, world_leaf(here, TARGET_BYTES, 5)));
  if (depth > 0) descend_and_jump(here, depth - 1, jumps);
  else if (jumps) longjmp(jump, 1);
  MIDDEN_END(here->mutator);
}

START_TEST(longjmp_skips_frames) {
  static world here; /* static: not clobbered by longjmp */
  world_open(&here, _i, NULL);
  static void *kept;
  kept = NULL;
  MIDDEN_FRAME(here.mutator, kept);
  midden_scope outer = midden_scope_open(here.mutator);
  static midden_handle handle;
  handle = midden_handle_new(here.mutator, NULL);
  ck_assert_ptr_nonnull(handle);
  kept = NEW(1);
  *handle = (midden_word)NEW(2);
  static size_t round;
  for (round = 0; round < 4; round++) {
    midden_mark mark = midden_mark_save(here.mutator);
    if (setjmp(jump) == 0) descend_and_jump(&here, 20, round != 0);
    midden_mark_restore(here.mutator, mark);
    ck_assert_ptr_eq(here.mutator->frames, mark.frames);
    disturb(&here);
    IS(kept, 1);
    IS((void *)*handle, 2);
    if (here.combination->collects && here.config.stack == MIDDEN_STACK_PRECISE)
      ck_assert_uint_eq(world_statistics(&here).live_objects, 2);
  }
  midden_scope_close(here.mutator, outer);
  MIDDEN_END(here.mutator);
  world_close(&here);
}
END_TEST

/* More handles than any first block can hold, in nested scopes; values follow moves. */
START_TEST(handles_in_scopes) {
  world here;
  world_open(&here, _i, NULL);
  enum { SCOPES = 12, MOST = 700 };
  static midden_handle handles[SCOPES][MOST];
  midden_scope scopes[SCOPES];
  size_t each = world_count(&here, MOST, 20);
  for (size_t s = 0; s < SCOPES; s++) {
    scopes[s] = midden_scope_open(here.mutator);
    for (size_t i = 0; i < each; i++) {
      handles[s][i] = midden_handle_new(here.mutator, world_leaf(&here, TARGET_BYTES, s * MOST + i));
      EXPECT(handles[s][i] != NULL, "no handle");
    }
  }
  for (size_t left = SCOPES; left-- > 0;) {
    disturb(&here);
    for (size_t s = 0; s <= left; s++)
      for (size_t i = 0; i < each; i++)
        EXPECT(leaf_is((void *)*handles[s][i], TARGET_BYTES, s * MOST + i), "scope %zu, handle %zu", s, i);
    midden_scope_close(here.mutator, scopes[left]);
    if (!here.combination->collects || here.config.stack != MIDDEN_STACK_PRECISE) continue;
    world_collect(&here);
    ck_assert_uint_eq(world_statistics(&here).live_objects, left * each);
  }
  world_close(&here);
}
END_TEST

/* Closing an outer scope closes the inner ones. */
START_TEST(closing_an_outer_scope) {
  world here;
  world_open(&here, _i, NULL);
  midden_scope outermost = midden_scope_open(here.mutator);
  midden_handle kept = midden_handle_new(here.mutator, NEW(1));
  midden_scope outer = midden_scope_open(here.mutator);
  for (size_t i = 0; i < 5; i++) {
    midden_scope_open(here.mutator);
    for (size_t k = 0; k < 100; k++) ck_assert_ptr_nonnull(midden_handle_new(here.mutator, NEW(2)));
  }
  midden_scope_close(here.mutator, outer);
  disturb(&here);
  IS((void *)*kept, 1);
  if (here.combination->collects && here.config.stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).live_objects, 1);
  midden_handle next = midden_handle_new(here.mutator, NEW(3));
  ck_assert_ptr_nonnull(next);
  disturb(&here);
  IS((void *)*next, 3);
  IS((void *)*kept, 1);
  midden_scope_close(here.mutator, outermost);
  world_close(&here);
}
END_TEST

/* A handle may be assigned through, as any slot. */
START_TEST(handles_are_slots) {
  world here;
  world_open(&here, _i, NULL);
  midden_scope scope = midden_scope_open(here.mutator);
  midden_handle list = midden_handle_new(here.mutator, NULL);
  ck_assert_ptr_nonnull(list);
  size_t length = world_count(&here, 5000, 200);
  for (size_t i = 0; i < length; i++) {
    pair *cell = world_pair(&here);
    midden_store_word(here.mutator, cell, &cell->car, immediate(length - 1 - i));
    midden_store_word(here.mutator, cell, &cell->cdr, *list);
    *list = (midden_word)cell;
  }
  disturb(&here);
  here.slots[0] = *list;
  midden_scope_close(here.mutator, scope);
  world_list_check(&here, 0, length);
  world_close(&here);
}
END_TEST

/* Detaching drops frames and handles, and leaves the heap and its roots as they are. */
START_TEST(detaching_drops_locals) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 10);
  midden_scope_open(here.mutator);
  ck_assert_ptr_nonnull(midden_handle_new(here.mutator, NEW(1)));
  void *local = NEW(2);
  MIDDEN_FRAME(here.mutator, local);
  world_collect(&here);
  if (here.combination->collects && here.config.stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).live_objects, 12);
  ck_assert_int_eq(midden_detach(here.mutator), MIDDEN_OK);
  here.mutator = midden_attach(here.heap, NULL, NULL);
  ck_assert_ptr_nonnull(here.mutator);
  ck_assert_ptr_null(here.mutator->frames);
  world_collect(&here);
  if (here.combination->collects && here.config.stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).live_objects, 10);
  world_list_check(&here, 0, 10);
  world_churn(&here, 20);
  world_list_check(&here, 0, 10);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {one_to_three_variables, ANYWHERE},
      {twelve_variables, ANYWHERE},
      {recursion_with_frames, ANYWHERE},
      {longjmp_skips_frames, ANYWHERE},
      {handles_in_scopes, ANYWHERE},
      {closing_an_outer_scope, ANYWHERE},
      {handles_are_slots, ANYWHERE},
      {detaching_drops_locals, ANYWHERE},
  };
  return run_combinations("frames", tests, COUNT_OF(tests));
}
