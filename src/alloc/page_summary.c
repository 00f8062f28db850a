/* Free pages and their summaries: see page_summary.h. */
#include "alloc/page_summary.h"

#include "base/assertion.h"
#include "base/bits.h"

size_t mdn_page_summary_leaves(size_t pages) {
  size_t leaves = 1;
  while (leaves * SUMMARY_CHUNK < pages) leaves *= 2;
  return leaves;
}

/* Summarises one chunk from its bits. */
static struct run_summary summarise(const uint64_t *free) {
  struct run_summary result = {0, 0, 0};
  size_t page = 0;
  while (page < SUMMARY_CHUNK) {
    size_t first = bitmap_next(free, page, SUMMARY_CHUNK);
    if (first == SUMMARY_CHUNK) break;
    page = bitmap_next_clear(free, first, SUMMARY_CHUNK);
    uint32_t length = (uint32_t)(page - first);
    if (first == 0) result.start = length;
    if (page == SUMMARY_CHUNK) result.end = length;
    if (length > result.longest) result.longest = length;
  }
  return result;
}

/* Two neighbouring ranges of `pages` pages each, as one. */
static struct run_summary join(struct run_summary low, struct run_summary high, uint32_t pages) {
  uint32_t longest = low.longest > high.longest ? low.longest : high.longest;
  if (low.end + high.start > longest) longest = low.end + high.start;
  return (struct run_summary){
      .start = low.start == pages ? pages + high.start : low.start,
      .longest = longest,
      .end = high.end == pages ? pages + low.end : high.end,
  };
}

static void update(struct page_summary *summary, size_t first, size_t count) {
  size_t low = first / SUMMARY_CHUNK + summary->leaves;
  size_t high = (first + count - 1) / SUMMARY_CHUNK + summary->leaves;
  for (size_t leaf = low; leaf <= high; leaf++) {
    summary->tree[leaf] = summarise(summary->free + (leaf - summary->leaves) * (SUMMARY_CHUNK / 64));
  }
  uint32_t pages = SUMMARY_CHUNK;
  while (low > 1) {
    low /= 2;
    high /= 2;
    for (size_t node = low; node <= high; node++) {
      summary->tree[node] = join(summary->tree[2 * node], summary->tree[2 * node + 1], pages);
    }
    pages *= 2;
  }
}

void mdn_page_summary_free(struct page_summary *summary, size_t first, size_t count) {
  DEBUG_CHECK(bitmap_next(summary->free, first, first + count) == first + count);
  bitmap_set_range(summary->free, first, first + count);
  update(summary, first, count);
}

void mdn_page_summary_take(struct page_summary *summary, size_t first, size_t count) {
  DEBUG_CHECK(bitmap_next_clear(summary->free, first, first + count) == first + count);
  bitmap_clear_range(summary->free, first, first + count);
  update(summary, first, count);
}

static bool same_summary(struct run_summary a, struct run_summary b) {
  return a.start == b.start && a.longest == b.longest && a.end == b.end;
}

size_t mdn_page_summary_check(const struct page_summary *summary, size_t pages) {
  size_t chunks = (pages + SUMMARY_CHUNK - 1) / SUMMARY_CHUNK;
  for (size_t chunk = 0; chunk < chunks; chunk++) {
    struct run_summary wanted = summarise(summary->free + chunk * (SUMMARY_CHUNK / 64));
    if (!same_summary(summary->tree[summary->leaves + chunk], wanted)) return summary->leaves + chunk;
  }
  uint32_t below = SUMMARY_CHUNK;
  size_t low = summary->leaves, high = summary->leaves + (chunks ? chunks - 1 : 0);
  for (; low > 1; below *= 2) {
    low /= 2;
    high /= 2;
    for (size_t node = low; node <= high; node++) {
      if (!same_summary(summary->tree[node], join(summary->tree[2 * node], summary->tree[2 * node + 1], below))) return node;
    }
  }
  return NO_PAGE;
}

/* The lowest run of `count` within one chunk. pre: there is one. */
static size_t find_in_chunk(const uint64_t *free, size_t count) {
  size_t page = 0;
  for (;;) {
    size_t first = bitmap_next(free, page, SUMMARY_CHUNK);
    CHECK(first < SUMMARY_CHUNK);
    page = bitmap_next_clear(free, first, SUMMARY_CHUNK);
    if (page - first >= count) return first;
  }
}

size_t mdn_page_summary_find(const struct page_summary *summary, size_t count) {
  const struct run_summary *tree = summary->tree;
  if (tree[1].longest < count) return NO_PAGE;
  size_t node = 1, first = 0, pages = summary->leaves * SUMMARY_CHUNK;
  while (node < summary->leaves) {
    size_t low = 2 * node, high = low + 1;
    pages /= 2;
    if (tree[low].longest >= count) {
      node = low;
    } else if (tree[low].end + (size_t)tree[high].start >= count) {
      return first + pages - tree[low].end;
    } else {
      node = high;
      first += pages;
    }
  }
  return first + find_in_chunk(summary->free + first / 64, count);
}
