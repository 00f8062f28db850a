/* The host's functions for what ambiguous words hit: each object is told of once in a collection, when it has been
 * marked and pinned. They may pin and mark more.
 *
 * Nothing has moved then: where marking comes first, none has at all; and a pass that marks and copies at once visits all
 * ambiguous words before it copies anything (kinds that hold such words make it mark first). So that its loop need not look
 * at pins on what is not marked, a hit's pin keeps the whole span in place in that pass. */
#ifndef MIDDEN_GC_HITS_H
#define MIDDEN_GC_HITS_H

#include "base/address_table.h"
#include "midden/finalize.h"

struct core;

struct hits {
  struct hit_hook {
    midden_hit_function function;
    void *context;
  } *hooks;
  size_t count, capacity;
  struct address_table seen; /* cells told of in this collection */
};

midden_status mdn_hits_add(struct hits *hits, struct arena *arena, struct hit_hook hook);
midden_status mdn_hits_remove(struct hits *hits, midden_hit_function function, const void *context);

/* At the start of a collection. */
void mdn_hits_begin(struct hits *hits);

/* An ambiguous word has hit a cell, which is marked and pinned. pre: there is a hook. */
void mdn_hits_tell(struct core *core, uintptr_t cell);

/* For midden_marking_pin from inside a hook: pins a cell, and does not mark it. */
void mdn_hits_pin(struct core *core, uintptr_t cell);

#endif
