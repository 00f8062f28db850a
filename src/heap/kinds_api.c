/* Defining kinds, and asking about objects. */
#include "alloc/watch.h"
#include "base/assertion.h"
#include "base/error.h"
#include "heap/heap.h"

static const midden_kind NO_KIND = {0, 0, 1};

/* The cell size that inlined allocation goes by. One that no run has room for makes each allocation take the slow path:
 * those of large objects, and those that register a finalizer. */
static uint32_t inlined_cell_size(const struct kind *kind) {
  if (kind->finalizer) return MIDDEN_VARIABLE_SIZE - 1;
  if (!kind->fixed_size) return MIDDEN_VARIABLE_SIZE;
  return kind->first_class == SIZE_CLASS_LARGE ? MIDDEN_VARIABLE_SIZE - 1 : midden_class_size[kind->first_class];
}

midden_kind midden_kind_define(midden_heap *heap, const midden_shape *shape, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    mdn_error(error, MIDDEN_MISUSE, "midden_kind_define: not an open heap of this thread, or inside a collection");
    return NO_KIND;
  }
  if (mdn_shape_check(shape, error) != MIDDEN_OK) return NO_KIND;
  struct kind_table *table = &heap->core.kinds;
  /* Every mutator must be able to have the new cursors; what is made usable too early does no harm. */
  size_t cursors = size_minimum(table->cursor_count + 1 + SIZE_CLASS_CURSORS, CURSOR_CAPACITY);
  for (struct mutator *mutator = heap->core.mutators; mutator; mutator = mutator->next) {
    if (!mdn_mutator_commit(mutator, &heap->memory, cursors)) {
      mdn_error(error, MIDDEN_NO_MEMORY, "kind %s: the system refused memory for its cursors", shape->name);
      return NO_KIND;
    }
  }
  uint16_t id = mdn_kinds_add(table, &heap->core.arena, shape, error);
  if (id == 0) return NO_KIND;
  const struct kind *kind = &table->kinds[id];
  return (midden_kind){id, kind->cursor, inlined_cell_size(kind)};
}

const char *midden_kind_name(const midden_heap *heap, uint16_t kind_id) {
  const struct kind_table *table = &heap->core.kinds;
  return kind_id > 0 && kind_id < table->count ? table->kinds[kind_id].name : NULL;
}

void *midden_object_at(midden_heap *heap, const void *address) {
  if (heap_enter(heap) != MIDDEN_OK) return NULL;
  const struct core *core = &heap->core;
  uintptr_t cell = mdn_space_cell_at(&core->space, (uintptr_t)address);
  if (!cell) return NULL;
  const struct central *central = space_span_of(&core->space, cell)->central;
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    const midden_cursor *cursor = &mutator->face.cursors[central->cursor];
    if (cell >= (uintptr_t)cursor->next && cell < (uintptr_t)cursor->limit) return NULL; /* not handed out yet */
  }
  return (void *)cell;
}

size_t midden_size_of(const midden_heap *heap, const void *object) {
  const struct core *core = &heap->core;
  if (space_is_watched(&core->space) && !heap->collecting) mdn_watch_cell_extended(&core->space, (uintptr_t)object);
  return core_cell_size(core, space_page_entry(&core->space, (uintptr_t)object));
}

uint16_t midden_kind_of(const midden_heap *heap, const void *object) {
  return (uint16_t)space_page_entry(&heap->core.space, (uintptr_t)object);
}
