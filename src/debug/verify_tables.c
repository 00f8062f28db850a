/* The verifier's checks of tables and lists: see verify_tables.h. */
#include "debug/verify_tables.h"

#include "base/error.h"
#include "gc/remembered.h"

/* ---- spans with free cells ---- */

static bool has_free_cell(const struct space *space, const struct span *span) {
  if (span_is_large(span)) return false;
  const uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  for (size_t word = span->position >> 6; word < span_words(span); word++) {
    uint64_t free = span_pattern(span, word) & ~alloc[word];
    if (word == span->position >> 6) free &= bits_from(span->position);
    if (free) return true;
  }
  return false;
}

/* The links of the list, as many as there can be. post: SIZE_MAX if they are wrong. */
static size_t count_available(const struct central *central) {
  const struct span *previous = NULL;
  size_t count = 0;
  for (const struct span *span = central->available; span; span = span->next_available) {
    if (span->central != central || !span->available || span->previous_available != previous || count == central->span_count) {
      return SIZE_MAX;
    }
    previous = span;
    count++;
  }
  return central->available_last == previous ? count : SIZE_MAX;
}

static midden_status check_available(const struct space *space, const struct central *central, midden_error *error) {
  size_t listed = count_available(central), flagged = 0;
  for (const struct span *span = central->first; span; span = span->next) {
    flagged += span->available;
    if (span->available || !has_free_cell(space, span)) continue;
    return mdn_error(error, MIDDEN_CORRUPT, "the span at %#zx has free cells behind its position, and is not offered to refills",
                     (size_t)span->start);
  }
  if (listed == flagged) return MIDDEN_OK;
  if (listed == SIZE_MAX) {
    return mdn_error(error, MIDDEN_CORRUPT, "kind %u, class %u: the links of the spans that are offered to refills disagree",
                     central->kind, central->size_class);
  }
  return mdn_error(error, MIDDEN_CORRUPT, "kind %u, class %u: %zu spans are offered to refills and %zu say so", central->kind,
                   central->size_class, listed, flagged);
}

static midden_status check_lists(const struct core *core, midden_error *error) {
  midden_status status = MIDDEN_OK;
  for (const struct central *central = core->active; central && status == MIDDEN_OK; central = central->next_active) {
    status = check_available(&core->space, central, error);
  }
  return status;
}

/* ---- pages ---- */

static midden_status check_summaries(const struct page_heap *pages, midden_error *error) {
  size_t node = mdn_page_summary_check(&pages->summary, pages->frontier);
  if (node == NO_PAGE) return MIDDEN_OK;
  unsigned level = 0;
  for (size_t at = node; at < pages->summary.leaves; at *= 2) level++;
  return mdn_error(error, MIDDEN_CORRUPT, "the summary of free pages, node %zu, %u levels above the leaves: it does not agree with %s",
                   node, level, level ? "the two below it" : "the pages' bits");
}

/* ---- weak processing ---- */

static midden_status check_weak_slots(const struct weak_slots *slots, midden_error *error) {
  size_t count = 0;
  if (slots->capacity & (slots->capacity - 1)) {
    return mdn_error(error, MIDDEN_CORRUPT, "the table of weak slots has room for %zu, which is no power of two", slots->capacity);
  }
  for (size_t i = 0; i < slots->capacity; i++) count += slots->entries[i].slot != NULL;
  if (count != slots->count || (slots->capacity && count == slots->capacity)) {
    return mdn_error(error, MIDDEN_CORRUPT, "the table of weak slots has %zu entries and counts %zu", count, slots->count);
  }
  for (size_t i = 0; i < slots->capacity; i++) {
    const struct weak_slot *entry = &slots->entries[i];
    if (!entry->slot) continue;
    if (!mdn_weak_slots_has(slots, entry->slot)) {
      return mdn_error(error, MIDDEN_CORRUPT, "the weak slot %p is in the table and cannot be found there", (void *)entry->slot);
    }
    if ((unsigned)entry->strength > MIDDEN_WEAK_LONG) {
      return mdn_error(error, MIDDEN_CORRUPT, "the weak slot %p has a strength that there is not, %u", (void *)entry->slot,
                       (unsigned)entry->strength);
    }
  }
  return MIDDEN_OK;
}

static midden_status check_notes(const struct core *core, midden_error *error) {
  const struct weak *weak = &core->weak;
  if (weak->notes[0].count + weak->notes[1].count > 0) {
    return mdn_error(error, MIDDEN_CORRUPT, "%zu weak references are noted outside a collection",
                     weak->notes[0].count + weak->notes[1].count);
  }
  if (core->ephemerons.pending.count > 0 || core->ephemerons.watching) {
    return mdn_error(error, MIDDEN_CORRUPT, "%zu ephemerons are pending outside a collection", core->ephemerons.pending.count);
  }
  return check_weak_slots(&weak->registered, error);
}

/* ---- the remembered set ---- */

static bool is_listed(const struct space *space, size_t granule) { return space->mark_bits[granule >> 6] & LARGE_LISTED; }

/* Flags an entry by its pin bit, which nobody else uses outside a collection; they are all cleared again. */
static midden_status check_remembered_cell(struct space *space, uintptr_t cell, midden_error *error) {
  if (mdn_space_cell_at(space, cell) != cell) {
    return mdn_error(error, MIDDEN_CORRUPT, "the remembered set has %#zx, which is no object", (size_t)cell);
  }
  size_t granule = space_granule(space, cell);
  uint64_t entry = space_page_entry(space, cell);
  if (bitmap_test(space->pin_bits, granule)) {
    return mdn_error(error, MIDDEN_CORRUPT, "the remembered set has the object at %#zx twice", (size_t)cell);
  }
  space_set_pin(space, granule);
  bool marked = bitmap_test(space->mark_bits, granule);
  if (entry & PAGE_LARGE ? !marked || !is_listed(space, granule) : marked) {
    return mdn_error(error, MIDDEN_CORRUPT, "the object at %#zx is in the remembered set, and its flags say that it is not",
                     (size_t)cell);
  }
  return MIDDEN_OK;
}

static midden_status check_large_flags(const struct core *core, midden_error *error) {
  const struct space *space = &core->space;
  for (const struct central *central = core->active; central; central = central->next_active) {
    for (const struct span *span = central->size_class == SIZE_CLASS_LARGE ? central->first : NULL; span; span = span->next) {
      size_t granule = space_granule(space, span->start);
      if (!is_listed(space, granule) || bitmap_test(space->pin_bits, granule)) continue;
      return mdn_error(error, MIDDEN_CORRUPT, "the large object at %#zx says that it is in the remembered set, and is not",
                       (size_t)span->start);
    }
  }
  return MIDDEN_OK;
}

static midden_status check_remembered(struct core *core, midden_error *error) {
  size_t count = core->remembered.cells.count;
  midden_status status = MIDDEN_OK;
  size_t checked = 0;
  if (!core->generational) {
    if (count == 0) return MIDDEN_OK;
    return mdn_error(error, MIDDEN_CORRUPT, "the remembered set has %zu objects, and the heap has one generation", count);
  }
  while (status == MIDDEN_OK && checked < count) {
    status = check_remembered_cell(&core->space, remembered_cell(core, checked++), error);
  }
  if (status == MIDDEN_OK) status = check_large_flags(core, error);
  while (checked-- > 0) {
    uintptr_t cell = remembered_cell(core, checked);
    if (space_contains(&core->space, cell)) bitmap_clear(core->space.pin_bits, space_granule(&core->space, cell));
  }
  return status;
}

midden_status mdn_verify_tables(midden_heap *heap, midden_error *error) {
  struct core *core = &heap->core;
  midden_status status = check_summaries(&core->space.pages, error);
  if (status == MIDDEN_OK) status = check_lists(core, error);
  if (status == MIDDEN_OK) status = check_notes(core, error);
  if (status == MIDDEN_OK) status = check_remembered(core, error);
  return status;
}
