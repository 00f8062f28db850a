/* Conformance: table-driven layouts. In each, references keep their objects alive and are rewritten when
 * those move, and every other word, also one that looks like an address, comes back bit for bit. */
#include <string.h>

#include "harness.h"

enum { TARGET_BYTES = 48, ROUNDS = 3 };

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

/* Fills `words` words of the object in slots[slot]: where is_reference says so, a new target leaf with
 * content `word number`; elsewhere the address of a live object, which is a lie. Expectations of the
 * latter go to `decoys`. */
typedef bool (*reference_test)(size_t word);

static void plant(world *here, size_t slot, size_t first, size_t words, reference_test is_reference, uintptr_t *decoys) {
  for (size_t i = first; i < words; i++) {
    if (i % 3 == 0) world_leaf(here, TARGET_BYTES, 0); /* gaps, so that compaction moves what follows */
    void *target = world_leaf(here, TARGET_BYTES, i);
    midden_word *object = (midden_word *)here->slots[slot];
    if (is_reference(i)) {
      midden_store(here->mutator, object, &object[i], target);
    } else {
      decoys[i] = object[i] = (uintptr_t)target;
    }
  }
}

static void inspect(world *here, size_t slot, size_t first, size_t words, reference_test is_reference,
                    const uintptr_t *decoys) {
  const midden_word *object = (const midden_word *)here->slots[slot];
  for (size_t i = first; i < words; i++) {
    if (is_reference(i)) {
      const void *target = (const void *)object[i];
      EXPECT(midden_object_at(here->heap, target) == target, "word %zu does not point to an object", i);
      EXPECT(leaf_is(target, TARGET_BYTES, i), "the target of word %zu lost its content", i);
    } else {
      EXPECT(object[i] == decoys[i], "word %zu is no reference but was changed", i);
    }
  }
}

static void plant_and_inspect(world *here, size_t first, size_t words, reference_test is_reference) {
  static uintptr_t decoys[20000];
  ck_assert_uint_le(words, COUNT_OF(decoys));
  plant(here, 0, first, words, is_reference, decoys);
  for (int round = 0; round < ROUNDS; round++) {
    inspect(here, 0, first, words, is_reference, decoys);
    world_churn(here, 40);
    world_collect(here);
  }
  inspect(here, 0, first, words, is_reference, decoys);
}

static bool every_word(size_t word) { (void)word; return true; }
static bool no_word(size_t word) { (void)word; return false; }

START_TEST(layout_none_is_never_traced) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, here.leaf, 400);
  plant_and_inspect(&here, 0, 50, no_word);
  world_close(&here);
}
END_TEST

START_TEST(layout_all) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind all = define(&here, &(midden_shape){.name = "all", .refs = MIDDEN_REFS_ALL});
  static const size_t sizes[] = {1, 2, 3, 13, 100, 5000};
  for (size_t i = 0; i < COUNT_OF(sizes); i++) {
    if (here.combination->stress != MIDDEN_STRESS_OFF && sizes[i] > 1000) continue;
    here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, all, sizes[i] * sizeof(midden_word));
    plant_and_inspect(&here, 0, sizes[i], every_word);
  }
  world_close(&here);
}
END_TEST

/* An immediate whose low bits are not in low_tags is no reference, also when the rest is an address. */
START_TEST(layout_all_leaves_immediates) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind all = define(&here, &(midden_shape){.name = "all", .size = 80, .refs = MIDDEN_REFS_ALL});
  here.slots[0] = (uintptr_t)midden_alloc(here.mutator, all);
  here.slots[1] = (uintptr_t)world_leaf(&here, TARGET_BYTES, 0);
  midden_word *object = (midden_word *)here.slots[0];
  uintptr_t expected[8];
  for (size_t tag = 1; tag < 8; tag++) expected[tag] = object[tag] = here.slots[1] | tag;
  midden_store_word(here.mutator, object, &object[8], here.slots[1]);
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 20);
    world_collect(&here);
    object = (midden_word *)here.slots[0];
    for (size_t tag = 1; tag < 8; tag++) ck_assert_uint_eq(object[tag], expected[tag]);
    ck_assert_uint_eq(object[8], here.slots[1]);
  }
  world_close(&here);
}
END_TEST

static bool bitmap_word(size_t word) { return word < 64 && (UINT64_C(0x8000000100000a0a) >> word & 1) != 0; }

START_TEST(layout_bitmap) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind fixed = define(&here, &(midden_shape){.name = "fixed", .size = 70 * 8, .refs = MIDDEN_REFS_BITMAP,
                                                    .bitmap = UINT64_C(0x8000000100000a0a)});
  midden_kind variable = define(&here, &(midden_shape){.name = "variable", .refs = MIDDEN_REFS_BITMAP,
                                                       .bitmap = UINT64_C(0x8000000100000a0a)});
  here.slots[0] = (uintptr_t)midden_alloc(here.mutator, fixed);
  plant_and_inspect(&here, 0, 70, bitmap_word);
  static const size_t words[] = {1, 2, 4, 10, 11, 63, 64, 65, 200};
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, variable, words[i] * 8);
    plant_and_inspect(&here, 0, words[i], bitmap_word);
  }
  world_close(&here);
}
END_TEST

/* Bits past .size are ignored, so a small object does not make the tracer read its neighbour. */
START_TEST(layout_bitmap_past_the_size) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind wide = define(&here, &(midden_shape){.name = "wide", .size = 16, .refs = MIDDEN_REFS_BITMAP,
                                                   .bitmap = ~UINT64_C(0)});
  size_t count = world_count(&here, 2000, 100);
  for (size_t i = 0; i < count; i++) {
    void *target = world_leaf(&here, TARGET_BYTES, i);
    here.slots[count] = (uintptr_t)target;
    midden_word *object = midden_alloc(here.mutator, wide);
    ck_assert_ptr_nonnull(object);
    here.slots[i] = (uintptr_t)object;
    midden_store_word(here.mutator, object, &object[1], here.slots[count]);
    here.slots[count] = 0;
  }
  world_collect(&here);
  for (size_t i = 0; i < count; i++) {
    const midden_word *object = (const midden_word *)here.slots[i];
    ck_assert_uint_eq(object[0], 0);
    EXPECT_LEAF((const void *)object[1], TARGET_BYTES, i);
  }
  world_close(&here);
}
END_TEST

/* Fixed part of three words, the middle one a reference; elements of three words, the outer ones. */
static bool element_word(size_t word) { return word < 3 ? word == 1 : (word - 3) % 3 != 1; }

START_TEST(layout_elements) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind table = define(&here, &(midden_shape){.name = "table", .size = 24, .refs = MIDDEN_REFS_ELEMENTS,
                                                    .bitmap = 2, .element_size = 24, .element_bitmap = 5});
  static const size_t counts[] = {0, 1, 2, 5, 21, 100, 1700};
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    if (here.combination->stress != MIDDEN_STRESS_OFF && counts[i] > 1000) continue;
    here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, table, 24 + counts[i] * 24);
    plant_and_inspect(&here, 0, 3 + counts[i] * 3, element_word);
  }
  world_close(&here);
}
END_TEST

static bool wide_element_word(size_t word) { return word % 64 == 63 || word % 64 == 0; }

/* The same when every word of an element is a reference: large ones are traced in portions, and their
 * fixed part is not. */
static bool slot_tail_word(size_t word) { return word < 3 ? word == 1 : true; }

START_TEST(layout_elements_that_are_all_references) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind table = define(&here, &(midden_shape){.name = "table", .size = 24, .refs = MIDDEN_REFS_ELEMENTS,
                                                    .bitmap = 2, .element_size = 16, .element_bitmap = 3});
  static const size_t counts[] = {0, 3, 40, 2100};
  for (size_t i = 0; i < COUNT_OF(counts); i++) {
    if (here.combination->stress != MIDDEN_STRESS_OFF && counts[i] > 1000) continue;
    here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, table, 24 + counts[i] * 16);
    plant_and_inspect(&here, 0, 3 + counts[i] * 2, slot_tail_word);
  }
  /* A large one in which only the fixed part refers to anything: also under stress. */
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, table, 24 + 2100 * 16);
  plant_and_inspect(&here, 0, 3, slot_tail_word);
  world_close(&here);
}
END_TEST

START_TEST(layout_elements_without_a_fixed_part) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind narrow = define(&here, &(midden_shape){.name = "narrow", .refs = MIDDEN_REFS_ELEMENTS,
                                                     .element_size = 8, .element_bitmap = 1});
  midden_kind widest = define(&here, &(midden_shape){.name = "widest", .refs = MIDDEN_REFS_ELEMENTS,
                                                     .element_size = 512, .element_bitmap = UINT64_C(0x8000000000000001)});
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, narrow, 9 * 8);
  plant_and_inspect(&here, 0, 9, every_word);
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, widest, 512 * 3);
  plant_and_inspect(&here, 0, 64 * 3, wide_element_word);
  world_close(&here);
}
END_TEST

/* Forty kinds, four layouts, one size: cells of one size class never mix, and an object keeps its kind. */
START_TEST(many_kinds_of_one_size) {
  world here;
  world_open(&here, _i, NULL);
  static midden_kind kinds[40];
  static char names[40][16];
  for (size_t k = 0; k < COUNT_OF(kinds); k++) {
    memcpy(names[k], (char[]){'k', (char)('a' + k / 10), (char)('0' + k % 10), 0}, 4);
    midden_shape shape = {.name = names[k], .size = 64, .refs = MIDDEN_REFS_BITMAP, .bitmap = UINT64_C(1) << k % 8};
    kinds[k] = define(&here, &shape);
  }
  size_t count = world_count(&here, WORLD_SLOTS, 200);
  for (size_t i = 0; i < count; i++) {
    midden_word *object = midden_alloc(here.mutator, kinds[i % 40]);
    ck_assert_ptr_nonnull(object);
    for (size_t w = 0; w < 8; w++) /* seven of the eight are lies */
      midden_store_word(here.mutator, object, &object[w], here.slots[i / 2]);
    here.slots[i] = (uintptr_t)object;
  }
  world_churn(&here, 30);
  world_collect(&here);
  for (size_t i = 0; i < count; i++) {
    const midden_word *object = (const midden_word *)here.slots[i];
    ck_assert_uint_eq(midden_kind_of(here.heap, object), kinds[i % 40].id);
    ck_assert_str_eq(midden_kind_name(here.heap, midden_kind_id_of(here.mutator, object)), names[i % 40]);
    if (i > 1) ck_assert_uint_eq(object[i % 40 % 8], here.slots[i / 2]);
  }
  world_close(&here);
}
END_TEST

/* Words of a leaf keep nothing alive. Precise, so that nothing else does either. */
START_TEST(a_leaf_keeps_nothing) {
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, here.leaf, 800);
  for (size_t i = 0; i < 100; i++) {
    void *dropped = world_leaf(&here, TARGET_BYTES, i);
    ((midden_word *)here.slots[0])[i] = (uintptr_t)dropped;
  }
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).live_objects, 1);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {layout_none_is_never_traced, ANYWHERE},
      {layout_all, ANYWHERE},
      {layout_all_leaves_immediates, ANYWHERE},
      {layout_bitmap, ANYWHERE},
      {layout_bitmap_past_the_size, ANYWHERE},
      {layout_elements, ANYWHERE},
      {layout_elements_that_are_all_references, ANYWHERE},
      {layout_elements_without_a_fixed_part, ANYWHERE},
      {many_kinds_of_one_size, ANYWHERE},
      {a_leaf_keeps_nothing, PRECISE | COLLECTING},
  };
  return run_combinations("kinds", tests, COUNT_OF(tests));
}
