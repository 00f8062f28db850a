/* Observers of collections: what src/debug hangs into a heap. They are called in the order in which they were added,
 * before and after each collection, when alloc bits are exact. */
#ifndef MIDDEN_HEAP_OBSERVER_H
#define MIDDEN_HEAP_OBSERVER_H

#include "gc/core.h"

/* CAUSE_PACED: the host's request for what pacing would make. */
enum cause { CAUSE_PACING, CAUSE_REQUEST, CAUSE_STRESS, CAUSE_EMERGENCY, CAUSE_PACED };

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
  /* The most cells that the next run of this list may have, which is taken for this mutator's cursor of it; asked
   * before each attempt to take one. NULL: no bound. This and the next two are called if the heap is watched. */
  size_t (*most)(struct observer *observer, midden_heap *heap, struct mutator *mutator, const struct central *central);
  /* After a run of `cells` cells was taken; `cell`, the first, is handed out now. A large object, or a cell that was
   * borrowed from another class, is handed out without a run: then `cells` is 0. NULL: none. */
  void (*refilled)(struct observer *observer, midden_heap *heap, struct mutator *mutator, const struct central *central,
                   void *cell, size_t cells);
  /* Before the unused rests of all runs are given back. NULL: none. */
  void (*flushing)(struct observer *observer, midden_heap *heap);
  /* After a mutator was attached, and before one is detached. NULL: none. */
  void (*attached)(struct observer *observer, midden_heap *heap, const struct mutator *mutator);
  void (*detaching)(struct observer *observer, midden_heap *heap, const struct mutator *mutator);
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

/* Has the observers' functions for refills called: costs nothing where no observer wants it. */
void mdn_observers_watch(midden_heap *heap);
size_t mdn_observers_most(midden_heap *heap, struct mutator *mutator, const struct central *central);
void mdn_observers_refilled(midden_heap *heap, struct mutator *mutator, const struct central *central, void *cell,
                            size_t cells);
void mdn_observers_flushing(midden_heap *heap);
void mdn_observers_attached(midden_heap *heap, const struct mutator *mutator);
void mdn_observers_detaching(midden_heap *heap, const struct mutator *mutator);

#endif
