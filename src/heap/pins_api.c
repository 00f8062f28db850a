/* Pinning: the public calls, over src/gc/pins. */
#include "gc/pins.h"
#include "heap/heap.h"
#include "midden/objects.h"

/* Whether the call may go on with this object. */
static midden_status enter_pins(const midden_mutator *face, const void *object) {
  midden_status status = mutator_enter(face);
  if (status != MIDDEN_OK) return status;
  return object && midden_object_at(mutator_of(face)->heap, object) == object ? MIDDEN_OK : MIDDEN_BAD_ARGUMENT;
}

midden_status midden_pin(midden_mutator *face, const void *object) {
  midden_status status = enter_pins(face, object);
  if (status != MIDDEN_OK) return status;
  return mdn_pins_add(mutator_of(face)->core, (uintptr_t)object) ? MIDDEN_OK : MIDDEN_NO_MEMORY;
}

midden_status midden_pin_in_scope(midden_mutator *face, const void *object) {
  struct mutator *mutator = mutator_of(face);
  midden_status status = enter_pins(face, object);
  if (status != MIDDEN_OK) return status;
  return mdn_pins_add_scoped(mutator->core, &mutator->scoped_pins, (uintptr_t)object) ? MIDDEN_OK : MIDDEN_NO_MEMORY;
}

midden_status midden_unpin(midden_mutator *face, const void *object) {
  midden_status status = mutator_enter(face);
  if (status != MIDDEN_OK) return status;
  return mdn_pins_remove(mutator_of(face)->core, (uintptr_t)object) ? MIDDEN_OK : MIDDEN_BAD_ARGUMENT;
}

size_t midden_pin_count(const midden_mutator *face, const void *object) {
  return mutator_enter(face) == MIDDEN_OK ? mdn_pins_count(mutator_of(face)->core, (uintptr_t)object) : 0;
}
