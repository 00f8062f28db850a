/* The space: reserving the range, spans in and out. See space.h. */
#include "alloc/space.h"

#include <string.h>

#include "alloc/central.h"
#include "alloc/quarantine.h"
#include "alloc/watch.h"
#include "base/assertion.h"

/* Where each table starts in the reservation, for a range of `pages` pages. */
struct plan {
  size_t page_map, alloc_bits, mark_bits, pin_bits, ranks, spans, free, dirty, held, freed_at, bare_groups, pinned_groups, tree, end;
  size_t leaves;
};

static size_t place(size_t *end, size_t bytes) {
  size_t offset = *end;
  *end += round_up(bytes, 4096);
  return offset;
}

static struct plan plan_tables(size_t pages) {
  struct plan plan = {.leaves = mdn_page_summary_leaves(pages)};
  size_t covered = plan.leaves * SUMMARY_CHUNK; /* the summary reads whole chunks */
  size_t end = pages << PAGE_SHIFT;
  size_t bitmap = pages * GRANULES_PER_PAGE / 8;
  plan.page_map = place(&end, pages * sizeof(uint64_t));
  plan.alloc_bits = place(&end, bitmap);
  plan.mark_bits = place(&end, bitmap);
  plan.pin_bits = place(&end, bitmap);
  plan.ranks = place(&end, pages * WORDS_PER_PAGE * sizeof(uint16_t));
  plan.spans = place(&end, (pages + 1) * sizeof(struct span));
  plan.free = place(&end, covered / 8);
  plan.dirty = place(&end, covered / 8);
  plan.held = place(&end, covered / 8);
  plan.freed_at = place(&end, plan.leaves * sizeof(uint64_t));
  plan.bare_groups = place(&end, (covered / GROUP_PAGES + 63) / 64 * sizeof(uint64_t));
  plan.pinned_groups = place(&end, (covered / GROUP_PAGES + 63) / 64 * sizeof(uint64_t));
  plan.tree = place(&end, 2 * plan.leaves * sizeof(struct run_summary));
  plan.end = end;
  return plan;
}

/* Reserves the range and its tables, and makes the tables usable. The system backs them as they are
 * touched, so a large range costs address space only. */
static bool reserve(struct space *space, size_t pages) {
  const midden_memory *memory = space->memory;
  struct plan plan = plan_tables(pages);
  size_t bytes = plan.end + PAGE_BYTES; /* room to align the cells to a page of ours */
  void *reservation = memory->reserve(memory->context, bytes);
  if (!reservation) return false;
  uintptr_t base = round_up((uintptr_t)reservation, PAGE_BYTES);
  char *start = (char *)reservation + (base - (uintptr_t)reservation);
  size_t cells = pages << PAGE_SHIFT;
  if (!memory->commit(memory->context, start + cells, plan.end - cells)) {
    memory->release(memory->context, reservation, bytes);
    return false;
  }
  space->reservation = reservation;
  space->reservation_bytes = bytes;
  space->base = base;
  space->extent = cells;
  space->page_map = (uint64_t *)(void *)(start + plan.page_map);
  space->alloc_bits = (uint64_t *)(void *)(start + plan.alloc_bits);
  space->mark_bits = (uint64_t *)(void *)(start + plan.mark_bits);
  space->pin_bits = (uint64_t *)(void *)(start + plan.pin_bits);
  space->ranks = (uint16_t *)(void *)(start + plan.ranks);
  space->spans = (struct span *)(void *)(start + plan.spans);
  space->bare_groups = (uint64_t *)(void *)(start + plan.bare_groups);
  space->pinned_groups = (uint64_t *)(void *)(start + plan.pinned_groups);
  space->span_capacity = pages + 1;
  space->span_frontier = 1;
  struct page_heap *heap = &space->pages;
  heap->summary.free = (uint64_t *)(void *)(start + plan.free);
  heap->summary.tree = (struct run_summary *)(void *)(start + plan.tree);
  heap->summary.leaves = plan.leaves;
  heap->dirty = (uint64_t *)(void *)(start + plan.dirty);
  space->held = (uint64_t *)(void *)(start + plan.held);
  heap->freed_at = (uint64_t *)(void *)(start + plan.freed_at);
  heap->memory = memory;
  heap->base = base;
  heap->pages = pages;
  return true;
}

midden_status mdn_space_open(struct space *space, const midden_memory *memory, size_t least, size_t wanted,
                             size_t limit, bool leave) {
  memset(space, 0, sizeof *space);
  space->memory = memory;
  size_t least_pages = round_up(least, PAGE_BYTES) >> PAGE_SHIFT;
  size_t pages = size_maximum(wanted >> PAGE_SHIFT, least_pages);
  while (!reserve(space, pages)) {
    if (pages == least_pages) return MIDDEN_NO_MEMORY;
    pages = size_maximum(pages / 2, least_pages);
  }
  if (leave && pages > least_pages && pages < wanted >> PAGE_SHIFT) {
    memory->release(memory->context, space->reservation, space->reservation_bytes);
    memset(space, 0, sizeof *space);
    space->memory = memory;
    if (!reserve(space, size_maximum(pages / 2, least_pages))) return MIDDEN_NO_MEMORY;
    pages = space->pages.pages;
  }
  space->pages.limit_pages = size_minimum(limit >> PAGE_SHIFT, pages);
  return MIDDEN_OK;
}

void mdn_space_close(struct space *space) {
  if (space->reservation) {
    mdn_watch_end(space);
    space->memory->release(space->memory->context, space->reservation, space->reservation_bytes);
  }
  memset(space, 0, sizeof *space);
}

static struct span *take_descriptor(struct space *space) {
  struct span *span = space->unused_spans;
  if (span) {
    space->unused_spans = span->next;
    space->unused_span_count--;
    return span;
  }
  /* One for each page suffices: a span has at least one. */
  CHECK(space->span_frontier < space->span_capacity);
  return &space->spans[space->span_frontier++];
}

/* Pages of these groups come into use: their bitmaps are backed by the system as they are touched. */
static void back_tables(struct space *space, size_t first, size_t pages) {
  if (space->bare_group_count == 0) return;
  for (size_t group = first / GROUP_PAGES; group <= (first + pages - 1) / GROUP_PAGES; group++) {
    space->bare_group_count -= bitmap_test(space->bare_groups, group);
    bitmap_clear(space->bare_groups, group);
  }
}

struct span *mdn_space_take_span(struct space *space, uint16_t kind, unsigned size_class, size_t cell_size,
                                 size_t pages, uint64_t map_flags) {
  bool zero = false;
  size_t first = mdn_page_heap_take(&space->pages, pages, &zero);
  if (first == NO_PAGE) return NULL;
  struct span *span = take_descriptor(space);
  back_tables(space, first, pages);
  bool large = size_class == SIZE_CLASS_LARGE;
  *span = (struct span){
      .start = space->base + (first << PAGE_SHIFT),
      .cell_size = large ? pages << PAGE_SHIFT : cell_size,
      .first_page = (uint32_t)first,
      .page_count = (uint32_t)pages,
      .cells = large ? 1 : (uint32_t)((pages << PAGE_SHIFT) / cell_size),
      .reciprocal = large ? 0 : mdn_class_reciprocal[size_class],
      .zero_from = zero ? 0 : large ? 1 : (uint32_t)(pages * GRANULES_PER_PAGE),
      .kind = kind,
      .size_class = (uint8_t)size_class,
      .state = SPAN_IN_USE,
      .pattern = large ? NULL : mdn_class_pattern(size_class),
  };
  uint64_t entry = (uint64_t)(span - space->spans) << 32 | (uint64_t)size_class << 16 | kind | map_flags |
                   (large ? PAGE_LARGE : 0);
  for (size_t page = first; page < first + pages; page++) space->page_map[page] = entry;
  if (space_is_watched(space)) mdn_watch_span_taken(space, span);
  return span;
}

/* What becomes of objects is known from collections; nobody else tells of blocks. */
static void tell_of_blocks(const struct quarantine *quarantine, const struct span *span) {
  size_t bytes = (size_t)span->page_count << PAGE_SHIFT;
  if (!(span->central->map_flags & PAGE_BLOCK)) return;
  quarantine->blocks_freed(quarantine->context, span->start, bytes, span->cell_size);
}

void mdn_space_give_span(struct space *space, struct span *span) {
  CHECK(span->state == SPAN_IN_USE && span->pinned == 0);
  if (space_is_watched(space)) mdn_watch_span_given(space, span);
  for (size_t page = 0; page < span->page_count; page++) space->page_map[span->first_page + page] = PAGE_FREE;
  if (space->pages.quarantine) tell_of_blocks(space->pages.quarantine, span);
  mdn_page_heap_give(&space->pages, span->first_page, span->page_count, space->now);
  span->state = SPAN_UNUSED;
  span->central = NULL;
  span->next = space->unused_spans;
  space->unused_spans = span;
  space->unused_span_count++;
}

#define GROUP_BITMAP_BYTES (GROUP_PAGES * GRANULES_PER_PAGE / 8)
#define CHUNK_RANK_BYTES ((size_t)SUMMARY_CHUNK * WORDS_PER_PAGE * sizeof(uint16_t))
#define GROUPS_PER_CHUNK (SUMMARY_CHUNK / GROUP_PAGES)

/* Gives back the bitmaps of groups in which every page is free: their bits are zero, and read so afterwards. The
 * ranks of a group are less than a page of the system: they go by whole chunks. */
static void bare_groups(struct space *space, size_t first, size_t end) {
  const midden_memory *memory = space->memory;
  uint64_t *bitmaps[] = {space->alloc_bits, space->mark_bits, space->pin_bits};
  for (size_t i = 0; i < sizeof bitmaps / sizeof bitmaps[0]; i++) {
    memory->decommit(memory->context, (char *)bitmaps[i] + first * GROUP_BITMAP_BYTES, (end - first) * GROUP_BITMAP_BYTES);
  }
  size_t chunk = round_up(first, GROUPS_PER_CHUNK) / GROUPS_PER_CHUNK, last = end / GROUPS_PER_CHUNK;
  if (chunk < last) {
    memory->decommit(memory->context, (char *)space->ranks + chunk * CHUNK_RANK_BYTES, (last - chunk) * CHUNK_RANK_BYTES);
  }
  for (size_t group = first; group < end; group++) {
    space->pinned_group_count -= bitmap_test(space->pinned_groups, group);
    bitmap_clear(space->pinned_groups, group);
    bitmap_set(space->bare_groups, group);
  }
  space->bare_group_count += end - first;
}

static bool can_be_bare(const struct space *space, size_t group) {
  const struct page_heap *heap = &space->pages;
  return (group + 1) * GROUP_PAGES <= heap->frontier && (heap->summary.free[group] | space->held[group]) == ~UINT64_C(0) &&
         heap->dirty[group] == 0 && !bitmap_test(space->bare_groups, group);
}

static void return_tables(struct space *space) {
  size_t groups = space->pages.frontier / GROUP_PAGES;
  for (size_t group = 0; group < groups; group++) {
    size_t first = group;
    while (can_be_bare(space, group)) group++;
    if (group > first) bare_groups(space, first, group);
  }
}

/* Lowers the frontier of the descriptors below those at its end that are unused, and links the others anew,
 * lowest first, so that the table stays short. */
static void shorten_span_table(struct space *space) {
  size_t before = space->span_frontier;
  while (space->span_frontier > 1 && space->spans[space->span_frontier - 1].state == SPAN_UNUSED) space->span_frontier--;
  space->unused_spans = NULL;
  space->unused_span_count = 0;
  for (size_t i = space->span_frontier; i-- > 1;) {
    if (space->spans[i].state != SPAN_UNUSED) continue;
    space->spans[i].next = space->unused_spans;
    space->unused_spans = &space->spans[i];
    space->unused_span_count++;
  }
  uintptr_t low = round_up((uintptr_t)&space->spans[space->span_frontier], 4096);
  uintptr_t high = round_up((uintptr_t)&space->spans[before], 4096);
  if (low < high) space->memory->decommit(space->memory->context, (void *)low, high - low);
}

size_t mdn_space_return(struct space *space, uint64_t before, bool all) {
  struct page_heap *heap = &space->pages;
  size_t returned = mdn_page_heap_return(heap, before);
  if (returned > 0 || all) return_tables(space);
  if (all && space->unused_span_count > space->span_frontier / 2) shorten_span_table(space);
  return returned;
}

size_t mdn_space_metadata_bytes(const struct space *space) {
  size_t pages = space->pages.frontier;
  size_t chunks = (pages + SUMMARY_CHUNK - 1) / SUMMARY_CHUNK;
  size_t page_tables = pages * sizeof(uint64_t) + pages / 4 + chunks * (2 * sizeof(struct run_summary) + sizeof(uint64_t));
  size_t bitmaps = 2 * pages * (GRANULES_PER_PAGE / 8) - space->bare_group_count * 2 * GROUP_BITMAP_BYTES;
  size_t pins = space->pinned_group_count * GROUP_BITMAP_BYTES;
  return page_tables + bitmaps + pins + space->span_frontier * sizeof(struct span);
}

uintptr_t mdn_space_cell_at(const struct space *space, uintptr_t address) {
  if (!space_contains(space, address)) return 0;
  const struct span *span = space_span_of(space, address);
  if (span->state != SPAN_IN_USE) return 0; /* span 0 stands for free pages */
  size_t offset = 0;
  if (!span_is_large(span)) {
    size_t cell = span_cell_at(span, address - span->start);
    if (cell >= span->cells) return 0;
    offset = cell * span->cell_size;
  }
  uintptr_t start = span->start + offset;
  return bitmap_test(space->alloc_bits, space_granule(space, start)) ? start : 0;
}

void mdn_space_set_flag(struct space *space, const struct span *span, uint64_t flag, bool on) {
  uint64_t *entry = &space->page_map[span->first_page];
  for (size_t page = 0; page < span->page_count; page++) entry[page] = on ? entry[page] | flag : entry[page] & ~flag;
}
