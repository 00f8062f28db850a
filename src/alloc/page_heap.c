/* The page heap: see page_heap.h. */
#include "alloc/page_heap.h"

#include "alloc/size_class.h"
#include "base/assertion.h"
#include "base/bits.h"

#define USABLE_STEP_LEAST ((size_t)8)   /* pages: 64 KiB */
#define USABLE_STEP_MOST ((size_t)2048) /* pages: 16 MiB */

static void *page_address(const struct page_heap *heap, size_t page) {
  return (void *)(heap->base + (page << PAGE_SHIFT)); /* NOLINT: an address in our own range */
}

/* Makes virgin pages usable up to `end`, and some more while at it. */
static bool make_usable(struct page_heap *heap, size_t end) {
  if (end <= heap->usable) return true;
  size_t step = size_minimum(size_maximum(heap->usable / 4, USABLE_STEP_LEAST), USABLE_STEP_MOST);
  size_t wanted = size_minimum(size_maximum(end, heap->usable + step), heap->pages);
  for (;;) {
    size_t bytes = (wanted - heap->usable) << PAGE_SHIFT;
    if (heap->memory->commit(heap->memory->context, page_address(heap, heap->usable), bytes)) {
      heap->usable = wanted;
      return true;
    }
    if (wanted == end) return false;
    wanted = end;
  }
}

/* Gives one run of dirty free pages back to the system. */
static void clean(struct page_heap *heap, size_t first, size_t end) {
  heap->memory->decommit(heap->memory->context, page_address(heap, first), (end - first) << PAGE_SHIFT);
  bitmap_clear_range(heap->dirty, first, end);
  heap->dirty_pages -= end - first;
  heap->returned_pages += end - first;
}

/* Cleans the dirty free pages of one chunk. post: how many. */
static size_t clean_chunk(struct page_heap *heap, size_t chunk) {
  size_t before = heap->dirty_pages;
  size_t page = chunk * SUMMARY_CHUNK;
  size_t end = size_minimum(page + SUMMARY_CHUNK, heap->frontier);
  while (page < end) {
    size_t first = bitmap_next(heap->summary.free, page, end);
    page = bitmap_next_clear(heap->summary.free, first, end);
    while (first < page) {
      size_t from = bitmap_next(heap->dirty, first, page);
      first = bitmap_next_clear(heap->dirty, from, page);
      if (from < first) clean(heap, from, first);
    }
  }
  heap->freed_at[chunk] = 0;
  return before - heap->dirty_pages;
}

size_t mdn_page_heap_return(struct page_heap *heap, uint64_t before) {
  size_t returned = 0;
  if (heap->dirty_pages == 0) return 0;
  for (size_t chunk = 0; chunk * SUMMARY_CHUNK < heap->frontier; chunk++) {
    if (heap->freed_at[chunk] && heap->freed_at[chunk] <= before) returned += clean_chunk(heap, chunk);
  }
  return returned;
}

static size_t count_clean(const struct page_heap *heap, size_t first, size_t count) {
  size_t clean_pages = 0;
  for (size_t page = first; page < first + count; page++) clean_pages += !bitmap_test(heap->dirty, page);
  return clean_pages;
}

/* The limit holds for backed pages too: where dirty pages lie elsewhere, they go back first. */
static bool fits_limit(struct page_heap *heap, size_t new_pages) {
  if (heap->used_pages + heap->dirty_pages + new_pages <= heap->limit_pages) return true;
  mdn_page_heap_return(heap, UINT64_MAX);
  return heap->used_pages + heap->dirty_pages + new_pages <= heap->limit_pages;
}

static void count_peak(struct page_heap *heap) {
  heap->peak_pages = size_maximum(heap->peak_pages, heap->used_pages + heap->dirty_pages);
}

/* The free pages just below the frontier, at most `most`: when the range is almost used up, they are
 * joined with virgin ones. */
static size_t free_at_frontier(const struct page_heap *heap, size_t most) {
  size_t pages = 0;
  while (pages < most && pages < heap->frontier && bitmap_test(heap->summary.free, heap->frontier - 1 - pages)) pages++;
  return pages;
}

size_t mdn_page_heap_take(struct page_heap *heap, size_t count, bool *zero) {
  if (count > heap->limit_pages || heap->used_pages > heap->limit_pages - count) return NO_PAGE;
  size_t first = mdn_page_summary_find(&heap->summary, count);
  size_t clean_pages = count;
  if (first == NO_PAGE) {
    if (count > heap->pages - heap->frontier + free_at_frontier(heap, count) || !fits_limit(heap, count)) return NO_PAGE;
    size_t joined = heap->pages - heap->frontier < count ? free_at_frontier(heap, count) : 0;
    first = heap->frontier - joined;
    if (!make_usable(heap, first + count)) return NO_PAGE;
    if (joined > 0) {
      size_t clean_joined = count_clean(heap, first, joined);
      mdn_page_summary_take(&heap->summary, first, joined);
      heap->dirty_pages -= joined - clean_joined;
      clean_pages = count - joined + clean_joined;
    }
    heap->frontier = first + count;
  } else {
    clean_pages = count_clean(heap, first, count);
    if (clean_pages > 0 && heap->used_pages + heap->dirty_pages + clean_pages > heap->limit_pages) {
      mdn_page_heap_return(heap, UINT64_MAX);
      clean_pages = count;
    }
    mdn_page_summary_take(&heap->summary, first, count);
    heap->dirty_pages -= count - clean_pages;
  }
  *zero = clean_pages == count;
  bitmap_set_range(heap->dirty, first, first + count);
  heap->used_pages += count;
  CHECK(heap->used_pages + heap->dirty_pages <= heap->limit_pages);
  count_peak(heap);
  return first;
}

void mdn_page_heap_give(struct page_heap *heap, size_t first, size_t count, uint64_t now) {
  CHECK(count > 0 && first + count <= heap->frontier && heap->used_pages >= count);
  mdn_page_summary_free(&heap->summary, first, count);
  heap->used_pages -= count;
  heap->dirty_pages += count;
  for (size_t chunk = first / SUMMARY_CHUNK; chunk <= (first + count - 1) / SUMMARY_CHUNK; chunk++) {
    heap->freed_at[chunk] = now ? now : 1;
  }
}
