/* Pools of buffers: order, limits, time-outs, shutting, threads. What happens when is steered by the pool's own
 * statistics: a thread is in the line when `waiting` says so, and a release serves before it returns. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "harness.h"
#include "pool_host.h"

enum { THREADS = 6 };

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
  while (pool_figures(host).waiting != waiting) sched_yield();
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
  pool_open(&host, 8, 8);
  midden_lease leases[5] = {pool_take(&host, 1), pool_take(&host, 3), pool_take(&host, 1), pool_take(&host, 2), pool_take(&host, 1)};
  for (size_t i = 0; i < 5; i++) {
    ck_assert_uint_eq((uintptr_t)leases[i].address % CHUNK, 0);
    memset(leases[i].address, (int)i + 1, leases[i].size);
  }
  for (size_t i = 0; i < 5; i++)
    for (size_t at = 0; at < leases[i].size; at++) EXPECT(((char *)leases[i].address)[at] == (char)(i + 1), "overlap");
  midden_pool_statistics full = pool_figures(&host);
  ck_assert_uint_eq(full.used_bytes, 8 * CHUNK);
  ck_assert_uint_eq(full.leases, 5);
  midden_lease none = {NULL, 77, 0};
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &none), MIDDEN_TIMED_OUT);
  ck_assert_uint_eq(none.size, 77); /* untouched */
  void *second = leases[1].address;
  pool_give(&host, &leases[1]);
  ck_assert_uint_eq(freed_word((uintptr_t)second + 72), MIDDEN_POISON_BUFFER);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 3 * CHUNK + 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &none), MIDDEN_TIMED_OUT);
  midden_lease again = pool_take(&host, 3);
  ck_assert_ptr_eq(again.address, second); /* recycled */
  pool_give(&host, &again);
  for (size_t i = 0; i < 5; i++) pool_give(&host, &leases[i]); /* the second is empty: no harm */
  midden_pool_statistics end = pool_figures(&host);
  ck_assert_uint_eq(end.used_bytes + end.leases + end.held_bytes, 0);
  ck_assert_uint_eq(end.peak_used_bytes, 8 * CHUNK);
  ck_assert_uint_eq(end.acquisitions, 6);
  ck_assert_uint_eq(end.releases, 6);
  ck_assert_uint_eq(end.timeouts, 2);
  pool_close(&host);
}
END_TEST

/* What never fits is refused at once, even for ever; what fits after growing waits. */
START_TEST(too_large_for_ever) {
  struct host host;
  midden_lease lease = {NULL, 77, 0};
  pool_open(&host, 8, 16);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 16 * CHUNK + 1, MIDDEN_FOREVER, MIDDEN_HERE, &lease), MIDDEN_LIMIT);
  ck_assert_int_eq(midden_pool_acquire(host.pool, SIZE_MAX, MIDDEN_FOREVER, MIDDEN_HERE, &lease), MIDDEN_LIMIT);
  ck_assert_uint_eq(lease.size, 77);
  ck_assert_uint_eq(pool_figures(&host).refusals, 2);
  ck_assert_uint_eq(pool_figures(&host).timeouts, 0);
  struct waiter waiter;
  start_waiting(&host, &waiter, 12, 1);
  ck_assert_uint_eq(pool_figures(&host).held_bytes, 8 * CHUNK);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, 9 * CHUNK), MIDDEN_LIMIT);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, 4 * CHUNK), MIDDEN_OK);
  join(&waiter, MIDDEN_OK);
  memset(waiter.lease.address, 1, waiter.lease.size);
  midden_statistics statistics;
  midden_statistics_read(host.heap, &statistics);
  ck_assert_uint_eq(statistics.pool_bytes, 12 * CHUNK);
  pool_give(&host, &waiter.lease);
  pool_close(&host);
}
END_TEST

/* ---- the line ---- */

/* Three in the line: a large one first. Small ones behind it wait although there is enough for them, and each release
 * serves exactly those that are due. */
START_TEST(first_come_first_served) {
  struct host host;
  midden_lease held[8];
  struct waiter large, small, middle;
  pool_open(&host, 8, 8);
  for (size_t i = 0; i < 8; i++) held[i] = pool_take(&host, 1);
  start_waiting(&host, &large, 4, 1);
  start_waiting(&host, &small, 1, 2);
  start_waiting(&host, &middle, 2, 3);
  for (size_t i = 0; i < 3; i++) {
    pool_give(&host, &held[i]);
    midden_pool_statistics now = pool_figures(&host);
    ck_assert_uint_eq(now.waiting, 3); /* nobody overtakes */
    ck_assert_uint_eq(now.waiting_bytes, 7 * CHUNK);
    ck_assert_uint_eq(now.held_bytes, (i + 1) * CHUNK);
    midden_lease none;
    ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_AT_ONCE, MIDDEN_HERE, &none), MIDDEN_TIMED_OUT);
  }
  pool_give(&host, &held[3]);
  ck_assert_uint_eq(pool_figures(&host).waiting, 2);
  join(&large, MIDDEN_OK);
  pool_give(&host, &held[4]);
  ck_assert_uint_eq(pool_figures(&host).waiting, 1);
  join(&small, MIDDEN_OK);
  pool_give(&host, &held[5]);
  ck_assert_uint_eq(pool_figures(&host).waiting, 1);
  pool_give(&host, &held[6]);
  ck_assert_uint_eq(pool_figures(&host).waiting, 0);
  join(&middle, MIDDEN_OK);
  midden_pool_statistics end = pool_figures(&host);
  ck_assert_uint_eq(end.waits, 3);
  ck_assert_uint_eq(end.peak_waiting, 3);
  ck_assert_uint_eq(end.held_bytes, 0);
  pool_give(&host, &held[7]), pool_give(&host, &large.lease), pool_give(&host, &small.lease), pool_give(&host, &middle.lease);
  pool_close(&host);
}
END_TEST

/* Enough bytes in pieces are not enough: the line moves on when they are together. */
START_TEST(consecutive_chunks) {
  struct host host;
  midden_lease held[4];
  struct waiter waiter;
  pool_open(&host, 4, 4);
  for (size_t i = 0; i < 4; i++) held[i] = pool_take(&host, 1);
  start_waiting(&host, &waiter, 2, 1);
  pool_give(&host, &held[0]);
  pool_give(&host, &held[2]);
  ck_assert_uint_eq(pool_figures(&host).waiting, 1);
  pool_give(&host, &held[1]);
  ck_assert_uint_eq(pool_figures(&host).waiting, 0);
  join(&waiter, MIDDEN_OK);
  pool_give(&host, &waiter.lease), pool_give(&host, &held[3]);
  pool_close(&host);
}
END_TEST

/* One release may serve many. */
START_TEST(one_release_serves_many) {
  struct host host;
  struct waiter waiters[4];
  pool_open(&host, 4, 4);
  midden_lease all = pool_take(&host, 4);
  for (size_t i = 0; i < 4; i++) start_waiting(&host, &waiters[i], 1, i + 1);
  pool_give(&host, &all);
  ck_assert_uint_eq(pool_figures(&host).waiting, 0);
  for (size_t i = 0; i < 4; i++) join(&waiters[i], MIDDEN_OK);
  for (size_t i = 0; i < 4; i++) ck_assert_ptr_eq((char *)waiters[0].lease.address + i * CHUNK, waiters[i].lease.address);
  for (size_t i = 0; i < 4; i++) pool_give(&host, &waiters[i].lease);
  pool_close(&host);
}
END_TEST

/* post: whether the small one was in the line before the large one gave up. */
static bool give_up(uint64_t timeout_ns) {
  struct host host;
  struct waiter large, small;
  pool_open(&host, 4, 4);
  midden_lease first = pool_take(&host, 2), second = pool_take(&host, 2);
  pool_give(&host, &first);
  start(&host, &large, 4, timeout_ns);
  while (pool_figures(&host).waiting == 0 && pool_figures(&host).timeouts == 0) sched_yield();
  start(&host, &small, 1, MIDDEN_FOREVER);
  bool behind = false;
  while (!behind && pool_figures(&host).timeouts == 0) behind = pool_figures(&host).waiting == 2;
  join(&large, MIDDEN_TIMED_OUT);
  join(&small, MIDDEN_OK); /* nothing else was given back: it has what was held for the large one */
  midden_pool_statistics end = pool_figures(&host);
  ck_assert_uint_eq(end.timeouts, 1);
  ck_assert_uint_eq(end.waiting + end.waiting_bytes + end.held_bytes, 0);
  ck_assert_uint_eq(end.used_bytes, 3 * CHUNK);
  ck_assert_uint_eq(end.waits, behind);
  pool_give(&host, &second), pool_give(&host, &small.lease);
  pool_close(&host);
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
  pool_open(&host, 4, 4);
  midden_lease a = pool_take(&host, 2), b = pool_take(&host, 2);
  start_waiting(&host, &first, 4, 1);
  start(&host, &second, 1, SECOND / 50);
  join(&second, MIDDEN_TIMED_OUT);
  start_waiting(&host, &third, 1, 2);
  pool_give(&host, &a);
  ck_assert_uint_eq(pool_figures(&host).waiting, 2);
  pool_give(&host, &b);
  join(&first, MIDDEN_OK);
  ck_assert_uint_eq(pool_figures(&host).waiting, 1);
  pool_give(&host, &first.lease);
  join(&third, MIDDEN_OK);
  pool_give(&host, &third.lease);
  pool_close(&host);
}
END_TEST

/* ---- the end ---- */

START_TEST(shutting_wakes_all) {
  struct host host;
  struct waiter waiters[THREADS];
  pool_open(&host, 4, 4);
  midden_lease all = pool_take(&host, 4), other = {NULL, 77, 0};
  for (size_t i = 0; i < THREADS; i++) start_waiting(&host, &waiters[i], 1 + i % 3, i + 1);
  ck_assert_int_eq(midden_pool_shut(host.pool), MIDDEN_OK);
  for (size_t i = 0; i < THREADS; i++) join(&waiters[i], MIDDEN_CLOSED);
  ck_assert_int_eq(midden_pool_shut(host.pool), MIDDEN_OK);
  ck_assert_int_eq(midden_pool_acquire(host.pool, 1, MIDDEN_FOREVER, MIDDEN_HERE, &other), MIDDEN_CLOSED);
  ck_assert_int_eq(midden_pool_grow(host.mutator, host.pool, 1), MIDDEN_CLOSED);
  ck_assert_uint_eq(pool_figures(&host).waiting, 0);
  pool_give(&host, &all);
  pool_close(&host);
}
END_TEST

/* Closing does it too, and does not take the pool from under those who are woken. */
START_TEST(closing_wakes_all) {
  for (int round = 0; round < 20; round++) {
    struct host host;
    struct waiter waiters[THREADS];
    pool_open(&host, 4, 8); /* nothing is lent: the line waits for it to grow */
    for (size_t i = 0; i < THREADS; i++) start_waiting(&host, &waiters[i], 5, i + 1);
    pool_close(&host);
    for (size_t i = 0; i < THREADS; i++) join(&waiters[i], MIDDEN_CLOSED);
  }
}
END_TEST

START_TEST(the_heap_wakes_all) {
  struct host host;
  struct waiter waiter;
  pool_open(&host, 4, 8);
  pool_take(&host, 1);
  start_waiting(&host, &waiter, 4, 1);
  ck_assert_int_eq(midden_heap_close(host.heap), MIDDEN_OK);
  join(&waiter, MIDDEN_CLOSED);
  ck_assert_uint_eq(host.line_count, 1);
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
  pool_open(&host, POOL_CHUNKS / 2, POOL_CHUNKS);
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
    midden_pool_statistics now = pool_figures(&host);
    EXPECT(now.used_bytes <= now.capacity_bytes && now.acquisitions - now.releases == now.leases, "figures");
  }
  uint64_t acquired = mine, late = 0;
  for (size_t i = 0; i < THREADS; i++) {
    ck_assert_int_eq(pthread_join(workers[i].thread, NULL), 0);
    ck_assert_msg(!workers[i].wrong, "worker %zu", i);
    acquired += workers[i].acquired;
    late += workers[i].timed_out;
  }
  midden_pool_statistics end = pool_figures(&host);
  ck_assert_uint_eq(end.acquisitions, acquired);
  ck_assert_uint_ge(end.timeouts, late + mine_late); /* asking at once, before collecting, counts too */
  ck_assert_uint_eq(end.leases + end.used_bytes + end.waiting + end.waiting_bytes, 0);
  ck_assert_uint_eq(end.collected, mine);
  pool_close(&host);
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
      threads_share,
  };
  return run_once("buffer pool", tests, COUNT_OF(tests));
}
