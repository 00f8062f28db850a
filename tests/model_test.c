/* The model test: random graphs against their shadows, for every collector, stack mode, stress and growth
 * policy. A failure prints the seed;
 *   MIDDEN_TEST_SEED=N CK_RUN_CASE=copying/precise/alloc:7 ./model-test
 * replays it. Without the variable seeds are fixed, so that a run is the same everywhere; with
 * MIDDEN_TEST_LONG=1 there are many more of them, starting from the clock. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "harness.h"
#include "model.h"

static uint64_t first_seed(int index) {
  const char *text = getenv("MIDDEN_TEST_SEED");
  if (text != NULL) return strtoull(text, NULL, 0);
  return long_tests() ? (uint64_t)time(NULL) * 1000 : 1000 * (uint64_t)(index + 1);
}

static size_t rounds(size_t normal) {
  if (getenv("MIDDEN_TEST_SEED") != NULL) return 1;
  if (getenv("MIDDEN_TEST_SHORT") != NULL) return 1;
  return long_tests() ? normal * 40 : normal;
}

static uint64_t operations(const combination *where) {
  if (where->stress == MIDDEN_STRESS_OFF) return 15000;
  if (where->stress == MIDDEN_STRESS_RANDOM) return 8000;
  return where->stress_value == 1 ? 600 : 3000;
}

/* post: how many allocations were refused. */
static uint64_t run_rounds(int index, const char *options, bool switching, size_t normal) {
  const combination *where = combination_at(index);
  uint64_t seed = first_seed(index);
  model_result result;
  uint64_t moved = 0, defragmented = 0, collections = 0, refused = 0, switches = 0, asked = 0;
  for (size_t round = 0; round < rounds(normal); round++, seed++) {
    midden_config config = combination_config(index);
    midden_error error = {MIDDEN_OK, ""};
    ck_assert_msg(midden_config_parse(&config, options, &error) == MIDDEN_OK, "%s", error.message);
    model_run(&config, seed, operations(where), switching, &result);
    ck_assert_msg(!result.failed, "%s,%s: after %llu operations: %s (MIDDEN_TEST_SEED=%llu)", where->name, options,
                  (unsigned long long)result.operations, result.message, (unsigned long long)seed);
    ck_assert_uint_gt(result.operations, 0);
    ck_assert_uint_gt(result.comparisons, 0);
    if (strstr(options, "collect=asked")) ck_assert_uint_eq(result.heap.collections, result.heap.requested_collections);
    collections += result.heap.collections;
    refused += result.refused;
    asked += result.heap.pressure_calls;
    switches += result.heap.collector_switches;
    moved += result.heap.objects_moved - result.defragmented;
    defragmented += result.defragmented;
  }
  if (strstr(options, "soft-limit") && operations(where) >= 3000 && getenv("MIDDEN_TEST_SEED") == NULL) ck_assert_uint_gt(asked, 0);
  if (switching) {
    ck_assert_uint_gt(switches, 0);
    return refused;
  }
  ck_assert_int_eq(collections > 0, where->collects);
  if (where->stress == MIDDEN_STRESS_OFF && refused == 0 && getenv("MIDDEN_TEST_SEED") == NULL)
    ck_assert_int_eq(defragmented > 0, where->collects);
  if (where->moves == MOVES_NEVER) ck_assert_uint_eq(moved, 0);
  else ck_assert_uint_gt(moved, 0);
  return refused;
}

static uint64_t run(int index, const char *options, bool switching) { return run_rounds(index, options, switching, 3); }

START_TEST(ratio) { ck_assert_uint_eq(run(_i, "growth=ratio,heap-initial=256K", false), 0); }
END_TEST
START_TEST(fixed) { run(_i, "growth=fixed,heap-limit=6M", false); }
END_TEST
START_TEST(balance) { ck_assert_uint_eq(run(_i, "growth=balance,heap-initial=256K", false), 0); }
END_TEST
/* Memory runs out now and then: allocation returns NULL, the graph stays whole. */
START_TEST(tight) {
  uint64_t refused = run(_i, "heap-limit=256K,heap-initial=64K", false);
  if (operations(combination_at(_i)) >= 8000 && getenv("MIDDEN_TEST_SEED") == NULL) ck_assert_uint_gt(refused, 0);
}
END_TEST

/* The same where only what the model asks for collects. */
START_TEST(asked) {
  uint64_t refused = run(_i, "collect=asked,heap-limit=512K,heap-initial=64K", false);
  if (getenv("MIDDEN_TEST_SEED") == NULL) ck_assert_uint_gt(refused, 0);
}
END_TEST

/* More lives than soft-limit, and then memory runs out: the host is asked each time, and half of the runs drop roots. */
START_TEST(pressure) { run(_i, "heap-limit=512K,soft-limit=96K,heap-initial=64K", false); }
END_TEST

/* The collector changes under way, any to any: what one leaves, the next works on. */
START_TEST(switching) { run(_i, "heap-initial=256K", true); }
END_TEST
START_TEST(switching_in_a_tight_heap) { run(_i, "heap-limit=256K,heap-initial=64K,verify=after", true); }
END_TEST

/* Pages that objects have left fault: nobody may still use them, the library included. */
START_TEST(guarded) { run_rounds(_i, "guard=fault,heap-initial=256K", false, 1); }
END_TEST
START_TEST(guarded_in_a_tight_heap) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_heap *heap;
  midden_config_parse(&config, "guard=report:7", NULL);
  bool sites = midden_heap_open(&config, &heap, NULL) == MIDDEN_OK; /* else there is no libunwind to record them */
  if (sites) midden_heap_close(heap);
  run_rounds(_i, sites ? "guard=report:7,heap-limit=512K,heap-initial=64K" : "guard=report,heap-limit=512K,heap-initial=64K",
             true, 1);
}
END_TEST

/* stack=pinning: what a bare local and a frame have stays where it is, and no word of a stack keeps anything. */
START_TEST(pinning) { run_rounds(_i, "heap-initial=256K", false, 1); }
END_TEST
START_TEST(pinning_in_a_tight_heap) { run_rounds(_i, "heap-limit=256K,heap-initial=64K", true, 1); }
END_TEST

/* The same seed does the same operations: that is what replaying rests on. */
START_TEST(runs_are_reproducible) {
  model_result first, second;
  midden_config config = combination_config(_i);
  model_run(&config, 42, 500, true, &first);
  model_run(&config, 42, 500, true, &second);
  ck_assert_msg(!first.failed, "%s", first.message);
  ck_assert_uint_eq(first.operations, second.operations);
  ck_assert_uint_eq(first.comparisons, second.comparisons);
  ck_assert_uint_eq(first.heap.allocations, second.heap.allocations);
  ck_assert_uint_eq(first.heap.requested_bytes, second.heap.requested_bytes);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {ratio, ANYWHERE},
      {fixed, ANYWHERE},
      {balance, ANYWHERE},
      {tight, COLLECTING},
      {asked, COLLECTING | CALM},
      {pressure, COLLECTING},
      {switching, ANYWHERE},
      {guarded, ANYWHERE},
      {guarded_in_a_tight_heap, COLLECTING},
      {switching_in_a_tight_heap, COLLECTING},
      {runs_are_reproducible, ANYWHERE},
      {pinning, PINNING},
      {pinning_in_a_tight_heap, PINNING | COLLECTING},
  };
  return run_combinations("model", tests, COUNT_OF(tests));
}
