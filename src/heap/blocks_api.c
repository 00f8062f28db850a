/* Raw blocks: the public calls, over src/alloc/blocks. */
#include <string.h>

#include "alloc/watch.h"
#include "heap/heap.h"
#include "midden/block.h"

/* Blocks come and go more often than anything else here is called: the full check, with the thread, is left to the
 * calls that take pages. */
static inline bool block_enter(const midden_mutator *face) {
  return face && face->signature == MUTATOR_SIGNATURE;
}

static __attribute__((noinline)) void *refuse(midden_mutator *face, midden_status status) {
  if (face) mutator_of(face)->last_status = status;
  return NULL;
}

/* Pages that blocks have taken are room that the next collection has to make up for. */
static __attribute__((noinline)) void *count_pages(struct mutator *mutator, void *block, size_t bytes) {
  if (!block) {
    heap_note_refusal(mutator->heap);
    return refuse(&mutator->face, MIDDEN_NO_MEMORY);
  }
  mutator->heap->pacing.allocated += bytes;
  return block;
}

void *midden_block_alloc(midden_mutator *face, size_t size) {
  if (__builtin_expect(!block_enter(face), 0)) return refuse(face, MIDDEN_MISUSE);
  struct mutator *mutator = mutator_of(face);
  struct core *core = mutator->core;
  if (__builtin_expect(mutator->heap->collecting, 0)) return refuse(face, MIDDEN_MISUSE);
  size_t fresh_bytes;
  void *block = blocks_take(&core->space, &core->blocks, size, &fresh_bytes);
  if (__builtin_expect(!block || fresh_bytes > 0, 0)) return count_pages(mutator, block, fresh_bytes);
  return block;
}

midden_status midden_block_free(midden_mutator *face, void *block) {
  if (!block) return MIDDEN_OK;
  if (__builtin_expect(!block_enter(face), 0)) return MIDDEN_MISUSE;
  struct core *core = mutator_of(face)->core;
  if (!space_contains(&core->space, (uintptr_t)block)) return MIDDEN_BAD_ARGUMENT;
  uint64_t entry = space_page_entry(&core->space, (uintptr_t)block);
  if (!(entry & PAGE_BLOCK)) return MIDDEN_BAD_ARGUMENT;
  return heap_give_block(mutator_of(face)->heap, entry, block);
}

size_t midden_block_size(const midden_mutator *face, const void *block) {
  if (!block_enter(face)) return 0;
  const struct space *space = &mutator_of(face)->core->space;
  size_t size = mdn_blocks_size(space, block);
  if (size > 0 && space_is_watched(space)) mdn_watch_cell_extended(space, (uintptr_t)block);
  return size;
}

void *midden_block_realloc(midden_mutator *face, void *block, size_t size) {
  if (!block) return midden_block_alloc(face, size);
  if (!block_enter(face)) return refuse(face, MIDDEN_MISUSE);
  const struct core *core = mutator_of(face)->core;
  size_t old = mdn_blocks_size(&core->space, block);
  if (old == 0) return refuse(face, MIDDEN_BAD_ARGUMENT);
  if (!mdn_blocks_in_use(&core->space, &core->blocks, block)) return refuse(face, MIDDEN_MISUSE);
  if (midden_good_size(size) == old) {
    if (space_is_watched(&core->space)) mdn_watch_cell_resized(&core->space, (uintptr_t)block, size);
    return block;
  }
  midden_status before = mutator_of(face)->last_status;
  void *moved = midden_block_alloc(face, size);
  if (!moved && size <= old) {
    mutator_of(face)->last_status = before; /* nothing has failed: the block is large enough */
    return block;
  }
  if (!moved) return NULL;
  if (space_is_watched(&core->space)) mdn_watch_cell_extended(&core->space, (uintptr_t)block);
  memcpy(moved, block, size_minimum(size, old));
  midden_block_free(face, block);
  return moved;
}
