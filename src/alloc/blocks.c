/* Blocks: see blocks.h. */
#include "alloc/blocks.h"

#include <string.h>

#include "alloc/watch.h"
#include "base/assertion.h"
#include "midden/allocate.h"
#include "midden/debug.h"

/* How many blocks may wait: a few kilobytes of each size. */
#define WAITING_BYTES ((size_t)8 << 10)
#define WAITING_MOST 64
#define WAITING_LEAST 4

void mdn_blocks_open(struct block_store *store, uintptr_t poison) {
  store->poison = poison;
  for (unsigned i = 0; i < SIZE_CLASS_CURSORS; i++) {
    store->classes[i] = (struct central){
        .cell_size = i == SIZE_CLASS_LARGE ? 0 : midden_class_size[i],
        .size_class = (uint8_t)i,
        .map_flags = PAGE_LEAF | PAGE_BLOCK,
    };
    if (i == SIZE_CLASS_LARGE || poison) continue;
    store->hot[i].most = (uint32_t)size_maximum(size_minimum(WAITING_BYTES / midden_class_size[i], WAITING_MOST), WAITING_LEAST);
  }
}

void mdn_blocks_watch(struct block_store *store) {
  for (unsigned i = 0; i < SIZE_CLASS_CURSORS; i++) store->hot[i].most = 0;
}

static struct span *add_span(struct space *space, struct central *central, size_t *fresh_bytes) {
  struct span *span = mdn_central_grow(space, central, central->span_count == 0);
  if (!span) return NULL;
  span->fresh = (char *)span->start;
  span->fresh_end = span->fresh + (size_t)span->cells * span->cell_size;
  span->offer_at = span->cells - size_maximum(span->cells / BLOCKS_OFFER_SHARE, 1);
  *fresh_bytes = (size_t)span->page_count << PAGE_SHIFT;
  return span;
}

/* A span that has a block to give although it was not offered: when no pages can be had. */
static struct span *any_span(struct central *central) {
  struct span *span = central->first;
  while (span && span->used == span->cells) span = span->next;
  return span;
}

/* The current span is full, or there is none: makes another one current. The one that has been available longest
 * has had most time to become emptier. */
static struct span *next_span(struct space *space, struct block_store *store, unsigned size_class, size_t *fresh_bytes) {
  struct central *central = &store->classes[size_class];
  struct span *span = central->available;
  if (!span) span = add_span(space, central, fresh_bytes);
  if (!span) {
    mdn_blocks_trim(space, store); /* other sizes may keep pages */
    span = central->available ? central->available : add_span(space, central, fresh_bytes);
  }
  if (!span) span = any_span(central);
  if (!span) return NULL;
  mdn_central_withdraw(central, span);
  if (store->empty[size_class] == span) store->empty[size_class] = NULL;
  store->hot[size_class].current = span;
  return span;
}

static void *take_large_block(struct space *space, struct block_store *store, size_t size, size_t *fresh_bytes) {
  struct central *central = &store->classes[SIZE_CLASS_LARGE];
  if (size > space->extent) return NULL;
  struct span *span = mdn_central_grow_large(space, central, size);
  if (!span) {
    mdn_blocks_trim(space, store);
    span = mdn_central_grow_large(space, central, size);
  }
  if (!span) return NULL;
  span->used = 1;
  if (space_is_watched(space)) mdn_watch_cell_taken(space, span->start, size, false);
  store->hot[SIZE_CLASS_LARGE].used++;
  central->used_bytes += span->cell_size;
  *fresh_bytes = span->cell_size;
  return (void *)span->start;
}

/* A word of a block, which may be hidden, or never have been written. */
static __attribute__((noinline, no_sanitize("address"))) uintptr_t peek(const struct space *space, const void *word) {
  enum memory_checker checker = space->pages.checker;
  if (checker != CHECKER_MEMCHECK) return *(const midden_word *)word;
  mdn_checker_mute(checker, true);
  midden_word value = *(const midden_word *)word;
  mdn_checker_show(checker, &value, sizeof value, true);
  mdn_checker_mute(checker, false);
  return value;
}

void *mdn_blocks_next_free(const struct space *space, const void *block) { return (void *)peek(space, block); }

/* A block of the span: given back before, or never handed out. post: NULL if it is full. */
static void *take_from_span(const struct space *space, struct span *span) {
  char *block = span->free_blocks;
  if (block) {
    span->free_blocks = mdn_blocks_next_free(space, block);
  } else {
    if (span->fresh == span->fresh_end) return NULL;
    block = span->fresh;
    span->fresh += span->cell_size;
  }
  span->used++;
  return block;
}

void *mdn_blocks_take_slow(struct space *space, struct block_store *store, size_t size, size_t *fresh_bytes) {
  if (size > SIZE_CLASS_LARGEST) return take_large_block(space, store, size, fresh_bytes);
  unsigned size_class = mdn_class_of(size);
  struct block_class *class = &store->hot[size_class];
  void *block = class->waiting;
  if (block) { /* of a size that the quick path does not know */
    class->waiting = *(void **)block;
    class->count--;
  } else {
    block = class->current ? take_from_span(space, class->current) : NULL;
    if (!block) {
      struct span *span = next_span(space, store, size_class, fresh_bytes);
      if (!span) return NULL;
      block = take_from_span(space, span);
    }
  }
  class->used++;
  if (space_is_watched(space)) mdn_watch_cell_taken(space, (uintptr_t)block, size, false);
  return block;
}

size_t mdn_blocks_size(const struct space *space, const void *block) {
  if (!space_contains(space, (uintptr_t)block)) return 0;
  uint64_t entry = space_page_entry(space, (uintptr_t)block);
  if (!(entry & PAGE_BLOCK)) return 0;
  return entry & PAGE_LARGE ? space_entry_span(space, entry)->cell_size : midden_class_size[(entry >> 16) & 0xff];
}

/* Marks may have been set by words that look like references; whoever gets the pages next must not see them. post:
 * the bytes that have gone to the page heap. */
static size_t release_span(struct space *space, struct central *central, struct span *span) {
  memset(span_bits(space, span, space->mark_bits), 0, span_words(span) * sizeof(uint64_t));
  size_t bytes = (size_t)span->page_count << PAGE_SHIFT;
  mdn_central_remove(central, span);
  mdn_space_give_span(space, span);
  return bytes;
}

/* The span has become empty, or free enough to be offered. */
static size_t settle_span(struct space *space, struct block_store *store, struct span *span) {
  struct central *central = &store->classes[span->size_class];
  struct span **empty = &store->empty[span->size_class];
  /* One is kept: else taking and giving one block could take and give pages. */
  if (span->used == 0 && *empty) return release_span(space, central, span);
  mdn_central_withdraw(central, span);
  mdn_central_offer(central, span, false); /* empty ones go last, too */
  if (span->used == 0) *empty = span;
  return 0;
}

static size_t give_to_span(struct space *space, struct block_store *store, void *block) {
  struct span *span = space_span_of(space, (uintptr_t)block);
  CHECK(span->used > 0);
  if (space_is_watched(space)) mdn_checker_show(space->pages.checker, block, sizeof(void *), true);
  *(void **)block = span->free_blocks;
  if (space_is_watched(space)) mdn_watch_cell_given(space, (uintptr_t)block);
  span->free_blocks = block;
  uint32_t used = --span->used;
  if (used > span->offer_at || span == store->hot[span->size_class].current) return 0;
  if (span->available && used > 0) return 0;
  return settle_span(space, store, span);
}

/* Whether a block is among the free ones of its span. */
static bool is_free(const struct space *space, const struct span *span, const void *block) {
  const void *at = span->free_blocks;
  while (at && at != block) at = mdn_blocks_next_free(space, at);
  return at != NULL;
}

bool mdn_blocks_in_use(const struct space *space, const struct block_store *store, const void *block) {
  const struct span *span = space_span_of(space, (uintptr_t)block);
  if (span_is_large(span)) return (uintptr_t)block == span->start;
  size_t offset = (uintptr_t)block - span->start;
  if (offset % span->cell_size != 0 || (const char *)block >= span->fresh) return false;
  if (space_is_watched(space)) return !is_free(space, span, block); /* nothing is quick there */
  /* The word behind the link says whether it is worth while to look. */
  return !store->poison || peek(space, (const uintptr_t *)block + 1) != store->poison || !is_free(space, span, block);
}

static void poison_block(const struct space *space, void *block, size_t bytes, uintptr_t poison) {
  uintptr_t *words = block;
  if (space_is_watched(space)) mdn_watch_cell_extended(space, (uintptr_t)block);
  if (peek(space, words + 1) == MIDDEN_POISON_BUFFER) return; /* a buffer's: it is filled already, with what says so */
  for (size_t i = 1; i < bytes / sizeof *words; i++) words[i] = poison;
}

/* Gives the blocks that wait to their spans, the latest `kept` of them excepted. post: bytes of pages. */
static size_t flush_waiting(struct space *space, struct block_store *store, struct block_class *class, uint32_t kept) {
  void **link = &class->waiting;
  for (uint32_t i = 0; i < kept && *link; i++) link = *link;
  void *block = *link;
  *link = NULL;
  if (class->count > kept) class->count = kept;
  size_t bytes = 0;
  while (block) {
    void *next = *(void **)block;
    bytes += give_to_span(space, store, block);
    block = next;
  }
  return bytes;
}

size_t mdn_blocks_give_slow(struct space *space, struct block_store *store, unsigned size_class, void *block) {
  struct block_class *class = &store->hot[size_class];
  if (class->most == 0 && !mdn_blocks_in_use(space, store, block)) return BLOCKS_REFUSED;
  if (store->poison) poison_block(space, block, mdn_blocks_size(space, block), store->poison);
  if (size_class == SIZE_CLASS_LARGE) {
    struct span *span = space_span_of(space, (uintptr_t)block);
    store->classes[size_class].used_bytes -= span->cell_size;
    class->used--;
    return release_span(space, &store->classes[size_class], span);
  }
  if (class->waiting == block) return BLOCKS_REFUSED;
  if (class->most == 0) { /* nothing waits */
    class->used--;
    return give_to_span(space, store, block);
  }
  size_t bytes = flush_waiting(space, store, class, class->most / 2);
  *(void **)block = class->waiting;
  class->waiting = block;
  class->count++;
  class->used--;
  return bytes;
}

void mdn_blocks_trim(struct space *space, struct block_store *store) {
  for (unsigned i = 0; i < SIZE_CLASS_COUNT; i++) {
    flush_waiting(space, store, &store->hot[i], 0);
    if (store->empty[i]) release_span(space, &store->classes[i], store->empty[i]);
    store->empty[i] = NULL;
    if (!store->hot[i].current || store->hot[i].current->used > 0) continue;
    release_span(space, &store->classes[i], store->hot[i].current);
    store->hot[i].current = NULL;
  }
}

void mdn_blocks_count(const struct block_store *store, size_t *blocks, size_t *bytes, size_t *pages) {
  *blocks = *bytes = *pages = 0;
  for (unsigned i = 0; i < SIZE_CLASS_CURSORS; i++) {
    const struct central *central = &store->classes[i];
    *blocks += store->hot[i].used;
    *bytes += i == SIZE_CLASS_LARGE ? central->used_bytes : store->hot[i].used * central->cell_size;
    *pages += central->pages;
  }
}
