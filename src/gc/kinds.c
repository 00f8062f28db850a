/* Kinds: checking shapes, and the table. */
#include "gc/kinds.h"

#include <string.h>

#include "base/error.h"

/* Layouts of which .size is the fixed part. */
static bool has_fixed_part(const midden_shape *shape) {
  return shape->refs == MIDDEN_REFS_ELEMENTS || shape->refs == MIDDEN_REFS_WEAK || shape->refs == MIDDEN_REFS_PAIRS;
}

static midden_status check_weak(const midden_shape *shape, midden_error *error) {
  if (shape->refs != MIDDEN_REFS_WEAK && shape->refs != MIDDEN_REFS_PAIRS && (shape->weak_bitmap || shape->weak)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT,
                     "kind %s: weak and weak_bitmap are for MIDDEN_REFS_WEAK and MIDDEN_REFS_PAIRS only", shape->name);
  }
  if (shape->refs != MIDDEN_REFS_PAIRS && shape->pairs) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: pairs is for MIDDEN_REFS_PAIRS only", shape->name);
  }
  if ((unsigned)shape->weak > MIDDEN_WEAK_LONG || (unsigned)shape->pairs > MIDDEN_PAIRS_WEAK_BOTH) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: weak is %u and pairs is %u, and one of them is no such thing",
                     shape->name, (unsigned)shape->weak, (unsigned)shape->pairs);
  }
  if (shape->bitmap & shape->weak_bitmap) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: a word is both in bitmap and in weak_bitmap", shape->name);
  }
  return MIDDEN_OK;
}

static midden_status check_elements(const midden_shape *shape, midden_error *error) {
  if (shape->refs != MIDDEN_REFS_ELEMENTS && shape->element_size != 0) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: element_size is for MIDDEN_REFS_ELEMENTS only", shape->name);
  }
  if (!has_fixed_part(shape)) return MIDDEN_OK;
  if (shape->refs != MIDDEN_REFS_ELEMENTS) {
    /* their elements are words, or pairs of words */
  } else if (shape->element_size % 8 != 0 || shape->element_size < 8 || shape->element_size > 512) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: element_size is %zu; it must be a multiple of 8, 8 to 512",
                     shape->name, shape->element_size);
  }
  if (shape->size % 8 != 0 || shape->size > SIZE_CLASS_LARGEST) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT,
                     "kind %s: the fixed part is %zu bytes; it must be a multiple of 8, at most 32768", shape->name,
                     shape->size);
  }
  return MIDDEN_OK;
}

midden_status mdn_shape_check(const midden_shape *shape, midden_error *error) {
  if (!shape || !shape->name || !*shape->name) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "a kind needs a shape with a name");
  }
  if ((unsigned)shape->refs > MIDDEN_REFS_PAIRS) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: refs is %u, which is no layout", shape->name,
                     (unsigned)shape->refs);
  }
  if ((shape->refs == MIDDEN_REFS_TRACE) != (shape->trace != NULL)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: MIDDEN_REFS_TRACE and a trace function go together",
                     shape->name);
  }
  if (shape->alignment != 0 && shape->alignment != 8 && shape->alignment != 16) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: alignment is %zu; it must be 0, 8 or 16", shape->name,
                     shape->alignment);
  }
  if (shape->flags & ~(unsigned)(MIDDEN_KIND_PINNED | MIDDEN_KIND_UNZEROED | MIDDEN_KIND_TRACE_PINS |
                                  MIDDEN_KIND_FINALIZER_ORDERED)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: flags has bits that mean nothing: %#x", shape->name,
                     shape->flags);
  }
  if ((shape->flags & MIDDEN_KIND_UNZEROED) && shape->refs != MIDDEN_REFS_NONE) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: MIDDEN_KIND_UNZEROED is for MIDDEN_REFS_NONE only",
                     shape->name);
  }
  if ((shape->flags & MIDDEN_KIND_TRACE_PINS) && shape->refs != MIDDEN_REFS_TRACE) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: MIDDEN_KIND_TRACE_PINS is for MIDDEN_REFS_TRACE only",
                     shape->name);
  }
  if ((shape->flags & MIDDEN_KIND_FINALIZER_ORDERED) && !shape->finalizer) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: MIDDEN_KIND_FINALIZER_ORDERED needs a finalizer", shape->name);
  }
  if (shape->size > SIZE_MAX / 2) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "kind %s: size %zu is more than any heap holds", shape->name,
                     shape->size);
  }
  midden_status status = check_weak(shape, error);
  return status == MIDDEN_OK ? check_elements(shape, error) : status;
}

static uint64_t cut_bitmap(uint64_t bitmap, size_t bytes) {
  size_t words = bytes / 8;
  return words >= 64 ? bitmap : bitmap & bits_below(words);
}

/* The list of one class. For large objects and in kinds of fixed size see the caller. */
static void describe_central(struct central *central, const struct kind *kind, unsigned size_class, size_t index) {
  bool large = size_class == SIZE_CLASS_LARGE;
  *central = (struct central){
      .cell_size = large ? 0 : midden_class_size[size_class],
      .object_size = (uint32_t)(kind->size <= UINT32_MAX ? kind->size : 0),
      .cursor = (uint32_t)(kind->cursor + index),
      .kind = kind->id,
      .size_class = (uint8_t)size_class,
      .movable = kind->movable && !large,
      .zero = !(kind->flags & MIDDEN_KIND_UNZEROED),
      .map_flags = kind->layout == MIDDEN_REFS_NONE ? PAGE_LEAF : 0,
  };
}

static struct kind describe(const midden_shape *shape, uint16_t id, uint16_t cursor) {
  bool elements = has_fixed_part(shape);
  struct kind kind = {
      .layout = (uint8_t)shape->refs,
      .movable = !(shape->flags & MIDDEN_KIND_PINNED),
      .fixed_size = shape->size > 0 && !elements,
      .id = id,
      .cursor = cursor,
      .flags = shape->flags,
      .bitmap = cut_bitmap(shape->bitmap, shape->size > 0 || elements ? shape->size : 512),
      .element_bitmap = cut_bitmap(shape->element_bitmap, shape->element_size),
      .weak_bitmap = cut_bitmap(shape->weak_bitmap, shape->size),
      .weak = shape->weak,
      .pairs = shape->pairs,
      .fixed_bytes = elements ? (uint32_t)shape->size : 0,
      .element_bytes = (uint32_t)shape->element_size,
      .size = elements ? 0 : shape->size,
      .alignment = shape->alignment ? shape->alignment : 8,
      .finalizer = shape->finalizer,
      .finalizer_context = shape->finalizer_context,
      .on_free = shape->on_free,
      .on_free_context = shape->on_free_context,
      .trace = shape->trace,
      .trace_context = shape->trace_context,
  };
  if (shape->refs == MIDDEN_REFS_ELEMENTS) kind.elements_all = kind.element_bitmap == cut_bitmap(~UINT64_C(0), shape->element_size);
  if (kind.fixed_size) {
    kind.first_class = (uint8_t)(shape->size <= SIZE_CLASS_LARGEST ? mdn_class_of_aligned(shape->size, kind.alignment)
                                                                  : SIZE_CLASS_LARGE);
  }
  kind.central_count = kind.fixed_size ? 1 : SIZE_CLASS_CURSORS;
  return kind;
}

uint16_t mdn_kinds_add(struct kind_table *table, struct arena *arena, const midden_shape *shape,
                       midden_error *error) {
  size_t id = table->count ? table->count : 1;
  size_t cursor = table->cursor_count ? table->cursor_count : 1;
  struct kind kind = describe(shape, (uint16_t)id, (uint16_t)cursor);
  if (id > MIDDEN_KIND_MAX) {
    mdn_error(error, MIDDEN_LIMIT, "kind %s: a heap has at most %d kinds", shape->name, MIDDEN_KIND_MAX);
    return 0;
  }
  if (cursor + kind.central_count > CURSOR_CAPACITY) {
    mdn_error(error, MIDDEN_LIMIT, "kind %s: no allocation cursors left: %d are shared by all kinds", shape->name,
              CURSOR_CAPACITY);
    return 0;
  }
  void *kinds = table->kinds;
  size_t name_bytes = strlen(shape->name) + 1;
  kind.centrals = mdn_arena_allocate(arena, kind.central_count * sizeof(struct central));
  kind.name = mdn_arena_allocate(arena, name_bytes);
  if (!kind.centrals || !kind.name || !mdn_arena_grow(arena, &kinds, &table->capacity, id + 1, sizeof kind)) {
    mdn_arena_free(arena, kind.centrals, kind.central_count * sizeof(struct central));
    mdn_arena_free(arena, kind.name, name_bytes);
    mdn_error(error, MIDDEN_NO_MEMORY, "kind %s: no memory for its tables", shape->name);
    return 0;
  }
  memcpy(kind.name, shape->name, name_bytes);
  for (size_t i = 0; i < kind.central_count; i++) {
    describe_central(&kind.centrals[i], &kind, kind.fixed_size ? kind.first_class : (unsigned)i, i);
  }
  table->kinds = kinds;
  table->kinds[id] = kind;
  table->count = id + 1;
  table->cursor_count = cursor + kind.central_count;
  if (kind.layout == MIDDEN_REFS_AMBIGUOUS || (kind.flags & MIDDEN_KIND_TRACE_PINS)) table->pins_while_tracing = true;
  table->frees |= kind.on_free != NULL;
  return (uint16_t)id;
}
