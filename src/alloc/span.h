/* Spans: runs of pages that hold cells of one size class and one kind, and the bit arithmetic on them. */
#ifndef MIDDEN_ALLOC_SPAN_H
#define MIDDEN_ALLOC_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alloc/size_class.h"
#include "base/bits.h"

struct central;

enum span_state { SPAN_UNUSED = 0, SPAN_IN_USE };

/* Invariants of a span in use:
 *   its alloc bits are exactly the cells handed out and not yet collected, the unused rest of a
 *   mutator's run included until the run is flushed;
 *   `used` counts them; no free cell with a start below `position` exists, unless one was missed by a
 *   collection that has not yet reset `position`;
 *   bytes from `zero_from` on read zero;
 *   outside a collection its pin bits are clear, and its mark bits are stale.
 * Descriptors never move, and lie in a table of their own, outside the cells. */
struct span {
  uintptr_t start;
  size_t cell_size;         /* large objects: all of the span */
  uint32_t first_page;      /* index in the range */
  uint32_t page_count;
  uint32_t cells;
  uint32_t reciprocal;      /* ceil(2^32 / cell_size); 0 for a large object */
  uint32_t used;
  uint32_t position;        /* granule: where the search for free cells goes on */
  uint32_t zero_from;       /* granule; of a large object: 0, or 1 if it may not read zero */
  uint32_t pinned;          /* pin bits set, during a collection */
  uint16_t kind;
  uint8_t size_class;
  uint8_t state;
  bool available, touched;      /* in these lists */
  bool stays;                   /* compaction leaves it as it is; set by the plan */
  bool held;                    /* something in it was pinned in the last collection that swept it */
  uint32_t live;            /* cells marked, set when a collection ends or plans */
  const uint64_t *pattern;  /* cell starts; NULL for a large object */
  struct central *central;
  struct span *next, *previous; /* in the central's sequence; `next` also links unused descriptors */
  struct span *next_available, *previous_available; /* among the central's spans with free cells */
  union {
    struct {                        /* objects */
      struct span *next_pinned;     /* among those with pins, during a collection */
      struct span *next_touched;    /* among the space's spans allocated into since the last collection */
      union {
        struct span *destination;   /* compaction: where this span's first movable live cell goes */
        struct span *next_source;   /* defragmenting: among the spans that are to be emptied */
      };
    };
    struct {                        /* blocks: see blocks.h */
      void *free_blocks;            /* given back, linked through their first words */
      char *fresh, *fresh_end;      /* never handed out */
    };
  };
  union {
    uint32_t destination_slot; /* in cells of `destination` that are not pinned */
    uint32_t offer_at;         /* blocks: available when no more than so many are used */
  };
};

static inline bool span_is_large(const struct span *span) { return span->reciprocal == 0; }

/* The number of the cell that a byte offset lies in; for the waste at a span's end, `cells` or more. */
static inline size_t span_cell_at(const struct span *span, size_t offset) {
  return (size_t)(((uint64_t)offset * span->reciprocal) >> 32);
}

/* The offset of the only cell that can start in granule `granule` of the span. */
static inline size_t span_cell_offset(const struct span *span, size_t granule) {
  size_t cell = span_cell_at(span, (granule << GRANULE_SHIFT) + span->cell_size - 1);
  return cell * span->cell_size;
}

/* The granule at which the cells end: no cell starts in it or after it. */
static inline size_t span_end_granule(const struct span *span) {
  return span_is_large(span) ? 1 : ((size_t)span->cells * span->cell_size) >> GRANULE_SHIFT;
}

/* Bitmap words that hold the span's cell starts. */
static inline size_t span_words(const struct span *span) {
  return span_is_large(span) ? 1 : (size_t)span->page_count * WORDS_PER_PAGE;
}

/* Word `word` of the span's cell starts. */
static inline uint64_t span_pattern(const struct span *span, size_t word) {
  if (span_is_large(span)) return word == 0;
  size_t end = span_end_granule(span);
  if (word < end >> 6) return span->pattern[word];
  return word == end >> 6 ? span->pattern[word] & bits_below(end) : 0;
}

#endif
