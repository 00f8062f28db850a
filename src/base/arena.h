/* Memory for the library's own tables, from the heap's memory source, counted, and given back all at
 * once on close. Blocks are powers of two; freed blocks wait in a list by size. */
#ifndef MIDDEN_BASE_ARENA_H
#define MIDDEN_BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "midden/config.h"

#define ARENA_CHUNK ((size_t)32 << 10)
#define ARENA_SIZES 40 /* blocks of 2^4 .. 2^43 bytes */

struct arena_chunk {
  struct arena_chunk *next;
  size_t bytes;
};

struct arena_block {
  struct arena_block *next;
};

struct arena {
  const midden_memory *memory;
  struct arena_chunk *chunks;
  char *next, *limit; /* the unused part of the newest chunk */
  struct arena_block *free[ARENA_SIZES];
  size_t committed_bytes;
};

void mdn_arena_open(struct arena *arena, const midden_memory *memory);
void mdn_arena_close(struct arena *arena);

/* post: zeroed, aligned to 16; or NULL. */
void *mdn_arena_allocate(struct arena *arena, size_t bytes);
/* `bytes` as it was asked for. NULL is allowed. */
void mdn_arena_free(struct arena *arena, void *block, size_t bytes);

/* Makes room for `needed` elements in a table. post: true, and the table keeps its content, new
 * elements are zero; or false, and the table is untouched. */
bool mdn_arena_grow(struct arena *arena, void **table, size_t *capacity, size_t needed, size_t element_size);

#endif
