/* Handles: see handles.h. */
#include "roots/handles.h"

midden_scope mdn_handles_open(const struct handles *handles) {
  const struct handle_block *block = handles->newest;
  return (midden_scope){handles->newest, block ? block->used : 0, 0};
}

/* The block after the newest: one that an earlier scope left, or a new one. */
static struct handle_block *next_block(struct handles *handles, struct arena *arena) {
  struct handle_block *next = handles->newest ? handles->newest->next : handles->spare;
  if (!next) {
    next = mdn_arena_allocate(arena, sizeof *next);
    if (!next) return NULL;
    next->previous = handles->newest;
    if (handles->newest) {
      handles->newest->next = next;
    } else {
      handles->spare = next;
    }
  }
  next->used = 0;
  return next;
}

midden_handle mdn_handles_new(struct handles *handles, struct arena *arena, uintptr_t reference) {
  struct handle_block *block = handles->newest;
  if (!block || block->used == HANDLES_PER_BLOCK) {
    block = next_block(handles, arena);
    if (!block) return NULL;
    handles->newest = block;
  }
  midden_handle handle = &block->slots[block->used++];
  *handle = reference;
  return handle;
}

void mdn_handles_close(struct handles *handles, midden_scope scope) {
  handles->newest = scope.block;
  if (handles->newest) handles->newest->used = scope.used;
}

void mdn_handles_visit(const struct handles *handles, midden_visitor *visitor) {
  for (struct handle_block *block = handles->newest; block; block = block->previous) {
    visitor->range(visitor, block->slots, block->used);
  }
}

void mdn_handles_release(struct handles *handles, struct arena *arena) {
  struct handle_block *block = handles->spare;
  while (block) {
    struct handle_block *next = block->next;
    mdn_arena_free(arena, block, sizeof *block);
    block = next;
  }
  handles->newest = handles->spare = NULL;
}
