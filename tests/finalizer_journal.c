/* Objects with finalizers that keep a journal: see finalizer_journal.h. */
#include "finalizer_journal.h"

#include <string.h>

struct journal journal;

size_t journal_times(size_t number) {
  size_t times = 0;
  for (size_t i = 0; i < journal.count; i++) times += journal.numbers[i] == number;
  return times;
}

size_t journal_place(size_t number) {
  for (size_t i = 0; i < journal.count; i++)
    if (journal.numbers[i] == number) return i;
  return SIZE_MAX;
}

void journal_finalize(midden_mutator *mutator, void *object, void *context) {
  thing *dead = object;
  world *here = journal.here;
  ck_assert_ptr_eq(context, &journal);
  ck_assert_ptr_eq(mutator, here->mutator);
  MIDDEN_FRAME(mutator, dead);
  EXPECT(midden_object_at(here->heap, dead) == dead, "a finalizer got no object");
  size_t number = dead->number >> 3;
  EXPECT(number < COUNT, "a finalizer got number %#zx", (size_t)dead->number);
  EXPECT_LEAF((const void *)dead->leaf, TARGET_BYTES, number);
  world_churn(here, 3); /* it may allocate, and so collect */
  EXPECT(dead->number >> 3 == number, "the object is gone while its finalizer runs");
  EXPECT_LEAF((const void *)dead->leaf, TARGET_BYTES, number);
  journal.numbers[journal.count++] = number;
  if (journal.keeps) here->slots[2000 + number] = (uintptr_t)dead;
  if (journal.again) ck_assert_int_eq(midden_finalizer_add(mutator, dead, journal_finalize, &journal), MIDDEN_OK);
  MIDDEN_END(mutator);
}

void journal_begin(world *here, int index, const char *options) {
  world_open(here, index, options);
  journal = (struct journal){.here = here};
}

midden_kind journal_define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

midden_kind journal_define_thing(world *here) {
  return journal_define(here, &(midden_shape){.name = "thing", .refs = MIDDEN_REFS_ALL});
}

thing *journal_make(world *here, midden_kind kind, size_t number) {
  size_t size = number % 10 == 9 ? BIG : sizeof(thing);
  world_leaf(here, TARGET_BYTES, 0);
  here->slots[number] = (uintptr_t)midden_alloc_sized(here->mutator, kind, size);
  ck_assert_uint_ne(here->slots[number], 0);
  ((thing *)here->slots[number])->number = immediate(number);
  void *leaf = world_leaf(here, TARGET_BYTES, number);
  thing *made = (thing *)here->slots[number];
  midden_store(here->mutator, made, &made->leaf, leaf);
  return made;
}

void journal_make_all(world *here, midden_kind kind, size_t count) {
  for (size_t i = 0; i < count; i++) journal_make(here, kind, i);
}

void journal_link(world *here, size_t from, size_t to) {
  thing *object = (thing *)here->slots[from];
  midden_store_word(here->mutator, object, object->next ? &object->other : &object->next, here->slots[to]);
}

void journal_drop(world *here, size_t first, size_t count) {
  memset(&here->slots[first], 0, count * sizeof here->slots[0]);
  stack_wipe();
}

bool journal_exact(const world *here) {
  return here->combination->stack == MIDDEN_STACK_PRECISE && here->combination->collects;
}

void journal_run_all(world *here) {
  size_t waiting = midden_finalizers_waiting(here->heap);
  ck_assert_uint_eq(midden_finalizers_run(here->mutator, waiting), waiting);
}
