/* The remembered set: old objects that were stored into since the last collection, and may hold the only
 * reference to a young one. What the write barrier feeds.
 *
 * An old object is one that is marked: marks stay after a collection ("sticky", Demers et al. 1990). To
 * remember it, its mark is taken away and the object put on a list; so the barrier's inlined test, "is it
 * marked", goes slow once for each object between two collections. A minor collection first gives the
 * marks back and scans these objects.
 *
 * Of a large object only the parts stored into are scanned: it keeps its mark, and one of the bitmap words
 * that cover it (the granules after the first of a large object need none) says "dirty" for each 1 KiB. */
#ifndef MIDDEN_GC_REMEMBERED_H
#define MIDDEN_GC_REMEMBERED_H

#include "gc/core.h"
#include "gc/layout.h"

#define CARD_BYTES ((size_t)1024) /* what one bitmap word covers */
#define CARD_DIRTY (UINT64_C(1) << 63)
#define LARGE_LISTED (UINT64_C(1) << 62) /* in the large object's first word */

/* The barrier's slow path, for a store into [first, first + bytes) of an object that is marked. */
void mdn_remember(struct core *core, uintptr_t object, uintptr_t first, size_t bytes);

/* Marks all remembered objects again, at the start of a collection. A full one then clears all marks. */
void mdn_remembered_restore(struct core *core);

/* Empties the set and its dirty flags. Its memory stays for the next round. */
void mdn_remembered_clear(struct core *core);
/* Gives an empty set's memory back, if it is more than a little. */
void mdn_remembered_trim(struct core *core);
void mdn_remembered_close(struct core *core);

static inline uintptr_t remembered_cell(const struct core *core, size_t index) {
  return ((const uintptr_t *)core->remembered.cells.items)[index];
}

/* Visits the slots of one remembered object that may have been stored into. */
ALWAYS_INLINE void remembered_each(struct core *core, uintptr_t cell, slot_function visit, void *context,
                                   midden_visitor *visitor) {
  struct space *space = &core->space;
  uint64_t entry = space_page_entry(space, cell);
  const struct kind *kind = &core->kinds.kinds[entry & 0xffff];
  size_t size = core_cell_size(core, entry), first;
  if (!(entry & PAGE_LARGE) || !layout_has_slot_tail(kind, cell, &first)) {
    layout_each(kind, cell, size, visit, context, visitor);
    return;
  }
  if (kind->fixed_bytes) layout_bitmap((midden_word *)cell, kind->bitmap, visit, context);
  const uint64_t *dirty = space->mark_bits + (space_granule(space, cell) >> 6);
  for (size_t card = 0; card * CARD_BYTES < size; card++) {
    if (!(dirty[card] & CARD_DIRTY)) continue;
    size_t low = size_maximum(cell + card * CARD_BYTES, first);
    size_t high = cell + size_minimum((card + 1) * CARD_BYTES, size);
    layout_words((midden_word *)low, (midden_word *)high, visit, context);
  }
}

#endif
