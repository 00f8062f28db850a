/* Blocks: memory that is given back by hand, in the same spans, pages and limit as objects, but in lists that no
 * collector knows. Their pages are flagged as leaves and as blocks, and have no alloc bits: so no ambiguous word
 * finds anything in them, and a reference into one marks a bit that nobody reads.
 *
 * Each span has its own list of free blocks, linked through them, and counts those in use (as mimalloc's pages do:
 * Leijen, Zorn, de Moura 2019): giving back is a push, and a span is known to be empty at once. */
#ifndef MIDDEN_ALLOC_BLOCKS_H
#define MIDDEN_ALLOC_BLOCKS_H

#include "alloc/central.h"
#include "midden/allocate.h"

/* A span is offered again when an eighth of its blocks are free, so that the slow path is taken once for as many:
 * where as much is given back as taken, in order, a span offered at its first free block would be taken up for one. */
#define BLOCKS_OFFER_SHARE 8

/* Invariant: of the spans of a class, one is current, or none; of the others, those that are at least an eighth free
 * are available. At most one of the available ones is empty. What is given back waits in a short list of its class,
 * because it is the likeliest to be in the processor's cache when the next is taken (as in tcmalloc and glibc); its
 * span still counts it as used, and hears of it when the list is full. */
struct block_store {
  struct block_class {
    void *waiting;     /* linked through the blocks */
    uint32_t count, most; /* of these */
    struct span *current;
    size_t used;       /* by the host */
  } hot[SIZE_CLASS_CURSORS];
  struct central classes[SIZE_CLASS_CURSORS]; /* by class; the last: large blocks */
  struct span *empty[SIZE_CLASS_CURSORS];     /* the available one that is empty, or NULL */
  uintptr_t poison;  /* what is given back is filled with it, and checked; then nothing waits, so all goes the slow way. 0: off */
};

void mdn_blocks_open(struct block_store *store, uintptr_t poison);
/* For a watched space: no blocks wait, so that all of them come by the functions below. pre: none was taken. */
void mdn_blocks_watch(struct block_store *store);

/* What the quick paths below leave to these. */
void *mdn_blocks_take_slow(struct space *space, struct block_store *store, size_t size, size_t *fresh_bytes);
size_t mdn_blocks_give_slow(struct space *space, struct block_store *store, unsigned size_class, void *block);

/* A block of at least `size` bytes, content undefined. post: NULL if pages are refused; *fresh_bytes: what was taken
 * of the page heap for it, 0 mostly. */
static inline void *blocks_take(struct space *space, struct block_store *store, size_t size, size_t *fresh_bytes) {
  *fresh_bytes = 0;
  if (__builtin_expect(size > MIDDEN_SMALL_LOOKUP, 0)) return mdn_blocks_take_slow(space, store, size, fresh_bytes);
  unsigned size_class = midden_class_of_eighth[(size + 7) >> 3];
  struct block_class *class = &store->hot[size_class];
  void *block = class->waiting;
  if (__builtin_expect(!block, 0)) return mdn_blocks_take_slow(space, store, size, fresh_bytes);
  class->waiting = *(void **)block;
  class->count--;
  class->used++;
  return block;
}

/* The next of the free blocks of a span, which are linked through them. */
void *mdn_blocks_next_free(const struct space *space, const void *block);

/* The size of a block. post: 0 if `block` is not in a page of blocks. */
size_t mdn_blocks_size(const struct space *space, const void *block);

/* Whether an address in a page of blocks is that of a block in use, as far as can be told: it is where a block starts that was
 * handed out once; and with `poison` it is not free, unless someone has written to it since it was given back. */
bool mdn_blocks_in_use(const struct space *space, const struct block_store *store, const void *block);

#define BLOCKS_REFUSED SIZE_MAX

/* Gives a block back. `entry`: its page's. pre: PAGE_BLOCK is set in it. post: the bytes that have gone to the page
 * heap, 0 mostly; or BLOCKS_REFUSED, and nothing has changed: it was given back just before, or is known not to be in use (of
 * small ones only with `poison`). */
static inline size_t blocks_give(struct space *space, struct block_store *store, uint64_t entry, void *block) {
  unsigned size_class = (entry >> 16) & 0xff;
  struct block_class *class = &store->hot[size_class];
  if (__builtin_expect(class->count == class->most, 0)) return mdn_blocks_give_slow(space, store, size_class, block);
  if (__builtin_expect(class->waiting == block, 0)) return BLOCKS_REFUSED;
  *(void **)block = class->waiting;
  class->waiting = block;
  class->count++;
  class->used--;
  return 0;
}

/* Gives back the waiting blocks and the empty spans that were kept. */
void mdn_blocks_trim(struct space *space, struct block_store *store);

/* Blocks in use, their bytes, and the pages of all spans. */
void mdn_blocks_count(const struct block_store *store, size_t *blocks, size_t *bytes, size_t *pages);

#endif
