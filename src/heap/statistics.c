/* Statistics: sums over the levels. */
#include <string.h>

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

/* Cells of the list that are in mutators' runs and not handed out yet. */
static size_t cells_in_runs(const struct core *core, const struct central *central) {
  size_t bytes = 0;
  if (central->cell_size == 0) return 0;
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    const midden_cursor *cursor = &mutator->face.cursors[central->cursor];
    bytes += (size_t)(cursor->limit - cursor->next);
  }
  return bytes / central->cell_size;
}

static void read_lists(const struct core *core, midden_statistics *statistics) {
  for (const struct central *central = core->active; central; central = central->next_active) {
    size_t resting = cells_in_runs(core, central);
    uint64_t cells = central->allocated_cells - resting;
    statistics->allocations += cells;
    statistics->allocated_bytes += cells * central->cell_size;
    statistics->requested_bytes += cells * central->object_size;
    statistics->used_bytes += central->used_bytes - resting * central->cell_size;
  }
}

void midden_statistics_read(midden_heap *heap, midden_statistics *result) {
  struct core *core = &heap->core;
  const struct page_heap *pages = &core->space.pages;
  const struct heap_figures *figures = &heap->figures;
  midden_statistics statistics = {
      .refills = figures->refills,
      .page_heap_refills = figures->page_heap_refills,
      .central_refills = figures->refills - figures->page_heap_refills,
      .large_allocations = figures->large_allocations,
      .allocated_bytes = figures->large_bytes,
      .requested_bytes = figures->requested_by_detached,
      .span_bytes = pages->used_pages << PAGE_SHIFT,
      .free_bytes = pages->dirty_pages << PAGE_SHIFT,
      .committed_bytes = mdn_heap_committed(heap),
      .reserved_bytes = core->space.reservation_bytes,
      .limit_bytes = heap->config.heap_limit,
      .live_objects = core->figures.live_objects,
      .live_bytes = core->figures.live_bytes,
      .pinned_objects = core->figures.pinned_objects,
      .pinned_span_bytes = core->figures.pinned_span_bytes,
      .external_bytes = core->external_bytes,
      .pool_bytes = heap->pool_bytes,
      .buffers = heap->buffers,
      .buffer_bytes = heap->buffer_bytes,
      .identities = core->identities.table.count,
      .host_pins = core->pins.count,
      .fragmentation = figures->fragmentation,
      .collections = figures->collections,
      .minor_collections = figures->minor_collections,
      .objects_remembered = core->figures.objects_remembered,
      .side_entries = core->figures.side_entries,
      .emergency_collections = figures->emergency_collections,
      .pressure_calls = figures->pressure_calls,
      .share_refusals = figures->share_refusals,
      .stress_collections = figures->stress_collections,
      .requested_collections = figures->requested_collections,
      .objects_moved = core->figures.objects_moved,
      .bytes_moved = core->figures.bytes_moved,
      .spans_emptied = core->figures.spans_emptied,
      .objects_pinned = core->figures.objects_pinned,
      .marked_in_place = core->figures.marked_in_place,
      .mark_stack_rescans = core->figures.mark_stack_rescans,
      .weak_cleared = core->figures.weak_cleared,
      .weak_kept = core->figures.weak_kept,
      .ephemerons_visited = core->figures.ephemerons_visited,
      .ephemerons_cleared = core->figures.ephemerons_cleared,
      .ephemeron_iterations = core->figures.ephemeron_iterations,
      .finalizers_registered = core->finalizers.registered,
      .finalizers_waiting = core->finalizers.waiting,
      .finalizers_queued = core->figures.finalizers_queued,
      .finalizers_run = core->figures.finalizers_run,
      .finalizer_cycles = core->figures.finalizer_cycles,
      .on_free_calls = core->figures.on_free_calls,
      .total_pause_ns = figures->total_pause_ns,
      .longest_pause_ns = figures->longest_pause_ns,
      .last_pause_ns = figures->last_pause_ns,
      .collector_switches = figures->collector_switches,
      .verifications = figures->verifications,
      .pages_returned = pages->returned_pages,
  };
  statistics.metadata_bytes = statistics.committed_bytes - statistics.span_bytes - statistics.free_bytes;
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    statistics.requested_bytes += mutator->face.requested;
  }
  size_t block_pages;
  mdn_blocks_count(&core->blocks, &statistics.blocks, &statistics.block_bytes, &block_pages);
  statistics.block_span_bytes = block_pages << PAGE_SHIFT;
  read_lists(core, &statistics);
  statistics.peak_committed_bytes = (pages->peak_pages << PAGE_SHIFT) + statistics.metadata_bytes;
  if (statistics.allocated_bytes > 0) {
    double waste = 1 - (double)statistics.requested_bytes / (double)statistics.allocated_bytes;
    statistics.waste_bytes = (size_t)(waste * (double)statistics.live_bytes);
  }
  *result = statistics;
}

size_t midden_trim(midden_heap *heap) {
  if (heap_enter(heap) != MIDDEN_OK) return 0;
  mdn_blocks_trim(&heap->core.space, &heap->core.blocks);
  return mdn_space_return(&heap->core.space, UINT64_MAX, true) << PAGE_SHIFT;
}
