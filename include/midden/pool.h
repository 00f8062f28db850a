/* Pools: a bounded amount of memory for I/O that several threads share.
 *
 * A pool is opened with all that it may ever have. Whoever needs a buffer acquires a lease of it and gives it back; when
 * nothing is left, he waits, for as long as he likes. The line is kept in the order of arrival: the free bytes are
 * held for whoever came first until they are enough, and who comes later waits behind him even if there were enough for
 * less. So a large request is not starved by small ones (as in Kafka's BufferPool).
 *
 * Memory: it comes from the heap's memory source and counts for heap-limit, as external memory does, from when the pool
 * is opened or grown until it is closed, whether it is lent or not. A pool is one range of addresses, divided into
 * chunks; a lease is whole consecutive chunks. So leases never move, collections do not touch them, and giving them back
 * and taking them again costs no system call.
 *
 * Threads: opening, growing, reporting and closing are for the heap's thread, since they use the heap's memory and
 * account. All else may be called by any thread, attached to a heap or not, at the same time: it takes the pool's own
 * lock and touches no heap. A child made by fork may use a pool if no other thread of the parent was in a call then. */
#ifndef MIDDEN_POOL_H
#define MIDDEN_POOL_H

#include "midden/heap.h"

MIDDEN_BEGIN_DECLARATIONS

typedef struct midden_pool midden_pool;

typedef struct midden_pool_options {
  size_t total_bytes;    /* the most that the pool may ever have; rounded up to chunks and to 4 KiB */
  size_t initial_bytes;  /* what it has at first, rounded in the same way; 0: all */
  size_t chunk_bytes;    /* a power of two from 64 to 1 GiB; 0: 4096. At most a million of them */
  const char *name;      /* for reports, up to 31 bytes are copied; NULL: "buffers" */
  bool report_collected; /* report each lease that comes back because its owner in the heap died, not by a release */
} midden_pool_options;

/* Bytes that are lent. Copies are the same lease; once one of them is given back, the others are void. */
typedef struct midden_lease {
  void *address;   /* NULL: none. Aligned to the chunk size, but to 4096 at most */
  size_t size;     /* bytes, as asked for */
  uint64_t number; /* the library's: tells it from other leases of the same bytes */
} midden_lease;

/* For `timeout_ns`. Any other number is nanoseconds. */
#define MIDDEN_AT_ONCE UINT64_C(0)
#define MIDDEN_FOREVER UINT64_MAX

/* The place in the source where it stands, "file.c:12": who acquired what, in reports. */
#define MIDDEN_HERE MIDDEN_HERE_AT(__FILE__, __LINE__)
#define MIDDEN_HERE_AT(file, line) MIDDEN_HERE_AS(file, line)
#define MIDDEN_HERE_AS(file, line) file ":" #line

/* Opens a pool. MAY COLLECT AND MOVE, to make room under the limit. post: MIDDEN_OK and *pool; or *pool untouched and
 * *error (may be NULL) says in a sentence what is wrong: BAD_ARGUMENT, NO_MEMORY, MISUSE. Owner thread. */
MIDDEN_API midden_status midden_pool_open(midden_mutator *mutator, const midden_pool_options *options, midden_pool **pool,
                                          midden_error *error);

/* Gives a pool `bytes` more, rounded up to chunks and to 4 KiB, and serves who waits for them. MAY COLLECT AND MOVE.
 * post: MIDDEN_OK; or nothing has changed: LIMIT (beyond total_bytes), NO_MEMORY, CLOSED, MISUSE. Owner thread. */
MIDDEN_API midden_status midden_pool_grow(midden_mutator *mutator, midden_pool *pool, size_t bytes);

/* Takes a lease of `size` bytes (0 is taken as 1), content undefined, waiting for it until `timeout_ns` nanoseconds have
 * passed. `site` names the caller in reports: MIDDEN_HERE, or what stands for it in the interpreted program; it must
 * stay valid until the lease is given back, NULL is allowed.
 * post: MIDDEN_OK and *lease; or *lease untouched and LIMIT (at once: the pool will never have so much), TIMED_OUT,
 * CLOSED (also when it is shut while waiting), NO_MEMORY (the system has no condition to wait with), BAD_ARGUMENT,
 * MISUSE (not a pool). Who gives up leaves the line, and what was held for him goes to the next.
 * Any thread. A thread that waits is not a cancellation point. Not from inside a collection of the pool's heap. When the
 * heap's own thread waits, no collection runs meanwhile: see midden_buffer_acquire. Cost: a search in a bitmap of the
 * chunks. */
MIDDEN_API midden_status midden_pool_acquire(midden_pool *pool, size_t size, uint64_t timeout_ns, const char *site,
                                             midden_lease *lease);

/* Gives a lease back and serves who waits. post: MIDDEN_OK and *lease is empty; an empty one is MIDDEN_OK and nothing
 * happens, so releasing twice does no harm; BAD_ARGUMENT: it is no lease of this pool, has been given back by
 * another copy, or belongs to a buffer of the heap (buffer.h); MISUSE (not a pool). With poison=yes the bytes are filled
 * with MIDDEN_POISON_BUFFER. Any thread, also from inside a collection; also when the pool is shut. */
MIDDEN_API midden_status midden_pool_release(midden_pool *pool, midden_lease *lease);

/* Ends acquiring: who waits is woken and gets CLOSED, like everyone who asks from now on. What is lent stays valid, and
 * can be given back. post: MIDDEN_OK, also when it was shut before; MISUSE. Any thread. */
MIDDEN_API midden_status midden_pool_shut(midden_pool *pool);

/* Shuts a pool, waits until those that are woken have left it, and gives its memory back. MAY COLLECT AND MOVE: once, if
 * buffers of the heap have leases of it. (With collect=asked it does not: owners that may be dead count, and the host
 * collects before.)
 * post: MIDDEN_OK, and the pool is gone: no thread may use it any more; or IN_USE: leases are out. They are reported as
 * by midden_pool_report, and stay valid; the pool is shut, and can be closed again when they are back. MISUSE.
 * What is not closed when the heap is closed is reported and goes with it. Owner thread. */
MIDDEN_API midden_status midden_pool_close(midden_mutator *mutator, midden_pool *pool);

/* Reports what is lent: to the report function of the configuration, or the log, a line for each site with the number
 * of leases and the bytes of their chunks. Nothing when neither is set. post: the leases; 0 on misuse. Owner thread. */
MIDDEN_API size_t midden_pool_report(midden_mutator *mutator, midden_pool *pool);

typedef struct midden_pool_statistics {
  size_t total_bytes;      /* the most that it may have */
  size_t capacity_bytes;   /* what it has */
  size_t chunk_bytes;
  size_t used_bytes;       /* lent, in whole chunks */
  size_t peak_used_bytes;
  size_t held_bytes;       /* free, and held for the one who is first in the line */
  size_t leases;           /* out */
  size_t owned_leases;     /* of these, by buffers of the heap */
  size_t waiting;          /* threads in the line, */
  size_t waiting_bytes;    /* the chunks that they wait for, */
  size_t peak_waiting;     /* and the most threads at a time */
  uint64_t acquisitions;   /* that succeeded, ever */
  uint64_t waits;          /* of these, those that had to wait */
  uint64_t timeouts;       /* TIMED_OUT was the answer; MIDDEN_AT_ONCE included */
  uint64_t refusals;       /* LIMIT was: it could never fit */
  uint64_t releases;       /* leases that came back, ever */
  uint64_t collected;      /* of these, because their owner in the heap died */
} midden_pool_statistics;

/* Fills *statistics: all of one moment. post: MIDDEN_OK; or MISUSE or BAD_ARGUMENT, *statistics untouched. Any thread. */
MIDDEN_API midden_status midden_pool_statistics_read(midden_pool *pool, midden_pool_statistics *statistics);

MIDDEN_END_DECLARATIONS

#endif
