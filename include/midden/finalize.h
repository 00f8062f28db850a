/* Finalizers, and what a host does at the end of marking.
 *
 * A finalizer is a function of the host's for an object that has become unreachable. A collection only queues it; it
 * runs when the host drains the queue, where it can take locks and allocate. Until then the object and all that it
 * reaches stay. It runs at most once for each registration; after that, the object is like any other: reachable if the
 * finalizer made it so, and it may be registered again. (For why finalizers are queued: Boehm, "Destructors,
 * Finalizers, and Synchronization", 2003.)
 *
 * For cheap cleanup that needs no other object there is `on_free` in midden_shape: no queue, no resurrection. */
#ifndef MIDDEN_FINALIZE_H
#define MIDDEN_FINALIZE_H

#include "midden/allocate.h"

MIDDEN_BEGIN_DECLARATIONS

/* Registers a finalizer of an object. An object may have several; in no particular order, all are queued in the
 * collection that finds it unreachable. A kind can have one for each of its objects (midden_shape.finalizer).
 * pre: `object` is the untagged start of an object of this heap.
 * post: MIDDEN_OK; BAD_ARGUMENT, NO_MEMORY, MISUSE, and nothing is registered. Does not collect. Owner thread, not from
 * inside a collection. */
MIDDEN_API midden_status midden_finalizer_add(midden_mutator *mutator, void *object,
                                              midden_finalizer_function function, void *context);

/* The same, in order: it is queued only when no other unreachable object with a finalizer reaches the object. So a
 * dependant's finalizer comes first, and its object's is found by a full collection after that has run.
 * Where such objects form a cycle there is no order: the one registered first is queued, the report function is told,
 * and `finalizer_cycles` in the statistics counts it; the others follow, one collection after another.
 * Ephemerons count as reaching their values; weak references reach nothing. */
MIDDEN_API midden_status midden_finalizer_add_ordered(midden_mutator *mutator, void *object,
                                                      midden_finalizer_function function, void *context);

/* Takes the newest such registration back. post: MIDDEN_OK; BAD_ARGUMENT if there is none that has not been queued;
 * MISUSE. Cost: proportional to the number of registrations. Does not collect. */
MIDDEN_API midden_status midden_finalizer_remove(midden_mutator *mutator, const void *object,
                                                 midden_finalizer_function function, void *context);

/* Runs at most `most` queued finalizers, in the order in which they were queued. Each is off the queue before it
 * runs, so it may leave by longjmp, and may call this. MAY COLLECT AND MOVE, if a finalizer does.
 * post: how many ran; 0 on misuse, too. Owner thread, not from inside a collection, a walk (midden_each) or the pressure
 * callback, where a finalizer could not allocate. */
MIDDEN_API size_t midden_finalizers_run(midden_mutator *mutator, size_t most);

/* How many are queued: for a host to look at where it can run them. Does not collect. Any number of times. */
MIDDEN_API size_t midden_finalizers_waiting(const midden_heap *heap);

/* ---- A host that takes part in the end of marking ----
 *
 * Some languages must decide by themselves what lives: string tables, caches, weak tables of an odd kind. Their function
 * is called in every collection, minor ones included, at two moments:
 *   MIDDEN_MARKING_ENDS    what the roots reach is marked, ephemerons included; nothing weak was cleared yet;
 *   MIDDEN_SWEEPING_BEGINS all weak processing is done: what is marked now stays, the rest is about to be freed.
 * It may look at objects that are not marked, but not follow references in those that are: they may have moved. It must
 * not allocate, store into objects, register or collect. */
typedef struct midden_marking midden_marking; /* valid during the call */
typedef enum midden_phase { MIDDEN_MARKING_ENDS, MIDDEN_SWEEPING_BEGINS } midden_phase;
typedef void (*midden_phase_function)(midden_marking *marking, midden_phase phase, void *context);

/* Adds a function. `pins`: it calls midden_marking_pin; costs a copying heap a marking pass in each collection.
 * post: MIDDEN_OK; BAD_ARGUMENT, NO_MEMORY, MISUSE. Does not collect. */
MIDDEN_API midden_status midden_phase_add(midden_heap *heap, midden_phase_function function, void *context, bool pins);
/* Removes the newest such function. post: MIDDEN_OK; BAD_ARGUMENT, MISUSE. */
MIDDEN_API midden_status midden_phase_remove(midden_heap *heap, midden_phase_function function, void *context);

/* Whether it is a minor collection: one that was asked for as such may have become a full one, where memory for the list
 * of old objects that were written to had been refused. In both phases, and for hit functions. Does not collect or move. */
MIDDEN_API bool midden_marking_is_minor(const midden_marking *marking);

/* Whether what a reference names is marked. A word that is no reference counts as marked. */
MIDDEN_API bool midden_marking_is_marked(const midden_marking *marking, uintptr_t reference);

/* Marks what the slot refers to, and all that it reaches. The slot is rewritten when that moves, now or later in this
 * collection: it must be outside the heap's objects and stay where it is until the collection is over.
 * post: MIDDEN_OK; or MISUSE in MIDDEN_SWEEPING_BEGINS, when it is too late. */
MIDDEN_API midden_status midden_marking_mark(midden_marking *marking, void *slot);

/* Keeps an object in place in this collection, should it be marked; does not mark it.
 * post: MIDDEN_OK; or MISUSE in MIDDEN_SWEEPING_BEGINS, or where `pins` was not announced. */
MIDDEN_API midden_status midden_marking_pin(midden_marking *marking, uintptr_t reference);

/* Marks an object and all that it reaches, and keeps the object itself in place in this collection: for a reference that
 * lies in no slot that could be rewritten. post: as for midden_marking_pin. */
MIDDEN_API midden_status midden_marking_keep(midden_marking *marking, uintptr_t reference);

/* ---- A host that must know what ambiguous words hit ----
 *
 * Where the C stack holds an object, other objects may have to stay in place with it: if a function is at work on a table
 * that hashes its keys by address, so must the keys. Such a host's function is called in every collection, minor ones
 * included, once for each object that an ambiguous word hits: on a scanned stack, in a register, in a range of
 * midden_root_ambiguous_add, through midden_visit_ambiguous or in an object of MIDDEN_REFS_AMBIGUOUS. (If memory to note
 * that it was called is refused, it may be called again for the same object.) Not for what midden_pin,
 * MIDDEN_KIND_PINNED or midden_visit_pinned keep in place; and not for what stacks and registers hit with stack=pinning,
 * because it is not known then whether that lives.
 *
 * The object is marked and pinned. Its content is complete, all zero if the host never wrote to it; it may be an object that
 * is dead but for the word. Nothing has moved yet, nor been cleared or freed: the function may follow references. It may call
 * midden_marking_is_marked (most is not marked yet), _mark, _pin and _keep, which needs no announcement here; what is marked
 * is traced later. It must not store into objects, and all else (allocating, registering, collecting) answers
 * MISUSE.
 *
 * Cost: one lookup in a hash table for each ambiguous word that hits, and none without a function. In a copying heap, what
 * a function marks stays in place in that collection, and so does all of the span in which it pins, unless a kind or a phase
 * function that pins makes it mark first. */
typedef void (*midden_hit_function)(midden_marking *marking, void *object, uint16_t kind_id, void *context);

/* Adds a function; several are called in the order in which they were added. post: MIDDEN_OK; BAD_ARGUMENT, NO_MEMORY,
 * MISUSE. Does not collect. Owner thread, not from inside a collection. */
MIDDEN_API midden_status midden_hit_add(midden_heap *heap, midden_hit_function function, void *context);
/* Removes the newest such function. post: MIDDEN_OK; BAD_ARGUMENT if there is none, MISUSE. */
MIDDEN_API midden_status midden_hit_remove(midden_heap *heap, midden_hit_function function, void *context);

MIDDEN_END_DECLARATIONS

#endif
