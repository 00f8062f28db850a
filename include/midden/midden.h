/* midden: a garbage-collected heap for language implementers.
 *
 * This is the one header a host includes. It works from C11 and from C++.
 *
 * Words used below:
 *   heap        an address range, its spans, one collector, the host's kinds and roots
 *   mutator     one attached interpreter: its allocation cursors, frames, handles, stack
 *   kind        how objects of one shape are sized and traced; defined by the host
 *   reference   a word that, by the heap's configuration, points to the start of an object
 *   precise     an edge or root that a moving collector rewrites
 *   ambiguous   a word that may be a reference; what it hits is pinned, never rewritten. So are those of the C stack
 *               and registers (stack=conservative, pinning), which with stack=pinning keep nothing alive
 *
 * Threads: in this version a heap and everything attached to it belong to the thread that
 * opened the heap, until midden_adopt hands them to another; different threads may use
 * different heaps at the same time without any locking, because nothing in the library is global
 * (but the signal handler of guard=report, see debug.h).
 *
 * "May collect" on a declaration means: unreachable objects may be freed and, under a moving
 * collector, every object that is not pinned may move. References that the host keeps in
 * places which neither a root nor the scan of the stack covers are stale afterwards; with stack=pinning
 * also those that only the scan covers, if nothing else keeps the object alive. With
 * collect=asked only midden_collect and midden_defragment do, whatever other declarations say. */
#ifndef MIDDEN_MIDDEN_H
#define MIDDEN_MIDDEN_H

#include "midden/allocate.h"
#include "midden/block.h"
#include "midden/buffer.h"
#include "midden/config.h"
#include "midden/debug.h"
#include "midden/finalize.h"
#include "midden/graph.h"
#include "midden/heap.h"
#include "midden/kind.h"
#include "midden/map.h"
#include "midden/objects.h"
#include "midden/pauses.h"
#include "midden/pool.h"
#include "midden/profile.h"
#include "midden/roots.h"
#include "midden/statistics.h"
#include "midden/status.h"
#include "midden/weak.h"
#include "midden/writer.h"

#endif
