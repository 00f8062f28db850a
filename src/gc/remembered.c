/* The remembered set: see remembered.h. */
#include "gc/remembered.h"

/* Puts an object on the list. post: false if the list cannot grow: the next collection must be a full one. */
static bool list_object(struct core *core, uintptr_t object) {
  struct table *cells = &core->remembered.cells;
  if (!table_grow(cells, core->space.memory, cells->count + 1, sizeof object)) {
    core->remembered.overflowed = true;
    return false;
  }
  ((uintptr_t *)cells->items)[cells->count++] = object;
  core->figures.objects_remembered++;
  return true;
}

static void remember_large(struct core *core, uintptr_t object, uintptr_t first, size_t bytes) {
  uint64_t *words = core->space.mark_bits + (space_granule(&core->space, object) >> 6);
  if (!(words[0] & LARGE_LISTED)) {
    if (!list_object(core, object)) return;
    words[0] |= LARGE_LISTED;
  }
  size_t low = (first - object) / CARD_BYTES, high = (first + bytes - 1 - object) / CARD_BYTES;
  for (size_t card = low; card <= high; card++) words[card] |= CARD_DIRTY;
}

void mdn_remember(struct core *core, uintptr_t object, uintptr_t first, size_t bytes) {
  struct space *space = &core->space;
  uint64_t entry = space_page_entry(space, object);
  if (entry & PAGE_LEAF) return;
  if (entry & PAGE_LARGE) {
    remember_large(core, object, first, bytes);
    return;
  }
  bitmap_clear(space->mark_bits, space_granule(space, object));
  list_object(core, object);
}

void mdn_remembered_restore(struct core *core) {
  for (size_t i = 0; i < core->remembered.cells.count; i++) {
    bitmap_set(core->space.mark_bits, space_granule(&core->space, remembered_cell(core, i)));
  }
}

void mdn_remembered_clear(struct core *core) {
  struct space *space = &core->space;
  for (size_t i = 0; i < core->remembered.cells.count; i++) {
    uintptr_t cell = remembered_cell(core, i);
    uint64_t entry = space_page_entry(space, cell);
    if (!(entry & PAGE_LARGE)) continue;
    uint64_t *words = space->mark_bits + (space_granule(space, cell) >> 6);
    size_t cards = space_entry_span(space, entry)->cell_size / CARD_BYTES;
    words[0] &= ~LARGE_LISTED;
    for (size_t card = 0; card < cards; card++) words[card] &= ~CARD_DIRTY;
  }
  core->remembered.cells.count = 0;
  core->remembered.overflowed = false;
}

void mdn_remembered_trim(struct core *core) {
  if (core->remembered.cells.count == 0) mdn_table_clear(&core->remembered.cells, core->space.memory);
}

void mdn_remembered_close(struct core *core) {
  if (core->space.memory) mdn_table_close(&core->remembered.cells, core->space.memory);
}
