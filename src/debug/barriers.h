/* The search for missed write barriers: see barriers.c. */
#ifndef MIDDEN_DEBUG_BARRIERS_H
#define MIDDEN_DEBUG_BARRIERS_H

#include "base/error.h"
#include "gc/core.h"

/* post: MIDDEN_OK; or CORRUPT, and *error names the first old object, its slot and the young object there. */
midden_status mdn_barriers_check(struct core *core, midden_error *error);

#endif
