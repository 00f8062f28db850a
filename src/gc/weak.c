/* Weak references and the end of tracing: see weak.h. */
#include "gc/weak.h"

#include "base/assertion.h"
#include "gc/core.h"

/* ---- the host's slots ---- */

static size_t weak_slot_hash(const void *slot, size_t capacity) {
  return (size_t)(((uintptr_t)slot >> 3) * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (capacity - 1);
}

/* The slot's entry, or the free one where it would go. pre: there is a free one. */
static struct weak_slot *find_weak_slot(const struct weak_slots *slots, const void *slot) {
  size_t index = weak_slot_hash(slot, slots->capacity);
  while (slots->entries[index].slot && slots->entries[index].slot != slot) index = (index + 1) & (slots->capacity - 1);
  return &slots->entries[index];
}

static bool grow_weak_slots(struct weak_slots *slots, struct arena *arena) {
  size_t capacity = slots->capacity ? 2 * slots->capacity : 16;
  struct weak_slots grown = {mdn_arena_allocate(arena, capacity * sizeof *slots->entries), slots->count, capacity};
  if (!grown.entries) return false;
  for (size_t i = 0; i < slots->capacity; i++) {
    if (slots->entries[i].slot) *find_weak_slot(&grown, slots->entries[i].slot) = slots->entries[i];
  }
  mdn_arena_free(arena, slots->entries, slots->capacity * sizeof *slots->entries);
  *slots = grown;
  return true;
}

midden_status mdn_weak_slots_add(struct weak_slots *slots, struct arena *arena, void *slot, midden_weak strength) {
  if (4 * (slots->count + 1) > 3 * slots->capacity && !grow_weak_slots(slots, arena)) return MIDDEN_NO_MEMORY;
  struct weak_slot *entry = find_weak_slot(slots, slot);
  slots->count += entry->slot == NULL;
  *entry = (struct weak_slot){slot, strength};
  return MIDDEN_OK;
}

midden_status mdn_weak_slots_remove(struct weak_slots *slots, const void *slot) {
  if (slots->capacity == 0) return MIDDEN_BAD_ARGUMENT;
  struct weak_slot *hole = find_weak_slot(slots, slot);
  if (!hole->slot) return MIDDEN_BAD_ARGUMENT;
  size_t mask = slots->capacity - 1, gap = (size_t)(hole - slots->entries);
  /* Entries behind the gap move into it, unless that would put them before their own place. */
  for (size_t i = (gap + 1) & mask; slots->entries[i].slot; i = (i + 1) & mask) {
    size_t home = weak_slot_hash(slots->entries[i].slot, slots->capacity);
    if (((i - home) & mask) < ((i - gap) & mask)) continue;
    slots->entries[gap] = slots->entries[i];
    gap = i;
  }
  slots->entries[gap].slot = NULL;
  slots->count--;
  return MIDDEN_OK;
}

bool mdn_weak_slots_has(const struct weak_slots *slots, const void *slot) {
  return slots->capacity && find_weak_slot(slots, slot)->slot == slot;
}

void mdn_weak_slots_visit(const struct weak_slots *slots, midden_visitor *visitor) {
  for (size_t i = 0; i < slots->capacity; i++) {
    const struct weak_slot *entry = &slots->entries[i];
    if (entry->slot) visitor->weak(visitor, entry->slot, NULL, entry->strength);
  }
}

/* ---- notes ---- */

void mdn_weak_note(struct core *core, midden_visitor *visitor, midden_word *slot, midden_word *companion,
                   midden_weak strength) {
  const struct space *space = &core->space;
  uintptr_t cell = weak_cell(&core->form, space, *slot);
  if (!cell) return;
  struct table *notes = &core->weak.notes[strength == MIDDEN_WEAK_LONG];
  bool live = weak_live(space, cell);
  if (!live && table_grow(notes, space->memory, notes->count + 1, sizeof(struct weak_note))) {
    ((struct weak_note *)notes->items)[notes->count++] = (struct weak_note){slot, companion};
    return;
  }
  core->figures.weak_kept += !live;
  visitor->edge(visitor, slot); /* rewrites it, if its object was copied */
}

/* Clears the noted slots of what is not alive, and rewrites the others. */
static void settle_notes(struct core *core, midden_weak strength) {
  struct weak *weak = &core->weak;
  struct table *notes = &weak->notes[strength];
  for (size_t i = 0; i < notes->count; i++) {
    const struct weak_note *note = &((const struct weak_note *)notes->items)[i];
    uintptr_t cell = weak_cell(&core->form, &core->space, *note->slot);
    if (!cell) continue; /* cleared with its companion, or noted twice */
    if (weak_live(&core->space, cell)) {
      *note->slot += weak_now(&core->space, cell) - cell;
      continue;
    }
    *note->slot = weak->cleared;
    if (note->companion) *note->companion = weak->cleared;
    core->figures.weak_cleared++;
  }
  notes->count = 0;
}

/* ---- the end of tracing ---- */

void mdn_weak_process(struct core *core, bool minor, midden_visitor *visitor, void (*drain)(struct core *core)) {
  struct weak *weak = &core->weak;
  weak->visitor = visitor;
  weak->drain = drain;
  step_begin(&core->steps, STEP_TRACE);
  mdn_ephemerons_settle(core);
  step_begin(&core->steps, STEP_LIVENESS);
  mdn_phases_run(core, MIDDEN_MARKING_ENDS);
  settle_notes(core, MIDDEN_WEAK_SHORT);
  mdn_finalizers_process(core, minor);
  settle_notes(core, MIDDEN_WEAK_SHORT); /* those in what was resurrected */
  settle_notes(core, MIDDEN_WEAK_LONG);
  mdn_ephemerons_clear(core);
  for (size_t i = 0; i < 2; i++) mdn_table_clear(&weak->notes[i], core->space.memory);
  mdn_side_update(core, minor);
  mdn_phases_run(core, MIDDEN_SWEEPING_BEGINS);
}

void mdn_weak_close(struct core *core) {
  if (!core->space.memory) return; /* the space was never opened */
  for (size_t i = 0; i < 2; i++) mdn_table_close(&core->weak.notes[i], core->space.memory);
}
