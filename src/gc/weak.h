/* Weak references, and the end of every collection's tracing: what is decided once all that the roots reach is
 * marked or copied. It is shared by all collectors, because they share what "alive" means (see weak_live).
 *
 * Tracing notes the weak slots that it comes by, as far as their objects are not known to be alive yet. When
 * memory for a note is refused, the slot is visited as a strong one: safe, and counted. */
#ifndef MIDDEN_GC_WEAK_H
#define MIDDEN_GC_WEAK_H

#include "alloc/space.h"
#include "base/arena.h"
#include "base/table.h"
#include "gc/reference.h"
#include "midden/weak.h"

struct core;

/* The host's registered slots: a hash set with linear probing (Knuth, 6.4 algorithms L and R). */
struct weak_slots {
  struct weak_slot {
    midden_word *slot; /* NULL: free */
    midden_weak strength;
  } *entries;
  size_t count, capacity; /* 0, or a power of two */
};

/* Noted for the end of the collection. */
struct weak_note {
  midden_word *slot;
  midden_word *companion; /* cleared with it; or NULL */
};

struct weak {
  struct weak_slots registered;
  struct table notes[2];    /* of weak_note, by midden_weak */
  midden_visitor *visitor;  /* the collection's: visiting an edge marks or copies what it leads to */
  void (*drain)(struct core *core); /* traces what was visited */
  uintptr_t cleared;        /* the host's cleared word */
};

/* For visitors that trace: notes a weak slot. `visitor` visits strong edges. */
void mdn_weak_note(struct core *core, midden_visitor *visitor, midden_word *slot, midden_word *companion,
                   midden_weak strength);

/* The end of tracing. pre: everything that the roots reach is marked, or copied and its references rewritten.
 * post: all weak processing is done, and what is alive is final. `visitor` and `drain`: see struct weak. */
void mdn_weak_process(struct core *core, bool minor, midden_visitor *visitor, void (*drain)(struct core *core));

midden_status mdn_weak_slots_add(struct weak_slots *slots, struct arena *arena, void *slot, midden_weak strength);
midden_status mdn_weak_slots_remove(struct weak_slots *slots, const void *slot);
/* Visits the registered slots, as weak ones. */
void mdn_weak_slots_visit(const struct weak_slots *slots, midden_visitor *visitor);

/* Whether a slot is found in the table. */
bool mdn_weak_slots_has(const struct weak_slots *slots, const void *slot);

void mdn_weak_close(struct core *core);

/* Whether a cell is known to be alive: it is marked; or it was copied (evacuate.h: then its alloc bit is clear).
 * While spans are only being marked, none is flagged or every alloc bit is set. */
static inline bool weak_live(const struct space *space, uintptr_t cell) {
  size_t granule = space_granule(space, cell);
  if (bitmap_test(space->mark_bits, granule)) return true;
  return (space_page_entry(space, cell) & PAGE_EVACUATE) && !bitmap_test(space->alloc_bits, granule);
}

/* Where a live cell is now. */
static inline uintptr_t weak_now(const struct space *space, uintptr_t cell) {
  if (!(space_page_entry(space, cell) & PAGE_EVACUATE)) return cell;
  if (bitmap_test(space->alloc_bits, space_granule(space, cell))) return cell;
  return *(const midden_word *)cell;
}

/* A word that refers to a cell, by whatever tag is a reference: for tables of the library's own, which visitors see. */
static inline uintptr_t weak_word_of(const struct reference_form *form, uintptr_t cell) {
  return cell + bits_lowest(form->low_tags) + form->high_match;
}

/* The cell that a word refers to; 0 if it is no reference. Nothing refers to a block, which is no object. */
static inline uintptr_t weak_cell(const struct reference_form *form, const struct space *space, uintptr_t word) {
  size_t offset;
  if (!reference_offset(form, false, space->base, space->extent, word, &offset)) return 0;
  return space->page_map[offset >> PAGE_SHIFT] & PAGE_BLOCK ? 0 : space->base + offset;
}

#endif
