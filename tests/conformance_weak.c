/* Conformance: weak slots and weak references in objects. What is reachable stays and is followed when it moves; what
 * is not is cleared, in the slot and nowhere else. */
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

enum { COUNT = 60, TARGET_BYTES = 40, ROUNDS = 3 };

static midden_word weak_slots[COUNT];

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

/* Whether each unreachable object is sure to be found dead. */
static bool exact(const world *here) { return here->combination->stack == MIDDEN_STACK_PRECISE; }

/* Leaves in the rooted slots from `first` on; gaps between them, so that compaction moves some. */
static void make_leaves(world *here, size_t first, size_t count) {
  for (size_t i = 0; i < count; i++) {
    world_leaf(here, TARGET_BYTES, 0);
    here->slots[first + i] = (uintptr_t)world_leaf(here, TARGET_BYTES, first + i);
  }
}

/* A weak word that was set to the leaf of slot `index`. `rooted`: the slot still holds it. post: whether cleared. */
static bool check_weak(const world *here, midden_word word, size_t index, bool rooted, uint64_t cleared) {
  if (rooted) {
    EXPECT(word == here->slots[index], "weak %zu is %#zx and its object at %#zx", index, (size_t)word,
           (size_t)here->slots[index]);
  } else if (word != cleared) {
    EXPECT(!exact(here) || !here->combination->collects, "weak %zu is %#zx, and its object dead", index, (size_t)word);
    EXPECT(midden_object_at(here->heap, (void *)word) == (void *)word, "weak %zu leads to nothing", index);
  }
  if (word != cleared) EXPECT_LEAF((const void *)word, TARGET_BYTES, index);
  return word == cleared;
}

static void drop(world *here, size_t first, size_t count) {
  memset(&here->slots[first], 0, count * sizeof here->slots[0]);
  stack_wipe();
}

START_TEST(slots_clear_and_follow) {
  world here;
  world_open(&here, _i, NULL);
  make_leaves(&here, 0, COUNT);
  for (size_t i = 0; i < COUNT; i++) {
    weak_slots[i] = here.slots[i];
    ck_assert_int_eq(midden_weak_add(here.heap, &weak_slots[i], i % 3 ? MIDDEN_WEAK_SHORT : MIDDEN_WEAK_LONG), MIDDEN_OK);
  }
  size_t cleared = 0;
  for (size_t dropped = 0; dropped < COUNT; dropped += COUNT / 6) {
    world_collect(&here);
    cleared = 0;
    for (size_t i = 0; i < COUNT; i++) cleared += check_weak(&here, weak_slots[i], i, i >= dropped, 0);
    drop(&here, dropped, COUNT / 6);
    world_churn(&here, 20);
  }
  world_collect(&here);
  if (here.combination->collects) ck_assert_uint_gt(cleared, COUNT / 2);
  ck_assert_uint_ge(world_statistics(&here).weak_cleared, cleared);
  for (size_t i = 0; i < COUNT; i++) ck_assert_int_eq(midden_weak_remove(here.heap, &weak_slots[i]), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Any word may stand in a weak slot; a removed one is not touched any more. */
START_TEST(slots_are_added_and_removed) {
  world here;
  world_open(&here, _i, NULL);
  static midden_word slots[512];
  static bool registered[COUNT_OF(slots)];
  uint64_t random = 11;
  make_leaves(&here, 0, 1);
  memset(registered, 0, sizeof registered);
  for (size_t i = 0; i < 5000; i++) {
    size_t at = test_random_below(&random, COUNT_OF(slots));
    if (registered[at]) {
      ck_assert_int_eq(midden_weak_remove(here.heap, &slots[at]), MIDDEN_OK);
      slots[at] = (uintptr_t)&slots[at];
    } else {
      EXPECT(midden_weak_remove(here.heap, &slots[at]) == MIDDEN_BAD_ARGUMENT, "slot %zu was not there", at);
      slots[at] = at % 2 ? immediate(at) : here.slots[0];
      EXPECT(midden_weak_add(here.heap, &slots[at], MIDDEN_WEAK_SHORT) == MIDDEN_OK, "slot %zu", at);
      EXPECT(midden_weak_add(here.heap, &slots[at], MIDDEN_WEAK_LONG) == MIDDEN_OK, "slot %zu again", at);
    }
    registered[at] = !registered[at];
    if (i % 500 == 0) world_collect(&here);
  }
  world_collect(&here);
  for (size_t at = 0; at < COUNT_OF(slots); at++) {
    midden_word wanted = !registered[at] ? slots[at] : at % 2 ? immediate(at) : here.slots[0];
    EXPECT(slots[at] == wanted, "slot %zu is %#zx", at, (size_t)slots[at]);
  }
  for (size_t at = 0; at < COUNT_OF(slots); at++) {
    EXPECT(midden_weak_remove(here.heap, &slots[at]) == (registered[at] ? MIDDEN_OK : MIDDEN_BAD_ARGUMENT), "slot %zu", at);
  }
  ck_assert_int_eq(midden_weak_add(here.heap, NULL, MIDDEN_WEAK_SHORT), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_weak_add(here.heap, (char *)slots + 1, MIDDEN_WEAK_SHORT), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_weak_add(here.heap, slots, (midden_weak)2), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_weak_add(NULL, slots, MIDDEN_WEAK_LONG), MIDDEN_MISUSE);
  world_close(&here);
}
END_TEST

/* A host object whose words are weak or strong as its first word says. */
static void trace_by_mode(void *object, size_t size, midden_visitor *visitor, void *context) {
  midden_word *words = object;
  (void)context;
  for (size_t i = 1; i < size / sizeof *words; i++) {
    if (words[0] == immediate(0)) midden_visit(visitor, &words[i]);
    else midden_visit_weak(visitor, &words[i], words[0] == immediate(1) ? MIDDEN_WEAK_SHORT : MIDDEN_WEAK_LONG);
  }
}

enum { HOLDER = 100, HOLDER_WORDS = 8, HOLDERS = 7 };

/* What of each holder's words is weak: bit i, word i. */
static const uint64_t holder_weak[HOLDERS] = {0xfc, 0xf6, 0xff, 0xfe, 0, 0xfe, 0xff};

static midden_kind define_holder(world *here, size_t which) {
  static const midden_shape shapes[HOLDERS] = {
      {.name = "fixed part", .refs = MIDDEN_REFS_WEAK, .size = 16, .bitmap = 3},
      {.name = "mixed part", .refs = MIDDEN_REFS_WEAK, .size = 64, .bitmap = 9, .weak_bitmap = 0xf6},
      {.name = "all weak", .refs = MIDDEN_REFS_WEAK},
      {.name = "traced", .refs = MIDDEN_REFS_TRACE, .trace = trace_by_mode},
      {.name = "traced", .refs = MIDDEN_REFS_TRACE, .trace = trace_by_mode},
      {.name = "traced", .refs = MIDDEN_REFS_TRACE, .trace = trace_by_mode},
      {.name = "long", .refs = MIDDEN_REFS_WEAK, .weak = MIDDEN_WEAK_LONG},
  };
  return define(here, &shapes[which]);
}

static void fill_holders(world *here) {
  for (size_t h = 0; h < HOLDERS; h++) {
    midden_word *holder = (midden_word *)here->slots[HOLDER + h];
    midden_word words[HOLDER_WORDS];
    memcpy(words, &here->slots[h * HOLDER_WORDS], sizeof words);
    if (h >= 3 && h <= 5) words[0] = immediate(h == 4 ? 0 : h == 3 ? 1 : 2);
    memcpy(holder, words, sizeof words);
    midden_written(here->mutator, holder, holder, HOLDER_WORDS);
  }
}

static void check_holders(const world *here, bool rooted, bool minor) {
  for (size_t h = 0; h < HOLDERS; h++) {
    const midden_word *holder = (const midden_word *)here->slots[HOLDER + h];
    for (size_t i = 0; i < HOLDER_WORDS; i++) {
      size_t target = h * HOLDER_WORDS + i;
      if (h >= 3 && h <= 5 && i == 0) continue;
      if (holder_weak[h] >> i & 1) {
        if (minor && holder[i] != 0) EXPECT_LEAF((const void *)holder[i], TARGET_BYTES, target);
        else check_weak(here, holder[i], target, rooted, 0);
      } else {
        EXPECT_LEAF((const void *)holder[i], TARGET_BYTES, target);
      }
    }
  }
}

/* Weak references inside objects, old and young, strong ones beside them. */
START_TEST(weak_objects) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kinds[HOLDERS];
  for (size_t h = 0; h < HOLDERS; h++) kinds[h] = define_holder(&here, h);
  for (size_t round = 0; round < ROUNDS; round++) {
    for (size_t h = 0; h < HOLDERS; h++) {
      here.slots[HOLDER + h] = (uintptr_t)midden_alloc_sized(here.mutator, kinds[h], HOLDER_WORDS * sizeof(midden_word));
      ck_assert_uint_ne(here.slots[HOLDER + h], 0);
    }
    if (round % 2) world_collect(&here); /* old holders, young targets */
    make_leaves(&here, 0, HOLDERS * HOLDER_WORDS);
    fill_holders(&here);
    world_collect(&here);
    check_holders(&here, true, false);
    drop(&here, 0, HOLDERS * HOLDER_WORDS);
    world_collect(&here);
    check_holders(&here, false, false);
    world_churn(&here, 20);
    check_holders(&here, false, false);
  }
  world_close(&here);
}
END_TEST

/* Nothing but the weak slot and a weak array refer to it. */
enum { TARGET = 2 * HOLDER_WORDS };

/* A minor collection clears what was young, and may leave what was old, for the next full one. */
START_TEST(minor_collections) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t h = 0; h < HOLDERS; h++) {
    midden_kind kind = define_holder(&here, h);
    here.slots[HOLDER + h] = (uintptr_t)midden_alloc_sized(here.mutator, kind, HOLDER_WORDS * sizeof(midden_word));
  }
  ck_assert_int_eq(midden_weak_add(here.heap, &weak_slots[0], MIDDEN_WEAK_SHORT), MIDDEN_OK);
  for (size_t round = 0; round < 2 * ROUNDS; round++) {
    make_leaves(&here, 0, HOLDERS * HOLDER_WORDS);
    fill_holders(&here);
    weak_slots[0] = here.slots[TARGET];
    bool calm = here.combination->stress == MIDDEN_STRESS_OFF; /* else what is new may be old before it is dropped */
    if (round % 2) ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
    check_holders(&here, true, false);
    ck_assert_uint_eq(weak_slots[0], here.slots[TARGET]);
    drop(&here, 0, HOLDERS * HOLDER_WORDS);
    ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
    check_holders(&here, false, round % 2 || !calm);
    if (round % 2 == 0 && calm) check_weak(&here, weak_slots[0], TARGET, false, 0);
    world_collect(&here);
    check_holders(&here, false, false);
    check_weak(&here, weak_slots[0], TARGET, false, 0);
  }
  ck_assert_int_eq(midden_weak_remove(here.heap, &weak_slots[0]), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Large arrays of weak references, to objects of which some are large or pinned. */
START_TEST(large_weak_arrays) {
  world here;
  world_open(&here, _i, NULL);
  const size_t length = world_count(&here, 20000, 5000);
  midden_kind weak = define(&here, &(midden_shape){.name = "weak array", .refs = MIDDEN_REFS_WEAK});
  midden_kind pinned = define(&here, &(midden_shape){.name = "pinned", .flags = MIDDEN_KIND_PINNED});
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, weak, length * sizeof(midden_word));
  ck_assert_uint_ne(here.slots[0], 0);
  for (size_t i = 0; i < 60; i++) {
    void *target = i % 10 == 0  ? world_leaf(&here, 50000, i)
                   : i % 3 == 0 ? midden_alloc_sized(here.mutator, pinned, 64)
                                : world_leaf(&here, 64, i);
    leaf_fill(target, 64, i);
    here.slots[1 + i] = (uintptr_t)target;
    midden_word *array = (midden_word *)here.slots[0];
    for (size_t k = i; k < length; k += 60) midden_store(here.mutator, array, &array[k], target);
  }
  for (size_t kept = 60;; kept /= 2) {
    world_collect(&here);
    const midden_word *array = (const midden_word *)here.slots[0];
    for (size_t k = 0; k < length; k++) {
      size_t i = k % 60;
      if (i < kept) EXPECT(array[k] == here.slots[1 + i], "element %zu", k);
      else if (exact(&here) && here.combination->collects) EXPECT(array[k] == 0, "element %zu", k);
      if (array[k]) EXPECT_LEAF((const void *)array[k], 64, i);
    }
    if (kept == 0) break;
    drop(&here, 1 + kept / 2, 60 - kept / 2);
  }
  world_close(&here);
}
END_TEST

static void scan_weakly(midden_visitor *visitor, void *context) {
  midden_word *words = context;
  for (size_t i = 0; i < COUNT; i++) midden_visit_weak(visitor, &words[i], i % 2 ? MIDDEN_WEAK_SHORT : MIDDEN_WEAK_LONG);
}

/* A scanner's slots may be weak: a host's own weak table, with tagged words and a cleared word of its own. */
START_TEST(scanners_with_tags_and_a_tombstone) {
  world here;
  midden_config config = combination_config(_i);
  const midden_word tombstone = 0x7ff;
  config.references.low_tags = 1 << 0 | 1 << 2;
  config.cleared = tombstone;
  world_open_config(&here, _i, &config);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan_weakly, weak_slots), MIDDEN_OK);
  make_leaves(&here, 0, COUNT);
  for (size_t i = 0; i < COUNT; i++) weak_slots[i] = here.slots[i] + i % 2 * 2;
  world_collect(&here);
  for (size_t i = 0; i < COUNT; i++) check_weak(&here, weak_slots[i] - i % 2 * 2, i, true, 0);
  drop(&here, COUNT / 2, COUNT / 2);
  world_collect(&here);
  for (size_t i = 0; i < COUNT; i++) {
    bool gone = weak_slots[i] == tombstone;
    check_weak(&here, gone ? tombstone : weak_slots[i] - i % 2 * 2, i, i < COUNT / 2, tombstone);
  }
  memset(weak_slots, 0, sizeof weak_slots);
  world_close(&here);
}
END_TEST

/* Memory for noting weak references is refused: they are taken for strong in that collection, and counted. */
START_TEST(without_memory) {
  world here;
  static counting_memory memory;
  midden_config config = combination_config(_i);
  counting_memory_open(&memory);
  config.memory = &memory.face;
  world_open_config(&here, _i, &config);
  midden_kind weak = define(&here, &(midden_shape){.name = "weak", .refs = MIDDEN_REFS_WEAK});
  make_leaves(&here, 0, COUNT);
  here.slots[COUNT] = (uintptr_t)midden_alloc_sized(here.mutator, weak, COUNT * sizeof(midden_word));
  midden_word *object = (midden_word *)here.slots[COUNT];
  ck_assert_ptr_nonnull(object);
  memcpy(object, here.slots, COUNT * sizeof(midden_word));
  midden_written(here.mutator, object, object, COUNT);
  drop(&here, 0, COUNT);
  counting_memory_fail(&memory, 1, true);
  midden_status status = midden_collect(here.mutator, MIDDEN_FULL);
  ck_assert(status == MIDDEN_OK);
  counting_memory_heal(&memory);
  object = (midden_word *)here.slots[COUNT];
  size_t kept = 0;
  for (size_t i = 0; i < COUNT; i++) {
    kept += object[i] != 0;
    if (object[i]) EXPECT_LEAF((const void *)object[i], TARGET_BYTES, i);
  }
  ck_assert_uint_ge(kept, exact(&here) ? 0 : 1);
  if (here.combination->stress == MIDDEN_STRESS_OFF) {
    ck_assert_uint_eq(kept, COUNT);
    ck_assert_uint_eq(world_statistics(&here).weak_kept, COUNT);
  }
  world_collect(&here);
  object = (midden_word *)here.slots[COUNT];
  for (size_t i = 0; i < COUNT; i++) check_weak(&here, object[i], i, false, 0);
  world_close(&here);
  ck_assert_uint_eq(memory.violations, 0);
  ck_assert_uint_eq(memory.reservations, 0);
}
END_TEST

START_TEST(cleared_words_and_shapes_are_checked) {
  midden_config config = combination_config(_i);
  midden_heap *heap;
  midden_error error;
  config.cleared = 0x123456780;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_BAD_ARGUMENT);
  config.cleared = 0x123456781;
  ck_assert_int_eq(midden_heap_open(&config, &heap, &error), MIDDEN_OK);
  const midden_shape wrong[] = {
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_ALL, .weak_bitmap = 1},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_WEAK, .bitmap = 1, .weak_bitmap = 3},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_BITMAP, .bitmap = 1, .weak = MIDDEN_WEAK_LONG},
      {.name = "x", .size = 16, .refs = MIDDEN_REFS_WEAK, .pairs = MIDDEN_PAIRS_WEAK_BOTH},
      {.name = "x", .refs = MIDDEN_REFS_PAIRS, .pairs = (midden_pairs)3},
      {.name = "x", .refs = MIDDEN_REFS_WEAK, .weak = (midden_weak)2},
      {.name = "x", .size = 12, .refs = MIDDEN_REFS_PAIRS},
      {.name = "x", .refs = MIDDEN_REFS_WEAK, .element_size = 8},
      {.name = "x", .refs = (midden_layout)(MIDDEN_REFS_PAIRS + 1)},
  };
  for (size_t i = 0; i < COUNT_OF(wrong); i++) {
    ck_assert_uint_eq(midden_kind_define(heap, &wrong[i], &error).id, 0);
    ck_assert_int_eq(error.status, MIDDEN_BAD_ARGUMENT);
  }
  ck_assert_int_eq(midden_heap_close(heap), MIDDEN_OK);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {slots_clear_and_follow, ANYWHERE},
      {slots_are_added_and_removed, ANYWHERE},
      {weak_objects, ANYWHERE},
      {minor_collections, GENERATIONAL},
      {large_weak_arrays, MILD},
      {scanners_with_tags_and_a_tombstone, ANYWHERE},
      {without_memory, COLLECTING},
      {cleared_words_and_shapes_are_checked, CALM},
  };
  return run_combinations("conformance_weak", tests, COUNT_OF(tests));
}
