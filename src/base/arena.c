/* The library's own tables: see arena.h. */
#include "base/arena.h"

#include <string.h>

#include "base/assertion.h"
#include "base/bits.h"

static unsigned size_index(size_t bytes) {
  unsigned index = 0;
  while (((size_t)16 << index) < bytes) index++;
  return index;
}

void mdn_arena_open(struct arena *arena, const midden_memory *memory) {
  memset(arena, 0, sizeof *arena);
  arena->memory = memory;
}

void mdn_arena_close(struct arena *arena) {
  struct arena_chunk *chunk = arena->chunks;
  while (chunk) {
    struct arena_chunk *next = chunk->next;
    arena->memory->release(arena->memory->context, chunk, chunk->bytes);
    chunk = next;
  }
  memset(arena, 0, sizeof *arena);
}

/* A chunk with room for `bytes`, which becomes the newest. What was left of the last one stays
 * unused: at most half a chunk. */
static bool add_chunk(struct arena *arena, size_t bytes) {
  const midden_memory *memory = arena->memory;
  size_t size = round_up(size_maximum(ARENA_CHUNK, bytes + sizeof(struct arena_chunk)), 4096);
  struct arena_chunk *chunk = memory->reserve(memory->context, size);
  if (!chunk) return false;
  if (!memory->commit(memory->context, chunk, size)) {
    memory->release(memory->context, chunk, size);
    return false;
  }
  chunk->next = arena->chunks;
  chunk->bytes = size;
  arena->chunks = chunk;
  arena->next = (char *)(chunk + 1);
  arena->limit = (char *)chunk + size;
  arena->committed_bytes += size;
  return true;
}

void *mdn_arena_allocate(struct arena *arena, size_t bytes) {
  unsigned index = size_index(bytes);
  CHECK(index < ARENA_SIZES);
  size_t size = (size_t)16 << index;
  struct arena_block *block = arena->free[index];
  if (block) {
    arena->free[index] = block->next;
    return memset(block, 0, size);
  }
  if ((size_t)(arena->limit - arena->next) < size && !add_chunk(arena, size)) return NULL;
  void *result = arena->next;
  arena->next += size;
  return result; /* a chunk is fresh from the system: zero */
}

void mdn_arena_free(struct arena *arena, void *pointer, size_t bytes) {
  if (!pointer) return;
  struct arena_block *block = pointer;
  unsigned index = size_index(bytes);
  block->next = arena->free[index];
  arena->free[index] = block;
}

bool mdn_arena_grow(struct arena *arena, void **table, size_t *capacity, size_t needed, size_t element_size) {
  if (needed <= *capacity) return true;
  size_t wanted = size_maximum(size_maximum(needed, *capacity * 2), 8);
  void *grown = mdn_arena_allocate(arena, wanted * element_size);
  if (!grown) return false;
  if (*table) {
    memcpy(grown, *table, *capacity * element_size);
    mdn_arena_free(arena, *table, *capacity * element_size);
  }
  *table = grown;
  *capacity = wanted;
  return true;
}
