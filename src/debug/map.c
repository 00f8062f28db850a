/* Capturing what a map of the heap shows: see midden/map.h. */
#include "debug/map.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "heap/heap.h"

/* Below this size of cells, pages of one span are told apart; else the span's average stands for all of them. */
#define PAGEWISE_MOST (PAGE_BYTES / 4)

/* ---- pages ---- */

/* The percentages of one page, or of all of a span, from their words of the bitmaps. */
static void measure_cells(const struct space *space, const struct span *span, size_t word, size_t words,
                          struct map_page *page, size_t bytes) {
  const uint64_t *alloc = span_bits(space, span, space->alloc_bits) + word;
  const uint64_t *mark = span_bits(space, span, space->mark_bits) + word;
  size_t used = 0, old = 0;
  for (size_t i = 0; i < words; i++) {
    used += bits_count(alloc[i]);
    old += bits_count(alloc[i] & mark[i]);
  }
  page->full = (uint8_t)size_minimum(100, (100 * used * span->cell_size + bytes / 2) / bytes);
  page->old = (uint8_t)(used ? (100 * old + used / 2) / used : 0);
}

static bool is_pinned_kind(const struct core *core, const struct span *span) {
  return core->kinds.kinds[span->kind].flags & MIDDEN_KIND_PINNED;
}

static void note_span(midden_map *map, const struct core *core, const struct span *span, bool blocks) {
  const struct space *space = &core->space;
  struct map_page common = {.cell_size = (uint32_t)size_minimum(span->cell_size, UINT32_MAX), .kind = span->kind};
  size_t bytes = (size_t)span->page_count << PAGE_SHIFT;
  if (blocks) common.flags |= MAP_BLOCK;
  if (span_is_large(span)) common.flags |= MAP_LARGE;
  if (!blocks && (span->held || is_pinned_kind(core, span))) common.flags |= MAP_PINNED;
  if (blocks) {
    common.full = (uint8_t)(100 * span->used * span->cell_size / bytes);
  } else {
    measure_cells(space, span, 0, span_words(span), &common, bytes);
  }
  struct map_page *pages = &map->pages[span->first_page];
  bool pagewise = !blocks && !span_is_large(span) && span->cell_size <= PAGEWISE_MOST;
  for (size_t i = 0; i < span->page_count; i++) {
    pages[i] = common;
    if (pagewise) measure_cells(space, span, i * WORDS_PER_PAGE, WORDS_PER_PAGE, &pages[i], PAGE_BYTES);
  }
  pages[0].flags |= MAP_START;
}

static void note_free_pages(midden_map *map, const struct page_heap *heap) {
  for (size_t page = 0; page < map->page_count; page++) {
    if (!bitmap_test(heap->summary.free, page)) continue;
    bool returned = !bitmap_test(heap->dirty, page);
    map->pages[page].flags = (uint8_t)(MAP_FREE | (returned ? MAP_RETURNED : 0));
    map->free_pages += !returned;
    map->returned_pages += returned;
  }
}

/* What the host has pinned since the last collection, too. */
static void note_pins(midden_map *map, const struct core *core) {
  for (size_t i = 0; i < core->pins.capacity; i++) {
    uintptr_t cell = core->pins.entries[i].address;
    if (!cell) continue;
    const struct span *span = space_span_of(&core->space, cell);
    for (size_t page = 0; page < span->page_count; page++) map->pages[span->first_page + page].flags |= MAP_PINNED;
  }
}

/* ---- kinds ---- */

static void note_list(midden_map *map, const struct core *core, const struct central *central) {
  struct map_kind *kind = &map->kinds[central->kind];
  kind->objects += central->used_cells;
  kind->bytes += central->used_bytes;
  kind->pages += central->pages;
  for (const struct span *span = central->first; span; span = span->next) note_span(map, core, span, false);
}

static void note_blocks(midden_map *map, const struct core *core) {
  struct map_kind *blocks = &map->kinds[0];
  snprintf(blocks->name, sizeof blocks->name, "raw blocks");
  mdn_blocks_count(&core->blocks, &blocks->objects, &blocks->bytes, &blocks->pages);
  for (size_t i = 0; i < SIZE_CLASS_CURSORS; i++) {
    for (const struct span *span = core->blocks.classes[i].first; span; span = span->next) note_span(map, core, span, true);
  }
}

/* ---- the capture ---- */

static midden_map *reserve_map(const midden_memory *memory, size_t pages, size_t kinds) {
  size_t pages_at = round_up(sizeof(midden_map), 16), kinds_at = round_up(pages_at + pages * sizeof(struct map_page), 16);
  size_t bytes = round_up(kinds_at + kinds * sizeof(struct map_kind), 4096);
  midden_map *map = memory->reserve(memory->context, bytes);
  if (!map) return NULL;
  if (!memory->commit(memory->context, map, bytes)) {
    memory->release(memory->context, map, bytes);
    return NULL;
  }
  map->memory = *memory;
  map->bytes = bytes;
  map->page_count = pages;
  map->kind_count = kinds;
  map->pages = (struct map_page *)(void *)((char *)map + pages_at);
  map->kinds = (struct map_kind *)(void *)((char *)map + kinds_at);
  return map;
}

static void fill_map(midden_map *map, const midden_heap *heap, const char *title) {
  const struct core *core = &heap->core;
  snprintf(map->title, sizeof map->title, "%s", title);
  snprintf(map->collector, sizeof map->collector, "%s", heap->collector->name);
  map->base = core->space.base;
  map->limit_bytes = heap->config.heap_limit;
  map->collections = heap->figures.collections;
  for (size_t i = 1; i < map->kind_count; i++) {
    snprintf(map->kinds[i].name, sizeof map->kinds[i].name, "%s", core->kinds.kinds[i].name);
  }
  for (const struct central *central = core->active; central; central = central->next_active) note_list(map, core, central);
  note_blocks(map, core);
  note_free_pages(map, &core->space.pages);
  note_pins(map, core);
}

midden_map *midden_map_capture(midden_heap *heap, const char *title, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    mdn_error(error, MIDDEN_MISUSE, "midden_map_capture: not an open heap of this thread, or inside a collection");
    return NULL;
  }
  if (!title) {
    mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_map_capture: a title, such as \"before\"");
    return NULL;
  }
  midden_map *map = reserve_map(&heap->memory, heap->core.space.pages.frontier, size_maximum(heap->core.kinds.count, 1));
  if (!map) {
    mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for a map of the heap");
    return NULL;
  }
  mdn_heap_flush(heap); /* what rests in runs is free */
  fill_map(map, heap, title);
  return map;
}

void midden_map_free(midden_map *map) {
  if (!map) return;
  midden_memory memory = map->memory;
  memory.release(memory.context, map, map->bytes);
}

midden_status midden_heap_map(midden_heap *heap, const char *path, midden_error *error) {
  midden_error failure;
  midden_map *map = midden_map_capture(heap, "now", &failure);
  if (!map) {
    if (error) *error = failure;
    return failure.status;
  }
  midden_status status = midden_map_save(&map, 1, path, error);
  midden_map_free(map);
  return status;
}
