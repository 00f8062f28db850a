/* Statistics: sums over the levels. */
#include <string.h>

#include "alloc/quarantine.h"
#include "heap/heap.h"

size_t mdn_heap_committed(const midden_heap *heap) {
  const struct core *core = &heap->core;
  size_t bytes = (core->space.pages.used_pages + core->space.pages.dirty_pages) << PAGE_SHIFT;
  bytes += mdn_space_metadata_bytes(&core->space) + core->arena.committed_bytes + heap->bytes;
  bytes += core->tracer.stack.capacity * sizeof(mark_entry);
  bytes += core->weak.notes[0].bytes + core->weak.notes[1].bytes;
  bytes += core->ephemerons.pending.bytes + core->ephemerons.buckets.bytes + core->phases.held.bytes +
           core->remembered.cells.bytes;
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) bytes += mutator->bytes;
  for (const struct mutator *mutator = heap->detached; mutator; mutator = mutator->next) bytes += mutator->bytes;
  return bytes;
}

/* The totals of all lists, less what mutators hold and have not handed out. */
static void read_allocation(const midden_heap *heap, midden_statistics *statistics) {
  const struct core *core = &heap->core;
  const struct space_totals *totals = &core->space.totals;
  const struct heap_figures *figures = &heap->figures;
  struct resting resting = mdn_core_resting(core);
  statistics->allocations = totals->allocated_cells - resting.cells;
  statistics->allocated_bytes = figures->large_bytes + totals->allocated_bytes - resting.bytes;
  statistics->requested_bytes = figures->requested_by_detached + totals->requested_bytes - resting.requested_bytes;
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    statistics->requested_bytes += mutator->face.requested;
  }
  statistics->refills = figures->refills;
  statistics->page_heap_refills = figures->page_heap_refills;
  statistics->central_refills = figures->refills - figures->page_heap_refills;
  statistics->large_allocations = figures->large_allocations;
  statistics->used_bytes = totals->used_bytes - resting.bytes;
}

static void read_pages(const midden_heap *heap, midden_statistics *statistics) {
  const struct core *core = &heap->core;
  const struct page_heap *pages = &core->space.pages;
  statistics->span_bytes = pages->used_pages << PAGE_SHIFT;
  statistics->free_bytes = pages->dirty_pages << PAGE_SHIFT;
  statistics->committed_bytes = mdn_heap_committed(heap);
  statistics->metadata_bytes = statistics->committed_bytes - statistics->span_bytes - statistics->free_bytes;
  statistics->peak_committed_bytes = (pages->peak_pages << PAGE_SHIFT) + statistics->metadata_bytes;
  statistics->reserved_bytes = core->space.reservation_bytes;
  statistics->limit_bytes = heap->config.heap_limit;
  statistics->pages_returned = pages->returned_pages;
  if (!pages->quarantine) return;
  statistics->guarded_bytes = pages->quarantine->pages << PAGE_SHIFT;
  statistics->guard_reused_bytes = pages->quarantine->reused_pages << PAGE_SHIFT;
}

/* What is no cell, and what is known of single objects. */
static void read_beside_objects(const midden_heap *heap, midden_statistics *statistics) {
  const struct core *core = &heap->core;
  size_t block_pages;
  mdn_blocks_count(&core->blocks, &statistics->blocks, &statistics->block_bytes, &block_pages);
  statistics->block_span_bytes = block_pages << PAGE_SHIFT;
  statistics->buffers = heap->buffers;
  statistics->buffer_bytes = heap->buffer_bytes;
  statistics->external_bytes = core->external_bytes;
  statistics->pool_bytes = heap->pool_bytes;
  statistics->identities = core->identities.table.count;
  statistics->host_pins = core->pins.count;
}

static void read_collections(const midden_heap *heap, midden_statistics *statistics) {
  const struct heap_figures *figures = &heap->figures;
  statistics->fragmentation = figures->fragmentation;
  statistics->collections = figures->collections;
  statistics->minor_collections = figures->minor_collections;
  statistics->emergency_collections = figures->emergency_collections;
  statistics->stress_collections = figures->stress_collections;
  statistics->requested_collections = figures->requested_collections;
  statistics->pressure_calls = figures->pressure_calls;
  statistics->share_refusals = figures->share_refusals;
  statistics->total_pause_ns = figures->total_pause_ns;
  statistics->longest_pause_ns = figures->longest_pause_ns;
  statistics->last_pause_ns = figures->last_pause_ns;
  statistics->collector_switches = figures->collector_switches;
  statistics->verifications = figures->verifications;
  statistics->stress_moved = figures->stress_moved;
  statistics->stress_pinned = figures->stress_pinned;
  statistics->unrooted_lost = figures->unrooted_lost;
  statistics->unrooted_stale = figures->unrooted_stale;
}

/* What collections have found and done. */
static void read_survivors(const struct core_figures *figures, midden_statistics *statistics) {
  statistics->live_objects = figures->live_objects;
  statistics->live_bytes = figures->live_bytes;
  statistics->pinned_objects = figures->pinned_objects;
  statistics->pinned_span_bytes = figures->pinned_span_bytes;
  statistics->objects_remembered = figures->objects_remembered;
  statistics->side_entries = figures->side_entries;
  statistics->objects_moved = figures->objects_moved;
  statistics->bytes_moved = figures->bytes_moved;
  statistics->spans_emptied = figures->spans_emptied;
  statistics->objects_pinned = figures->objects_pinned;
  statistics->marked_in_place = figures->marked_in_place;
  statistics->mark_stack_rescans = figures->mark_stack_rescans;
  if (statistics->allocated_bytes == 0) return;
  double waste = 1 - (double)statistics->requested_bytes / (double)statistics->allocated_bytes;
  statistics->waste_bytes = (size_t)(waste * (double)statistics->live_bytes);
}

static void read_liveness(const struct core *core, midden_statistics *statistics) {
  const struct core_figures *figures = &core->figures;
  statistics->weak_cleared = figures->weak_cleared;
  statistics->weak_kept = figures->weak_kept;
  statistics->ephemerons_visited = figures->ephemerons_visited;
  statistics->ephemerons_cleared = figures->ephemerons_cleared;
  statistics->ephemeron_iterations = figures->ephemeron_iterations;
  statistics->finalizers_registered = core->finalizers.registered;
  statistics->finalizers_waiting = core->finalizers.waiting;
  statistics->finalizers_queued = figures->finalizers_queued;
  statistics->finalizers_run = figures->finalizers_run;
  statistics->finalizer_cycles = figures->finalizer_cycles;
  statistics->on_free_calls = figures->on_free_calls;
}

void midden_statistics_read(midden_heap *heap, midden_statistics *result) {
  midden_statistics statistics = {0};
  read_allocation(heap, &statistics);
  read_pages(heap, &statistics);
  read_beside_objects(heap, &statistics);
  read_collections(heap, &statistics);
  read_survivors(&heap->core.figures, &statistics);
  read_liveness(&heap->core, &statistics);
  *result = statistics;
}

size_t midden_trim(midden_heap *heap) {
  if (heap_enter(heap) != MIDDEN_OK) return 0;
  struct space *space = &heap->core.space;
  uint64_t before = space->pages.returned_pages; /* guarded ones have no memory as soon as they are given back */
  mdn_blocks_trim(space, &heap->core.blocks);
  mdn_space_return(space, UINT64_MAX, true);
  return (size_t)(space->pages.returned_pages - before) << PAGE_SHIFT;
}
