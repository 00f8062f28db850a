/* Watched spaces: see watch.h. */
#include "alloc/watch.h"

#include <string.h>

#include "alloc/central.h"

static enum memory_checker checker_of(const struct space *space) { return space->pages.checker; }

static size_t told_bytes(const struct space *space) {
  return round_up(space->extent >> GRANULE_SHIFT >> 3, 4096);
}

/* memcheck keeps a record for each piece, and wants to hear of a piece's end once: which it knows of is noted. */
static bool make_told_bits(struct space *space) {
  const midden_memory *memory = space->memory;
  size_t bytes = told_bytes(space);
  void *bits = memory->reserve(memory->context, bytes);
  if (!bits) return false;
  if (!memory->commit(memory->context, bits, bytes)) {
    memory->release(memory->context, bits, bytes);
    return false;
  }
  space->told_bits = bits;
  return true;
}

void mdn_watch_begin(struct space *space) {
  enum memory_checker checker = mdn_checker_find();
  if (checker == CHECKER_MEMCHECK && !make_told_bits(space)) return;
  space->pages.checker = checker;
}

/* ---- cells ---- */

static void note_told(const struct space *space, uintptr_t cell, bool told) {
  if (!space->told_bits) return;
  if (told) {
    bitmap_set(space->told_bits, space_granule(space, cell));
  } else {
    bitmap_clear(space->told_bits, space_granule(space, cell));
  }
}

static size_t cell_size_at(const struct space *space, uintptr_t cell) { return space_span_of(space, cell)->cell_size; }

void mdn_watch_cell_taken(const struct space *space, uintptr_t cell, size_t bytes, bool zeroed) {
  size_t size = cell_size_at(space, cell);
  bytes = size_maximum(bytes, 1);
  mdn_checker_take(checker_of(space), (const void *)cell, bytes, zeroed);
  mdn_checker_hide(checker_of(space), (const char *)cell + bytes, size - bytes);
  note_told(space, cell, true);
}

void mdn_watch_cell_given(const struct space *space, uintptr_t cell) {
  mdn_checker_give(checker_of(space), (const void *)cell, cell_size_at(space, cell));
  note_told(space, cell, false);
}

void mdn_watch_cell_resized(const struct space *space, uintptr_t cell, size_t bytes) {
  size_t size = cell_size_at(space, cell);
  bytes = size_maximum(bytes, 1);
  mdn_checker_resize(checker_of(space), (const void *)cell, bytes);
  mdn_checker_extend(checker_of(space), (const void *)cell, bytes);
  mdn_checker_hide(checker_of(space), (const char *)cell + bytes, size - bytes);
}

void mdn_watch_cell_extended(const struct space *space, uintptr_t cell) {
  mdn_checker_extend(checker_of(space), (const void *)cell, cell_size_at(space, cell));
}

/* ---- spans ---- */

static size_t span_bytes(const struct span *span) { return (size_t)span->page_count << PAGE_SHIFT; }

static uintptr_t cell_of_bit(const struct span *span, size_t bit) {
  return span->start + (span_is_large(span) ? 0 : span_cell_offset(span, bit));
}

void mdn_watch_span_taken(const struct space *space, const struct span *span) {
  mdn_checker_hide(checker_of(space), (const void *)span->start, span_bytes(span));
}

void mdn_watch_span_given(const struct space *space, const struct span *span) {
  uint64_t *told = space->told_bits ? span_bits(space, span, space->told_bits) : NULL;
  for (size_t word = 0; told && word < span_words(span); word++) {
    for (uint64_t rest = told[word]; rest; rest &= rest - 1) {
      const void *cell = (const void *)cell_of_bit(span, (word << 6) + bits_lowest(rest));
      mdn_checker_give(checker_of(space), cell, span->cell_size);
    }
    told[word] = 0;
  }
  mdn_checker_hide(checker_of(space), (const void *)span->start, span_bytes(span));
}

void mdn_watch_span_open(const struct space *space, const struct span *span) {
  if (checker_of(space) != CHECKER_SANITIZER) return; /* memcheck is told to be silent */
  mdn_checker_show(checker_of(space), (const void *)span->start, span_bytes(span), true);
}

/* The bytes of an object that are accessible again; 0: as it was asked for is not known. */
static size_t known_size(const struct span *span) { return span->central->object_size; }

/* For AddressSanitizer: hides everything, and shows the objects. */
static void show_objects(const struct space *space, const struct span *span) {
  const uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  size_t bytes = known_size(span) ? known_size(span) : span->cell_size;
  mdn_checker_hide(CHECKER_SANITIZER, (const void *)span->start, span_bytes(span));
  for (size_t word = 0; word < span_words(span); word++) {
    for (uint64_t rest = alloc[word]; rest; rest &= rest - 1) {
      const void *cell = (const void *)cell_of_bit(span, (word << 6) + bits_lowest(rest));
      mdn_checker_show(CHECKER_SANITIZER, cell, bytes, true);
    }
  }
}

/* For memcheck: one cell. Objects that are where they were keep the state of their bytes; those that have come by
 * moving count as initialised. */
static void tell_cell(const struct space *space, const struct span *span, uintptr_t cell, bool lives, bool told) {
  enum memory_checker checker = checker_of(space);
  const void *address = (const void *)cell;
  size_t bytes = known_size(span) ? known_size(span) : span->cell_size;
  if (!lives) {
    if (told) mdn_checker_give(checker, address, span->cell_size);
    mdn_checker_hide(checker, address, span->cell_size);
  } else if (!told) {
    mdn_checker_take(checker, address, bytes, true);
    mdn_checker_hide(checker, (const char *)address + bytes, span->cell_size - bytes);
  } else if (span->central->movable && known_size(span) == 0) {
    mdn_checker_extend(checker, address, bytes); /* it may be another object, that was larger */
  }
}

static void tell_cells(const struct space *space, const struct span *span) {
  const uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  uint64_t *told = span_bits(space, span, space->told_bits);
  for (size_t word = 0; word < span_words(span); word++) {
    for (uint64_t rest = span_pattern(span, word); rest; rest &= rest - 1) {
      unsigned bit = bits_lowest(rest);
      tell_cell(space, span, cell_of_bit(span, (word << 6) + bit), (alloc[word] >> bit) & 1, (told[word] >> bit) & 1);
    }
    told[word] = alloc[word];
  }
}

void mdn_watch_span_close(const struct space *space, const struct span *span) {
  if (checker_of(space) == CHECKER_SANITIZER) {
    show_objects(space, span);
  } else {
    tell_cells(space, span);
  }
}

void mdn_watch_end(struct space *space) {
  if (!space_is_watched(space)) return;
  for (size_t i = 1; i < space->span_frontier; i++) {
    if (space->spans[i].state == SPAN_IN_USE) mdn_watch_span_given(space, &space->spans[i]);
  }
  mdn_checker_show(checker_of(space), (const void *)space->base, space->pages.frontier << PAGE_SHIFT, true);
  if (space->told_bits) space->memory->release(space->memory->context, space->told_bits, told_bytes(space));
  space->told_bits = NULL;
  space->pages.checker = CHECKER_NONE;
}
