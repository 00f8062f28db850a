/* The quarantine: pages that objects have left are made inaccessible instead of free, so that a pointer that still
 * leads there faults at its first use. (Electric Fence, Perens 1987, does so to each block of malloc.)
 *
 * They have no memory behind them, so they are not in the limit: they cost address space, and the system's tables for
 * that. They are used again, oldest first, when pages are wanted and the range has no others. */
#ifndef MIDDEN_ALLOC_QUARANTINE_H
#define MIDDEN_ALLOC_QUARANTINE_H

#include "alloc/page_heap.h"

/* Each run may be two more mappings to the system, which allows a process 65530 by default on Linux. */
#define QUARANTINE_RUNS ((size_t)4096)
/* Neighbours are joined up to so many pages: what is used again is used again at a time. */
#define QUARANTINE_JOINED_MOST ((size_t)64)

/* Invariant: `held` has the pages of the runs set and no others; these are neither in use nor in the summary of free
 * pages, and not dirty. */
struct quarantine {
  struct held_run {
    uint32_t first, pages;
    uint64_t tag;        /* of when its last part was held */
  } runs[QUARANTINE_RUNS]; /* a ring */
  size_t oldest, count;
  uint64_t *held;        /* bit: by page */
  size_t pages;          /* held now */
  uint64_t reused_pages; /* ever */
  uint64_t tag;          /* for what is held from now on: the number of the collection */
  /* Makes pages inaccessible. post: false, and nothing has changed, if the system refuses. */
  bool (*protect)(void *address, size_t bytes);
  /* Called when a span of blocks goes into quarantine. */
  void (*blocks_freed)(void *context, uintptr_t start, size_t bytes, size_t block_bytes);
  void *context;
};

/* Takes pages that are given back. pre: they are in use. post: false if they must go the ordinary way. */
bool mdn_quarantine_hold(struct page_heap *heap, size_t first, size_t count);

/* Makes the oldest run free. post: false if there is none, or the system refuses to let it be used. */
bool mdn_quarantine_release(struct page_heap *heap);

/* The run that a page belongs to. post: NULL if it is not held. */
const struct held_run *mdn_quarantine_find(const struct quarantine *quarantine, size_t page);

#endif
