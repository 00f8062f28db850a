/* Pools of buffers: order, limits, time-outs, shutting, reports, threads. What happens when is steered by the pool's own
 * statistics: a thread is in the line when `waiting` says so, and a release serves before it returns. */
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "counting_memory.h"
#include "harness.h"

enum { CHUNK = 1024, THREADS = 6, LINES = 16 };
#define SECOND UINT64_C(1000000000)

/* ---- a heap with a pool ---- */

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_pool *pool;
  char lines[LINES][256]; /* reported */
  size_t line_count;
};

static void note(void *context, const char *line) {
  struct host *host = context;
  if (host->line_count < LINES) snprintf(host->lines[host->line_count++], 256, "%s", line);
}

static void open_host(struct host *host, const midden_memory *memory) {
  midden_error error = {MIDDEN_OK, ""};
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  memset(host, 0, sizeof *host);
  EXPECT(midden_config_parse(&config, "stack=precise,heap-limit=16M,poison=yes", &error) == MIDDEN_OK, "%s", error.message);
  config.memory = memory;
  config.report = note;
  config.report_context = host;
  EXPECT(midden_heap_open(&config, &host->heap, &error) == MIDDEN_OK, "%s", error.message);
  host->mutator = midden_attach(host->heap, NULL, &error);
  EXPECT(host->mutator != NULL, "%s", error.message);
}

static void open_pool(struct host *host, size_t initial_chunks, size_t total_chunks) {
  midden_error error = {MIDDEN_OK, ""};
  midden_pool_options options = {total_chunks * CHUNK, initial_chunks * CHUNK, CHUNK, "requests", false};
  open_host(host, NULL);
  EXPECT(midden_pool_open(host->mutator, &options, &host->pool, &error) == MIDDEN_OK, "%s", error.message);
}

static void close_pool(struct host *host) {
  ck_assert_int_eq(midden_pool_close(host->mutator, host->pool), MIDDEN_OK);
  ck_assert_int_eq(midden_heap_close(host->heap), MIDDEN_OK);
}

static midden_pool_statistics figures(const struct host *host) {
  midden_pool_statistics statistics;
  EXPECT(midden_pool_statistics_read(host->pool, &statistics) == MIDDEN_OK, "statistics");
  return statistics;
}

static midden_lease take(const struct host *host, size_t chunks) {
  midden_lease lease = {NULL, 0, 0};
  EXPECT(midden_pool_acquire(host->pool, chunks * CHUNK, MIDDEN_AT_ONCE, MIDDEN_HERE, &lease) == MIDDEN_OK, "acquire");
  return lease;
}

static void give(const struct host *host, midden_lease *lease) {
  EXPECT(midden_pool_release(host->pool, lease) == MIDDEN_OK, "release");
}

/* ---- a thread that acquires ---- */

struct waiter {
  pthread_t thread;
  midden_pool *pool;
  size_t chunks;
  uint64_t timeout_ns;
  midden_status status;
  midden_lease lease;
};

static void *acquire_in_thread(void *context) {
  struct waiter *waiter = context;
  waiter->status = midden_pool_acquire(waiter->pool, waiter->chunks * CHUNK, waiter->timeout_ns, MIDDEN_HERE, &waiter->lease);
  return NULL;
}

static void start(const struct host *host, struct waiter *waiter, size_t chunks, uint64_t timeout_ns) {
  *waiter = (struct waiter){.pool = host->pool, .chunks = chunks, .timeout_ns = timeout_ns, .status = MIDDEN_CORRUPT};
  EXPECT(pthread_create(&waiter->thread, NULL, acquire_in_thread, waiter) == 0, "thread");
}

/* Until as many are in the line. */
static void await_line(const struct host *host, size_t waiting) {
  while (figures(host).waiting != waiting) sched_yield();
}

static void start_waiting(const struct host *host, struct waiter *waiter, size_t chunks, size_t waiting) {
  start(host, waiter, chunks, MIDDEN_FOREVER);
  await_line(host, waiting);
}

static void join(struct waiter *waiter, midden_status expected) {
  EXPECT(pthread_join(waiter->thread, NULL) == 0, "join");
  EXPECT(waiter->status == expected, "%s, expected %s", midden_status_name(waiter->status), midden_status_name(expected));
}

/* ---- without waiting ---- */

START_TEST(chunks_are_lent) {
  struct host host;
  open_pool(&host, 8, 8);
  midden_lease leases[5] = {take(&host, 1), take(&host, 3), take(&host, 1), take(&host, 2), take(&host, 1)};
  for (size_t i = 0; i < 5; i++) {
    ck_assert_uint_eq((uintptr_t)leases[i].address % CHUNK, 0);
    memset(leases[i].address, (int)i + 1, leases[i].size);
  }
  for (size_t i = 0; i < 5; i++)
    for (size_t at = 0; at < leases[i].size; at++) EXPECT(((char *)leases[i].address)[at] == (char)(i + 1), "overlap");
  midden_pool_statistics full = figures(&host);
  ck_assert_uint_eq(full.used_bytes, 8 * CHUNK);
  ck_assert_uint_eq(full.leases, 5);
  midden_lease none = {NULL, 77, 0};
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &none), MIDDEN_TIMED_OUT);
  ck_assert_uint_eq(none.size, 77); /* untouched */
  void *second = leases[1].address;
  give(&host, &leases[1]);
  ck_assert_uint_eq(((uintptr_t *)second)[9], MIDDEN_POISON_BUFFER);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 3 * CHUNK + 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &none), MIDDEN_TIMED_OUT);
  midden_lease again = take(&host, 3);
  ck_assert_ptr_eq(again.address, second); /* recycled */
  give(&host, &again);
  for (size_t i = 0; i < 5; i++) give(&host, &leases[i]); /* the second is empty: no harm */
  midden_pool_statistics end = figures(&host);
  ck_assert_uint_eq(end.used_bytes + end.leases + end.held_bytes, 0);
  ck_assert_uint_eq(end.peak_used_bytes, 8 * CHUNK);
  ck_assert_uint_eq(end.acquisitions, 6);
  ck_assert_uint_eq(end.releases, 6);
  ck_assert_uint_eq(end.timeouts, 2);
  close_pool(&host);
}
END_TEST

/* What never fits is refused at once, even for ever; what fits after growing waits. */
START_TEST(too_large_for_ever) {
  struct host host;
  midden_lease lease = {NULL, 77, 0};
  open_pool(&host, 8, 16);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 16 * CHUNK + 1, MIDDEN_FOREVER, MIDDEN_HERE, &lease), MIDDEN_LIMIT);
  ck_assert_int_eq(midden_pool_acquire(host.pool, SIZE_MAX, MIDDEN_FOREVER, MIDDEN_HERE, &lease), MIDDEN_LIMIT);
  ck_assert_uint_eq(lease.size, 77);
  ck_assert_uint_eq(figures(&host).refusals, 2);
  ck_assert_uint_eq(figures(&host).timeouts, 0);
  struct waiter waiter;
  start_waiting(&host, &waiter, 12, 1);
  ck_assert_uint_eq(figures(&host).held_bytes, 8 * CHUNK);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, 9 * CHUNK), MIDDEN_LIMIT);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, 4 * CHUNK), MIDDEN_OK);
  join(&waiter, MIDDEN_OK);
  memset(waiter.lease.address, 1, waiter.lease.size);
  midden_statistics statistics;
  midden_statistics_read(host.heap, &statistics);
  ck_assert_uint_eq(statistics.pool_bytes, 12 * CHUNK);
  give(&host, &waiter.lease);
  close_pool(&host);
}
END_TEST

/* ---- the line ---- */

/* Three in the line: a large one first. Small ones behind it wait although there is enough for them, and each release
 * serves exactly those that are due. */
START_TEST(first_come_first_served) {
  struct host host;
  midden_lease held[8];
  struct waiter large, small, middle;
  open_pool(&host, 8, 8);
  for (size_t i = 0; i < 8; i++) held[i] = take(&host, 1);
  start_waiting(&host, &large, 4, 1);
  start_waiting(&host, &small, 1, 2);
  start_waiting(&host, &middle, 2, 3);
  for (size_t i = 0; i < 3; i++) {
    give(&host, &held[i]);
    midden_pool_statistics now = figures(&host);
    ck_assert_uint_eq(now.waiting, 3); /* nobody overtakes */
    ck_assert_uint_eq(now.waiting_bytes, 7 * CHUNK);
    ck_assert_uint_eq(now.held_bytes, (i + 1) * CHUNK);
    midden_lease none;
    ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &none), MIDDEN_TIMED_OUT);
  }
  give(&host, &held[3]);
  ck_assert_uint_eq(figures(&host).waiting, 2);
  join(&large, MIDDEN_OK);
  give(&host, &held[4]);
  ck_assert_uint_eq(figures(&host).waiting, 1);
  join(&small, MIDDEN_OK);
  give(&host, &held[5]);
  ck_assert_uint_eq(figures(&host).waiting, 1);
  give(&host, &held[6]);
  ck_assert_uint_eq(figures(&host).waiting, 0);
  join(&middle, MIDDEN_OK);
  midden_pool_statistics end = figures(&host);
  ck_assert_uint_eq(end.waits, 3);
  ck_assert_uint_eq(end.peak_waiting, 3);
  ck_assert_uint_eq(end.held_bytes, 0);
  give(&host, &held[7]), give(&host, &large.lease), give(&host, &small.lease), give(&host, &middle.lease);
  close_pool(&host);
}
END_TEST

/* Enough bytes in pieces are not enough: the line moves on when they are together. */
START_TEST(consecutive_chunks) {
  struct host host;
  midden_lease held[4];
  struct waiter waiter;
  open_pool(&host, 4, 4);
  for (size_t i = 0; i < 4; i++) held[i] = take(&host, 1);
  start_waiting(&host, &waiter, 2, 1);
  give(&host, &held[0]);
  give(&host, &held[2]);
  ck_assert_uint_eq(figures(&host).waiting, 1);
  give(&host, &held[1]);
  ck_assert_uint_eq(figures(&host).waiting, 0);
  join(&waiter, MIDDEN_OK);
  give(&host, &waiter.lease), give(&host, &held[3]);
  close_pool(&host);
}
END_TEST

/* One release may serve many. */
START_TEST(one_release_serves_many) {
  struct host host;
  struct waiter waiters[4];
  open_pool(&host, 4, 4);
  midden_lease all = take(&host, 4);
  for (size_t i = 0; i < 4; i++) start_waiting(&host, &waiters[i], 1, i + 1);
  give(&host, &all);
  ck_assert_uint_eq(figures(&host).waiting, 0);
  for (size_t i = 0; i < 4; i++) join(&waiters[i], MIDDEN_OK);
  for (size_t i = 0; i < 4; i++) ck_assert_ptr_eq((char *)waiters[0].lease.address + i * CHUNK, waiters[i].lease.address);
  for (size_t i = 0; i < 4; i++) give(&host, &waiters[i].lease);
  close_pool(&host);
}
END_TEST

/* post: whether the small one was in the line before the large one gave up. */
static bool give_up(uint64_t timeout_ns) {
  struct host host;
  struct waiter large, small;
  open_pool(&host, 4, 4);
  midden_lease first = take(&host, 2), second = take(&host, 2);
  give(&host, &first);
  start(&host, &large, 4, timeout_ns);
  while (figures(&host).waiting == 0 && figures(&host).timeouts == 0) sched_yield();
  start(&host, &small, 1, MIDDEN_FOREVER);
  bool behind = false;
  while (!behind && figures(&host).timeouts == 0) behind = figures(&host).waiting == 2;
  join(&large, MIDDEN_TIMED_OUT);
  join(&small, MIDDEN_OK); /* nothing else was given back: it has what was held for the large one */
  midden_pool_statistics end = figures(&host);
  ck_assert_uint_eq(end.timeouts, 1);
  ck_assert_uint_eq(end.waiting + end.waiting_bytes + end.held_bytes, 0);
  ck_assert_uint_eq(end.used_bytes, 3 * CHUNK);
  ck_assert_uint_eq(end.waits, behind);
  give(&host, &second), give(&host, &small.lease);
  close_pool(&host);
  return behind;
}

START_TEST(who_gives_up_gives_back) {
  uint64_t timeout_ns = SECOND / 20;
  while (!give_up(timeout_ns)) timeout_ns *= 2; /* the machine was slow */
}
END_TEST

/* The one in the middle leaves: who was behind keeps the place. */
START_TEST(giving_up_in_the_middle) {
  struct host host;
  struct waiter first, second, third;
  open_pool(&host, 4, 4);
  midden_lease a = take(&host, 2), b = take(&host, 2);
  start_waiting(&host, &first, 4, 1);
  start(&host, &second, 1, SECOND / 50);
  join(&second, MIDDEN_TIMED_OUT);
  start_waiting(&host, &third, 1, 2);
  give(&host, &a);
  ck_assert_uint_eq(figures(&host).waiting, 2);
  give(&host, &b);
  join(&first, MIDDEN_OK);
  ck_assert_uint_eq(figures(&host).waiting, 1);
  give(&host, &first.lease);
  join(&third, MIDDEN_OK);
  give(&host, &third.lease);
  close_pool(&host);
}
END_TEST

/* ---- the end ---- */

START_TEST(shutting_wakes_all) {
  struct host host;
  struct waiter waiters[THREADS];
  open_pool(&host, 4, 4);
  midden_lease all = take(&host, 4), other = {NULL, 77, 0};
  for (size_t i = 0; i < THREADS; i++) start_waiting(&host, &waiters[i], 1 + i % 3, i + 1);
  ck_assert_int_eq(midden_pool_shut(host.pool), MIDDEN_OK);
  for (size_t i = 0; i < THREADS; i++) join(&waiters[i], MIDDEN_CLOSED);
  ck_assert_int_eq(midden_pool_shut(host.pool), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_FOREVER, MIDDEN_HERE, &other), MIDDEN_CLOSED);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, 1), MIDDEN_CLOSED);
  ck_assert_uint_eq(figures(&host).waiting, 0);
  give(&host, &all);
  close_pool(&host);
}
END_TEST

/* Closing does it too, and does not take the pool from under those who are woken. */
START_TEST(closing_wakes_all) {
  for (int round = 0; round < 20; round++) {
    struct host host;
    struct waiter waiters[THREADS];
    open_pool(&host, 4, 8); /* nothing is lent: the line waits for it to grow */
    for (size_t i = 0; i < THREADS; i++) start_waiting(&host, &waiters[i], 5, i + 1);
    close_pool(&host);
    for (size_t i = 0; i < THREADS; i++) join(&waiters[i], MIDDEN_CLOSED);
  }
}
END_TEST

START_TEST(the_heap_wakes_all) {
  struct host host;
  struct waiter waiter;
  open_pool(&host, 4, 8);
  take(&host, 1);
  start_waiting(&host, &waiter, 4, 1);
  ck_assert_int_eq(midden_heap_close(host.heap), MIDDEN_OK);
  join(&waiter, MIDDEN_CLOSED);
  ck_assert_uint_eq(host.line_count, 1);
}
END_TEST

START_TEST(leaks_are_named) {
  struct host host;
  midden_lease leaks[4];
  open_pool(&host, 12, 12);
  char by_content[] = "server.scm:12"; /* another copy of the same name */
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, "server.scm:12", &leaks[0]), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 10, MIDDEN_AT_ONCE, NULL, &leaks[1]), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 2 * CHUNK, MIDDEN_AT_ONCE, by_content, &leaks[2]), MIDDEN_OK);
  midden_lease returned = take(&host, 1);
  char expected[256];
  snprintf(expected, sizeof expected, "midden: pool requests: not given back: 1 leases, 1024 bytes, acquired at %s:%d", __FILE__, __LINE__ + 1);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &leaks[3]), MIDDEN_OK);
  give(&host, &returned);
  ck_assert_uint_eq(midden_pool_report(host.mutator, host.pool), 4);
  ck_assert_uint_eq(host.line_count, 3);
  host.line_count = 0;
  ck_assert_int_eq(midden_pool_close(host.mutator, host.pool), MIDDEN_IN_USE);
  ck_assert_uint_eq(host.line_count, 3);
  ck_assert_str_eq(host.lines[0], "midden: pool requests: not given back: 2 leases, 3072 bytes, acquired at server.scm:12");
  ck_assert_str_eq(host.lines[1], "midden: pool requests: not given back: 1 leases, 1024 bytes, acquired at unknown");
  ck_assert_str_eq(host.lines[2], expected);
  host.line_count = 0;
  for (size_t i = 0; i < 4; i++) give(&host, &leaks[i]);
  close_pool(&host);
  ck_assert_uint_eq(host.line_count, 0);
}
END_TEST

/* ---- bad arguments ---- */

START_TEST(bad_leases) {
  struct host host;
  open_pool(&host, 8, 8);
  midden_lease lease = take(&host, 2), copy = lease, shifted = lease, foreign = {&host, 10, 1};
  shifted.address = (char *)lease.address + CHUNK;
  ck_assert_int_eq(midden_pool_release(host.pool, &shifted), MIDDEN_BAD_ARGUMENT);
  shifted.address = (char *)lease.address + 8;
  ck_assert_int_eq(midden_pool_release(host.pool, &shifted), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pool_release(host.pool, &foreign), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pool_release(host.pool, NULL), MIDDEN_BAD_ARGUMENT);
  give(&host, &lease);
  ck_assert_int_eq(midden_pool_release(host.pool, &copy), MIDDEN_BAD_ARGUMENT); /* given back by the other copy */
  midden_lease next = take(&host, 2);
  ck_assert_ptr_eq(next.address, copy.address);
  ck_assert_int_eq(midden_pool_release(host.pool, &copy), MIDDEN_BAD_ARGUMENT); /* it is somebody else's now */
  ck_assert_uint_eq(figures(&host).leases, 1);
  give(&host, &next);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, 0, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pool_statistics_read(host.pool, NULL), MIDDEN_BAD_ARGUMENT);
  close_pool(&host);
}
END_TEST

START_TEST(bad_pools) {
  static const midden_pool_options bad[] = {
      {0, 0, 0, NULL, false},        {4096, 8192, 0, NULL, false},         {4096, 0, 1000, NULL, false},
      {4096, 0, 32, NULL, false},    {4096, 0, (size_t)2 << 30, NULL, false}, {(size_t)1 << 40, 4096, 4096, NULL, false},
      {SIZE_MAX, 1, 64, NULL, false}};
  struct host host, other;
  open_pool(&host, 8, 8);
  open_host(&other, NULL);
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
  close_pool(&host);
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
  open_pool(&host, 4, 8);
  ck_assert_int_eq(pthread_create(&thread, NULL, use_owner_calls, &host), 0);
  ck_assert_int_eq(pthread_join(thread, &result), 0);
  ck_assert_ptr_eq(result, &host);
  close_pool(&host);
}
END_TEST

/* ---- the account ---- */

START_TEST(pools_are_charged) {
  struct host host;
  open_pool(&host, 8 << 10, 16 << 10); /* 8 MiB of 16 */
  ck_assert_int_eq(midden_external_room(host.mutator, (size_t)9 << 20), MIDDEN_NO_MEMORY);
  ck_assert_ptr_null(midden_block_alloc(host.mutator, (size_t)9 << 20));
  ck_assert_int_eq(midden_external_remove(host.mutator, NULL, 1), MIDDEN_BAD_ARGUMENT); /* nobody else takes it off */
  void *block = midden_block_alloc(host.mutator, (size_t)7 << 20);
  ck_assert_ptr_nonnull(block);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, (size_t)2 << 20), MIDDEN_NO_MEMORY);
  ck_assert_uint_eq(figures(&host).capacity_bytes, (size_t)8 << 20);
  midden_block_free(host.mutator, block);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, (size_t)8 << 20), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_close(host.mutator, host.pool), MIDDEN_OK);
  block = midden_block_alloc(host.mutator, (size_t)15 << 20);
  ck_assert_ptr_nonnull(block);
  midden_heap_close(host.heap);
}
END_TEST

/* ---- many threads ---- */

enum { POOL_CHUNKS = 24, ROUNDS = 400 };

struct worker {
  pthread_t thread;
  midden_pool *pool;
  uint64_t random;
  uint64_t acquired, timed_out;
  bool wrong;
};

/* Whether nobody else writes to bytes that this worker holds. */
static bool write_and_check(const midden_lease *lease, unsigned char mark) {
  memset(lease->address, mark, lease->size);
  sched_yield();
  for (size_t i = 0; i < lease->size; i++)
    if (((unsigned char *)lease->address)[i] != mark) return false;
  return true;
}

static void *work(void *context) {
  struct worker *worker = context;
  for (size_t round = 0; round < ROUNDS; round++) {
    size_t most = test_random_below(&worker->random, 8) ? 4 : POOL_CHUNKS;
    size_t size = 1 + test_random_below(&worker->random, most * CHUNK);
    uint64_t timeout_ns = test_random_below(&worker->random, 4) ? MIDDEN_FOREVER : test_random_below(&worker->random, 50000);
    midden_lease lease;
    midden_status status = midden_pool_acquire(worker->pool, size, timeout_ns, MIDDEN_HERE, &lease);
    worker->acquired += status == MIDDEN_OK;
    worker->timed_out += status == MIDDEN_TIMED_OUT;
    if (status == MIDDEN_TIMED_OUT) continue;
    worker->wrong |= status != MIDDEN_OK || lease.size != size || !write_and_check(&lease, (unsigned char)worker->random);
    worker->wrong |= midden_pool_release(worker->pool, &lease) != MIDDEN_OK;
  }
  return NULL;
}

/* The heap's thread collects, grows and takes buffers meanwhile. */
START_TEST(threads_share) {
  struct host host;
  struct worker workers[THREADS];
  open_pool(&host, POOL_CHUNKS / 2, POOL_CHUNKS);
  for (size_t i = 0; i < THREADS; i++) {
    workers[i] = (struct worker){.pool = host.pool, .random = 99 + i};
    ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
  }
  uint64_t mine = 0, mine_late = 0;
  for (size_t i = 0; i < ROUNDS; i++) {
    midden_buffer *buffer;
    midden_status status = midden_buffer_acquire(host.mutator, host.pool, 3000, SECOND / 1000, MIDDEN_HERE, &buffer);
    EXPECT(status == MIDDEN_OK || status == MIDDEN_TIMED_OUT, "%s", midden_status_name(status));
    mine += status == MIDDEN_OK;
    mine_late += status == MIDDEN_TIMED_OUT;
    if (i == ROUNDS / 2) EXPECT(midden_pool_grow(host.mutator, host.pool, POOL_CHUNKS / 2 * CHUNK) == MIDDEN_OK, "grow");
    if (i % 8 == 0 || i + 1 == ROUNDS) EXPECT(midden_collect(host.mutator, MIDDEN_FULL) == MIDDEN_OK, "collect");
    midden_pool_statistics now = figures(&host);
    EXPECT(now.used_bytes <= now.capacity_bytes && now.acquisitions - now.releases == now.leases, "figures");
  }
  uint64_t acquired = mine, late = 0;
  for (size_t i = 0; i < THREADS; i++) {
    ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
    ck_assert_msg(!workers[i].wrong, "worker %zu", i);
    acquired += workers[i].acquired;
    late += workers[i].timed_out;
  }
  midden_pool_statistics end = figures(&host);
  ck_assert_uint_eq(end.acquisitions, acquired);
  ck_assert_uint_ge(end.timeouts, late + mine_late); /* asking at once, before collecting, counts too */
  ck_assert_uint_eq(end.leases + end.used_bytes + end.waiting + end.waiting_bytes, 0);
  ck_assert_uint_eq(end.collected, mine);
  close_pool(&host);
}
END_TEST

/* ---- no memory ---- */

/* Uses everything, with the n-th request for memory refused. post: whether that many were made. */
static bool live_without(const char *collector, uint64_t n, bool forever) {
  counting_memory memory;
  struct host host;
  counting_memory_open(&memory);
  open_host(&host, &memory.face);
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
      chunks_are_lent,
      too_large_for_ever,
      first_come_first_served,
      consecutive_chunks,
      one_release_serves_many,
      who_gives_up_gives_back,
      giving_up_in_the_middle,
      shutting_wakes_all,
      closing_wakes_all,
      the_heap_wakes_all,
      leaks_are_named,
      bad_leases,
      bad_pools,
      the_owner_only,
      pools_are_charged,
      threads_share,
      memory_is_refused,
  };
  return run_once("buffer pool", tests, COUNT_OF(tests));
}
