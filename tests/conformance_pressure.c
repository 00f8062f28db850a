/* Limits and pressure: the host is asked to drop what it can spare before an allocation fails; the soft limit; the
 * cap on the share of time spent collecting; what the heap takes by itself. */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "harness.h"

enum { CACHE = 2000, CACHE_COUNT = 64, CACHE_BYTES = 6000 };

/* A host with a cache in slots CACHE and up. */
typedef struct cache_host {
  world world;
  size_t cached;
  unsigned soft, hard;
  size_t bytes;         /* asked for in the last call */
  bool lies;            /* says that it has dropped something, and has not */
  midden_status inside[6];
  midden_word another;  /* a root for a while */
} cache_host;

static bool drop_some(void *context, midden_heap *heap, midden_pressure pressure, size_t bytes) {
  cache_host *host = context;
  if (heap != host->world.heap) abort();
  if (pressure == MIDDEN_PRESSURE_SOFT) host->soft++;
  else host->hard++;
  host->bytes = bytes;
  if (host->lies) return true;
  size_t dropped = 0;
  for (; host->cached > 0 && dropped < 8; dropped++) host->world.slots[CACHE + --host->cached] = 0;
  return dropped > 0;
}

static void open_host(cache_host *host, int index, const char *options) {
  midden_config config = combination_config(index);
  midden_error error = {MIDDEN_OK, ""};
  memset(host, 0, sizeof *host);
  ck_assert_msg(midden_config_parse(&config, options, &error) == MIDDEN_OK, "%s", error.message);
  config.pressure = drop_some;
  config.pressure_context = host;
  world_open_config(&host->world, index, &config);
}

static void fill_cache(cache_host *host) {
  for (size_t i = 0; i < CACHE_COUNT; i++) {
    host->world.slots[CACHE + i] = (uintptr_t)world_leaf(&host->world, CACHE_BYTES, i);
    host->cached = i + 1;
  }
}

/* Whatever is still in the cache is whole. */
static void check_cache(const cache_host *host) {
  for (size_t i = 0; i < CACHE_COUNT; i++) {
    midden_word slot = host->world.slots[CACHE + i];
    EXPECT((slot != 0) == (i < host->cached), "place %zu of the cache", i);
    if (slot) EXPECT_LEAF((void *)slot, CACHE_BYTES, i);
  }
}

/* The cache gives way, bit by bit, to what the program needs; then memory is out. */
START_TEST(a_cache_gives_way) {
  cache_host host;
  open_host(&host, _i, "heap-limit=1M,heap-initial=64K,verify=off");
  world *here = &host.world;
  fill_cache(&host);
  size_t length = 0, first_call = 0;
  for (;; length++) {
    pair *cell = midden_alloc(here->mutator, here->pair);
    if (cell == NULL) break;
    midden_store_word(here->mutator, cell, &cell->car, immediate(length));
    midden_store_word(here->mutator, cell, &cell->cdr, here->slots[0]);
    here->slots[0] = (uintptr_t)cell;
    if (host.hard >= 1 && first_call == 0) first_call = length;
    if (length % 1000 == 0) check_cache(&host);
  }
  ck_assert_int_eq(midden_last_status(here->mutator), MIDDEN_NO_MEMORY);
  ck_assert_uint_eq(host.cached, 0);
  ck_assert_uint_ge(host.hard, CACHE_COUNT / 8 + 1);
  ck_assert_uint_eq(host.soft, 0);
  ck_assert_uint_eq(world_statistics(here).pressure_calls, host.hard);
  ck_assert_uint_gt(first_call * sizeof(pair), 400 << 10);          /* not before it was needed */
  ck_assert_uint_ge(length * sizeof(pair), (size_t)900 << 10);      /* and all of the cache was used */
  const pair *cell = (const pair *)here->slots[0];
  for (size_t i = length; i-- > 0; cell = (const pair *)cell->cdr) EXPECT(cell->car == immediate(i), "cell %zu", i);
  world_close(here);
}
END_TEST

START_TEST(a_large_object) {
  cache_host host;
  open_host(&host, _i, "heap-limit=1M,heap-initial=1M,verify=off");
  fill_cache(&host);
  stack_wipe();
  host.world.slots[0] = (uintptr_t)world_leaf(&host.world, 700 << 10, 1);
  ck_assert_uint_gt(host.hard, 0);
  ck_assert_uint_eq(host.bytes, 700 << 10);
  check_cache(&host);
  ck_assert_ptr_null(midden_alloc_sized(host.world.mutator, host.world.leaf, 600 << 10));
  EXPECT_LEAF((void *)host.world.slots[0], 700 << 10, 1);
  world_close(&host.world);
}
END_TEST

/* A host that says it has dropped something and has not is not asked for ever. */
START_TEST(a_host_that_lies) {
  cache_host host;
  open_host(&host, _i, "heap-limit=256K,heap-initial=64K,verify=off");
  host.lies = true;
  host.world.slots[0] = (uintptr_t)world_leaf(&host.world, 200 << 10, 1);
  ck_assert_ptr_null(midden_alloc_sized(host.world.mutator, host.world.leaf, 100 << 10));
  ck_assert_uint_gt(host.hard, 1);
  ck_assert_uint_lt(host.hard, 100);
  world_close(&host.world);
}
END_TEST

static bool try_everything(void *context, midden_heap *heap, midden_pressure pressure, size_t bytes) {
  cache_host *host = context;
  midden_mutator *mutator = host->world.mutator;
  midden_statistics statistics;
  (void)pressure, (void)bytes;
  host->hard++;
  for (int i = 0; i < 3; i++)
    if (midden_alloc(mutator, host->world.pair) != NULL) abort();
  host->inside[0] = midden_last_status(mutator);
  host->inside[1] = midden_collect(mutator, MIDDEN_FULL);
  host->inside[2] = midden_detach(mutator);
  host->inside[3] = midden_heap_close(heap);
  host->inside[4] = midden_external_room(mutator, 1);
  host->inside[5] = midden_root_add(heap, &host->another);
  midden_root_remove(heap, &host->another);
  midden_statistics_read(heap, &statistics);
  midden_trim(heap);
  return false;
}

START_TEST(what_the_callback_may_do) {
  cache_host host;
  midden_config config = combination_config(_i);
  midden_config_parse(&config, "heap-limit=256K,verify=off", NULL);
  memset(&host, 0, sizeof host);
  config.pressure = try_everything;
  config.pressure_context = &host;
  world_open_config(&host.world, _i, &config);
  world_pair(&host.world); /* a run with free cells: the inlined path would serve from it */
  host.world.slots[0] = (uintptr_t)world_leaf(&host.world, 200 << 10, 1);
  ck_assert_ptr_null(midden_alloc_sized(host.world.mutator, host.world.leaf, 100 << 10));
  ck_assert_uint_gt(host.hard, 0);
  for (int i = 0; i < 5; i++) ck_assert_int_eq(host.inside[i], MIDDEN_MISUSE);
  ck_assert_int_eq(host.inside[5], MIDDEN_OK);
  ck_assert_int_eq(midden_last_status(host.world.mutator), MIDDEN_NO_MEMORY);
  world_pair(&host.world);
  world_close(&host.world);
}
END_TEST

/* Garbage never brings the heap far beyond the soft limit, whatever the growth rule would allow. */
START_TEST(the_soft_limit_holds_garbage_down) {
  world here;
  world_open(&here, _i, "heap-limit=64M,heap-initial=32M,growth=ratio:20,soft-limit=4M,verify=off,nursery=16M");
  world_list(&here, 0, 60000); /* 960 KB */
  size_t most = 0;
  for (size_t i = 0; i < 800; i++) {
    world_churn(&here, 1000);
    size_t used = world_statistics(&here).used_bytes;
    if (used > most) most = used;
  }
  EXPECT(most <= (size_t)5 << 20, "%zu bytes were used", most);
  world_list_check(&here, 0, 60000);
  world_close(&here);
}
END_TEST

/* When more lives than the soft limit, the host is asked after each full collection, and nothing fails. */
START_TEST(beyond_the_soft_limit) {
  cache_host host;
  open_host(&host, _i, "heap-limit=64M,heap-initial=64K,soft-limit=1M,verify=off");
  fill_cache(&host);
  ck_assert_uint_eq(host.soft, 0);
  world_list(&host.world, 0, 100000); /* 1.6 MB */
  world_collect(&host.world);
  ck_assert_uint_gt(host.soft, 0);
  ck_assert_uint_eq(host.hard, 0);
  ck_assert_uint_lt(host.cached, CACHE_COUNT);
  ck_assert_uint_ge(host.bytes, 500 << 10);
  ck_assert_uint_le(host.bytes, 3 << 20);
  world_list_check(&host.world, 0, 100000);
  check_cache(&host);
  world_close(&host.world);
}
END_TEST

/* A heap that is almost full spends nearly all time collecting: with a cap, it says that memory is out. */
static size_t pairs_until_refused(int index, const char *options, world *here) {
  world_open(here, index, options);
  world_list(here, 0, 500000); /* 8 MB of 8.1 */
  stack_wipe();
  world_collect(here);
  for (size_t i = 0; i < 200000; i++) {
    pair *garbage = midden_alloc(here->mutator, here->pair);
    if (garbage == NULL) return i;
  }
  return 200000;
}

#define THRASHING "heap-limit=8200K,heap-initial=64K,verify=off,poison=no"

START_TEST(the_share_of_time) {
  world here;
  ck_assert_uint_eq(pairs_until_refused(_i, THRASHING, &here), 200000);
  ck_assert_uint_eq(world_statistics(&here).share_refusals, 0);
  world_close(&here);
  ck_assert_uint_lt(pairs_until_refused(_i, THRASHING ",collect-share=10", &here), 200000);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  ck_assert_uint_gt(world_statistics(&here).share_refusals, 0);
  world_list_check(&here, 0, 500000);
  here.slots[0] = 0; /* there is room again: the heap goes on */
  stack_wipe();
  world_collect(&here);
  for (size_t i = 0; i < 20000; i++) EXPECT(midden_alloc(here.mutator, here.pair) != NULL, "pair %zu", i);
  world_close(&here);
}
END_TEST

/* A cell of a larger class, which a full heap lends, must not get round that cap: it would thrash on. */
START_TEST(the_share_is_not_evaded) {
  world here;
  world_open(&here, _i, THRASHING ",collect-share=10");
  for (size_t i = 0; i < 600; i++) { /* cells of 512 bytes to lend */
    void *leaf = world_leaf(&here, 512, i);
    if (i % 30 == 0) here.slots[1 + i / 30] = (uintptr_t)leaf;
  }
  for (size_t failures = 0; failures < 50;) { /* as many pairs as there is room for, whatever the cap says */
    pair *cell = midden_alloc(here.mutator, here.pair);
    failures += cell == NULL;
    if (cell == NULL) continue;
    midden_store_word(here.mutator, cell, &cell->cdr, here.slots[0]);
    here.slots[0] = (uintptr_t)cell;
  }
  uint64_t refused = world_statistics(&here).share_refusals, first = refused;
  for (size_t i = 0; i < 100000 && refused < first + 5; i++) {
    void *leaf = midden_alloc_sized(here.mutator, here.leaf, 16);
    uint64_t now = world_statistics(&here).share_refusals;
    EXPECT(now == refused || leaf == NULL, "refused, and handed out");
    refused = now;
  }
  ck_assert_uint_gt(refused, first);
  world_close(&here);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__)
/* With heap-limit=auto, a heap lives within what the process may address, and says when that is used up. */
START_TEST(limited_address_space) {
  struct rlimit before, limit;
  world here;
  ck_assert_int_eq(getrlimit(RLIMIT_AS, &before), 0);
  limit = before;
  limit.rlim_cur = (rlim_t)400 << 20;
  if (setrlimit(RLIMIT_AS, &limit) != 0) return;
  world_open(&here, _i, "verify=off,poison=no");
  ck_assert_uint_le(world_statistics(&here).limit_bytes, 200 << 20);
  ck_assert_uint_ge(world_statistics(&here).limit_bytes, 32 << 20);
  size_t count = 0;
  for (; count < WORLD_SLOTS; count++) {
    void *leaf = midden_alloc_sized(here.mutator, here.leaf, 1 << 20);
    if (leaf == NULL) break;
    here.slots[count] = (uintptr_t)leaf;
  }
  ck_assert_uint_gt(count, 20);
  ck_assert_uint_lt(count, 200);
  ck_assert_int_eq(midden_last_status(here.mutator), MIDDEN_NO_MEMORY);
  world_close(&here);
  setrlimit(RLIMIT_AS, &before);
}
END_TEST
#endif

int main(void) {
  const test_entry tests[] = {
      {a_cache_gives_way, COLLECTING | CALM},
      {a_large_object, COLLECTING | CALM | PRECISE},
      {a_host_that_lies, ANYWHERE},
      {what_the_callback_may_do, ANYWHERE},
      {the_soft_limit_holds_garbage_down, COLLECTING | CALM},
      {beyond_the_soft_limit, COLLECTING | CALM},
      {the_share_is_not_evaded, COLLECTING | CALM | ONE_GENERATION},
      {the_share_of_time, COLLECTING | CALM | ONE_GENERATION},
#if !defined(__SANITIZE_ADDRESS__)
      {limited_address_space, CALM},
#endif
  };
  return run_combinations("pressure", tests, COUNT_OF(tests));
}
