/* The core: roots of all mutators, and flushing their runs. */
#include "gc/core.h"

void mdn_core_visit_ambiguous(const struct collection *collection, midden_visitor *visitor) {
  struct core *core = collection->core;
  mdn_registry_visit_ambiguous(&core->registry, visitor);
  if (!core->conservative) return;
  core->tracer.pins_only = core->stacks_pin_only;
  for (struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    mdn_stacks_visit(&mutator->stacks, collection->stack_pointer, collection->registers, collection->register_count,
                     visitor);
  }
  core->tracer.pins_only = false;
}

void mdn_core_visit_precise(struct core *core, midden_visitor *visitor) {
  mdn_registry_visit_precise(&core->registry, visitor);
  mdn_weak_slots_visit(&core->weak.registered, visitor);
  mdn_finalizers_visit_queue(&core->finalizers, visitor);
  for (struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    mdn_frames_visit(mutator->face.frames, visitor);
    mdn_stacks_visit_frames(&mutator->stacks, visitor);
    mdn_handles_visit(&mutator->handles, visitor);
  }
}

void mdn_core_visit_others(struct core *core, midden_visitor *visitor) {
  mdn_finalizers_visit_registered(&core->finalizers, visitor);
}

/* Gives the rest of one run back. post: its bytes. */
static size_t flush_run(struct mutator *mutator, const struct central *central) {
  midden_cursor *cursor = &mutator->face.cursors[central->cursor];
  size_t bytes = (size_t)(cursor->limit - cursor->next);
  mdn_central_flush(&mutator->core->space, cursor->next, cursor->limit, central->zero);
  *cursor = (midden_cursor){NULL, NULL};
  return bytes;
}

size_t mdn_core_flush(struct core *core) {
  size_t bytes = 0;
  for (struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    struct held_runs *runs = &mutator->runs;
    for (unsigned i = 0; i < runs->count; i++) bytes += flush_run(mutator, runs->lists[i]);
    runs->count = runs->oldest = 0;
  }
  return bytes;
}

size_t mdn_core_hold_run(struct mutator *mutator, struct central *central) {
  struct held_runs *runs = &mutator->runs;
  if (runs->count < RUNS_HELD_MOST) {
    runs->lists[runs->count++] = central;
    return 0;
  }
  size_t bytes = flush_run(mutator, runs->lists[runs->oldest]);
  runs->lists[runs->oldest] = central;
  runs->oldest = (runs->oldest + 1) % RUNS_HELD_MOST;
  return bytes;
}

struct resting mdn_core_resting(const struct core *core) {
  struct resting resting = {0, 0, 0};
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    for (unsigned i = 0; i < mutator->runs.count; i++) {
      const struct central *central = mutator->runs.lists[i];
      const midden_cursor *cursor = &mutator->face.cursors[central->cursor];
      size_t bytes = (size_t)(cursor->limit - cursor->next), cells = bytes / central->cell_size;
      resting.cells += cells;
      resting.bytes += bytes;
      resting.requested_bytes += cells * central->object_size;
    }
  }
  return resting;
}
