/* Pools of buffers: see buffer_pool.h. */
#include "alloc/buffer_pool.h"

#include <string.h>

#include "base/assertion.h"
#include "base/bits.h"
#include "base/os.h"
#include "midden/debug.h"

bool mdn_pool_open(midden_pool *pool) {
  if (!mdn_os_lock_open(&pool->lock)) return false;
  if (!mdn_os_condition_open(&pool->left)) {
    mdn_os_lock_close(&pool->lock);
    return false;
  }
  pool->last = &pool->first;
  pool->signature = POOL_SIGNATURE;
  return true;
}

void mdn_pool_close(midden_pool *pool) {
  pool->signature = 0;
  if (pool->checker != CHECKER_NONE) {
    for (size_t i = 0; i < pool->chunks; i++) {
      if (pool->records[i].chunks > 0) mdn_checker_give(pool->checker, pool->base + i * pool->chunk_bytes, pool->chunk_bytes);
    }
    mdn_checker_show(pool->checker, pool->base, pool->chunks * pool->chunk_bytes, true);
  }
  mdn_os_condition_close(&pool->left);
  mdn_os_lock_close(&pool->lock);
}

/* ---- chunks; the lock is held ---- */

/* The first of `count` consecutive free chunks. post: the number of all chunks if there are none. */
static size_t find_chunks(const midden_pool *pool, size_t count) {
  size_t end = pool->chunks;
  size_t first = bitmap_next_clear(pool->used, 0, end);
  while (end - first >= count) {
    size_t stop = bitmap_next(pool->used, first, first + count);
    if (stop == first + count) return first;
    first = bitmap_next_clear(pool->used, stop, end);
  }
  return end;
}

static bool take_chunks(midden_pool *pool, size_t chunks, size_t size, const char *site, midden_lease *lease) {
  if (chunks > pool->chunks) return false;
  size_t first = find_chunks(pool, chunks);
  if (first == pool->chunks) return false;
  midden_pool_statistics *figures = &pool->figures;
  bitmap_set_range(pool->used, first, first + chunks);
  if (pool->checker != CHECKER_NONE) {
    mdn_checker_take(pool->checker, pool->base + first * pool->chunk_bytes, size, false);
  }
  *lease = (midden_lease){pool->base + first * pool->chunk_bytes, size, ++pool->next_number};
  pool->records[first] = (struct pool_record){site, lease->number, (uint32_t)chunks, false, false};
  figures->leases++;
  figures->acquisitions++;
  figures->used_bytes += chunks * pool->chunk_bytes;
  figures->peak_used_bytes = size_maximum(figures->peak_used_bytes, figures->used_bytes);
  return true;
}

/* post: NULL if it is no lease that is out. */
static struct pool_record *record_of(midden_pool *pool, const midden_lease *lease) {
  uintptr_t offset = (uintptr_t)lease->address - (uintptr_t)pool->base;
  if (offset % pool->chunk_bytes != 0 || offset / pool->chunk_bytes >= pool->chunks) return NULL;
  struct pool_record *record = &pool->records[offset / pool->chunk_bytes];
  return record->chunks > 0 && record->number == lease->number ? record : NULL;
}

static void give_chunks(midden_pool *pool, struct pool_record *record) {
  size_t first = (size_t)(record - pool->records), bytes = record->chunks * pool->chunk_bytes;
  if (pool->poison) {
    if (pool->checker != CHECKER_NONE) mdn_checker_extend(pool->checker, pool->base + first * pool->chunk_bytes, bytes);
    midden_word *words = (midden_word *)(void *)(pool->base + first * pool->chunk_bytes);
    for (size_t i = 0; i < bytes / sizeof *words; i++) words[i] = MIDDEN_POISON_BUFFER;
  }
  if (pool->checker != CHECKER_NONE) {
    mdn_checker_give(pool->checker, pool->base + first * pool->chunk_bytes, bytes);
  }
  bitmap_clear_range(pool->used, first, first + record->chunks);
  record->chunks = 0;
  pool->figures.leases--;
  pool->figures.releases++;
  pool->figures.used_bytes -= bytes;
}

/* ---- the line; the lock is held ---- */

static void leave_line(midden_pool *pool, struct pool_waiter *waiter) {
  struct pool_waiter **link = &pool->first;
  while (*link != waiter) link = &(*link)->next;
  *link = waiter->next;
  if (!*link) pool->last = link;
  pool->figures.waiting--;
  pool->figures.waiting_bytes -= waiter->chunks * pool->chunk_bytes;
}

static void answer(midden_pool *pool, struct pool_waiter *waiter, midden_status status) {
  leave_line(pool, waiter);
  waiter->done = true;
  waiter->status = status;
  mdn_os_condition_wake(&waiter->served);
}

/* Serves as many as there is room for, in order, and nobody past the first who does not fit. */
static void serve(midden_pool *pool) {
  struct pool_waiter *waiter;
  while ((waiter = pool->first) != NULL) {
    if (!take_chunks(pool, waiter->chunks, waiter->size, waiter->site, &waiter->lease)) return;
    pool->figures.waits++;
    answer(pool, waiter, MIDDEN_OK);
  }
}

static void enter_line(midden_pool *pool, struct pool_waiter *waiter) {
  midden_pool_statistics *figures = &pool->figures;
  *pool->last = waiter;
  pool->last = &waiter->next;
  pool->inside++;
  figures->waiting++;
  figures->waiting_bytes += waiter->chunks * pool->chunk_bytes;
  figures->peak_waiting = size_maximum(figures->peak_waiting, figures->waiting);
}

/* Waits until it is answered or its time has come. */
static void wait_for_answer(midden_pool *pool, struct pool_waiter *waiter, uint64_t timeout_ns) {
  uint64_t now = mdn_os_clock();
  uint64_t deadline = timeout_ns < OS_NO_DEADLINE - now ? now + timeout_ns : OS_NO_DEADLINE;
  bool in_time = true;
  while (!waiter->done && in_time) in_time = mdn_os_condition_wait(&waiter->served, &pool->lock, deadline);
  if (!waiter->done) {
    leave_line(pool, waiter);
    waiter->status = MIDDEN_TIMED_OUT;
    pool->figures.timeouts++;
    serve(pool); /* what was held for it may be enough for the next */
  }
  if (--pool->inside == 0) mdn_os_condition_wake(&pool->left);
}

static midden_status wait_in_line(midden_pool *pool, struct pool_waiter *waiter, uint64_t timeout_ns) {
  if (!mdn_os_condition_open(&waiter->served)) return MIDDEN_NO_MEMORY;
  enter_line(pool, waiter);
  wait_for_answer(pool, waiter, timeout_ns);
  mdn_os_condition_close(&waiter->served);
  return waiter->status;
}

static midden_status acquire(midden_pool *pool, struct pool_waiter *request, uint64_t timeout_ns) {
  if (pool->shut) return MIDDEN_CLOSED;
  if (request->chunks > pool->total_chunks) {
    pool->figures.refusals++;
    return MIDDEN_LIMIT;
  }
  bool first = pool->first == NULL;
  if (first && take_chunks(pool, request->chunks, request->size, request->site, &request->lease)) return MIDDEN_OK;
  if (timeout_ns > 0) return wait_in_line(pool, request, timeout_ns);
  pool->figures.timeouts++;
  return MIDDEN_TIMED_OUT;
}

/* ---- public ---- */

midden_status midden_pool_acquire(midden_pool *pool, size_t size, uint64_t timeout_ns, const char *site,
                                  midden_lease *lease) {
  if (!pool_valid(pool)) return MIDDEN_MISUSE;
  if (!lease) return MIDDEN_BAD_ARGUMENT;
  struct pool_waiter request = {.size = size_maximum(size, 1), .site = site ? site : "unknown"};
  request.chunks = (request.size - 1) / pool->chunk_bytes + 1;
  mdn_os_lock_enter(&pool->lock);
  midden_status status = acquire(pool, &request, timeout_ns);
  mdn_os_lock_leave(&pool->lock);
  if (status == MIDDEN_OK) *lease = request.lease;
  return status;
}

midden_status midden_pool_release(midden_pool *pool, midden_lease *lease) {
  if (!pool_valid(pool)) return MIDDEN_MISUSE;
  if (!lease) return MIDDEN_BAD_ARGUMENT;
  if (!lease->address) return MIDDEN_OK;
  mdn_os_lock_enter(&pool->lock);
  struct pool_record *record = record_of(pool, lease);
  bool given = record && !record->owned;
  if (given) {
    give_chunks(pool, record);
    serve(pool);
  }
  mdn_os_lock_leave(&pool->lock);
  if (!given) return MIDDEN_BAD_ARGUMENT;
  *lease = (midden_lease){NULL, 0, 0};
  return MIDDEN_OK;
}

midden_status midden_pool_shut(midden_pool *pool) {
  if (!pool_valid(pool)) return MIDDEN_MISUSE;
  mdn_pool_shut(pool, false);
  return MIDDEN_OK;
}

midden_status midden_pool_statistics_read(midden_pool *pool, midden_pool_statistics *statistics) {
  if (!pool_valid(pool)) return MIDDEN_MISUSE;
  if (!statistics) return MIDDEN_BAD_ARGUMENT;
  mdn_os_lock_enter(&pool->lock);
  *statistics = pool->figures;
  statistics->chunk_bytes = pool->chunk_bytes;
  statistics->total_bytes = pool->total_chunks * pool->chunk_bytes;
  statistics->capacity_bytes = pool->chunks * pool->chunk_bytes;
  statistics->held_bytes = pool->first ? statistics->capacity_bytes - statistics->used_bytes : 0;
  mdn_os_lock_leave(&pool->lock);
  return MIDDEN_OK;
}

/* ---- for the heap ---- */

void mdn_pool_extend(midden_pool *pool, size_t chunks) {
  mdn_os_lock_enter(&pool->lock);
  if (pool->checker != CHECKER_NONE) {
    mdn_checker_hide(pool->checker, pool->base + pool->chunks * pool->chunk_bytes, chunks * pool->chunk_bytes);
  }
  pool->chunks += chunks;
  CHECK(pool->chunks <= pool->total_chunks);
  serve(pool);
  mdn_os_lock_leave(&pool->lock);
}

bool mdn_pool_is_shut(midden_pool *pool) {
  mdn_os_lock_enter(&pool->lock);
  bool shut = pool->shut;
  mdn_os_lock_leave(&pool->lock);
  return shut;
}

void mdn_pool_shut(midden_pool *pool, bool wait) {
  mdn_os_lock_enter(&pool->lock);
  pool->shut = true;
  while (pool->first) answer(pool, pool->first, MIDDEN_CLOSED);
  while (wait && pool->inside > 0) mdn_os_condition_wait(&pool->left, &pool->lock, OS_NO_DEADLINE);
  mdn_os_lock_leave(&pool->lock);
}

bool mdn_pool_own(midden_pool *pool, const midden_lease *lease) {
  mdn_os_lock_enter(&pool->lock);
  struct pool_record *record = record_of(pool, lease);
  bool owned = record && !record->owned;
  if (owned) {
    record->owned = true;
    pool->figures.owned_leases++;
  }
  mdn_os_lock_leave(&pool->lock);
  return owned;
}

const char *mdn_pool_disown(midden_pool *pool, const midden_lease *lease, bool collected) {
  const char *site = NULL;
  mdn_os_lock_enter(&pool->lock);
  struct pool_record *record = record_of(pool, lease);
  if (record && record->owned) { /* else the host has overwritten the object */
    site = record->site;
    pool->figures.owned_leases--;
    pool->figures.collected += collected;
    give_chunks(pool, record);
    serve(pool);
  }
  mdn_os_lock_leave(&pool->lock);
  return site;
}

/* ---- reports ---- */

static bool same_site(const char *site, const char *other) { return site == other || strcmp(site, other) == 0; }

/* Sums up the leases from chunk `first` on that have the site of the one there. */
static void sum_site(midden_pool *pool, size_t first, struct pool_site *result) {
  const char *site = pool->records[first].site;
  size_t length = size_minimum(strlen(site), sizeof result->site - 1);
  memcpy(result->site, site, length);
  result->site[length] = '\0';
  result->leases = result->bytes = 0;
  for (size_t i = first; i < pool->chunks; i++) {
    struct pool_record *record = &pool->records[i];
    if (record->chunks == 0 || record->reported || !same_site(record->site, site)) continue;
    record->reported = true;
    result->leases++;
    result->bytes += record->chunks * pool->chunk_bytes;
  }
}

bool mdn_pool_next_site(midden_pool *pool, bool fresh, struct pool_site *result) {
  bool found = false;
  mdn_os_lock_enter(&pool->lock);
  for (size_t i = 0; fresh && i < pool->chunks; i++) pool->records[i].reported = false;
  for (size_t i = 0; !found && i < pool->chunks; i++) {
    found = pool->records[i].chunks > 0 && !pool->records[i].reported;
    if (found) sum_site(pool, i, result);
  }
  mdn_os_lock_leave(&pool->lock);
  return found;
}
