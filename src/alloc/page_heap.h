/* The page heap: hands out runs of 8 KiB pages of the heap's range, lowest address first, and takes
 * them back.
 *
 * A page is in one of four states, or under guard= in quarantine (quarantine.h):
 *   virgin    at or above `frontier`: never handed out, not in the summary; reads zero
 *   in use    part of a span
 *   dirty     free, but still backed by memory with old content
 *   clean     free and without backing: reads zero
 * Virgin pages become usable (committed) in steps, in address order: `usable` is that watermark. */
#ifndef MIDDEN_ALLOC_PAGE_HEAP_H
#define MIDDEN_ALLOC_PAGE_HEAP_H

#include "alloc/page_summary.h"
#include "base/memory_checker.h"
#include "midden/config.h"

struct quarantine;

struct page_heap {
  const midden_memory *memory;
  enum memory_checker checker; /* that free memory is hidden through: see watch.h */
  uintptr_t base;
  size_t pages;                /* in the range */
  struct page_summary summary; /* free pages below the frontier */
  uint64_t *dirty;             /* bit: page is backed (in use or dirty) */
  uint64_t *freed_at;          /* by chunk: when a page of it was last freed, 0 if none is dirty */
  size_t frontier;
  size_t usable;
  size_t populated;            /* virgin pages below it are backed already */
  size_t limit_pages;          /* pages in use, with the charged ones, never exceed it; nor do they with the dirty ones, by more than a 16th */
  size_t goal_pages;           /* in use until the next full collection is over, as far as is known; dirty ones beyond are not
                                  kept when new ones are backed. 0: not known */
  size_t charged_pages;        /* of the limit, taken up by memory outside the range */
  size_t used_pages;
  size_t dirty_pages;          /* free and backed */
  size_t peak_pages;           /* highest used + dirty */
  uint64_t returned_pages;     /* given back to the system, ever */
  struct quarantine *quarantine; /* NULL but under guard= */
};

/* What is left of the limit beside what is charged to it. */
static inline size_t page_heap_limit(const struct page_heap *heap) {
  return heap->limit_pages > heap->charged_pages ? heap->limit_pages - heap->charged_pages : 0;
}

/* The pages that may still be taken. */
static inline size_t page_heap_room(const struct page_heap *heap) {
  size_t limit = page_heap_limit(heap);
  return limit > heap->used_pages ? limit - heap->used_pages : 0;
}

/* The most pages that are backed, in use or dirty. */
static inline size_t page_heap_most_backed(const struct page_heap *heap) {
  return page_heap_limit(heap) + heap->limit_pages / 16;
}

/* Pages that more than the goal may be backed by when `new_pages` are. That a large request finds no place says that the
 * gaps are of no use. A smaller one says little: others will fit, and a heap that is kept full of objects of many sizes would
 * return and fault in pages all the time (measured: twice the time of the pure-leaf benchmark). */
#define PAGE_HEAP_SLACK_LEAST ((size_t)64) /* 512 KiB */
static inline size_t page_heap_slack(const struct page_heap *heap, size_t new_pages) {
  size_t share = heap->goal_pages / 16;
  if (share < PAGE_HEAP_SLACK_LEAST) share = PAGE_HEAP_SLACK_LEAST;
  return new_pages >= share / 4 ? share : 4 * share;
}

/* Takes `count` pages. post: the first page's index, and *zero says whether all of them read zero; or
 * NO_PAGE: the limit, the range or the system's memory is used up, and nothing has changed. */
size_t mdn_page_heap_take(struct page_heap *heap, size_t count, bool *zero);

/* Gives pages back. Cannot fail. `now` is the clock's time, for the delayed return. */
void mdn_page_heap_give(struct page_heap *heap, size_t first, size_t count, uint64_t now);

/* Returns to the system the dirty pages of chunks in which nothing was freed since `before`.
 * post: the number of pages returned. */
size_t mdn_page_heap_return(struct page_heap *heap, uint64_t before);

#endif
