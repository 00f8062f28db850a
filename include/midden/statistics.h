/* Figures: what each level of the allocator and each collection did. */
#ifndef MIDDEN_STATISTICS_H
#define MIDDEN_STATISTICS_H

#include "midden/heap.h"

MIDDEN_BEGIN_DECLARATIONS

typedef struct midden_statistics {
  /* Allocation, since the heap was opened. */
  uint64_t allocations;         /* objects handed out */
  uint64_t allocated_bytes;     /* bytes of their cells */
  uint64_t requested_bytes;     /* bytes the host asked for */
  uint64_t refills;             /* runs and large objects taken from the second level; the other allocations hit the first */
  uint64_t central_refills;     /* refills served from a span that the central list already had */
  uint64_t page_heap_refills;   /* refills that took a new span from the page heap */
  uint64_t large_allocations;   /* objects with pages of their own */

  /* Space now, in bytes. */
  size_t used_bytes;            /* cells handed out, live or not yet collected */
  size_t span_bytes;            /* pages in spans */
  size_t free_bytes;            /* free pages that are still backed by memory */
  size_t committed_bytes;       /* span_bytes + free_bytes + metadata_bytes */
  size_t metadata_bytes;        /* page map, bitmaps, spans, tables, mutators */
  size_t reserved_bytes;        /* address space */
  size_t peak_committed_bytes;
  size_t limit_bytes;
  size_t blocks;                /* raw blocks in use, */
  size_t block_bytes;           /* their bytes, which are not in used_bytes, */
  size_t block_span_bytes;      /* and the pages of their spans, which are in span_bytes */
  size_t buffers;               /* objects of midden_buffer_new that own bytes, */
  size_t buffer_bytes;          /* and these, which are in block_bytes */
  size_t external_bytes;        /* outside the heap: told by midden_external_add, and */
  size_t pool_bytes;            /* what pools of buffers have (pool.h), lent or not */
  size_t identities;            /* objects that were asked for their identity hash and may still live */
  size_t host_pins;             /* objects that the host has pinned, scoped pins included, now */

  /* After the last collection. */
  size_t live_objects;
  size_t live_bytes;            /* cells */
  size_t waste_bytes;           /* cells minus what was asked for, estimated from all allocations so far */
  size_t pinned_objects;        /* pinned in it, whatever pinned them */
  size_t pinned_span_bytes;     /* pages of the spans that these are in: what could not be emptied */
  double fragmentation;         /* committed_bytes / live_bytes then; 0 before the first */

  /* Collections. */
  uint64_t collections;
  uint64_t minor_collections;     /* of these, of young objects only (generational=yes) */
  uint64_t emergency_collections; /* of these, because memory was refused */
  uint64_t stress_collections;    /* of these, by stress= */
  uint64_t pressure_calls;        /* of the host's pressure callback */
  uint64_t share_refusals;        /* allocations that failed because of collect-share */
  uint64_t requested_collections; /* of these, by midden_collect and midden_defragment */
  uint64_t objects_moved;
  uint64_t bytes_moved;
  uint64_t spans_emptied;         /* by midden_defragment */
  uint64_t objects_pinned;        /* live ones: by ambiguous words, midden_visit_pinned and midden_pin, summed over collections */
  uint64_t marked_in_place;       /* objects that copying left because there was no room */
  uint64_t mark_stack_rescans;    /* passes because the mark stack could not grow */
  uint64_t side_entries;          /* entries of identity hashes and external memory that collections looked at, summed */
  uint64_t objects_remembered;    /* old objects that the write barrier noted, summed */
  uint64_t total_pause_ns;
  uint64_t longest_pause_ns;
  uint64_t last_pause_ns;
  uint64_t stress_moved;          /* objects moved by stress collections, */
  uint64_t stress_pinned;         /* and objects pinned in them, which they had to leave */
  size_t guarded_bytes;           /* pages that guard= keeps inaccessible now: address space, no memory */
  uint64_t guard_reused_bytes;    /* of these, ever, given up to be used again */
  uint64_t unrooted_lost;         /* unrooted=: references found on the stack whose objects no root leads to, */
  uint64_t unrooted_stale;        /* and those whose objects have moved */
  uint64_t verifications;         /* heap walks made by verify= and midden_verify */
  uint64_t collector_switches;    /* by midden_heap_use, to another one than before */
  uint64_t pages_returned;        /* pages given back to the operating system, ever */

  /* Liveness, summed over collections. */
  uint64_t weak_cleared;          /* weak references cleared; a pair of a weak table counts once */
  uint64_t weak_kept;             /* weak references and ephemerons taken for strong, and ordered finalizers put
                                     off, because memory was refused */
  uint64_t ephemerons_visited;    /* times that an ephemeron was looked at */
  uint64_t ephemerons_cleared;
  uint64_t ephemeron_iterations;  /* times that they were gone through again and again, because memory was refused */
  size_t finalizers_registered;   /* now: not queued yet */
  size_t finalizers_waiting;      /* now: queued, and not run yet */
  uint64_t finalizers_queued;
  uint64_t finalizers_run;
  uint64_t finalizer_cycles;      /* times that a cycle of ordered finalizers was broken */
  uint64_t on_free_calls;
} midden_statistics;

/* Fills *statistics. Does not collect. Owner thread. Cost: constant, whatever the number of kinds, classes and objects: each
 * figure is kept where it changes, but for what attached mutators have taken and not handed out yet, at most 128 cursors
 * of each. It makes no system call; what is in memory now takes one: midden_resident_bytes. */
MIDDEN_API void midden_statistics_read(midden_heap *heap, midden_statistics *statistics);

/* What the objects of one kind, or of one size class of a kind, take up now: objects handed out and not yet
 * collected. Exact after every allocation. */
typedef struct midden_usage {
  size_t objects;
  size_t bytes;         /* of their cells */
  size_t span_bytes;    /* pages of the spans that hold them */
  uint64_t allocations; /* objects, ever */
} midden_usage;

/* Fills *usage for a kind. post: MIDDEN_OK; or BAD_ARGUMENT (no such kind) or MISUSE, *usage untouched. Cost:
 * constant (at most a few loads for each size class). Does not collect. Owner thread. */
MIDDEN_API midden_status midden_usage_of_kind(midden_heap *heap, uint16_t kind_id, midden_usage *usage);

/* The same for the objects of the kind whose cells have the size that a request of `size` bytes gets; all above
 * 32 KiB are one class. For a kind of fixed size, the whole kind. */
MIDDEN_API midden_status midden_usage_of_class(midden_heap *heap, uint16_t kind_id, size_t size, midden_usage *usage);

/* The bytes of the heap's range that are in memory now, by the operating system's word; 0 where it does not say.
 * Cost: a call for each 16 MiB. Does not collect. Owner thread. */
MIDDEN_API size_t midden_resident_bytes(midden_heap *heap);

/* Says in words what is wrong with the heap and what to set, by the statistics so far: a sentence or two on a line
 * for each finding, or one line that nothing is. The thresholds are in docs/running.md and in each sentence.
 * post: the length it needs without the terminator, as snprintf; text is cut at `capacity`; 0 on MISUSE.
 * Does not collect. Owner thread. */
MIDDEN_API size_t midden_doctor(midden_heap *heap, char *text, size_t capacity);

/* Gives free pages back to the operating system at once instead of after a delay.
 * post: the number of bytes given back. Does not collect. */
MIDDEN_API size_t midden_trim(midden_heap *heap);

MIDDEN_END_DECLARATIONS

#endif
