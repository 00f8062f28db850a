/* A watched space: one whose free memory is hidden from the program through AddressSanitizer or memcheck.
 *
 * Invariant, outside a collection and outside a walk: of the pages of spans, the program can access what was asked for of
 * the objects and blocks handed out, and nothing else. Pages that were in a span before are hidden as well. Runs are
 * of one cell, and no blocks wait in the short lists of their classes: so all that is handed out and given back comes
 * by here, and inlined allocation has nothing to do with it.
 *
 * While the library walks cells, those of objects are open to it as a whole (mdn_heap_open_cells). What was asked for is
 * not noted: afterwards the tail of a cell is hidden again only where the kind tells the size.
 *
 * pre, of all but the first two: space_is_watched. */
#ifndef MIDDEN_ALLOC_WATCH_H
#define MIDDEN_ALLOC_WATCH_H

#include "alloc/space.h"

static inline bool space_is_watched(const struct space *space) {
  return __builtin_expect(space->pages.checker != CHECKER_NONE, 0);
}

/* Watches if there is a tool. pre: no page was taken. Without memory for what it needs, it does not. */
void mdn_watch_begin(struct space *space);
/* Shows the space's memory to the program again, before it is given back. */
void mdn_watch_end(struct space *space);

void mdn_watch_span_taken(const struct space *space, const struct span *span);
void mdn_watch_span_given(const struct space *space, const struct span *span);

/* A cell is handed out, of which the program asked for `bytes`; given back; and is to have another size. */
void mdn_watch_cell_taken(const struct space *space, uintptr_t cell, size_t bytes, bool zeroed);
void mdn_watch_cell_given(const struct space *space, uintptr_t cell);
void mdn_watch_cell_resized(const struct space *space, uintptr_t cell, size_t bytes);

/* The program was told that it may use all of the cell. */
void mdn_watch_cell_extended(const struct space *space, uintptr_t cell);

/* A span of objects is about to be walked, and has been: alloc bits are exact. */
void mdn_watch_span_open(const struct space *space, const struct span *span);
void mdn_watch_span_close(const struct space *space, const struct span *span);

#endif
