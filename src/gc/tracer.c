/* The tracer: see tracer.h. */
#include "gc/tracer.h"

#include <string.h>

#include "base/assertion.h"
#include "gc/core.h"
#include "gc/layout.h"
#include "gc/pins.h"
#include "gc/remembered.h"

#define STACK_LEAST ((size_t)512) /* entries: a page, taken when the heap is opened */
#define STACK_KEPT ((size_t)1 << 17)

/* ---- the mark stack ---- */

static void stack_release(struct tracer *tracer) {
  struct mark_stack *stack = &tracer->stack;
  const midden_memory *memory = tracer->core->space.memory;
  if (stack->entries) memory->release(memory->context, stack->entries, stack->capacity * sizeof(mark_entry));
  *stack = (struct mark_stack){NULL, 0, 0};
}

bool mdn_mark_stack_grow(struct tracer *tracer) {
  struct mark_stack *stack = &tracer->stack;
  const midden_memory *memory = tracer->core->space.memory;
  size_t capacity = stack->capacity ? 2 * stack->capacity : STACK_LEAST;
  size_t bytes = capacity * sizeof(mark_entry);
  mark_entry *entries = memory->reserve(memory->context, bytes);
  if (!entries) return false;
  if (!memory->commit(memory->context, entries, bytes)) {
    memory->release(memory->context, entries, bytes);
    return false;
  }
  size_t depth = stack->depth;
  if (depth) memcpy(entries, stack->entries, depth * sizeof(mark_entry));
  stack_release(tracer);
  *stack = (struct mark_stack){entries, depth, capacity};
  return true;
}

/* ---- marking, outside the loop: roots, trace functions ---- */

/* Marks the cell at `offset`. post: whether it is new and may hold references; then *entry is its page's. */
ALWAYS_INLINE bool mark_new(uint64_t *mark_bits, const uint64_t *page_map, size_t offset, uint64_t *entry) {
  size_t granule = offset >> GRANULE_SHIFT;
  uint64_t *word = &mark_bits[granule >> 6];
  uint64_t bit = UINT64_C(1) << (granule & 63);
  if (*word & bit) return false;
  *word |= bit;
  *entry = page_map[offset >> PAGE_SHIFT];
  return !(*entry & PAGE_LEAF);
}

static inline void mark_offset(struct tracer *tracer, size_t offset) {
  uint64_t entry;
  if (mark_new(tracer->mark_bits, tracer->page_map, offset, &entry)) tracer_push(tracer, mark_entry_of(offset, entry));
}

static inline void mark_word(struct tracer *tracer, uintptr_t word) {
  size_t offset;
  if (reference_offset(&tracer->form, false, tracer->base, tracer->extent, word, &offset)) mark_offset(tracer, offset);
}

static void mark_slot(void *tracer, midden_word *slot) { mark_word(tracer, *slot); }

/* ---- the loop ---- */

/* What the loop needs of the tracer, in registers: nothing in here has its address taken. */
struct marker {
  struct tracer *tracer;
  uintptr_t base;
  size_t eighths; /* the range's extent in 8 bytes */
  const uint64_t *page_map;
  uint64_t *mark_bits;
  const struct kind *kinds;
  mark_entry *top, *bottom, *limit; /* of the mark stack */
};

ALWAYS_INLINE struct marker marker_load(struct tracer *tracer) {
  mark_entry *entries = tracer->stack.entries;
  return (struct marker){tracer,
                         tracer->base,
                         tracer->extent >> 3,
                         tracer->page_map,
                         tracer->mark_bits,
                         tracer->kinds,
                         entries + tracer->stack.depth,
                         entries,
                         entries + tracer->stack.capacity};
}

ALWAYS_INLINE void marker_store(const struct marker *marker) {
  marker->tracer->stack.depth = (size_t)(marker->top - marker->bottom);
}

ALWAYS_INLINE void marker_push(struct marker *marker, mark_entry entry) {
  if (__builtin_expect(marker->top == marker->limit, 0)) {
    marker_store(marker);
    tracer_push(marker->tracer, entry);
    *marker = marker_load(marker->tracer);
    return;
  }
  *marker->top++ = entry;
}

/* Where an edge leads, in units of 8 bytes from the range's start; out of the range if it is no reference. Rotating
 * the offset brings low bits that are set to the top, so that one compare tests alignment and range. */
ALWAYS_INLINE size_t marker_target(const struct marker *marker, uintptr_t word, bool plain) {
  if (plain) {
    size_t offset = word - marker->base;
    return offset >> 3 | offset << 61;
  }
  size_t offset;
  if (!reference_offset(&marker->tracer->form, false, marker->base, marker->eighths << 3, word, &offset)) return SIZE_MAX;
  return offset >> 3;
}

ALWAYS_INLINE void marker_mark(struct marker *marker, uintptr_t word, bool plain) {
  size_t target = marker_target(marker, word, plain);
  if (target >= marker->eighths) return;
  uint64_t *marks = &marker->mark_bits[target >> 7];
  uint64_t bit = UINT64_C(1) << (target >> 1 & 63), seen = *marks;
  if (seen & bit) return;
  *marks = seen | bit;
  uint64_t entry = marker->page_map[target >> (PAGE_SHIFT - 3)];
  if (!(entry & PAGE_LEAF)) marker_push(marker, mark_entry_of(target << 3, entry));
}

ALWAYS_INLINE void marker_mark_words(struct marker *marker, const midden_word *first, const midden_word *end,
                                     bool plain) {
  for (; first < end; first++) marker_mark(marker, *first, plain);
}

/* Scans the fixed part of a large array, and has the rest scanned in portions. */
static bool defer(struct tracer *tracer, const struct kind *kind, uintptr_t cell, size_t size) {
  size_t first;
  if (tracer->portion_count == TRACER_PORTIONS || !layout_has_slot_tail(kind, cell, &first)) return false;
  if (kind->fixed_bytes) layout_bitmap((midden_word *)cell, kind->bitmap, mark_slot, tracer);
  tracer->portions[tracer->portion_count].next = (midden_word *)first;
  tracer->portions[tracer->portion_count++].end = (midden_word *)(cell + size);
  return true;
}

/* Scans an object of any layout and size, through the tracer. */
static __attribute__((noinline)) void scan(struct tracer *tracer, uintptr_t cell) {
  uint64_t entry = tracer->page_map[(cell - tracer->base) >> PAGE_SHIFT];
  const struct kind *kind = &tracer->kinds[entry & 0xffff];
  size_t size = core_cell_size(tracer->core, entry);
  if ((entry & PAGE_LARGE) && defer(tracer, kind, cell, size)) return;
  layout_each(kind, cell, size, mark_slot, tracer, &tracer->visitor);
}

/* The layouts that most objects have, in registers; the others through the tracer. */
ALWAYS_INLINE void marker_scan(struct marker *marker, mark_entry entry, bool plain) {
  const struct kind *kind = &marker->kinds[mark_entry_kind(entry)];
  const midden_word *slots = (const midden_word *)(marker->base + mark_entry_offset(entry));
  unsigned size_class = mark_entry_class(entry);
  if (kind->layout == MIDDEN_REFS_BITMAP && kind->fixed_size) {
    for (uint64_t bits = kind->bitmap; bits; bits &= bits - 1) marker_mark(marker, slots[bits_lowest(bits)], plain);
  } else if (kind->layout == MIDDEN_REFS_ALL && size_class != SIZE_CLASS_LARGE) {
    marker_mark_words(marker, slots, slots + midden_class_size[size_class] / sizeof *slots, plain);
  } else {
    marker_store(marker);
    scan(marker->tracer, (uintptr_t)slots);
    *marker = marker_load(marker->tracer);
  }
}

/* Scans the next portion of the large array seen last. */
ALWAYS_INLINE void scan_portion(struct marker *marker, bool plain) {
  struct tracer *tracer = marker->tracer;
  size_t last = tracer->portion_count - 1;
  const midden_word *first = tracer->portions[last].next, *end = tracer->portions[last].end;
  if (end - first > TRACER_PORTION) {
    end = first + TRACER_PORTION;
    tracer->portions[last].next += TRACER_PORTION;
  } else {
    tracer->portion_count--;
  }
  marker_mark_words(marker, first, end, plain);
}

/* Fetches the object's first and last word: most objects lie in one or two cache lines. */
ALWAYS_INLINE void prefetch(const struct marker *marker, mark_entry entry) {
  const char *cell = (const char *)(marker->base + mark_entry_offset(entry));
  __builtin_prefetch(cell);
  __builtin_prefetch(cell + midden_class_size[mark_entry_class(entry)] - 8);
}

ALWAYS_INLINE void drain(struct tracer *tracer, bool plain) {
  struct marker marker = marker_load(tracer);
  mark_entry queue[TRACER_QUEUE];
  unsigned oldest = 0, queued = 0;
  for (;;) {
    mark_entry entry;
    if (marker.top > marker.bottom) {
      mark_entry next = *--marker.top;
      prefetch(&marker, next);
      if (queued < TRACER_QUEUE) {
        queue[(oldest + queued++) % TRACER_QUEUE] = next;
        continue;
      }
      entry = queue[oldest];
      queue[oldest] = next;
    } else if (queued > 0) {
      entry = queue[oldest];
      queued--;
    } else {
      if (tracer->portion_count == 0) break;
      scan_portion(&marker, plain);
      continue;
    }
    oldest = (oldest + 1) % TRACER_QUEUE;
    marker_scan(&marker, entry, plain);
  }
  marker_store(&marker);
}

static void scan_again(struct tracer *tracer, uintptr_t cell) {
  scan(tracer, cell);
  drain(tracer, false);
}

void mdn_tracer_drain(struct tracer *tracer) {
  do {
    if (tracer->form.plain) {
      drain(tracer, true);
    } else {
      drain(tracer, false);
    }
  } while (mdn_tracer_rescan(tracer, scan_again));
}

struct rescan {
  struct tracer *tracer;
  scan_function scan;
};

static void rescan_cell(void *context, struct span *span, uintptr_t cell) {
  (void)span;
  struct rescan *rescan = context;
  rescan->scan(rescan->tracer, cell);
}

bool mdn_tracer_rescan(struct tracer *tracer, scan_function scan_one) {
  if (!tracer->overflowed) return false;
  tracer->overflowed = false;
  struct core *core = tracer->core;
  core->figures.mark_stack_rescans++;
  struct rescan rescan = {tracer, scan_one};
  for (struct central *central = core->active; central; central = central->next_active) {
    if (central->map_flags & PAGE_LEAF) continue;
    for (struct span *span = central->first; span; span = span->next) {
      span_each(&core->space, span, core->space.mark_bits, rescan_cell, &rescan);
    }
  }
  return true;
}

void mdn_tracer_mark_cell(struct tracer *tracer, uintptr_t cell) {
  mark_offset(tracer, cell - tracer->base);
  mdn_ephemerons_found(tracer->core, cell);
}

/* ---- the visitor: what roots and trace functions call ---- */

static void visit_edge(midden_visitor *visitor, midden_word *slot) {
  mark_word((struct tracer *)visitor, *slot);
}

static void visit_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) mark_word((struct tracer *)visitor, first[i]);
}

static void visit_pinned(midden_visitor *visitor, uintptr_t word) {
  mdn_tracer_pin_reference((struct tracer *)visitor, word);
}

static void visit_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  mdn_tracer_pin_words((struct tracer *)visitor, first, count);
}

static void visit_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  mdn_weak_note(((struct tracer *)visitor)->core, visitor, slot, companion, strength);
}

static void visit_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  mdn_ephemeron_visit(((struct tracer *)visitor)->core, visitor, key, value);
}

/* ---- one marking, from beginning to end ---- */

static void clear_marks(struct core *core) {
  struct space *space = &core->space;
  for (struct central *central = core->active; central; central = central->next_active) {
    for (struct span *span = central->first; span; span = span->next) {
      memset(span_bits(space, span, space->mark_bits), 0, span_words(span) * sizeof(uint64_t));
    }
  }
}

void mdn_tracer_begin(const struct collection *collection) {
  struct core *core = collection->core;
  struct tracer *tracer = &core->tracer;
  struct space *space = &core->space;
  struct mark_stack stack = tracer->stack;
  *tracer = (struct tracer){
      .visitor = {visit_edge, visit_pinned, visit_range, visit_ambiguous, visit_weak, visit_ephemeron},
      .core = core,
      .base = space->base,
      .extent = space->extent,
      .page_map = space->page_map,
      .mark_bits = space->mark_bits,
      .kinds = core->kinds.kinds,
      .form = core->form,
      .stack = stack,
  };
  CHECK(stack.depth == 0);
  if (collection->minor) {
    mdn_remembered_restore(core);
  } else {
    mdn_remembered_clear(core);
    mdn_remembered_trim(core);
    clear_marks(core);
  }
  mdn_phases_begin(core);
  mdn_hits_begin(&core->hits);
  mdn_pins_mark(core);
}

static void mark_remembered(struct core *core) {
  struct tracer *tracer = &core->tracer;
  for (size_t i = 0; i < core->remembered.cells.count; i++) {
    remembered_each(core, remembered_cell(core, i), mark_slot, tracer, &tracer->visitor);
  }
  mdn_remembered_clear(core);
}

static void drain_all(struct core *core) { mdn_tracer_drain(&core->tracer); }

void mdn_tracer_mark_all(const struct collection *collection) {
  struct tracer *tracer = &collection->core->tracer;
  step_begin(&collection->core->steps, STEP_ROOTS);
  if (collection->minor) mark_remembered(collection->core);
  mdn_core_visit_ambiguous(collection, &tracer->visitor);
  mdn_core_visit_precise(collection->core, &tracer->visitor);
  mdn_weak_process(collection->core, collection->minor, &tracer->visitor, drain_all);
}

void mdn_tracer_end(struct tracer *tracer) {
  CHECK(tracer->stack.depth == 0 && !tracer->overflowed);
  if (tracer->stack.capacity > STACK_KEPT) stack_release(tracer);
}

void mdn_tracer_close(struct tracer *tracer) {
  if (tracer->core) stack_release(tracer);
}
