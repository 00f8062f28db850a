/* What ambiguous words hit, and the host's functions for it: see hits.h. */
#include "gc/hits.h"

#include <string.h>

#include "gc/core.h"

midden_status mdn_hits_add(struct hits *hits, struct arena *arena, struct hit_hook hook) {
  void *hooks = hits->hooks;
  if (!mdn_arena_grow(arena, &hooks, &hits->capacity, hits->count + 1, sizeof hook)) return MIDDEN_NO_MEMORY;
  hits->hooks = hooks;
  hits->hooks[hits->count++] = hook;
  return MIDDEN_OK;
}

midden_status mdn_hits_remove(struct hits *hits, midden_hit_function function, const void *context) {
  for (size_t i = hits->count; i-- > 0;) {
    if (hits->hooks[i].function != function || hits->hooks[i].context != context) continue;
    hits->count--;
    memmove(&hits->hooks[i], &hits->hooks[i + 1], (hits->count - i) * sizeof *hits->hooks);
    return MIDDEN_OK;
  }
  return MIDDEN_BAD_ARGUMENT;
}

void mdn_hits_begin(struct hits *hits) { mdn_address_clear(&hits->seen); }

void mdn_hits_tell(struct core *core, uintptr_t cell) {
  struct hits *hits = &core->hits;
  uint64_t *seen = mdn_address_add(&hits->seen, &core->arena, cell);
  if (seen && (*seen)++) return; /* without memory to know, it is told of again */
  uint16_t kind = (uint16_t)space_page_entry(&core->space, cell);
  struct midden_marking marking = {core, MIDDEN_MARKING_ENDS, true, true};
  for (size_t i = 0; i < hits->count; i++) {
    hits->hooks[i].function(&marking, (void *)cell, kind, hits->hooks[i].context);
  }
}

void mdn_hits_pin(struct core *core, uintptr_t cell) {
  struct space *space = &core->space;
  mdn_tracer_pin_only(&core->tracer, cell);
  if (!core->scavenger || !(space_page_entry(space, cell) & PAGE_EVACUATE)) return;
  mdn_space_set_flag(space, space_span_of(space, cell), PAGE_EVACUATE, false);
}
