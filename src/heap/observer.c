/* Observers of collections: see observer.h. */
#include "heap/observer.h"

#include "base/error.h"
#include "heap/heap.h"

void *mdn_observer_new(midden_heap *heap, size_t bytes, midden_error *error) {
  void *observer = mdn_arena_allocate(&heap->core.arena, bytes);
  if (!observer) mdn_error(error, MIDDEN_NO_MEMORY, "the system refused memory for what watches collections");
  return observer;
}

void mdn_observer_add(midden_heap *heap, struct observer *observer) {
  struct observer **link = &heap->observers;
  while (*link) link = &(*link)->next;
  *link = observer;
}

midden_status mdn_observers_before(midden_heap *heap, const struct collected *collected) {
  midden_status status = MIDDEN_OK;
  for (struct observer *observer = heap->observers; observer && status == MIDDEN_OK; observer = observer->next) {
    if (observer->before) status = observer->before(observer, heap, collected);
  }
  return status;
}

/* All are called, whatever one of them finds: what began before the collection must end. */
midden_status mdn_observers_after(midden_heap *heap, const struct collected *collected) {
  midden_status status = MIDDEN_OK;
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    midden_status found = observer->after ? observer->after(observer, heap, collected) : MIDDEN_OK;
    if (status == MIDDEN_OK) status = found;
  }
  return status;
}

void mdn_observers_close(midden_heap *heap) {
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    if (observer->close) observer->close(observer, heap);
  }
  heap->observers = NULL;
}

/* ---- refills and mutators ---- */

void mdn_observers_watch(midden_heap *heap) { heap->caution |= CAUTION_WATCHED; }

size_t mdn_observers_most(midden_heap *heap, struct mutator *mutator, const struct central *central) {
  size_t most = SIZE_MAX;
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    if (observer->most) most = size_minimum(most, observer->most(observer, heap, mutator, central));
  }
  return most;
}

void mdn_observers_refilled(midden_heap *heap, struct mutator *mutator, const struct central *central, void *cell,
                            size_t cells) {
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    if (observer->refilled) observer->refilled(observer, heap, mutator, central, cell, cells);
  }
}

void mdn_observers_flushing(midden_heap *heap) {
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    if (observer->flushing) observer->flushing(observer, heap);
  }
}

void mdn_observers_attached(midden_heap *heap, const struct mutator *mutator) {
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    if (observer->attached) observer->attached(observer, heap, mutator);
  }
}

void mdn_observers_detaching(midden_heap *heap, const struct mutator *mutator) {
  for (struct observer *observer = heap->observers; observer; observer = observer->next) {
    if (observer->detaching) observer->detaching(observer, heap, mutator);
  }
}
