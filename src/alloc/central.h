/* Central lists: the second level. One for each kind and size class, with the sequence of its spans
 * in allocation order; and the third step of a refill, a new span from the page heap.
 *
 * A list has the index of the cursors that it feeds: cursor i of every mutator takes its runs from
 * central list i. */
#ifndef MIDDEN_ALLOC_CENTRAL_H
#define MIDDEN_ALLOC_CENTRAL_H

#include "alloc/space.h"

/* Invariant: every span with a free cell at or after its position is in `available`; refills are served
 * from its front. Lifted during a collection. */
struct central {
  struct span *first, *last;
  struct span *available, *available_last;
  size_t span_count, pages; /* pages of all spans */
  uint32_t cell_size;      /* 0: not in use, or large objects */
  uint32_t object_size;    /* what the host asked for; 0 if that varies */
  uint32_t cursor;         /* this list's index */
  uint16_t kind;
  uint8_t size_class;
  bool active;             /* in the list of those that ever had a span */
  bool movable;            /* collectors may move its cells */
  bool zero;               /* cells are handed out zeroed */
  uint64_t map_flags;      /* PAGE_LEAF */
  char *evacuation_next, *evacuation_limit; /* a collector's own run, during a collection */
  size_t evacuation_spans; /* that it took for copies in it */
  size_t gaps;              /* defragmenting: free cells in spans that stay, less what is to come there */
  struct central *next_active;
  uint64_t allocated_cells; /* handed out, ever; a flushed rest is taken back */
  size_t used_cells;        /* cells whose alloc bit is set */
  size_t used_bytes;        /* and their bytes */
};

/* Count cells as handed out, and as in use, in the list and in the space. To take away: the negative number, which wraps. */
static inline void central_count_allocated(struct space *space, struct central *central, size_t cells) {
  central->allocated_cells += cells;
  space->totals.allocated_cells += cells;
  space->totals.allocated_bytes += cells * central->cell_size;
  space->totals.requested_bytes += cells * central->object_size;
}
static inline void central_count_used(struct space *space, struct central *central, size_t cells, size_t bytes) {
  central->used_cells += cells;
  central->used_bytes += bytes;
  space->totals.used_cells += cells;
  space->totals.used_bytes += bytes;
}

/* A run of free cells, taken: its alloc bits are set. */
struct run {
  char *start, *end;
  size_t cells;
  bool new_span;
};

/* Takes the next run of at most `most` cells, from the sequence or from a new span.
 * post: true and *run; or false: no memory. */
bool mdn_central_take(struct space *space, struct central *central, size_t most, struct run *run);

/* The same, but only from spans that the list has. */
bool mdn_central_take_available(struct space *space, struct central *central, size_t most, struct run *run);

/* A new span at the end of the sequence, no cell allocated. `spans`: how many the list has, for the length of the
 * new one; with 0 it is as small as the class allows. post: NULL if there is no memory. */
struct span *mdn_central_grow(struct space *space, struct central *central, size_t spans);

/* A new span for one large object or block, not allocated. post: NULL, or the span. */
struct span *mdn_central_grow_large(struct space *space, struct central *central, size_t size);

/* A new span for one large object, allocated and zeroed as the list says. post: NULL, or the span. */
struct span *mdn_central_take_large(struct space *space, struct central *central, size_t size);

/* Takes the next run from one span, zeroed if `zero`. post: false if it has no free cell at or after its
 * position. */
bool mdn_span_take(struct space *space, struct span *span, size_t most, bool zero, struct run *run);

/* Gives back the unused rest [next, limit) of a run; `zeroed` if it was taken so. */
void mdn_central_flush(struct space *space, char *next, char *limit, bool zeroed);

/* Removes a span from its sequence, and from the available ones. */
void mdn_central_remove(struct central *central, struct span *span);

/* Puts a span with free cells among those that serve refills, in front or at the end; and out. */
void mdn_central_offer(struct central *central, struct span *span, bool in_front);
void mdn_central_withdraw(struct central *central, struct span *span);

#endif
