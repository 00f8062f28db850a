/* The host's pins: see pins.h. */
#include "gc/pins.h"

bool mdn_pins_add(struct core *core, uintptr_t cell) {
  uint64_t *count = mdn_address_add(&core->pins, &core->arena, cell);
  if (!count) return false;
  ++*count;
  return true;
}

bool mdn_pins_remove(struct core *core, uintptr_t cell) {
  uint64_t *count = mdn_address_find(&core->pins, cell);
  if (!count) return false;
  if (--*count == 0) mdn_address_remove(&core->pins, cell);
  return true;
}

bool mdn_pins_add_scoped(struct core *core, struct scoped_pins *pins, uintptr_t cell) {
  void *cells = pins->cells;
  if (!mdn_arena_grow(&core->arena, &cells, &pins->capacity, pins->count + 1, sizeof(uintptr_t))) return false;
  pins->cells = cells;
  if (!mdn_pins_add(core, cell)) return false;
  pins->cells[pins->count++] = cell;
  return true;
}

void mdn_pins_close(struct core *core, struct scoped_pins *pins, size_t count) {
  while (pins->count > count) mdn_pins_remove(core, pins->cells[--pins->count]);
}

void mdn_pins_release(struct core *core, struct scoped_pins *pins) {
  mdn_pins_close(core, pins, 0);
  mdn_arena_free(&core->arena, pins->cells, pins->capacity * sizeof(uintptr_t));
  *pins = (struct scoped_pins){NULL, 0, 0};
}

void mdn_pins_mark(struct core *core) {
  const struct address_table *table = &core->pins;
  if (table->count == 0) return;
  for (size_t i = 0; i < table->capacity; i++) {
    if (table->entries[i].address) mdn_tracer_pin_cell(&core->tracer, table->entries[i].address);
  }
}
