/* Weak references, ephemerons and weak tables.
 *
 * A weak reference does not keep its object. When the object is gone, the slot is set to the heap's cleared
 * word (midden_config.cleared; 0 unless the host chose another); when it moves, the slot is rewritten. A slot may
 * hold any word: what is no reference is left alone.
 *
 * At the end of each collection, in this order (Barros and Ierusalimschy 2008 argue for it):
 *   1. ephemerons, until no more is found: what the values of reachable keys reach is reachable;
 *   2. short weak references to what is unreachable are cleared;
 *   3. finalizers of what is unreachable are queued; that and what it reaches is reachable again, ephemerons included;
 *   4. long weak references to what is unreachable now are cleared, and so are pairs with such keys.
 * A minor collection clears only what refers to young objects. */
#ifndef MIDDEN_WEAK_H
#define MIDDEN_WEAK_H

#include "midden/allocate.h"

MIDDEN_BEGIN_DECLARATIONS

/* ---- Slots outside the heap ---- */

/* Registers a slot outside the heap's objects as a weak reference. A slot that is registered already changes its
 * strength. post: MIDDEN_OK; BAD_ARGUMENT, NO_MEMORY, MISUSE, and nothing has changed. Does not collect. Owner
 * thread, not from inside a collection. Every collection visits every registered slot. */
MIDDEN_API midden_status midden_weak_add(midden_heap *heap, void *slot, midden_weak strength);

/* Removes it; the slot's content stays. post: MIDDEN_OK; BAD_ARGUMENT if it is not registered; MISUSE.
 * Cost: constant. Does not collect. Owner thread, not from inside a collection. */
MIDDEN_API midden_status midden_weak_remove(midden_heap *heap, const void *slot);

/* ---- For trace functions and root scanners: weakness that is decided at run time ----
 *
 * The slots must be where the references live: they are cleared or rewritten after the function has returned.
 * If an object's slots become weak or strong while it is old (generational=yes), that is a change to announce with
 * midden_written. When memory for noting them is refused, a collection takes them for strong and counts it
 * (weak_kept in the statistics). */

/* Visits a slot that holds a weak reference. */
static inline void midden_visit_weak(midden_visitor *visitor, void *slot, midden_weak strength) {
  visitor->weak(visitor, (midden_word *)slot, NULL, strength);
}

/* Visits an ephemeron (Hayes 1997): the value is held as long as the key is reachable, but not if that is only
 * through the value. A key that is no reference counts as reachable. When the key is gone, both slots are set to
 * the cleared word. */
static inline void midden_visit_ephemeron(midden_visitor *visitor, void *key, void *value) {
  visitor->ephemeron(visitor, (midden_word *)key, (midden_word *)value);
}

/* Visits a pair of a weak table. When what is weak in it is gone, both slots are set to the cleared word. A weak
 * value is short, a weak key long: an object that is being finalized is found by key, and not by value. */
static inline void midden_visit_pair(midden_visitor *visitor, void *key, void *value, midden_pairs pairs) {
  midden_word *key_slot = (midden_word *)key, *value_slot = (midden_word *)value;
  if (pairs == MIDDEN_PAIRS_EPHEMERON) {
    visitor->ephemeron(visitor, key_slot, value_slot);
    return;
  }
  if (pairs == MIDDEN_PAIRS_WEAK_BOTH) {
    visitor->weak(visitor, key_slot, value_slot, MIDDEN_WEAK_LONG);
  } else {
    visitor->edge(visitor, key_slot);
  }
  visitor->weak(visitor, value_slot, key_slot, MIDDEN_WEAK_SHORT);
}

MIDDEN_END_DECLARATIONS

#endif
