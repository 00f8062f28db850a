/* Services for single objects: what the heap keeps beside an object, at no cost for the objects that do not ask.
 *
 * All functions: owner thread, not from inside a collection. `object` is the untagged start of an object of
 * the mutator's heap; anything else is answered with BAD_ARGUMENT. */
#ifndef MIDDEN_OBJECTS_H
#define MIDDEN_OBJECTS_H

#include "midden/roots.h"

MIDDEN_BEGIN_DECLARATIONS

/* ---- Pinning ----
 *
 * A pinned object stays where it is, and stays alive, like a root: its address may be handed to code that
 * knows no collector. What lies around it still moves. Pins are counted: an object is free to move again when
 * as many have been taken away as were set. Kinds with MIDDEN_KIND_PINNED and objects above 32 KiB never move
 * as it is; a pin keeps them alive. What pins cost is in the statistics: host_pins, pinned_objects and
 * pinned_span_bytes. */

/* Pins once more. post: MIDDEN_OK; BAD_ARGUMENT; MISUSE; or NO_MEMORY and nothing has changed.
 * Takes a little memory outside the cells. Cost: constant, and a little for each collection while it lasts.
 * Does not collect or move. */
MIDDEN_API midden_status midden_pin(midden_mutator *mutator, const void *object);

/* Takes one pin away. post: MIDDEN_OK; or BAD_ARGUMENT if the object is not pinned by midden_pin. Does not
 * collect or move. */
MIDDEN_API midden_status midden_unpin(midden_mutator *mutator, const void *object);

/* How often an object is pinned, scoped pins included; 0 also for what is no object. Does not collect. */
MIDDEN_API size_t midden_pin_count(const midden_mutator *mutator, const void *object);

/* Pins until the innermost scope closes (midden_scope_open, roots.h), by midden_scope_close,
 * midden_mark_restore or midden_detach; outside a scope, until midden_detach.
 * post: as midden_pin. Does not collect or move. */
MIDDEN_API midden_status midden_pin_in_scope(midden_mutator *mutator, const void *object);

MIDDEN_END_DECLARATIONS

#endif
