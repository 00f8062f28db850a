/* Observers of collections: what src/debug hangs into a heap. They are called in the order in which they were added,
 * before and after each collection, when alloc bits are exact. */
#ifndef MIDDEN_HEAP_OBSERVER_H
#define MIDDEN_HEAP_OBSERVER_H

#include "gc/core.h"

enum cause { CAUSE_PACING, CAUSE_REQUEST, CAUSE_STRESS, CAUSE_EMERGENCY };

const char *mdn_cause_name(enum cause cause);

/* One collection, as far as it is known: before it, what stands above the line. */
struct collected {
  const struct collection *collection; /* registers and stack */
  const char *collector;
  enum cause cause;
  bool minor;
  uint64_t number;      /* of the heap's collections, from 1 */
  size_t used_before;   /* bytes of cells */
  uint64_t began;       /* the clock */
  /* ---- */
  uint64_t ended;
  uint64_t pinned;      /* objects pinned in it */
  uint64_t moved;       /* objects */
};

struct observer {
  struct observer *next;
  /* May refuse the collection. post: MIDDEN_OK; or what midden_collect answers. NULL: none. */
  midden_status (*before)(struct observer *observer, midden_heap *heap, const struct collected *collected);
  /* post: MIDDEN_OK; or what midden_collect answers. NULL: none. */
  midden_status (*after)(struct observer *observer, midden_heap *heap, const struct collected *collected);
  /* When the heap is closed, or could not be opened, while everything is still there. NULL: none. */
  void (*close)(struct observer *observer, midden_heap *heap);
};

/* Memory for an observer that begins with a struct observer, until the heap is closed. post: zero; or NULL and *error. */
void *mdn_observer_new(midden_heap *heap, size_t bytes, midden_error *error);
/* post: the observer is called after those that were added before. */
void mdn_observer_add(midden_heap *heap, struct observer *observer);

midden_status mdn_observers_before(midden_heap *heap, const struct collected *collected);
midden_status mdn_observers_after(midden_heap *heap, const struct collected *collected);
void mdn_observers_close(midden_heap *heap);

#endif
