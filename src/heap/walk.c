/* Walking: every object, by the allocation bits. */
#include "heap/heap.h"
#include "midden/objects.h"

/* A walk, while it goes on. */
struct object_walk {
  midden_object_function function;
  void *context;
  bool stopped;
};

static void walk_cell(void *context, struct span *span, uintptr_t cell) {
  struct object_walk *walk = context;
  if (!walk->stopped) walk->stopped = !walk->function(walk->context, (void *)cell, span->cell_size, span->kind);
}

midden_status midden_each(midden_heap *heap, midden_object_function function, void *context) {
  midden_status status = heap_enter(heap);
  if (status != MIDDEN_OK || heap->in_callback) return MIDDEN_MISUSE;
  if (!function) return MIDDEN_BAD_ARGUMENT;
  struct core *core = &heap->core;
  struct object_walk walk = {function, context, false};
  mdn_heap_flush(heap); /* bits are exact, and an allocation meanwhile comes to where it is refused */
  heap->in_callback = true;
  mdn_heap_open_cells(heap);
  for (struct central *central = core->active; central && !walk.stopped; central = central->next_active) {
    for (struct span *span = central->first; span && !walk.stopped; span = span->next) {
      span_each(&core->space, span, core->space.alloc_bits, walk_cell, &walk);
    }
  }
  mdn_heap_close_cells(heap);
  heap->in_callback = false;
  return MIDDEN_OK;
}
