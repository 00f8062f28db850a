/* Figures of the heap, for --gc-stats and (gc-stats). */
#ifndef SCHEME_FIGURES_H
#define SCHEME_FIGURES_H

#include "heap.h"

/* Members of midden_statistics that are counts, sizes in bytes or times. */
#define FIGURES(X)                                                                                           \
  X(allocations) X(allocated_bytes) X(requested_bytes)                                                       \
  X(refills) X(central_refills) X(page_heap_refills) X(large_allocations)                                    \
  X(used_bytes) X(span_bytes) X(free_bytes) X(committed_bytes) X(metadata_bytes) X(reserved_bytes)           \
  X(peak_committed_bytes) X(limit_bytes)                                                                     \
  X(blocks) X(block_bytes) X(external_bytes) X(identities)                                                   \
  X(live_objects) X(live_bytes) X(waste_bytes) X(host_pins) X(pinned_objects) X(pinned_span_bytes)           \
  X(collections) X(minor_collections) X(emergency_collections) X(stress_collections)                         \
  X(requested_collections) X(collector_switches)                                                             \
  X(objects_moved) X(bytes_moved) X(objects_pinned) X(marked_in_place)                                       \
  X(objects_remembered) X(side_entries) X(mark_stack_rescans)                                                \
  X(weak_cleared) X(weak_kept) X(ephemerons_visited) X(ephemerons_cleared)                                   \
  X(finalizers_registered) X(finalizers_waiting) X(finalizers_queued) X(finalizers_run) X(on_free_calls)     \
  X(total_pause_ns) X(longest_pause_ns) X(last_pause_ns)                                                     \
  X(verifications) X(pages_returned)

enum figure {
#define X(name) FIGURE_##name,
  FIGURES(X)
#undef X
  FIGURE_resident_bytes, /* the operating system's word */
  FIGURE_COUNT
};

enum { FIGURE_NAME_MAX = 32 };

/* Reads all. post: the one that is not whole, fragmentation: committed bytes for each live byte. Does not collect.
 * A function of its own for the same reason as has_room in heap.c. */
double figures_read(struct vm *vm, uint64_t *figures);

/* The name of a figure, its words joined by `joint`. */
void figure_name(int figure, char joint, char *name);

#endif
