/* Registering roots: the public calls, over src/roots. */
#include "gc/pins.h"
#include "heap/heap.h"

static midden_status add_root(midden_heap *heap, struct root root) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_registry_add(&heap->core.registry, &heap->core.arena, root);
}

midden_status midden_root_add(midden_heap *heap, void *slot) { return midden_root_range_add(heap, slot, 1); }

midden_status midden_root_range_add(midden_heap *heap, void *first, size_t count) {
  if (!first || (uintptr_t)first % sizeof(midden_word)) return MIDDEN_BAD_ARGUMENT;
  return add_root(heap, (struct root){.type = ROOT_PRECISE, .first = first, .count = count});
}

midden_status midden_root_ambiguous_add(midden_heap *heap, const void *first, size_t count) {
  if (!first || (uintptr_t)first % sizeof(midden_word)) return MIDDEN_BAD_ARGUMENT;
  return add_root(heap, (struct root){.type = ROOT_AMBIGUOUS, .first = first, .count = count});
}

midden_status midden_root_scanner_add(midden_heap *heap, midden_scan_function scan, void *context) {
  if (!scan) return MIDDEN_BAD_ARGUMENT;
  return add_root(heap, (struct root){.type = ROOT_SCANNER, .scan = scan, .context = context});
}

midden_status midden_root_remove(midden_heap *heap, const void *first) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_registry_remove(&heap->core.registry, first);
}

midden_status midden_root_scanner_remove(midden_heap *heap, midden_scan_function scan, void *context) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_registry_remove_scanner(&heap->core.registry, scan, context);
}

midden_scope midden_scope_open(midden_mutator *face) {
  const struct mutator *mutator = mutator_of(face);
  midden_scope scope = mdn_handles_open(&mutator->handles);
  scope.pins = mutator->scoped_pins.count;
  return scope;
}

midden_handle midden_handle_new(midden_mutator *face, const void *reference) {
  struct mutator *mutator = mutator_of(face);
  if (mutator_enter(face) != MIDDEN_OK) return NULL;
  return mdn_handles_new(&mutator->handles, &mutator->core->arena, (uintptr_t)reference);
}

void midden_scope_close(midden_mutator *face, midden_scope scope) {
  struct mutator *mutator = mutator_of(face);
  if (mutator_enter(face) != MIDDEN_OK) return;
  mdn_handles_close(&mutator->handles, scope);
  mdn_pins_close(mutator->core, &mutator->scoped_pins, scope.pins);
}

midden_mark midden_mark_save(midden_mutator *mutator) {
  return (midden_mark){mutator->frames, midden_scope_open(mutator)};
}

void midden_mark_restore(midden_mutator *mutator, midden_mark mark) {
  mutator->frames = mark.frames;
  midden_scope_close(mutator, mark.scope);
}

midden_stack *midden_stack_add(midden_mutator *face, void *low, size_t bytes) {
  struct mutator *mutator = mutator_of(face);
  if (mutator_enter(face) != MIDDEN_OK || !low || bytes < sizeof(midden_word)) return NULL;
  return mdn_stacks_add(&mutator->stacks, &mutator->core->arena, low, bytes);
}

__attribute__((noinline)) midden_status midden_stack_switch(midden_mutator *face, midden_stack *to) {
  struct mutator *mutator = mutator_of(face);
  if (mutator_enter(face) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_stacks_switch(&mutator->stacks, to, &face->frames, __builtin_frame_address(0));
}

midden_status midden_stack_remove(midden_mutator *face, midden_stack *stack) {
  struct mutator *mutator = mutator_of(face);
  if (mutator_enter(face) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_stacks_remove(&mutator->stacks, &mutator->core->arena, stack);
}
