/* Evacuation: copying a cell out of its span, and where it went.
 *
 * The state of a cell in a span that is being evacuated is in its alloc and mark bits:
 *   alloc 1, mark 0   not seen yet
 *   alloc 1, mark 1   alive in place: pinned, or there was no room to copy it
 *   alloc 0           copied: its first word is the address of the copy
 * so forwarding needs neither a header nor a bitmap of its own, and sweeping by marks alone frees what
 * was copied. */
#ifndef MIDDEN_GC_EVACUATE_H
#define MIDDEN_GC_EVACUATE_H

#include <string.h>

#include "gc/core.h"

/* Flags the spans of all movable lists in the page map, or for a minor collection those of them that were
 * allocated into since the last. */
void mdn_evacuation_begin(struct core *core, bool minor);
/* Clears the flags, and gives unused rests of the collector's runs back. */
void mdn_evacuation_end(struct core *core, bool minor);

/* A free cell for a copy, allocated, in a span that is not being evacuated.
 * post: NULL if there is no room; once that happened, no new span is tried in this collection. */
char *mdn_evacuation_refill(struct core *core, struct central *central);

static inline char *evacuation_cell(struct core *core, struct central *central) {
  char *cell = central->evacuation_next;
  if ((size_t)(central->evacuation_limit - cell) < central->cell_size) return mdn_evacuation_refill(core, central);
  central->evacuation_next = cell + central->cell_size;
  return cell;
}

/* Under poison=yes: fills all of an evacuated cell but the forwarding word; sweeping fills that too. */
void mdn_evacuation_poison(uintptr_t cell, size_t size);

/* Copies a cell and leaves the forwarding address. pre: not seen yet. post: the copy; 0: no room. */
static inline uintptr_t evacuate(struct core *core, uint64_t entry, uintptr_t cell) {
  struct central *central = kind_central(&core->kinds.kinds[entry & 0xffff], (entry >> 16) & 0xff);
  size_t size = central->cell_size;
  char *copy = evacuation_cell(core, central);
  if (!copy) return 0;
  const midden_word *from = (const midden_word *)cell;
  midden_word *to = (midden_word *)(uintptr_t)copy;
  if (size <= 64) { /* a call of memcpy takes longer */
    for (size_t i = 0; i < size / sizeof *to; i++) to[i] = from[i];
  } else {
    memcpy(copy, from, size);
  }
  *(midden_word *)cell = (uintptr_t)copy;
  bitmap_clear(core->space.alloc_bits, space_granule(&core->space, cell));
  /* Marked one by one, not by the run: whoever walks the marks before the end must meet copies only. */
  bitmap_set(core->space.mark_bits, space_granule(&core->space, (uintptr_t)copy));
  if (__builtin_expect(core->poison, 0)) mdn_evacuation_poison(cell, size);
  core->figures.objects_moved++;
  core->figures.bytes_moved += size;
  return (uintptr_t)copy;
}

/* Whether a cell of a span that is being evacuated was copied. */
static inline bool evacuated(const struct space *space, uintptr_t cell) {
  return !bitmap_test(space->alloc_bits, space_granule(space, cell));
}

static inline uintptr_t forwarding_address(uintptr_t cell) { return *(const midden_word *)cell; }

#endif
