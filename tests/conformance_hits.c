/* Conformance: midden_hit_add. A host's function is told once of each object that an ambiguous word hits; from inside, it pins
 * without marking, marks, and keeps. Each test runs twice: as the collector is, and with a kind whose objects hold
 * ambiguous words, with which a copying heap marks before it moves. */
#include <string.h>

#include "harness.h"

enum { COUNT = 24, KEYS = 8, LIST = 5 };

/* A table that hashes its keys by address, and does not hold them. */
typedef struct table {
  uintptr_t number;
  midden_word keys[KEYS]; /* weak */
} table;

/* What the host knows. */
static struct state {
  world here;
  midden_kind table, holder; /* holder: id 0, or its objects hold ambiguous words */
  midden_word ambiguous[2 * COUNT];
  unsigned told[COUNT];   /* of the leaves and tables, by number */
  unsigned others, calls;
  midden_word companion;  /* marked with number 0 */
  uintptr_t kept;         /* kept with number 1; hidden by ~ */
} state;

static midden_kind define(const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(state.here.heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

static void open_state(int index, bool mark_first) {
  memset(&state, 0, sizeof state);
  world_open(&state.here, index, NULL);
  state.table = define(&(midden_shape){.name = "table", .size = sizeof(table), .refs = MIDDEN_REFS_WEAK, .weak_bitmap = 0x1fe});
  if (mark_first) state.holder = define(&(midden_shape){.name = "holder", .refs = MIDDEN_REFS_AMBIGUOUS});
  ck_assert_int_eq(midden_root_ambiguous_add(state.here.heap, state.ambiguous, COUNT_OF(state.ambiguous)), MIDDEN_OK);
}

static bool exact(void) { return state.here.combination->stack == MIDDEN_STACK_PRECISE && state.here.combination->collects; }

static void collect(bool minor) {
  stack_wipe();
  midden_status status = midden_collect(state.here.mutator, minor ? MIDDEN_MINOR : MIDDEN_FULL);
  ck_assert_int_eq(status, state.here.combination->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED);
}

/* Puts a word where it is ambiguous: in the host's range, or in an object. */
static void make_ambiguous(size_t index, uintptr_t word) {
  world *here = &state.here;
  if (state.holder.id == 0 || index % 2 == 0) {
    state.ambiguous[index] = word;
    return;
  }
  midden_word *holder = midden_alloc_sized(here->mutator, state.holder, 16);
  ck_assert_ptr_nonnull(holder);
  midden_store_word(here->mutator, holder, &holder[0], here->slots[index]);
  midden_store_word(here->mutator, holder, &holder[1], here->slots[index] + 8);
  here->slots[COUNT + index] = (uintptr_t)holder;
}

/* ---- told once ---- */

static void count_hits(midden_marking *marking, void *object, uint16_t kind, void *context) {
  ck_assert_ptr_eq(context, &state);
  state.calls++;
  ck_assert(midden_marking_is_marked(marking, (uintptr_t)object));
  for (size_t i = 0; i < COUNT; i++) {
    if (state.here.slots[i] != (uintptr_t)object) continue;
    EXPECT(kind == state.here.leaf.id, "leaf %zu is of kind %u", i, kind);
    EXPECT_LEAF(object, 40, i);
    state.told[i]++;
    return;
  }
  state.others++;
}

START_TEST(once_for_each_object) {
  for (int mark_first = 0; mark_first < 2; mark_first++) {
    open_state(_i, mark_first);
    world *here = &state.here;
    for (size_t i = 0; i < COUNT; i++) here->slots[i] = (uintptr_t)world_leaf(here, 40, i);
    /* Two words and an inner one to each leaf but the last two. */
    for (size_t i = 0; i < COUNT - 2; i++) {
      make_ambiguous(i, here->slots[i]);
      state.ambiguous[COUNT + i] = here->slots[i] + (i % 2 ? 0 : 16);
    }
    ck_assert_int_eq(midden_hit_add(here->heap, count_hits, &state), MIDDEN_OK);
    for (int round = 0; round < 4; round++) {
      memset(state.told, 0, sizeof state.told);
      state.others = 0;
      collect(round % 2);
      for (size_t i = 0; i < COUNT - 2; i++) {
        EXPECT(state.told[i] == here->combination->collects, "round %d: leaf %zu told %u times", round, i, state.told[i]);
      }
      if (!exact()) continue;
      ck_assert_uint_eq(state.others + state.told[COUNT - 2] + state.told[COUNT - 1], 0);
      world_churn(here, 20);
    }
    world_close(here);
  }
}
END_TEST

/* ---- a pin that does not mark ---- */

static void pin_keys(midden_marking *marking, void *object, uint16_t kind, void *context) {
  (void)context;
  if (kind != state.table.id) return;
  const table *hit = object;
  state.told[hit->number]++;
  for (size_t i = 0; i < KEYS; i++) {
    ck_assert_int_eq(midden_marking_pin(marking, hit->keys[i]), MIDDEN_OK);
    if (hit->keys[i] != 0) EXPECT_LEAF((const void *)hit->keys[i], 40, hit->number * KEYS + i); /* it has not moved */
  }
}

static table *table_at(size_t number) { return (table *)state.here.slots[number]; }

/* Tables 0 and 1 with KEYS leaves each, of which the odd ones have no other reference. Only table 0 is hit. */
static void make_tables(uintptr_t *before) {
  world *here = &state.here;
  for (size_t t = 0; t < 2; t++) {
    here->slots[t] = (uintptr_t)midden_alloc_sized(here->mutator, state.table, sizeof(table));
    ck_assert_ptr_nonnull(table_at(t));
    table_at(t)->number = t;
    if (t == 0) make_ambiguous(1, here->slots[0]), state.ambiguous[2] = here->slots[0];
    for (size_t i = 0; i < KEYS; i++) {
      size_t slot = 100 + t * KEYS + i;
      here->slots[slot] = (uintptr_t)world_leaf(here, 40, t * KEYS + i);
      midden_store_word(here->mutator, table_at(t), &table_at(t)->keys[i], here->slots[slot]);
      before[t * KEYS + i] = ~here->slots[slot];
      for (int k = 0; k < 5; k++) world_leaf(here, 40, 7); /* garbage between them, so that they would move */
    }
  }
  for (size_t i = 0; i < 2 * KEYS; i++) before[i] = ~here->slots[100 + i];
  for (size_t i = 1; i < 2 * KEYS; i += 2) here->slots[100 + i] = 0;
}

START_TEST(pins_that_do_not_mark) {
  for (int mark_first = 0; mark_first < 2; mark_first++) {
    for (int minor = 0; minor < 2; minor++) {
      open_state(_i, mark_first);
      world *here = &state.here;
      uintptr_t before[2 * KEYS];
      ck_assert_int_eq(midden_hit_add(here->heap, pin_keys, &state), MIDDEN_OK);
      make_tables(before);
      collect(minor);
      bool old = minor && here->combination->stress != MIDDEN_STRESS_OFF; /* collections before this one may have made keys old */
      if (here->combination->collects) ck_assert_uint_ge(state.told[0], 1);
      for (size_t i = 0; i < KEYS; i++) {
        uintptr_t key = table_at(0)->keys[i];
        if (i % 2 == 0) EXPECT(key == ~before[i], "key %zu of the table that was hit has moved", i);
        if (i % 2 == 1 && exact() && !old) EXPECT(key == 0, "key %zu was only pinned, and is kept", i);
        if (key) EXPECT_LEAF((const void *)key, 40, i);
      }
      for (size_t i = 0; i < KEYS; i++) {
        uintptr_t key = table_at(1)->keys[i];
        if (i % 2 == 0) ck_assert_uint_eq(key, here->slots[100 + KEYS + i]);
        if (key) EXPECT_LEAF((const void *)key, 40, KEYS + i);
      }
      if (exact()) ck_assert_uint_eq(state.told[1], 0);
      size_t live = 2 + KEYS + (size_t)mark_first; /* tables, half of their keys, a holder */
      if (exact() && !old) ck_assert_uint_eq(world_statistics(here).live_objects, live);
      world_verify(here);
      collect(false); /* pins are for one collection */
      for (size_t i = 0; i < KEYS; i += 2) EXPECT_LEAF((const void *)here->slots[100 + i], 40, i);
      world_close(here);
    }
  }
}
END_TEST

/* When the table is not hit any more, its keys move again where the collector moves everything. */
START_TEST(pins_end_with_the_collection) {
  open_state(_i, false);
  world *here = &state.here;
  uintptr_t before[2 * KEYS];
  ck_assert_int_eq(midden_hit_add(here->heap, pin_keys, &state), MIDDEN_OK);
  make_tables(before);
  collect(false);
  state.ambiguous[1] = state.ambiguous[2] = 0;
  here->slots[COUNT + 1] = 0;
  for (size_t i = 0; i < KEYS; i += 2) ck_assert_uint_eq(here->slots[100 + i], ~before[i]);
  collect(false);
  for (size_t i = 0; i < KEYS; i += 2) {
    EXPECT(here->slots[100 + i] != ~before[i], "key %zu has not moved", i);
    EXPECT_LEAF((const void *)here->slots[100 + i], 40, i);
  }
  world_close(here);
}
END_TEST

/* ---- marking ---- */

static void keep_more(midden_marking *marking, void *object, uint16_t kind, void *context) {
  (void)context, (void)kind;
  if ((uintptr_t)object == state.here.slots[0]) ck_assert_int_eq(midden_marking_mark(marking, &state.companion), MIDDEN_OK);
  if ((uintptr_t)object == state.here.slots[1]) ck_assert_int_eq(midden_marking_keep(marking, ~state.kept), MIDDEN_OK);
  ck_assert_int_eq(midden_marking_keep(marking, immediate(5)), MIDDEN_OK);
  ck_assert_int_eq(midden_marking_pin(marking, immediate(5)), MIDDEN_OK);
}

/* A list that is known by a slot of the host's, and one by a hidden address, live with the leaves that are hit. */
START_TEST(marks_more) {
  for (int mark_first = 0; mark_first < 2; mark_first++) {
    open_state(_i, mark_first);
    world *here = &state.here;
    for (size_t i = 0; i < 2; i++) {
      here->slots[i] = (uintptr_t)world_leaf(here, 40, i);
      make_ambiguous(2 * i, here->slots[i]);
    }
    if (mark_first) {
      make_ambiguous(1, here->slots[1]);
      state.ambiguous[2] = 0;
    }
    world_list(here, 10, LIST);
    world_list(here, 11, LIST + 1);
    state.companion = here->slots[10];
    state.kept = ~here->slots[11];
    ck_assert_int_eq(midden_hit_add(here->heap, keep_more, &state), MIDDEN_OK);
    here->slots[10] = here->slots[11] = 0;
    for (int round = 0; round < 4; round++) {
      collect(round % 2);
      uintptr_t kept = ~state.kept;
      ck_assert_ptr_eq(midden_object_at(here->heap, (void *)kept), (void *)kept);
      here->slots[12] = state.companion;
      here->slots[13] = kept;
      world_list_check(here, 12, LIST);
      world_list_check(here, 13, LIST + 1);
      here->slots[12] = here->slots[13] = 0;
    }
    world_close(here);
  }
}
END_TEST

/* Pins and marks at random, on what lives and what does not, while everything else is compared. */
static uint64_t hit_random;

static void meddle(midden_marking *marking, void *object, uint16_t kind, void *context) {
  world *here = context;
  (void)object, (void)kind;
  for (int i = 0; i < 6; i++) {
    uintptr_t target = here->slots[200 + test_random_below(&hit_random, 400)];
    switch (test_random_below(&hit_random, 3)) {
      case 0: ck_assert_int_eq(midden_marking_pin(marking, target), MIDDEN_OK); break;
      case 1: ck_assert_int_eq(midden_marking_keep(marking, target), MIDDEN_OK); break;
      default: state.companion = target; ck_assert_int_eq(midden_marking_mark(marking, &state.companion), MIDDEN_OK);
    }
  }
}

START_TEST(at_random) {
  for (int mark_first = 0; mark_first < 2; mark_first++) {
    open_state(_i, mark_first);
    world *here = &state.here;
    size_t steps = world_count(here, 1200, 120);
    static uint64_t seeds[400];
    memset(seeds, 0, sizeof seeds);
    hit_random = 17;
    ck_assert_int_eq(midden_hit_add(here->heap, meddle, here), MIDDEN_OK);
    for (size_t step = 1; step <= steps; step++) {
      size_t i = test_random_below(&hit_random, 400), size = 16 + seeds[i] % 5 * 8;
      if (here->slots[200 + i]) EXPECT_LEAF((const void *)((pair *)here->slots[200 + i])->car, size, seeds[i]);
      if (step % 7 == 0) {
        here->slots[200 + i] = 0;
        continue;
      }
      seeds[i] = step;
      here->slots[200 + i] = (uintptr_t)world_pair(here);
      uintptr_t leaf = (uintptr_t)world_leaf(here, 16 + step % 5 * 8, step);
      pair *object = (pair *)here->slots[200 + i];
      midden_store_word(here->mutator, object, &object->car, leaf);
      state.ambiguous[step % COUNT] = here->slots[200 + test_random_below(&hit_random, 400)];
      if (step % 50 == 0) collect(step % 100 == 0);
    }
    for (size_t i = 0; i < 400; i++) {
      if (here->slots[200 + i]) EXPECT_LEAF((const void *)((pair *)here->slots[200 + i])->car, 16 + seeds[i] % 5 * 8, seeds[i]);
    }
    world_close(here);
  }
}
END_TEST

/* ---- what is refused ---- */

static void misbehave(midden_marking *marking, void *object, uint16_t kind, void *context) {
  world *here = context;
  (void)marking, (void)kind;
  state.calls++;
  EXPECT(midden_alloc(here->mutator, here->pair) == NULL, "a hit function could allocate");
  EXPECT(midden_last_status(here->mutator) == MIDDEN_MISUSE, "allocating in a hit function is no misuse");
  EXPECT(midden_collect(here->mutator, MIDDEN_FULL) == MIDDEN_MISUSE, "a hit function could collect");
  EXPECT(midden_pin(here->mutator, object) == MIDDEN_MISUSE, "a hit function could pin for good");
  EXPECT(midden_root_add(here->heap, &state.companion) == MIDDEN_MISUSE, "a hit function could register");
  EXPECT(midden_hit_add(here->heap, misbehave, here) == MIDDEN_MISUSE, "a hit function could add another");
  EXPECT(midden_hit_remove(here->heap, misbehave, here) == MIDDEN_MISUSE, "a hit function could remove itself");
}

START_TEST(misuse_and_removing) {
  open_state(_i, false);
  world *here = &state.here;
  ck_assert_int_eq(midden_hit_add(here->heap, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_hit_add(NULL, misbehave, NULL), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_hit_remove(here->heap, misbehave, here), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_hit_add(here->heap, misbehave, here), MIDDEN_OK);
  ck_assert_int_eq(midden_hit_add(here->heap, count_hits, &state), MIDDEN_OK);
  here->slots[0] = (uintptr_t)world_leaf(here, 40, 0);
  state.ambiguous[0] = here->slots[0];
  state.calls = state.told[0] = 0;
  collect(false);
  ck_assert_uint_eq(state.told[0], here->combination->collects);
  ck_assert_uint_ge(state.calls, 2 * here->combination->collects);
  ck_assert_int_eq(midden_hit_remove(here->heap, misbehave, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_hit_remove(here->heap, misbehave, here), MIDDEN_OK);
  ck_assert_int_eq(midden_hit_remove(here->heap, count_hits, &state), MIDDEN_OK);
  state.calls = 0;
  collect(false);
  ck_assert_uint_eq(state.calls, 0);
  world_close(here);
}
END_TEST

/* What is pinned by other means is no hit. */
START_TEST(other_pins_are_no_hits) {
  open_state(_i, false);
  world *here = &state.here;
  here->slots[0] = (uintptr_t)world_leaf(here, 40, 0);
  ck_assert_int_eq(midden_pin(here->mutator, (void *)here->slots[0]), MIDDEN_OK);
  ck_assert_int_eq(midden_hit_add(here->heap, count_hits, &state), MIDDEN_OK);
  collect(false);
  ck_assert_uint_eq(state.calls, 0);
  state.ambiguous[0] = here->slots[0]; /* it is pinned already, and hit too */
  collect(false);
  ck_assert_uint_eq(state.told[0], 1);
  world_close(here);
}
END_TEST

/* A word on the C stack is one. */
START_TEST(words_on_the_stack) {
  open_state(_i, false);
  world *here = &state.here;
  ck_assert_int_eq(midden_hit_add(here->heap, count_hits, &state), MIDDEN_OK);
  here->slots[3] = (uintptr_t)world_leaf(here, 40, 3);
  void *volatile local = (void *)here->slots[3];
  collect(false);
  ck_assert_uint_eq(state.told[3], 1);
  ck_assert_ptr_eq(local, (void *)here->slots[3]);
  world_close(here);
}
END_TEST

/* With stack=pinning it is none: what it hits is not known to be alive. A word of a range that hits the same is one as ever. */
START_TEST(words_on_a_stack_that_only_pins) {
  for (int mark_first = 0; mark_first < 2; mark_first++) {
    open_state(_i, mark_first);
    world *here = &state.here;
    ck_assert_int_eq(midden_hit_add(here->heap, count_hits, &state), MIDDEN_OK);
    for (size_t i = 0; i < 4; i++) here->slots[i] = (uintptr_t)world_leaf(here, 40 + 8 * i, i);
    void *volatile locals[4], *volatile dead = world_leaf(here, 200, 5);
    for (size_t i = 0; i < 4; i++) locals[i] = (void *)here->slots[i];
    make_ambiguous(1, here->slots[1]); /* with mark_first, by an object that is marked after the stack was scanned */
    state.ambiguous[2] = here->slots[2] + 8;
    for (int round = 0; round < 4; round++) {
      memset(state.told, 0, sizeof state.told);
      state.others = 0;
      collect(round % 2 && !mark_first); /* a minor one looks at no old object */
      for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(state.told[i], i == 1 || i == 2);
        ck_assert_uint_eq((uintptr_t)locals[i], here->slots[i]);
      }
      ck_assert_uint_eq(state.others, 0);
    }
    ck_assert_ptr_nonnull(dead);
    world_close(here);
  }
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {once_for_each_object, ANYWHERE},
      {pins_that_do_not_mark, ANYWHERE},
      {pins_end_with_the_collection, EVACUATING | PRECISE | CALM},
      {marks_more, COLLECTING},
      {at_random, ANYWHERE},
      {misuse_and_removing, ANYWHERE},
      {other_pins_are_no_hits, COLLECTING | PRECISE | CALM},
      {words_on_the_stack, COLLECTING | CONSERVATIVE | CALM},
      {words_on_a_stack_that_only_pins, COLLECTING | PINNING | CALM},
  };
  return run_combinations("conformance_hits", tests, COUNT_OF(tests));
}
