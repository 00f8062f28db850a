/* Allocation and stores: the inlined fast paths.
 *
 * A mutator holds, for each kind and size class, a cursor over a run of consecutive free zeroed
 * cells. Allocation is one compare and one add on that cursor whichever collector is open; all
 * decisions (refill, collect, grow, stress) are made when a run is used up. The three-level shape
 * is that of tcmalloc and Go's runtime; the bump over runs is Immix's (Blackburn, McKinley 2008). */
#ifndef MIDDEN_ALLOCATE_H
#define MIDDEN_ALLOCATE_H

#include "midden/heap.h"

MIDDEN_BEGIN_DECLARATIONS

/* A run of free cells: next <= limit, or both NULL. */
typedef struct midden_cursor {
  char *next;
  char *limit;
} midden_cursor;

/* The part of a mutator that inlined code reads. The fields are the library's. */
struct midden_mutator {
  uintptr_t signature;
  struct midden_frame *frames;  /* innermost precise frame (roots.h) */
  uintptr_t base;               /* of the heap's address range */
  const uint64_t *page_map;     /* one word for each page of the range; low 16 bits: kind id */
  uint64_t requested;           /* bytes asked for by midden_alloc_sized, ever */
  const uint64_t *old;          /* generational: bit for each 16 bytes of the range, set for old objects; else NULL */
  uint64_t moved_epoch;         /* collections that moved something (objects.h) */
  uint64_t reserved_for_library[1];
  midden_cursor cursors[];
};

#define MIDDEN_PAGE_SHIFT 13
#define MIDDEN_SMALL_LOOKUP 1024 /* up to this size the class comes from a table */

/* Size class by (size + 7) / 8, and cell size by class: generated tables (src/alloc). */
extern MIDDEN_API const uint8_t midden_class_of_eighth[MIDDEN_SMALL_LOOKUP / 8 + 1];
extern MIDDEN_API const uint16_t midden_class_size[];

/* The slow paths: refill, collect, grow, report. Use the inlines. (They take a kind's fields one by one: passed
 * as a whole, it would be put together in each inlined allocation, before the test whether it is needed.) */
MIDDEN_API void *midden_alloc_slow(midden_mutator *mutator, unsigned kind_id, unsigned cursor);
MIDDEN_API void *midden_alloc_sized_slow(midden_mutator *mutator, unsigned kind_id, unsigned cursor, size_t size);

/* Allocates an object of a fixed-size kind.
 * post: `shape.size` bytes or more, zeroed (unless MIDDEN_KIND_UNZEROED), aligned to 8 or to the
 * kind's alignment; or NULL after an emergency collection, and midden_last_status says why.
 * MAY COLLECT AND MOVE, but not with collect=asked: there memory is refused without a collection. Owner thread, not
 * from inside a collection. */
static inline void *midden_alloc(midden_mutator *mutator, midden_kind kind) {
  midden_cursor *cursor = &mutator->cursors[kind.cursor];
  char *cell = cursor->next;
  if (MIDDEN_LIKELY((size_t)(cursor->limit - cell) >= kind.cell_size)) {
    cursor->next = cell + kind.cell_size;
    return cell;
  }
  return midden_alloc_slow(mutator, kind.id, kind.cursor);
}

/* Allocates an object of `size` bytes of a variable-size kind (or of a fixed-size kind, if its size
 * is at least `size`). size 0 is taken as 1. post, and the rest: as midden_alloc. Objects above 32 KiB
 * get pages of their own and never move. */
static inline void *midden_alloc_sized(midden_mutator *mutator, midden_kind kind, size_t size) {
  if (MIDDEN_LIKELY(size <= MIDDEN_SMALL_LOOKUP && kind.cell_size == MIDDEN_VARIABLE_SIZE)) {
    unsigned size_class = midden_class_of_eighth[(size + 7) >> 3];
    midden_cursor *cursor = &mutator->cursors[kind.cursor + size_class];
    char *cell = cursor->next;
    size_t cell_size = midden_class_size[size_class];
    if (MIDDEN_LIKELY((size_t)(cursor->limit - cell) >= cell_size)) {
      cursor->next = cell + cell_size;
      mutator->requested += size;
      return cell;
    }
  }
  return midden_alloc_sized_slow(mutator, kind.id, kind.cursor, size);
}

/* The write barrier: what a generational heap must know of stores into old objects. One test when the
 * heap is not generational; otherwise one load more and a test whether the object is old, and a call the first
 * time that an old object is stored into between two collections. */
MIDDEN_API void midden_written_slow(midden_mutator *mutator, const void *object, const void *first, size_t count);

/* Says that `count` words of an object, from `first` on, were written or are about to be: for bulk copies
 * and for whole objects. `object` is the untagged start of the object that contains them.
 * Does not collect or move. Owner thread. */
static inline void midden_written(midden_mutator *mutator, const void *object, const void *first, size_t count) {
  const uint64_t *old = mutator->old;
  if (old) {
    size_t granule = ((uintptr_t)object - mutator->base) >> 4;
    if ((old[granule >> 6] >> (granule & 63)) & 1) midden_written_slow(mutator, object, first, count);
  }
}

/* Stores a reference (or any word) into a slot of an object, with the write barrier. Every store of a
 * reference into a heap object goes through here or is announced by midden_written, initialising stores
 * included unless nothing was allocated since the object was.
 * `object` is the untagged start of the object that contains the slot.
 * Does not collect or move. Owner thread. */
static inline void midden_store_word(midden_mutator *mutator, void *object, void *slot, uintptr_t word) {
  *(midden_word *)slot = word;
  midden_written(mutator, object, slot, 1);
}

static inline void midden_store(midden_mutator *mutator, void *object, void *slot, const void *value) {
  midden_store_word(mutator, object, slot, (uintptr_t)value);
}

/* The kind's id of an object: one load from the page map. pre: the untagged address of an object of
 * the mutator's heap. Does not collect. */
static inline uint16_t midden_kind_id_of(const midden_mutator *mutator, const void *object) {
  return (uint16_t)mutator->page_map[((uintptr_t)object - mutator->base) >> MIDDEN_PAGE_SHIFT];
}

MIDDEN_END_DECLARATIONS

#endif
