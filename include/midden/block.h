/* Raw blocks: memory that the host gives back by hand, from the same pages as objects, under the same limit. What a
 * Lua lua_Alloc, an interpreter's tables or a JIT's side data need.
 *
 * A block never moves, no collection frees it, and it is never traced: references in it that are to keep objects
 * alive are registered with midden_root_range_add, a root scanner or a trace function of its owner. It is no object:
 * midden_object_at answers NULL for it, and a word in an object that points to it is no reference and is left alone, as long as
 * the block is held. When it is given back, such words must go or be overwritten, as with any stale reference, unless
 * the object's layout says that they are none.
 *
 * Nothing here collects or moves objects: when the limit leaves no room, the answer is NULL, and the host collects
 * (midden_collect, or midden_external_room for as many bytes, which asks the pressure callback too) and tries again.
 * Pages taken for blocks count for pacing, so objects that own blocks are collected in time. All functions: owner
 * thread. Blocks that are left are freed with the heap. */
#ifndef MIDDEN_BLOCK_H
#define MIDDEN_BLOCK_H

#include "midden/allocate.h"

MIDDEN_BEGIN_DECLARATIONS

/* A block of `size` bytes (0 is taken as 1), content undefined, aligned to 8, and to 16 if size is a multiple of 16.
 * Cells as for objects: midden_good_size; above 32 KiB whole pages. post: NULL if memory is refused or on misuse, and
 * midden_last_status says which. Not from inside a collection. Cost: constant. */
MIDDEN_API void *midden_block_alloc(midden_mutator *mutator, size_t size);

/* Gives a block back. NULL is allowed. Also from inside a collection, such as from a callback for a dead object.
 * post: MIDDEN_OK; or BAD_ARGUMENT for what is in no page of blocks; or MISUSE. Whatever is refused, nothing has changed. What is
 * in a page of blocks and yet no block in use is told, with MISUSE:
 *   above 32 KiB: an address inside of the block; given back twice it is BAD_ARGUMENT, until the page serves for something else;
 *   up to 32 KiB: the block that was given back last of its size; any other one, an address inside of a block and one
 *   that was never handed out only with poison=yes, and a block given back before only while it is not written to.
 * All else of this kind is not noticed, and the block may be handed out twice. With poison=yes a block given back
 * is filled with MIDDEN_POISON_BLOCK, but for its first 8 bytes.
 * Cost: constant; a few kilobytes of each size wait for the next request, and empty pages beyond go to the
 * page heap at once; midden_trim, and memory that is refused, send the rest. */
MIDDEN_API midden_status midden_block_free(midden_mutator *mutator, void *block);

/* Makes a block larger or smaller, in place if its cell allows. NULL as block: as midden_block_alloc. size 0 is taken
 * as 1. post: the block, with its old content as far as it fits; or NULL and the old block is as it was. Making a block
 * smaller does not fail. For what is no block in use: NULL, and midden_last_status says BAD_ARGUMENT or MISUSE, as above,
 * but that an address inside of a block, or never handed out, is always told. */
MIDDEN_API void *midden_block_realloc(midden_mutator *mutator, void *block, size_t size);

/* The bytes that a block really has; 0 for what is in no page of blocks. */
MIDDEN_API size_t midden_block_size(const midden_mutator *mutator, const void *block);

MIDDEN_END_DECLARATIONS

#endif
