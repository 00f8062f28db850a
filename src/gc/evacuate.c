/* Evacuation: see evacuate.h. */
#include "gc/evacuate.h"

#include "base/assertion.h"
#include "midden/debug.h"

static void flag_spans(struct core *core, bool minor, bool on) {
  if (minor) {
    for (struct span *span = core->space.touched; span; span = span->next_touched) {
      if (span->central->movable) mdn_space_set_flag(&core->space, span, PAGE_EVACUATE, on);
    }
    return;
  }
  for (struct central *central = core->active; central; central = central->next_active) {
    if (!central->movable) continue;
    for (struct span *span = central->first; span; span = span->next) {
      mdn_space_set_flag(&core->space, span, PAGE_EVACUATE, on);
    }
  }
}

void mdn_evacuation_begin(struct core *core, bool minor) {
  core->no_room = false;
  core->fill_old_spans = minor;
  flag_spans(core, minor, true);
}

/* Gives the rest of a collector's run back. */
static void flush(struct core *core, struct central *central) {
  char *next = central->evacuation_next, *limit = central->evacuation_limit;
  if (next == limit) return;
  mdn_central_flush(&core->space, next, limit, false);
  central_count_allocated(&core->space, central, (size_t)(limit - next) / central->cell_size); /* see mdn_evacuation_refill */
}

void mdn_evacuation_end(struct core *core, bool minor) {
  for (struct central *central = core->active; central; central = central->next_active) {
    flush(core, central);
    central->evacuation_next = central->evacuation_limit = NULL;
    central->evacuation_spans = 0;
  }
  flag_spans(core, minor, false);
}

/* In a minor collection: a run in an old span's gap. Spans without one are not offered any more. */
static bool take_from_old_span(struct core *core, struct central *central, struct run *run) {
  struct space *space = &core->space;
  for (struct span *span = central->available; span; span = span->next_available) {
    if (space_page_entry(space, span->start) & PAGE_EVACUATE) continue;
    if (!mdn_span_take(space, span, SIZE_MAX, false, run)) continue;
    return true;
  }
  return false;
}

char *mdn_evacuation_refill(struct core *core, struct central *central) {
  if (core->no_room) return NULL;
  struct space *space = &core->space;
  struct run run;
  if (core->gaps_only) {
    if (!mdn_central_take_available(space, central, SIZE_MAX, &run)) return NULL;
  } else if (!core->fill_old_spans || !take_from_old_span(core, central, &run)) {
    /* In a full collection the spans copied from will go: the length follows from the copies' alone. */
    size_t spans = core->fill_old_spans ? central->span_count : central->evacuation_spans;
    struct span *span = mdn_central_grow(space, central, spans);
    if (!span) {
      core->no_room = true;
      return NULL;
    }
    central->evacuation_spans++;
    CHECK(mdn_span_take(space, span, SIZE_MAX, false, &run));
  }
  /* Copies are not allocations of the host's. */
  central_count_allocated(space, central, -run.cells);
  central->evacuation_next = run.start + central->cell_size;
  central->evacuation_limit = run.end;
  return run.start;
}

void mdn_evacuation_poison(uintptr_t cell, size_t size) {
  midden_word *words = (midden_word *)cell;
  for (size_t i = 1; i < size / sizeof *words; i++) words[i] = MIDDEN_POISON_EVACUATED;
}
