/* The host's phase functions, and what they may call: see phases.h. */
#include "gc/phases.h"

#include <string.h>

#include "gc/core.h"

midden_status mdn_phases_add(struct phases *phases, struct arena *arena, struct phase_hook hook) {
  void *hooks = phases->hooks;
  if (!mdn_arena_grow(arena, &hooks, &phases->capacity, phases->count + 1, sizeof hook)) return MIDDEN_NO_MEMORY;
  phases->hooks = hooks;
  phases->hooks[phases->count++] = hook;
  return MIDDEN_OK;
}

midden_status mdn_phases_remove(struct phases *phases, midden_phase_function function, const void *context) {
  for (size_t i = phases->count; i-- > 0;) {
    if (phases->hooks[i].function != function || phases->hooks[i].context != context) continue;
    phases->count--;
    memmove(&phases->hooks[i], &phases->hooks[i + 1], (phases->count - i) * sizeof *phases->hooks);
    return MIDDEN_OK;
  }
  return MIDDEN_BAD_ARGUMENT;
}

static uint32_t keep_pins_of_the_marked(const struct space *space, struct span *span) {
  uint64_t *pins = span_bits(space, span, space->pin_bits);
  const uint64_t *marks = span_bits(space, span, space->mark_bits);
  uint32_t count = 0;
  for (size_t word = 0; word < span_words(span); word++) {
    pins[word] &= marks[word];
    count += bits_count(pins[word]);
  }
  return count;
}

/* A pin on what is dead would make it a live cell that nobody traced. It does not count either, and a span without other
 * pins is none that pins keep: it may be given back. */
static void drop_pins_of_the_dead(struct core *core) {
  struct span **link = &core->pinned;
  while (*link) {
    struct span *span = *link;
    uint32_t pinned = keep_pins_of_the_marked(&core->space, span);
    core->figures.objects_pinned -= span->pinned - pinned;
    span->pinned = pinned;
    if (pinned) {
      link = &span->next_pinned;
    } else {
      *link = span->next_pinned;
    }
  }
  core->phases.pinned = false;
}

void mdn_phases_begin(struct core *core) { mdn_table_clear(&core->phases.held, core->space.memory); }

void mdn_phases_run(struct core *core, midden_phase phase) {
  struct phases *phases = &core->phases;
  if (phase == MIDDEN_SWEEPING_BEGINS && phases->pinned) drop_pins_of_the_dead(core);
  for (size_t i = 0; i < phases->count; i++) {
    midden_marking marking = {core, phase, phases->hooks[i].pins, false};
    phases->hooks[i].function(&marking, phase, phases->hooks[i].context);
  }
}

void mdn_phases_visit_held(const struct phases *phases, midden_visitor *visitor) {
  for (size_t i = 0; i < phases->held.count; i++) visitor->edge(visitor, ((midden_word **)phases->held.items)[i]);
}

void mdn_phases_close(struct core *core) {
  if (core->space.memory) mdn_table_close(&core->phases.held, core->space.memory);
}

bool midden_marking_is_minor(const midden_marking *marking) { return marking->core->minor; }

bool midden_marking_is_marked(const midden_marking *marking, uintptr_t reference) {
  const struct core *core = marking->core;
  uintptr_t cell = weak_cell(&core->form, &core->space, reference);
  return !cell || weak_live(&core->space, cell);
}

/* Has what was marked traced; from inside tracing, that comes by itself. */
static void trace_marked(const midden_marking *marking) {
  if (!marking->tracing) mdn_ephemerons_settle(marking->core);
}

midden_status midden_marking_mark(midden_marking *marking, void *slot) {
  struct core *core = marking->core;
  if (marking->phase != MIDDEN_MARKING_ENDS) return MIDDEN_MISUSE;
  struct table *held = &core->phases.held;
  if (!core->scavenger) { /* scavenging rewrites it at once; others may move what it refers to later */
    if (table_grow(held, core->space.memory, held->count + 1, sizeof(midden_word *))) {
      ((midden_word **)held->items)[held->count++] = slot;
    } else {
      mdn_tracer_pin_reference(&core->tracer, *(midden_word *)slot);
    }
  }
  if (marking->tracing) { /* in place: what is moved later is fixed by `held` */
    uintptr_t cell = weak_cell(&core->form, &core->space, *(midden_word *)slot);
    if (cell) mdn_tracer_mark_cell(&core->tracer, cell);
  } else {
    mdn_ephemerons_keep(core, slot);
  }
  trace_marked(marking);
  return MIDDEN_OK;
}

midden_status midden_marking_pin(midden_marking *marking, uintptr_t reference) {
  struct core *core = marking->core;
  if (marking->phase != MIDDEN_MARKING_ENDS || !marking->pins) return MIDDEN_MISUSE;
  uintptr_t cell = weak_cell(&core->form, &core->space, reference);
  if (!cell) return MIDDEN_OK;
  mdn_hits_pin(core, cell);
  core->phases.pinned = true;
  return MIDDEN_OK;
}

midden_status midden_marking_keep(midden_marking *marking, uintptr_t reference) {
  struct core *core = marking->core;
  if (marking->phase != MIDDEN_MARKING_ENDS || !marking->pins) return MIDDEN_MISUSE;
  uintptr_t cell = weak_cell(&core->form, &core->space, reference);
  if (!cell) return MIDDEN_OK;
  mdn_tracer_pin_cell(&core->tracer, cell);
  trace_marked(marking);
  return MIDDEN_OK;
}
