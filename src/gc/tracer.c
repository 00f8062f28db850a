/* The tracer: see tracer.h. */
#include "gc/tracer.h"

#include <string.h>

#include "base/assertion.h"
#include "gc/core.h"
#include "gc/layout.h"
#include "gc/remembered.h"

#define STACK_LEAST ((size_t)512) /* entries: a page, taken when the heap is opened */
#define STACK_KEPT ((size_t)1 << 17)

/* ---- the mark stack ---- */

static void stack_release(struct tracer *tracer) {
  struct mark_stack *stack = &tracer->stack;
  const midden_memory *memory = tracer->core->space.memory;
  if (stack->cells) memory->release(memory->context, stack->cells, stack->capacity * sizeof(uintptr_t));
  *stack = (struct mark_stack){NULL, 0, 0};
}

bool mdn_mark_stack_grow(struct tracer *tracer) {
  struct mark_stack *stack = &tracer->stack;
  const midden_memory *memory = tracer->core->space.memory;
  size_t capacity = stack->capacity ? 2 * stack->capacity : STACK_LEAST;
  size_t bytes = capacity * sizeof(uintptr_t);
  uintptr_t *cells = memory->reserve(memory->context, bytes);
  if (!cells) return false;
  if (!memory->commit(memory->context, cells, bytes)) {
    memory->release(memory->context, cells, bytes);
    return false;
  }
  size_t depth = stack->depth;
  if (depth) memcpy(cells, stack->cells, depth * sizeof(uintptr_t));
  stack_release(tracer);
  *stack = (struct mark_stack){cells, depth, capacity};
  return true;
}

/* ---- marking ---- */

/* Marks the cell at `offset` if it is not. */
ALWAYS_INLINE void mark_offset(struct tracer *tracer, size_t offset) {
  size_t granule = offset >> GRANULE_SHIFT;
  uint64_t *word = &tracer->mark_bits[granule >> 6];
  uint64_t bit = UINT64_C(1) << (granule & 63);
  if (*word & bit) return;
  *word |= bit;
  if (tracer->page_map[offset >> PAGE_SHIFT] & PAGE_LEAF) return;
  tracer_push(tracer, tracer->base + offset);
}

ALWAYS_INLINE void mark_word(struct tracer *tracer, uintptr_t word, bool plain) {
  size_t offset;
  if (reference_offset(&tracer->form, plain, tracer->base, tracer->extent, word, &offset)) {
    mark_offset(tracer, offset);
  }
}

ALWAYS_INLINE void mark_slot_plain(void *tracer, midden_word *slot) { mark_word(tracer, *slot, true); }
ALWAYS_INLINE void mark_slot_tagged(void *tracer, midden_word *slot) { mark_word(tracer, *slot, false); }

ALWAYS_INLINE void mark_words(struct tracer *tracer, midden_word *first, midden_word *end, bool plain) {
  for (; first < end; first++) mark_word(tracer, *first, plain);
}

/* Scans the fixed part of a large array, and has the rest scanned in portions. */
static bool defer(struct tracer *tracer, const struct kind *kind, uintptr_t cell, size_t size) {
  size_t first;
  if (tracer->portion_count == TRACER_PORTIONS || !layout_has_slot_tail(kind, cell, &first)) return false;
  for (uint64_t bits = kind->bitmap; kind->fixed_bytes && bits; bits &= bits - 1) {
    mark_word(tracer, ((midden_word *)cell)[bits_lowest(bits)], false);
  }
  tracer->portions[tracer->portion_count].next = (midden_word *)first;
  tracer->portions[tracer->portion_count++].end = (midden_word *)(cell + size);
  return true;
}

ALWAYS_INLINE void scan(struct tracer *tracer, uintptr_t cell, bool plain) {
  uint64_t entry = tracer->page_map[(cell - tracer->base) >> PAGE_SHIFT];
  const struct kind *kind = &tracer->kinds[entry & 0xffff];
  size_t size = midden_class_size[(entry >> 16) & 0xff];
  if (__builtin_expect((entry & PAGE_LARGE) != 0, 0)) {
    size = space_entry_span(&tracer->core->space, entry)->cell_size;
    if (defer(tracer, kind, cell, size)) return;
  }
  layout_each(kind, cell, size, plain ? mark_slot_plain : mark_slot_tagged, tracer, &tracer->visitor);
}

/* Scans the next portion of the large array seen last. */
ALWAYS_INLINE void scan_portion(struct tracer *tracer, bool plain) {
  size_t last = tracer->portion_count - 1;
  midden_word *first = tracer->portions[last].next, *end = tracer->portions[last].end;
  if (end - first > TRACER_PORTION) {
    end = first + TRACER_PORTION;
    tracer->portions[last].next = end;
  } else {
    tracer->portion_count--;
  }
  mark_words(tracer, first, end, plain);
}

/* Fetches the object's first and last word: most objects lie in one or two cache lines. */
ALWAYS_INLINE void prefetch(const struct tracer *tracer, uintptr_t cell) {
  uint64_t entry = tracer->page_map[(cell - tracer->base) >> PAGE_SHIFT];
  __builtin_prefetch((const void *)cell);
  __builtin_prefetch((const void *)(cell + midden_class_size[(entry >> 16) & 0xff] - 8));
}

ALWAYS_INLINE void drain(struct tracer *tracer, bool plain) {
  for (;;) {
    uintptr_t cell = 0;
    if (tracer->stack.depth) {
      cell = tracer->stack.cells[--tracer->stack.depth];
      prefetch(tracer, cell);
      tracer->queued++;
    } else if (tracer->queued == 0) {
      if (tracer->portion_count == 0) return;
      scan_portion(tracer, plain);
      continue;
    }
    uintptr_t *slot = &tracer->queue[tracer->queue_next++ % TRACER_QUEUE];
    uintptr_t next = *slot;
    *slot = cell;
    if (!next) continue;
    tracer->queued--;
    scan(tracer, next, plain);
  }
}

static void scan_again(struct tracer *tracer, uintptr_t cell) {
  scan(tracer, cell, false);
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

void mdn_tracer_mark_cell(struct tracer *tracer, uintptr_t cell) { mark_offset(tracer, cell - tracer->base); }

/* ---- pins ---- */

static void pin_cell(struct tracer *tracer, uintptr_t cell) {
  struct space *space = &tracer->core->space;
  size_t granule = space_granule(space, cell);
  if (!bitmap_test(space->pin_bits, granule)) {
    bitmap_set(space->pin_bits, granule);
    struct span *span = space_span_of(space, cell);
    if (span->pinned++ == 0) {
      span->next_pinned = tracer->core->pinned;
      tracer->core->pinned = span;
    }
    tracer->core->figures.objects_pinned++;
  }
  mdn_tracer_mark_cell(tracer, cell);
}

/* Whether a loop may have left a pointer just past an object of this kind, with the next object right
 * behind it. Small objects of fixed size are not walked with end pointers, and for them the price would be
 * high: each pointer to one would keep its neighbour alive, often the root of a structure that died (in
 * GCBench a tree of 12 MB). docs/design/past-the-end.md has the figures. */
#define WALKED_LEAST 128
static bool walked(const struct kind *kind) { return !kind->fixed_size || kind->size > WALKED_LEAST; }

static void pin_address(struct tracer *tracer, uintptr_t address) {
  struct space *space = &tracer->core->space;
  uintptr_t cell = mdn_space_cell_at(space, address);
  if (cell) pin_cell(tracer, cell);
  if (cell && cell != address) return;
  uintptr_t before = mdn_space_cell_at(space, address - 1);
  if (before && (!cell || walked(&tracer->kinds[(uint16_t)space_page_entry(space, before)]))) pin_cell(tracer, before);
}

void mdn_tracer_pin_word(struct tracer *tracer, uintptr_t word) {
  /* One compare rejects most words: the range, with its end included for "just past". */
  if (word - tracer->base <= tracer->extent) pin_address(tracer, word);
  const struct reference_form *form = &tracer->form;
  if (form->high_mask && (word & form->high_mask) == form->high_match) {
    uintptr_t address = word & ~form->high_mask;
    if (address != word && address - tracer->base <= tracer->extent) pin_address(tracer, address);
  }
}

void mdn_tracer_pin_reference(struct tracer *tracer, uintptr_t word) {
  size_t offset;
  if (!reference_offset(&tracer->form, false, tracer->base, tracer->extent, word, &offset)) return;
  uintptr_t cell = mdn_space_cell_at(&tracer->core->space, tracer->base + offset);
  if (cell) pin_cell(tracer, cell);
}

__attribute__((no_sanitize("address"))) void mdn_tracer_pin_words(struct tracer *tracer, const midden_word *first,
                                                                  size_t count) {
  for (size_t i = 0; i < count; i++) mdn_tracer_pin_word(tracer, first[i]);
}

/* ---- the visitor: what roots and trace functions call ---- */

static void visit_edge(midden_visitor *visitor, midden_word *slot) {
  mark_word((struct tracer *)visitor, *slot, false);
}

static void visit_range(midden_visitor *visitor, midden_word *first, size_t count) {
  mark_words((struct tracer *)visitor, first, first + count, false);
}

static void visit_pinned(midden_visitor *visitor, uintptr_t word) {
  mdn_tracer_pin_reference((struct tracer *)visitor, word);
}

static void visit_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  mdn_tracer_pin_words((struct tracer *)visitor, first, count);
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
      .visitor = {visit_edge, visit_pinned, visit_range, visit_ambiguous},
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
    clear_marks(core);
  }
}

static void mark_remembered(struct core *core) {
  struct tracer *tracer = &core->tracer;
  for (size_t i = 0; i < core->remembered.count; i++) {
    remembered_each(core, core->remembered.cells[i], mark_slot_tagged, tracer, &tracer->visitor);
  }
  mdn_remembered_clear(core);
}

void mdn_tracer_mark_all(const struct collection *collection) {
  struct tracer *tracer = &collection->core->tracer;
  if (collection->minor) mark_remembered(collection->core);
  mdn_core_visit_ambiguous(collection, &tracer->visitor);
  mdn_core_visit_precise(collection->core, &tracer->visitor);
  mdn_tracer_drain(tracer);
}

void mdn_tracer_end(struct tracer *tracer) {
  CHECK(tracer->stack.depth == 0 && tracer->queued == 0 && !tracer->overflowed);
  if (tracer->stack.capacity > STACK_KEPT) stack_release(tracer);
}

void mdn_tracer_close(struct tracer *tracer) {
  if (tracer->core) stack_release(tracer);
}
