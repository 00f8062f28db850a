/* Layouts, interpreted inline: calling a function for each slot of an object.
 *
 * Callers pass a constant function, which the compiler inlines into each of the loops; only a kind with
 * a trace function of the host's costs a call for each object. */
#ifndef MIDDEN_GC_LAYOUT_H
#define MIDDEN_GC_LAYOUT_H

#include "gc/kinds.h"
#include "midden/weak.h"

#define ALWAYS_INLINE static inline __attribute__((always_inline))

typedef void (*slot_function)(void *context, midden_word *slot);

ALWAYS_INLINE void layout_words(midden_word *slot, midden_word *end, slot_function visit, void *context) {
  for (; slot < end; slot++) visit(context, slot);
}

ALWAYS_INLINE void layout_bitmap(midden_word *slots, uint64_t bits, slot_function visit, void *context) {
  for (; bits; bits &= bits - 1) visit(context, &slots[bits_lowest(bits)]);
}

/* The parts of an object with weak references. The visitor takes all of them: it is no hot path. */
static inline void layout_weak(const struct kind *kind, midden_word *slots, size_t size, midden_visitor *visitor) {
  size_t words = size / sizeof *slots, fixed = kind->fixed_bytes / sizeof *slots;
  uint64_t there = words >= 64 ? ~UINT64_C(0) : bits_below(words); /* the host may have asked for less than the fixed part */
  for (uint64_t bits = kind->bitmap & there; bits; bits &= bits - 1) visitor->edge(visitor, &slots[bits_lowest(bits)]);
  for (uint64_t bits = kind->weak_bitmap & there; bits; bits &= bits - 1) {
    visitor->weak(visitor, &slots[bits_lowest(bits)], NULL, kind->weak);
  }
  if (kind->layout == MIDDEN_REFS_WEAK) {
    for (size_t i = fixed; i < words; i++) visitor->weak(visitor, &slots[i], NULL, kind->weak);
  } else {
    for (size_t i = fixed; i + 2 <= words; i += 2) midden_visit_pair(visitor, &slots[i], &slots[i + 1], kind->pairs);
  }
}

/* Visits every slot of one object. `visitor` serves the layouts that need one. */
ALWAYS_INLINE void layout_each(const struct kind *kind, uintptr_t cell, size_t size, slot_function visit, void *context,
                               midden_visitor *visitor) {
  midden_word *slots = (midden_word *)cell;
  switch ((midden_layout)kind->layout) {
    case MIDDEN_REFS_NONE:
      break;
    case MIDDEN_REFS_ALL:
      layout_words(slots, slots + size / sizeof *slots, visit, context);
      break;
    case MIDDEN_REFS_BITMAP:
      layout_bitmap(slots, size >= 512 ? kind->bitmap : kind->bitmap & bits_below(size / 8), visit, context);
      break;
    case MIDDEN_REFS_ELEMENTS: {
      /* A cell may be smaller than the fixed part, if the host asked for less than it. */
      layout_bitmap(slots, size >= 512 ? kind->bitmap : kind->bitmap & bits_below(size / 8), visit, context);
      midden_word *end = (midden_word *)(cell + size);
      midden_word *element = (midden_word *)(cell + kind->fixed_bytes);
      size_t words = kind->element_bytes / sizeof *element;
      if (kind->elements_all) {
        layout_words(element, end, visit, context);
      } else {
        for (; element + words <= end; element += words) layout_bitmap(element, kind->element_bitmap, visit, context);
      }
      break;
    }
    case MIDDEN_REFS_AMBIGUOUS:
      visitor->ambiguous(visitor, slots, size / sizeof *slots);
      break;
    case MIDDEN_REFS_TRACE:
      kind->trace((void *)cell, size, visitor, kind->trace_context);
      break;
    case MIDDEN_REFS_WEAK:
    case MIDDEN_REFS_PAIRS:
      layout_weak(kind, slots, size, visitor);
      break;
  }
}

/* Whether an object is a fixed part and then nothing but slots: then *first is the first of these. Such
 * objects, when they are large, are traced in portions. */
static inline bool layout_has_slot_tail(const struct kind *kind, uintptr_t cell, size_t *first) {
  *first = cell + kind->fixed_bytes;
  return kind->layout == MIDDEN_REFS_ALL || (kind->layout == MIDDEN_REFS_ELEMENTS && kind->elements_all);
}

#endif
