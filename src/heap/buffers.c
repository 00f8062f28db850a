/* Byte buffers: objects that own a block, or a lease of a pool. */
#include "alloc/buffer_pool.h"
#include "alloc/watch.h"
#include "base/error.h"
#include "heap/heap.h"
#include "midden/buffer.h"
#include "midden/debug.h"

static void *fail_buffer(struct mutator *mutator, midden_status status) {
  mutator->last_status = status;
  return NULL;
}

/* ---- giving back ---- */

static void give_block_of(midden_heap *heap, const midden_buffer *buffer) {
  midden_word *words = buffer->bytes.address;
  size_t bytes = mdn_blocks_size(&heap->core.space, words);
  if (bytes == 0) return; /* the host has overwritten the object */
  if (space_is_watched(&heap->core.space)) mdn_watch_cell_extended(&heap->core.space, (uintptr_t)words);
  for (size_t i = 0; heap->core.poison && i < bytes / sizeof *words; i++) words[i] = MIDDEN_POISON_BUFFER;
  heap->buffers--;
  heap->buffer_bytes -= bytes;
  heap_give_block(heap, space_page_entry(&heap->core.space, (uintptr_t)words), words);
}

static void give_lease_of(midden_heap *heap, const midden_buffer *buffer, bool collected) {
  midden_pool *pool = buffer->pool;
  const char *site = pool_valid(pool) ? mdn_pool_disown(pool, &buffer->bytes, collected) : NULL;
  if (!site || !collected || !pool->report_collected) return;
  mdn_heap_report(heap, false, "midden: pool %s: %zu bytes, acquired at %s, were not released: a collection gave them back",
                  pool->name, buffer->bytes.size, site);
}

/* Empties a buffer first: what happens meanwhile finds it so. */
static void give_bytes(midden_heap *heap, midden_buffer *buffer, bool collected) {
  midden_buffer before = *buffer;
  *buffer = (midden_buffer){{NULL, 0, 0}, NULL};
  if (!before.bytes.address) return;
  if (before.pool) {
    give_lease_of(heap, &before, collected);
  } else {
    give_block_of(heap, &before);
  }
}

static void buffer_died(void *object, size_t size, void *heap) {
  (void)size;
  give_bytes(heap, object, true);
}

midden_status midden_buffer_release(midden_mutator *face, midden_buffer *buffer) {
  midden_status status = mutator_enter(face);
  if (status != MIDDEN_OK) return status;
  midden_heap *heap = mutator_of(face)->heap;
  if (!buffer || midden_object_at(heap, buffer) != (void *)buffer) return MIDDEN_BAD_ARGUMENT;
  if (heap->buffer_kind.id == 0 || midden_kind_id_of(face, buffer) != heap->buffer_kind.id) return MIDDEN_BAD_ARGUMENT;
  give_bytes(heap, buffer, false);
  return MIDDEN_OK;
}

/* ---- making ---- */

midden_kind midden_buffer_kind(midden_heap *heap, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    mdn_error(error, MIDDEN_MISUSE, "midden_buffer_kind: not an open heap of this thread, or inside a collection");
    return (midden_kind){0, 0, 1};
  }
  if (heap->buffer_kind.id != 0) return heap->buffer_kind;
  midden_shape shape = {
      .name = "buffer", .size = sizeof(midden_buffer), .on_free = buffer_died, .on_free_context = heap};
  midden_kind kind = midden_kind_define(heap, &shape, error);
  if (kind.id != 0) heap->buffer_kind = kind;
  return kind;
}

/* The kind is there, and the heap may be used. */
static midden_status enter_buffers(midden_mutator *face) {
  midden_status status = mutator_enter(face);
  if (status != MIDDEN_OK) return status;
  midden_heap *heap = mutator_of(face)->heap;
  if (heap->in_callback) return MIDDEN_MISUSE;
  midden_error error = {MIDDEN_OK, ""};
  return midden_buffer_kind(heap, &error).id != 0 ? MIDDEN_OK : error.status;
}

static bool take_block(struct mutator *mutator, struct central *central, size_t size, void *taken) {
  (void)central;
  size_t fresh_bytes;
  void *block = blocks_take(&mutator->core->space, &mutator->core->blocks, size, &fresh_bytes);
  mutator->heap->pacing.allocated += fresh_bytes;
  *(void **)taken = block;
  return block != NULL;
}

midden_buffer *midden_buffer_new(midden_mutator *face, size_t size) {
  midden_status status = enter_buffers(face);
  if (status != MIDDEN_OK) return face ? fail_buffer(mutator_of(face), status) : NULL;
  struct mutator *mutator = mutator_of(face);
  midden_heap *heap = mutator->heap;
  if (size > heap->config.heap_limit) return fail_buffer(mutator, MIDDEN_NO_MEMORY);
  void *block;
  mdn_collect_if_due(heap, size > SIZE_CLASS_LARGEST ? size : 0); /* a small one may come without new pages */
  if (!mdn_take_or_collect(mutator, NULL, size, take_block, &block)) return NULL;
  midden_buffer *buffer = midden_alloc(face, heap->buffer_kind);
  size_t bytes = mdn_blocks_size(&heap->core.space, block);
  if (!buffer) {
    heap_give_block(heap, space_page_entry(&heap->core.space, (uintptr_t)block), block);
    return NULL;
  }
  heap->buffers++;
  heap->buffer_bytes += bytes;
  *buffer = (midden_buffer){{block, size_maximum(size, 1), 0}, NULL};
  return buffer;
}

midden_buffer *midden_buffer_adopt(midden_mutator *face, midden_pool *pool, midden_lease *lease) {
  midden_status status = enter_buffers(face);
  if (status != MIDDEN_OK) return face ? fail_buffer(mutator_of(face), status) : NULL;
  struct mutator *mutator = mutator_of(face);
  if (!pool_valid(pool) || pool->heap != mutator->heap) return fail_buffer(mutator, MIDDEN_MISUSE);
  if (!lease) return fail_buffer(mutator, MIDDEN_BAD_ARGUMENT);
  midden_buffer *buffer = midden_alloc(face, mutator->heap->buffer_kind);
  if (!buffer) return NULL;
  if (!mdn_pool_own(pool, lease)) return fail_buffer(mutator, MIDDEN_BAD_ARGUMENT); /* the object is garbage */
  *buffer = (midden_buffer){*lease, pool};
  *lease = (midden_lease){NULL, 0, 0};
  return buffer;
}

/* At once if possible; else, where dead buffers may have what is wanted, after a collection. */
static midden_status acquire_or_collect(midden_heap *heap, midden_pool *pool, size_t size, uint64_t timeout_ns,
                                        const char *site, midden_lease *lease) {
  midden_status status = midden_pool_acquire(pool, size, MIDDEN_AT_ONCE, site, lease);
  if (status != MIDDEN_TIMED_OUT) return status;
  midden_pool_statistics statistics = {0};
  midden_pool_statistics_read(pool, &statistics);
  if (statistics.owned_leases > 0 && heap_collects_itself(heap)) mdn_heap_collect(heap, CAUSE_REQUEST, false);
  return midden_pool_acquire(pool, size, timeout_ns, site, lease);
}

midden_status midden_buffer_acquire(midden_mutator *face, midden_pool *pool, size_t size, uint64_t timeout_ns,
                                    const char *site, midden_buffer **result) {
  midden_status status = enter_buffers(face);
  if (status != MIDDEN_OK) return status;
  midden_heap *heap = mutator_of(face)->heap;
  if (!pool_valid(pool) || pool->heap != heap) return MIDDEN_MISUSE;
  if (!result) return MIDDEN_BAD_ARGUMENT;
  midden_lease lease;
  status = acquire_or_collect(heap, pool, size, timeout_ns, site, &lease);
  if (status != MIDDEN_OK) return status;
  midden_buffer *buffer = midden_buffer_adopt(face, pool, &lease);
  if (!buffer) {
    midden_pool_release(pool, &lease);
    return midden_last_status(face);
  }
  *result = buffer;
  return MIDDEN_OK;
}
