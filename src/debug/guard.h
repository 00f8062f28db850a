/* Guard mode: what a guarded heap keeps. See guard.c. */
#ifndef MIDDEN_DEBUG_GUARD_H
#define MIDDEN_DEBUG_GUARD_H

#include "alloc/quarantine.h"
#include "base/text.h"
#include "debug/history.h"
#include "debug/sites.h"
#include "heap/heap.h"

/* Invariant: `before` has the bits of the cells that were allocated when the running collection began, and live and
 * have not moved as far as is known; outside a collection none. */
struct guard {
  struct observer observer; /* first */
  struct move_watch watch;
  midden_heap *heap;
  struct quarantine quarantine;
  struct history history;
  struct sites sites;
  uint64_t *before; /* by granule, as the space's bitmaps */
  size_t before_bytes;
  const struct collected *collected; /* the running collection */
  int descriptor;   /* for reports from the signal handler */
};

/* In a signal handler: writes a report of a fault at `address`. `context`: the handler's third argument. */
void mdn_guard_report(const struct guard *guard, uintptr_t address, void *context);

/* What is known of an address, for midden_explain and the reports. May be called in a signal handler. */
void mdn_explain(const midden_heap *heap, uintptr_t address, struct text *text);

/* The process's handler for faults: see guard_signals.c. post: false if too many heaps have it. */
bool mdn_guard_signals_add(const struct guard *guard);
/* pre: the heap's owner calls it. Nothing happens if the guard was not added. */
void mdn_guard_signals_remove(const struct guard *guard);

#endif
