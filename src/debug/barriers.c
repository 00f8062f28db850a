/* The search for missed write barriers, in generational heaps: an old object that refers to a young one, and is
 * not in the remembered set, was stored into without midden_store or midden_written. A minor collection would
 * not see that reference, free or move the young object, and the fault would show much later elsewhere.
 *
 * A walk over all old objects finds every one of them, as a full trace would, whether or not the young object
 * is also reachable in another way this time. pre: runs are flushed, no collection runs. */
#include "debug/barriers.h"

#include <stdio.h>

#include "gc/layout.h"
#include "gc/remembered.h"

struct barrier_walk {
  midden_visitor visitor; /* first: what trace functions get leads back here */
  const struct core *core;
  midden_error *error;
  bool found;
  uintptr_t accused;       /* the old object, when found */
  const struct kind *kind; /* of the old object that is being walked */
  uintptr_t cell;
  const uint64_t *dirty;   /* its cards, if it is a large object in the remembered set; else NULL */
  size_t card_start;       /* a large object's slots before this offset are always scanned */
};

/* The remembered objects are found by their pin bits, which nobody else uses outside a collection. */
static void flag_remembered(struct core *core, bool on) {
  struct space *space = &core->space;
  for (size_t i = 0; i < core->remembered.cells.count; i++) {
    size_t granule = space_granule(space, remembered_cell(core, i));
    if (on) {
      space_set_pin(space, granule);
    } else {
      bitmap_clear(space->pin_bits, granule);
    }
  }
}

/* Whether a cell was allocated since the last collection: what is marked, or was until it was remembered, is old. */
static bool is_young(const struct space *space, uintptr_t cell) {
  size_t granule = space_granule(space, cell);
  return !bitmap_test(space->mark_bits, granule) && !bitmap_test(space->pin_bits, granule);
}

/* Whether the next minor collection will look at this slot in spite of all. */
static bool is_scanned(const struct barrier_walk *walk, const void *slot) {
  if (!walk->dirty) return false;
  size_t offset = (uintptr_t)slot - walk->cell;
  return offset < walk->card_start || walk->dirty[offset / CARD_BYTES] & CARD_DIRTY;
}

static void check_target(struct barrier_walk *walk, uintptr_t target, const void *slot, uintptr_t word) {
  const struct core *core = walk->core;
  if (walk->found || !target || !is_young(&core->space, target)) return;
  if (slot && is_scanned(walk, slot)) return;
  walk->found = true;
  walk->accused = walk->cell;
  char place[40];
  if (slot) snprintf(place, sizeof place, "offset %zu", (size_t)((uintptr_t)slot - walk->cell));
  mdn_error(walk->error, MIDDEN_CORRUPT,
            "a missed write barrier: the old %s at %#zx was given at %s the reference %#zx to a young %s, and neither "
            "midden_store nor midden_written said so",
            walk->kind->name, (size_t)walk->cell, slot ? place : "a place that its trace function knows", (size_t)word,
            core->kinds.kinds[(uint16_t)space_page_entry(&core->space, target)].name);
}

static void check_barrier_slot(void *context, midden_word *slot) {
  struct barrier_walk *walk = context;
  const struct core *core = walk->core;
  size_t offset;
  if (!reference_offset(&core->form, false, core->space.base, core->space.extent, *slot, &offset)) return;
  check_target(walk, mdn_space_cell_at(&core->space, core->space.base + offset), slot, *slot);
}

static void barrier_edge(midden_visitor *visitor, midden_word *slot) { check_barrier_slot(visitor, slot); }

static void barrier_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) check_barrier_slot(visitor, first + i);
}

static void barrier_pinned(midden_visitor *visitor, uintptr_t word) {
  struct barrier_walk *walk = (struct barrier_walk *)visitor;
  const struct core *core = walk->core;
  size_t offset;
  if (!reference_offset(&core->form, false, core->space.base, core->space.extent, word, &offset)) return;
  check_target(walk, mdn_space_cell_at(&core->space, core->space.base + offset), NULL, word);
}

/* A minor collection visits weak slots of an old object only if it is in the remembered set, too. */
static void barrier_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  (void)companion, (void)strength;
  check_barrier_slot(visitor, slot);
}

static void barrier_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  check_barrier_slot(visitor, key);
  check_barrier_slot(visitor, value);
}

/* Words that are references only perhaps accuse nobody. */
static void barrier_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count;
}

static void check_old_cell(void *context, struct span *span, uintptr_t cell) {
  struct barrier_walk *walk = context;
  const struct space *space = &walk->core->space;
  if (bitmap_test(space->pin_bits, space_granule(space, cell)) && !span_is_large(span)) return;
  walk->cell = cell;
  walk->dirty = NULL;
  const uint64_t *cards = space->mark_bits + (space_granule(space, cell) >> 6);
  if (span_is_large(span) && cards[0] & LARGE_LISTED) {
    size_t first;
    if (!layout_has_slot_tail(walk->kind, cell, &first)) return;
    walk->dirty = cards;
    walk->card_start = first - cell;
  }
  layout_each(walk->kind, cell, span->cell_size, check_barrier_slot, walk, &walk->visitor);
}

/* Large objects have other bits than marks in the bitmap words behind their first granule. */
static void check_old_cells(struct barrier_walk *walk, struct span *span) {
  const struct space *space = &walk->core->space;
  if (!span_is_large(span)) {
    span_each(space, span, space->mark_bits, check_old_cell, walk);
  } else if (bitmap_test(space->mark_bits, space_granule(space, span->start))) {
    check_old_cell(walk, span, span->start);
  }
}

midden_status mdn_barriers_check(struct core *core, midden_error *error, uintptr_t *cell) {
  if (!core->generational || core->remembered.overflowed) return MIDDEN_OK;
  struct barrier_walk walk = {.visitor = {barrier_edge, barrier_pinned, barrier_range, barrier_ambiguous, barrier_weak,
                                          barrier_ephemeron},
                              .core = core,
                              .error = error};
  flag_remembered(core, true);
  for (struct central *central = core->active; central; central = central->next_active) {
    if (central->map_flags & PAGE_LEAF) continue;
    walk.kind = &core->kinds.kinds[central->kind];
    for (struct span *span = central->first; span && !walk.found; span = span->next) check_old_cells(&walk, span);
  }
  flag_remembered(core, false);
  if (walk.found) *cell = walk.accused;
  return walk.found ? MIDDEN_CORRUPT : MIDDEN_OK;
}
