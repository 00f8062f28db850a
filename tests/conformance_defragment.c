/* midden_defragment: the heap gets smaller under any collector, in slices; objects stay what they are, and what is
 * pinned stays where it is. */
#include <string.h>

#include "harness.h"

enum { OBJECTS = 3600, KEEP = 9, BUDGET = 20000, SPAN_MOST = 64 << 10 };

/* One call. post: whether there is more to do. */
static bool defragment(world *here, size_t budget) {
  bool more = false;
  uint64_t before = world_statistics(here).bytes_moved;
  midden_status status = midden_defragment(here->mutator, budget, &more);
  EXPECT(status == MIDDEN_OK, "%s: %s", here->combination->name, midden_status_name(status));
  size_t moved = (size_t)(world_statistics(here).bytes_moved - before);
  EXPECT(budget > 0 || moved == 0, "%zu bytes moved without a budget", moved);
  EXPECT(moved <= budget || moved <= SPAN_MOST, "%zu bytes moved, of %zu allowed", moved, budget);
  return more;
}

/* As many calls as it takes. post: how many. */
static size_t defragment_all(world *here, size_t budget) {
  size_t calls = 1;
  while (defragment(here, budget)) EXPECT(++calls < 5000, "it does not end");
  return calls;
}

static size_t leaf_size(size_t i) { return 16 + i % 5 * 24; }

/* Of every KEEP objects one stays in its slot: leaves of five sizes, pairs that hold a neighbour, and some vectors. */
static size_t shred(world *here) {
  size_t count = world_count(here, OBJECTS, 400), kept = 0;
  for (size_t i = 0; i < count * KEEP; i++) {
    void *leaf = world_leaf(here, leaf_size(i / KEEP), i / KEEP);
    if (i % KEEP != 0) continue;
    here->slots[kept] = (uintptr_t)leaf;
    if (kept % 3 == 1) {
      pair *cell = world_pair(here);
      midden_store_word(here->mutator, cell, &cell->car, here->slots[kept]);
      midden_store_word(here->mutator, cell, &cell->cdr, here->slots[kept - 1]);
      here->slots[kept] = (uintptr_t)cell;
      for (int garbage = 0; garbage < KEEP; garbage++) world_pair(here);
    }
    kept++;
  }
  stack_wipe();
  return kept;
}

static void check_shredded(const world *here, size_t kept) {
  for (size_t i = 0; i < kept; i++) {
    const void *leaf = (const void *)here->slots[i];
    if (i % 3 == 1) {
      const pair *cell = leaf;
      leaf = (const void *)cell->car;
      EXPECT(cell->cdr == here->slots[i - 1], "pair %zu does not hold its neighbour", i);
    }
    EXPECT(leaf_is(leaf, leaf_size(i), i), "leaf %zu", i);
  }
}

static bool exact(const world *here) { return here->combination->stack == MIDDEN_STACK_PRECISE; }

START_TEST(smaller_and_intact) {
  world here;
  world_open(&here, _i, "heap-initial=64M,nursery=64M");
  size_t kept = shred(&here);
  ck_assert_int_eq(midden_heap_use(here.heap, "mark-sweep", NULL), MIDDEN_OK); /* leaves the gaps as they are */
  world_collect(&here);
  ck_assert_int_eq(midden_heap_use(here.heap, here.combination->collector, NULL), MIDDEN_OK);
  midden_statistics before = world_statistics(&here);
  uint64_t epoch = midden_moved_epoch(here.mutator);
  stack_wipe();
  defragment_all(&here, SIZE_MAX);
  midden_trim(here.heap);
  midden_statistics after = world_statistics(&here);
  check_shredded(&here, kept);
  world_verify(&here);
  ck_assert_uint_le(after.live_bytes, before.live_bytes);
  ck_assert_uint_le(after.span_bytes, before.span_bytes);
  if (here.combination->stress == MIDDEN_STRESS_OFF) {
    ck_assert_uint_gt(after.objects_moved, before.objects_moved);
    ck_assert_uint_gt(after.spans_emptied, 0);
    ck_assert_uint_ne(midden_moved_epoch(here.mutator), epoch);
    EXPECT(after.span_bytes < before.span_bytes / 2, "%zu bytes of spans before, %zu after", before.span_bytes, after.span_bytes);
  }
  if (here.combination->stress == MIDDEN_STRESS_OFF && exact(&here)) {
    EXPECT(after.span_bytes * 10 < after.live_bytes * 13, "%zu bytes of spans for %zu that live", after.span_bytes, after.live_bytes);
  }
  world_churn(&here, 500); /* what came free is used again, and reads zero: world_pair relies on it */
  for (size_t i = 0; i < 200; i++) EXPECT(world_pair(&here)->car == 0, "a new pair does not read zero");
  world_collect(&here);
  check_shredded(&here, kept);
  world_close(&here);
}
END_TEST

/* Slices come to the same end as one call, and without a budget nothing moves, but is found. */
START_TEST(in_slices) {
  world here;
  world_open(&here, _i, "heap-initial=64M,nursery=64M");
  size_t kept = shred(&here);
  ck_assert_int_eq(midden_heap_use(here.heap, "mark-sweep", NULL), MIDDEN_OK);
  uint64_t moved = world_statistics(&here).objects_moved;
  bool more = defragment(&here, 0);
  ck_assert_uint_eq(world_statistics(&here).objects_moved, moved);
  size_t calls = defragment_all(&here, BUDGET);
  if (here.combination->stress == MIDDEN_STRESS_OFF) {
    ck_assert(more);
    ck_assert_uint_gt(calls, 3);
  }
  size_t spans = world_statistics(&here).span_bytes;
  stack_wipe();
  ck_assert(!defragment(&here, SIZE_MAX) || !exact(&here));
  if (exact(&here)) ck_assert_uint_eq(world_statistics(&here).span_bytes, spans);
  check_shredded(&here, kept);
  ck_assert_int_eq(midden_defragment(here.mutator, 1, NULL), MIDDEN_OK); /* nobody need ask whether there is more */
  world_close(&here);
}
END_TEST

static void visit_held(midden_visitor *visitor, void *context) { midden_visit_pinned(visitor, *(void **)context); }

/* Pins, a pinned kind, a scanner's pin, large objects and blocks: where they were. */
START_TEST(pinned_ones_stay) {
  world here;
  enum { PINS = 12 };
  static uintptr_t places[PINS + 3];
  static void *held;
  world_open(&here, _i, "heap-initial=64M,nursery=64M");
  midden_kind fixed = midden_kind_define(here.heap, &(midden_shape){.name = "fixed", .size = 32, .flags = MIDDEN_KIND_PINNED}, NULL);
  size_t kept = shred(&here), step = kept / PINS;
  for (size_t i = 0; i < PINS; i++) {
    places[i] = ~here.slots[i * step];
    ck_assert_int_eq(midden_pin(here.mutator, (void *)here.slots[i * step]), MIDDEN_OK);
  }
  uintptr_t *others = &here.slots[OBJECTS];
  for (size_t i = 0; i < 300; i++) midden_alloc(here.mutator, fixed);
  others[0] = (uintptr_t)midden_alloc(here.mutator, fixed);
  others[1] = (uintptr_t)world_leaf(&here, 50000, 1);
  others[2] = (uintptr_t)world_leaf(&here, 40, 2);
  held = (void *)others[2];
  ck_assert_int_eq(midden_root_scanner_add(here.heap, visit_held, &held), MIDDEN_OK);
  void *block = midden_block_alloc(here.mutator, 64);
  leaf_fill(block, 64, 3);
  for (size_t i = 0; i < 3; i++) places[PINS + i] = ~others[i];
  stack_wipe();
  defragment_all(&here, BUDGET);
  for (size_t i = 0; i < PINS; i++) EXPECT(here.slots[i * step] == ~places[i], "pinned object %zu has moved", i);
  for (size_t i = 0; i < 3; i++) EXPECT(others[i] == ~places[PINS + i], "object %zu has moved", i);
  EXPECT_LEAF((void *)others[1], 50000, 1);
  EXPECT_LEAF((void *)others[2], 40, 2);
  EXPECT_LEAF(block, 64, 3);
  check_shredded(&here, kept);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, visit_held, &held), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* A local that only the conservative scan sees. */
START_TEST(locals_stay) {
  world here;
  world_open(&here, _i, "heap-initial=64M,nursery=64M");
  size_t kept = shred(&here);
  volatile uintptr_t locals[30];
  for (size_t i = 0; i < 30; i++) locals[i] = here.slots[i * (kept / 30)];
  for (size_t i = 0; i < 30; i++) here.slots[i * (kept / 30)] = 0;
  defragment_all(&here, SIZE_MAX);
  for (size_t i = 0; i < 30; i++) {
    EXPECT(midden_object_at(here.heap, (void *)locals[i]) == (void *)locals[i], "local %zu", i);
    here.slots[i * (kept / 30)] = locals[i];
  }
  check_shredded(&here, kept);
  world_close(&here);
}
END_TEST

static size_t defragment_finalized;
static void count_finalized(midden_mutator *mutator, void *object, void *context) {
  (void)mutator, (void)context;
  EXPECT(((pair *)object)->car == immediate(5), "a finalizer's object");
  defragment_finalized++;
}

/* Weak slots, ephemerons, finalizers, identities and external memory go along, or are dropped with their object. */
START_TEST(what_is_known_by_address) {
  world here;
  enum { KNOWN = 200 };
  static midden_word weak[KNOWN];
  static uint64_t identities[KNOWN];
  defragment_finalized = 0;
  world_open(&here, _i, "heap-initial=64M,nursery=64M");
  midden_kind kind = midden_kind_define(here.heap, &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS}, NULL);
  here.slots[KNOWN] = (uintptr_t)midden_alloc_sized(here.mutator, kind, 2 * KNOWN * sizeof(midden_word));
  for (size_t i = 0; i < KNOWN; i++) {
    for (int garbage = 0; garbage < 30; garbage++) world_pair(&here);
    pair *object = world_pair(&here);
    here.slots[i] = (uintptr_t)object;
    midden_store_word(here.mutator, object, &object->car, immediate(5));
    uintptr_t value = (uintptr_t)world_leaf(&here, 40, i);
    midden_word *table = (midden_word *)here.slots[KNOWN];
    midden_store_word(here.mutator, table, &table[2 * i], here.slots[i]);
    midden_store_word(here.mutator, table, &table[2 * i + 1], value);
    weak[i] = here.slots[i];
    ck_assert_int_eq(midden_weak_add(here.heap, &weak[i], (midden_weak)(i % 2)), MIDDEN_OK);
    ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)here.slots[i], count_finalized, NULL), MIDDEN_OK);
    identities[i] = midden_identity_hash(here.mutator, (void *)here.slots[i]);
    ck_assert_int_eq(midden_external_add(here.mutator, (void *)here.slots[i], 10), MIDDEN_OK);
  }
  for (size_t i = 0; i < KNOWN; i += 2) here.slots[i] = 0;
  for (int round = 0; round < 3; round++) {
    stack_wipe();
    defragment_all(&here, 300);
    while (midden_finalizers_run(here.mutator, SIZE_MAX) > 0) continue;
  }
  const midden_word *table = (const midden_word *)here.slots[KNOWN];
  for (size_t i = 1; i < KNOWN; i += 2) {
    EXPECT(weak[i] == here.slots[i] && table[2 * i] == here.slots[i], "weak slot or key %zu", i);
    EXPECT_LEAF((const void *)table[2 * i + 1], 40, i);
    EXPECT(midden_identity_hash(here.mutator, (void *)here.slots[i]) == identities[i], "identity %zu", i);
    EXPECT(midden_external_of(here.mutator, (void *)here.slots[i]) == 10, "external memory %zu", i);
  }
  if (exact(&here)) {
    for (size_t i = 0; i < KNOWN; i += 2) EXPECT(weak[i] == 0 && table[2 * i] == 0 && table[2 * i + 1] == 0, "entry %zu is there", i);
    ck_assert_uint_eq(defragment_finalized, KNOWN / 2);
    ck_assert_uint_eq(world_statistics(&here).external_bytes, KNOWN / 2 * 10);
  }
  for (size_t i = 0; i < KNOWN; i++) ck_assert_int_eq(midden_weak_remove(here.heap, &weak[i]), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* Copies are old: a store of something young into one is remembered, and minor collections go on as before. */
START_TEST(then_minor_collections) {
  world here;
  world_open(&here, _i, "heap-initial=64M,nursery=64M");
  size_t kept = shred(&here);
  defragment_all(&here, SIZE_MAX);
  for (size_t round = 0; round < 6; round++) {
    for (size_t i = 1; i < kept; i += 3) {
      void *leaf = world_leaf(&here, leaf_size(i), i); /* moves the pair: guard=report has found it used before that */
      pair *cell = (pair *)here.slots[i];
      midden_store_word(here.mutator, cell, &cell->car, (uintptr_t)leaf);
    }
    ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
    check_shredded(&here, kept);
    if (round % 2) defragment(&here, BUDGET);
  }
  world_verify(&here);
  world_close(&here);
}
END_TEST

/* With no page left: copies need none, and afterwards there are pages. */
START_TEST(at_the_limit) {
  world here;
  enum { LARGE = 256 << 10 };
  world_open(&here, _i, "heap-limit=1M,growth=fixed,verify=off");
  ck_assert_int_eq(midden_heap_use(here.heap, "mark-sweep", NULL), MIDDEN_OK);
  size_t made = 0;
  while (made < WORLD_SLOTS) { /* until nothing more fits, although little lives */
    void *leaf = midden_alloc_sized(here.mutator, here.leaf, 200);
    if (!leaf) break;
    leaf_fill(leaf, 200, made);
    here.slots[made++] = (uintptr_t)leaf;
  }
  for (size_t i = made; i < WORLD_SLOTS; i++) here.slots[i] = 0;
  for (size_t i = 0; i < made; i++) if (i % 8) here.slots[i] = 0;
  stack_wipe();
  ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, LARGE));
  stack_wipe();
  defragment_all(&here, SIZE_MAX);
  ck_assert_ptr_nonnull(midden_alloc_sized(here.mutator, here.leaf, LARGE));
  for (size_t i = 0; i < made; i += 8) EXPECT_LEAF((void *)here.slots[i], 200, i);
  world_close(&here);
}
END_TEST

static midden_status inside;
static void defragment_inside(midden_visitor *visitor, void *context) {
  (void)visitor;
  inside = midden_defragment(((world *)context)->mutator, SIZE_MAX, NULL);
}
static bool defragment_in_walk(void *context, void *object, size_t size, uint16_t kind) {
  (void)object, (void)size, (void)kind;
  inside = midden_defragment(((world *)context)->mutator, SIZE_MAX, NULL);
  return false;
}

START_TEST(refusals) {
  world here;
  bool more = true;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_pair(&here);
  ck_assert_int_eq(midden_defragment(NULL, SIZE_MAX, &more), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_each(here.heap, defragment_in_walk, &here), MIDDEN_OK);
  ck_assert_int_eq(inside, MIDDEN_MISUSE);
  if (!here.combination->collects) {
    ck_assert_int_eq(midden_defragment(here.mutator, SIZE_MAX, &more), MIDDEN_UNSUPPORTED);
  } else {
    inside = MIDDEN_OK;
    ck_assert_int_eq(midden_root_scanner_add(here.heap, defragment_inside, &here), MIDDEN_OK);
    ck_assert_int_eq(midden_defragment(here.mutator, SIZE_MAX, NULL), MIDDEN_OK);
    ck_assert_int_eq(inside, MIDDEN_MISUSE);
  }
  ck_assert(more);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {smaller_and_intact, COLLECTING},
      {in_slices, COLLECTING},
      {pinned_ones_stay, COLLECTING},
      {locals_stay, COLLECTING | CONSERVATIVE},
      {what_is_known_by_address, COLLECTING},
      {then_minor_collections, COLLECTING},
      {at_the_limit, COLLECTING | CALM | PRECISE},
      {refusals, ANYWHERE},
  };
  return run_combinations("defragment", tests, COUNT_OF(tests));
}
