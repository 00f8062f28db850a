/* Conformance: tagged references. Which words are references is the configuration's choice: low tags,
 * high bits as in NaN boxes, or both. Tags survive a move; words that do not match are left alone. */
#include <string.h>

#include "harness.h"

enum { TARGET_BYTES = 40, WORDS = 64, ROUNDS = 3 };

#define NAN_MASK UINT64_C(0xffff000000000000)
#define NAN_MATCH UINT64_C(0xfffc000000000000)

static midden_kind define_all(world *here) {
  midden_kind kind = midden_kind_define(
      here->heap, &(midden_shape){.name = "tagged", .size = WORDS * 8, .refs = MIDDEN_REFS_ALL}, NULL);
  ck_assert_uint_ne(kind.id, 0);
  return kind;
}

static bool is_reference(const midden_references *references, uintptr_t word) {
  return (references->low_tags >> (word & 7) & 1) != 0 && (word & references->high_mask) == references->high_match;
}

static uintptr_t strip(const midden_references *references, uintptr_t word) {
  return word & ~(uintptr_t)references->high_mask & ~(uintptr_t)7;
}

/* An object of WORDS words: word i is a new target's address with low tag i % 8; the high bits are the
 * match in three of four, and nothing in the others. Those that are references must stay so, with their
 * tags, and lead to their targets; the others must not change. */
static void check_tags(int index, midden_references references) {
  world here;
  midden_config config = combination_config(index);
  config.references = references;
  world_open_config(&here, index, &config);
  midden_kind kind = define_all(&here);
  uintptr_t written[WORDS];
  midden_word *object = midden_alloc(here.mutator, kind);
  ck_assert_ptr_nonnull(object);
  /* The root itself is a tagged word. */
  uintptr_t low = 0;
  while (!(references.low_tags >> low & 1)) low++;
  here.slots[0] = (uintptr_t)object | low | references.high_match;
  for (size_t i = 0; i < WORDS; i++) {
    void *target = world_leaf(&here, TARGET_BYTES, i);
    object = (midden_word *)strip(&references, here.slots[0]);
    written[i] = (uintptr_t)target | i % 8 | (i / 8 % 4 == 3 ? 0 : references.high_match);
    midden_store_word(here.mutator, object, &object[i], written[i]);
  }
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 30);
    world_collect(&here);
    ck_assert_uint_eq(here.slots[0] - strip(&references, here.slots[0]), low | references.high_match);
    object = (midden_word *)strip(&references, here.slots[0]);
    for (size_t i = 0; i < WORDS; i++) {
      if (!is_reference(&references, written[i])) {
        ck_assert_msg(object[i] == written[i], "word %zu is no reference but was changed", i);
        continue;
      }
      uintptr_t address = strip(&references, object[i]);
      ck_assert_uint_eq(object[i] - address, written[i] - strip(&references, written[i]));
      ck_assert_msg(leaf_is((const void *)address, TARGET_BYTES, i), "target %zu is gone", i);
    }
  }
  size_t expected = 1;
  for (size_t i = 0; i < WORDS; i++) expected += is_reference(&references, written[i]);
  if (here.combination->collects && here.config.stack == MIDDEN_STACK_PRECISE)
    ck_assert_uint_eq(world_statistics(&here).live_objects, expected);
  world_close(&here);
}

START_TEST(default_tags) { check_tags(_i, (midden_references){1, 0, 0}); }
END_TEST
START_TEST(one_other_low_tag) { check_tags(_i, (midden_references){1 << 5, 0, 0}); }
END_TEST
START_TEST(several_low_tags) { check_tags(_i, (midden_references){1 << 1 | 1 << 3 | 1 << 7, 0, 0}); }
END_TEST
START_TEST(all_low_tags) { check_tags(_i, (midden_references){0xff, 0, 0}); }
END_TEST
START_TEST(nan_boxes) { check_tags(_i, (midden_references){1, NAN_MASK, NAN_MATCH}); }
END_TEST
START_TEST(nan_boxes_with_low_tags) { check_tags(_i, (midden_references){1 << 0 | 1 << 2, NAN_MASK, NAN_MATCH}); }
END_TEST
START_TEST(high_zero_bits) { check_tags(_i, (midden_references){1, NAN_MASK, 0}); }
END_TEST

/* Frames, handles, single roots and scanners take tagged words too. */
static void scan_one(midden_visitor *visitor, void *context) { midden_visit(visitor, context); }

START_TEST(tagged_words_in_every_root) {
  world here;
  midden_config config = combination_config(_i);
  config.references = (midden_references){1 << 3, NAN_MASK, NAN_MATCH};
  world_open_config(&here, _i, &config);
  static midden_word single, scanned;
  midden_word local = 0;
  ck_assert_int_eq(midden_root_add(here.heap, &single), MIDDEN_OK);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan_one, &scanned), MIDDEN_OK);
  MIDDEN_FRAME(here.mutator, local);
  midden_scope scope = midden_scope_open(here.mutator);
  const uintptr_t tag = 3 | NAN_MATCH;
  single = (uintptr_t)world_leaf(&here, TARGET_BYTES, 1) | tag;
  scanned = (uintptr_t)world_leaf(&here, TARGET_BYTES, 2) | tag;
  local = (uintptr_t)world_leaf(&here, TARGET_BYTES, 3) | tag;
  midden_handle handle =
      midden_handle_new(here.mutator, (void *)((uintptr_t)world_leaf(&here, TARGET_BYTES, 4) | tag));
  ck_assert_ptr_nonnull(handle);
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 40);
    world_collect(&here);
    const uintptr_t words[] = {single, scanned, local, *handle};
    for (size_t i = 0; i < COUNT_OF(words); i++) {
      ck_assert_uint_eq(words[i] & (NAN_MASK | 7), tag);
      EXPECT_LEAF((const void *)(words[i] & ~(uintptr_t)(NAN_MASK | 7)), TARGET_BYTES, i + 1);
    }
  }
  midden_scope_close(here.mutator, scope);
  MIDDEN_END(here.mutator);
  ck_assert_int_eq(midden_root_remove(here.heap, &single), MIDDEN_OK);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan_one, &scanned), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* A word that is a reference by its tags is one for ambiguous roots too, high bits and all. */
START_TEST(tagged_words_are_ambiguous_hits) {
  world here;
  midden_config config = combination_config(_i);
  config.references = (midden_references){1 << 0 | 1 << 3, NAN_MASK, NAN_MATCH};
  world_open_config(&here, _i, &config);
  static midden_word words[4];
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, words, COUNT_OF(words)), MIDDEN_OK);
  for (size_t i = 0; i < COUNT_OF(words); i++) {
    uintptr_t target = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
    words[i] = target | (i & 1 ? 3 : 0) | (i & 2 ? NAN_MATCH : 0);
  }
  for (int round = 0; round < ROUNDS; round++) {
    world_churn(&here, 40);
    world_collect(&here);
    for (size_t i = 0; i < COUNT_OF(words); i++)
      ck_assert_msg(leaf_is((const void *)(words[i] & ~(uintptr_t)(NAN_MASK | 7)), TARGET_BYTES, i),
                    "word %zu: target is gone", i);
  }
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_OK);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {default_tags, ANYWHERE},
      {one_other_low_tag, ANYWHERE},
      {several_low_tags, ANYWHERE},
      {all_low_tags, ANYWHERE},
      {nan_boxes, ANYWHERE},
      {nan_boxes_with_low_tags, ANYWHERE},
      {high_zero_bits, ANYWHERE},
      {tagged_words_in_every_root, ANYWHERE},
      {tagged_words_are_ambiguous_hits, ANYWHERE},
  };
  return run_combinations("tags", tests, COUNT_OF(tests));
}
