/* Fixing: rewriting references after objects have moved, for collectors that move after marking. */
#ifndef MIDDEN_GC_FIX_H
#define MIDDEN_GC_FIX_H

#include "gc/core.h"

/* Where the object at `cell` is now: `cell` itself if it has not moved. */
typedef uintptr_t (*forward_function)(const struct core *core, uintptr_t cell);

/* A reference with its tags, moved along with its object. */
static inline __attribute__((always_inline)) uintptr_t fix_word(const struct core *core, uintptr_t word,
                                                                forward_function forward) {
  size_t offset;
  if (!reference_offset(&core->form, core->form.plain, core->space.base, core->space.extent, word, &offset)) return word;
  uintptr_t cell = core->space.base + offset;
  return word - cell + forward(core, cell);
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
/* Fixes the precise roots. */
void mdn_fixer_fix_roots(struct fixer *fixer);

#endif
