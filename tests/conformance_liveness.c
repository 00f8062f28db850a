/* Conformance: what a host does with dead objects and at the end of marking. on_free is called once for each dead
 * object, with its content intact; phase functions see what is marked, mark more, and pin without marking. */
#include <string.h>

#include "harness.h"

enum { COUNT = 60, TARGET_BYTES = 40, BIG = 40000 };

/* A native thing: its number, which on_free counts. */
typedef struct native {
  uintptr_t number, check;
  midden_word other;
} native;

static unsigned freed[2][4 * COUNT + 1]; /* by kind and number */

static void count_free(void *object, size_t size, void *context) {
  const native *dead = object;
  EXPECT(size >= sizeof(native), "on_free with %zu bytes", size);
  if (dead->number == 0) return; /* allocated and never written */
  EXPECT(dead->number <= 4 * COUNT && dead->check == ~dead->number, "on_free of an object with number %#zx", dead->number);
  ++*((unsigned *)context + dead->number);
}

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

static bool exact(const world *here) {
  return here->combination->stack == MIDDEN_STACK_PRECISE && here->combination->collects;
}

static void make_native(world *here, midden_kind kind, size_t slot, size_t number) {
  native *made = midden_alloc_sized(here->mutator, kind, number % 7 == 6 ? BIG : sizeof(native));
  ck_assert_ptr_nonnull(made);
  made->number = number;
  made->check = ~number;
  here->slots[slot] = (uintptr_t)made;
}

static void drop(world *here, size_t first, size_t count) {
  memset(&here->slots[first], 0, count * sizeof here->slots[0]);
  stack_wipe();
}

/* Leaves and traced kinds; small, large; dropped in parts, by minor and full collections and at the end. */
START_TEST(on_free_once_for_each) {
  world here;
  world_open(&here, _i, NULL);
  memset(freed, 0, sizeof freed);
  const midden_kind kinds[] = {
      define(&here, &(midden_shape){.name = "leaf with on_free", .on_free = count_free, .on_free_context = freed[0]}),
      define(&here, &(midden_shape){.name = "with on_free", .refs = MIDDEN_REFS_BITMAP, .bitmap = 4,
                                    .on_free = count_free, .on_free_context = freed[1]})};
  for (size_t round = 0; round < 4; round++) {
    for (size_t i = 0; i < COUNT; i++) {
      for (size_t k = 0; k < 2; k++) make_native(&here, kinds[k], 2 * i + k, round * COUNT + i + 1);
      world_leaf(&here, TARGET_BYTES, i);
      native *holder = (native *)here.slots[2 * i + 1];
      midden_store_word(here.mutator, holder, &holder->other, here.slots[2 * i]);
    }
    for (size_t i = 0; i < COUNT; i += 2) here.slots[2 * i] = 0; /* held by the other kind's object */
    drop(&here, COUNT, COUNT / 2);
    if (here.combination->collects) midden_collect(here.mutator, round % 2 ? MIDDEN_FULL : MIDDEN_MINOR);
    for (size_t i = 0; i < COUNT; i++)
      for (size_t k = 0; k < 2; k++) {
        const native *kept = (const native *)here.slots[2 * i + k];
        if (kept) EXPECT(kept->check == ~kept->number && freed[k][kept->number] == 0, "%zu is freed and alive", i);
      }
    world_collect(&here);
    size_t number = round * COUNT + COUNT / 2 + 2, dead = COUNT + 2;
    if (exact(&here)) EXPECT(freed[1][number] == 1, "number %zu (slot %zu) is dead and not freed", number, dead);
  }
  uint64_t calls = world_statistics(&here).on_free_calls;
  if (here.combination->collects && exact(&here)) ck_assert_uint_gt(calls, 3 * COUNT);
  if (!here.combination->collects) ck_assert_uint_eq(calls, 0);
  world_close(&here);
  for (size_t k = 0; k < 2; k++)
    for (size_t i = 1; i <= 4 * COUNT; i++) EXPECT(freed[k][i] == 1, "number %zu of kind %zu freed %u times", i, k, freed[k][i]);
}
END_TEST

static void misbehave(void *object, size_t size, void *context) {
  world *here = context;
  (void)size;
  EXPECT(midden_alloc(here->mutator, here->pair) == NULL, "on_free could allocate");
  EXPECT(midden_collect(here->mutator, MIDDEN_FULL) == MIDDEN_MISUSE, "on_free could collect");
  EXPECT(midden_finalizer_add(here->mutator, object, NULL, NULL) == MIDDEN_MISUSE, "on_free could register");
}

START_TEST(on_free_cannot_use_the_heap) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define(&here, &(midden_shape){.name = "x", .on_free = misbehave, .on_free_context = &here});
  for (size_t i = 0; i < 5; i++) midden_alloc_sized(here.mutator, kind, 64);
  world_collect(&here);
  midden_alloc_sized(here.mutator, kind, 64);
  world_close(&here);
}
END_TEST

/* ---- phases ---- */

/* The host's own list of objects, which it keeps by an odd rule: those whose number is even are kept. */
static struct odd {
  world *here;
  midden_word words[COUNT];
  size_t count;
  bool pins;
  uintptr_t pinned_at, unmarked;
  size_t calls[2], marked_at_end;
} odd;

static void end_of_marking(midden_marking *marking, midden_phase phase, void *context) {
  struct odd *state = context;
  state->calls[phase]++;
  ck_assert_int_eq(midden_collect(state->here->mutator, MIDDEN_FULL), MIDDEN_MISUSE);
  if (phase == MIDDEN_SWEEPING_BEGINS) {
    state->marked_at_end = 0;
    for (size_t i = 0; i < state->count; i++) {
      if (midden_marking_is_marked(marking, state->words[i])) {
        state->marked_at_end++;
      } else {
        state->words[i] = 0;
      }
    }
    ck_assert_int_eq(midden_marking_mark(marking, &state->words[0]), MIDDEN_MISUSE);
    ck_assert_int_eq(midden_marking_pin(marking, state->words[0]), MIDDEN_MISUSE);
    return;
  }
  ck_assert(midden_marking_is_marked(marking, immediate(3)));
  if (state->pins) {
    ck_assert_int_eq(midden_marking_pin(marking, state->pinned_at), MIDDEN_OK);
    ck_assert_int_eq(midden_marking_pin(marking, state->unmarked), MIDDEN_OK);
  } else {
    ck_assert_int_eq(midden_marking_pin(marking, state->words[0]), MIDDEN_MISUSE);
  }
  for (size_t i = 0; i < state->count; i += 2) {
    ck_assert_int_eq(midden_marking_mark(marking, &state->words[i]), MIDDEN_OK);
    EXPECT(midden_marking_is_marked(marking, state->words[i]), "what was marked is not");
  }
}

/* Lists that only the host's rule keeps, with an ephemeron whose key it keeps, and a weak slot to each. */
START_TEST(the_host_ends_marking) {
  for (int pins = 0; pins < 2; pins++) {
    world here;
    world_open(&here, _i, NULL);
    odd = (struct odd){.here = &here, .pins = pins};
    static midden_word weak[COUNT];
    midden_kind table = define(&here, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS});
    ck_assert_int_eq(midden_phase_add(here.heap, end_of_marking, &odd, pins), MIDDEN_OK);
    here.slots[COUNT] = (uintptr_t)midden_alloc_sized(here.mutator, table, 4 * COUNT * sizeof(midden_word));
    for (size_t i = 0; i < COUNT; i++) {
      world_leaf(&here, TARGET_BYTES, 1);
      world_list(&here, i, 5);
    }
    world_leaf(&here, TARGET_BYTES, 2);
    here.slots[3000] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 3000);
    void *value = world_leaf(&here, TARGET_BYTES, 99);
    midden_word *entry = (midden_word *)here.slots[COUNT];
    midden_store_word(here.mutator, entry, &entry[0], here.slots[4]);
    midden_store(here.mutator, entry, &entry[1], value);
    odd.pinned_at = here.slots[3000];
    here.slots[3001] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 7);
    pair *dead = world_pair(&here); /* should its pin keep it, then with a reference to nothing */
    midden_store_word(here.mutator, dead, &dead->car, here.slots[3001]);
    odd.unmarked = (uintptr_t)dead;
    here.slots[3001] = 0;
    if (pins && here.combination->stress != MIDDEN_STRESS_OFF) odd.unmarked = odd.pinned_at; /* it is gone already */
    memcpy(odd.words, here.slots, sizeof odd.words);
    memcpy(weak, here.slots, sizeof weak);
    for (size_t i = 0; i < COUNT; i++) midden_weak_add(here.heap, &weak[i], MIDDEN_WEAK_SHORT);
    odd.count = COUNT;
    drop(&here, 0, COUNT);
    world_collect(&here);
    if (here.combination->collects) ck_assert_uint_gt(odd.calls[MIDDEN_MARKING_ENDS], 0);
    ck_assert_uint_eq(odd.calls[MIDDEN_MARKING_ENDS], odd.calls[MIDDEN_SWEEPING_BEGINS]);
    if (exact(&here)) ck_assert_uint_eq(odd.marked_at_end, COUNT / 2);
    if (pins) {
      ck_assert_uint_eq(here.slots[3000], odd.pinned_at);
      odd.unmarked = odd.pinned_at;
    }
    for (size_t i = 0; i < COUNT; i += 2) {
      EXPECT(weak[i] == odd.words[i], "weak slot %zu and the host's disagree", i);
      here.slots[i] = odd.words[i];
      world_list_check(&here, i, 5);
    }
    if (exact(&here)) for (size_t i = 1; i < COUNT; i += 2) EXPECT(weak[i] == 0, "weak slot %zu is not cleared", i);
    entry = (midden_word *)here.slots[COUNT];
    ck_assert_uint_eq(entry[0], odd.words[4]);
    EXPECT_LEAF((const void *)entry[1], TARGET_BYTES, 99);
    ck_assert_int_eq(midden_phase_remove(here.heap, end_of_marking, NULL), MIDDEN_BAD_ARGUMENT);
    ck_assert_int_eq(midden_phase_remove(here.heap, end_of_marking, &odd), MIDDEN_OK);
    size_t calls = odd.calls[0];
    world_collect(&here);
    ck_assert_uint_eq(odd.calls[0], calls);
    for (size_t i = 0; i < COUNT; i++) midden_weak_remove(here.heap, &weak[i]);
    world_close(&here);
  }
}
END_TEST

static void note_minor(midden_marking *marking, midden_phase phase, void *context) {
  bool *minor = context;
  minor[phase] = midden_marking_is_minor(marking);
}

/* In both moments, and not only as it was asked for: without generations all are full. */
START_TEST(a_phase_knows_what_is_collected) {
  world here;
  world_open(&here, _i, NULL);
  bool minor[2], generational = here.combination->generational;
  ck_assert_int_eq(midden_phase_add(here.heap, note_minor, minor, false), MIDDEN_OK);
  for (int round = 0; round < 3; round++) {
    world_leaf(&here, TARGET_BYTES, 1);
    minor[0] = minor[1] = !generational;
    ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
    ck_assert(minor[MIDDEN_MARKING_ENDS] == generational && minor[MIDDEN_SWEEPING_BEGINS] == generational);
    minor[0] = minor[1] = true;
    ck_assert_int_eq(midden_collect(here.mutator, round % 2 ? MIDDEN_PACED : MIDDEN_FULL), MIDDEN_OK);
    ck_assert(!minor[MIDDEN_MARKING_ENDS] && !minor[MIDDEN_SWEEPING_BEGINS]);
  }
  ck_assert_int_eq(midden_phase_remove(here.heap, note_minor, minor), MIDDEN_OK);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {on_free_once_for_each, ANYWHERE},
      {on_free_cannot_use_the_heap, ANYWHERE},
      {the_host_ends_marking, ANYWHERE},
      {a_phase_knows_what_is_collected, COLLECTING},
  };
  return run_combinations("conformance_liveness", tests, COUNT_OF(tests));
}
