/* Ambiguous words: which cells they may mean; and pinning these. A part of the tracer: see tracer.h. */
#include "gc/ambiguous.h"
#include "gc/core.h"
#include "gc/tracer.h"

void mdn_tracer_pin_only(struct tracer *tracer, uintptr_t cell) {
  struct space *space = &tracer->core->space;
  size_t granule = space_granule(space, cell);
  if (!bitmap_test(space->pin_bits, granule)) {
    space_set_pin(space, granule);
    struct span *span = space_span_of(space, cell);
    if (span->pinned++ == 0) {
      span->next_pinned = tracer->core->pinned;
      tracer->core->pinned = span;
    }
    tracer->core->figures.objects_pinned++;
  }
}

void mdn_tracer_pin_cell(struct tracer *tracer, uintptr_t cell) {
  mdn_tracer_pin_only(tracer, cell);
  mdn_tracer_mark_cell(tracer, cell);
}

/* An ambiguous word means this cell. */
static inline void hit(struct tracer *tracer, uintptr_t cell) {
  if (tracer->pins_only) {
    mdn_tracer_pin_only(tracer, cell);
    tracer->core->phases.pinned = true; /* it may turn out to be dead */
    return;
  }
  mdn_tracer_pin_cell(tracer, cell);
  if (__builtin_expect(tracer->core->hits.count > 0, 0)) mdn_hits_tell(tracer->core, cell);
}

static void pin_address(struct tracer *tracer, uintptr_t address) {
  uintptr_t cells[AMBIGUOUS_CELLS];
  unsigned count = ambiguous_cells(&tracer->core->space, tracer->kinds, address, cells);
  for (unsigned i = 0; i < count; i++) hit(tracer, cells[i]);
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
  if (cell) mdn_tracer_pin_cell(tracer, cell);
}

/* For memcheck: a word of a stack may never have been written. What is computed from it, marks and so the addresses
 * that compaction assigns, must not count as unwritten too; the word itself stays what it is. */
static __attribute__((noinline)) void pin_copies(struct tracer *tracer, const midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) {
    midden_word word = first[i];
    mdn_checker_show(CHECKER_MEMCHECK, &word, sizeof word, true);
    mdn_tracer_pin_word(tracer, word);
  }
}

__attribute__((no_sanitize("address"))) void mdn_tracer_pin_words(struct tracer *tracer, const midden_word *first,
                                                                  size_t count) {
  if (__builtin_expect(tracer->core->space.pages.checker == CHECKER_MEMCHECK, 0)) {
    pin_copies(tracer, first, count);
    return;
  }
  for (size_t i = 0; i < count; i++) mdn_tracer_pin_word(tracer, first[i]);
}
