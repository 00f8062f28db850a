/* Fixing: rewriting references after objects have moved, for collectors that move after marking. */
#ifndef MIDDEN_GC_FIX_H
#define MIDDEN_GC_FIX_H

#include "gc/core.h"
#include "gc/layout.h"

/* Where the object at `cell` is now: `cell` itself if it has not moved. */
typedef uintptr_t (*forward_function)(const struct core *core, uintptr_t cell);

/* A reference with its tags, moved along with its object. `forward` is asked only about cells of spans that
 * are flagged PAGE_EVACUATE. */
ALWAYS_INLINE uintptr_t fix_word(const struct core *core, bool plain, uintptr_t word, forward_function forward) {
  size_t offset;
  const struct space *space = &core->space;
  if (!reference_offset(&core->form, plain, space->base, space->extent, word, &offset)) return word;
  if (!(space->page_map[offset >> PAGE_SHIFT] & PAGE_EVACUATE)) return word;
  uintptr_t cell = space->base + offset;
  return word - cell + forward(core, cell);
}

/* Writes only what changes: a store would dirty memory for nothing. */
ALWAYS_INLINE void fix_slot(const struct core *core, bool plain, midden_word *slot, forward_function forward) {
  uintptr_t word = *slot, moved = fix_word(core, plain, word, forward);
  if (moved != word) *slot = moved;
}

/* What fixes roots and the objects of host-traced kinds, through the visitor. Slots of objects are written
 * at once. Of the roots every slot is read before any is written, because a slot that was registered twice
 * must not be forwarded twice: the new address of one object may be the old address of another. */
struct fixer {
  midden_visitor visitor;
  struct core *core;
  forward_function forward;
  struct fix {
    midden_word *slot;
    uintptr_t word;
  } *fixes;
  size_t count, capacity;
  bool counting; /* only counts the slots, so that room can be made before anything moves */
  bool roots;    /* gathers instead of writing */
};

/* Readies a fixer, with room for every precise root. post: false if there is no memory for it: then
 * nothing must move. */
bool mdn_fixer_open(struct fixer *fixer, struct core *core, forward_function forward);
void mdn_fixer_close(struct fixer *fixer);
/* Fixes the slots of one object, of any layout. */
void mdn_fixer_fix_object(struct fixer *fixer, const struct kind *kind, uintptr_t cell, size_t size);

/* The same with the layouts that most objects have inlined, and `plain` a constant. */
ALWAYS_INLINE void fix_object(struct fixer *fixer, const struct kind *kind, uintptr_t cell, size_t size, bool plain,
                              forward_function forward) {
  const struct core *core = fixer->core;
  midden_word *slots = (midden_word *)cell;
  if (kind->layout == MIDDEN_REFS_BITMAP && kind->fixed_size) {
    for (uint64_t bits = kind->bitmap; bits; bits &= bits - 1) fix_slot(core, plain, &slots[bits_lowest(bits)], forward);
  } else if (kind->layout == MIDDEN_REFS_ALL) {
    for (size_t i = 0; i < size / sizeof *slots; i++) fix_slot(core, plain, &slots[i], forward);
  } else {
    mdn_fixer_fix_object(fixer, kind, cell, size);
  }
}

/* Fixes the precise roots, and the side tables. */
void mdn_fixer_fix_roots(struct fixer *fixer);

#endif
