/* A heap for one combination, with rooted slots and the kinds that most tests use: see harness.h. */
#include <stdlib.h>
#include <string.h>

#include "harness.h"

midden_config combination_config(int index) {
  const combination *where = combination_at(index);
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  memset(config.collector, 0, sizeof config.collector);
  memcpy(config.collector, where->collector, strnlen(where->collector, sizeof config.collector - 1));
  config.stack = where->stack;
  config.generational = where->generational;
  config.stress = where->stress;
  config.stress_value = where->stress_value;
  config.verify = where->collects ? MIDDEN_VERIFY_BOTH : MIDDEN_VERIFY_OFF;
  config.poison = true;
  const char *more = getenv("MIDDEN_TEST_OPTIONS");
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_msg(!more || midden_config_parse(&config, more, &error) == MIDDEN_OK, "%s", error.message);
  return config;
}

static midden_kind define(midden_heap *heap, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

void world_open_config(world *here, int index, const midden_config *config) {
  midden_error error = {MIDDEN_OK, ""};
  memset(here, 0, sizeof *here);
  here->combination = combination_at(index);
  here->config = *config;
  midden_status status = midden_heap_open(config, &here->heap, &error);
  ck_assert_msg(status == MIDDEN_OK, "open %s: %s", here->combination->name, error.message);
  here->mutator = midden_attach(here->heap, NULL, &error);
  ck_assert_msg(here->mutator != NULL, "attach: %s", error.message);
  here->leaf = define(here->heap, &(midden_shape){.name = "leaf"});
  here->pair = define(here->heap, &(midden_shape){.name = "pair", .size = sizeof(pair), .refs = MIDDEN_REFS_ALL});
  here->vector = define(here->heap, &(midden_shape){.name = "vector",
                                                    .size = sizeof(vector),
                                                    .refs = MIDDEN_REFS_ELEMENTS,
                                                    .element_size = sizeof(midden_word),
                                                    .element_bitmap = 1});
  here->slots = calloc(WORLD_SLOTS, sizeof *here->slots);
  ck_assert_ptr_nonnull(here->slots);
  ck_assert_int_eq(midden_root_range_add(here->heap, here->slots, WORLD_SLOTS), MIDDEN_OK);
}

void world_open(world *here, int index, const char *options) {
  midden_config config = combination_config(index);
  midden_error error = {MIDDEN_OK, ""};
  if (options != NULL)
    ck_assert_msg(midden_config_parse(&config, options, &error) == MIDDEN_OK, "%s", error.message);
  world_open_config(here, index, &config);
}

void world_close(world *here) {
  world_verify(here);
  ck_assert_int_eq(midden_heap_close(here->heap), MIDDEN_OK);
  free(here->slots);
  memset(here, 0, sizeof *here);
}

void world_collect(world *here) {
  midden_status status = midden_collect(here->mutator, MIDDEN_FULL);
  ck_assert_int_eq(status, here->combination->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED);
}

void world_churn(world *here, size_t objects) {
  for (size_t i = 0; i < objects; i++) {
    size_t size = 8 + i % 30 * 8;
    void *garbage = midden_alloc_sized(here->mutator, here->leaf, size);
    EXPECT(garbage != NULL, "no leaf of %zu bytes", size);
    memset(garbage, 0xff, size);
  }
}

void world_verify(world *here) {
  midden_error error = {MIDDEN_OK, ""};
  midden_status status = midden_verify(here->heap, &error);
  ck_assert_msg(status == MIDDEN_OK, "%s: %s", here->combination->name, error.message);
}

midden_statistics world_statistics(world *here) {
  midden_statistics statistics;
  memset(&statistics, 0xa5, sizeof statistics);
  midden_statistics_read(here->heap, &statistics);
  return statistics;
}

size_t world_count(const world *here, size_t calm, size_t stressed) {
  return here->combination->stress == MIDDEN_STRESS_OFF ? calm : stressed;
}

void leaf_fill(void *object, size_t size, uint64_t seed) {
  unsigned char *bytes = object;
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    uint64_t word = test_random(&seed) | 1;
    memcpy(bytes + i, &word, size - i < sizeof word ? size - i : sizeof word);
  }
}

bool leaf_is(const void *object, size_t size, uint64_t seed) {
  const unsigned char *bytes = object;
  for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
    uint64_t word = test_random(&seed) | 1;
    if (memcmp(bytes + i, &word, size - i < sizeof word ? size - i : sizeof word) != 0) return false;
  }
  return true;
}

void *world_leaf(world *here, size_t size, uint64_t seed) {
  void *object = midden_alloc_sized(here->mutator, here->leaf, size);
  EXPECT(object != NULL, "no leaf of %zu bytes", size);
  leaf_fill(object, size, seed);
  return object;
}

pair *world_pair(world *here) {
  pair *object = midden_alloc(here->mutator, here->pair);
  EXPECT(object != NULL, "no pair");
  return object;
}

vector *world_vector(world *here, size_t length) {
  vector *object = midden_alloc_sized(here->mutator, here->vector, sizeof(vector) + length * sizeof(midden_word));
  EXPECT(object != NULL, "no vector of %zu elements", length);
  object->length = length;
  return object;
}

void world_list(world *here, size_t slot, size_t length) {
  here->slots[slot] = 0;
  for (size_t i = length; i-- > 0;) {
    pair *cell = world_pair(here);
    midden_store_word(here->mutator, cell, &cell->car, immediate(i));
    midden_store_word(here->mutator, cell, &cell->cdr, here->slots[slot]);
    here->slots[slot] = (uintptr_t)cell;
  }
}

void world_list_check(world *here, size_t slot, size_t length) {
  const pair *cell = (const pair *)here->slots[slot];
  for (size_t i = 0; i < length; i++) {
    EXPECT(cell != NULL, "list ends at %zu of %zu", i, length);
    EXPECT(cell->car == immediate(i), "element %zu of the list is %#zx", i, (size_t)cell->car);
    cell = (const pair *)cell->cdr;
  }
  EXPECT(cell == NULL, "list goes on past %zu", length);
}

__attribute__((noinline, no_sanitize("address"))) uintptr_t freed_word(uintptr_t address) {
  return *(const midden_word *)address;
}

bool is_poison(uintptr_t word) {
  return word == MIDDEN_POISON_SWEPT || word == MIDDEN_POISON_EVACUATED || word == MIDDEN_POISON_SLID ||
         word == MIDDEN_POISON_LARGE || word == MIDDEN_POISON_BUFFER || word == MIDDEN_POISON_BLOCK;
}

__attribute__((noinline)) void stack_wipe(void) {
  volatile char area[32 << 10];
  for (size_t i = 0; i < sizeof area; i++) area[i] = 0;
}
