/* The end of every collection: marks become the allocation map, empty spans go back to the page heap. */
#ifndef MIDDEN_GC_SWEEP_H
#define MIDDEN_GC_SWEEP_H

#include "gc/core.h"

/* pre: marks are complete; alloc bits are those of before the collection, less cells that were copied
 * away. `poison`: the word for cells that are free now and were not, if the heap poisons.
 * `minor`: only the spans allocated into since the last collection are looked at; what is old is marked.
 * post: alloc bits equal marks; pins are clear; every span with a marked cell is ready for allocation in
 * its gaps; the others are gone; figures.live_objects and live_bytes are exact.
 * This touches bitmaps and span descriptors, not cells: they are zeroed when they are taken again. */
void mdn_sweep(struct core *core, uintptr_t poison, bool minor);

#endif
