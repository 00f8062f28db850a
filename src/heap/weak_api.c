/* Weak slots: the public calls, over src/gc. */
#include "heap/heap.h"

midden_status midden_weak_add(midden_heap *heap, void *slot, midden_weak strength) {
  if (!slot || (uintptr_t)slot % sizeof(midden_word) || (unsigned)strength > MIDDEN_WEAK_LONG) {
    return MIDDEN_BAD_ARGUMENT;
  }
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_weak_slots_add(&heap->core.weak.registered, &heap->core.arena, slot, strength);
}

midden_status midden_weak_remove(midden_heap *heap, const void *slot) {
  if (heap_enter(heap) != MIDDEN_OK) return MIDDEN_MISUSE;
  return mdn_weak_slots_remove(&heap->core.weak.registered, slot);
}
