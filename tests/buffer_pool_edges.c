/* Pools of buffers: reports, bad arguments, the heap's account, memory that is refused. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "counting_memory.h"
#include "harness.h"
#include "pool_host.h"

/* ---- reports ---- */

START_TEST(leaks_are_named) {
  struct host host;
  midden_lease leaks[4];
  pool_open(&host, 12, 12);
  char by_content[] = "server.scm:12"; /* another copy of the same name */
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, "server.scm:12", &leaks[0]), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 10, MIDDEN_AT_ONCE, NULL, &leaks[1]), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 2 * CHUNK, MIDDEN_AT_ONCE, by_content, &leaks[2]), MIDDEN_OK);
  midden_lease returned = pool_take(&host, 1);
  char expected[256];
  snprintf(expected, sizeof expected, "midden: pool requests: not given back: 1 leases, 1024 bytes, acquired at %s:%d", __FILE__, __LINE__ + 1);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &leaks[3]), MIDDEN_OK);
  pool_give(&host, &returned);
  ck_assert_uint_eq(midden_pool_report(host.mutator, host.pool), 4);
  ck_assert_uint_eq(host.line_count, 3);
  host.line_count = 0;
  ck_assert_int_eq(midden_pool_close(host.mutator, host.pool), MIDDEN_IN_USE);
  ck_assert_uint_eq(host.line_count, 3);
  ck_assert_str_eq(host.lines[0], "midden: pool requests: not given back: 2 leases, 3072 bytes, acquired at server.scm:12");
  ck_assert_str_eq(host.lines[1], "midden: pool requests: not given back: 1 leases, 1024 bytes, acquired at unknown");
  ck_assert_str_eq(host.lines[2], expected);
  host.line_count = 0;
  for (size_t i = 0; i < 4; i++) pool_give(&host, &leaks[i]);
  pool_close(&host);
  ck_assert_uint_eq(host.line_count, 0);
}
END_TEST

/* ---- bad arguments ---- */

START_TEST(bad_leases) {
  struct host host;
  pool_open(&host, 8, 8);
  midden_lease lease = pool_take(&host, 2), copy = lease, shifted = lease, foreign = {&host, 10, 1};
  shifted.address = (char *)lease.address + CHUNK;
  ck_assert_int_eq(midden_pool_release(host.pool, &shifted), MIDDEN_BAD_ARGUMENT);
  shifted.address = (char *)lease.address + 8;
  ck_assert_int_eq(midden_pool_release(host.pool, &shifted), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pool_release(host.pool, &foreign), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pool_release(host.pool, NULL), MIDDEN_BAD_ARGUMENT);
  pool_give(&host, &lease);
  ck_assert_int_eq(midden_pool_release(host.pool, &copy), MIDDEN_BAD_ARGUMENT); /* given back by the other copy */
  midden_lease next = pool_take(&host, 2);
  ck_assert_ptr_eq(next.address, copy.address);
  ck_assert_int_eq(midden_pool_release(host.pool, &copy), MIDDEN_BAD_ARGUMENT); /* it is somebody else's now */
  ck_assert_uint_eq(pool_figures(&host).leases, 1);
  pool_give(&host, &next);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, 0, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pool_statistics_read(host.pool, NULL), MIDDEN_BAD_ARGUMENT);
  pool_close(&host);
}
END_TEST

START_TEST(bad_pools) {
  static const midden_pool_options bad[] = {
      {0, 0, 0, NULL, false},        {4096, 8192, 0, NULL, false},         {4096, 0, 1000, NULL, false},
      {4096, 0, 32, NULL, false},    {4096, 0, (size_t)2 << 30, NULL, false}, {(size_t)1 << 40, 4096, 4096, NULL, false},
      {SIZE_MAX, 1, 64, NULL, false}};
  struct host host, other;
  pool_open(&host, 8, 8);
  pool_open_host(&other, NULL);
  midden_pool *pool = (midden_pool *)&host;
  for (size_t i = 0; i < COUNT_OF(bad); i++) {
    midden_error error = {MIDDEN_OK, ""};
    EXPECT(midden_pool_open(host.mutator, &bad[i], &pool, &error) == MIDDEN_BAD_ARGUMENT, "options %zu", i);
    EXPECT(error.status == MIDDEN_BAD_ARGUMENT && error.message[0] && pool == (midden_pool *)&host, "options %zu", i);
  }
  midden_pool_options large = {(size_t)17 << 20, 0, 0, NULL, false};
  ck_assert_int_eq(midden_pool_open(host.mutator, &large, &pool, NULL), MIDDEN_NO_MEMORY); /* beyond heap-limit */
  ck_assert_int_eq(midden_pool_open(NULL, &large, &pool, NULL), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_pool_open(host.mutator, NULL, &pool, NULL), MIDDEN_BAD_ARGUMENT);
  midden_lease lease;
  ck_assert_int_eq(midden_pool_acquire(NULL, 1, 0, NULL, &lease), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_pool_release(NULL, &lease), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_pool_shut(NULL), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_pool_close(other.mutator, host.pool), MIDDEN_MISUSE); /* another heap's */
  ck_assert_int_eq(midden_pool_grow(other.mutator, host.pool, 1), MIDDEN_MISUSE);
  ck_assert_uint_eq(midden_pool_report(other.mutator, host.pool), 0);
  ck_assert_ptr_null(midden_buffer_adopt(other.mutator, host.pool, &lease));
  midden_heap_close(other.heap);
  pool_close(&host);
}
END_TEST

static void *use_owner_calls(void *context) {
  struct host *host = context;
  bool refused = midden_pool_grow(host->mutator, host->pool, 1) == MIDDEN_MISUSE &&
                 midden_pool_close(host->mutator, host->pool) == MIDDEN_MISUSE;
  return refused ? host : NULL;
}

START_TEST(the_owner_only) {
  struct host host;
  pthread_t thread;
  void *result = NULL;
  pool_open(&host, 4, 8);
  ck_assert_int_eq(pthread_create(&thread, NULL, use_owner_calls, &host), 0);
  ck_assert_int_eq(pthread_join(thread, &result), 0);
  ck_assert_ptr_eq(result, &host);
  pool_close(&host);
}
END_TEST

/* ---- the account ---- */

START_TEST(pools_are_charged) {
  struct host host;
  pool_open(&host, 8 << 10, 16 << 10); /* 8 MiB of 16 */
  ck_assert_int_eq(midden_external_room(host.mutator, (size_t)9 << 20), MIDDEN_NO_MEMORY);
  ck_assert_ptr_null(midden_block_alloc(host.mutator, (size_t)9 << 20));
  ck_assert_int_eq(midden_external_remove(host.mutator, NULL, 1), MIDDEN_BAD_ARGUMENT); /* nobody else takes it off */
  void *block = midden_block_alloc(host.mutator, (size_t)7 << 20);
  ck_assert_ptr_nonnull(block);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, (size_t)2 << 20), MIDDEN_NO_MEMORY);
  ck_assert_uint_eq(pool_figures(&host).capacity_bytes, (size_t)8 << 20);
  midden_block_free(host.mutator, block);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, (size_t)8 << 20), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_close(host.mutator, host.pool), MIDDEN_OK);
  block = midden_block_alloc(host.mutator, (size_t)15 << 20);
  ck_assert_ptr_nonnull(block);
  midden_heap_close(host.heap);
}
END_TEST

/* ---- no memory ---- */

/* Uses everything, with the n-th request for memory refused. post: whether that many were made. */
static bool live_without(const char *collector, uint64_t n, bool forever) {
  counting_memory memory;
  struct host host;
  counting_memory_open(&memory);
  pool_open_host(&host, &memory.face);
  EXPECT(midden_heap_use(host.heap, collector, NULL) == MIDDEN_OK, "%s", collector);
  counting_memory_fail(&memory, n, forever);
  midden_pool_options options = {.total_bytes = 200 << 10, .initial_bytes = 8192, .chunk_bytes = 128};
  midden_pool *pool = NULL;
  midden_error error = {MIDDEN_OK, ""};
  midden_status status = midden_pool_open(host.mutator, &options, &pool, &error);
  EXPECT(status == MIDDEN_OK ? pool != NULL : status == MIDDEN_NO_MEMORY && error.status == status && !pool, "open");
  if (status != MIDDEN_OK && !forever) EXPECT(midden_pool_open(host.mutator, &options, &pool, &error) == MIDDEN_OK, "again");
  midden_lease lease = {NULL, 0, 0};
  midden_buffer *buffer = NULL;
  if (pool) {
    EXPECT(midden_pool_acquire(pool, 8000, MIDDEN_AT_ONCE, MIDDEN_HERE, &lease) == MIDDEN_OK, "acquire");
    memset(lease.address, 1, lease.size);
    status = midden_pool_grow(host.mutator, pool, 8192);
    EXPECT(status == MIDDEN_OK || status == MIDDEN_NO_MEMORY, "grow");
    midden_pool_statistics statistics;
    midden_pool_statistics_read(pool, &statistics);
    EXPECT(statistics.capacity_bytes == (status == MIDDEN_OK ? 16384 : 8192), "capacity");
    status = midden_buffer_acquire(host.mutator, pool, 100, MIDDEN_AT_ONCE, MIDDEN_HERE, &buffer);
    EXPECT(status == MIDDEN_OK ? buffer != NULL : status == MIDDEN_NO_MEMORY || !buffer, "buffer");
    buffer = midden_buffer_adopt(host.mutator, pool, &lease);
    EXPECT(buffer ? !lease.address : lease.address && midden_last_status(host.mutator) == MIDDEN_NO_MEMORY, "adopt");
  }
  for (size_t i = 0; i < 20; i++) {
    buffer = midden_buffer_new(host.mutator, i == 3 ? 50000 : 900 * i);
    if (!buffer) EXPECT(midden_last_status(host.mutator) == MIDDEN_NO_MEMORY, "new");
    if (buffer && i % 2) EXPECT(midden_buffer_release(host.mutator, buffer) == MIDDEN_OK, "release");
  }
  bool failed = memory.failed;
  counting_memory_heal(&memory);
  EXPECT(midden_verify(host.heap, &error) == MIDDEN_OK, "%s", error.message);
  EXPECT(midden_collect(host.mutator, MIDDEN_FULL) == MIDDEN_OK || strcmp(collector, "none") == 0, "collect");
  if (pool && lease.address) EXPECT(midden_pool_release(pool, &lease) == MIDDEN_OK, "release");
  if (pool && strcmp(collector, "none") != 0) EXPECT(midden_pool_close(host.mutator, pool) == MIDDEN_OK, "close");
  midden_statistics statistics;
  midden_statistics_read(host.heap, &statistics);
  if (strcmp(collector, "none") != 0) EXPECT(statistics.blocks + statistics.buffers + statistics.external_bytes == 0, "left");
  EXPECT(midden_heap_close(host.heap) == MIDDEN_OK, "close");
  EXPECT(memory.reservations == 0 && memory.violations == 0, "memory is left, or was asked for wrongly");
  return failed;
}

START_TEST(memory_is_refused) {
  const char *collector;
  for (size_t i = 0; (collector = midden_collector_name(i)) != NULL; i++) {
    for (int forever = 0; forever < 2; forever++) {
      uint64_t n = 1;
      while (live_without(collector, n, forever)) n++;
      EXPECT(n > 8, "%s: only %llu requests were refused", collector, (unsigned long long)n);
    }
  }
}
END_TEST

int main(void) {
  const TTest *const tests[] = {
      leaks_are_named,
      bad_leases,
      bad_pools,
      the_owner_only,
      pools_are_charged,
      memory_is_refused,
  };
  return run_once("buffer pool, edges", tests, COUNT_OF(tests));
}
