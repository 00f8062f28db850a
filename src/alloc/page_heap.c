/* The page heap: see page_heap.h. */
#include "alloc/page_heap.h"

#include "alloc/quarantine.h"
#include "alloc/size_class.h"
#include "base/assertion.h"
#include "base/bits.h"
#include "base/probes.h"

#define USABLE_STEP_LEAST ((size_t)8)   /* pages: 64 KiB */
#define USABLE_STEP_MOST ((size_t)2048) /* pages: 16 MiB */

static void *page_address(const struct page_heap *heap, size_t page) {
  return (void *)(heap->base + (page << PAGE_SHIFT)); /* NOLINT: an address in our own range */
}

/* Virgin pages are backed a few at a time, ahead of their first use: a page fault for each 4 KiB took a tenth
 * of GCBench's time. So few that a small heap stays small. */
#define POPULATE_SHARE 8           /* at most an eighth of what the heap has */
#define POPULATE_MOST ((size_t)16) /* pages: 128 KiB; more gained nothing */

/* Virgin pages up to `end`, the last `count` of them now, are about to be used. (All of a large object need not
 * be: it is left to page faults.) */
static void populate(struct page_heap *heap, size_t end, size_t count) {
  if (end <= heap->populated || count > POPULATE_MOST || !heap->memory->populate) return;
  size_t ahead = size_minimum(end / POPULATE_SHARE, POPULATE_MOST);
  size_t from = size_maximum(heap->populated, heap->frontier), room = heap->limit_pages - heap->used_pages;
  size_t to = size_minimum(heap->usable, size_maximum(end, size_minimum(from + ahead, heap->frontier + room)));
  heap->populated = to;
  if (to - from > 1) heap->memory->populate(heap->memory->context, page_address(heap, from), (to - from) << PAGE_SHIFT);
}

/* Makes virgin pages usable up to `end`, and some more while at it. */
static bool make_usable(struct page_heap *heap, size_t end) {
  if (end <= heap->usable) return true;
  size_t step = size_minimum(size_maximum(heap->usable / 4, USABLE_STEP_LEAST), USABLE_STEP_MOST);
  size_t wanted = size_minimum(size_maximum(end, heap->usable + step), heap->pages);
  for (;;) {
    size_t bytes = (wanted - heap->usable) << PAGE_SHIFT;
    if (heap->memory->commit(heap->memory->context, page_address(heap, heap->usable), bytes)) {
      probe_grow(heap, wanted - heap->usable, wanted);
      heap->usable = wanted;
      return true;
    }
    if (wanted == end) return false;
    wanted = end;
  }
}

/* Gives one run of dirty free pages back to the system. */
static void clean(struct page_heap *heap, size_t first, size_t end) {
  void *address = page_address(heap, first);
  size_t bytes = (end - first) << PAGE_SHIFT;
  if (heap->checker != CHECKER_NONE) mdn_checker_show(heap->checker, address, bytes, true); /* it may be filled by hand */
  heap->memory->decommit(heap->memory->context, address, bytes);
  if (heap->checker != CHECKER_NONE) mdn_checker_hide(heap->checker, address, bytes);
  bitmap_clear_range(heap->dirty, first, end);
  heap->dirty_pages -= end - first;
  heap->returned_pages += end - first;
}

/* Cleans dirty free pages of one chunk, from its end, until `most` are clean. post: how many are. */
static size_t clean_chunk(struct page_heap *heap, size_t chunk, size_t most) {
  size_t low = chunk * SUMMARY_CHUNK, cleaned = 0;
  size_t page = size_minimum(low + SUMMARY_CHUNK, heap->frontier);
  while (page > low && cleaned < most) {
    size_t end = page;
    while (page > low && end - page < most - cleaned && bitmap_test(heap->summary.free, page - 1) &&
           bitmap_test(heap->dirty, page - 1)) {
      page--;
    }
    if (page < end) {
      clean(heap, page, end);
      cleaned += end - page;
    } else {
      page--;
    }
  }
  if (cleaned < most) heap->freed_at[chunk] = 0; /* none is left */
  return cleaned;
}

size_t mdn_page_heap_return(struct page_heap *heap, uint64_t before) {
  size_t returned = 0;
  if (heap->dirty_pages == 0) return 0;
  for (size_t chunk = 0; chunk * SUMMARY_CHUNK < heap->frontier; chunk++) {
    if (heap->freed_at[chunk] && heap->freed_at[chunk] <= before) returned += clean_chunk(heap, chunk, SIZE_MAX);
  }
  return returned;
}

static size_t count_clean(const struct page_heap *heap, size_t first, size_t count) {
  size_t clean_pages = 0;
  for (size_t page = first; page < first + count; page++) clean_pages += !bitmap_test(heap->dirty, page);
  return clean_pages;
}

/* Of the pages that are backed when `new_pages` more are: how many dirty ones are to go. */
static size_t excess_pages(const struct page_heap *heap, size_t new_pages) {
  size_t wanted = heap->used_pages + heap->dirty_pages + new_pages, goal = heap->goal_pages;
  size_t excess = wanted > page_heap_most_backed(heap) ? wanted - page_heap_limit(heap) : 0;
  /* What is free but scattered, so that this request finds no place in it, is not needed either. */
  if (goal && new_pages && wanted > goal + page_heap_slack(heap, new_pages)) {
    excess = size_maximum(excess, size_minimum(wanted - goal, heap->dirty_pages));
  }
  return excess;
}

/* The limit holds for backed pages too, and so does what is expected to be used, give or take a little: before `new_pages`
 * more are backed, as many dirty free ones as must go are cleaned, from the highest address down, for the lowest are reused first. With
 * no slack, a heap that is kept full of objects of many sizes would return and fault pages all the time
 * (measured: twice the time of the pure-leaf benchmark). */
static void make_room(struct page_heap *heap, size_t new_pages) {
  size_t excess = excess_pages(heap, new_pages);
  for (size_t chunk = (heap->frontier + SUMMARY_CHUNK - 1) / SUMMARY_CHUNK; excess > 0 && chunk-- > 0;) {
    if (heap->freed_at[chunk]) excess -= clean_chunk(heap, chunk, excess);
  }
  CHECK(excess == 0); /* the caller has seen that the used pages leave room */
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

/* Takes free pages out of the summary. post: how many of them are clean. */
static size_t take_free(struct page_heap *heap, size_t first, size_t count) {
  size_t clean_pages = count_clean(heap, first, count);
  mdn_page_summary_take(&heap->summary, first, count);
  heap->dirty_pages -= count - clean_pages;
  heap->used_pages += count - clean_pages;
  return clean_pages;
}

/* Takes `count` pages of which the last are virgin. post: the first, or NO_PAGE. */
static size_t take_at_frontier(struct page_heap *heap, size_t count, size_t *clean_pages) {
  size_t virgin = heap->pages - heap->frontier;
  size_t joined = virgin < count ? free_at_frontier(heap, count) : 0;
  if (count > virgin + joined) return NO_PAGE;
  size_t first = heap->frontier - joined;
  if (!make_usable(heap, first + count)) return NO_PAGE;
  populate(heap, first + count, count);
  *clean_pages = count - joined + (joined ? take_free(heap, first, joined) : 0);
  heap->frontier = first + count;
  return first;
}

/* Takes free or virgin pages. post: the first, or NO_PAGE. */
static size_t take_pages(struct page_heap *heap, size_t count, size_t *clean_pages) {
  size_t first = mdn_page_summary_find(&heap->summary, count);
  if (first == NO_PAGE) return take_at_frontier(heap, count, clean_pages);
  *clean_pages = take_free(heap, first, count);
  return first;
}

size_t mdn_page_heap_take(struct page_heap *heap, size_t count, bool *zero) {
  if (count > page_heap_room(heap)) return NO_PAGE;
  size_t clean_pages = 0, first;
  while ((first = take_pages(heap, count, &clean_pages)) == NO_PAGE) {
    if (!heap->quarantine || !mdn_quarantine_release(heap)) return NO_PAGE;
  }
  make_room(heap, clean_pages);
  *zero = clean_pages == count;
  bitmap_set_range(heap->dirty, first, first + count);
  heap->used_pages += clean_pages;
  CHECK(heap->used_pages <= page_heap_limit(heap) && heap->used_pages + heap->dirty_pages <= page_heap_most_backed(heap));
  count_peak(heap);
  return first;
}

void mdn_page_heap_give(struct page_heap *heap, size_t first, size_t count, uint64_t now) {
  CHECK(count > 0 && first + count <= heap->frontier && heap->used_pages >= count);
  if (heap->quarantine && mdn_quarantine_hold(heap, first, count)) return;
  mdn_page_summary_free(&heap->summary, first, count);
  heap->used_pages -= count;
  heap->dirty_pages += count;
  for (size_t chunk = first / SUMMARY_CHUNK; chunk <= (first + count - 1) / SUMMARY_CHUNK; chunk++) {
    heap->freed_at[chunk] = now ? now : 1;
  }
}
