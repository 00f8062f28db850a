/* Tracing without memory: when the mark stack cannot grow, a collection does not fail. It scans again what
 * it marked, which the statistics count; all that is reachable stays, to the object. */
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

static counting_memory memory;

static void open_world(world *here, int index) {
  midden_config config = combination_config(index);
  counting_memory_open(&memory);
  config.memory = &memory.face;
  config.heap_limit = (size_t)64 << 20;
  config.heap_initial = config.nursery = (size_t)64 << 20; /* only the collections that the test asks for */
  world_open_config(here, index, &config);
}

/* Collects without memory. post: how often the marked heap was scanned again. */
static uint64_t collect_without_memory(world *here, size_t objects) {
  uint64_t rescans = world_statistics(here).mark_stack_rescans;
  counting_memory_fail(&memory, 1, true);
  world_collect(here);
  bool failed = memory.failed;
  counting_memory_heal(&memory);
  midden_statistics statistics = world_statistics(here);
  if (here->config.stack == MIDDEN_STACK_PRECISE) ck_assert_uint_eq(statistics.live_objects, objects);
  else ck_assert_uint_ge(statistics.live_objects, objects);
  if (statistics.mark_stack_rescans != rescans) ck_assert(failed);
  world_verify(here);
  return statistics.mark_stack_rescans - rescans;
}

/* A vector of pairs that each refer to a pair of their own: all wait on the mark stack at once. */
static void build_wide(world *here, size_t width) {
  here->slots[0] = (uintptr_t)world_vector(here, width);
  for (size_t i = 0; i < width; i++) {
    pair *inner = world_pair(here);
    midden_store_word(here->mutator, inner, &inner->car, immediate(i));
    here->slots[1] = (uintptr_t)inner;
    pair *outer = world_pair(here);
    midden_store_word(here->mutator, outer, &outer->cdr, here->slots[1]);
    vector *all = (vector *)here->slots[0];
    midden_store(here->mutator, all, &all->elements[i], outer);
  }
  here->slots[1] = 0;
}

static void check_wide(const world *here, size_t width) {
  const vector *all = (const vector *)here->slots[0];
  for (size_t i = 0; i < width; i++) {
    const pair *outer = (const pair *)all->elements[i];
    EXPECT(((const pair *)outer->cdr)->car == immediate(i), "element %zu", i);
  }
}

START_TEST(a_wide_graph) {
  world here;
  open_world(&here, _i);
  /* A vector that is not large is scanned at once; many of them flood the stack. */
  enum { VECTORS = 40, WIDTH = 3000 };
  here.slots[10] = (uintptr_t)world_vector(&here, VECTORS);
  for (size_t v = 0; v < VECTORS; v++) {
    build_wide(&here, WIDTH);
    vector *vectors = (vector *)here.slots[10];
    midden_store_word(here.mutator, vectors, &vectors->elements[v], here.slots[0]);
    here.slots[0] = 0;
  }
  size_t objects = 1 + VECTORS + 2 * VECTORS * WIDTH;
  ck_assert_uint_gt(collect_without_memory(&here, objects), 0);
  for (size_t v = 0; v < VECTORS; v++) {
    here.slots[0] = ((vector *)here.slots[10])->elements[v];
    check_wide(&here, WIDTH);
  }
  /* With memory again nothing is scanned twice. */
  uint64_t rescans = world_statistics(&here).mark_stack_rescans;
  world_collect(&here);
  ck_assert_uint_eq(world_statistics(&here).mark_stack_rescans, rescans);
  world_close(&here);
  ck_assert_uint_eq(memory.violations, 0);
}
END_TEST

/* A long list needs hardly any mark stack; a collector that starts without one must not take as many
 * passes as there are elements. */
START_TEST(a_long_list) {
  world here;
  open_world(&here, _i);
  enum { LENGTH = 20000 };
  world_list(&here, 0, LENGTH);
  ck_assert_uint_le(collect_without_memory(&here, LENGTH), 100);
  world_list_check(&here, 0, LENGTH);
  world_close(&here);
}
END_TEST

/* Ambiguous layouts and host-traced objects take part in scanning again. */
static void trace_second(void *object, size_t size, midden_visitor *visitor, void *context) {
  midden_word *words = object;
  (void)size, (void)context;
  midden_visit(visitor, &words[1]);
  midden_visit_pinned(visitor, (const void *)words[0]);
}

START_TEST(every_layout_is_scanned_again) {
  world here;
  open_world(&here, _i);
  enum { WIDTH = 2000 };
  midden_kind kinds[4] = {
      midden_kind_define(here.heap, &(midden_shape){.name = "bitmap", .size = 24, .refs = MIDDEN_REFS_BITMAP, .bitmap = 2}, NULL),
      midden_kind_define(here.heap, &(midden_shape){.name = "traced", .size = 24, .refs = MIDDEN_REFS_TRACE,
                                                    .trace = trace_second, .flags = MIDDEN_KIND_TRACE_PINS}, NULL),
      midden_kind_define(here.heap, &(midden_shape){.name = "words", .size = 24, .refs = MIDDEN_REFS_AMBIGUOUS}, NULL),
      midden_kind_define(here.heap, &(midden_shape){.name = "elements", .refs = MIDDEN_REFS_ELEMENTS, .element_size = 24,
                                                    .element_bitmap = 2}, NULL)};
  for (size_t v = 0; v < 20; v++) {
    here.slots[100 + v] = (uintptr_t)world_vector(&here, WIDTH);
    for (size_t i = 0; i < WIDTH; i++) {
      here.slots[0] = (uintptr_t)world_leaf(&here, 24, i);
      midden_word *holder = midden_alloc_sized(here.mutator, kinds[i % 4], 24);
      EXPECT(holder != NULL, "no memory");
      midden_store_word(here.mutator, holder, &holder[1], here.slots[0]);
      vector *all = (vector *)here.slots[100 + v];
      midden_store(here.mutator, all, &all->elements[i], holder);
    }
  }
  here.slots[0] = 0;
  collect_without_memory(&here, 20 * (1 + 2 * WIDTH));
  for (size_t v = 0; v < 20; v++)
    for (size_t i = 0; i < WIDTH; i++) {
      const midden_word *holder = (const midden_word *)((vector *)here.slots[100 + v])->elements[i];
      EXPECT(leaf_is((const void *)holder[1], 24, i), "vector %zu, element %zu", v, i);
    }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {a_wide_graph, COLLECTING | CALM},
      {a_long_list, COLLECTING | CALM},
      {every_layout_is_scanned_again, COLLECTING | CALM},
  };
  return run_combinations("mark stack", tests, COUNT_OF(tests));
}
