/* The core: what collectors work on. A heap is a core plus options, pacing and entry points. */
#ifndef MIDDEN_GC_CORE_H
#define MIDDEN_GC_CORE_H

#include "gc/ephemeron.h"
#include "gc/finalizers.h"
#include "base/address_table.h"
#include "alloc/blocks.h"
#include "gc/hits.h"
#include "gc/kinds.h"
#include "gc/phases.h"
#include "gc/reference.h"
#include "gc/side.h"
#include "gc/steps.h"
#include "gc/tracer.h"
#include "gc/weak.h"
#include "midden/statistics.h"
#include "roots/handles.h"
#include "roots/registry.h"
#include "roots/stacks.h"

struct core;
struct scavenger;

/* Pins that end with a scope: a stack of cells, each pinned once for its entry. */
struct scoped_pins {
  uintptr_t *cells;
  size_t count, capacity;
};

/* How many runs a mutator may hold. When it takes one more, the one that has been held longest is given back: so what is
 * not handed out yet is known after a look at so many cursors, whatever the number of kinds and classes. */
#define RUNS_HELD_MOST 128

/* Invariant: a list is among `lists` exactly if its cursor's `limit` is not NULL. */
struct held_runs {
  struct central *lists[RUNS_HELD_MOST];
  unsigned count, oldest;
};

/* A mutator: the part that inlined code reads comes last, with its cursors. */
struct mutator {
  struct mutator *next;
  midden_heap *heap;
  struct core *core;
  struct handles handles;
  struct stacks stacks;
  struct scoped_pins scoped_pins;
  struct held_runs runs;
  midden_status last_status;
  size_t bytes, reserved_bytes; /* committed, and reserved */
  unsigned number; /* of the heap's mutators, from 1 */
  midden_mutator face;
};

static inline struct mutator *mutator_of(const midden_mutator *face) {
  return (struct mutator *)((uintptr_t)face - offsetof(struct mutator, face));
}

/* What collections count, ever; see midden_statistics for the meanings. */
struct core_figures {
  uint64_t objects_moved, bytes_moved, objects_pinned, marked_in_place, mark_stack_rescans, objects_remembered;
  uint64_t weak_cleared, weak_kept, ephemerons_visited, ephemerons_cleared, ephemeron_iterations;
  uint64_t finalizers_queued, finalizers_run, finalizer_cycles, on_free_calls;
  size_t live_objects, live_bytes; /* after the last collection */
  uint64_t spans_emptied;          /* by defragmenting */
  uint64_t side_entries;           /* of side tables, looked at */
  size_t pinned_objects, pinned_span_bytes; /* in the last collection: whatever pinned them */
};

/* One call of midden_defragment: see defragment.h. */
struct defragment {
  size_t budget; /* bytes of cells that may be moved */
  bool more;     /* something was left to another call */
  bool refused;  /* there was no memory to move safely, and nothing has moved */
};

/* Old objects stored into since the last collection; see remembered.h. */
struct remembered {
  struct table cells; /* of uintptr_t */
  bool overflowed; /* one is missing: the next collection must be full */
};

struct core {
  struct arena arena;
  struct space space;
  struct block_store blocks;
  struct kind_table kinds;
  struct central *active;    /* lists that ever had a span */
  struct root_registry registry;
  struct mutator *mutators;
  struct reference_form form;
  struct tracer tracer;
  struct scavenger *scavenger; /* copying's pass, while it runs */
  bool conservative;         /* stacks are scanned */
  bool stacks_pin_only;      /* and what they hit is not marked for that */
  bool poison;
  unsigned dense_percent;    /* in this collection, compaction leaves spans at the beginning alone that are so full */
  bool fill_old_spans;       /* in this collection, copies may go into old spans' gaps */
  bool gaps_only;            /* copies go into gaps of spans that are not flagged, and nowhere else */
  bool no_room;              /* in this collection, no span could be had for copies */
  bool generational;         /* minor collections happen, and the write barrier is on */
  bool minor;                /* the collection that runs, or was the last, is a minor one */
  struct remembered remembered;
  struct weak weak;
  struct ephemerons ephemerons;
  struct finalizers finalizers;
  struct phases phases;
  struct hits hits;
  struct address_table pins; /* by the host, until it unpins: how often; see pins.h */
  struct side_table identities; /* an object's hash */
  struct side_table externals;  /* bytes outside the heap that an object keeps */
  struct side_table samples;    /* of the allocation profile: see debug/profile.h */
  struct side_table sites;      /* guard=report:N: where an object was allocated; see debug/sites.h */
  struct move_watch *watches;
  size_t external_bytes;     /* all of them, with or without an object */
  uint64_t external_unowned; /* of these, those without one */
  uint64_t identity_random;  /* where the next hash comes from */
  uint64_t moved_epoch;      /* collections that moved something */
  struct defragment defragment;
  struct span *pinned;       /* spans with pins, during a collection */
  struct core_figures figures;
  struct step_log steps;     /* of the last collection */
};

/* One collection's view of the C stack. */
struct collection {
  struct core *core;
  const char *stack_pointer;
  const midden_word *registers;
  size_t register_count;
  bool minor;                /* only what was allocated since the last collection may die or move */
};

/* Roots, all kinds of them. Ambiguous roots come first where pins must be known first. */
void mdn_core_visit_ambiguous(const struct collection *collection, midden_visitor *visitor);
void mdn_core_visit_precise(struct core *core, midden_visitor *visitor);
/* What else refers to objects from outside the heap, and does not keep them. */
void mdn_core_visit_others(struct core *core, midden_visitor *visitor);

/* Puts a list among the active ones. */
static inline void core_activate(struct core *core, struct central *central) {
  if (central->active) return;
  central->active = true;
  central->next_active = core->active;
  core->active = central;
}

/* Gives the unused rests of all mutators' runs back: alloc bits are exact afterwards. post: their bytes. */
size_t mdn_core_flush(struct core *core);

/* A mutator is about to take a run of this list, and holds none. post: the bytes of another run that was given back for it, 0 mostly. */
size_t mdn_core_hold_run(struct mutator *mutator, struct central *central);

/* What mutators hold and have not handed out yet. */
struct resting {
  size_t cells, bytes;
  uint64_t requested_bytes; /* of kinds of fixed size */
};
struct resting mdn_core_resting(const struct core *core);

/* The size of the cell at `cell`, from its page's entry. */
static inline size_t core_cell_size(const struct core *core, uint64_t entry) {
  if (entry & PAGE_LARGE) return space_entry_span(&core->space, entry)->cell_size;
  return midden_class_size[(entry >> 16) & 0xff];
}

/* Calls `function` for each cell of a span whose bit in `bitmap` is set. The bitmap may change under
 * way for cells already passed. */
typedef void (*cell_function)(void *context, struct span *span, uintptr_t cell);
static inline __attribute__((always_inline)) void span_each(const struct space *space, struct span *span,
                                                            uint64_t *bitmap, cell_function function, void *context) {
  uint64_t *bits = span_bits(space, span, bitmap);
  size_t words = span_words(span);
  for (size_t word = 0; word < words; word++) {
    for (uint64_t rest = bits[word]; rest; rest &= rest - 1) {
      size_t offset = span_is_large(span) ? 0 : span_cell_offset(span, (word << 6) + bits_lowest(rest));
      function(context, span, span->start + offset);
    }
  }
}

#endif
