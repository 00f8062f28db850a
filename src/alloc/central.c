/* Central lists: see central.h. */
#include "alloc/central.h"

#include <string.h>

#include "alloc/watch.h"
#include "base/assertion.h"

static void append(struct central *central, struct span *span) {
  span->central = central;
  span->next = NULL;
  span->previous = central->last;
  if (central->last) {
    central->last->next = span;
  } else {
    central->first = span;
  }
  central->last = span;
  central->span_count++;
  central->pages += span->page_count;
}

void mdn_central_remove(struct central *central, struct span *span) {
  CHECK(span->central == central);
  mdn_central_withdraw(central, span);
  if (span->previous) {
    span->previous->next = span->next;
  } else {
    central->first = span->next;
  }
  if (span->next) {
    span->next->previous = span->previous;
  } else {
    central->last = span->previous;
  }
  central->span_count--;
  central->pages -= span->page_count;
}

void mdn_central_offer(struct central *central, struct span *span, bool in_front) {
  CHECK(!span->available);
  span->available = true;
  span->previous_available = in_front ? NULL : central->available_last;
  span->next_available = in_front ? central->available : NULL;
  if (span->previous_available) {
    span->previous_available->next_available = span;
  } else {
    central->available = span;
  }
  if (span->next_available) {
    span->next_available->previous_available = span;
  } else {
    central->available_last = span;
  }
}

void mdn_central_withdraw(struct central *central, struct span *span) {
  if (!span->available) return;
  span->available = false;
  if (span->previous_available) {
    span->previous_available->next_available = span->next_available;
  } else {
    central->available = span->next_available;
  }
  if (span->next_available) {
    span->next_available->previous_available = span->previous_available;
  } else {
    central->available_last = span->previous_available;
  }
}

/* A kind's first span is as small as its class allows, so that a heap with many kinds and few objects
 * stays small; then spans grow with their number, as longer ones have fewer descriptors and refills for the same
 * cells: 16 KiB, from 32 spans on 32 KiB, from 128 on 64 KiB. Above SHORT_SPAN_CELL_MOST a class's length is
 * chosen for the waste at the end, and does not change. */
#define SHORT_SPAN_CELL_MOST 2048
#define SHORT_SPANS 32
#define MIDDLE_SPANS 128

static size_t pages_for_next_span(const struct central *central, size_t spans) {
  if (spans == 0) return round_up(central->cell_size, PAGE_BYTES) >> PAGE_SHIFT;
  size_t pages = mdn_class_pages[central->size_class];
  if (central->cell_size > SHORT_SPAN_CELL_MOST) return pages;
  if (spans < SHORT_SPANS) return pages / 4;
  return spans < MIDDLE_SPANS ? pages / 2 : pages;
}

struct span *mdn_central_grow(struct space *space, struct central *central, size_t spans) {
  size_t pages = pages_for_next_span(central, spans);
  size_t least = round_up(central->cell_size, PAGE_BYTES) >> PAGE_SHIFT;
  for (;;) {
    struct span *span = mdn_space_take_span(space, central->kind, central->size_class, central->cell_size, pages,
                                            central->map_flags);
    if (span) {
      append(central, span);
      return span;
    }
    if (pages == least) return NULL;
    pages = size_maximum(pages / 2, least); /* close to the limit a short span is better than none */
  }
}

struct span *mdn_central_grow_large(struct space *space, struct central *central, size_t size) {
  size_t pages = round_up(size, PAGE_BYTES) >> PAGE_SHIFT;
  struct span *span = mdn_space_take_span(space, central->kind, SIZE_CLASS_LARGE, size, pages, central->map_flags);
  if (span) append(central, span);
  return span;
}

struct span *mdn_central_take_large(struct space *space, struct central *central, size_t size) {
  struct span *span = mdn_central_grow_large(space, central, size);
  if (!span) return NULL;
  bitmap_set(space->alloc_bits, (size_t)span->first_page * GRANULES_PER_PAGE);
  span->used = 1;
  space_touch(space, span);
  central_count_allocated(space, central, 1);
  central_count_used(space, central, 1, span->cell_size);
  if (space_is_watched(space)) mdn_checker_show(space->pages.checker, (void *)span->start, span->cell_size, true);
  if (central->zero && span->zero_from > 0) memset((void *)span->start, 0, span->cell_size);
  span->zero_from = (uint32_t)span_words(span) * 64;
  return span;
}

/* Zeroes what must be of a run that is about to be handed out. */
static inline void zero_run(struct span *span, size_t from, size_t to, bool wanted) {
  size_t zero_from = (size_t)span->zero_from << GRANULE_SHIFT;
  if (wanted && from < zero_from) {
    size_t bytes = size_minimum(to, zero_from) - from;
    uint64_t *words = (uint64_t *)(span->start + from);
    if (bytes <= 64) { /* a call of memset takes longer */
      for (size_t i = 0; i < bytes / sizeof *words; i++) words[i] = 0;
    } else {
      memset(words, 0, bytes);
    }
  }
  if (to > zero_from) span->zero_from = (uint32_t)((to + 15) >> GRANULE_SHIFT);
}

/* Sets the alloc bits of the cells of a run that begins in word `word` with the cells `bits` of it, and ends
 * before granule `next`. post: how many cells there are. */
static size_t set_alloc_bits(const struct span *span, uint64_t *alloc, size_t word, uint64_t bits, size_t next) {
  size_t cells = 0;
  for (;;) {
    if (next >> 6 == word) bits &= bits_below(next);
    alloc[word] |= bits;
    cells += bits_count(bits);
    if (++word << 6 >= next) return cells;
    bits = span->pattern[word];
  }
}

/* On spans with isolated survivors there is a run for every few objects, so this is written for its number of
 * instructions: each bitmap word is read once, and a run that ends in the word where it starts takes no loop. */
bool mdn_span_take(struct space *space, struct span *span, size_t most, bool zero, struct run *run) {
  uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  size_t cell_size = span->cell_size, bytes = span->cells * cell_size, end = bytes >> GRANULE_SHIFT;
  size_t word = span->position >> 6;
  uint64_t free, window = bits_from(span->position);
  for (;; word++, window = ~UINT64_C(0)) {
    if (word << 6 >= end) {
      span->position = (uint32_t)end;
      return false;
    }
    free = span->pattern[word] & ~alloc[word] & window;
    if (word == end >> 6) free &= bits_below(end);
    if (free) break;
  }
  unsigned lowest = bits_lowest(free);
  size_t from = span_cell_offset(span, (word << 6) + lowest);
  uint64_t behind = alloc[word] & bits_from(lowest);
  size_t next = behind ? (word << 6) + bits_lowest(behind) : bitmap_next(alloc, size_minimum((word + 1) << 6, end), end);
  if (most < span->cells) next = size_minimum(next, (from + most * cell_size) >> GRANULE_SHIFT);
  size_t cells = set_alloc_bits(span, alloc, word, free, next), to = from + cells * cell_size;
  span->position = (uint32_t)next;
  span->used += (uint32_t)cells;
  space_touch(space, span);
  struct central *central = span->central;
  central_count_allocated(space, central, cells);
  central_count_used(space, central, cells, to - from);
  if (space_is_watched(space)) mdn_checker_show(space->pages.checker, (char *)span->start + from, to - from, true);
  zero_run(span, from, to, zero);
  *run = (struct run){(char *)span->start + from, (char *)span->start + to, cells, false};
  return true;
}

bool mdn_central_take_available(struct space *space, struct central *central, size_t most, struct run *run) {
  while (central->available) {
    if (mdn_span_take(space, central->available, most, central->zero, run)) return true;
    mdn_central_withdraw(central, central->available);
  }
  return false;
}

bool mdn_central_take(struct space *space, struct central *central, size_t most, struct run *run) {
  if (mdn_central_take_available(space, central, most, run)) return true;
  struct span *span = mdn_central_grow(space, central, central->span_count);
  if (!span) return false;
  mdn_central_offer(central, span, true);
  CHECK(mdn_span_take(space, span, most, central->zero, run));
  run->new_span = true;
  return true;
}

void mdn_central_flush(struct space *space, char *next, char *limit, bool zeroed) {
  if (next == limit) return;
  struct span *span = space_span_of(space, (uintptr_t)next);
  struct central *central = span->central;
  uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  size_t from = (uintptr_t)next - span->start, to = (uintptr_t)limit - span->start;
  size_t first = from >> GRANULE_SHIFT;
  size_t cells = span_cell_at(span, to - from);
  /* Every granule in between belongs to the rest; the one that `limit` lies in may be the start of the
   * next cell, and is that cell's if `limit` is not aligned. */
  bitmap_clear_range(alloc, first, to >> GRANULE_SHIFT);
  span->used -= (uint32_t)cells;
  central_count_allocated(space, central, -cells);
  central_count_used(space, central, -cells, from - to);
  if (first < span->position) span->position = (uint32_t)first;
  if (!span->available) mdn_central_offer(central, span, true);
  if (zeroed && span->zero_from == (to + 15) >> GRANULE_SHIFT) {
    span->zero_from = (uint32_t)((from + 15) >> GRANULE_SHIFT);
  }
}
