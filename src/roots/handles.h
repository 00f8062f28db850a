/* Handles: slots in blocks that never move, opened and closed in scopes. */
#ifndef MIDDEN_ROOTS_HANDLES_H
#define MIDDEN_ROOTS_HANDLES_H

#include "base/arena.h"
#include "midden/roots.h"

#define HANDLES_PER_BLOCK 253 /* a block is 2 KiB with its header */

struct handle_block {
  struct handle_block *previous, *next; /* `next` is kept for reuse when a scope closes */
  size_t used;
  midden_word slots[HANDLES_PER_BLOCK];
};

struct handles {
  struct handle_block *newest; /* NULL: no handle */
  struct handle_block *spare;  /* first block ever, kept when `newest` is NULL */
};

midden_scope mdn_handles_open(const struct handles *handles);
midden_handle mdn_handles_new(struct handles *handles, struct arena *arena, uintptr_t reference);
void mdn_handles_close(struct handles *handles, midden_scope scope);
void mdn_handles_visit(const struct handles *handles, midden_visitor *visitor);
void mdn_handles_release(struct handles *handles, struct arena *arena);

#endif
