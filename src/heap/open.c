/* Opening and closing heaps; the one place that joins the layers, src/debug included. */
#include <string.h>

#include "alloc/watch.h"
#include "base/error.h"
#include "base/os.h"
#include "base/os_limits.h"
#include "debug/hooks.h"
#include "gc/free_hooks.h"
#include "gc/remembered.h"
#include "heap/heap.h"
#include "midden/debug.h"

/* Address space is asked for at this multiple of the limit, so that fragmentation of the page heap does
 * not use up the range before the limit is reached. */
#define RESERVE_MULTIPLE 2
/* guard: pages that are not used again cost address space. */
#define GUARD_MULTIPLE 16
#define GUARD_MOST ((size_t)1 << 40)
#define RESERVE_LEAST ((size_t)32 << 20)
#define LIMIT_MOST ((size_t)8 << 40)

static midden_status open_space(midden_heap *heap, midden_error *error) {
  midden_config *config = &heap->config;
  bool automatic = config->heap_limit == 0;
  size_t limit = automatic ? size_minimum(mdn_os_automatic_limit(), LIMIT_MOST) : round_up(config->heap_limit, PAGE_BYTES);
  if (config->heap_limit > LIMIT_MOST) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "heap-limit is %zu bytes; a heap holds at most 8 TiB",
                     config->heap_limit);
  }
  size_t least = automatic ? RESERVE_LEAST : limit;
  size_t wanted = size_maximum(limit * RESERVE_MULTIPLE, RESERVE_LEAST);
  if (config->guard != MIDDEN_GUARD_OFF) wanted = size_maximum(wanted, size_minimum(limit * GUARD_MULTIPLE, GUARD_MOST));
  midden_status status = mdn_space_open(&heap->core.space, &heap->memory, least, wanted, limit, automatic);
  if (status != MIDDEN_OK) {
    return mdn_error(error, status,
                     "the system refused %zu bytes of address space for the heap: lower heap-limit or raise the "
                     "process's limit",
                     least);
  }
  config->heap_limit = heap->core.space.pages.limit_pages << PAGE_SHIFT;
  heap->core.space.now = mdn_os_clock();
  if (config->memory_checker && config->guard == MIDDEN_GUARD_OFF) mdn_watch_begin(&heap->core.space);
  if (space_is_watched(&heap->core.space)) mdn_blocks_watch(&heap->core.blocks);
  return MIDDEN_OK;
}

static midden_status open_log(midden_heap *heap, midden_error *error) {
  const char *log = heap->config.log;
  if (strcmp(log, "off") == 0) return MIDDEN_OK;
  heap->log = strcmp(log, "stderr") == 0 ? stderr : fopen(log, "a");
  if (!heap->log) return mdn_error(error, MIDDEN_BAD_ARGUMENT, "option log: the file \"%s\" cannot be opened", log);
  return MIDDEN_OK;
}

static void release(midden_heap *heap) {
  mdn_observers_close(heap);
  if (heap->log && heap->log != stderr) fclose(heap->log);
  mdn_tracer_close(&heap->core.tracer);
  mdn_weak_close(&heap->core);
  mdn_ephemerons_close(&heap->core);
  mdn_phases_close(&heap->core);
  mdn_remembered_close(&heap->core);
  mdn_space_close(&heap->core.space);
  mdn_arena_close(&heap->core.arena);
  midden_memory memory = heap->memory;
  size_t bytes = heap->bytes;
  heap->signature = 0;
  memory.release(memory.context, heap, bytes);
}

static midden_heap *reserve_heap(const midden_memory *memory) {
  size_t bytes = round_up(sizeof(midden_heap), 4096);
  midden_heap *heap = memory->reserve(memory->context, bytes);
  if (!heap) return NULL;
  if (!memory->commit(memory->context, heap, bytes)) {
    memory->release(memory->context, heap, bytes);
    return NULL;
  }
  heap->bytes = bytes;
  return heap;
}

midden_status midden_heap_open(const midden_config *config, midden_heap **result, midden_error *error) {
  if (!config || !result) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_heap_open: a configuration and a place for the heap");
  }
  midden_status status = mdn_config_check(config, error);
  if (status != MIDDEN_OK) return status;
  const midden_memory *memory = config->memory ? config->memory : mdn_os_memory();
  midden_heap *heap = reserve_heap(memory);
  if (!heap) return mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for a heap");
  heap->config = *config;
  heap->memory = *memory;
  heap->config.memory = &heap->memory;
  heap->collector = mdn_collector_named(config->collector);
  heap->thread = mdn_os_thread();
  struct core *core = &heap->core;
  mdn_arena_open(&core->arena, &heap->memory);
  core->form = reference_form_of(&config->references);
  core->conservative = config->stack != MIDDEN_STACK_PRECISE;
  core->stacks_pin_only = config->stack == MIDDEN_STACK_PINNING;
  core->kinds.pins_while_tracing = core->stacks_pin_only; /* what is alive is known only when all is marked */
  core->poison = config->poison;
  core->generational = config->generational;
  core->tracer.core = core;
  core->weak.cleared = config->cleared;
  mdn_blocks_open(&core->blocks, config->poison ? MIDDEN_POISON_BLOCK : 0);
  core->externals.dropped = mdn_external_dropped;
  status = open_space(heap, error);
  if (status == MIDDEN_OK && !mdn_mark_stack_grow(&core->tracer)) {
    /* Taken now: a first collection that finds no memory for one would rescan for each object of a list. */
    status = mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for the mark stack");
  }
  if (status == MIDDEN_OK) status = open_log(heap, error);
  if (status == MIDDEN_OK) status = mdn_debug_install(heap, error);
  if (status != MIDDEN_OK) {
    release(heap);
    return status;
  }
  heap->opened_at = mdn_os_clock();
  mdn_pacing_open(heap);
  heap->signature = HEAP_SIGNATURE;
  *result = heap;
  return MIDDEN_OK;
}

midden_status midden_heap_close(midden_heap *heap) {
  if (!heap) return MIDDEN_OK;
  midden_status status = heap_enter(heap);
  if (status != MIDDEN_OK) return status;
  if (heap->closing || heap->in_callback) return MIDDEN_MISUSE;
  heap->closing = true;
  if (heap->config.run_finalizers) mdn_finalizers_run_all(heap);
  mdn_heap_flush(heap);
  heap->collecting = true; /* on_free must not use the heap */
  mdn_heap_open_cells(heap);
  mdn_free_all(&heap->core);
  mdn_heap_close_cells(heap);
  heap->collecting = false;
  mdn_pools_close(heap);
  while (heap->core.mutators) midden_detach(&heap->core.mutators->face);
  mdn_mutators_release(heap);
  release(heap);
  return MIDDEN_OK;
}

const midden_config *midden_heap_config(const midden_heap *heap) { return &heap->config; }
