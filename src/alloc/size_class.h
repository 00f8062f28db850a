/* Size classes: which cell sizes there are, and all that follows from a class. The tables are
 * generated (scripts/generate-size-classes); the reasons for this geometry are in
 * docs/design/size-classes.md. */
#ifndef MIDDEN_ALLOC_SIZE_CLASS_H
#define MIDDEN_ALLOC_SIZE_CLASS_H

#include <stddef.h>
#include <stdint.h>

#include "alloc/size_class_table.h"

#define SIZE_CLASS_LARGE SIZE_CLASS_COUNT             /* "class" of objects with a span of their own */
#define SIZE_CLASS_CURSORS (SIZE_CLASS_COUNT + 1)     /* cursors of a kind of variable size */
#define SIZE_CLASS_LARGEST ((size_t)32 << 10)

#define PAGE_SHIFT 13
#define PAGE_BYTES ((size_t)1 << PAGE_SHIFT)
#define GRANULE_SHIFT 4 /* bitmaps have a bit for each 16 bytes; no two cells start in the same 16 */
#define GRANULES_PER_PAGE (PAGE_BYTES >> GRANULE_SHIFT)
#define WORDS_PER_PAGE (GRANULES_PER_PAGE / 64)

extern const uint16_t midden_class_size[];
extern const uint8_t mdn_class_pages[];
extern const uint32_t mdn_class_reciprocal[];

/* The class of a size. pre: size <= SIZE_CLASS_LARGEST. post: the smallest class that fits. */
unsigned mdn_class_of(size_t size);

/* The same for an alignment of 8 or 16: with 16, a class whose cells are all aligned so. */
unsigned mdn_class_of_aligned(size_t size, size_t alignment);

/* The words that say where cells start in a span of this class; see the generated table. */
const uint64_t *mdn_class_pattern(unsigned size_class);

#endif
