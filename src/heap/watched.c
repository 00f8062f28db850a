/* Walking the cells of a heap whose free memory is hidden: see heap.h and alloc/watch.h. */
#include "alloc/watch.h"
#include "heap/heap.h"

void mdn_heap_open_cells(midden_heap *heap) {
  const struct space *space = &heap->core.space;
  if (!space_is_watched(space)) return;
  mdn_checker_mute(space->pages.checker, true);
  for (const struct central *central = heap->core.active; central; central = central->next_active) {
    for (const struct span *span = central->first; span; span = span->next) mdn_watch_span_open(space, span);
  }
}

/* A word that was found on a stack and never written taints what is computed from it, as far as mark bits, counters
 * and pacing. They are as good as any afterwards: the word was a reference or it was none. */
static void clear_taint(const midden_heap *heap) {
  const struct core *core = &heap->core;
  const struct space *space = &core->space;
  enum memory_checker checker = space->pages.checker;
  size_t before = space->base + space->extent - (uintptr_t)space->reservation;
  mdn_checker_show(checker, (const char *)space->reservation + before, space->reservation_bytes - before, true);
  mdn_checker_show(checker, heap, heap->bytes, true);
  mdn_checker_show(checker, core->tracer.stack.entries, core->tracer.stack.capacity * sizeof(mark_entry), true);
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    mdn_checker_show(checker, mutator, mutator->bytes, true);
  }
  for (const struct arena_chunk *chunk = core->arena.chunks; chunk; chunk = chunk->next) {
    mdn_checker_show(checker, chunk, chunk->bytes, true);
  }
}

void mdn_heap_close_cells(midden_heap *heap) {
  const struct space *space = &heap->core.space;
  if (!space_is_watched(space)) return;
  if (space->pages.checker == CHECKER_MEMCHECK) clear_taint(heap);
  for (const struct central *central = heap->core.active; central; central = central->next_active) {
    for (const struct span *span = central->first; span; span = span->next) mdn_watch_span_close(space, span);
  }
  mdn_checker_mute(space->pages.checker, false);
}
