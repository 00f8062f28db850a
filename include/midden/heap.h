/* Heaps and mutators: opening, attaching, collecting, asking about an object. */
#ifndef MIDDEN_HEAP_H
#define MIDDEN_HEAP_H

#include "midden/config.h"
#include "midden/kind.h"

MIDDEN_BEGIN_DECLARATIONS

/* Opens a heap. post: MIDDEN_OK and *heap; or *heap untouched and *error (may be NULL) says in a
 * sentence what is wrong and what to choose: BAD_OPTION (unknown collector), CONFLICT (a
 * combination that cannot work), BAD_ARGUMENT, NO_MEMORY. `config` and what it points to are
 * copied, but `config->memory->context` and `report_context` must outlive the heap. Reserves
 * address space once: smaller than wished for when the system refuses, never smaller than the limit. */
MIDDEN_API midden_status midden_heap_open(const midden_config *config, midden_heap **heap, midden_error *error);

/* Closes a heap: runs the finalizers that have not run (finalizers=run), dependants first, with the mutator attached
 * last, or one attached for it; detaches its mutators, frees every object (on_free is called), and gives all memory
 * back. Finalizers that are registered while it closes do not run.
 * pre: called by the heap's thread, outside a collection. NULL is allowed.
 * post: MIDDEN_OK, and neither the heap nor its mutators may be used again, which cannot be checked: their
 * memory is gone; or MISUSE and nothing happened. */
MIDDEN_API midden_status midden_heap_close(midden_heap *heap);

/* Attaches a mutator to the heap. `stack_bottom` is the address of a local variable of a function
 * that stays active as long as the mutator is attached (main's, or the interpreter's entry): the
 * scan covers the stack from 4 KiB above it (or the stack's end, if that is nearer) down to
 * the collection, so that the other locals of that function are found too. On a stack that is not the
 * thread's own it starts exactly there. NULL: all of the thread's stack. Ignored when stack=precise.
 * post: a mutator; or NULL and *error (may be NULL): NO_MEMORY, MISUSE. Does not collect. */
MIDDEN_API midden_mutator *midden_attach(midden_heap *heap, const void *stack_bottom, midden_error *error);

/* Detaches: its frames, handles and stacks are no longer roots; objects stay in the heap.
 * post: MIDDEN_OK, the mutator is gone, and until the next midden_attach a use of it is answered with
 * MISUSE (or NULL); or MISUSE and nothing happened. Does not collect. */
MIDDEN_API midden_status midden_detach(midden_mutator *mutator);

/* Hands the heap over to the calling thread: it becomes the heap's, and the mutator's attached stack is from now on its
 * stack, from `stack_bottom` as by midden_attach. For hosts that run an interpreter on several threads, one at a time, and
 * hold a lock for that: the mutex, or whatever else orders what one thread did before what the next does, is the host's
 * business, and nothing here waits or checks.
 * What only the previous thread's stack and registers hold is from now on neither kept (stack=conservative) nor in place
 * (nor with stack=pinning): what that thread is to find when it takes the heap back must be reachable otherwise, and its
 * locals be read again. Roots, handles and pins are the mutator's and stay. So do open frames (MIDDEN_FRAME), whichever stack they are
 * on: their functions must not return before they are closed, innermost first. Coroutine stacks stay, too.
 * pre: no other thread uses the heap from now on until it has adopted it in turn; the mutator is the heap's only one, and
 * no coroutine's stack is its running one (midden_stack_switch).
 * post: MIDDEN_OK; or nothing has changed and *error (may be NULL) says why: BAD_ARGUMENT (stack_bottom, as for
 * midden_attach), MISUSE (another mutator, a running coroutine, from inside a collection or callback, while the heap is
 * being closed). Any thread, the heap's own included, which moves the bottom of its stack. Cost: constant, but for asking
 * the system for the thread's stack. Does not collect or move. */
MIDDEN_API midden_status midden_adopt(midden_mutator *mutator, const void *stack_bottom, midden_error *error);

/* The heap that a mutator is attached to. */
MIDDEN_API midden_heap *midden_heap_of(const midden_mutator *mutator);

/* The configuration in force: what was opened, with automatic values filled in.
 * post: lives as long as the heap. */
MIDDEN_API const midden_config *midden_heap_config(const midden_heap *heap);

/* Has another collector collect from now on: sweep while busy, compact when idle. Any to any, `none` included;
 * nothing is collected or moved by the call itself, and what was pinned for one is not for the next.
 * `collector` is a name as in the option; midden_heap_config says which one is in force.
 * post: MIDDEN_OK; or nothing has changed and *error (may be NULL) says in a sentence why: BAD_OPTION (no such
 * collector in this build), CONFLICT (the heap's other options cannot work with it: `none` with generational,
 * stress or verify), BAD_ARGUMENT, MISUSE. A host that keeps addresses must not let a collector in that moves.
 * Cost: constant. Does not collect or move. Owner thread, not from inside a collection. */
MIDDEN_API midden_status midden_heap_use(midden_heap *heap, const char *collector, midden_error *error);

typedef enum midden_collection {
  MIDDEN_MINOR, /* the young objects, where the heap is generational; otherwise as MIDDEN_FULL */
  MIDDEN_FULL,  /* all that can be had: for who needs the memory, or has the time */
  MIDDEN_PACED  /* full, and made as the heap makes those that are due: dense-span is honoured, and it counts for
                   collect-share */
} midden_collection;

/* Collects now. MAY COLLECT AND MOVE. post: MIDDEN_OK; UNSUPPORTED under collector=none; MISUSE from
 * inside a collection; CORRUPT when verify= found something, which it reported. */
MIDDEN_API midden_status midden_collect(midden_mutator *mutator, midden_collection collection);

/* Whether a collection is due: enough was allocated since the last, so that with collect=auto the next refill would
 * collect; or, with collect=asked, memory was refused since then. For hosts whose C code can be interrupted by a
 * collection at some points only: they open the heap with collect=asked, and at these points collect (MIDDEN_PACED; where
 * the heap is generational, most of the time MIDDEN_MINOR) if it says so. What is allocated between two such points needs
 * room under heap-limit beyond what is due: with soft-limit below it there is some. (MPS calls such an arena clamped;
 * Lua's points are luaC_checkGC.)
 * post: false under collector=none, from inside a collection, and on misuse. What stress= wants does not count.
 * Cost: constant, a few loads. Does not collect or move. Owner thread. */
MIDDEN_API bool midden_collection_due(const midden_mutator *mutator);

/* Collects now, and makes the heap smaller: moves the objects of spans that are mostly empty into the gaps of others of
 * the same kind and size, so that pages come free. Under any collector that collects, mark-sweep included: a host
 * whose objects must not move, and that relies on a collector which moves none, must not call it. MAY COLLECT AND MOVE.
 * Pinned objects stay, and what ambiguous words hit, on the stack too unless stack=precise, each with all of its span; objects of
 * pinned kinds and large ones stay too. The order of allocation is not kept.
 *
 * `budget`: the bytes of objects that this call may move, but one span (at most 64 KiB) at least, unless it is 0. Bytes
 * moved, and not pages freed, because they are what the pause grows by beyond that of a full collection; the emptiest
 * spans come first, so that the first bytes free most pages. SIZE_MAX: all at once. 0: moves nothing.
 * post: MIDDEN_OK, and *more (may be NULL) says whether there is more to do: a host calls it again, now or later, as
 * long as it says so. If nothing is allocated in between, that ends. Or *more is untouched: UNSUPPORTED under
 * collector=none; NO_MEMORY (none to move safely: collected only); MISUSE; CORRUPT, as for midden_collect. The pages
 * go back to the operating system after a delay, or by midden_trim. Owner thread. */
MIDDEN_API midden_status midden_defragment(midden_mutator *mutator, size_t budget, bool *more);

/* Why the last allocation of this mutator returned NULL; MIDDEN_OK if none did since the last call of
 * this function. Does not collect. */
MIDDEN_API midden_status midden_last_status(midden_mutator *mutator);

/* Asking about objects. None of these collects or moves.
 *
 * midden_object_at: the start of the object that `address` points to, into, or, with nothing closer,
 * whose cell it is in; NULL if that is no allocated object of this heap. Untagged addresses only.
 * Cost: constant. */
MIDDEN_API void *midden_object_at(midden_heap *heap, const void *address);

/* The size in bytes of an object's cell: at least what was asked for.
 * pre: object is the start of an object of this heap. */
MIDDEN_API size_t midden_size_of(const midden_heap *heap, const void *object);

/* The kind's id of an object. pre: as above. (midden_kind_id_of in allocate.h is the inlined twin.) */
MIDDEN_API uint16_t midden_kind_of(const midden_heap *heap, const void *object);

/* The cell size in bytes that a request of `size` bytes gets: what a host may use without waste.
 * post: at least size; multiples of the 8 KiB page above 32 KiB; 0 if no heap could hold it. */
MIDDEN_API size_t midden_good_size(size_t size);

MIDDEN_END_DECLARATIONS

#endif
