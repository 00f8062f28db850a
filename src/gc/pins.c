/* The host's pins: see pins.h. */
#include "gc/pins.h"

/* An entry counts scoped pins above bit 32 and the others below: neither can take the other's away. */
#define PIN_ONE UINT64_C(1)
#define PIN_SCOPED (UINT64_C(1) << 32)

static bool add_pin(struct core *core, uintptr_t cell, uint64_t one) {
  uint64_t *count = mdn_address_add(&core->pins, &core->arena, cell);
  if (!count) return false;
  *count += one;
  return true;
}

static void remove_pin(struct core *core, uintptr_t cell, uint64_t *count, uint64_t one) {
  *count -= one;
  if (*count == 0) mdn_address_remove(&core->pins, cell);
}

bool mdn_pins_add(struct core *core, uintptr_t cell) { return add_pin(core, cell, PIN_ONE); }

bool mdn_pins_remove(struct core *core, uintptr_t cell) {
  uint64_t *count = mdn_address_find(&core->pins, cell);
  if (!count || *count % PIN_SCOPED == 0) return false;
  remove_pin(core, cell, count, PIN_ONE);
  return true;
}

size_t mdn_pins_count(const struct core *core, uintptr_t cell) {
  const uint64_t *count = mdn_address_find(&core->pins, cell);
  return count ? (size_t)(*count / PIN_SCOPED + *count % PIN_SCOPED) : 0;
}

bool mdn_pins_add_scoped(struct core *core, struct scoped_pins *pins, uintptr_t cell) {
  void *cells = pins->cells;
  if (!mdn_arena_grow(&core->arena, &cells, &pins->capacity, pins->count + 1, sizeof(uintptr_t))) return false;
  pins->cells = cells;
  if (!add_pin(core, cell, PIN_SCOPED)) return false;
  pins->cells[pins->count++] = cell;
  return true;
}

void mdn_pins_close(struct core *core, struct scoped_pins *pins, size_t count) {
  while (pins->count > count) {
    uintptr_t cell = pins->cells[--pins->count];
    remove_pin(core, cell, mdn_address_find(&core->pins, cell), PIN_SCOPED);
  }
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
