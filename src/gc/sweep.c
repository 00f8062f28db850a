/* Sweeping: see sweep.h. */
#include "gc/sweep.h"

#include <string.h>

#include "base/assertion.h"
#include "midden/debug.h"

static void fill(uintptr_t cell, size_t bytes, uintptr_t word) {
  midden_word *words = (midden_word *)cell;
  for (size_t i = 0; i < bytes / sizeof *words; i++) words[i] = word;
}

/* Under poison=yes: fills the cells that this collection freed, and finishes those that copying began
 * (it filled all of an evacuated cell but the forwarding word). */
static void poison_span(struct core *core, struct span *span, uintptr_t word) {
  struct space *space = &core->space;
  uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  uint64_t *mark = span_bits(space, span, space->mark_bits);
  for (size_t i = 0; i < span_words(span); i++) {
    for (uint64_t rest = span_pattern(span, i) & ~mark[i]; rest; rest &= rest - 1) {
      size_t granule = (i << 6) + bits_lowest(rest);
      uintptr_t cell = span->start + (span_is_large(span) ? 0 : span_cell_offset(span, granule));
      if (bitmap_test(alloc, granule)) {
        fill(cell, span->cell_size, span_is_large(span) ? MIDDEN_POISON_LARGE : word);
      } else if (granule < span->zero_from && ((midden_word *)cell)[1] == MIDDEN_POISON_EVACUATED) {
        *(midden_word *)cell = MIDDEN_POISON_EVACUATED;
      }
    }
  }
}

static void clear_pins(struct space *space, struct span *span) {
  span->held = span->pinned > 0;
  if (span->pinned == 0) return;
  memset(span_bits(space, span, space->pin_bits), 0, span_words(span) * sizeof(uint64_t));
  span->pinned = 0;
}

/* Marks become the allocation map. post: how many cells live. */
static uint32_t adopt_marks(struct space *space, struct span *span) {
  uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  const uint64_t *mark = span_bits(space, span, space->mark_bits);
  uint32_t live = 0;
  size_t words = span_words(span);
  for (size_t i = 0; i < words; i++) {
    live += bits_count(mark[i]);
    alloc[i] = mark[i];
  }
  return live;
}

/* One span. `in_front`: it is offered to refills before those that have waited. */
static void sweep_span(struct core *core, struct span *span, uintptr_t poison, bool in_front) {
  struct space *space = &core->space;
  struct central *central = span->central;
  if (core->poison) poison_span(core, span, central->movable ? poison : MIDDEN_POISON_SWEPT);
  clear_pins(space, span);
  span->live = adopt_marks(space, span);
  size_t change = (size_t)span->live - span->used; /* compaction may leave a span with more: wraps, and sums right */
  central_count_used(space, central, change, change * span->cell_size);
  span->touched = false;
  if (span->live == 0) {
    mdn_central_remove(central, span);
    mdn_space_give_span(space, span);
    return;
  }
  span->used = span->live;
  span->position = 0;
  mdn_central_withdraw(central, span);
  if (span->live < span->cells) mdn_central_offer(central, span, in_front);
}

/* Sweeps the spans allocated into since the last collection: alone there, something can have died. */
static void sweep_touched(struct core *core, uintptr_t poison) {
  struct span *next;
  for (struct span *span = core->space.touched; span; span = next) {
    next = span->next_touched;
    sweep_span(core, span, poison, true);
  }
  for (struct span *span = core->pinned; span; span = next) {
    next = span->next_pinned;
    if (span->pinned) clear_pins(&core->space, span); /* else it was touched */
  }
}

static void sweep_all(struct core *core, uintptr_t poison) {
  for (struct central *central = core->active; central; central = central->next_active) {
    struct span *next;
    for (struct span *span = central->first; span; span = next) {
      next = span->next;
      sweep_span(core, span, poison, false);
    }
  }
}

/* What pinning has cost in this collection: the spans that could not be emptied. */
static void count_pins(struct core *core) {
  struct core_figures *figures = &core->figures;
  figures->pinned_objects = figures->pinned_span_bytes = 0;
  for (const struct span *span = core->pinned; span; span = span->next_pinned) {
    figures->pinned_objects += span->pinned;
    figures->pinned_span_bytes += (size_t)span->page_count << PAGE_SHIFT;
  }
}

void mdn_sweep(struct core *core, uintptr_t poison, bool minor) {
  step_begin(&core->steps, STEP_SWEEP);
  count_pins(core);
  if (minor) {
    sweep_touched(core, poison);
  } else {
    sweep_all(core, poison);
  }
  core->space.touched = NULL;
  core->pinned = NULL;
  core->figures.live_objects = core->space.totals.used_cells;
  core->figures.live_bytes = core->space.totals.used_bytes;
}
