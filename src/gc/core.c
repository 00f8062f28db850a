/* The core: roots of all mutators, and flushing their runs. */
#include "gc/core.h"

void mdn_core_visit_ambiguous(const struct collection *collection, midden_visitor *visitor) {
  struct core *core = collection->core;
  mdn_registry_visit_ambiguous(&core->registry, visitor);
  if (!core->conservative) return;
  for (struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    mdn_stacks_visit(&mutator->stacks, collection->stack_pointer, collection->registers, collection->register_count,
                     visitor);
  }
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

size_t mdn_core_flush(struct core *core) {
  size_t bytes = 0;
  for (struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    for (struct central *central = core->active; central; central = central->next_active) {
      if (central->size_class == SIZE_CLASS_LARGE) continue;
      midden_cursor *cursor = &mutator->face.cursors[central->cursor];
      bytes += (size_t)(cursor->limit - cursor->next);
      mdn_central_flush(&core->space, cursor->next, cursor->limit, central->zero);
      *cursor = (midden_cursor){NULL, NULL};
    }
  }
  return bytes;
}
