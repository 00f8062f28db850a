/* copying: evacuates the cells of all movable spans into fresh ones, and frees the old spans whole.
 *
 * Ambiguous roots are visited first: what they hit is marked in place, keeps its cell, and its span is
 * filled around it afterwards (mostly-copying collection: Bartlett 1988, with cells for pages). Then one
 * pass copies what precise references reach (Cheney 1970; the scan is depth first, by the mark stack).
 * When the limit leaves no room for copies, the rest is marked in place in that collection.
 *
 * If some kind's objects pin others while they are traced, pins are complete only after marking: then the
 * heap is marked first, the unpinned marked cells are evacuated, and all references are fixed. */
#include "base/assertion.h"
#include "gc/collector.h"
#include "gc/evacuate.h"
#include "gc/fix.h"
#include "gc/layout.h"
#include "gc/remembered.h"
#include "gc/sweep.h"
#include "midden/debug.h"

#define SLOT_QUEUE 8 /* slots whose target's memory is being fetched */

/* The copying pass. Its visitor comes first; the tracer beside it owns mark stack and pins. */
struct scavenger {
  midden_visitor visitor;
  struct core *core;
  struct tracer *tracer;
  midden_word *queue[SLOT_QUEUE];
  size_t next, queued;
};

/* ---- one pass: copy what is reached ---- */

ALWAYS_INLINE void scavenge(struct scavenger *scavenger, midden_word *slot) {
  struct core *core = scavenger->core;
  struct space *space = &core->space;
  uintptr_t word = *slot;
  size_t offset;
  if (!reference_offset(&core->form, core->form.plain, space->base, space->extent, word, &offset)) return;
  uintptr_t cell = space->base + offset;
  uint64_t entry = space->page_map[offset >> PAGE_SHIFT];
  size_t granule = offset >> GRANULE_SHIFT;
  if (entry & PAGE_EVACUATE) {
    if (!bitmap_test(space->alloc_bits, granule)) {
      *slot = word - cell + forwarding_address(cell);
      return;
    }
    if (bitmap_test(space->mark_bits, granule)) return;
    uintptr_t copy = mdn_evacuate(core, entry, cell);
    if (copy) {
      *slot = word - cell + copy;
      if (!(entry & PAGE_LEAF)) tracer_push(scavenger->tracer, mark_entry_of(copy - space->base, entry));
      return;
    }
    core->figures.marked_in_place++;
  }
  mdn_tracer_mark_cell(scavenger->tracer, cell);
}

/* Has the slot's target fetched, and does the slot that has waited longest. */
ALWAYS_INLINE void enqueue(struct scavenger *scavenger, midden_word *slot) {
  size_t offset;
  const struct core *core = scavenger->core;
  if (!reference_offset(&core->form, core->form.plain, core->space.base, core->space.extent, *slot, &offset)) return;
  __builtin_prefetch((const void *)(core->space.base + offset));
  midden_word **place = &scavenger->queue[scavenger->next++ % SLOT_QUEUE];
  midden_word *oldest = *place;
  *place = slot;
  if (oldest) {
    scavenge(scavenger, oldest);
  } else {
    scavenger->queued++;
  }
}

ALWAYS_INLINE void enqueue_slot(void *scavenger, midden_word *slot) { enqueue(scavenger, slot); }

static void finish_queue(struct scavenger *scavenger) {
  for (size_t i = 0; i < SLOT_QUEUE && scavenger->queued; i++) {
    midden_word **place = &scavenger->queue[scavenger->next++ % SLOT_QUEUE];
    midden_word *slot = *place;
    *place = NULL;
    if (!slot) continue;
    scavenger->queued--;
    scavenge(scavenger, slot);
  }
}

/* A large array's slots are many: they are done in portions, between which the mark stack is drained. */
static void scavenge_large(struct scavenger *scavenger, const struct kind *kind, uintptr_t cell, size_t size) {
  size_t first;
  if (!layout_has_slot_tail(kind, cell, &first)) {
    layout_each(kind, cell, size, enqueue_slot, scavenger, &scavenger->visitor);
    return;
  }
  for (uint64_t bits = kind->bitmap; kind->fixed_bytes && bits; bits &= bits - 1) {
    enqueue(scavenger, &((midden_word *)cell)[bits_lowest(bits)]);
  }
  struct tracer *tracer = scavenger->tracer;
  if (tracer->portion_count < TRACER_PORTIONS) {
    tracer->portions[tracer->portion_count].next = (midden_word *)first;
    tracer->portions[tracer->portion_count++].end = (midden_word *)(cell + size);
  } else {
    layout_words((midden_word *)first, (midden_word *)(cell + size), enqueue_slot, scavenger);
  }
}

static inline void scavenge_entry(struct scavenger *scavenger, mark_entry entry) {
  struct core *core = scavenger->core;
  uintptr_t cell = core->space.base + mark_entry_offset(entry);
  const struct kind *kind = &core->kinds.kinds[mark_entry_kind(entry)];
  unsigned size_class = mark_entry_class(entry);
  if (size_class == SIZE_CLASS_LARGE) {
    scavenge_large(scavenger, kind, cell, space_span_of(&core->space, cell)->cell_size);
    return;
  }
  layout_each(kind, cell, midden_class_size[size_class], enqueue_slot, scavenger, &scavenger->visitor);
}

static void scavenge_portion(struct scavenger *scavenger) {
  struct tracer *tracer = scavenger->tracer;
  size_t last = tracer->portion_count - 1;
  midden_word *first = tracer->portions[last].next, *end = tracer->portions[last].end;
  if (end - first > TRACER_PORTION) {
    end = first + TRACER_PORTION;
    tracer->portions[last].next = end;
  } else {
    tracer->portion_count--;
  }
  layout_words(first, end, enqueue_slot, scavenger);
}

static void scavenge_all(struct scavenger *scavenger) {
  struct tracer *tracer = scavenger->tracer;
  for (;;) {
    if (tracer->stack.depth) {
      scavenge_entry(scavenger, tracer->stack.entries[--tracer->stack.depth]);
    } else if (scavenger->queued) {
      finish_queue(scavenger);
    } else if (tracer->portion_count) {
      scavenge_portion(scavenger);
    } else {
      return;
    }
  }
}

static void scavenge_edge(midden_visitor *visitor, midden_word *slot) { scavenge((struct scavenger *)visitor, slot); }

static void scavenge_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) scavenge((struct scavenger *)visitor, first + i);
}

/* Pins of host scanners were taken in the first pass. */
static void skip_pinned(midden_visitor *visitor, uintptr_t word) { (void)visitor, (void)word; }
static void skip_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count;
}

/* For the first pass over host scanners: pins only. */
struct pinner {
  midden_visitor visitor;
  struct tracer *tracer;
};

static void ignore_edge(midden_visitor *visitor, midden_word *slot) { (void)visitor, (void)slot; }
static void ignore_range(midden_visitor *visitor, midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count;
}
static void pin_reference(midden_visitor *visitor, uintptr_t word) {
  mdn_tracer_pin_reference(((struct pinner *)visitor)->tracer, word);
}
static void pin_words(midden_visitor *visitor, const midden_word *first, size_t count) {
  mdn_tracer_pin_words(((struct pinner *)visitor)->tracer, first, count);
}

/* The rescan's function has no place for the scavenger: it goes by the core. */
static struct scavenger *scavenger_of(struct tracer *tracer) { return tracer->core->scavenger; }

static void scavenge_again(struct tracer *tracer, uintptr_t cell) {
  uint64_t entry = space_page_entry(&tracer->core->space, cell);
  scavenge_entry(scavenger_of(tracer), mark_entry_of(cell - tracer->base, entry));
  scavenge_all(scavenger_of(tracer));
}

static void scavenge_remembered(struct scavenger *scavenger) {
  struct core *core = scavenger->core;
  for (size_t i = 0; i < core->remembered.count; i++) {
    remembered_each(core, core->remembered.cells[i], enqueue_slot, scavenger, &scavenger->visitor);
  }
  mdn_remembered_clear(core);
}

static void copy_reachable(const struct collection *collection) {
  struct core *core = collection->core;
  struct tracer *tracer = &core->tracer;
  struct scavenger scavenger = {
      .visitor = {scavenge_edge, skip_pinned, scavenge_range, skip_ambiguous}, .core = core, .tracer = tracer};
  struct pinner pinner = {{ignore_edge, pin_reference, ignore_range, pin_words}, tracer};
  core->scavenger = &scavenger;
  mdn_core_visit_ambiguous(collection, &pinner.visitor);
  mdn_registry_visit_scanners(&core->registry, &pinner.visitor);
  if (collection->minor) scavenge_remembered(&scavenger);
  mdn_core_visit_precise(core, &scavenger.visitor);
  do {
    scavenge_all(&scavenger);
  } while (mdn_tracer_rescan(tracer, scavenge_again));
  core->scavenger = NULL;
}

/* ---- mark first, then evacuate, then fix ---- */

static uintptr_t copied_address(const struct core *core, uintptr_t cell) {
  if (!(space_page_entry(&core->space, cell) & PAGE_EVACUATE) || !evacuated(&core->space, cell)) return cell;
  return forwarding_address(cell);
}

static void evacuate_cell(void *context, struct span *span, uintptr_t cell) {
  struct core *core = context;
  size_t granule = space_granule(&core->space, cell);
  if (span->pinned && bitmap_test(core->space.pin_bits, granule)) return;
  if (mdn_evacuate(core, space_page_entry(&core->space, cell), cell)) {
    bitmap_clear(core->space.mark_bits, granule);
  } else {
    core->figures.marked_in_place++;
  }
}

ALWAYS_INLINE void fix_copied_slot(void *context, midden_word *slot) {
  const struct core *core = ((struct fixer *)context)->core;
  *slot = fix_word(core, *slot, copied_address);
}

static void fix_copied_cell(void *context, struct span *span, uintptr_t cell) {
  struct fixer *fixer = context;
  layout_each(&fixer->core->kinds.kinds[span->kind], cell, span->cell_size, fix_copied_slot, fixer, &fixer->visitor);
}

static void evacuate_marked(const struct collection *collection) {
  struct core *core = collection->core;
  struct space *space = &core->space;
  struct fixer fixer;
  mdn_tracer_mark_all(collection);
  if (collection->minor) return; /* marks do not tell old from young any more: what is young stays in place */
  if (!mdn_fixer_open(&fixer, core, copied_address)) return; /* no memory to move safely: all stays marked in place */
  for (struct central *central = core->active; central; central = central->next_active) {
    struct span *last = central->last; /* spans added behind it hold copies */
    if (!central->movable || !last) continue;
    for (struct span *span = central->first;; span = span->next) {
      span_each(space, span, space->mark_bits, evacuate_cell, core);
      if (span == last) break;
    }
  }
  for (struct central *central = core->active; central; central = central->next_active) {
    if (central->map_flags & PAGE_LEAF) continue;
    for (struct span *span = central->first; span; span = span->next) {
      span_each(space, span, space->mark_bits, fix_copied_cell, &fixer);
    }
  }
  mdn_fixer_fix_roots(&fixer);
  mdn_fixer_close(&fixer);
}

static void copy_collect(const struct collection *collection) {
  struct core *core = collection->core;
  mdn_tracer_begin(collection);
  mdn_evacuation_begin(core, collection->minor);
  if (core->kinds.pins_while_tracing) {
    evacuate_marked(collection);
  } else {
    copy_reachable(collection);
  }
  mdn_evacuation_end(core, collection->minor);
  mdn_tracer_end(&core->tracer);
  mdn_sweep(core, MIDDEN_POISON_SWEPT, collection->minor);
}

const struct collector mdn_collector_copying = {
    .name = "copying",
    .summary = "copies what lives into fresh spans; pinned objects stay",
    .capabilities = COLLECTOR_COLLECTS | COLLECTOR_MOVES | COLLECTOR_NEEDS_ROOM,
    .collect = copy_collect,
};
