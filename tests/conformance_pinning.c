/* midden_pin: a pinned object stays where it is and stays alive, whatever lies around it does. */
#include <setjmp.h>
#include <string.h>

#include "harness.h"
#include "text_writer.h"

enum { MANY = 1200 };

/* Every third of a row of pairs is pinned: they stay, the others move where the collector moves. */
START_TEST(pinned_ones_stay) {
  world here;
  world_open(&here, _i, NULL);
  size_t count = world_count(&here, 900, 120), moved = 0;
  uintptr_t *before = (uintptr_t *)&here.slots[WORLD_SLOTS / 2]; /* as immediates: no references */
  for (size_t i = 0; i < count; i++) {
    pair *object = world_pair(&here);
    midden_store_word(here.mutator, object, &object->car, immediate(i));
    here.slots[i] = (uintptr_t)object;
    if (i % 3 == 0) ck_assert_int_eq(midden_pin(here.mutator, object), MIDDEN_OK);
  }
  for (size_t i = 0; i < count; i++) before[i] = ~here.slots[i];
  for (int round = 0; round < 3; round++) {
    stack_wipe();
    world_collect(&here);
    world_churn(&here, 100);
  }
  for (size_t i = 0; i < count; i++) {
    EXPECT(((pair *)here.slots[i])->car == immediate(i), "pair %zu is not what it was", i);
    if (here.slots[i] == ~before[i]) continue;
    EXPECT(i % 3 != 0, "pair %zu is pinned and has moved", i);
    moved++;
  }
  if (here.combination->moves == MOVES_ALWAYS && here.combination->stack == MIDDEN_STACK_PRECISE &&
      here.combination->stress == MIDDEN_STRESS_OFF) ck_assert_uint_eq(moved, count - (count + 2) / 3);
  for (size_t i = 0; i < count; i += 3) ck_assert_int_eq(midden_unpin(here.mutator, (void *)here.slots[i]), MIDDEN_OK);
  for (size_t i = 0; i < count; i++) before[i] = ~here.slots[i];
  stack_wipe();
  world_collect(&here);
  moved = 0;
  for (size_t i = 0; i < count; i += 3) moved += here.slots[i] != ~before[i];
  if (here.combination->moves == MOVES_ALWAYS && here.combination->stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(moved, (count + 2) / 3);
  world_close(&here);
}
END_TEST

/* A pin alone keeps an object alive, and what it refers to; without, both go. */
START_TEST(a_pin_keeps_alive) {
  world here;
  world_open(&here, _i, NULL);
  uintptr_t hidden, hidden_leaf;
  here.slots[0] = (uintptr_t)world_leaf(&here, 72, 5);
  pair *object = world_pair(&here);
  midden_store_word(here.mutator, object, &object->car, here.slots[0]);
  ck_assert_int_eq(midden_pin(here.mutator, object), MIDDEN_OK);
  hidden = ~(uintptr_t)object;
  object = NULL;
  here.slots[0] = 0;
  for (int round = 0; round < 3; round++) {
    stack_wipe();
    midden_collect(here.mutator, round == 1 ? MIDDEN_MINOR : MIDDEN_FULL);
    world_churn(&here, 300);
    ck_assert_ptr_eq(midden_object_at(here.heap, (void *)~hidden), (void *)~hidden);
    EXPECT_LEAF((void *)((pair *)~hidden)->car, 72, 5);
  }
  hidden_leaf = ~((pair *)~hidden)->car;
  ck_assert_int_eq(midden_unpin(here.mutator, (void *)~hidden), MIDDEN_OK);
  stack_wipe();
  world_collect(&here);
  if (here.combination->collects && here.combination->stack == MIDDEN_STACK_PRECISE) {
    ck_assert_ptr_null(midden_object_at(here.heap, (void *)~hidden));
    ck_assert_ptr_null(midden_object_at(here.heap, (void *)~hidden_leaf));
  }
  world_close(&here);
}
END_TEST

START_TEST(pins_are_counted) {
  world here;
  world_open(&here, _i, NULL);
  pair *object = world_pair(&here);
  here.slots[0] = (uintptr_t)object;
  size_t times = 5;
  for (size_t i = 0; i < times; i++) ck_assert_int_eq(midden_pin(here.mutator, object), MIDDEN_OK);
  ck_assert_uint_eq(midden_pin_count(here.mutator, object), times);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 1);
  for (size_t left = times; left > 0; left--) {
    world_collect(&here);
    ck_assert_uint_eq(here.slots[0], (uintptr_t)object);
    ck_assert_uint_eq(midden_pin_count(here.mutator, object), left);
    ck_assert_int_eq(midden_unpin(here.mutator, object), MIDDEN_OK);
  }
  ck_assert_int_eq(midden_unpin(here.mutator, object), MIDDEN_BAD_ARGUMENT);
  ck_assert_uint_eq(midden_pin_count(here.mutator, object), 0);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 0);
  world_close(&here);
}
END_TEST

static jmp_buf away;

static __attribute__((noinline)) void pin_and_leave(world *here) {
  for (size_t i = 2; i <= 8; i++) {
    midden_scope_open(here->mutator);
    midden_pin_in_scope(here->mutator, (void *)here->slots[i]);
  }
  longjmp(away, 1);
}

/* Scoped pins end with their scope: by closing it, an outer one, by a longjmp, by detaching. */
START_TEST(scopes) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < 10; i++) here.slots[i] = (uintptr_t)world_pair(&here);
  midden_scope outer = midden_scope_open(here.mutator);
  ck_assert_int_eq(midden_pin_in_scope(here.mutator, (void *)here.slots[0]), MIDDEN_OK);
  midden_scope inner = midden_scope_open(here.mutator);
  ck_assert_int_eq(midden_pin_in_scope(here.mutator, (void *)here.slots[0]), MIDDEN_OK);
  ck_assert_int_eq(midden_pin_in_scope(here.mutator, (void *)here.slots[1]), MIDDEN_OK);
  ck_assert_uint_eq(midden_pin_count(here.mutator, (void *)here.slots[0]), 2);
  world_collect(&here);
  midden_scope_close(here.mutator, inner);
  ck_assert_uint_eq(midden_pin_count(here.mutator, (void *)here.slots[0]), 1);
  ck_assert_uint_eq(midden_pin_count(here.mutator, (void *)here.slots[1]), 0);
  midden_mark mark = midden_mark_save(here.mutator);
  if (setjmp(away) == 0) pin_and_leave(&here);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 8);
  midden_mark_restore(here.mutator, mark);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 1);
  midden_scope_open(here.mutator);
  midden_pin_in_scope(here.mutator, (void *)here.slots[3]);
  midden_scope_close(here.mutator, outer);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 0);
  midden_error error;
  midden_mutator *other = midden_attach(here.heap, NULL, &error);
  ck_assert_ptr_nonnull(other);
  midden_pin_in_scope(other, (void *)here.slots[3]);
  midden_pin(other, (void *)here.slots[4]);
  ck_assert_int_eq(midden_detach(other), MIDDEN_OK);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 1); /* what is not scoped is the heap's */
  ck_assert_int_eq(midden_unpin(here.mutator, (void *)here.slots[4]), MIDDEN_OK);
  world_close(&here);
}
END_TEST

START_TEST(what_is_no_object) {
  world here;
  world_open(&here, _i, NULL);
  pair *object = world_pair(&here);
  here.slots[0] = (uintptr_t)object;
  int local;
  ck_assert_int_eq(midden_pin(here.mutator, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pin(here.mutator, &local), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pin(here.mutator, (char *)object + 8), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pin(here.mutator, object + 1), MIDDEN_BAD_ARGUMENT); /* not handed out yet */
  ck_assert_int_eq(midden_pin_in_scope(here.mutator, (char *)object + 8), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_unpin(here.mutator, object), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pin(NULL, object), MIDDEN_MISUSE);
  ck_assert_uint_eq(world_statistics(&here).host_pins, 0);
  world_close(&here);
}
END_TEST

/* The table of pins, pinned and unpinned at random, against a copy; small and large objects. */
START_TEST(at_random) {
  world here;
  uint64_t random = 4711;
  static unsigned counts[MANY];
  world_open(&here, _i, NULL);
  memset(counts, 0, sizeof counts);
  size_t count = world_count(&here, MANY, 100), pinned = 0;
  for (size_t i = 0; i < count; i++)
    here.slots[i] = (uintptr_t)world_leaf(&here, i % 97 == 5 ? 40000 : 24 + i % 300, i);
  for (size_t step = 0; step < count * 20; step++) {
    size_t i = test_random_below(&random, count);
    void *object = (void *)here.slots[i];
    if (test_random_below(&random, 2)) {
      EXPECT(midden_pin(here.mutator, object) == MIDDEN_OK, "pin %zu", i);
      pinned += counts[i]++ == 0;
    } else {
      EXPECT(midden_unpin(here.mutator, object) == (counts[i] ? MIDDEN_OK : MIDDEN_BAD_ARGUMENT), "unpin %zu", i);
      if (counts[i]) pinned -= --counts[i] == 0;
    }
    if (step % (count * 2) == 0) midden_collect(here.mutator, step % (count * 4) ? MIDDEN_FULL : MIDDEN_MINOR);
  }
  for (size_t i = 0; i < count; i++) {
    EXPECT(midden_pin_count(here.mutator, (void *)here.slots[i]) == counts[i], "leaf %zu", i);
    EXPECT_LEAF((void *)here.slots[i], i % 97 == 5 ? 40000 : 24 + i % 300, i);
  }
  ck_assert_uint_eq(world_statistics(&here).host_pins, pinned);
  world_close(&here);
}
END_TEST

/* What pins cost: one object in each span keeps all of them. */
START_TEST(cost) {
  world here;
  world_open(&here, _i, NULL);
  size_t pins = 0;
  for (size_t i = 0; i < 4000; i++) {
    pair *object = world_pair(&here);
    if (i % 1000 != 0) continue;
    ck_assert_int_eq(midden_pin(here.mutator, object), MIDDEN_OK);
    here.slots[pins++] = (uintptr_t)object;
  }
  stack_wipe();
  world_collect(&here);
  midden_statistics statistics = world_statistics(&here);
  ck_assert_uint_eq(statistics.pinned_objects, pins);
  ck_assert_uint_eq(statistics.pinned_span_bytes, statistics.span_bytes); /* nothing else lives */
  ck_assert_uint_ge(statistics.pinned_span_bytes, pins * 8192);
  for (size_t i = 0; i < pins; i++) midden_unpin(here.mutator, (void *)here.slots[i]);
  stack_wipe();
  world_collect(&here);
  statistics = world_statistics(&here);
  ck_assert_uint_eq(statistics.pinned_objects + statistics.pinned_span_bytes, 0);
  if (here.combination->moves != MOVES_NEVER) ck_assert_uint_le(statistics.span_bytes, 16384);
  world_close(&here);
}
END_TEST

static midden_status inside;
static void pin_inside(midden_visitor *visitor, void *context) {
  world *here = context;
  (void)visitor;
  inside = midden_pin(here->mutator, (void *)here->slots[0]);
}

START_TEST(not_from_inside_a_collection) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_pair(&here);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, pin_inside, &here), MIDDEN_OK);
  world_collect(&here);
  ck_assert_int_eq(inside, MIDDEN_MISUSE);
  world_close(&here);
}
END_TEST

static void note_finalized(midden_mutator *mutator, void *object, void *context) {
  (void)mutator;
  *(uintptr_t *)context = ~(uintptr_t)object;
}

/* A pin is a root: its object is finalized, and weak slots to it are cleared, only when the last pin has gone. */
START_TEST(finalized_after_the_last_pin) {
  world here;
  static midden_word weak;
  uintptr_t finalized = 0;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_pair(&here);
  weak = here.slots[0];
  uintptr_t hidden = ~weak;
  ck_assert_int_eq(midden_weak_add(here.heap, &weak, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[0], note_finalized, &finalized), MIDDEN_OK);
  for (int i = 0; i < 2; i++) ck_assert_int_eq(midden_pin(here.mutator, (void *)here.slots[0]), MIDDEN_OK);
  here.slots[0] = 0;
  for (int pins = 2; pins > 0; pins--) {
    stack_wipe();
    world_collect(&here);
    world_churn(&here, 50);
    ck_assert_uint_eq(midden_finalizers_waiting(here.heap), 0);
    ck_assert_uint_eq(weak, ~hidden);
    ck_assert_int_eq(midden_unpin(here.mutator, (void *)~hidden), MIDDEN_OK);
  }
  stack_wipe();
  world_collect(&here);
  ck_assert_uint_eq(midden_finalizers_run(here.mutator, 9), weak == 0);
  ck_assert_int_eq(finalized != 0, weak == 0);
  if (here.combination->stack == MIDDEN_STACK_PRECISE) ck_assert_uint_eq(weak, 0);
  ck_assert_int_eq(midden_weak_remove(here.heap, &weak), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* The map shows what an ambiguous word has pinned, after a minor collection too. (It did not, in spans that were allocated
 * into.) */
START_TEST(shown_in_the_map) {
  static text_writer text;
  static midden_word word;
  static const midden_collection requests[] = {MIDDEN_MINOR, MIDDEN_FULL};
  world here;
  world_open(&here, _i, NULL);
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, &word, 1), MIDDEN_OK);
  for (size_t i = 0; i < COUNT_OF(requests); i++) {
    word = (uintptr_t)world_leaf(&here, 40, 1);
    ck_assert_int_eq(midden_collect(here.mutator, requests[i]), MIDDEN_OK);
    midden_map *map = midden_map_capture(here.heap, "pins", NULL);
    ck_assert_ptr_nonnull(map);
    midden_writer writer = text_writer_open(&text);
    ck_assert_int_eq(midden_map_write(&map, 1, &writer, NULL), MIDDEN_OK);
    ck_assert_ptr_nonnull(strstr(text.bytes, ", pinned"));
    midden_map_free(map);
    word = 0;
    world_collect(&here);
  }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {pinned_ones_stay, ANYWHERE},
      {a_pin_keeps_alive, ANYWHERE},
      {pins_are_counted, ANYWHERE},
      {scopes, ANYWHERE},
      {what_is_no_object, ANYWHERE},
      {at_random, ANYWHERE},
      {cost, COLLECTING | PRECISE | CALM},
      {finalized_after_the_last_pin, COLLECTING},
      {not_from_inside_a_collection, COLLECTING},
      {shown_in_the_map, COLLECTING | PRECISE | CALM},
  };
  return run_combinations("pinning", tests, COUNT_OF(tests));
}
