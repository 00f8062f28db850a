/* Conformance: collect=asked. Only what the host asks for collects: memory is refused instead, whatever wants it; and
 * midden_collection_due says when it had better ask, under collect=auto too. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

enum { LEAF_BYTES = 200, LARGE_BYTES = 100000 };

static void open_asked(world *here, int index, const char *options) {
  midden_config config = combination_config(index);
  midden_error error = {MIDDEN_OK, ""};
  config.collecting = MIDDEN_COLLECTING_ASKED;
  ck_assert_msg(midden_config_parse(&config, options, &error) == MIDDEN_OK, "%s", error.message);
  world_open_config(here, index, &config);
}

static bool due(const world *here) { return midden_collection_due(here->mutator); }

static void collect(world *here, midden_collection which) {
  uint64_t before = world_statistics(here).collections;
  ck_assert_int_eq(midden_collect(here->mutator, which), MIDDEN_OK);
  ck_assert_uint_eq(world_statistics(here).collections, before + 1);
}

/* Nothing has collected but the host, so often. */
static void check_asked(world *here, uint64_t times) {
  midden_statistics statistics = world_statistics(here);
  ck_assert_uint_eq(statistics.collections, times);
  ck_assert_uint_eq(statistics.requested_collections, times);
  ck_assert_uint_eq(statistics.emergency_collections, 0);
}

/* Leaves that nothing holds, until one is refused. post: how many there were. */
static size_t fill_with_garbage(world *here, size_t size) {
  size_t count = 0;
  while (midden_alloc_sized(here->mutator, here->leaf, size)) EXPECT(++count < 100000, "nothing is refused");
  ck_assert_int_eq(midden_last_status(here->mutator), MIDDEN_NO_MEMORY);
  return count;
}

/* ---- allocation ---- */

/* Past every threshold, several times. */
START_TEST(allocation_never_collects) {
  world here;
  open_asked(&here, _i, "heap-limit=64M,heap-initial=64K,nursery=64K");
  world_list(&here, 0, 2000);
  for (size_t round = 0; round < 10; round++) {
    world_churn(&here, 3000);
    world_leaf(&here, LARGE_BYTES, round);
    world_vector(&here, 20000);
  }
  check_asked(&here, 0);
  ck_assert_int_eq(due(&here), here.combination->collects);
  world_list_check(&here, 0, 2000);
  world_close(&here);
}
END_TEST

/* NULL, again and again, for small and large; what the host asks for makes room. */
START_TEST(refused_until_asked) {
  world here;
  open_asked(&here, _i, "heap-limit=4M");
  world_list(&here, 0, 1000);
  uint64_t asked = 0;
  for (int round = 0; round < 3; round++) {
    ck_assert_uint_gt(fill_with_garbage(&here, LEAF_BYTES), 10000);
    ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, LEAF_BYTES));
    ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, LARGE_BYTES));
    ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
    check_asked(&here, asked);
    ck_assert(due(&here));
    stack_wipe();
    collect(&here, round == 1 ? MIDDEN_PACED : MIDDEN_FULL);
    asked++;
    ck_assert(!due(&here));
    world_leaf(&here, LARGE_BYTES, 1);
  }
  bool more = true;
  ck_assert_int_eq(midden_defragment(here.mutator, SIZE_MAX, &more), MIDDEN_OK);
  check_asked(&here, asked + 1);
  world_list_check(&here, 0, 1000);
  world_close(&here);
}
END_TEST

/* A refusal makes a collection due where pacing does not: growth=fixed waits for as much as the limit. */
START_TEST(a_refusal_is_due) {
  world here;
  open_asked(&here, _i, "heap-limit=4M,growth=fixed,nursery=64M");
  for (size_t bytes = 0; bytes < 2 << 20; bytes += LARGE_BYTES) world_leaf(&here, LARGE_BYTES, 0);
  ck_assert(!due(&here));
  ck_assert_ptr_null(midden_alloc_sized(here.mutator, here.leaf, 3 << 20));
  ck_assert(due(&here));
  check_asked(&here, 0);
  stack_wipe();
  collect(&here, MIDDEN_PACED);
  ck_assert(!due(&here));
  world_leaf(&here, 3 << 20, 1);
  world_close(&here);
}
END_TEST

/* Before NULL: what blocks keep in reserve, */
START_TEST(reserves_of_blocks_are_trimmed) {
  world here;
  open_asked(&here, _i, "heap-limit=4M");
  for (size_t size = 16; size <= 32 << 10; size += 16 + size / 16) {
    ck_assert_int_eq(midden_block_free(here.mutator, midden_block_alloc(here.mutator, size)), MIDDEN_OK);
  }
  ck_assert_uint_gt(world_statistics(&here).block_span_bytes, 256 << 10);
  fill_with_garbage(&here, LARGE_BYTES);
  ck_assert_uint_eq(world_statistics(&here).block_span_bytes, 0);
  check_asked(&here, 0);
  world_close(&here);
}
END_TEST

/* a cell of another size, */
START_TEST(cells_are_borrowed) {
  world here;
  open_asked(&here, _i, "heap-limit=1M");
  size_t kept = 0;
  void *leaf;
  for (size_t i = 0; (leaf = midden_alloc_sized(here.mutator, here.leaf, LEAF_BYTES)); i++) {
    if (i % 2 == 0) here.slots[kept++] = (uintptr_t)leaf;
    leaf_fill(leaf, LEAF_BYTES, kept);
  }
  stack_wipe();
  bool more;
  ck_assert_int_eq(midden_defragment(here.mutator, 0, &more), MIDDEN_OK); /* a collection that moves nothing */
  while (midden_alloc_sized(here.mutator, here.leaf, LARGE_BYTES)) continue; /* no page is left */
  uint64_t asked = world_statistics(&here).collections;
  for (size_t i = 0; i < 1000; i++) world_leaf(&here, LEAF_BYTES - 40, i);
  check_asked(&here, asked);
  for (size_t i = 0; i < kept; i++) EXPECT_LEAF((void *)here.slots[i], LEAF_BYTES, i + 1);
  world_close(&here);
}
END_TEST

/* and the host's callback. */
static unsigned pressure_calls;
static bool give_way(void *context, midden_heap *heap, midden_pressure pressure, size_t bytes) {
  world *here = context;
  (void)bytes;
  if (heap != here->heap || pressure != MIDDEN_PRESSURE_HARD) abort();
  return pressure_calls++ == 0 && midden_external_remove(here->mutator, NULL, 1 << 20) == MIDDEN_OK;
}

START_TEST(the_callback_is_asked) {
  world here;
  midden_config config = combination_config(_i);
  config.collecting = MIDDEN_COLLECTING_ASKED;
  config.heap_limit = 4 << 20;
  config.pressure = give_way;
  config.pressure_context = &here;
  pressure_calls = 0;
  world_open_config(&here, _i, &config);
  ck_assert_int_eq(midden_external_add(here.mutator, NULL, 1 << 20), MIDDEN_OK);
  size_t count = fill_with_garbage(&here, LARGE_BYTES);
  ck_assert_uint_gt(count, (3 << 20) / LARGE_BYTES); /* it went on where the callback had given way */
  ck_assert_uint_eq(pressure_calls, 2);
  check_asked(&here, 0);
  world_close(&here);
}
END_TEST

/* ---- what else collects under collect=auto ---- */

START_TEST(blocks) {
  world here;
  open_asked(&here, _i, "heap-limit=2M,growth=fixed,nursery=64M");
  for (int i = 0; i < 15; i++) world_leaf(&here, LARGE_BYTES, 0);
  ck_assert(!due(&here));
  ck_assert_ptr_null(midden_block_alloc(here.mutator, 1 << 20));
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  check_asked(&here, 0);
  ck_assert(due(&here));
  stack_wipe();
  collect(&here, MIDDEN_FULL);
  void *block = midden_block_alloc(here.mutator, 1 << 20);
  ck_assert_ptr_nonnull(block);
  ck_assert_int_eq(midden_block_free(here.mutator, block), MIDDEN_OK);
  world_close(&here);
}
END_TEST

START_TEST(buffers) {
  world here;
  open_asked(&here, _i, "heap-limit=2M,heap-initial=64K");
  for (size_t count = 0; midden_buffer_new(here.mutator, LARGE_BYTES); count++) EXPECT(count < 100, "no buffer is refused");
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  check_asked(&here, 0);
  ck_assert(due(&here));
  stack_wipe();
  collect(&here, MIDDEN_FULL);
  ck_assert_uint_le(world_statistics(&here).buffers, 1); /* the stack may hold one */
  ck_assert_ptr_nonnull(midden_buffer_new(here.mutator, LARGE_BYTES));
  world_close(&here);
}
END_TEST

/* Leases of a pool whose owners are dead come back when the host collects, and not before. */
START_TEST(leases_of_dead_owners) {
  world here;
  open_asked(&here, _i, "heap-limit=2M");
  midden_pool *pool = NULL;
  midden_pool_options options = {.total_bytes = 64 << 10, .name = "asked"};
  ck_assert_int_eq(midden_pool_open(here.mutator, &options, &pool, NULL), MIDDEN_OK);
  midden_buffer *buffer = NULL;
  for (int i = 0; i < 16; i++) {
    ck_assert_int_eq(midden_buffer_acquire(here.mutator, pool, 4096, MIDDEN_AT_ONCE, MIDDEN_HERE, &buffer), MIDDEN_OK);
  }
  ck_assert_int_eq(midden_buffer_acquire(here.mutator, pool, 4096, MIDDEN_AT_ONCE, MIDDEN_HERE, &buffer), MIDDEN_TIMED_OUT);
  check_asked(&here, 0);
  buffer = NULL;
  stack_wipe();
  collect(&here, MIDDEN_FULL);
  ck_assert_int_eq(midden_buffer_acquire(here.mutator, pool, 4096, MIDDEN_AT_ONCE, MIDDEN_HERE, &buffer), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_IN_USE);
  check_asked(&here, 1);
  midden_buffer_release(here.mutator, buffer);
  buffer = NULL;
  stack_wipe();
  collect(&here, MIDDEN_FULL);
  ck_assert_int_eq(midden_pool_close(here.mutator, pool), MIDDEN_OK);
  check_asked(&here, 2);
  world_close(&here);
}
END_TEST

START_TEST(external_memory) {
  world here;
  open_asked(&here, _i, "heap-limit=4M,growth=fixed,nursery=64M");
  for (int round = 0; round < 2; round++) {
    ck_assert_int_eq(midden_external_room(here.mutator, 3 << 20), MIDDEN_OK);
    ck_assert_int_eq(midden_external_add(here.mutator, world_pair(&here), 3 << 20), MIDDEN_OK);
    ck_assert(!due(&here));
    midden_status answer = round == 0 ? midden_external_room(here.mutator, 2 << 20)
                                      : midden_external_add(here.mutator, NULL, 2 << 20);
    ck_assert_int_eq(answer, MIDDEN_NO_MEMORY);
    check_asked(&here, (uint64_t)round);
    ck_assert(due(&here));
    stack_wipe();
    collect(&here, MIDDEN_FULL);
    ck_assert_uint_eq(world_statistics(&here).external_bytes, 0);
  }
  world_close(&here);
}
END_TEST

/* ---- when it is due ---- */

/* Exactly where collect=auto collects: a collection comes only when it was due before, at a refill, and then it comes. */
START_TEST(due_is_when_auto_collects) {
  world here;
  world_open(&here, _i, "heap-initial=128K,nursery=128K,verify=off");
  uint64_t refills = 0, collections = 0, times = 0;
  for (size_t i = 0; i < 60000; i++) {
    midden_statistics before = world_statistics(&here);
    bool was_due = due(&here);
    world_leaf(&here, 48, i);
    midden_statistics after = world_statistics(&here);
    bool collected = after.collections > before.collections;
    EXPECT(collected == (was_due && after.refills > before.refills), "allocation %zu", i);
    EXPECT(!collected || !due(&here), "still due after allocation %zu", i);
    refills += after.refills - before.refills;
    collections += collected;
    times += was_due;
  }
  ck_assert_uint_gt(collections, 3);
  ck_assert_uint_gt(refills, 5 * collections);
  ck_assert_uint_ge(times, collections);
  world_close(&here);
}
END_TEST

/* A host that can be interrupted between two statements of its program only: it looks there, and never runs out. */
START_TEST(collecting_at_safe_points) {
  world here;
  open_asked(&here, _i, "heap-limit=8M,soft-limit=6M,heap-initial=512K,verify=off");
  world_list(&here, 0, 5000);
  uint64_t asked = 0;
  for (size_t statement = 0; statement < 4000; statement++) {
    here.slots[1] = 0;
    for (size_t i = 0; i < 100; i++) here.slots[2 + i] = (uintptr_t)world_leaf(&here, 16 + i, i);
    here.slots[1] = (uintptr_t)world_leaf(&here, 20000, statement);
    if (!due(&here)) continue;
    collect(&here, here.combination->generational && asked % 4 ? MIDDEN_MINOR : MIDDEN_PACED);
    asked++;
    EXPECT_LEAF((void *)here.slots[1], 20000, statement);
  }
  check_asked(&here, asked);
  ck_assert_uint_gt(asked, 10);
  ck_assert_uint_lt(asked, 1000);
  world_list_check(&here, 0, 5000);
  world_close(&here);
}
END_TEST

static bool due_inside, asked_inside;
static void ask_inside(midden_visitor *visitor, void *context) {
  (void)visitor;
  asked_inside = true;
  due_inside |= midden_collection_due(context);
}

static void *ask_elsewhere(void *mutator) { return midden_collection_due(mutator) ? mutator : NULL; }

/* Never due under `none`, inside a collection, for another thread, or without a mutator. */
START_TEST(never_due) {
  world here;
  open_asked(&here, _i, "heap-limit=64M,heap-initial=64K");
  ck_assert(!due(&here));
  ck_assert(!midden_collection_due(NULL));
  world_churn(&here, 10000);
  ck_assert_int_eq(due(&here), here.combination->collects);
  pthread_t thread;
  void *answer = &here;
  ck_assert_int_eq(pthread_create(&thread, NULL, ask_elsewhere, here.mutator), 0);
  ck_assert_int_eq(pthread_join(thread, &answer), 0);
  ck_assert_ptr_null(answer);
  due_inside = asked_inside = false;
  ck_assert_int_eq(midden_root_scanner_add(here.heap, ask_inside, here.mutator), MIDDEN_OK);
  world_collect(&here);
  ck_assert_int_eq(asked_inside, here.combination->collects);
  ck_assert(!due_inside);
  ck_assert(!due(&here));
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {allocation_never_collects, CALM},
      {refused_until_asked, CALM | COLLECTING},
      {a_refusal_is_due, CALM | COLLECTING},
      {reserves_of_blocks_are_trimmed, CALM},
      {cells_are_borrowed, CALM | COLLECTING},
      {the_callback_is_asked, CALM},
      {blocks, CALM | COLLECTING},
      {buffers, CALM | COLLECTING},
      {leases_of_dead_owners, CALM | COLLECTING},
      {external_memory, CALM | COLLECTING},
      {due_is_when_auto_collects, CALM | COLLECTING},
      {collecting_at_safe_points, CALM | COLLECTING},
      {never_due, CALM},
  };
  return run_combinations("asked", tests, COUNT_OF(tests));
}
