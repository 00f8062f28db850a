/* Conformance: size. Objects with pages of their own, a million-element vector, a million-long list, wide
 * and deep graphs: nothing here may recurse in the tracer, and large objects never move. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static void disturb(world *here) {
  world_churn(here, 20);
  world_collect(here);
}

START_TEST(large_leaves_stay) {
  world here;
  world_open(&here, _i, NULL);
  enum { COUNT = 24 };
  uintptr_t addresses[COUNT];
  size_t sizes[COUNT];
  for (size_t i = 0; i < COUNT; i++) {
    sizes[i] = 32769 + i * i * 1777;
    addresses[i] = here.slots[i] = (uintptr_t)world_leaf(&here, sizes[i], i);
    ck_assert_uint_eq(midden_size_of(here.heap, (void *)addresses[i]) % 8192, 0);
  }
  for (int round = 0; round < 3; round++) {
    for (size_t i = (size_t)round; i < COUNT; i += 4) here.slots[i] = 0;
    disturb(&here);
    for (size_t i = 0; i < COUNT; i++) {
      if (here.slots[i] == 0) continue;
      ck_assert_uint_eq(here.slots[i], addresses[i]);
      EXPECT_LEAF((void *)here.slots[i], sizes[i], i);
    }
  }
  world_close(&here);
}
END_TEST

/* Interior words far from the start of a large object, in its last byte and just past it. */
START_TEST(large_objects_by_interior_words) {
  world here;
  world_open(&here, _i, NULL);
  static midden_word words[4];
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, words, 4), MIDDEN_OK);
  const size_t size = 25 * 8192;
  static const size_t offsets[] = {8192, 12 * 8192 + 77, 25 * 8192 - 1, 25 * 8192};
  for (size_t i = 0; i < 4; i++) words[i] = (uintptr_t)world_leaf(&here, size, i) + offsets[i];
  for (int round = 0; round < 2; round++) {
    disturb(&here);
    for (size_t i = 0; i < 4; i++)
      ck_assert_msg(leaf_is((void *)(words[i] - offsets[i]), size, i), "offset %zu", offsets[i]);
  }
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* A kind of fixed size may be large: every layout, both ways of allocating. */
START_TEST(large_kinds_of_fixed_size) {
  world here;
  world_open(&here, _i, NULL);
  const midden_shape shapes[] = {
      {.name = "all", .size = 40000, .refs = MIDDEN_REFS_ALL},
      {.name = "bitmap", .size = 50000, .refs = MIDDEN_REFS_BITMAP, .bitmap = UINT64_C(0x8000000000000001)},
      {.name = "none", .size = 60000},
  };
  for (size_t s = 0; s < COUNT_OF(shapes); s++) {
    midden_kind kind = midden_kind_define(here.heap, &shapes[s], NULL);
    ck_assert_uint_ne(kind.id, 0);
    for (size_t i = 0; i < 6; i++) {
      midden_word *object =
          i % 2 ? midden_alloc(here.mutator, kind) : midden_alloc_sized(here.mutator, kind, shapes[s].size - i);
      ck_assert_ptr_nonnull(object);
      ck_assert_uint_eq(midden_kind_of(here.heap, object), kind.id);
      ck_assert_uint_ge(midden_size_of(here.heap, object), shapes[s].size);
      for (size_t w = 0; w < shapes[s].size / 8; w++) EXPECT(object[w] == 0, "word %zu of a new object", w);
      here.slots[i] = (uintptr_t)object;
      void *target = world_leaf(&here, 40, i);
      midden_store(here.mutator, object, &object[63], target);
    }
    disturb(&here);
    for (size_t i = 0; i < 6 && shapes[s].refs != MIDDEN_REFS_NONE; i++)
      EXPECT_LEAF((const void *)((midden_word *)here.slots[i])[63], 40, i);
  }
  world_close(&here);
}
END_TEST

/* Pages of dead large objects serve new ones, of other sizes too. */
START_TEST(large_pages_are_reused) {
  world here;
  world_open(&here, _i, "heap-limit=16M");
  uint64_t random = 1, seeds[8];
  size_t sizes[8];
  size_t rounds = world_count(&here, 1500, 60);
  for (size_t i = 0; i < rounds; i++) {
    size_t size = 40000 + test_random_below(&random, 400000);
    size_t slot = i % 8;
    here.slots[slot] = 0;
    here.slots[slot] = (uintptr_t)world_leaf(&here, size, i);
    sizes[slot] = size;
    seeds[slot] = i;
    for (size_t k = 0; i % 7 == 0 && k < 8; k++)
      if (here.slots[k] != 0) EXPECT_LEAF((void *)here.slots[k], sizes[k], seeds[k]);
  }
  world_close(&here);
}
END_TEST

START_TEST(vector_of_a_million) {
  world here;
  world_open(&here, _i, NULL);
  const size_t length = 1000000;
  here.slots[0] = (uintptr_t)world_vector(&here, length);
  uintptr_t address = here.slots[0];
  for (size_t i = 0; i < length; i++) {
    pair *cell = world_pair(&here);
    midden_store_word(here.mutator, cell, &cell->car, immediate(i));
    vector *all = (vector *)here.slots[0];
    midden_store(here.mutator, all, &all->elements[i], cell);
  }
  for (int round = 0; round < 2; round++) {
    world_collect(&here);
    ck_assert_uint_eq(here.slots[0], address);
    const vector *all = (const vector *)address;
    ck_assert_uint_eq(all->length, length);
    for (size_t i = 0; i < length; i++) {
      const pair *cell = (const pair *)all->elements[i];
      EXPECT(cell->car == immediate(i), "element %zu is %#zx", i, (size_t)cell->car);
    }
  }
  if (here.combination->collects && here.config.stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).live_objects, length + 1);
  world_close(&here);
}
END_TEST

START_TEST(list_of_a_million) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 1000000);
  for (int round = 0; round < 2; round++) {
    world_collect(&here);
    world_list_check(&here, 0, 1000000);
  }
  world_close(&here);
}
END_TEST

/* The list through the first word, which an eager tracer follows first. */
START_TEST(list_through_the_car) {
  world here;
  world_open(&here, _i, NULL);
  const size_t length = 300000;
  for (size_t i = 0; i < length; i++) {
    pair *cell = world_pair(&here);
    midden_store_word(here.mutator, cell, &cell->cdr, immediate(i));
    midden_store_word(here.mutator, cell, &cell->car, here.slots[0]);
    here.slots[0] = (uintptr_t)cell;
  }
  disturb(&here);
  const pair *cell = (const pair *)here.slots[0];
  for (size_t i = length; i-- > 0; cell = (const pair *)cell->car)
    EXPECT(cell->cdr == immediate(i), "cell %zu is %#zx", i, (size_t)cell->cdr);
  ck_assert_ptr_null(cell);
  world_close(&here);
}
END_TEST

/* Many vectors that each refer to all objects of a set: far more edges than objects. */
START_TEST(many_edges_to_few_objects) {
  world here;
  world_open(&here, _i, NULL);
  size_t side = world_count(&here, 400, 60);
  for (size_t i = 0; i < side; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 32, i);
  for (size_t i = 0; i < side; i++) {
    vector *row = world_vector(&here, side);
    here.slots[1000 + i] = (uintptr_t)row;
    for (size_t k = 0; k < side; k++) midden_store_word(here.mutator, row, &row->elements[k], here.slots[k]);
  }
  disturb(&here);
  for (size_t i = 0; i < side; i++)
    for (size_t k = 0; k < side; k++)
      EXPECT(((vector *)here.slots[1000 + i])->elements[k] == here.slots[k], "row %zu, edge %zu", i, k);
  for (size_t k = 0; k < side; k++) EXPECT_LEAF((void *)here.slots[k], 32, k);
  world_close(&here);
}
END_TEST

/* Cycles: a ring, a node that refers to itself, and a doubly linked ring of vectors. */
START_TEST(cycles) {
  world here;
  world_open(&here, _i, NULL);
  size_t length = world_count(&here, 5000, 100);
  world_list(&here, 0, length);
  pair *last = (pair *)here.slots[0];
  while (last->cdr != 0) last = (pair *)last->cdr;
  midden_store_word(here.mutator, last, &last->cdr, here.slots[0]);
  pair *self = world_pair(&here);
  midden_store(here.mutator, self, &self->car, self);
  midden_store(here.mutator, self, &self->cdr, self);
  here.slots[1] = (uintptr_t)self;
  for (int round = 0; round < 3; round++) {
    disturb(&here);
    const pair *cell = (const pair *)here.slots[0];
    for (size_t i = 0; i < 2 * length; i++, cell = (const pair *)cell->cdr)
      EXPECT(cell->car == immediate(i % length), "cell %zu", i);
    ck_assert_uint_eq((uintptr_t)cell, here.slots[0]);
    ck_assert_uint_eq(((pair *)here.slots[1])->car, here.slots[1]);
    ck_assert_uint_eq(((pair *)here.slots[1])->cdr, here.slots[1]);
  }
  here.slots[0] = here.slots[1] = 0;
  stack_wipe();
  world_collect(&here);
  if (here.combination->collects && here.config.stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).live_objects, 0);
  world_close(&here);
}
END_TEST

/* A complete binary tree, built depth first with the unfinished part in rooted slots. */
static uintptr_t tree(world *here, size_t depth, uintptr_t *next) {
  size_t left = 2 * depth + 10, right = left + 1;
  if (depth == 0) return immediate((*next)++);
  here->slots[left] = tree(here, depth - 1, next);
  here->slots[right] = tree(here, depth - 1, next);
  pair *node = world_pair(here);
  midden_store_word(here->mutator, node, &node->car, here->slots[left]);
  midden_store_word(here->mutator, node, &node->cdr, here->slots[right]);
  here->slots[left] = here->slots[right] = 0;
  return (uintptr_t)node;
}

static void check_tree(uintptr_t word, size_t depth, uintptr_t *next) {
  if (depth == 0) {
    EXPECT(word == immediate(*next), "leaf %zu of the tree", (size_t)*next);
    (*next)++;
    return;
  }
  const pair *node = (const pair *)word;
  EXPECT(node != NULL, "the tree ends early");
  check_tree(node->car, depth - 1, next);
  check_tree(node->cdr, depth - 1, next);
}

START_TEST(trees) {
  world here;
  world_open(&here, _i, NULL);
  size_t depth = world_count(&here, 16, 7);
  uintptr_t next = 0, seen = 0;
  here.slots[0] = tree(&here, depth, &next);
  disturb(&here);
  check_tree(here.slots[0], depth, &seen);
  ck_assert_uint_eq(seen, next);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {large_leaves_stay, ANYWHERE},
      {large_objects_by_interior_words, ANYWHERE},
      {large_kinds_of_fixed_size, ANYWHERE},
      {large_pages_are_reused, COLLECTING},
      {vector_of_a_million, CALM | ONE_GENERATION},
      {list_of_a_million, CALM},
      {list_through_the_car, CALM | ONE_GENERATION},
      {many_edges_to_few_objects, ANYWHERE},
      {cycles, ANYWHERE},
      {trees, ANYWHERE},
  };
  return run_combinations("large", tests, COUNT_OF(tests));
}
