/* Conformance: a host's native objects, all services together. A table is an object with a trace function; its slots lie in a raw
 * block that it owns, which on_free gives back. One trace function serves marking, moving and verifying; a kind says whether
 * its objects move. */
#include <string.h>

#include "harness.h"

enum { TABLES = 40, TARGET_BYTES = 40, ALL = 4 * TABLES };

typedef struct table {
  uintptr_t number; /* 1 and up; 0: never written */
  midden_word *slots; /* a raw block: no object */
  size_t count;
  uintptr_t check;
} table;

static struct state {
  world here;
  midden_kind kinds[2]; /* movable, and not */
  unsigned freed[ALL + 1];
  size_t traced, blocks; /* blocks: that the host holds */
} state;

static void trace_table(void *object, size_t size, midden_visitor *visitor, void *context) {
  table *traced = object;
  (void)size, (void)context;
  state.traced++;
  if (traced->slots != NULL) midden_visit_range(visitor, traced->slots, traced->count);
}

static void free_table(void *object, size_t size, void *context) {
  table *dead = object;
  world *here = context;
  EXPECT(size == midden_good_size(sizeof(table)), "on_free was told %zu bytes", size);
  if (dead->number == 0) return;
  EXPECT(dead->number <= ALL && dead->check == ~dead->number, "on_free of a table with number %#zx", dead->number);
  state.freed[dead->number]++;
  size_t bytes = dead->count * sizeof *dead->slots;
  EXPECT(midden_block_size(here->mutator, dead->slots) == midden_good_size(bytes), "the block of table %zu is not its own",
         dead->number);
  for (size_t i = 0; i < dead->count; i++) dead->slots[i] = 0; /* it is the host's until it is given back */
  EXPECT(midden_block_free(here->mutator, dead->slots) == MIDDEN_OK, "a block cannot be freed in on_free");
  state.blocks--;
}

static midden_kind define(const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(state.here.heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

static void open_state(int index) {
  memset(&state, 0, sizeof state);
  world_open(&state.here, index, NULL);
  for (unsigned k = 0; k < 2; k++) {
    state.kinds[k] = define(&(midden_shape){.name = k ? "pinned table" : "table", .size = sizeof(table), .refs = MIDDEN_REFS_TRACE,
                                            .trace = trace_table, .flags = k ? MIDDEN_KIND_PINNED : 0,
                                            .on_free = free_table, .on_free_context = &state.here});
  }
}

static size_t slots_of(size_t number) { return number % 13 == 5 ? 5000 : 1 + number % 50; }

static void make_table(size_t slot, size_t number) {
  world *here = &state.here;
  table *made = midden_alloc(here->mutator, state.kinds[number % 2]);
  ck_assert_ptr_nonnull(made);
  size_t count = slots_of(number);
  midden_word *slots = midden_block_alloc(here->mutator, count * sizeof *slots);
  ck_assert_ptr_nonnull(slots);
  state.blocks++;
  memset(slots, 0, count * sizeof *slots);
  *made = (table){number, slots, count, ~number};
  here->slots[slot] = (uintptr_t)made;
  for (size_t i = 0; i < count; i += 1 + count / 10) {
    uintptr_t target = (uintptr_t)world_leaf(here, TARGET_BYTES, number + i);
    made = (table *)here->slots[slot];
    made->slots[i] = target;
    midden_written(here->mutator, made, made, sizeof *made / sizeof(midden_word));
  }
}

static void check_table(size_t slot, size_t number) {
  const table *made = (const table *)state.here.slots[slot];
  EXPECT(made->number == number && made->check == ~number && state.freed[number] == 0, "table %zu is not what it was", number);
  for (size_t i = 0; i < made->count; i += 1 + made->count / 10) {
    EXPECT_LEAF((const void *)made->slots[i], TARGET_BYTES, number + i);
  }
}

START_TEST(tables_with_blocks) {
  open_state(_i);
  world *here = &state.here;
  uintptr_t before[TABLES];
  bool exact = here->combination->stack == MIDDEN_STACK_PRECISE && here->combination->collects;
  size_t moved = 0;
  for (size_t round = 0; round < 4; round++) {
    for (size_t i = 0; i < TABLES; i++) make_table(i, round * TABLES + i + 1);
    for (size_t i = 0; i < TABLES; i++) before[i] = ~here->slots[i];
    stack_wipe();
    midden_collect(here->mutator, round % 2 ? MIDDEN_MINOR : MIDDEN_FULL);
    world_collect(here);
    for (size_t i = 0; i < TABLES; i++) {
      size_t number = round * TABLES + i + 1;
      check_table(i, number);
      if (number % 2) EXPECT(here->slots[i] == ~before[i], "table %zu of a pinned kind has moved", number);
      else moved += here->slots[i] != ~before[i];
    }
    if (exact) ck_assert_uint_eq(state.blocks, TABLES);
    ck_assert_uint_eq(world_statistics(here).blocks, state.blocks);
    world_verify(here);
  }
  if (here->combination->collects) ck_assert_uint_gt(state.traced, TABLES);
  if (here->combination->moves == MOVES_ALWAYS && exact && here->combination->stress == MIDDEN_STRESS_OFF)
    ck_assert_uint_gt(moved, TABLES / 2);
  if (here->combination->moves == MOVES_NEVER) ck_assert_uint_eq(moved, 0);
  world_close(here);
  ck_assert_uint_eq(state.blocks, 0);
  for (size_t i = 1; i <= ALL; i++) EXPECT(state.freed[i] == 1, "table %zu was freed %u times", i, state.freed[i]);
}
END_TEST

/* on_free comes before the cell can be handed out again: its number is still there when the next object of the kind is made, and
 * never afterwards. */
START_TEST(freed_before_reused) {
  open_state(_i);
  world *here = &state.here;
  size_t count = world_count(here, ALL, 40);
  for (size_t i = 1; i <= count; i++) {
    unsigned freed = 0;
    uintptr_t reused = 0;
    make_table(0, i);
    here->slots[0] = 0;
    if (i % 5 == 0) world_collect(here);
    table *next = midden_alloc(here->mutator, state.kinds[i % 2]);
    ck_assert_ptr_nonnull(next);
    reused = next->number | next->check | next->count;
    for (size_t k = 1; k <= i; k++) freed += state.freed[k];
    EXPECT(reused == 0, "a new table has the content of an old one");
    EXPECT(freed + state.blocks == i, "%u tables of %zu are freed, and %zu blocks held", freed, i, state.blocks);
  }
  world_close(here);
  ck_assert_uint_eq(state.blocks, 0);
}
END_TEST

int main(void) {
  const test_entry tests[] = {{tables_with_blocks, ANYWHERE}, {freed_before_reused, ANYWHERE}};
  return run_combinations("conformance_host", tests, COUNT_OF(tests));
}
