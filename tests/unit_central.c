/* Unit: runs of cells. Taking and flushing against a naive map of every cell, for every size class. */
#include <stdlib.h>
#include <string.h>

#include "alloc/central.h"
#include "counting_memory.h"
#include "harness.h"

enum { PAGES = 1024, SMALLEST = 16, CELLS = PAGES * 8192 / SMALLEST };

typedef struct naive {
  struct space space;
  counting_memory memory;
  struct central central;
  bool taken[CELLS]; /* by cell start in 16-byte units of the range */
  size_t count;
} naive;

static naive *open_both(unsigned class, bool zero) {
  static naive here;
  memset(&here, 0, sizeof here);
  counting_memory_open(&here.memory);
  ck_assert_int_eq(mdn_space_open(&here.space, &here.memory.face, PAGES * PAGE_BYTES, PAGES * PAGE_BYTES,
                                  PAGES * PAGE_BYTES, false),
                   MIDDEN_OK);
  here.central = (struct central){.cell_size = midden_class_size[class], .size_class = (uint8_t)class, .kind = 1, .zero = zero};
  return &here;
}

static void close_both(naive *here) {
  mdn_space_close(&here->space);
  ck_assert_uint_eq(here->memory.reservations, 0);
}

static size_t unit_of(const naive *here, const char *cell) { return ((uintptr_t)cell - here->space.base) / SMALLEST; }

/* Each cell of a run is in a span, at a multiple of the cell size, free until now, and zero if it must be. */
static void check_run(naive *here, const struct run *run) {
  size_t size = here->central.cell_size;
  EXPECT((size_t)(run->end - run->start) == run->cells * size && run->cells > 0, "run of %zu cells", run->cells);
  const struct span *span = space_span_of(&here->space, (uintptr_t)run->start);
  EXPECT(span->central == &here->central && span->cell_size == size, "span of another list");
  EXPECT(((uintptr_t)run->start - span->start) % size == 0, "a run inside a cell");
  EXPECT((uintptr_t)run->end <= span->start + (size_t)span->cells * size, "a run past the span's cells");
  for (char *cell = run->start; cell < run->end; cell += size) {
    EXPECT(!here->taken[unit_of(here, cell)], "a cell was handed out twice");
    here->taken[unit_of(here, cell)] = true;
    EXPECT(mdn_space_cell_at(&here->space, (uintptr_t)cell + size - 1) == (uintptr_t)cell, "alloc bit of a cell");
    for (size_t i = 0; here->central.zero && i < size; i++) EXPECT(cell[i] == 0, "byte %zu of a cell is not zero", i);
  }
  here->count += run->cells;
}

static void check_counts(const naive *here) {
  size_t taken = 0, spans = 0;
  for (const struct span *span = here->central.first; span != NULL; span = span->next, spans++) {
    size_t used = 0;
    for (uintptr_t cell = span->start; cell < span->start + (size_t)span->cells * span->cell_size; cell += span->cell_size)
      used += here->taken[unit_of(here, (const char *)cell)];
    EXPECT(used == span->used, "span counts %u of %zu cells", span->used, used);
    taken += used;
  }
  EXPECT(taken == here->count && taken * here->central.cell_size == here->central.used_bytes, "%zu cells", taken);
  EXPECT(here->central.used_cells == taken, "the list counts %zu of %zu cells", here->central.used_cells, taken);
  EXPECT(spans == here->central.span_count, "%zu spans", spans);
}

/* Gives back the end of a run, from cell `keep` on. */
static void flush(naive *here, const struct run *run, size_t keep) {
  size_t size = here->central.cell_size;
  for (char *cell = run->start + keep * size; cell < run->end; cell += size) {
    here->taken[unit_of(here, cell)] = false;
    here->count--;
  }
  mdn_central_flush(&here->space, run->start + keep * size, run->end, here->central.zero);
}

/* Frees cells as a sweep would: bits are cleared, and the search starts over. */
static void free_some(naive *here, uint64_t *random, size_t one_in) {
  size_t size = here->central.cell_size;
  for (struct span *span = here->central.first; span != NULL; span = span->next) {
    mdn_central_withdraw(&here->central, span);
    for (size_t i = 0; i < span->cells; i++) {
      char *cell = (char *)span->start + i * size;
      if (!here->taken[unit_of(here, cell)] || test_random_below(random, one_in) != 0) continue;
      bitmap_clear(here->space.alloc_bits, space_granule(&here->space, (uintptr_t)cell));
      here->taken[unit_of(here, cell)] = false;
      span->used--;
      here->count--;
      here->central.used_cells--;
      here->central.used_bytes -= size;
    }
    span->position = 0;
    if (span->used < span->cells) mdn_central_offer(&here->central, span, false);
  }
}

static void exercise(unsigned class, bool zero) {
  naive *here = open_both(class, zero);
  uint64_t random = class + 1;
  for (int round = 0; round < 6; round++) {
    for (int i = 0; i < 40; i++) {
      struct run run;
      size_t most = test_random_below(&random, 3) == 0 ? 1 + test_random_below(&random, 5) : SIZE_MAX;
      if (!mdn_central_take(&here->space, &here->central, most, &run)) break;
      EXPECT(run.cells <= most, "%zu cells of %zu", run.cells, most);
      check_run(here, &run);
      size_t keep = test_random_below(&random, 2) == 0 ? run.cells : test_random_below(&random, run.cells + 1);
      memset(run.start, 0xff, keep * here->central.cell_size);
      if (keep < run.cells) flush(here, &run, keep);
    }
    check_counts(here);
    free_some(here, &random, round % 2 ? 2 : 10);
    check_counts(here);
  }
  close_both(here);
}

START_TEST(runs_of_every_class) {
  for (unsigned class = 0; class < SIZE_CLASS_COUNT; class++) exercise(class, true);
}
END_TEST

START_TEST(runs_that_are_not_zeroed) {
  for (unsigned class = 0; class < SIZE_CLASS_COUNT; class += 5) exercise(class, false);
}
END_TEST

/* Gaps are found in address order, and one run covers all of a gap. */
START_TEST(a_run_is_a_whole_gap) {
  naive *here = open_both(1, true); /* cells of 24 bytes: granules hold two starts or none */
  struct run run;
  ck_assert(mdn_central_take(&here->space, &here->central, SIZE_MAX, &run));
  char *start = run.start;
  size_t size = here->central.cell_size, cells = run.cells;
  struct span *span = here->central.first;
  static const size_t gaps[][2] = {{0, 1}, {2, 5}, {7, 8}, {60, 140}, {200, 201}};
  for (size_t g = 0; g < COUNT_OF(gaps); g++)
    for (size_t i = gaps[g][0]; i < gaps[g][1]; i++) {
      bitmap_clear(here->space.alloc_bits, space_granule(&here->space, (uintptr_t)start + i * size));
      span->used--;
    }
  bitmap_clear(here->space.alloc_bits, space_granule(&here->space, (uintptr_t)start + (cells - 1) * size));
  span->position = 0;
  mdn_central_withdraw(&here->central, span);
  mdn_central_offer(&here->central, span, true);
  for (size_t g = 0; g < COUNT_OF(gaps); g++) {
    ck_assert(mdn_central_take(&here->space, &here->central, SIZE_MAX, &run));
    ck_assert_ptr_eq(run.start, start + gaps[g][0] * size);
    ck_assert_ptr_eq(run.end, start + gaps[g][1] * size);
    ck_assert(!run.new_span);
  }
  ck_assert(mdn_central_take(&here->space, &here->central, SIZE_MAX, &run));
  ck_assert_ptr_eq(run.start, start + (cells - 1) * size);
  ck_assert_uint_eq(run.cells, 1);
  ck_assert(mdn_central_take(&here->space, &here->central, SIZE_MAX, &run));
  ck_assert(run.new_span);
  close_both(here);
}
END_TEST

/* Words to cells: every byte of every cell, the waste at the end, free cells, free pages, other addresses. */
START_TEST(addresses_to_cells) {
  for (unsigned class = 0; class < SIZE_CLASS_COUNT; class += 3) {
    naive *here = open_both(class, true);
    struct run run;
    ck_assert(mdn_central_take(&here->space, &here->central, SIZE_MAX, &run));
    size_t size = here->central.cell_size;
    struct span *span = here->central.first;
    for (size_t i = 0; i < span->cells; i += 2) /* every other cell is free */
      bitmap_clear(here->space.alloc_bits, space_granule(&here->space, span->start + i * size));
    for (size_t offset = 0; offset < (size_t)span->page_count << PAGE_SHIFT; offset++) {
      size_t cell = offset / size;
      uintptr_t expected = cell < span->cells && cell % 2 == 1 ? span->start + cell * size : 0;
      EXPECT(mdn_space_cell_at(&here->space, span->start + offset) == expected, "cells of %zu, offset %zu", size, offset);
    }
    ck_assert_uint_eq(mdn_space_cell_at(&here->space, here->space.base - 1), 0);
    ck_assert_uint_eq(mdn_space_cell_at(&here->space, here->space.base + here->space.extent), 0);
    ck_assert_uint_eq(mdn_space_cell_at(&here->space, here->space.base + here->space.extent - 1), 0);
    ck_assert_uint_eq(mdn_space_cell_at(&here->space, 0), 0);
    ck_assert_uint_eq(mdn_space_cell_at(&here->space, UINTPTR_MAX), 0);
    close_both(here);
  }
}
END_TEST

START_TEST(large_spans) {
  naive *here = open_both(0, true);
  uint64_t random = 4;
  struct span *spans[40] = {NULL};
  struct central *central = &here->central;
  central->cell_size = 0;
  central->size_class = SIZE_CLASS_LARGE;
  for (int step = 0; step < 400; step++) {
    size_t i = test_random_below(&random, COUNT_OF(spans));
    if (spans[i] != NULL) {
      bitmap_clear(here->space.alloc_bits, space_granule(&here->space, spans[i]->start));
      central->used_bytes -= spans[i]->cell_size;
      central->used_cells--;
      mdn_central_remove(central, spans[i]);
      mdn_space_give_span(&here->space, spans[i]);
      here->space.touched = NULL;
      spans[i] = NULL;
      continue;
    }
    size_t size = 32769 + test_random_below(&random, 150000);
    spans[i] = mdn_central_take_large(&here->space, central, size);
    if (spans[i] == NULL) continue;
    EXPECT(spans[i]->cell_size >= size && spans[i]->cell_size % PAGE_BYTES == 0, "%zu bytes", size);
    const unsigned char *bytes = (const unsigned char *)spans[i]->start;
    for (size_t k = 0; k < spans[i]->cell_size; k += 97) EXPECT(bytes[k] == 0, "byte %zu is not zero", k);
    memset((void *)spans[i]->start, 0xff, spans[i]->cell_size);
    for (size_t k = 0; k < spans[i]->cell_size; k += 4096)
      EXPECT(mdn_space_cell_at(&here->space, spans[i]->start + k + 4095) == spans[i]->start, "offset %zu", k);
  }
  close_both(here);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {runs_of_every_class, runs_that_are_not_zeroed, a_run_is_a_whole_gap,
                                addresses_to_cells, large_spans};
  return run_once("central lists", tests, COUNT_OF(tests));
}
