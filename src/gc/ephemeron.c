/* Ephemerons: see ephemeron.h. */
#include "gc/ephemeron.h"

#include "base/assertion.h"
#include "gc/core.h"
#include "gc/layout.h"

static struct pending *pending_at(const struct ephemerons *ephemerons, size_t index) {
  return &((struct pending *)ephemerons->pending.items)[index];
}

/* ---- the hash table ---- */

static uint32_t *bucket_of(const struct ephemerons *ephemerons, uintptr_t cell) {
  size_t hash = (size_t)((cell >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 24);
  return &((uint32_t *)ephemerons->buckets.items)[hash & (ephemerons->buckets.count - 1)];
}

static void insert_pending(struct ephemerons *ephemerons, uint32_t index) {
  struct pending *pending = pending_at(ephemerons, index);
  uint32_t *bucket = bucket_of(ephemerons, pending->cell);
  pending->next = *bucket;
  *bucket = index;
}

/* Moves the ephemerons with this key to the ready ones. */
static void found(struct ephemerons *ephemerons, uintptr_t cell) {
  uint32_t *link = bucket_of(ephemerons, cell);
  while (*link != PENDING_NONE) {
    struct pending *pending = pending_at(ephemerons, *link);
    uint32_t index = *link;
    if (pending->cell != cell) {
      link = &pending->next;
      continue;
    }
    *link = pending->next;
    pending->cell = 0;
    pending->next = ephemerons->ready;
    ephemerons->ready = index;
  }
}

/* Makes buckets for `count` ephemerons and puts all pending ones in. post: false if memory is refused; then the
 * table is as it was. */
static bool fill_buckets(struct ephemerons *ephemerons, size_t count) {
  const struct space *space = &ephemerons->core->space;
  size_t buckets = 64;
  while (buckets < count) buckets *= 2;
  if (!table_grow(&ephemerons->buckets, space->memory, buckets, sizeof(uint32_t))) return false;
  ephemerons->buckets.count = buckets;
  for (size_t i = 0; i < buckets; i++) ((uint32_t *)ephemerons->buckets.items)[i] = PENDING_NONE;
  for (size_t i = 0; i < ephemerons->pending.count; i++) {
    struct pending *pending = pending_at(ephemerons, i);
    ephemerons->core->figures.ephemerons_visited++;
    if (!pending->key || !pending->cell) continue;
    uintptr_t cell = pending->cell;
    insert_pending(ephemerons, (uint32_t)i);
    if (weak_live(space, cell)) found(ephemerons, cell);
  }
  return true;
}

/* ---- watching: a visitor and a loop that look up what is found alive ---- */

static void watch_slot(void *context, midden_word *slot) {
  struct core *core = ((struct ephemerons *)context)->core;
  uintptr_t cell = weak_cell(&core->form, &core->space, *slot);
  if (!cell) return;
  bool seen = weak_live(&core->space, cell);
  core->weak.visitor->edge(core->weak.visitor, slot);
  if (!seen) found(&core->ephemerons, cell);
}

static void watch_edge(midden_visitor *visitor, midden_word *slot) { watch_slot(visitor, slot); }

static void watch_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) watch_slot(visitor, first + i);
}

/* The tracer tells of each cell that it pins: see mdn_tracer_mark_cell. */
static void watch_pinned(midden_visitor *visitor, uintptr_t word) {
  midden_visitor *base = ((struct ephemerons *)visitor)->core->weak.visitor;
  base->pinned(base, word);
}

static void watch_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  midden_visitor *base = ((struct ephemerons *)visitor)->core->weak.visitor;
  base->ambiguous(base, first, count);
}

static void watch_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  mdn_weak_note(((struct ephemerons *)visitor)->core, visitor, slot, companion, strength);
}

static void watch_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  mdn_ephemeron_visit(((struct ephemerons *)visitor)->core, visitor, key, value);
}

static void watch_object(struct tracer *tracer, uintptr_t cell) {
  struct core *core = tracer->core;
  uint64_t entry = space_page_entry(&core->space, cell);
  const struct kind *kind = &core->kinds.kinds[entry & 0xffff];
  layout_each(kind, cell, core_cell_size(core, entry), watch_slot, &core->ephemerons, &core->ephemerons.visitor);
}

/* Traces until neither the mark stack nor the ready ephemerons have anything left. */
static void watch_all(struct core *core) {
  struct ephemerons *ephemerons = &core->ephemerons;
  struct mark_stack *stack = &core->tracer.stack;
  for (;;) {
    if (stack->depth) {
      watch_object(&core->tracer, core->space.base + mark_entry_offset(stack->entries[--stack->depth]));
    } else if (ephemerons->ready != PENDING_NONE) {
      struct pending *pending = pending_at(ephemerons, ephemerons->ready);
      struct pending now = *pending;
      ephemerons->ready = pending->next;
      pending->key = NULL;
      core->figures.ephemerons_visited++;
      watch_slot(ephemerons, now.key); /* it is alive: this only rewrites it */
      watch_slot(ephemerons, now.value);
    } else {
      return;
    }
  }
}

static void watch_again(struct tracer *tracer, uintptr_t cell) {
  watch_object(tracer, cell);
  watch_all(tracer->core);
}

static void watch(struct core *core) {
  do {
    watch_all(core);
  } while (mdn_tracer_rescan(&core->tracer, watch_again));
}

static bool watch_begin(struct core *core) {
  struct ephemerons *ephemerons = &core->ephemerons;
  ephemerons->visitor = (midden_visitor){watch_edge,      watch_pinned, watch_range,
                                         watch_ambiguous, watch_weak,   watch_ephemeron};
  ephemerons->core = core;
  ephemerons->ready = PENDING_NONE;
  if (!fill_buckets(ephemerons, ephemerons->pending.count)) return false;
  ephemerons->watching = true;
  return true;
}

/* ---- visiting ---- */

/* Notes an ephemeron as pending. post: false if there is no memory for it. */
static bool note_pending(struct core *core, midden_word *key, midden_word *value, uintptr_t cell) {
  struct ephemerons *ephemerons = &core->ephemerons;
  struct table *pending = &ephemerons->pending;
  if (pending->count == PENDING_NONE) return false;
  if (!table_grow(pending, core->space.memory, pending->count + 1, sizeof(struct pending))) return false;
  uint32_t index = (uint32_t)pending->count++;
  *pending_at(ephemerons, index) = (struct pending){key, value, cell, PENDING_NONE};
  if (!ephemerons->watching) return true;
  bool crowded = pending->count > 2 * ephemerons->buckets.count;
  if (!crowded || !fill_buckets(ephemerons, pending->count)) insert_pending(ephemerons, index);
  return true;
}

void mdn_ephemeron_visit(struct core *core, midden_visitor *visitor, midden_word *key, midden_word *value) {
  uintptr_t cell = weak_cell(&core->form, &core->space, *key);
  core->figures.ephemerons_visited++;
  if (cell && !weak_live(&core->space, cell)) {
    if (note_pending(core, key, value, cell)) return;
    core->figures.weak_kept++;
  }
  visitor->edge(visitor, key); /* where it is alive, this only rewrites it */
  visitor->edge(visitor, value);
}

/* ---- the end of tracing ---- */

/* Without the table: goes through the pending ones until nothing changes. */
static void settle_by_iteration(struct core *core) {
  struct ephemerons *ephemerons = &core->ephemerons;
  midden_visitor *visitor = core->weak.visitor;
  bool changed;
  core->figures.ephemeron_iterations++;
  do {
    changed = false;
    for (size_t i = 0; i < ephemerons->pending.count; i++) {
      struct pending pending = *pending_at(ephemerons, i);
      if (!pending.key) continue;
      core->figures.ephemerons_visited++;
      if (!weak_live(&core->space, pending.cell)) continue;
      pending_at(ephemerons, i)->key = NULL;
      visitor->edge(visitor, pending.key);
      visitor->edge(visitor, pending.value);
      changed = true;
    }
    core->weak.drain(core);
  } while (changed);
}

void mdn_ephemerons_settle(struct core *core) {
  struct ephemerons *ephemerons = &core->ephemerons;
  if (!ephemerons->watching) {
    core->weak.drain(core);
    if (ephemerons->pending.count == 0) return;
    if (!watch_begin(core)) {
      settle_by_iteration(core);
      return;
    }
  }
  watch(core);
}

void mdn_ephemerons_keep(struct core *core, midden_word *slot) {
  if (core->ephemerons.watching) {
    watch_slot(&core->ephemerons, slot);
  } else {
    core->weak.visitor->edge(core->weak.visitor, slot);
  }
}

void mdn_ephemerons_found(struct core *core, uintptr_t cell) {
  if (core->ephemerons.watching) found(&core->ephemerons, cell);
}

void mdn_ephemerons_clear(struct core *core) {
  struct ephemerons *ephemerons = &core->ephemerons;
  for (size_t i = 0; i < ephemerons->pending.count; i++) {
    const struct pending *pending = pending_at(ephemerons, i);
    if (!pending->key || *pending->key == core->weak.cleared) continue; /* traced, or noted twice */
    DEBUG_CHECK(!weak_live(&core->space, pending->cell));
    *pending->key = *pending->value = core->weak.cleared;
    core->figures.ephemerons_cleared++;
  }
  ephemerons->watching = false;
  mdn_table_clear(&ephemerons->pending, core->space.memory);
  mdn_table_clear(&ephemerons->buckets, core->space.memory);
}

void mdn_ephemerons_close(struct core *core) {
  if (!core->space.memory) return; /* the space was never opened */
  mdn_table_close(&core->ephemerons.pending, core->space.memory);
  mdn_table_close(&core->ephemerons.buckets, core->space.memory);
}
