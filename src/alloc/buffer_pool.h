/* Pools of buffers: a range of chunks, who has which, and the line of those who wait. It knows no heap: memory is given
 * to it, and the account is kept above.
 *
 * The line is as in Kafka's BufferPool (a deque of conditions, one for each waiter), but who gives back serves: chunks
 * are handed to the first in the line by the thread that freed them, under the lock. So nobody can take them
 * in between, order does not depend on who wakes up first, and what the line looks like after a release is
 * certain. */
#ifndef MIDDEN_ALLOC_BUFFER_POOL_H
#define MIDDEN_ALLOC_BUFFER_POOL_H

#include "base/memory_checker.h"
#include "base/os_threads.h"
#include "midden/pool.h"

#define POOL_SIGNATURE ((uintptr_t)0x6d696464656e504f) /* "middenPO" */
#define POOL_NAME_BYTES 32
#define POOL_CHUNKS_MOST ((size_t)1 << 20)

/* A lease that is out; it stands at its first chunk. */
struct pool_record {
  const char *site;
  uint64_t number;
  uint32_t chunks; /* 0: none starts here */
  bool owned;      /* by a buffer of the heap */
  bool reported;   /* in the report that is being made */
};

/* Somebody in the line, on his own stack. */
struct pool_waiter {
  struct pool_waiter *next;
  struct os_condition served;
  size_t chunks, size;
  const char *site;
  bool done; /* out of the line: `status` is the answer */
  midden_status status;
  midden_lease lease;
};

/* Invariant, whenever the lock is free: bits of `used` are set for the chunks of the records and no others; the first
 * in the line, if there is one, does not fit into what is free; nobody is in the line when the pool is shut. `inside`
 * counts those who were in the line and have not left the pool. */
struct midden_pool {
  uintptr_t signature;
  struct os_lock lock;
  struct os_condition left; /* nobody is inside */
  /* Constant while the pool is open. */
  char *base;
  size_t chunk_bytes, total_chunks;
  bool poison, report_collected;
  enum memory_checker checker; /* that free chunks are hidden through */
  char name[POOL_NAME_BYTES];
  /* Under the lock. */
  size_t chunks;  /* that have memory: the first ones */
  uint64_t *used;
  struct pool_record *records;
  struct pool_waiter *first, **last;
  size_t inside;
  uint64_t next_number;
  bool shut;
  midden_pool_statistics figures; /* what follows from the rest is filled in when it is read */
  /* The heap's. */
  midden_heap *heap;
  struct midden_pool *next;
  size_t record_bytes, used_bytes, reserved_bytes; /* as they were asked for */
};

static inline bool pool_valid(const midden_pool *pool) { return pool && pool->signature == POOL_SIGNATURE; }

/* Completes a pool whose base, chunk_bytes, total_chunks, used, records and flags are set. post: false if the system has
 * no lock for it. */
bool mdn_pool_open(midden_pool *pool);
/* pre: nobody is inside. */
void mdn_pool_close(midden_pool *pool);

/* The next `chunks` have memory. */
void mdn_pool_extend(midden_pool *pool, size_t chunks);

bool mdn_pool_is_shut(midden_pool *pool);
/* Ends acquiring; with `wait`, until those who were woken have left. */
void mdn_pool_shut(midden_pool *pool, bool wait);

/* Makes a lease that of a buffer of the heap. post: false if it is none, or is already. */
bool mdn_pool_own(midden_pool *pool, const midden_lease *lease);
/* Gives back what a buffer of the heap owns. post: the site, for a report. */
const char *mdn_pool_disown(midden_pool *pool, const midden_lease *lease, bool collected);

/* The leases of one site. */
struct pool_site {
  char site[160]; /* copied: it is the host's, who may give the lease back in the meantime */
  size_t leases, bytes;
};

/* Sums up for a site that was not reported yet; `fresh` starts a report. post: false if there is none left. */
bool mdn_pool_next_site(midden_pool *pool, bool fresh, struct pool_site *result);

#endif
