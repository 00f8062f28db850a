/* Pools of buffers: their memory, their place on the heap's account, reports. What threads do with them is in
 * alloc/buffer_pool. */
#include <string.h>

#include "alloc/buffer_pool.h"
#include "base/error.h"
#include "heap/heap.h"
#include "midden/objects.h"

#define CHUNK_DEFAULT ((size_t)4096)
#define CHUNK_LEAST ((size_t)64)
#define CHUNK_MOST ((size_t)1 << 30)
#define SYSTEM_PAGE ((size_t)4096) /* what memory sources deal in */

static size_t unit_of(size_t chunk_bytes) { return size_maximum(chunk_bytes, SYSTEM_PAGE); }

/* What the options come to. */
struct pool_plan {
  size_t chunk_bytes, total_bytes, initial_bytes;
};

static midden_status plan_pool(const midden_pool_options *options, struct pool_plan *plan, midden_error *error) {
  size_t chunk = options->chunk_bytes ? options->chunk_bytes : CHUNK_DEFAULT;
  size_t total = options->total_bytes, initial = options->initial_bytes ? options->initial_bytes : total;
  if (chunk < CHUNK_LEAST || chunk > CHUNK_MOST || (chunk & (chunk - 1)) != 0) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "chunk_bytes is %zu; it is a power of two from 64 to 1 GiB", chunk);
  }
  if (total == 0 || initial > total) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT,
                     "total_bytes is %zu, initial_bytes %zu: it has 1 byte or more, and not more at first than in all",
                     total, initial);
  }
  if ((total - 1) / chunk >= POOL_CHUNKS_MOST) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "%zu bytes are more than a million chunks of %zu: choose larger chunks",
                     total, chunk);
  }
  *plan = (struct pool_plan){chunk, round_up(total, unit_of(chunk)), round_up(initial, unit_of(chunk))};
  return MIDDEN_OK;
}

/* ---- memory ---- */

/* Gives back what there is of a pool. */
static void free_pool(midden_heap *heap, midden_pool *pool) {
  struct arena *arena = &heap->core.arena;
  const midden_memory *memory = &heap->memory;
  if (pool->base) memory->release(memory->context, pool->base, pool->reserved_bytes);
  mdn_arena_free(arena, pool->used, pool->used_bytes);
  mdn_arena_free(arena, pool->records, pool->record_bytes);
  mdn_arena_free(arena, pool, sizeof *pool);
}

static void set_options(midden_heap *heap, midden_pool *pool, const midden_pool_options *options,
                        const struct pool_plan *plan) {
  pool->heap = heap;
  pool->chunk_bytes = plan->chunk_bytes;
  pool->total_chunks = plan->total_bytes / plan->chunk_bytes;
  pool->poison = heap->config.poison;
  pool->checker = heap->core.space.pages.checker;
  pool->report_collected = options->report_collected;
  const char *name = options->name ? options->name : "buffers";
  memcpy(pool->name, name, strnlen(name, POOL_NAME_BYTES - 1)); /* the rest is zero */
}

/* A pool with its tables and its range of addresses, without memory for chunks. post: NULL if one was refused. */
static midden_pool *make_pool(midden_heap *heap, const midden_pool_options *options, const struct pool_plan *plan) {
  struct arena *arena = &heap->core.arena;
  const midden_memory *memory = &heap->memory;
  midden_pool *pool = mdn_arena_allocate(arena, sizeof *pool);
  if (!pool) return NULL;
  set_options(heap, pool, options, plan);
  pool->reserved_bytes = plan->total_bytes;
  pool->used_bytes = (pool->total_chunks / 64 + 1) * sizeof(uint64_t);
  pool->record_bytes = pool->total_chunks * sizeof(struct pool_record);
  pool->used = mdn_arena_allocate(arena, pool->used_bytes);
  pool->records = pool->used ? mdn_arena_allocate(arena, pool->record_bytes) : NULL;
  pool->base = pool->records ? memory->reserve(memory->context, plan->total_bytes) : NULL;
  if (pool->base && mdn_pool_open(pool)) return pool;
  free_pool(heap, pool);
  return NULL;
}

static void count_bytes(midden_heap *heap, size_t bytes) {
  heap->pool_bytes += bytes;
  heap->core.external_bytes += bytes;
  heap->pacing.allocated += bytes; /* as midden_external_add does: what the heap has left has become less */
  mdn_external_charge(heap);
}

/* Gives a pool memory for more chunks. pre: they have room under the limit. */
static bool back_chunks(midden_heap *heap, midden_pool *pool, size_t bytes) {
  const midden_memory *memory = &heap->memory;
  if (!memory->commit(memory->context, pool->base + pool->chunks * pool->chunk_bytes, bytes)) return false;
  count_bytes(heap, bytes);
  mdn_pool_extend(pool, bytes / pool->chunk_bytes);
  return true;
}

/* ---- public ---- */

midden_status midden_pool_open(midden_mutator *face, const midden_pool_options *options, midden_pool **result,
                               midden_error *error) {
  if (!options || !result) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_pool_open: options and a place for the pool");
  }
  struct pool_plan plan = {0, 0, 0};
  midden_status status = plan_pool(options, &plan, error);
  if (status != MIDDEN_OK) return status;
  status = midden_external_room(face, plan.initial_bytes);
  if (status == MIDDEN_MISUSE) {
    return mdn_error(error, status, "midden_pool_open: not a mutator of this thread, or inside a collection");
  } else if (status != MIDDEN_OK) {
    return mdn_error(error, status, "heap-limit leaves no %zu bytes for a pool", plan.initial_bytes);
  }
  midden_heap *heap = mutator_of(face)->heap;
  midden_pool *pool = make_pool(heap, options, &plan);
  if (!pool) {
    return mdn_error(error, MIDDEN_NO_MEMORY, "the system refused a range of %zu bytes for a pool, or its tables",
                     plan.total_bytes);
  }
  if (!back_chunks(heap, pool, plan.initial_bytes)) {
    mdn_pool_close(pool);
    free_pool(heap, pool);
    return mdn_error(error, MIDDEN_NO_MEMORY, "the system refused %zu bytes for a pool", plan.initial_bytes);
  }
  pool->next = heap->pools;
  heap->pools = pool;
  *result = pool;
  return MIDDEN_OK;
}

/* post: MISUSE if the pool is not one of the mutator's heap, or its thread is another. */
static midden_status pool_enter(const midden_mutator *face, const midden_pool *pool) {
  midden_status status = mutator_enter(face);
  if (status != MIDDEN_OK) return status;
  midden_heap *heap = mutator_of(face)->heap;
  return pool_valid(pool) && pool->heap == heap && !heap->in_callback ? MIDDEN_OK : MIDDEN_MISUSE;
}

midden_status midden_pool_grow(midden_mutator *face, midden_pool *pool, size_t bytes) {
  midden_status status = pool_enter(face, pool);
  if (status != MIDDEN_OK) return status;
  size_t unit = unit_of(pool->chunk_bytes), left = (pool->total_chunks - pool->chunks) * pool->chunk_bytes;
  if (mdn_pool_is_shut(pool)) return MIDDEN_CLOSED;
  if (bytes > left) return MIDDEN_LIMIT;
  if (bytes == 0) return MIDDEN_OK;
  bytes = round_up(bytes, unit);
  status = midden_external_room(face, bytes);
  if (status != MIDDEN_OK) return status;
  return back_chunks(mutator_of(face)->heap, pool, bytes) ? MIDDEN_OK : MIDDEN_NO_MEMORY;
}

/* post: the leases that are out. */
static size_t report_leases(midden_heap *heap, midden_pool *pool) {
  struct pool_site site;
  size_t leases = 0;
  for (bool fresh = true; mdn_pool_next_site(pool, fresh, &site); fresh = false) {
    mdn_heap_report(heap, false, "midden: pool %s: not given back: %zu leases, %zu bytes, acquired at %s", pool->name,
                    site.leases, site.bytes, site.site);
    leases += site.leases;
  }
  return leases;
}

size_t midden_pool_report(midden_mutator *face, midden_pool *pool) {
  return pool_enter(face, pool) == MIDDEN_OK ? report_leases(mutator_of(face)->heap, pool) : 0;
}

static void end_pool(midden_heap *heap, midden_pool *pool) {
  struct midden_pool **link = &heap->pools;
  while (*link != pool) link = &(*link)->next;
  *link = pool->next;
  size_t bytes = pool->chunks * pool->chunk_bytes;
  heap->pool_bytes -= bytes;
  heap->core.external_bytes -= bytes;
  heap->pacing.allocated -= size_minimum(bytes, heap->pacing.allocated);
  mdn_external_charge(heap);
  mdn_pool_close(pool);
  free_pool(heap, pool);
}

midden_status midden_pool_close(midden_mutator *face, midden_pool *pool) {
  midden_status status = pool_enter(face, pool);
  if (status != MIDDEN_OK) return status;
  midden_heap *heap = mutator_of(face)->heap;
  mdn_pool_shut(pool, true);
  midden_pool_statistics statistics = {0};
  midden_pool_statistics_read(pool, &statistics);
  /* The owners may be dead. */
  if (statistics.owned_leases > 0 && heap_collects_itself(heap)) mdn_heap_collect(heap, CAUSE_REQUEST, false);
  if (report_leases(heap, pool) > 0) return MIDDEN_IN_USE;
  end_pool(heap, pool);
  return MIDDEN_OK;
}

void mdn_pools_close(midden_heap *heap) {
  while (heap->pools) {
    mdn_pool_shut(heap->pools, true);
    report_leases(heap, heap->pools);
    end_pool(heap, heap->pools);
  }
}
