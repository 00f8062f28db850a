/* External memory: what objects keep alive outside the heap, on the heap's account. */
#include "base/bits.h"
#include "heap/heap.h"
#include "midden/objects.h"

void mdn_external_charge(midden_heap *heap) {
  struct core *core = &heap->core;
  core->space.pages.charged_pages = round_up(core->external_bytes, PAGE_BYTES) >> PAGE_SHIFT;
}

void mdn_external_dropped(struct core *core, uint64_t bytes) { core->external_bytes -= (size_t)bytes; }

static bool fits(const midden_heap *heap, size_t bytes) {
  const struct page_heap *pages = &heap->core.space.pages;
  size_t most = heap->config.heap_limit, counted = heap->core.external_bytes;
  if (bytes > most || counted > most - bytes) return false;
  return (round_up(counted + bytes, PAGE_BYTES) >> PAGE_SHIFT) + pages->used_pages <= pages->limit_pages;
}

static bool has_room(struct mutator *mutator, struct central *central, size_t bytes, void *taken) {
  (void)central, (void)taken;
  return fits(mutator->heap, bytes);
}

midden_status midden_external_room(midden_mutator *face, size_t bytes) {
  if (mutator_enter(face) != MIDDEN_OK || mutator_of(face)->heap->in_callback) return MIDDEN_MISUSE;
  struct mutator *mutator = mutator_of(face);
  if (bytes > mutator->heap->config.heap_limit) return MIDDEN_NO_MEMORY;
  mdn_collect_if_due(mutator->heap, bytes);
  if (mdn_take_or_collect(mutator, NULL, bytes, has_room, NULL)) return MIDDEN_OK;
  mutator->last_status = MIDDEN_OK; /* no allocation has failed */
  return MIDDEN_NO_MEMORY;
}

/* Where the bytes of an object are counted, or those without one. post: NULL if there are none. */
static uint64_t *count_of(struct core *core, const void *object) {
  return object ? mdn_address_find(&core->externals.table, (uintptr_t)object) : &core->external_unowned;
}

midden_status midden_external_add(midden_mutator *face, const void *object, size_t bytes) {
  if (mutator_enter(face) != MIDDEN_OK) return MIDDEN_MISUSE;
  midden_heap *heap = mutator_of(face)->heap;
  struct core *core = &heap->core;
  if (object && midden_object_at(heap, object) != object) return MIDDEN_BAD_ARGUMENT;
  if (!fits(heap, bytes)) {
    heap_note_refusal(heap);
    return MIDDEN_NO_MEMORY;
  }
  uint64_t *counted = object ? mdn_side_add(core, &core->externals, (uintptr_t)object) : &core->external_unowned;
  if (!counted) return MIDDEN_NO_MEMORY;
  *counted += bytes;
  core->external_bytes += bytes;
  heap->pacing.allocated += bytes;
  mdn_external_charge(heap);
  return MIDDEN_OK;
}

midden_status midden_external_remove(midden_mutator *face, const void *object, size_t bytes) {
  if (mutator_enter(face) != MIDDEN_OK) return MIDDEN_MISUSE;
  midden_heap *heap = mutator_of(face)->heap;
  struct core *core = &heap->core;
  uint64_t *counted = count_of(core, object);
  if (!counted || *counted < bytes) return MIDDEN_BAD_ARGUMENT;
  *counted -= bytes; /* an entry of 0 stays until its object dies: it may be filled and emptied for ever */
  core->external_bytes -= bytes;
  heap->pacing.allocated -= size_minimum(bytes, heap->pacing.allocated);
  mdn_external_charge(heap);
  return MIDDEN_OK;
}

size_t midden_external_of(const midden_mutator *face, const void *object) {
  if (mutator_enter(face) != MIDDEN_OK) return 0;
  const uint64_t *counted = count_of(mutator_of(face)->core, object);
  return counted ? (size_t)*counted : 0;
}
