/* The host's on_free functions: called once for each dead object of their kinds, before its memory is used again. */
#ifndef MIDDEN_GC_FREE_HOOKS_H
#define MIDDEN_GC_FREE_HOOKS_H

#include "gc/core.h"

/* pre: what is marked lives, and nothing has slid; of what is allocated and not marked, all is dead. */
void mdn_free_dead(struct core *core, bool minor);

/* At the end of a heap: for every object. pre: runs are flushed. */
void mdn_free_all(struct core *core);

#endif
