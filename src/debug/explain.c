/* What an address is, and what was there: midden_explain, and the heart of guard's reports. It reads tables and bits
 * only, never what objects hold, and takes no memory: so it may be called at any moment, in a signal handler too. */
#include <string.h>

#include "alloc/buffer_pool.h"
#include "debug/guard.h"
#include "midden/debug.h"

static const char *article(const char *noun) { return *noun && strchr("aeiou", *noun) ? "an" : "a"; }

static const char *name_of_kind(const midden_heap *heap, uint16_t kind) {
  return kind < heap->core.kinds.count ? heap->core.kinds.kinds[kind].name : "?";
}

/* ---- what was there ---- */

static void explain_collection(const struct passing *passing, struct text *text) {
  mdn_text_add(text, "collection %zu (%s)", (size_t)passing->collection, passing->collector);
}

static void explain_end(const struct history *history, const struct passing *passing, struct text *text) {
  size_t moves;
  const struct passing *last = mdn_history_follow(history, passing, &moves);
  mdn_text_add(text, " until ");
  explain_collection(passing, text);
  mdn_text_add(text, passing->to ? " moved it to %#zx" : " found it dead and freed it", (size_t)passing->to);
  if (!passing->to) return;
  if (last->to == passing->to) {
    mdn_text_add(text, ", where it is now");
  } else if (last->to) {
    mdn_text_add(text, "; it is at %#zx now, after %zu moves", (size_t)last->to, moves);
  } else {
    mdn_text_add(text, "; it was moved %zu times, and ", moves);
    explain_collection(last, text);
    mdn_text_add(text, " found it dead");
  }
}

static void explain_past(const struct guard *guard, const struct passing *passing, struct text *text) {
  const struct history *history = &guard->history;
  if (passing->kind == HISTORY_BLOCK) {
    mdn_text_add(text, "a page of blocks of %zu bytes that were given back after collection %zu", (size_t)passing->site,
                 (size_t)passing->collection);
    return;
  }
  const char *kind = name_of_kind(guard->heap, passing->kind);
  mdn_text_add(text, "%s %s of %zu bytes at %#zx", article(kind), kind, passing->size,
               (size_t)passing->from);
  explain_end(history, passing, text);
  if (!passing->site) return;
  mdn_text_add(text, "; it was ");
  mdn_sites_text(&guard->sites, passing->site, text);
}

/* "; there was ...", if anything is known. */
static void explain_history(const midden_heap *heap, uintptr_t address, struct text *text) {
  const struct guard *guard = heap->guard;
  const struct passing *passing = guard ? mdn_history_find(&guard->history, address) : NULL;
  if (passing) {
    mdn_text_add(text, "; there was ");
    explain_past(guard, passing, text);
  } else if (guard && mdn_history_forgotten(&guard->history)) {
    mdn_text_add(text, "; what was there before collection %zu is forgotten",
                 (size_t)mdn_history_forgotten(&guard->history));
  }
}

/* ---- what is there ---- */

static void explain_outside(const midden_heap *heap, uintptr_t address, struct text *text) {
  const struct space *space = &heap->core.space;
  for (const struct midden_pool *pool = heap->pools; pool; pool = pool->next) {
    uintptr_t offset = address - (uintptr_t)pool->base;
    if (offset >= pool->total_chunks * pool->chunk_bytes) continue;
    mdn_text_add(text, "%#zx, in chunk %zu of the pool %s", (size_t)address, (size_t)offset / pool->chunk_bytes, pool->name);
    return;
  }
  mdn_text_add(text, "%#zx, which is outside the heap (%#zx to %#zx)", (size_t)address, (size_t)space->base,
               (size_t)(space->base + space->extent));
}

static void explain_page(const midden_heap *heap, uintptr_t address, struct text *text) {
  const struct page_heap *pages = &heap->core.space.pages;
  size_t page = (address - heap->core.space.base) >> PAGE_SHIFT;
  const struct held_run *run = pages->quarantine ? mdn_quarantine_find(pages->quarantine, page) : NULL;
  if (run) {
    mdn_text_add(text, "%#zx, in a guarded page that came free by collection %zu", (size_t)address, (size_t)run->tag);
  } else {
    mdn_text_add(text, "%#zx, in a %s", (size_t)address, page < pages->frontier ? "free page" : "page that was never used");
  }
}

static void explain_block(const struct span *span, uintptr_t address, struct text *text) {
  size_t offset = address - span->start, block = offset / span->cell_size * span->cell_size;
  mdn_text_add(text, "%#zx, in the block of %zu bytes at %#zx (raw memory: no object; it may be that of a buffer)", (size_t)address,
               span->cell_size, (size_t)(span->start + block));
}

/* Whether allocation has yet to come to an address, in a run that it has taken already. */
static bool in_rest_of_run(const struct core *core, const struct span *span, uintptr_t address) {
  if (span_is_large(span)) return false;
  for (const struct mutator *mutator = core->mutators; mutator; mutator = mutator->next) {
    const midden_cursor *cursor = &mutator->face.cursors[span->central->cursor];
    if (address - (uintptr_t)cursor->next < (size_t)(cursor->limit - cursor->next)) return true;
  }
  return false;
}

static void explain_object(const midden_heap *heap, const struct span *span, uintptr_t cell, uintptr_t address,
                           struct text *text) {
  const char *kind = name_of_kind(heap, span->kind);
  const uint64_t *site = mdn_address_find(&heap->core.sites.table, cell);
  if (address == cell) {
    mdn_text_add(text, "%#zx, %s %s of %zu bytes", (size_t)address, article(kind), kind, span->cell_size);
  } else {
    mdn_text_add(text, "%#zx, %zu bytes into the %s of %zu bytes at %#zx", (size_t)address, (size_t)(address - cell), kind,
                 span->cell_size, (size_t)cell);
  }
  if (!site || !heap->guard) return;
  mdn_text_add(text, ", ");
  mdn_sites_text(&heap->guard->sites, *site, text);
}

void mdn_explain(const midden_heap *heap, uintptr_t address, struct text *text) {
  const struct space *space = &heap->core.space;
  if (!space_contains(space, address)) {
    explain_outside(heap, address, text);
    return;
  }
  uint64_t entry = space_page_entry(space, address);
  const struct span *span = space_entry_span(space, entry);
  if (entry >> 32 == 0) {
    explain_page(heap, address, text);
  } else if (entry & PAGE_BLOCK) {
    explain_block(span, address, text);
  } else {
    uintptr_t cell = mdn_space_cell_at(space, address);
    if (cell && !in_rest_of_run(&heap->core, span, address)) {
      explain_object(heap, span, cell, address, text);
    } else {
      mdn_text_add(text, "%#zx, in a free cell of %zu bytes for the kind %s", (size_t)address, span->cell_size,
                   name_of_kind(heap, span->kind));
    }
  }
  explain_history(heap, address, text);
}

size_t midden_explain(const midden_heap *heap, const void *address, char *text, size_t capacity) {
  if (!heap_valid(heap) || (!text && capacity > 0)) return 0;
  struct text written = mdn_text_open(text, capacity);
  mdn_explain(heap, (uintptr_t)address, &written);
  return written.length;
}
