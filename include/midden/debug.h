/* Debugging: checks that a host can run at any time. verify=, stress= and poison= in the
 * configuration run them inside the heap. */
#ifndef MIDDEN_DEBUG_H
#define MIDDEN_DEBUG_H

#include "midden/heap.h"

MIDDEN_BEGIN_DECLARATIONS

/* Walks the whole heap: every reference in every object and precise root points to the start of an
 * allocated cell; marks, pins, span lists, page map and counters agree. In a generational heap also that no
 * write barrier was missed: an old object that was given a reference to one allocated since the last
 * collection, without midden_store or midden_written, is named with the slot's offset and both kinds.
 * What is checked besides: tables of weak slots, the remembered set, the lists that serve refills, the summaries of free pages.
 * post: MIDDEN_OK; or CORRUPT and *error (may be NULL) names the first broken invariant, the object, and a path from a root to it;
 * MISUSE from inside a collection. Does not collect or move. */
MIDDEN_API midden_status midden_verify(midden_heap *heap, midden_error *error);

/* Words that poison=yes leaves in freed cells, buffers and blocks; each says which path freed them. None is a reference. */
#define MIDDEN_POISON_SWEPT ((uintptr_t)0x5357455054dead05)     /* "SWEPT": unreachable, in place */
#define MIDDEN_POISON_EVACUATED ((uintptr_t)0x4556414344dead05) /* "EVACD": copied elsewhere */
#define MIDDEN_POISON_SLID ((uintptr_t)0x534c494445dead05)      /* "SLIDE": compacted: died, or moved down */
#define MIDDEN_POISON_LARGE ((uintptr_t)0x4c41524745dead05)     /* "LARGE": a large object's pages */
#define MIDDEN_POISON_BUFFER ((uintptr_t)0x4255464652dead05)    /* "BUFFR": bytes that a buffer or lease had */
#define MIDDEN_POISON_BLOCK ((uintptr_t)0x424c4f434bdead05)     /* "BLOCK": a raw block, but for its first 8 bytes */

/* Says in a sentence what an address is now, and, under guard=, what was there before: "0x7f12a008, 8 bytes into the pair
 * of 16 bytes at 0x7f12a000"; a free cell; a guarded page; a raw block; a chunk of a pool; outside the heap. Of an object that
 * has gone: which collection moved it, where it is now, or which found it dead; and where it was allocated, if that was
 * noted. Of moves and deaths the last 262144 are known.
 * post: the length it needs without the terminator, as snprintf; text is cut at `capacity`; 0 if it is not an open heap.
 * It reads the heap's own tables, never an object, takes no memory, and may be called at any moment: in a handler of the
 * host's for SIGSEGV, from a debugger, from inside a collection. The heap's thread. Does not collect.
 *
 * guard=report is the one thing in the library that belongs to the process: from the opening of the first such heap to
 * the closing of the last, there is a handler for SIGSEGV. It writes to the file of log=, or to standard error, never to
 * config.report, which could not be trusted there. Then, and for faults elsewhere, it calls the handler that was there
 * before, or takes the default. At most 256 such heaps at a time: then MIDDEN_LIMIT. A host that must own the signal
 * chooses guard=fault, and calls midden_explain in its own handler. */
MIDDEN_API size_t midden_explain(const midden_heap *heap, const void *address, char *text, size_t capacity);

MIDDEN_END_DECLARATIONS

#endif
