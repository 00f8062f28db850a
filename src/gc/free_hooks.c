/* on_free: see free_hooks.h. */
#include "gc/free_hooks.h"

/* Calls it for the cells that are allocated, and not marked or not looked at for marks. */
static void free_cells(struct core *core, const struct span *span, bool all) {
  const struct kind *kind = &core->kinds.kinds[span->kind];
  const uint64_t *alloc = span_bits(&core->space, span, core->space.alloc_bits);
  const uint64_t *mark = span_bits(&core->space, span, core->space.mark_bits);
  for (size_t word = 0; word < span_words(span); word++) {
    for (uint64_t rest = alloc[word] & (all ? ~UINT64_C(0) : ~mark[word]); rest; rest &= rest - 1) {
      size_t offset = span_is_large(span) ? 0 : span_cell_offset(span, (word << 6) + bits_lowest(rest));
      kind->on_free((void *)(span->start + offset), span->cell_size, kind->on_free_context);
      core->figures.on_free_calls++;
    }
  }
}

static void free_in_all_spans(struct core *core, bool all) {
  for (struct central *central = core->active; central; central = central->next_active) {
    if (!core->kinds.kinds[central->kind].on_free) continue;
    for (struct span *span = central->first; span; span = span->next) free_cells(core, span, all);
  }
}

void mdn_free_dead(struct core *core, bool minor) {
  if (!core->kinds.frees) return;
  step_begin(&core->steps, STEP_FREE);
  if (!minor) {
    free_in_all_spans(core, false);
    return;
  }
  for (struct span *span = core->space.touched; span; span = span->next_touched) {
    if (core->kinds.kinds[span->kind].on_free) free_cells(core, span, false);
  }
}

void mdn_free_all(struct core *core) {
  if (core->kinds.frees) free_in_all_spans(core, true);
}
