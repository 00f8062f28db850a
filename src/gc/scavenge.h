/* Scavenging: copying what precise references reach, in one pass. */
#ifndef MIDDEN_GC_SCAVENGE_H
#define MIDDEN_GC_SCAVENGE_H

#include "gc/core.h"

/* Copies or marks everything that the roots reach, and rewrites the references. Ambiguous roots are visited
 * first: what they hit is pinned and marked in place. pre: the tracer and the evacuation have begun; no kind
 * pins while it is traced. post: marks are complete. */
void mdn_scavenge(const struct collection *collection);

#endif
