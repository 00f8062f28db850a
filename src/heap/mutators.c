/* Attaching and detaching mutators, and their memory. */
#include <string.h>

#include "base/error.h"
#include "base/os.h"
#include "gc/pins.h"
#include "heap/heap.h"

bool mdn_mutator_commit(struct mutator *mutator, const midden_memory *memory, size_t cursors) {
  size_t needed = round_up(sizeof(struct mutator) + cursors * sizeof(midden_cursor), 4096);
  if (needed <= mutator->bytes) return true;
  if (!memory->commit(memory->context, (char *)mutator + mutator->bytes, needed - mutator->bytes)) return false;
  mutator->bytes = needed;
  return true;
}

static struct mutator *reserve_mutator(const midden_memory *memory, size_t cursors) {
  size_t reserved = round_up(sizeof(struct mutator) + CURSOR_CAPACITY * sizeof(midden_cursor), 4096);
  size_t bytes = round_up(sizeof(struct mutator) + cursors * sizeof(midden_cursor), 4096);
  struct mutator *mutator = memory->reserve(memory->context, reserved);
  if (!mutator) return NULL;
  if (!memory->commit(memory->context, mutator, bytes)) {
    memory->release(memory->context, mutator, reserved);
    return NULL;
  }
  mutator->bytes = bytes;
  mutator->reserved_bytes = reserved;
  return mutator;
}

void mdn_mutators_release(midden_heap *heap) {
  while (heap->detached) {
    struct mutator *mutator = heap->detached;
    heap->detached = mutator->next;
    heap->memory.release(heap->memory.context, mutator, mutator->reserved_bytes);
  }
}

/* Memory for a mutator: a detached one's, or new. post: zero but for its sizes; or NULL. */
static struct mutator *take_mutator(midden_heap *heap, size_t cursors) {
  struct mutator *mutator = heap->detached;
  if (!mutator) return reserve_mutator(&heap->memory, cursors);
  if (!mdn_mutator_commit(mutator, &heap->memory, cursors)) return NULL;
  heap->detached = mutator->next;
  size_t bytes = mutator->bytes, reserved = mutator->reserved_bytes;
  memset(mutator, 0, bytes);
  mutator->bytes = bytes;
  mutator->reserved_bytes = reserved;
  return mutator;
}

/* Ends a mutator; its memory stays with the heap, without a signature. */
static void retire_mutator(struct mutator *mutator) {
  midden_heap *heap = mutator->heap;
  mutator->face.signature = 0;
  mdn_handles_release(&mutator->handles, &heap->core.arena);
  mdn_pins_release(&heap->core, &mutator->scoped_pins);
  mdn_stacks_release(&mutator->stacks, &heap->core.arena);
  mutator->next = heap->detached;
  heap->detached = mutator;
}

midden_mutator *midden_attach(midden_heap *heap, const void *stack_bottom, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    mdn_error(error, MIDDEN_MISUSE, "midden_attach: not an open heap of this thread, or inside a collection");
    return NULL;
  }
  struct core *core = &heap->core;
  size_t cursors = core->kinds.cursor_count ? core->kinds.cursor_count : 1;
  struct mutator *mutator = take_mutator(heap, cursors);
  if (!mutator) {
    mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for a mutator");
    return NULL;
  }
  mutator->heap = heap;
  mutator->core = core;
  mutator->number = ++heap->figures.mutators;
  mutator->face.signature = MUTATOR_SIGNATURE;
  mutator->face.base = core->space.base;
  mutator->face.page_map = core->space.page_map;
  mutator->face.moved_epoch = core->moved_epoch;
  mutator->face.old = core->generational ? core->space.mark_bits : NULL;
  if (core->conservative && !mdn_stacks_attach(&mutator->stacks, stack_bottom)) {
    retire_mutator(mutator);
    mdn_error(error, MIDDEN_MISUSE,
              "midden_attach: stack_bottom is no address of a caller's local variable, and the stack's bottom is not "
              "known; give such an address or use stack=precise");
    return NULL;
  }
  mutator->next = core->mutators;
  core->mutators = mutator;
  mdn_observers_attached(heap, mutator);
  return &mutator->face;
}

static struct mutator **find_mutator(struct core *core, struct mutator *mutator) {
  struct mutator **link = &core->mutators;
  while (*link && *link != mutator) link = &(*link)->next;
  return *link ? link : NULL;
}

midden_status midden_detach(midden_mutator *face) {
  if (mutator_enter(face) != MIDDEN_OK || mutator_of(face)->heap->in_callback) return MIDDEN_MISUSE;
  struct mutator *mutator = mutator_of(face);
  midden_heap *heap = mutator->heap;
  struct mutator **link = find_mutator(&heap->core, mutator);
  if (!link) return MIDDEN_MISUSE;
  mdn_heap_flush(heap);
  mdn_observers_detaching(heap, mutator);
  heap->figures.requested_by_detached += face->requested;
  *link = mutator->next;
  retire_mutator(mutator);
  return MIDDEN_OK;
}

/* Whether a heap may be handed over: all that heap_enter asks for but the thread. post: NULL; or what is wrong. */
static const char *check_adopted(const midden_mutator *face) {
  if (!face || face->signature != MUTATOR_SIGNATURE) return "not an attached mutator";
  const struct mutator *mutator = mutator_of(face);
  const midden_heap *heap = mutator->heap;
  if (!heap_valid(heap) || heap->closing) return "the heap is being closed";
  if (heap->collecting || heap->in_callback) return "inside a collection or a callback";
  if (heap->core.mutators != mutator || mutator->next) return "the heap has other mutators: detach them";
  if (mutator->stacks.running) return "a coroutine's stack is running: switch to the one that was attached on";
  return NULL;
}

midden_status midden_adopt(midden_mutator *face, const void *stack_bottom, midden_error *error) {
  const char *wrong = check_adopted(face);
  if (wrong) return mdn_error(error, MIDDEN_MISUSE, "midden_adopt: %s", wrong);
  struct mutator *mutator = mutator_of(face);
  if (mutator->core->conservative && !mdn_stacks_attach(&mutator->stacks, stack_bottom)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT,
                     "midden_adopt: stack_bottom is no address of a caller's local variable, and the stack's bottom is not "
                     "known; give such an address or use stack=precise");
  }
  mutator->heap->thread = mdn_os_thread();
  return MIDDEN_OK;
}

midden_heap *midden_heap_of(const midden_mutator *mutator) { return mutator_of(mutator)->heap; }

midden_status midden_last_status(midden_mutator *face) {
  struct mutator *mutator = mutator_of(face);
  midden_status status = mutator->last_status;
  mutator->last_status = MIDDEN_OK;
  return status;
}
