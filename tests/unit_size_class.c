/* Unit: size classes, proved over every size and every offset rather than sampled. */
#include "alloc/size_class.h"
#include "alloc/span.h"
#include "harness.h"

START_TEST(every_size_has_the_smallest_class_that_fits) {
  for (size_t size = 0; size <= SIZE_CLASS_LARGEST; size++) {
    unsigned class = mdn_class_of(size);
    EXPECT(class < SIZE_CLASS_COUNT, "size %zu", size);
    EXPECT(midden_class_size[class] >= size, "size %zu in cells of %u", size, midden_class_size[class]);
    EXPECT(class == 0 || midden_class_size[class - 1] < size, "size %zu would fit a smaller class", size);
    EXPECT(midden_good_size(size) == midden_class_size[class], "good size of %zu", size);
  }
}
END_TEST

START_TEST(classes_ascend_and_are_aligned) {
  for (unsigned class = 0; class < SIZE_CLASS_COUNT; class++) {
    ck_assert_uint_eq(midden_class_size[class] % 8, 0);
    ck_assert_uint_ge(midden_class_size[class], 16);
    if (class > 0) ck_assert_uint_gt(midden_class_size[class], midden_class_size[class - 1]);
  }
  ck_assert_uint_eq(midden_class_size[SIZE_CLASS_COUNT - 1], SIZE_CLASS_LARGEST);
}
END_TEST

START_TEST(waste_is_bounded) {
  size_t worst = 0;
  for (size_t size = 65; size <= SIZE_CLASS_LARGEST; size++) {
    size_t waste = midden_class_size[mdn_class_of(size)] - size;
    EXPECT(waste * 8 <= size, "size %zu wastes %zu", size, waste);
    if (waste * 1000 / size > worst) worst = waste * 1000 / size;
  }
  ck_assert_uint_gt(worst, 50); /* and the measure measures */
}
END_TEST

/* The table of the inlined path agrees with the function, and aligned requests get aligned cells. */
START_TEST(tables_agree) {
  for (size_t size = 0; size <= MIDDEN_SMALL_LOOKUP; size++)
    EXPECT(midden_class_of_eighth[(size + 7) >> 3] == mdn_class_of(size), "size %zu", size);
  for (size_t size = 0; size <= SIZE_CLASS_LARGEST; size++) {
    EXPECT(mdn_class_of_aligned(size, 8) == mdn_class_of(size), "size %zu", size);
    unsigned class = mdn_class_of_aligned(size, 16);
    EXPECT(midden_class_size[class] % 16 == 0 && midden_class_size[class] >= size, "size %zu", size);
    for (unsigned smaller = mdn_class_of(size); smaller < class; smaller++)
      EXPECT(midden_class_size[smaller] % 16 != 0, "size %zu has a smaller aligned class", size);
  }
}
END_TEST

/* A span of the class's length, and one of the least length. */
static struct span make_span(unsigned class, size_t pages) {
  size_t size = midden_class_size[class];
  return (struct span){.cell_size = size,
                       .page_count = (uint32_t)pages,
                       .cells = (uint32_t)((pages << PAGE_SHIFT) / size),
                       .reciprocal = mdn_class_reciprocal[class],
                       .pattern = mdn_class_pattern(class)};
}

static void check_span(unsigned class, size_t pages) {
  struct span span = make_span(class, pages);
  size_t bytes = pages << PAGE_SHIFT, size = span.cell_size;
  ck_assert_uint_ge(span.cells, 1);
  for (size_t offset = 0; offset < bytes; offset++)
    EXPECT(span_cell_at(&span, offset) == offset / size, "offset %zu in cells of %zu", offset, size);
  size_t starts = 0;
  for (size_t granule = 0; granule < bytes >> GRANULE_SHIFT; granule++) {
    size_t low = granule << GRANULE_SHIFT, start = (low + size - 1) / size * size;
    bool cell = start < low + 16 && start / size < span.cells;
    bool bit = (span_pattern(&span, granule >> 6) >> (granule & 63) & 1) != 0;
    EXPECT(bit == cell, "cells of %zu, granule %zu", size, granule);
    if (!cell) continue;
    starts++;
    EXPECT(span_cell_offset(&span, granule) == start, "cells of %zu, granule %zu", size, granule);
    EXPECT(granule < span_end_granule(&span), "cells of %zu, granule %zu is past the end", size, granule);
  }
  ck_assert_uint_eq(starts, span.cells);
}

START_TEST(division_by_multiplication_is_exact) {
  for (unsigned class = 0; class < SIZE_CLASS_COUNT; class++) {
    check_span(class, mdn_class_pages[class]);
    size_t least = (midden_class_size[class] + PAGE_BYTES - 1) >> PAGE_SHIFT;
    if (least < mdn_class_pages[class]) check_span(class, least);
  }
}
END_TEST

/* The tail of a full-length span that no cell uses. */
START_TEST(spans_waste_little_at_their_end) {
  for (unsigned class = 0; class < SIZE_CLASS_COUNT; class++) {
    size_t bytes = (size_t)mdn_class_pages[class] << PAGE_SHIFT;
    EXPECT(bytes % midden_class_size[class] * 8 <= bytes, "cells of %u waste %zu of %zu bytes", midden_class_size[class],
           bytes % midden_class_size[class], bytes);
  }
}
END_TEST

int main(void) {
  const TTest *const tests[] = {every_size_has_the_smallest_class_that_fits,
                                classes_ascend_and_are_aligned,
                                waste_is_bounded,
                                tables_agree,
                                division_by_multiplication_is_exact,
                                spans_waste_little_at_their_end};
  return run_once("size classes", tests, COUNT_OF(tests));
}
