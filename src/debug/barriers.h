/* The search for missed write barriers: see barriers.c. */
#ifndef MIDDEN_DEBUG_BARRIERS_H
#define MIDDEN_DEBUG_BARRIERS_H

#include "base/error.h"
#include "gc/core.h"

/* post: MIDDEN_OK; or CORRUPT, *error names the first old object, its slot and the young object there, and *cell is the
 * old object. */
midden_status mdn_barriers_check(struct core *core, midden_error *error, uintptr_t *cell);

#endif
