/* Fixing references through the visitor: see fix.h. */
#include "gc/fix.h"

#include "base/assertion.h"

static void add(struct fixer *fixer, midden_word *slot) {
  size_t offset;
  const struct core *core = fixer->core;
  uintptr_t word = *slot;
  if (!reference_offset(&core->form, false, core->space.base, core->space.extent, word, &offset)) return;
  if (fixer->counting) {
    fixer->count++;
    return;
  }
  uintptr_t moved = fix_word(core, false, word, fixer->forward);
  if (moved == word) return;
  /* There is room for all roots that were counted before; a scanner that visits more has no claim to care. */
  if (!fixer->roots || fixer->count == fixer->capacity) {
    *slot = moved;
    return;
  }
  fixer->fixes[fixer->count++] = (struct fix){slot, moved};
}

static void fix_edge(midden_visitor *visitor, midden_word *slot) { add((struct fixer *)visitor, slot); }

static void fix_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) add((struct fixer *)visitor, first + i);
}

/* What these name is pinned and has not moved. */
static void fix_pinned(midden_visitor *visitor, uintptr_t word) { (void)visitor, (void)word; }
static void fix_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count;
}

/* Weak slots hold live objects now, or were cleared. */
static void fix_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  (void)companion, (void)strength;
  add((struct fixer *)visitor, slot);
}
static void fix_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  add((struct fixer *)visitor, key);
  add((struct fixer *)visitor, value);
}

/* Everything outside objects that is rewritten. */
static void visit_outside(struct fixer *fixer) {
  mdn_core_visit_precise(fixer->core, &fixer->visitor);
  mdn_core_visit_others(fixer->core, &fixer->visitor);
  mdn_phases_visit_held(&fixer->core->phases, &fixer->visitor);
}

bool mdn_fixer_open(struct fixer *fixer, struct core *core, forward_function forward) {
  *fixer = (struct fixer){
      .visitor = {fix_edge, fix_pinned, fix_range, fix_ambiguous, fix_weak, fix_ephemeron},
      .core = core,
      .forward = forward,
      .counting = true};
  visit_outside(fixer);
  void *fixes = NULL;
  size_t roots = fixer->count;
  fixer->count = 0;
  fixer->counting = false;
  bool made = mdn_arena_grow(&core->arena, &fixes, &fixer->capacity, size_maximum(roots, 1), sizeof(struct fix));
  fixer->fixes = fixes;
  return made;
}

void mdn_fixer_close(struct fixer *fixer) {
  CHECK(fixer->count == 0);
  mdn_arena_free(&fixer->core->arena, fixer->fixes, fixer->capacity * sizeof(struct fix));
}

static void fix_any_slot(void *context, midden_word *slot) {
  const struct fixer *fixer = context;
  fix_slot(fixer->core, false, slot, fixer->forward);
}

void mdn_fixer_fix_object(struct fixer *fixer, const struct kind *kind, uintptr_t cell, size_t size) {
  layout_each(kind, cell, size, fix_any_slot, fixer, &fixer->visitor);
}

void mdn_fixer_fix_roots(struct fixer *fixer) {
  fixer->roots = true;
  visit_outside(fixer);
  for (size_t i = 0; i < fixer->count; i++) *fixer->fixes[i].slot = fixer->fixes[i].word;
  fixer->count = 0;
  fixer->roots = false;
  mdn_side_move(fixer->core, fixer->forward);
}
