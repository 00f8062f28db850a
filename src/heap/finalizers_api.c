/* Finalizers and phase functions: the public calls, over src/gc. */
#include "heap/heap.h"

static midden_status add_finalizer(midden_mutator *face, void *object, midden_finalizer_function function, void *context,
                                   bool ordered) {
  if (mutator_enter(face) != MIDDEN_OK) return MIDDEN_MISUSE;
  struct core *core = mutator_of(face)->core;
  if (!function || !object || mdn_space_cell_at(&core->space, (uintptr_t)object) != (uintptr_t)object) {
    return MIDDEN_BAD_ARGUMENT;
  }
  struct finalizer *finalizer = mdn_finalizer_take(&core->finalizers, &core->arena);
  if (!finalizer) return MIDDEN_NO_MEMORY;
  *finalizer = (struct finalizer){.object = weak_word_of(&core->form, (uintptr_t)object),
                                  .function = function,
                                  .context = context,
                                  .ordered = ordered};
  mdn_finalizer_register(&core->finalizers, finalizer);
  return MIDDEN_OK;
}

midden_status midden_finalizer_add(midden_mutator *mutator, void *object, midden_finalizer_function function,
                                   void *context) {
  return add_finalizer(mutator, object, function, context, false);
}

midden_status midden_finalizer_add_ordered(midden_mutator *mutator, void *object, midden_finalizer_function function,
                                           void *context) {
  return add_finalizer(mutator, object, function, context, true);
}

midden_status midden_finalizer_remove(midden_mutator *face, const void *object, midden_finalizer_function function,
                                      void *context) {
  if (mutator_enter(face) != MIDDEN_OK) return MIDDEN_MISUSE;
  struct core *core = mutator_of(face)->core;
  return mdn_finalizer_remove(&core->finalizers, weak_word_of(&core->form, (uintptr_t)object), function, context);
}

size_t midden_finalizers_waiting(const midden_heap *heap) {
  return heap_valid(heap) ? heap->core.finalizers.waiting : 0;
}

size_t midden_finalizers_run(midden_mutator *face, size_t most) {
  size_t ran = 0;
  while (ran < most && mutator_enter(face) == MIDDEN_OK && !mutator_of(face)->heap->in_callback) {
    struct core *core = mutator_of(face)->core;
    struct finalizer *next = mdn_finalizers_dequeue(&core->finalizers);
    if (!next) break;
    struct finalizer finalizer = *next;
    mdn_finalizer_give(&core->finalizers, next);
    core->figures.finalizers_run++;
    ran++;
    finalizer.function(face, (void *)weak_cell(&core->form, &core->space, finalizer.object), finalizer.context);
  }
  return ran;
}

void mdn_finalizers_run_all(midden_heap *heap) {
  struct core *core = &heap->core;
  if (core->finalizers.waiting + core->finalizers.registered == 0) return;
  mdn_heap_flush(heap);
  mdn_finalizers_queue_all(core);
  midden_error error;
  midden_mutator *face = core->mutators ? &core->mutators->face : midden_attach(heap, NULL, &error);
  if (face) {
    midden_finalizers_run(face, core->finalizers.waiting);
  } else {
    mdn_heap_report(heap, true, "midden: finalizers did not run at the heap's end: %s", error.message);
  }
}

midden_status midden_phase_add(midden_heap *heap, midden_phase_function function, void *context, bool pins) {
  if (!function) return MIDDEN_BAD_ARGUMENT;
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  struct core *core = &heap->core;
  midden_status status = mdn_phases_add(&core->phases, &core->arena, (struct phase_hook){function, context, pins});
  if (status == MIDDEN_OK && pins) core->kinds.pins_while_tracing = true;
  return status;
}

midden_status midden_hit_add(midden_heap *heap, midden_hit_function function, void *context) {
  if (!function) return MIDDEN_BAD_ARGUMENT;
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_hits_add(&heap->core.hits, &heap->core.arena, (struct hit_hook){function, context});
}

midden_status midden_hit_remove(midden_heap *heap, midden_hit_function function, void *context) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_hits_remove(&heap->core.hits, function, context);
}

midden_status midden_phase_remove(midden_heap *heap, midden_phase_function function, void *context) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_phases_remove(&heap->core.phases, function, context);
}
