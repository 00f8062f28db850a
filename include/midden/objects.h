/* Services for single objects: what the heap keeps beside an object, at no cost for the objects that do not ask.
 *
 * All functions: owner thread, not from inside a collection. `object` is the untagged start of an object of
 * the mutator's heap; anything else is answered with BAD_ARGUMENT. */
#ifndef MIDDEN_OBJECTS_H
#define MIDDEN_OBJECTS_H

#include "midden/roots.h"

MIDDEN_BEGIN_DECLARATIONS

/* ---- Walking ---- */

/* Called for an object. post: whether to go on. `size` is its cell's, in bytes. */
typedef bool (*midden_object_function)(void *context, void *object, size_t size, uint16_t kind_id);

/* Calls `function` for every object that was handed out and not yet collected, dead ones that no collection has
 * found included: collect first to see live ones only. No order is promised. The function may read and write
 * objects, pin, ask for identities and register roots; allocating, collecting, detaching and closing are answered
 * with MISUSE meanwhile. post: MIDDEN_OK, also when the function stopped it; BAD_ARGUMENT; MISUSE. Cost:
 * proportional to the objects and spans. Does not collect or move. */
MIDDEN_API midden_status midden_each(midden_heap *heap, midden_object_function function, void *context);

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

/* ---- External memory ----
 *
 * Bytes that objects keep alive outside the heap: limbs of large numbers, file buffers, memory of a library. They
 * count for pacing like bytes of the heap, so that small objects which keep large things alive are collected in
 * time, and they count for heap-limit. The heap never touches the memory itself: freeing it is the host's, in a
 * finalizer or on_free callback, or when it sees fit. */

/* Counts `bytes` more. With an object, they are its own: when it dies, the collection that finds it dead takes
 * them off the count, without a call from the host. With NULL they count until they are removed.
 * post: MIDDEN_OK; BAD_ARGUMENT; MISUSE; or NO_MEMORY and nothing is counted: the limit would be passed (collect,
 * or see midden_external_room) or there is no memory for the entry. Does not collect or move: what is due is
 * collected at the next refill. Cost: constant. */
MIDDEN_API midden_status midden_external_add(midden_mutator *mutator, const void *object, size_t bytes);

/* Counts `bytes` less, of the object or with NULL of those without one: for memory that is freed or shrinks while
 * its object lives. post: MIDDEN_OK; or BAD_ARGUMENT and nothing has changed: fewer are counted there. From a
 * finalizer whose object is dead there is nothing to remove. Does not collect or move. */
MIDDEN_API midden_status midden_external_remove(midden_mutator *mutator, const void *object, size_t bytes);

/* Makes sure that `bytes` more would fit, collecting as an allocation of that size would: to be called before the
 * memory is taken. MAY COLLECT AND MOVE. post: MIDDEN_OK; NO_MEMORY: they do not fit; MISUSE. */
MIDDEN_API midden_status midden_external_room(midden_mutator *mutator, size_t bytes);

/* The bytes counted for an object; with NULL, those without one. Does not collect. */
MIDDEN_API size_t midden_external_of(const midden_mutator *mutator, const void *object);

/* ---- Identity ---- */

/* A number for an object that stays the same as long as it lives, wherever it moves, and says nothing about its
 * address: for tables that compare by identity. Objects made at the same address later get another. All 64 bits
 * are good. Two objects may have the same: compare the references too.
 * post: not 0; or 0 and midden_last_status says why: NO_MEMORY, BAD_ARGUMENT, MISUSE. Takes 22 to 43 bytes for each
 * object that was asked, from the first question until it is found dead; nothing for the others. It does not keep
 * the object alive. Cost: constant. Does not collect or move. */
MIDDEN_API uint64_t midden_identity_hash(midden_mutator *mutator, const void *object);

/* A counter that changes with each collection that has moved an object: while it stays the same, every address is
 * what it was. A table that hashes by address notes it, and rehashes when it has changed: no cost for an object at
 * all, but a pass over the table after each such collection. One load. Does not collect. */
static inline uint64_t midden_moved_epoch(const midden_mutator *mutator) { return mutator->moved_epoch; }

MIDDEN_END_DECLARATIONS

#endif
