/* Which cells an address may mean that was found by chance. */
#ifndef MIDDEN_GC_AMBIGUOUS_H
#define MIDDEN_GC_AMBIGUOUS_H

#include "gc/kinds.h"

#define AMBIGUOUS_CELLS 2

/* Whether a loop may have left a pointer just past an object of this kind, with the next object right
 * behind it. Small objects of fixed size are not walked with end pointers, and for them the price would be
 * high: each pointer to one would keep its neighbour alive, often the root of a structure that died (in
 * GCBench a tree of 12 MB). docs/design/past-the-end.md has the figures. */
#define WALKED_LEAST 128
static inline bool ambiguous_walked(const struct kind *kind) { return !kind->fixed_size || kind->size > WALKED_LEAST; }

/* post: how many cells an address means. Any address. */
static inline unsigned ambiguous_cells(const struct space *space, const struct kind *kinds, uintptr_t address,
                                       uintptr_t cells[AMBIGUOUS_CELLS]) {
  unsigned count = 0;
  uintptr_t cell = mdn_space_cell_at(space, address);
  if (cell) cells[count++] = cell;
  if (cell && cell != address) return count;
  uintptr_t before = mdn_space_cell_at(space, address - 1);
  if (before && (!cell || ambiguous_walked(&kinds[(uint16_t)space_page_entry(space, before)]))) cells[count++] = before;
  return count;
}

#endif
