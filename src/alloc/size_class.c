/* Size classes: the tables and the look-up. */
#include "alloc/size_class.h"

#include "base/assertion.h"
#include "midden/allocate.h"

const uint16_t midden_class_size[] = {SIZE_CLASS_SIZES, 8}; /* the last stands for large objects */
const uint8_t midden_class_of_eighth[MIDDEN_SMALL_LOOKUP / 8 + 1] = {SIZE_CLASS_LOOKUP};
const uint8_t mdn_class_pages[] = {SIZE_CLASS_PAGES};
const uint32_t mdn_class_reciprocal[] = {SIZE_CLASS_RECIPROCALS};
static const uint16_t pattern_offsets[] = {SIZE_CLASS_PATTERN_OFFSETS};
static const uint64_t patterns[] = {SIZE_CLASS_PATTERNS};

unsigned mdn_class_of(size_t size) {
  CHECK(size <= SIZE_CLASS_LARGEST);
  if (size <= MIDDEN_SMALL_LOOKUP) return midden_class_of_eighth[(size + 7) >> 3];
  /* Eight equal steps in the doubling (2^n, 2^(n+1)] that the size lies in; 15 classes up to 128 bytes. */
  unsigned doubling = 63 - (unsigned)__builtin_clzll(size - 1);
  size_t base = (size_t)1 << doubling;
  return 15 + (doubling - 7) * 8 + (unsigned)((size - 1 - base) >> (doubling - 3));
}

unsigned mdn_class_of_aligned(size_t size, size_t alignment) {
  unsigned size_class = mdn_class_of(size);
  while (midden_class_size[size_class] % alignment != 0) size_class++;
  return size_class;
}

const uint64_t *mdn_class_pattern(unsigned size_class) { return &patterns[pattern_offsets[size_class]]; }

size_t midden_good_size(size_t size) {
  if (size <= SIZE_CLASS_LARGEST) return midden_class_size[mdn_class_of(size)];
  if (size > SIZE_MAX - PAGE_BYTES) return 0;
  return (size + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
}
