/* copying: evacuates the cells of all movable spans into fresh ones, and frees the old spans whole.
 *
 * Ambiguous roots are visited first: what they hit is marked in place, keeps its cell, and its span is
 * filled around it afterwards (mostly-copying collection: Bartlett 1988, with cells for pages). Then one
 * pass copies what precise references reach (scavenge.c). When the limit leaves no room for copies, the rest
 * is marked in place in that collection.
 *
 * If some kind's objects pin others while they are traced, pins are complete only after marking: then the
 * heap is marked first, the unpinned marked cells are evacuated, and all references are fixed. */
#include "gc/collector.h"
#include "gc/evacuate.h"
#include "gc/fix.h"
#include "gc/free_hooks.h"
#include "gc/layout.h"
#include "gc/scavenge.h"
#include "gc/sweep.h"
#include "midden/debug.h"

/* ---- mark first, then evacuate, then fix ---- */

static uintptr_t copied_address(const struct core *core, uintptr_t cell) {
  if (!evacuated(&core->space, cell)) return cell;
  return forwarding_address(cell);
}

static void evacuate_cell(void *context, struct span *span, uintptr_t cell) {
  struct core *core = context;
  size_t granule = space_granule(&core->space, cell);
  if (span->pinned && bitmap_test(core->space.pin_bits, granule)) return;
  if (evacuate(core, space_page_entry(&core->space, cell), cell)) {
    bitmap_clear(core->space.mark_bits, granule);
  } else {
    core->figures.marked_in_place++;
  }
}

static void fix_copied_cell(void *context, struct span *span, uintptr_t cell) {
  struct fixer *fixer = context;
  fix_object(fixer, &fixer->core->kinds.kinds[span->kind], cell, span->cell_size, false, copied_address);
}

static void evacuate_marked(const struct collection *collection) {
  struct core *core = collection->core;
  struct space *space = &core->space;
  struct fixer fixer;
  mdn_tracer_mark_all(collection);
  if (collection->minor) return; /* marks do not tell old from young any more: what is young stays in place */
  step_begin(&core->steps, STEP_MOVE);
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
    mdn_scavenge(collection);
  }
  mdn_evacuation_end(core, collection->minor);
  mdn_tracer_end(&core->tracer);
  mdn_free_dead(core, collection->minor);
  mdn_sweep(core, MIDDEN_POISON_SWEPT, collection->minor);
}

const struct collector mdn_collector_copying = {
    .name = "copying",
    .summary = "copies what lives into fresh spans; pinned objects stay",
    .capabilities = COLLECTOR_COLLECTS | COLLECTOR_MOVES | COLLECTOR_NEEDS_ROOM,
    .collect = copy_collect,
    .last_resort = "mark-compact", /* needs no room */
};
