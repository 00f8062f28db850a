/* Conformance: ephemerons and weak tables. A value lives as long as its key is reachable otherwise; and what
 * takes linear time is counted in ephemerons visited. Random graphs: conformance_ephemeron_graphs. */
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

enum { KEYS = 64, TARGET_BYTES = 40 };

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

static bool exact(const world *here) {
  return here->combination->stack == MIDDEN_STACK_PRECISE && here->combination->collects;
}

typedef struct entry {
  midden_word key, value;
} entry;

/* A table of `count` pairs in slots[slot]. */
static entry *make_table(world *here, size_t slot, midden_kind kind, size_t count) {
  here->slots[slot] = (uintptr_t)midden_alloc_sized(here->mutator, kind, count * sizeof(entry));
  ck_assert_uint_ne(here->slots[slot], 0);
  return (entry *)here->slots[slot];
}

static void put(world *here, size_t slot, size_t index, uintptr_t key, uintptr_t value) {
  entry *table = (entry *)here->slots[slot];
  midden_store_word(here->mutator, table, &table[index].key, key);
  midden_store_word(here->mutator, table, &table[index].value, value);
}

/* The table's kind decides at run time: its context says how. */
static void trace_table(void *object, size_t size, midden_visitor *visitor, void *context) {
  entry *table = object;
  for (size_t i = 0; i < size / sizeof *table; i++) {
    midden_visit_pair(visitor, &table[i].key, &table[i].value, *(const midden_pairs *)context);
  }
}

static const midden_pairs all_pairs[] = {MIDDEN_PAIRS_EPHEMERON, MIDDEN_PAIRS_WEAK_VALUE, MIDDEN_PAIRS_WEAK_BOTH};

static midden_kind define_table(world *here, midden_pairs pairs, bool traced) {
  return define(here, traced ? &(midden_shape){.name = "traced table",
                                               .refs = MIDDEN_REFS_TRACE,
                                               .trace = trace_table,
                                               .trace_context = (void *)&all_pairs[pairs]}
                             : &(midden_shape){.name = "table", .refs = MIDDEN_REFS_PAIRS, .pairs = pairs});
}

/* Keys and values are leaves of seeds i and KEYS + i, in slots 100 + i and 200 + i until they are dropped. */
static void fill_table(world *here) {
  for (size_t i = 0; i < KEYS; i++) {
    world_leaf(here, TARGET_BYTES, 0);
    here->slots[100 + i] = (uintptr_t)world_leaf(here, TARGET_BYTES, i);
    here->slots[200 + i] = (uintptr_t)world_leaf(here, TARGET_BYTES, KEYS + i);
    put(here, 0, i, here->slots[100 + i], here->slots[200 + i]);
  }
}

static bool is_cleared(const entry *at) { return at->key == 0 && at->value == 0; }

static void check_table(const world *here, midden_pairs pairs) {
  const entry *table = (const entry *)here->slots[0];
  for (size_t i = 0; i < KEYS; i++) {
    uintptr_t key = here->slots[100 + i], value = here->slots[200 + i];
    bool held = pairs == MIDDEN_PAIRS_EPHEMERON    ? key != 0
                : pairs == MIDDEN_PAIRS_WEAK_VALUE ? value != 0
                                                   : key != 0 && value != 0;
    if (held || !is_cleared(&table[i])) {
      EXPECT(held || !exact(here), "pair %zu should be cleared", i);
      EXPECT_LEAF((const void *)table[i].key, TARGET_BYTES, i);
      EXPECT_LEAF((const void *)table[i].value, TARGET_BYTES, KEYS + i);
      EXPECT(key == 0 || table[i].key == key, "key %zu is not where it is", i);
      EXPECT(value == 0 || table[i].value == value, "value %zu is not where it is", i);
    }
  }
}

/* Keys dropped, values dropped, both, neither: for each weakness, by layout and by trace function. */
START_TEST(weak_tables) {
  world here;
  world_open(&here, _i, NULL);
  for (size_t variant = 0; variant < 6; variant++) {
    midden_pairs pairs = all_pairs[variant % 3];
    make_table(&here, 0, define_table(&here, pairs, variant >= 3), KEYS);
    if (variant % 2) world_collect(&here);
    fill_table(&here);
    world_collect(&here);
    check_table(&here, pairs);
    for (size_t i = 0; i < KEYS; i++) {
      if (i & 1) here.slots[100 + i] = 0;
      if (i & 2) here.slots[200 + i] = 0;
    }
    stack_wipe();
    uint64_t cleared = world_statistics(&here).ephemerons_cleared + world_statistics(&here).weak_cleared;
    world_collect(&here);
    check_table(&here, pairs);
    cleared = world_statistics(&here).ephemerons_cleared + world_statistics(&here).weak_cleared - cleared;
    if (exact(&here)) ck_assert_uint_eq(cleared, pairs == MIDDEN_PAIRS_WEAK_BOTH ? KEYS * 3 / 4 : KEYS / 2);
    world_churn(&here, 30);
    world_collect(&here);
    check_table(&here, pairs);
    memset(&here.slots[100], 0, 200 * sizeof here.slots[0]);
  }
  world_close(&here);
}
END_TEST

/* A value that leads to its own key does not keep it; a key that is no reference is always there. */
START_TEST(cycles_and_immediates) {
  world here;
  world_open(&here, _i, NULL);
  make_table(&here, 0, define_table(&here, MIDDEN_PAIRS_EPHEMERON, false), 4);
  pair *key = world_pair(&here);
  here.slots[1] = (uintptr_t)key;
  pair *value = world_pair(&here);
  midden_store_word(here.mutator, value, &value->car, here.slots[1]);
  midden_store_word(here.mutator, value, &value->cdr, here.slots[0]);
  put(&here, 0, 0, here.slots[1], (uintptr_t)value);
  put(&here, 0, 1, immediate(5), here.slots[1]);
  put(&here, 0, 2, immediate(6), immediate(7));
  world_collect(&here);
  const entry *table = (const entry *)here.slots[0];
  ck_assert_uint_eq(table[0].key, here.slots[1]);
  ck_assert_uint_eq(table[1].value, here.slots[1]);
  ck_assert_uint_eq(((pair *)table[0].value)->car, here.slots[1]);
  put(&here, 0, 1, immediate(5), 0);
  here.slots[1] = 0;
  stack_wipe();
  world_collect(&here);
  table = (const entry *)here.slots[0];
  if (exact(&here)) ck_assert(is_cleared(&table[0]));
  ck_assert_uint_eq(table[1].key, immediate(5));
  ck_assert_uint_eq(table[2].value, immediate(7));
  world_close(&here);
}
END_TEST

/* Each value the next key, in the worst order: linear, and not quadratic, in ephemerons visited. `nested`: each
 * value is a table of its own that holds the next pair, so that all but one are found one by one. */
static void check_chain(world *here, size_t length, bool nested) {
  midden_kind table = define_table(here, MIDDEN_PAIRS_EPHEMERON, false);
  here->slots[1] = 0;
  if (!nested) make_table(here, 0, table, length);
  world_leaf(here, TARGET_BYTES, 1);
  here->slots[2] = (uintptr_t)world_leaf(here, TARGET_BYTES, 7); /* the last value */
  for (size_t i = length; i-- > 0;) {
    here->slots[3] = (uintptr_t)world_pair(here); /* the key of pair i; its value is what the key after it was */
    ((pair *)here->slots[3])->car = immediate(i);
    if (nested) make_table(here, 0, table, 2);
    put(here, 0, nested ? i % 2 : length - 1 - i, here->slots[3], here->slots[2]);
    if (nested) {
      here->slots[4] = (uintptr_t)world_pair(here);
      pair *both = (pair *)here->slots[4];
      midden_store_word(here->mutator, both, &both->car, here->slots[3]);
      midden_store_word(here->mutator, both, &both->cdr, here->slots[0]);
      here->slots[2] = here->slots[4];
    } else {
      here->slots[2] = here->slots[3];
    }
  }
  here->slots[5] = here->slots[2];
  memset(&here->slots[1], 0, 4 * sizeof here->slots[0]);
  if (nested) here->slots[0] = 0;
  uint64_t before = world_statistics(here).ephemerons_visited;
  world_collect(here);
  uint64_t visited = world_statistics(here).ephemerons_visited - before;
  if (here->combination->collects) ck_assert_uint_ge(visited, length);
  EXPECT(visited <= 6 * length, "%llu visits for %zu ephemerons", (unsigned long long)visited, length);
  /* Along the chain, all are there. */
  uintptr_t at = here->slots[5];
  for (size_t i = 0; i < length; i++) {
    const pair *both = (const pair *)at;
    const entry *found = nested ? &((const entry *)both->cdr)[i % 2] : &((const entry *)here->slots[0])[length - 1 - i];
    EXPECT(found->key == (nested ? both->car : at), "key %zu", i);
    EXPECT(((const pair *)found->key)->car == immediate(i), "content of key %zu", i);
    at = found->value;
  }
  EXPECT_LEAF((const void *)at, TARGET_BYTES, 7);
  here->slots[5] = 0;
  stack_wipe();
  before = world_statistics(here).ephemerons_cleared;
  world_collect(here);
  if (exact(here) && !nested) ck_assert_uint_eq(world_statistics(here).ephemerons_cleared - before, length);
  here->slots[0] = 0;
}

START_TEST(chains_are_linear) {
  world here;
  world_open(&here, _i, NULL);
  check_chain(&here, world_count(&here, 100000, 300), false);
  check_chain(&here, world_count(&here, 100000, 300), true);
  world_close(&here);
}
END_TEST

/* In minor collections: old tables with young keys and values, by stores with the barrier. */
START_TEST(old_tables) {
  world here;
  world_open(&here, _i, NULL);
  make_table(&here, 0, define_table(&here, MIDDEN_PAIRS_EPHEMERON, false), 8 * KEYS);
  world_collect(&here);
  for (size_t round = 0; round < 8; round++) {
    for (size_t i = 0; i < KEYS; i++) {
      here.slots[100 + i] = (uintptr_t)world_leaf(&here, TARGET_BYTES, i);
      void *value = world_leaf(&here, TARGET_BYTES, KEYS + i);
      put(&here, 0, round * KEYS + i, here.slots[100 + i], (uintptr_t)value);
    }
    ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
    for (size_t i = 0; i < KEYS; i++) {
      const entry *at = &((const entry *)here.slots[0])[round * KEYS + i];
      EXPECT(at->key == here.slots[100 + i], "key %zu", i);
      EXPECT_LEAF((const void *)at->value, TARGET_BYTES, KEYS + i);
    }
    for (size_t i = 0; i < KEYS; i++) {
      void *value = world_leaf(&here, TARGET_BYTES, 3 * KEYS + i); /* young, with an old key */
      put(&here, 0, round * KEYS + i, here.slots[100 + i], (uintptr_t)value);
    }
    ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), MIDDEN_OK);
    for (size_t i = 0; i < KEYS; i++) {
      const entry *at = &((const entry *)here.slots[0])[round * KEYS + i];
      EXPECT_LEAF((const void *)at->key, TARGET_BYTES, i);
      EXPECT_LEAF((const void *)at->value, TARGET_BYTES, 3 * KEYS + i);
    }
  }
  memset(&here.slots[100], 0, KEYS * sizeof here.slots[0]);
  stack_wipe();
  world_collect(&here);
  for (size_t i = 0; exact(&here) && i < 8 * KEYS; i++) {
    EXPECT(is_cleared(&((const entry *)here.slots[0])[i]), "pair %zu", i);
  }
  world_close(&here);
}
END_TEST

/* Memory for the table of pending ephemerons is refused, at each request of a collection: nothing that lives is lost,
 * nothing is freed that is still held, and it is counted. */
START_TEST(without_memory) {
  const size_t length = 400;
  uint64_t iterations = 0, kept = 0;
  for (uint64_t refused = 1; refused < 12; refused++) {
    world here;
    static counting_memory memory;
    midden_config config = combination_config(_i);
    counting_memory_open(&memory);
    config.memory = &memory.face;
    world_open_config(&here, _i, &config);
    make_table(&here, 0, define_table(&here, MIDDEN_PAIRS_EPHEMERON, false), length);
    here.slots[1] = (uintptr_t)world_leaf(&here, TARGET_BYTES, length);
    for (size_t i = length; i-- > 0;) {
      void *key = world_leaf(&here, TARGET_BYTES, i);
      put(&here, 0, length - 1 - i, (uintptr_t)key, here.slots[1]);
      here.slots[1] = (uintptr_t)((entry *)here.slots[0])[length - 1 - i].key;
    }
    counting_memory_fail(&memory, refused / 2, refused % 2);
    midden_status status = midden_collect(here.mutator, MIDDEN_FULL);
    counting_memory_heal(&memory);
    ck_assert_int_eq(status, MIDDEN_OK);
    for (size_t i = 0; i < length; i++) {
      const entry *at = &((const entry *)here.slots[0])[length - 1 - i];
      EXPECT_LEAF((const void *)at->key, TARGET_BYTES, i);
      EXPECT_LEAF((const void *)at->value, TARGET_BYTES, i + 1);
    }
    iterations += world_statistics(&here).ephemeron_iterations;
    kept += world_statistics(&here).weak_kept;
    here.slots[1] = 0;
    stack_wipe();
    world_collect(&here);
    for (size_t i = 0; exact(&here) && i < length; i++) EXPECT(is_cleared(&((entry *)here.slots[0])[i]), "pair %zu", i);
    world_close(&here);
    ck_assert_uint_eq(memory.violations, 0);
    ck_assert_uint_eq(memory.reservations, 0);
  }
  ck_assert_uint_gt(iterations, 0);
  ck_assert_uint_gt(kept, 0);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {weak_tables, ANYWHERE},
      {cycles_and_immediates, ANYWHERE},
      {chains_are_linear, MILD},
      {old_tables, GENERATIONAL},
      {without_memory, COLLECTING | PRECISE | CALM},
  };
  return run_combinations("conformance_ephemerons", tests, COUNT_OF(tests));
}
