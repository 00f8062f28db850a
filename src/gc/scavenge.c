/* Scavenging: see scavenge.h.
 *
 * Cheney's algorithm (1970) with the mark stack for a queue, so that copies lie in depth-first order. Slots
 * wait in a short queue while the memory that they point to is being fetched. */
#include "gc/scavenge.h"

#include "gc/evacuate.h"
#include "gc/layout.h"
#include "gc/remembered.h"

#define SLOT_QUEUE 32

/* The pass. Its visitor comes first; the tracer beside it owns mark stack, portions and pins. */
struct scavenger {
  midden_visitor visitor;
  struct core *core;
  struct tracer *tracer;
};

/* What the loop needs, in registers: nothing in here has its address taken. */
struct mover {
  struct core *core;
  uintptr_t base;
  size_t extent;
  const uint64_t *page_map;
  uint64_t *alloc_bits, *mark_bits;
  const struct kind *kinds;
  midden_word **queue; /* SLOT_QUEUE places */
  unsigned head, queued;
};

ALWAYS_INLINE struct mover mover_of(struct core *core, midden_word **queue) {
  struct space *space = &core->space;
  return (struct mover){core,
                        space->base,
                        space->extent,
                        space->page_map,
                        space->alloc_bits,
                        space->mark_bits,
                        core->kinds.kinds,
                        queue,
                        0,
                        0};
}

ALWAYS_INLINE bool mover_offset(const struct mover *mover, uintptr_t word, bool plain, size_t *offset) {
  return reference_offset(&mover->core->form, plain, mover->base, mover->extent, word, offset);
}

/* Does one slot: forwards it, marks its object in place, or copies it. */
ALWAYS_INLINE void mover_scavenge(const struct mover *mover, midden_word *slot, bool plain) {
  uintptr_t word = *slot;
  size_t offset;
  if (!mover_offset(mover, word, plain, &offset)) return;
  uint64_t entry = mover->page_map[offset >> PAGE_SHIFT];
  size_t granule = offset >> GRANULE_SHIFT;
  uint64_t bit = UINT64_C(1) << (granule & 63);
  uint64_t *mark = &mover->mark_bits[granule >> 6];
  uintptr_t cell = mover->base + offset;
  if (entry & PAGE_EVACUATE) {
    if (!(mover->alloc_bits[granule >> 6] & bit)) {
      *slot = word - cell + forwarding_address(cell);
      return;
    }
    if (*mark & bit) return;
    uintptr_t copy = evacuate(mover->core, entry, cell);
    if (copy) {
      *slot = word - cell + copy;
      if (!(entry & PAGE_LEAF)) tracer_push(&mover->core->tracer, mark_entry_of(copy - mover->base, entry));
      return;
    }
    mover->core->figures.marked_in_place++;
  }
  if (*mark & bit) return;
  *mark |= bit;
  if (!(entry & PAGE_LEAF)) tracer_push(&mover->core->tracer, mark_entry_of(offset, entry));
}

ALWAYS_INLINE void mover_scavenge_oldest(struct mover *mover, bool plain) {
  midden_word *slot = mover->queue[mover->head];
  mover->head = (mover->head + 1) % SLOT_QUEUE;
  mover->queued--;
  mover_scavenge(mover, slot, plain);
}

/* Has the slot's target fetched, and does the slot that has waited longest if the queue is full. */
ALWAYS_INLINE void mover_enqueue(struct mover *mover, midden_word *slot, bool plain) {
  size_t offset;
  if (!mover_offset(mover, *slot, plain, &offset)) return;
  __builtin_prefetch((const void *)(mover->base + offset));
  if (mover->queued == SLOT_QUEUE) mover_scavenge_oldest(mover, plain);
  mover->queue[(mover->head + mover->queued++) % SLOT_QUEUE] = slot;
}

ALWAYS_INLINE void mover_enqueue_range(struct mover *mover, midden_word *first, midden_word *end, bool plain) {
  for (; first < end; first++) mover_enqueue(mover, first, plain);
}

/* ---- outside the loop: roots, trace functions, rare layouts ---- */

static void scavenge_slot(void *context, midden_word *slot) {
  const struct mover mover = mover_of(((struct scavenger *)context)->core, NULL);
  mover_scavenge(&mover, slot, false);
}

/* Scans an object of any layout and size; a large array is left to be scanned in portions. */
static __attribute__((noinline)) void scan_any(struct scavenger *scavenger, const struct kind *kind, uintptr_t cell,
                                               size_t size, bool large) {
  struct tracer *tracer = scavenger->tracer;
  size_t first;
  if (large && tracer->portion_count < TRACER_PORTIONS && layout_has_slot_tail(kind, cell, &first)) {
    if (kind->fixed_bytes) layout_bitmap((midden_word *)cell, kind->bitmap, scavenge_slot, scavenger);
    tracer->portions[tracer->portion_count].next = (midden_word *)first;
    tracer->portions[tracer->portion_count++].end = (midden_word *)(cell + size);
    return;
  }
  layout_each(kind, cell, size, scavenge_slot, scavenger, &scavenger->visitor);
}

static void scavenge_edge(midden_visitor *visitor, midden_word *slot) { scavenge_slot(visitor, slot); }

static void scavenge_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) scavenge_slot(visitor, first + i);
}

/* Pins of host scanners were taken in the first pass. */
static void skip_pinned(midden_visitor *visitor, uintptr_t word) { (void)visitor, (void)word; }
static void skip_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count;
}

static void scavenge_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  mdn_weak_note(((struct scavenger *)visitor)->core, visitor, slot, companion, strength);
}

static void scavenge_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  mdn_ephemeron_visit(((struct scavenger *)visitor)->core, visitor, key, value);
}

/* ---- the loop ---- */

ALWAYS_INLINE void scan_entry(struct scavenger *scavenger, struct mover *mover, mark_entry entry, bool plain) {
  const struct kind *kind = &mover->kinds[mark_entry_kind(entry)];
  midden_word *slots = (midden_word *)(mover->base + mark_entry_offset(entry));
  unsigned size_class = mark_entry_class(entry);
  if (kind->layout == MIDDEN_REFS_BITMAP && kind->fixed_size) {
    for (uint64_t bits = kind->bitmap; bits; bits &= bits - 1) mover_enqueue(mover, &slots[bits_lowest(bits)], plain);
  } else if (kind->layout == MIDDEN_REFS_ALL && size_class != SIZE_CLASS_LARGE) {
    mover_enqueue_range(mover, slots, slots + midden_class_size[size_class] / sizeof *slots, plain);
  } else {
    uintptr_t cell = (uintptr_t)slots;
    bool large = size_class == SIZE_CLASS_LARGE;
    size_t size = large ? space_span_of(&mover->core->space, cell)->cell_size : midden_class_size[size_class];
    scan_any(scavenger, kind, cell, size, large);
  }
}

ALWAYS_INLINE void scan_portion_of(struct mover *mover, struct tracer *tracer, bool plain) {
  size_t last = tracer->portion_count - 1;
  midden_word *first = tracer->portions[last].next, *end = tracer->portions[last].end;
  if (end - first > TRACER_PORTION) {
    end = first + TRACER_PORTION;
    tracer->portions[last].next = end;
  } else {
    tracer->portion_count--;
  }
  mover_enqueue_range(mover, first, end, plain);
}

ALWAYS_INLINE void scavenge_all_as(struct scavenger *scavenger, bool plain) {
  struct tracer *tracer = scavenger->tracer;
  midden_word *queue[SLOT_QUEUE] = {NULL};
  struct mover mover = mover_of(scavenger->core, queue);
  for (;;) {
    if (tracer->stack.depth) {
      scan_entry(scavenger, &mover, tracer->stack.entries[--tracer->stack.depth], plain);
    } else if (mover.queued > 0) {
      mover_scavenge_oldest(&mover, plain);
    } else {
      if (tracer->portion_count == 0) return;
      scan_portion_of(&mover, tracer, plain);
    }
  }
}

static void scavenge_all(struct scavenger *scavenger) {
  if (scavenger->core->form.plain) {
    scavenge_all_as(scavenger, true);
  } else {
    scavenge_all_as(scavenger, false);
  }
}

/* ---- the phases ---- */

/* For the first pass over host scanners: pins only. */
struct pinner {
  midden_visitor visitor;
  struct tracer *tracer;
};

static void ignore_edge(midden_visitor *visitor, midden_word *slot) { (void)visitor, (void)slot; }
static void ignore_range(midden_visitor *visitor, midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count;
}
static void ignore_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  (void)visitor, (void)slot, (void)companion, (void)strength;
}
static void ignore_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  (void)visitor, (void)key, (void)value;
}
static void pin_reference(midden_visitor *visitor, uintptr_t word) {
  mdn_tracer_pin_reference(((struct pinner *)visitor)->tracer, word);
}
static void pin_words(midden_visitor *visitor, const midden_word *first, size_t count) {
  mdn_tracer_pin_words(((struct pinner *)visitor)->tracer, first, count);
}

static void visit_pins(const struct collection *collection) {
  struct core *core = collection->core;
  struct pinner pinner = {{ignore_edge, pin_reference, ignore_range, pin_words, ignore_weak, ignore_ephemeron}, &core->tracer};
  mdn_core_visit_ambiguous(collection, &pinner.visitor);
  mdn_registry_visit_scanners(&core->registry, &pinner.visitor);
}

static void scavenge_remembered(struct scavenger *scavenger) {
  struct core *core = scavenger->core;
  for (size_t i = 0; i < core->remembered.cells.count; i++) {
    remembered_each(core, remembered_cell(core, i), scavenge_slot, scavenger, &scavenger->visitor);
  }
  mdn_remembered_clear(core);
}

/* The rescan's function has no place for the scavenger: it goes by the core. */
static void scavenge_again(struct tracer *tracer, uintptr_t cell) {
  struct scavenger *scavenger = tracer->core->scavenger;
  uint64_t entry = space_page_entry(&tracer->core->space, cell);
  const struct kind *kind = &tracer->kinds[entry & 0xffff];
  scan_any(scavenger, kind, cell, core_cell_size(tracer->core, entry), entry & PAGE_LARGE);
  scavenge_all(scavenger);
}

static void scavenge_rest(struct core *core) {
  do {
    scavenge_all(core->scavenger);
  } while (mdn_tracer_rescan(&core->tracer, scavenge_again));
}

void mdn_scavenge(const struct collection *collection) {
  struct core *core = collection->core;
  struct scavenger scavenger = {
      .visitor = {scavenge_edge, skip_pinned, scavenge_range, skip_ambiguous, scavenge_weak, scavenge_ephemeron},
      .core = core,
      .tracer = &core->tracer};
  core->scavenger = &scavenger;
  step_begin(&core->steps, STEP_ROOTS);
  visit_pins(collection);
  if (collection->minor) scavenge_remembered(&scavenger);
  mdn_core_visit_precise(core, &scavenger.visitor);
  mdn_weak_process(core, collection->minor, &scavenger.visitor, scavenge_rest);
  core->scavenger = NULL;
}
