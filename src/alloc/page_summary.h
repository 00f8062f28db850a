/* Free pages: a bitmap with, over each 512 pages (4 MiB), a summary of its free runs, and a binary tree
 * of summaries above. Finding the lowest run of n free pages and freeing a run are both logarithmic,
 * and freeing needs no memory, so it cannot fail. The summaries are those of Go's page allocator. */
#ifndef MIDDEN_ALLOC_PAGE_SUMMARY_H
#define MIDDEN_ALLOC_PAGE_SUMMARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SUMMARY_CHUNK 512 /* pages under one leaf */
#define NO_PAGE SIZE_MAX

/* Runs of free pages in a range: at its start, the longest, at its end. */
struct run_summary {
  uint32_t start, longest, end;
};

/* Invariant: tree[leaves + c] describes chunk c of `free`; tree[i] describes its children 2i and 2i+1.
 * Suspended inside the functions below only. */
struct page_summary {
  uint64_t *free;           /* bit: page is free. Zero memory means that none is. */
  struct run_summary *tree; /* 2 * leaves entries; entry 1 is the root */
  size_t leaves;            /* a power of two */
};

/* Bytes of the two tables for a range of `pages` pages. */
size_t mdn_page_summary_leaves(size_t pages);

/* Marks pages free. pre: they are not. */
void mdn_page_summary_free(struct page_summary *summary, size_t first, size_t count);
/* Marks pages taken. pre: they are free. */
void mdn_page_summary_take(struct page_summary *summary, size_t first, size_t count);
/* Whether the summaries agree with the bits of the first `pages` pages. post: NO_PAGE; or the number of the first node of the
 * tree that does not, from the leaves up. */
size_t mdn_page_summary_check(const struct page_summary *summary, size_t pages);
/* The lowest run of `count` free pages. post: its first page, or NO_PAGE. Takes nothing. */
size_t mdn_page_summary_find(const struct page_summary *summary, size_t count);

#endif
