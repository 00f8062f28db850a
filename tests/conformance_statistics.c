/* Conformance: the figures of midden_statistics are exact where statistics.h says what they count. */
#include <string.h>

#include "harness.h"

START_TEST(allocations_are_counted) {
  world here;
  world_open(&here, _i, NULL);
  midden_statistics first = world_statistics(&here);
  uint64_t cells = 0, requested = 0, large = 0;
  uint64_t random = 1;
  size_t count = world_count(&here, 20000, 500);
  for (size_t i = 0; i < count; i++) {
    void *object;
    size_t size = sizeof(pair);
    if (i % 3 == 0) {
      object = world_pair(&here);
    } else {
      size = 1 + test_random_below(&random, i % 50 == 0 ? 100000 : 1500);
      object = world_leaf(&here, size, i);
    }
    cells += midden_size_of(here.heap, object);
    requested += size;
    large += size > 32768;
    if (i % 97 != 0) continue;
    midden_statistics now = world_statistics(&here);
    ck_assert_uint_eq(now.allocations - first.allocations, i + 1);
    ck_assert_uint_eq(now.allocated_bytes - first.allocated_bytes, cells);
    ck_assert_uint_eq(now.requested_bytes - first.requested_bytes, requested);
    ck_assert_uint_eq(now.large_allocations - first.large_allocations, large);
  }
  midden_statistics last = world_statistics(&here);
  ck_assert_uint_eq(last.allocations - first.allocations, count);
  ck_assert_uint_eq(last.refills, last.central_refills + last.page_heap_refills);
  ck_assert_uint_gt(last.page_heap_refills, large);
  ck_assert_uint_le(last.refills, last.allocations);
  world_close(&here);
}
END_TEST

/* used_bytes is the cells handed out and not yet collected. */
START_TEST(used_bytes_are_exact_before_a_collection) {
  world here;
  world_open(&here, _i, "growth=fixed,heap-limit=256M");
  size_t used = world_statistics(&here).used_bytes;
  ck_assert_uint_eq(used, 0);
  for (size_t i = 0; i < 3000; i++) {
    used += midden_size_of(here.heap, i % 2 ? (void *)world_pair(&here) : world_leaf(&here, 8 + i * 3, i));
    if (i % 50 == 0) ck_assert_uint_eq(world_statistics(&here).used_bytes, used);
  }
  ck_assert_uint_eq(world_statistics(&here).used_bytes, used);
  ck_assert_uint_eq(world_statistics(&here).collections, 0);
  world_close(&here);
}
END_TEST

static void check_space(const midden_statistics *statistics) {
  ck_assert_uint_eq(statistics->committed_bytes,
                    statistics->span_bytes + statistics->free_bytes + statistics->metadata_bytes);
  ck_assert_uint_ge(statistics->span_bytes, statistics->used_bytes);
  ck_assert_uint_ge(statistics->reserved_bytes, statistics->committed_bytes);
  ck_assert_uint_ge(statistics->peak_committed_bytes, statistics->committed_bytes);
  ck_assert_uint_ge(statistics->limit_bytes, statistics->span_bytes);
  ck_assert_uint_gt(statistics->metadata_bytes, 0);
}

START_TEST(space_adds_up) {
  world here;
  world_open(&here, _i, NULL);
  midden_statistics statistics = world_statistics(&here);
  check_space(&statistics);
  size_t count = world_count(&here, 30000, 300);
  for (size_t i = 0; i < count; i++) {
    here.slots[i % 500] = (uintptr_t)world_leaf(&here, 1 + i * 7 % (i % 100 ? 900 : 90000), i);
    if (i % 211 != 0) continue;
    statistics = world_statistics(&here);
    check_space(&statistics);
  }
  world_collect(&here);
  statistics = world_statistics(&here);
  check_space(&statistics);
  if (here.combination->collects) {
    double live = (double)statistics.live_bytes;
    ck_assert_double_gt(statistics.fragmentation, 1.0);
    ck_assert_double_le(statistics.fragmentation, (double)statistics.peak_committed_bytes / live + 0.001);
    ck_assert_uint_le(statistics.waste_bytes, statistics.live_bytes);
  } else {
    ck_assert_double_eq(statistics.fragmentation, 0.0);
  }
  world_close(&here);
}
END_TEST

START_TEST(collections_are_counted) {
  world here;
  world_open(&here, _i, "growth=fixed,heap-limit=256M");
  world_list(&here, 0, 100);
  midden_statistics first = world_statistics(&here);
  for (int i = 0; i < 7; i++) world_collect(&here);
  midden_statistics second = world_statistics(&here);
  uint64_t expected = here.combination->collects ? 7 : 0;
  ck_assert_uint_eq(second.collections - first.collections, expected);
  ck_assert_uint_eq(second.requested_collections - first.requested_collections, expected);
  ck_assert_uint_eq(second.stress_collections, first.stress_collections);
  ck_assert_uint_eq(second.emergency_collections, 0);
  ck_assert_uint_eq(second.collections, second.requested_collections + second.stress_collections);
  /* verify=both walks the heap twice for each. */
  ck_assert_uint_eq(second.verifications - first.verifications, 2 * expected);
  world_verify(&here);
  ck_assert_uint_eq(world_statistics(&here).verifications, second.verifications + 1);
  ck_assert_uint_ge(second.total_pause_ns, second.longest_pause_ns);
  ck_assert_uint_ge(second.longest_pause_ns, second.last_pause_ns);
  if (here.combination->collects) ck_assert_uint_gt(second.last_pause_ns, 0);
  /* A minor collection is one too. */
  ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_MINOR), here.combination->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED);
  ck_assert_uint_eq(world_statistics(&here).collections - second.collections, here.combination->collects);
  world_close(&here);
}
END_TEST

/* The first level serves at least 99 % of a loop of small objects. */
START_TEST(hit_rate) {
  world here;
  world_open(&here, _i, "verify=off,poison=no,memory-checker=no"); /* under AddressSanitizer there is no first level */
  midden_statistics first = world_statistics(&here);
  const uint64_t count = 1000000;
  for (uint64_t i = 0; i < count; i++) {
    void *object = i % 2 ? midden_alloc(here.mutator, here.pair) : midden_alloc_sized(here.mutator, here.leaf, 24 + i % 3 * 8);
    EXPECT(object != NULL, "object %llu", (unsigned long long)i);
    if (i % 1024 == 0) here.slots[i / 1024] = (uintptr_t)object;
  }
  midden_statistics second = world_statistics(&here);
  ck_assert_uint_eq(second.allocations - first.allocations, count);
  double rate = 1.0 - (double)(second.refills - first.refills) / (double)count;
  ck_assert_double_ge(rate, 0.99);
  world_close(&here);
}
END_TEST

/* An empty heap is small, thirty kinds do not change that, and the first object of a kind costs a page. */
START_TEST(a_small_heap_stays_small) {
  world here;
  midden_config config = combination_config(_i);
  midden_heap *heap = NULL;
  ck_assert_int_eq(midden_heap_open(&config, &heap, NULL), MIDDEN_OK);
  midden_mutator *mutator = midden_attach(heap, NULL, NULL);
  ck_assert_ptr_nonnull(mutator);
  midden_statistics statistics;
  midden_statistics_read(heap, &statistics);
  ck_assert_uint_lt(statistics.committed_bytes, 256 << 10);
  ck_assert_uint_eq(statistics.span_bytes, 0);
  ck_assert_int_eq(midden_heap_close(heap), MIDDEN_OK);

  world_open(&here, _i, NULL);
  midden_kind kinds[30];
  for (size_t k = 0; k < COUNT_OF(kinds); k++) {
    midden_shape shape = {.name = "small", .size = 16 + k * 8, .refs = MIDDEN_REFS_ALL};
    kinds[k] = midden_kind_define(here.heap, &shape, NULL);
    ck_assert_uint_ne(kinds[k].id, 0);
  }
  for (size_t k = 0; k < COUNT_OF(kinds); k++) {
    midden_statistics first = world_statistics(&here);
    here.slots[k] = (uintptr_t)midden_alloc(here.mutator, kinds[k]);
    ck_assert_uint_ne(here.slots[k], 0);
    midden_statistics second = world_statistics(&here);
    if (here.combination->stress != MIDDEN_STRESS_OFF) continue; /* a collection may give or take pages */
    ck_assert_uint_le(second.span_bytes + second.free_bytes, first.span_bytes + first.free_bytes + 8192);
    ck_assert_uint_le(second.span_bytes, first.span_bytes + 8192);
  }
  if (here.combination->stress == MIDDEN_STRESS_OFF)
    ck_assert_uint_lt(world_statistics(&here).committed_bytes, (256 << 10) + 30 * 8192);
  world_close(&here);
}
END_TEST

/* What was opened is reported, with automatic values filled in. */
START_TEST(the_configuration_in_force) {
  world here;
  world_open(&here, _i, "heap-limit=64M,heap-initial=2M");
  const midden_config *config = midden_heap_config(here.heap);
  ck_assert_str_eq(config->collector, here.combination->collector);
  ck_assert_int_eq(config->stack, here.config.stack);
  ck_assert_uint_eq(config->heap_limit, 64 << 20);
  ck_assert_uint_eq(config->heap_initial, 2 << 20);
  ck_assert_int_eq(config->verify, here.config.verify);
  ck_assert(config->poison);
  ck_assert_uint_eq(world_statistics(&here).limit_bytes, 64 << 20);
  ck_assert_uint_ge(world_statistics(&here).reserved_bytes, 64 << 20);
  world_close(&here);
  world_open(&here, _i, NULL);
  ck_assert_uint_gt(midden_heap_config(here.heap)->heap_limit, 0);
  ck_assert_uint_eq(world_statistics(&here).limit_bytes, midden_heap_config(here.heap)->heap_limit);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {allocations_are_counted, ANYWHERE},
      {used_bytes_are_exact_before_a_collection, CALM | ONE_GENERATION},
      {space_adds_up, ANYWHERE},
      {collections_are_counted, ANYWHERE},
      {hit_rate, CALM},
      {a_small_heap_stays_small, ANYWHERE},
      {the_configuration_in_force, ANYWHERE},
  };
  return run_combinations("statistics", tests, COUNT_OF(tests));
}
