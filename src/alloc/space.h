/* The space: a heap's address range with its page heap, spans, page map and flat bitmaps.
 *
 * One reservation holds, in this order: the cells, and the side tables that are indexed by address.
 * The page map leads from any address in the range to its span in one load. Each of its words packs
 *
 *   bits 0..15  kind id          bit 24  LEAF: cells hold no references (also set on free pages)
 *   bits 16..23 size class       bit 25  EVACUATE: cells are to be moved in this collection
 *   bits 32..63 span index       bit 26  LARGE     bit 27  BLOCK
 *
 * so that the tracer needs nothing else to go on; a free page has span index 0, which is no span. */
#ifndef MIDDEN_ALLOC_SPACE_H
#define MIDDEN_ALLOC_SPACE_H

#include "alloc/page_heap.h"
#include "alloc/span.h"
#include "midden/status.h"

#define PAGE_LEAF (UINT64_C(1) << 24)
#define PAGE_EVACUATE (UINT64_C(1) << 25)
#define PAGE_LARGE (UINT64_C(1) << 26)
#define PAGE_BLOCK (UINT64_C(1) << 27) /* blocks: no objects, and no alloc bits */
#define PAGE_FREE PAGE_LEAF

/* Sums over the central lists of objects, kept with their counters (central.h), so that nobody adds them up. */
struct space_totals {
  uint64_t allocated_cells, allocated_bytes; /* of large objects no bytes */
  uint64_t requested_bytes;                  /* of kinds of fixed size */
  size_t used_cells, used_bytes;
};

struct space {
  uintptr_t base;
  size_t extent;             /* bytes of cells in the range */
  uint64_t *page_map;        /* by page */
  uint64_t *alloc_bits;      /* by granule */
  uint64_t *mark_bits;
  uint64_t *pin_bits;
  uint16_t *ranks;           /* by 64 granules: compaction's rank table */
  struct span *spans;        /* by span index; entry 0 is unused */
  size_t span_capacity, span_frontier;
  struct span *unused_spans; /* below the frontier */
  size_t unused_span_count;
  uint64_t *bare_groups;     /* bit: the bitmaps of these 64 free pages were given back; they read zero */
  size_t bare_group_count;
  uint64_t *pinned_groups;   /* bit: pins were set in this group, so its pin bits are backed */
  size_t pinned_group_count;
  uint64_t *held;            /* bit: page is in quarantine */
  uint64_t *told_bits;       /* by granule: cells that memcheck knows of; NULL unless it watches: see watch.h */
  struct page_heap pages;
  struct span *touched;      /* spans that cells were taken from since the last collection: all that is young */
  uint64_t now;              /* the clock at the last collection or opening, for the delayed return */
  struct space_totals totals;
  const midden_memory *memory;
  void *reservation;
  size_t reservation_bytes;
};

/* Reserves the range: `wanted` bytes of cells, or less if refused, but at least `least`.
 * `leave`: when the system refuses `wanted`, take only half of what it would give, for address space may be
 * limited and the host needs some too. post: MIDDEN_OK; or NO_MEMORY, and nothing is held. */
midden_status mdn_space_open(struct space *space, const midden_memory *memory, size_t least, size_t wanted,
                             size_t limit, bool leave);
void mdn_space_close(struct space *space);

/* Takes a span from the page heap. `size_class` may be SIZE_CLASS_LARGE, then cell_size is the size of
 * the object. `map_flags` go into the page map. post: a span in no list, no cell allocated; or NULL. */
struct span *mdn_space_take_span(struct space *space, uint16_t kind, unsigned size_class, size_t cell_size,
                                 size_t pages, uint64_t map_flags);
/* Gives a span back. pre: in no list, no alloc, mark or pin bit set. */
void mdn_space_give_span(struct space *space, struct span *span);

/* Returns to the system the free pages of chunks in which nothing was freed since `before`, and the side tables
 * of groups that are free as a whole. `all`: also the descriptors of spans that are no more, as far as they are
 * the last; this looks at every descriptor. post: the pages returned. */
size_t mdn_space_return(struct space *space, uint64_t before, bool all);

/* Bytes of side tables in use: what lies below the page heap's frontier, less what was given back. */
size_t mdn_space_metadata_bytes(const struct space *space);

static inline bool space_contains(const struct space *space, uintptr_t address) {
  return address - space->base < space->extent;
}
static inline size_t space_granule(const struct space *space, uintptr_t address) {
  return (address - space->base) >> GRANULE_SHIFT;
}
static inline uint64_t space_page_entry(const struct space *space, uintptr_t address) {
  return space->page_map[(address - space->base) >> PAGE_SHIFT];
}
static inline struct span *space_entry_span(const struct space *space, uint64_t entry) {
  return &space->spans[entry >> 32];
}
/* pre: the address lies in a page of a span. */
static inline struct span *space_span_of(const struct space *space, uintptr_t address) {
  return space_entry_span(space, space_page_entry(space, address));
}

/* A span's part of the flat bitmaps. */
static inline uint64_t *span_bits(const struct space *space, const struct span *span, uint64_t *bitmap) {
  (void)space;
  return bitmap + (size_t)span->first_page * WORDS_PER_PAGE;
}

/* A group: as many pages as one page of the system has bits for in each bitmap. It is also one word of the page
 * heap's bitmaps. */
#define GROUP_PAGES ((size_t)64)

/* Sets a pin bit, and counts the memory that it may take. */
static inline void space_set_pin(struct space *space, size_t granule) {
  bitmap_set(space->pin_bits, granule);
  size_t group = granule / (GROUP_PAGES * GRANULES_PER_PAGE);
  if (bitmap_test(space->pinned_groups, group)) return;
  bitmap_set(space->pinned_groups, group);
  space->pinned_group_count++;
}

/* Puts a span among the touched ones. */
static inline void space_touch(struct space *space, struct span *span) {
  if (span->touched) return;
  span->touched = true;
  span->next_touched = space->touched;
  space->touched = span;
}

/* The allocated cell that an address lies in, from the alloc bits; 0 if none. Any address. */
uintptr_t mdn_space_cell_at(const struct space *space, uintptr_t address);

/* Sets or clears a flag in the page map for all pages of a span. */
void mdn_space_set_flag(struct space *space, const struct span *span, uint64_t flag, bool on);

#endif
