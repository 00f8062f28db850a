/* mark-compact: slides what lives towards the front of its sequence, so that allocation order is kept and
 * the spans behind it come free, with no copy reserve and no forwarding words.
 *
 * The spans of a kind and class are a sequence of slots, one for each cell. The n-th live cell that may
 * move goes to the n-th slot that no pinned cell holds. So where a cell goes follows from its rank alone:
 * the live cells before its span, which the plan records, plus those before it in the span, which are the
 * set mark bits before its own, counted through a table of running counts for every 64 granules. (Rank
 * instead of forwarding words: the Compressor, Kermany and Petrank 2006.)
 *
 * Once all is planned, one pass over the live cells rewrites their references and slides them. */
#include <string.h>

#include "base/assertion.h"
#include "gc/collector.h"
#include "gc/fix.h"
#include "gc/free_hooks.h"
#include "gc/layout.h"
#include "gc/sweep.h"
#include "midden/debug.h"

/* The live cells of word `word` that may move. */
static inline uint64_t movable_bits(const struct space *space, const struct span *span, size_t word) {
  size_t index = (size_t)span->first_page * WORDS_PER_PAGE + word;
  uint64_t bits = space->mark_bits[index];
  return span->pinned ? bits & ~space->pin_bits[index] : bits;
}

/* Slots of a span that no pinned cell holds. */
static inline uint32_t slots(const struct span *span) { return span->cells - span->pinned; }

/* ---- the plan ---- */

/* Counts ranks within a span, and the live cells that may move. post: whether there is a free slot before
 * one of them, so that some move even if the first stays. */
static bool rank_span(struct space *space, struct span *span) {
  const uint64_t *pins = span_bits(space, span, space->pin_bits);
  uint16_t *ranks = space->ranks + (size_t)span->first_page * WORDS_PER_PAGE;
  uint32_t count = 0;
  bool gap = false, moves = false;
  for (size_t word = 0; word < span_words(span); word++) {
    uint64_t live = movable_bits(space, span, word);
    uint64_t free = span_pattern(span, word) & ~live & ~pins[word];
    ranks[word] = (uint16_t)count;
    count += bits_count(live);
    /* A gap in an earlier word, or one in this below its highest live cell. */
    moves |= live && (gap || (free && bits_lowest(free) < 64 - (unsigned)__builtin_clzll(live)));
    gap |= free != 0;
  }
  span->live = count;
  return moves;
}

/* The spans at the beginning of a sequence that are at least `percent` full stay as they are, for what lives long
 * gathers there: closing its few gaps would move all that lies behind them. (The dense prefix of HotSpot's
 * parallel compaction.) post: the first span that does not stay. */
static struct span *plan_dense_beginning(struct space *space, struct central *central, unsigned percent) {
  struct span *span = central->first;
  for (; span && percent < 100; span = span->next) {
    rank_span(space, span);
    if ((span->live + span->pinned) * UINT64_C(100) < span->cells * (uint64_t)percent) break;
    span->stays = true;
  }
  return span;
}

/* Plans one sequence. Spans from which no cell moves are not flagged. post: whether any is. */
static bool plan_sequence(struct space *space, struct central *central, unsigned percent) {
  struct span *destination = plan_dense_beginning(space, central, percent);
  uint32_t slot = 0;
  bool any = false;
  for (struct span *span = destination; span; span = span->next) {
    span->stays = false;
    span->destination = destination;
    span->destination_slot = slot;
    bool moves = rank_span(space, span) || (span->live > 0 && (destination != span || slot > 0));
    if (moves) mdn_space_set_flag(space, span, PAGE_EVACUATE, true);
    any |= moves;
    slot += span->live;
    while (destination && slot >= slots(destination)) {
      slot -= slots(destination);
      destination = destination->next;
    }
  }
  CHECK(destination || slot == 0);
  return any;
}

/* ---- where a cell goes ---- */

/* The offset of the slot number `slot` among those that are not pinned. */
static size_t free_slot_offset(const struct space *space, const struct span *span, uint32_t slot) {
  if (span->pinned == 0) return slot * span->cell_size;
  const uint64_t *pins = span_bits(space, span, space->pin_bits);
  for (size_t word = 0;; word++) {
    CHECK(word < span_words(span));
    uint64_t bits = span_pattern(span, word) & ~pins[word];
    uint32_t count = bits_count(bits);
    if (slot < count) {
      for (; slot > 0; slot--) bits &= bits - 1;
      return span_cell_offset(span, (word << 6) + bits_lowest(bits));
    }
    slot -= count;
  }
}

static uintptr_t slid_address(const struct core *core, uintptr_t cell) {
  const struct space *space = &core->space;
  uint64_t entry = space_page_entry(space, cell);
  const struct span *span = space_entry_span(space, entry);
  size_t granule = space_granule(space, cell);
  if (span->pinned && bitmap_test(space->pin_bits, granule)) return cell;
  size_t word = (granule >> 6) - (size_t)span->first_page * WORDS_PER_PAGE;
  uint32_t slot = span->destination_slot + space->ranks[granule >> 6] +
                  bits_count(movable_bits(space, span, word) & bits_below(granule));
  const struct span *destination = span->destination;
  while (slot >= slots(destination)) {
    slot -= slots(destination);
    destination = destination->next;
  }
  return destination->start + free_slot_offset(space, destination, slot);
}

/* ---- the pass over the live cells ---- */

static inline void move_cell(uintptr_t to, uintptr_t from, size_t size) {
  if (size > 64) {
    memcpy((void *)to, (const void *)from, size);
    return;
  }
  for (size_t i = 0; i < size; i += sizeof(midden_word)) *(midden_word *)(to + i) = *(const midden_word *)(from + i);
}

ALWAYS_INLINE void fix_slid_cell(struct fixer *fixer, struct span *span, uintptr_t cell) {
  const struct kind *kind = &fixer->core->kinds.kinds[span->kind];
  if (fixer->core->form.plain) {
    fix_object(fixer, kind, cell, span->cell_size, true, slid_address);
  } else {
    fix_object(fixer, kind, cell, span->cell_size, false, slid_address);
  }
}

static void fix_cell_in_place(void *fixer, struct span *span, uintptr_t cell) { fix_slid_cell(fixer, span, cell); }

/* Where the next cell of the sequence goes. */
struct slide {
  struct fixer *fixer;
  const struct span *destination;
  uint32_t slot;
};

/* A slot is never behind the cell that goes there, in the order of the sequence, and what it held has gone
 * before: so cells can be moved one after another. */
static void fix_and_slide_cell(void *context, struct span *span, uintptr_t cell) {
  struct slide *slide = context;
  struct core *core = slide->fixer->core;
  if (!(span->central->map_flags & PAGE_LEAF)) fix_slid_cell(slide->fixer, span, cell);
  if (span->pinned && bitmap_test(core->space.pin_bits, space_granule(&core->space, cell))) return;
  while (slide->slot >= slots(slide->destination)) {
    slide->slot -= slots(slide->destination);
    slide->destination = slide->destination->next;
  }
  uintptr_t to = slide->destination->start + free_slot_offset(&core->space, slide->destination, slide->slot++);
  if (to == cell) return;
  move_cell(to, cell, span->cell_size);
  core->figures.objects_moved++;
  core->figures.bytes_moved += span->cell_size;
}

static void pass_over(struct fixer *fixer, struct central *central) {
  struct space *space = &fixer->core->space;
  for (struct span *span = central->first; span; span = span->next) {
    if (space_page_entry(space, span->start) & PAGE_EVACUATE) {
      struct slide slide = {fixer, span->destination, span->destination_slot};
      span_each(space, span, space->mark_bits, fix_and_slide_cell, &slide);
    } else if (!(central->map_flags & PAGE_LEAF)) {
      span_each(space, span, space->mark_bits, fix_cell_in_place, fixer);
    }
  }
}

/* ---- the marks afterwards ---- */

/* Marks the span's first `count` free slots beside its pinned cells. */
static void mark_filled(struct space *space, struct span *span, uint32_t count) {
  uint64_t *mark = span_bits(space, span, space->mark_bits);
  const uint64_t *pins = span_bits(space, span, space->pin_bits);
  size_t last = 0;
  for (size_t word = 0; word < span_words(span); word++) {
    uint64_t bits = span_pattern(span, word) & ~pins[word];
    uint32_t here = bits_count(bits);
    if (here > count) {
      uint64_t rest = bits;
      for (uint32_t i = 0; i < count; i++) rest &= rest - 1;
      bits &= ~rest;
      here = count;
    }
    count -= here;
    mark[word] = bits | (span->pinned ? pins[word] : 0);
    if (mark[word]) last = (word << 6) + 63 - (size_t)__builtin_clzll(mark[word]);
  }
  CHECK(count == 0);
  /* A cell may have gone to a part of the span that was never used before. */
  size_t end = (last + round_up(span->cell_size, 16) / 16) + 1;
  end = size_minimum(end, span_words(span) * 64);
  if (end > span->zero_from) span->zero_from = (uint32_t)end;
}

static void mark_sequence(struct space *space, struct central *central) {
  uint32_t count;
  size_t left = 0;
  struct span *first = central->first;
  while (first && first->stays) first = first->next;
  for (struct span *span = first; span; span = span->next) left += span->live;
  for (struct span *span = first; span; span = span->next) {
    count = (uint32_t)size_minimum(left, slots(span));
    left -= count;
    mark_filled(space, span, count);
    if (space_page_entry(space, span->start) & PAGE_EVACUATE) {
      mdn_space_set_flag(space, span, PAGE_EVACUATE, false);
    }
  }
  CHECK(left == 0);
}

static void compact(struct core *core) {
  struct fixer fixer;
  bool any = false;
  step_begin(&core->steps, STEP_MOVE);
  if (!mdn_fixer_open(&fixer, core, slid_address)) return; /* no memory to move safely: what lives stays in place */
  for (struct central *central = core->active; central; central = central->next_active) {
    if (central->movable) any |= plan_sequence(&core->space, central, core->dense_percent);
  }
  if (!any) {
    mdn_fixer_close(&fixer);
    return;
  }
  mdn_fixer_fix_roots(&fixer); /* forwarding needs the plan only, not the objects */
  for (struct central *central = core->active; central; central = central->next_active) pass_over(&fixer, central);
  for (struct central *central = core->active; central; central = central->next_active) {
    if (central->movable) mark_sequence(&core->space, central);
  }
  mdn_fixer_close(&fixer);
}

static void compact_collect(const struct collection *collection) {
  struct core *core = collection->core;
  mdn_tracer_begin(collection);
  mdn_tracer_mark_all(collection);
  mdn_tracer_end(&core->tracer);
  mdn_free_dead(core, collection->minor);
  if (!collection->minor) compact(core);
  mdn_sweep(core, collection->minor ? MIDDEN_POISON_SWEPT : MIDDEN_POISON_SLID, collection->minor);
}

const struct collector mdn_collector_mark_compact = {
    .name = "mark-compact",
    .summary = "slides what lives together in allocation order; pinned objects stay",
    .capabilities = COLLECTOR_COLLECTS | COLLECTOR_MOVES,
    .collect = compact_collect,
};
