/* Blocks: memory that is given back by hand, in the same spans, pages and limit as objects, but in lists that no
 * collector knows. Their pages are flagged as leaves and as blocks, and have no alloc bits: so no ambiguous word
 * finds anything in them, and a reference into one marks a bit that nobody reads.
 *
 * Each span has its own list of free blocks, linked through them, and counts those in use (as mimalloc's pages do:
 * Leijen, Zorn, de Moura 2019): giving back is a push, and a span is known to be empty at once. */
#ifndef MIDDEN_ALLOC_BLOCKS_H
#define MIDDEN_ALLOC_BLOCKS_H

#include "alloc/central.h"

/* Invariant: of the spans of a class, one is current, or none; those with a block to give, but for the current one,
 * are available; the others are full. At most one of the available ones is empty. */
struct block_store {
  struct central classes[SIZE_CLASS_CURSORS]; /* by class; the last: large blocks */
  struct span *current[SIZE_CLASS_CURSORS];
  struct span *empty[SIZE_CLASS_CURSORS]; /* the available one that is empty, or NULL */
};

void mdn_blocks_open(struct block_store *store);

/* A block of at least `size` bytes, content undefined. post: NULL if pages are refused; *fresh_bytes: what was taken
 * of the page heap for it, 0 mostly. */
void *mdn_blocks_take(struct space *space, struct block_store *store, size_t size, size_t *fresh_bytes);

/* The size of a block. post: 0 if `block` is not in a page of blocks. */
size_t mdn_blocks_size(const struct space *space, const void *block);

/* Gives a block back. pre: mdn_blocks_size is not 0. post: the bytes that have gone to the page heap, 0 mostly. */
size_t mdn_blocks_give(struct space *space, struct block_store *store, void *block);

/* Gives back the empty spans that were kept. */
void mdn_blocks_trim(struct space *space, struct block_store *store);

/* Blocks in use, their bytes, and the pages of all spans. */
void mdn_blocks_count(const struct block_store *store, size_t *blocks, size_t *bytes, size_t *pages);

#endif
