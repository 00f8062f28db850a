/* The quarantine: see quarantine.h. */
#include "alloc/quarantine.h"

#include "alloc/size_class.h"
#include "base/assertion.h"
#include "base/bits.h"

static void *held_address(const struct page_heap *heap, size_t page) {
  return (void *)(heap->base + (page << PAGE_SHIFT)); /* NOLINT: an address in our own range */
}

static struct held_run *held_at(struct quarantine *quarantine, size_t index) {
  return &quarantine->runs[(quarantine->oldest + index) % QUARANTINE_RUNS];
}

/* Adds pages to the newest run if they lie beside it. */
static bool join_run(struct quarantine *quarantine, size_t first, size_t count) {
  if (quarantine->count == 0) return false;
  struct held_run *newest = held_at(quarantine, quarantine->count - 1);
  if (newest->pages + count > QUARANTINE_JOINED_MOST) return false;
  if (first + count == newest->first) {
    newest->first = (uint32_t)first;
  } else if (first != (size_t)newest->first + newest->pages) {
    return false;
  }
  newest->pages += (uint32_t)count;
  newest->tag = quarantine->tag;
  return true;
}

bool mdn_quarantine_hold(struct page_heap *heap, size_t first, size_t count) {
  struct quarantine *quarantine = heap->quarantine;
  if (quarantine->count == QUARANTINE_RUNS && !mdn_quarantine_release(heap)) return false;
  heap->memory->decommit(heap->memory->context, held_address(heap, first), count << PAGE_SHIFT);
  if (!quarantine->protect(held_address(heap, first), count << PAGE_SHIFT)) return false;
  if (!join_run(quarantine, first, count)) {
    *held_at(quarantine, quarantine->count++) = (struct held_run){(uint32_t)first, (uint32_t)count, quarantine->tag};
  }
  bitmap_set_range(quarantine->held, first, first + count);
  bitmap_clear_range(heap->dirty, first, first + count);
  heap->used_pages -= count;
  heap->returned_pages += count;
  quarantine->pages += count;
  return true;
}

bool mdn_quarantine_release(struct page_heap *heap) {
  struct quarantine *quarantine = heap->quarantine;
  if (quarantine->count == 0) return false;
  const struct held_run *run = held_at(quarantine, 0);
  size_t bytes = (size_t)run->pages << PAGE_SHIFT;
  if (!heap->memory->commit(heap->memory->context, held_address(heap, run->first), bytes)) return false;
  bitmap_clear_range(quarantine->held, run->first, (size_t)run->first + run->pages);
  mdn_page_summary_free(&heap->summary, run->first, run->pages);
  quarantine->pages -= run->pages;
  quarantine->reused_pages += run->pages;
  quarantine->oldest = (quarantine->oldest + 1) % QUARANTINE_RUNS;
  quarantine->count--;
  return true;
}

const struct held_run *mdn_quarantine_find(const struct quarantine *quarantine, size_t page) {
  if (!bitmap_test(quarantine->held, page)) return NULL;
  for (size_t i = 0; i < quarantine->count; i++) {
    const struct held_run *run = &quarantine->runs[(quarantine->oldest + i) % QUARANTINE_RUNS];
    if (page - run->first < run->pages) return run;
  }
  return NULL;
}
