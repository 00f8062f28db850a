/* Ephemerons (Hayes 1997), in linear time: an ephemeron whose key is not known to be alive when tracing comes by is
 * pending. At the end of tracing the pending ones go into a hash table by key, and from then on tracing "watches":
 * each object that is found alive is looked up, and its ephemerons' values are traced. So every ephemeron is looked
 * at a fixed number of times, however they hang together. (Hash tables of pending keys: Jones, Hosking, Moss, The
 * Garbage Collection Handbook, 2nd ed., 12.2; V8 and SpiderMonkey do so after a few rounds of the plain iteration.)
 *
 * The tracers' own loops know nothing of this: watching has a loop of its own, over the same mark stack.
 *
 * Without memory for the hash table, the pending ones are gone through again and again until nothing changes.
 * Without memory to note one as pending, its key and value are taken for strong. */
#ifndef MIDDEN_GC_EPHEMERON_H
#define MIDDEN_GC_EPHEMERON_H

#include "base/table.h"
#include "midden/weak.h"

struct core;

#define PENDING_NONE UINT32_MAX

struct pending {
  midden_word *key, *value; /* key NULL: its value was traced */
  uintptr_t cell;           /* the key's, before this collection moves it; 0: it is among the ready ones */
  uint32_t next;            /* in its bucket, or among the ready ones */
};

/* Invariant: outside the end of tracing, `watching` is false and nothing is ready. */
struct ephemerons {
  midden_visitor visitor; /* while watching; first, so that one leads to the other */
  struct core *core;
  struct table pending;   /* of struct pending */
  struct table buckets;   /* of uint32_t; count is a power of two */
  uint32_t ready;         /* whose keys were found alive, and whose values wait to be traced */
  bool watching;
};

/* For visitors that trace: visits an ephemeron. `visitor` visits strong edges. */
void mdn_ephemeron_visit(struct core *core, midden_visitor *visitor, midden_word *key, midden_word *value);

/* Traces what was visited, and the values of pending ephemerons whose keys are alive, until no more is found. */
void mdn_ephemerons_settle(struct core *core);

/* Has what a slot refers to traced, by the next mdn_ephemerons_settle. */
void mdn_ephemerons_keep(struct core *core, midden_word *slot);

/* While watching: this cell was found alive by other means than the watching visitor. */
void mdn_ephemerons_found(struct core *core, uintptr_t cell);

/* Clears the pairs whose keys are not alive, and ends watching. */
void mdn_ephemerons_clear(struct core *core);

void mdn_ephemerons_close(struct core *core);

#endif
