/* Accounting by kind and class, from the counters that each central list keeps. A list counts a run's cells when a
 * mutator takes it; what the mutator has not handed out yet is subtracted here, so that allocation counts nothing. */
#include "base/os.h"
#include "heap/heap.h"

static void add_list(const struct core *core, const struct central *central, midden_usage *usage) {
  size_t resting = 0;
  if (!central->active) return;
  for (const struct mutator *mutator = core->mutators; central->cell_size && mutator; mutator = mutator->next) {
    const midden_cursor *cursor = &mutator->face.cursors[central->cursor];
    resting += (size_t)(cursor->limit - cursor->next);
  }
  size_t resting_cells = central->cell_size ? resting / central->cell_size : 0;
  usage->objects += central->used_cells - resting_cells;
  usage->bytes += central->used_bytes - resting;
  usage->span_bytes += central->pages << PAGE_SHIFT;
  usage->allocations += central->allocated_cells - resting_cells;
}

/* The kind of an id. post: NULL and *status says why. */
static const struct kind *find_kind(const midden_heap *heap, uint16_t id, const void *result, midden_status *status) {
  *status = heap_enter(heap);
  if (*status != MIDDEN_OK) return NULL;
  const struct kind_table *table = &heap->core.kinds;
  if (result && id > 0 && id < table->count) return &table->kinds[id];
  *status = MIDDEN_BAD_ARGUMENT;
  return NULL;
}

midden_status midden_usage_of_kind(midden_heap *heap, uint16_t id, midden_usage *result) {
  midden_status status;
  const struct kind *kind = find_kind(heap, id, result, &status);
  if (!kind) return status;
  midden_usage usage = {0, 0, 0, 0};
  for (size_t i = 0; i < kind->central_count; i++) add_list(&heap->core, &kind->centrals[i], &usage);
  *result = usage;
  return MIDDEN_OK;
}

midden_status midden_usage_of_class(midden_heap *heap, uint16_t id, size_t size, midden_usage *result) {
  midden_status status;
  const struct kind *kind = find_kind(heap, id, result, &status);
  if (!kind) return status;
  unsigned size_class = size <= SIZE_CLASS_LARGEST ? mdn_class_of_aligned(size, kind->alignment) : SIZE_CLASS_LARGE;
  midden_usage usage = {0, 0, 0, 0};
  add_list(&heap->core, kind_central(kind, size_class), &usage);
  *result = usage;
  return MIDDEN_OK;
}

size_t midden_resident_bytes(midden_heap *heap) {
  if (heap_enter(heap) != MIDDEN_OK) return 0;
  const struct space *space = &heap->core.space;
  return mdn_os_resident((const void *)space->base, space->pages.frontier << PAGE_SHIFT);
}
