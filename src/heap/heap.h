/* The heap: a core, its collector, options, pacing. Private to src/heap and src/debug. */
#ifndef MIDDEN_HEAP_HEAP_H
#define MIDDEN_HEAP_HEAP_H

#include <stdio.h>

#include "base/histogram.h"
#include "base/os.h"
#include "gc/collector.h"
#include "gc/core.h"
#include "heap/observer.h"
#include "midden/config.h"
#include "midden/heap.h"

#define SHARE_WINDOW 8 /* full collections over which the share of time is taken */

#define HEAP_SIGNATURE ((uintptr_t)0x6d696464656e4850)    /* "middenHP" */
#define MUTATOR_SIGNATURE ((uintptr_t)0x6d696464656e4d55) /* "middenMU" */

/* When to collect next, in bytes of cells handed out since the last collection. */
struct pacing {
  size_t allocated;       /* since the last collection; runs count when they are taken */
  size_t threshold;
  size_t nursery;         /* generational: bytes until the next collection */
  size_t live_before;     /* generational: live bytes after the last collection */
  double minor_cost, full_cost; /* generational, smoothed: nanoseconds of pause for each byte freed; 0: not known */
  unsigned minors_off;    /* generational: full collections to come before minor ones are tried again */
  size_t full_threshold;  /* generational: live bytes at which the next collection is a full one */
  uint64_t mutator_since; /* clock at the end of the last collection */
  double allocation_rate; /* smoothed, bytes per second */
  double collection_rate; /* smoothed, live bytes per second of pause */
  bool refused; /* collect=asked: memory was refused since the last collection */
};

/* The share of time spent collecting, over the last full collections. */
struct collecting_share {
  uint64_t at[SHARE_WINDOW], pauses[SHARE_WINDOW]; /* the clock, and all pauses so far, at their ends */
  unsigned count;
};

/* Why a refill must not go the shortest way. */
enum { CAUTION_SHARE = 1 /* the share of time is exceeded */, CAUTION_WATCHED = 2 /* observers see refills */ };

/* What stress= needs. */
struct stress_state {
  uint64_t count;  /* allocations since the last stress collection */
  uint64_t random;
};

struct heap_figures {
  uint64_t refills, page_heap_refills, large_allocations;
  uint64_t large_bytes; /* pages of all large objects, ever */
  uint64_t requested_by_detached;
  uint64_t minor_collections;
  uint64_t collections, emergency_collections, stress_collections, requested_collections;
  uint64_t total_pause_ns, longest_pause_ns, last_pause_ns;
  uint64_t verifications;
  uint64_t stress_moved, stress_pinned; /* objects, by stress collections */
  uint64_t unrooted_lost, unrooted_stale;
  uint64_t collector_switches;
  uint64_t pressure_calls, share_refusals;
  double fragmentation;
  struct histogram pauses[2]; /* full, minor */
  unsigned mutators; /* attached, ever */
};

struct guard;

/* Invariant: `collecting` is true exactly while a collection or a verification runs, and every entry point
 * that could disturb it then answers MISUSE. */
struct midden_heap {
  uintptr_t signature;
  midden_config config;
  midden_memory memory;
  size_t bytes; /* of this structure's own reservation */
  struct core core;
  const struct collector *collector;
  uintptr_t thread;
  struct mutator *detached; /* their memory, kept so that a use of one is noticed */
  bool collecting;
  bool closing;
  unsigned char caution; /* bits; 0: refills are taken as they come */
  bool in_callback; /* of the host's, for pressure or a walk: nothing may be allocated, collected, detached or closed */
  bool shredded; /* a moving collector found no room, and what it left in place keeps half of what should be free */
  uint64_t opened_at; /* the clock */
  struct pacing pacing;
  struct collecting_share share;
  struct stress_state stress;
  struct heap_figures figures;
  struct observer *observers;
  struct slot_names *names;  /* of kinds' slots, by the host: src/debug/names.c; NULL: none */
  struct guard *guard; /* NULL but under guard=; see debug/guard.h */
  FILE *log;
  struct midden_pool *pools; /* open ones */
  size_t pool_bytes;         /* of their chunks that have memory; in core.external_bytes */
  midden_kind buffer_kind;   /* id 0: not yet defined */
  size_t buffers, buffer_bytes; /* objects that own a block, and the blocks */
};

static inline bool heap_valid(const midden_heap *heap) { return heap && heap->signature == HEAP_SIGNATURE; }

/* Whether the caller may use the heap now. post: MIDDEN_OK or MISUSE. */
static inline midden_status heap_enter(const midden_heap *heap) {
  if (!heap_valid(heap) || heap->collecting || heap->thread != mdn_os_thread()) return MIDDEN_MISUSE;
  return MIDDEN_OK;
}

/* The same for a mutator, detached ones included. */
static inline midden_status mutator_enter(const midden_mutator *face) {
  if (!face || face->signature != MUTATOR_SIGNATURE) return MIDDEN_MISUSE;
  return heap_enter(mutator_of(face)->heap);
}

/* Whether the heap collects of itself at all: what collects, and is no call of the host's for just that, asks here first. */
static inline bool heap_collects_itself(const midden_heap *heap) {
  return heap->config.collecting == MIDDEN_COLLECTING_AUTO && heap->collector->collect;
}

/* Memory is refused. Where only the host collects, it is told by midden_collection_due that it had better. */
static inline void heap_note_refusal(midden_heap *heap) {
  heap->pacing.refused |= heap->config.collecting == MIDDEN_COLLECTING_ASKED;
}

/* Gives the unused rests of runs back, outside a collection. */
void mdn_heap_flush(midden_heap *heap);

/* Where AddressSanitizer or memcheck watches: opens the cells of objects to the library, which is going to walk them, and
 * closes them again to all but what the program may use. In between, memcheck reports nothing of this thread. Elsewhere
 * they do nothing. Not nested. pre: runs are flushed. */
void mdn_heap_open_cells(midden_heap *heap);
void mdn_heap_close_cells(midden_heap *heap);

/* Collects. May be called from anywhere that heap_enter allows. */
midden_status mdn_heap_collect(midden_heap *heap, enum cause cause, bool minor);

/* When that was not enough: collects with the collector's last resort. post: UNSUPPORTED if it has none. */
midden_status mdn_heap_collect_last_resort(midden_heap *heap);

/* At the heap's end: runs all finalizers that are queued or registered. */
void mdn_finalizers_run_all(midden_heap *heap);

/* Pacing. */
void mdn_pacing_open(midden_heap *heap);
void mdn_pacing_after(midden_heap *heap, bool minor, uint64_t pause_ns);
/* Forgets what was learnt of a collector that has been replaced. */
void mdn_pacing_switched(midden_heap *heap);
/* Whether a collection for this cause had better be a minor one. */
bool mdn_pacing_minor(const midden_heap *heap, enum cause cause);
/* Whether stress= wants a collection at this allocation; counts the allocation. */
bool mdn_stress_due(midden_heap *heap);

/* Options: checks what parsing cannot. */
midden_status mdn_config_check(const midden_config *config, midden_error *error);

/* The identity hash of an object, made if it has none. post: 0: no memory. */
uint64_t mdn_identity_of(struct core *core, uintptr_t cell);

/* External memory: takes what is counted now off the limit of pages. */
void mdn_external_charge(midden_heap *heap);
/* Called when an object that kept some dies. */
void mdn_external_dropped(struct core *core, uint64_t bytes);

/* Gives a block back, whose page has this entry. Also from inside a collection. post: MIDDEN_OK; or MISUSE, and nothing has
 * changed: see blocks_give. */
static inline midden_status heap_give_block(midden_heap *heap, uint64_t entry, void *block) {
  size_t bytes = blocks_give(&heap->core.space, &heap->core.blocks, entry, block);
  if (__builtin_expect(bytes == 0, 1)) return MIDDEN_OK;
  if (bytes == BLOCKS_REFUSED) return MIDDEN_MISUSE;
  heap->pacing.allocated -= size_minimum(bytes, heap->pacing.allocated);
  return MIDDEN_OK;
}

/* At the heap's end: shuts the pools that are left, reports what is lent, gives their memory back. */
void mdn_pools_close(midden_heap *heap);

/* Asks the host to drop what it can spare. post: whether it says that it has. */
bool mdn_pressure(midden_heap *heap, midden_pressure pressure, size_t bytes);
/* After a full collection: where more lives than the soft limit. */
void mdn_pressure_after_collection(midden_heap *heap);
/* Counts a full collection that the heap wanted itself, or that the host had made as if. */
void mdn_share_count(midden_heap *heap);

/* Collects as `take` failing wants it (not with collect=asked), until it succeeds or nothing helps: then the mutator's
 * status is NO_MEMORY. `take` is called with what else is given. */
typedef bool (*taking_function)(struct mutator *mutator, struct central *central, size_t size, void *taken);
bool mdn_take_or_collect(struct mutator *mutator, struct central *central, size_t size, taking_function take,
                         void *taken);
/* Collections that are due before `size` bytes beyond the ordinary are handed out. */
void mdn_collect_if_due(midden_heap *heap, size_t size);

/* One line to the report function, the log, or if `always` and both are off, to stderr. */
__attribute__((format(printf, 3, 4))) void mdn_heap_report(midden_heap *heap, bool always, const char *format, ...);

/* Makes `cursors` cursors of a mutator usable. post: false if memory was refused. */
bool mdn_mutator_commit(struct mutator *mutator, const midden_memory *memory, size_t cursors);
/* Gives back the memory of detached mutators. */
void mdn_mutators_release(midden_heap *heap);

size_t mdn_heap_committed(const midden_heap *heap);

#endif
