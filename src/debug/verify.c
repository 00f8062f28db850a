/* The verifier: walks the whole heap and names the first broken invariant.
 *
 * Runs must be flushed, so that alloc bits are exact. It changes nothing. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "debug/barriers.h"
#include "debug/installers.h"
#include "debug/path.h"
#include "debug/verify_tables.h"
#include "gc/layout.h"
#include "heap/heap.h"
#include "midden/debug.h"
#include "roots/registers.h"

/* One walk. The first failure stops it: `error.status` is then CORRUPT. */
struct walk {
  midden_visitor visitor; /* first: what roots and trace functions get leads back here */
  midden_heap *heap;
  const struct core *core;
  midden_error error;
  const struct kind *kind; /* of the object being walked; NULL: a root */
  uintptr_t cell;
  uintptr_t accused;       /* the object that the failure is about; 0: none */
  bool structure_only;     /* no object is looked into */
};

static bool failed(const struct walk *walk) { return walk->error.status != MIDDEN_OK; }

#define EXPECT(walk, condition, ...)                                                    \
  do {                                                                                  \
    if (!(condition) && !failed(walk)) mdn_error(&(walk)->error, MIDDEN_CORRUPT, __VA_ARGS__); \
  } while (0)

/* ---- references ---- */

static const char *fault_of(const struct core *core, uintptr_t address) {
  const struct span *span = space_span_of(&core->space, address);
  if (span->state != SPAN_IN_USE) return "a free page";
  size_t offset = address - span->start;
  if (!span_is_large(span) && offset % span->cell_size == 0 && span_cell_at(span, offset) < span->cells) {
    return "a free cell";
  }
  return "the inside of a cell";
}

static void check_word(struct walk *walk, uintptr_t word, const void *slot) {
  const struct core *core = walk->core;
  size_t offset;
  if (failed(walk)) return;
  if (!reference_offset(&core->form, false, core->space.base, core->space.extent, word, &offset)) return;
  uintptr_t address = core->space.base + offset;
  if (mdn_space_cell_at(&core->space, address) == address) return;
  if (core->space.page_map[offset >> PAGE_SHIFT] & PAGE_BLOCK) return; /* no reference */
  if (walk->kind) {
    walk->accused = walk->cell;
    mdn_error(&walk->error, MIDDEN_CORRUPT, "the %s at %#zx holds at offset %zu the reference %#zx, which points to %s",
              walk->kind->name, (size_t)walk->cell, (size_t)((uintptr_t)slot - walk->cell), (size_t)word,
              fault_of(core, address));
  } else {
    mdn_error(&walk->error, MIDDEN_CORRUPT, "the precise root at %p holds the reference %#zx, which points to %s", slot,
              (size_t)word, fault_of(core, address));
  }
}

static void check_slot(void *walk, midden_word *slot) { check_word(walk, *slot, slot); }

static void verify_edge(midden_visitor *visitor, midden_word *slot) { check_slot(visitor, slot); }
static void verify_range(midden_visitor *visitor, midden_word *first, size_t count) {
  for (size_t i = 0; i < count; i++) check_slot(visitor, first + i);
}
static void verify_pinned(midden_visitor *visitor, uintptr_t word) {
  check_word((struct walk *)visitor, word, NULL);
}
/* What a weak slot refers to is alive, as for any other slot: or else it would have been cleared. */
static void verify_weak(midden_visitor *visitor, midden_word *slot, midden_word *companion, midden_weak strength) {
  (void)companion, (void)strength;
  check_slot(visitor, slot);
}
static void verify_ephemeron(midden_visitor *visitor, midden_word *key, midden_word *value) {
  check_slot(visitor, key);
  check_slot(visitor, value);
}
static void verify_ambiguous(midden_visitor *visitor, const midden_word *first, size_t count) {
  (void)visitor, (void)first, (void)count; /* any word is allowed */
}

static void check_cell(void *context, struct span *span, uintptr_t cell) {
  struct walk *walk = context;
  walk->cell = cell;
  layout_each(walk->kind, cell, span->cell_size, check_slot, walk, &walk->visitor);
}

/* ---- spans and lists ---- */

static void check_page_map(struct walk *walk, const struct span *span) {
  const struct space *space = &walk->core->space;
  uint64_t wanted = (uint64_t)(span - space->spans) << 32 | (uint64_t)span->size_class << 16 | span->kind |
                    span->central->map_flags | (span_is_large(span) ? PAGE_LARGE : 0);
  for (size_t page = span->first_page; page < span->first_page + span->page_count; page++) {
    EXPECT(walk, space->page_map[page] == wanted, "page %zu: the page map says %#zx, its span says %#zx", page,
           (size_t)space->page_map[page], (size_t)wanted);
  }
}

static void check_bits(struct walk *walk, const struct span *span) {
  const struct space *space = &walk->core->space;
  const uint64_t *alloc = span_bits(space, span, space->alloc_bits);
  const uint64_t *pins = span_bits(space, span, space->pin_bits);
  size_t used = 0;
  for (size_t word = 0; word < span_words(span); word++) {
    EXPECT(walk, (alloc[word] & ~span_pattern(span, word)) == 0,
           "the span at %#zx: an alloc bit where no cell starts (word %zu)", (size_t)span->start, word);
    EXPECT(walk, pins[word] == 0, "the span at %#zx: a pin bit outside a collection (word %zu)", (size_t)span->start,
           word);
    used += bits_count(alloc[word]);
  }
  EXPECT(walk, used == span->used, "the span at %#zx: %zu alloc bits are set, and it counts %u", (size_t)span->start,
         used, span->used);
  EXPECT(walk, span->pinned == 0, "the span at %#zx: %u pins outside a collection", (size_t)span->start, span->pinned);
}

static void check_span(struct walk *walk, struct central *central, struct span *span, const struct span *previous) {
  EXPECT(walk, span->state == SPAN_IN_USE && span->central == central && span->kind == central->kind &&
                   span->size_class == central->size_class,
         "the span at %#zx is in the list of another kind or class", (size_t)span->start);
  EXPECT(walk, span->previous == previous, "the span at %#zx: its list's links disagree", (size_t)span->start);
  if (failed(walk)) return;
  check_page_map(walk, span);
  check_bits(walk, span);
  if (failed(walk) || walk->structure_only || (central->map_flags & PAGE_LEAF)) return;
  walk->kind = &walk->core->kinds.kinds[span->kind];
  span_each(&walk->core->space, span, walk->core->space.alloc_bits, check_cell, walk);
  walk->kind = NULL;
}

static size_t check_list(struct walk *walk, struct central *central) {
  size_t pages = 0, spans = 0, used = 0, cells = 0;
  const struct span *previous = NULL;
  for (struct span *span = central->first; span && !failed(walk); span = span->next) {
    check_span(walk, central, span, previous);
    pages += span->page_count;
    used += span->used * span->cell_size;
    cells += span->used;
    spans++;
    previous = span;
  }
  EXPECT(walk, central->last == previous, "the list of kind %u, class %u: its last span is not at its end",
         central->kind, central->size_class);
  EXPECT(walk, central->span_count == spans, "the list of kind %u, class %u has %zu spans and counts %zu",
         central->kind, central->size_class, spans, central->span_count);
  EXPECT(walk, central->pages == pages, "the list of kind %u, class %u has %zu pages and counts %zu", central->kind,
         central->size_class, pages, central->pages);
  EXPECT(walk, central->used_cells == cells, "the list of kind %u, class %u has %zu cells in use and counts %zu",
         central->kind, central->size_class, cells, central->used_cells);
  EXPECT(walk, central->used_bytes == used, "the list of kind %u, class %u has %zu bytes in use and counts %zu",
         central->kind, central->size_class, used, central->used_bytes);
  return pages;
}

/* ---- blocks ---- */

static size_t free_blocks(const struct space *space, const struct span *span) {
  size_t count = (size_t)(span->fresh_end - span->fresh) / span->cell_size;
  for (const void *block = span->free_blocks; block; count++) block = mdn_blocks_next_free(space, block);
  return count;
}

static size_t check_block_list(struct walk *walk, size_t index) {
  struct central *central = &walk->heap->core.blocks.classes[index];
  size_t pages = 0, used = 0, counted = walk->heap->core.blocks.hot[index].used + walk->heap->core.blocks.hot[index].count;
  for (struct span *span = central->first; span && !failed(walk); span = span->next) {
    EXPECT(walk, span->central == central && span->state == SPAN_IN_USE, "the blocks at %#zx are in another's list",
           (size_t)span->start);
    check_page_map(walk, span);
    if (!span_is_large(span)) {
      size_t free = free_blocks(&walk->core->space, span);
      EXPECT(walk, span->used + free == span->cells, "of %u blocks at %#zx %u are used and %zu free", span->cells,
             (size_t)span->start, span->used, free);
    }
    pages += span->page_count;
    used += span->used;
  }
  EXPECT(walk, failed(walk) || (used == counted && pages == central->pages),
         "blocks of class %u: %zu in %zu pages, and %zu in %zu are counted", central->size_class, used, pages,
         counted, central->pages);
  return pages;
}

/* ---- pages ---- */

static void check_pages(struct walk *walk, size_t pages_in_spans) {
  const struct space *space = &walk->core->space;
  const struct page_heap *pages = &space->pages;
  size_t free = 0, dirty = 0, longest = 0, run = 0;
  for (size_t page = 0; page < pages->frontier; page++) {
    bool is_free = bitmap_test(pages->summary.free, page), is_held = bitmap_test(space->held, page);
    EXPECT(walk, (is_free || is_held) == (space->page_map[page] == PAGE_FREE) && !(is_free && is_held),
           "page %zu: page heap and page map disagree", page);
    free += is_free || is_held;
    dirty += is_free && bitmap_test(pages->dirty, page);
    run = is_free ? run + 1 : 0;
    longest = size_maximum(longest, run);
  }
  EXPECT(walk, pages_in_spans == pages->used_pages, "spans have %zu pages and the page heap counts %zu",
         pages_in_spans, pages->used_pages);
  EXPECT(walk, free + pages->used_pages == pages->frontier, "%zu free and %zu used pages do not make %zu", free,
         pages->used_pages, pages->frontier);
  EXPECT(walk, dirty == pages->dirty_pages, "%zu free pages are dirty and the page heap counts %zu", dirty,
         pages->dirty_pages);
  EXPECT(walk, longest == pages->summary.tree[1].longest, "the longest free run is %zu pages, the summary says %u",
         longest, pages->summary.tree[1].longest);
}

/* The space's totals against the lists' own counters, which check_list has compared with what there is. */
static void check_totals(struct walk *walk) {
  const struct space_totals *counted = &walk->core->space.totals;
  struct space_totals sum = {0};
  for (const struct central *central = walk->core->active; central; central = central->next_active) {
    sum.allocated_cells += central->allocated_cells;
    sum.allocated_bytes += central->allocated_cells * central->cell_size;
    sum.requested_bytes += central->allocated_cells * central->object_size;
    sum.used_cells += central->used_cells;
    sum.used_bytes += central->used_bytes;
  }
  EXPECT(walk, sum.used_cells == counted->used_cells && sum.used_bytes == counted->used_bytes,
         "the lists have %zu cells of %zu bytes in use, and %zu of %zu are counted", sum.used_cells, sum.used_bytes,
         counted->used_cells, counted->used_bytes);
  EXPECT(walk, sum.allocated_cells == counted->allocated_cells && sum.allocated_bytes == counted->allocated_bytes &&
                   sum.requested_bytes == counted->requested_bytes,
         "the lists have handed out %zu cells, and %zu are counted", (size_t)sum.allocated_cells,
         (size_t)counted->allocated_cells);
}

/* Whatever is known by address is there. `says`: what a table says of a cell. */
static void check_addresses(struct walk *walk, const struct address_table *table, const char *says) {
  for (size_t i = 0; i < table->capacity; i++) {
    uintptr_t cell = table->entries[i].address;
    EXPECT(walk, !cell || mdn_space_cell_at(&walk->core->space, cell) == cell, "%s %#zx, which is %s", says,
           (size_t)cell, fault_of(walk->core, cell));
  }
}

static void check_side_tables(struct walk *walk) {
  const struct core *core = walk->core;
  check_addresses(walk, &core->pins, "the host has pinned");
  check_addresses(walk, &core->identities.table, "there is an identity hash for");
  check_addresses(walk, &core->externals.table, "external memory is counted for");
  check_addresses(walk, &core->samples.table, "the allocation profile has a sample of");
}

static void walk_structure(struct walk *walk) {
  midden_heap *heap = walk->heap;
  size_t pages = 0;
  for (struct central *central = heap->core.active; central; central = central->next_active) {
    pages += check_list(walk, central);
  }
  for (size_t i = 0; i < SIZE_CLASS_CURSORS; i++) pages += check_block_list(walk, i);
  check_totals(walk);
  check_pages(walk, pages);
  check_side_tables(walk);
  if (!failed(walk)) mdn_verify_tables(heap, &walk->error);
}

static void walk_heap(struct walk *walk) {
  walk_structure(walk);
  mdn_core_visit_precise(&walk->heap->core, &walk->visitor);
  mdn_core_visit_others(&walk->heap->core, &walk->visitor);
  if (!failed(walk)) mdn_barriers_check(&walk->heap->core, &walk->error, &walk->accused);
  walk->heap->figures.verifications++;
}

/* ---- how the broken object is reached ---- */

/* Where the structure is broken too, no graph is made of it. post: text is empty if nothing can be said. */
static void find_way(const struct walk *failure, const struct collection *collection, char *text, size_t capacity) {
  struct walk again = {.visitor = failure->visitor, .heap = failure->heap, .core = failure->core, .structure_only = true};
  *text = 0;
  if (!failure->accused) return;
  walk_structure(&again);
  if (!failed(&again)) mdn_path_describe(failure->heap, collection, failure->accused, text, capacity);
}

/* ---- the calls ---- */

/* post: MIDDEN_OK; or CORRUPT, and *error (may be NULL) says what is broken and how the object is reached. */
static midden_status walk_and_describe(midden_heap *heap, const struct collection *collection, midden_error *error) {
  struct walk walk = {
      .visitor = {verify_edge, verify_pinned, verify_range, verify_ambiguous, verify_weak, verify_ephemeron},
      .heap = heap,
      .core = &heap->core};
  walk_heap(&walk);
  if (!failed(&walk) || !error) return walk.error.status;
  *error = walk.error;
  size_t length = strlen(error->message), room = sizeof error->message - length;
  char way[sizeof error->message];
  find_way(&walk, collection, way, sizeof way);
  if (*way && room > 2) {
    memcpy(error->message + length, "; ", 2);
    memcpy(error->message + length + 2, way, size_minimum(strlen(way) + 1, room - 2));
    error->message[sizeof error->message - 1] = 0;
  }
  return walk.error.status;
}

struct verification {
  midden_heap *heap;
  midden_error *error;
  midden_status status;
};

static __attribute__((noinline)) void verify_with_registers(void *context, const midden_word *registers, size_t count) {
  struct verification *verification = context;
  midden_heap *heap = verification->heap;
  struct collection collection = {&heap->core, __builtin_frame_address(0), registers, count, false};
  heap->collecting = true;
  mdn_heap_open_cells(heap);
  verification->status = walk_and_describe(heap, &collection, verification->error);
  mdn_heap_close_cells(heap);
  heap->collecting = false;
}

midden_status midden_verify(midden_heap *heap, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    return mdn_error(error, MIDDEN_MISUSE, "midden_verify: not an open heap of this thread, or inside a collection");
  }
  mdn_heap_flush(heap);
  struct verification verification = {heap, error, MIDDEN_OK};
  mdn_registers_call(verify_with_registers, &verification);
  return verification.status;
}

static midden_status verify_and_report(midden_heap *heap, const char *when, const struct collected *collected) {
  midden_error error;
  midden_status status = walk_and_describe(heap, collected->collection, &error);
  if (status != MIDDEN_OK) {
    mdn_heap_report(heap, true, "midden: verify %s collection %llu: %s", when, (unsigned long long)collected->number,
                    error.message);
  }
  return status;
}

static midden_status verify_before(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  (void)observer;
  return verify_and_report(heap, "before", collected);
}

static midden_status verify_after(struct observer *observer, midden_heap *heap, const struct collected *collected) {
  (void)observer;
  return verify_and_report(heap, "after", collected);
}

midden_status mdn_verifier_install(midden_heap *heap, midden_error *error) {
  if (heap->config.verify == MIDDEN_VERIFY_OFF) return MIDDEN_OK;
  struct observer *verifier = mdn_observer_new(heap, sizeof *verifier, error);
  if (!verifier) return MIDDEN_NO_MEMORY;
  if (heap->config.verify & MIDDEN_VERIFY_BEFORE) verifier->before = verify_before;
  if (heap->config.verify & MIDDEN_VERIFY_AFTER) verifier->after = verify_after;
  mdn_observer_add(heap, verifier);
  return MIDDEN_OK;
}
