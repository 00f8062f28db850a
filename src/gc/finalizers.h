/* Finalizers: registrations, and the queue of those that wait for the host.
 *
 * Registrations are nodes in lists, so that queueing one takes no memory. Those made since the last collection
 * are a list apart: in a minor collection only they can have lost their object. */
#ifndef MIDDEN_GC_FINALIZERS_H
#define MIDDEN_GC_FINALIZERS_H

#include "base/arena.h"
#include "base/table.h"
#include "midden/finalize.h"

struct core;

struct finalizer {
  struct finalizer *next;
  midden_word object; /* a reference, tagged as the heap wants it */
  midden_finalizer_function function;
  void *context;
  uint64_t number;    /* registrations are numbered */
  uint32_t component; /* by mdn_finalizers_order: the higher, the earlier */
  bool ordered;
  bool ready;         /* by mdn_finalizers_order: nothing that can be finalized reaches it */
};

/* Newest first, but for the queue: oldest first. */
struct finalizer_list {
  struct finalizer *first;
};

struct finalizers {
  struct finalizer_list young, old, unused;
  struct finalizer *queue, *queue_last;
  size_t registered, waiting;
  uint64_t numbers;
};

/* A registration without an object, taken in advance so that nothing can fail later. post: NULL: no memory. */
struct finalizer *mdn_finalizer_take(struct finalizers *finalizers, struct arena *arena);
void mdn_finalizer_give(struct finalizers *finalizers, struct finalizer *finalizer);
/* Registers it; `finalizer` has everything but its number. */
void mdn_finalizer_register(struct finalizers *finalizers, struct finalizer *finalizer);
midden_status mdn_finalizer_remove(struct finalizers *finalizers, uintptr_t object, midden_finalizer_function function,
                                   const void *context);
/* Takes the oldest off the queue. post: NULL if it is empty. */
struct finalizer *mdn_finalizers_dequeue(struct finalizers *finalizers);

/* At the end of tracing: queues the finalizers of what is not alive, and makes that and what it reaches alive. */
void mdn_finalizers_process(struct core *core, bool minor);
/* At the end of a heap: queues all, dependants first. pre: not in a collection. */
void mdn_finalizers_queue_all(struct core *core);

/* The queue's objects are roots; those of registrations are rewritten, and checked, beside the roots. */
void mdn_finalizers_visit_queue(const struct finalizers *finalizers, midden_visitor *visitor);
void mdn_finalizers_visit_registered(const struct finalizers *finalizers, midden_visitor *visitor);

/* ---- order (finalizer_order.c) ---- */

/* Says of registrations whether they are ready: no other object among theirs reaches their object, by what is not
 * alive; and of a cycle of such objects, the one that was registered first. Sets `ready` and `component`.
 * `all`: whatever is alive. post: the number of cycles; or SIZE_MAX if memory was refused, and nothing was set. */
size_t mdn_finalizers_order(struct core *core, struct finalizer *const *registrations, size_t count, bool all);

#endif
