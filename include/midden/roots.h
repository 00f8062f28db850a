/* Roots: what the host holds outside the heap.
 *
 * Precise roots are rewritten when their object moves. Ambiguous ones pin, and keep alive. So does the C stack with
 * stack=conservative; with stack=pinning it pins what something else keeps alive. Registering never allocates from
 * the heap and never collects; it takes a little memory of its own and can fail with NO_MEMORY, in which case nothing
 * was registered. All functions: owner thread, not from inside a collection. */
#ifndef MIDDEN_ROOTS_H
#define MIDDEN_ROOTS_H

#include "midden/allocate.h"

MIDDEN_BEGIN_DECLARATIONS

/* One slot, until removed, outside the heap's objects. `slot` is the address of the host's variable that holds a reference. */
MIDDEN_API midden_status midden_root_add(midden_heap *heap, void *slot);

/* `count` consecutive slots. */
MIDDEN_API midden_status midden_root_range_add(midden_heap *heap, void *first, size_t count);

/* `count` consecutive words that may point to, into or just past objects: hits are pinned.
 *
 * What an ambiguous word hits, here, on stacks and in MIDDEN_REFS_AMBIGUOUS objects: the object whose cell
 * it points into; and if it is the very start of a cell, or points to none, the object that ends there.
 * The one exception: an object of a fixed-size kind of at most 128 bytes is not kept by a pointer just
 * past its end that is also the start of another object. Such structures are not walked with end pointers,
 * and keeping every neighbour alive retains much that is dead (docs/design/past-the-end.md). */
MIDDEN_API midden_status midden_root_ambiguous_add(midden_heap *heap, const void *first, size_t count);

/* Called several times in each collection; visits the same slots each time. It may use every
 * midden_visit function. It must not follow references into objects (while slots are being rewritten an
 * object may not be where its new reference says), allocate from the heap, register roots or collect. */
typedef void (*midden_scan_function)(midden_visitor *visitor, void *context);
MIDDEN_API midden_status midden_root_scanner_add(midden_heap *heap, midden_scan_function scan, void *context);

/* Removing: by what was added. post: MIDDEN_OK, or BAD_ARGUMENT if no such root is registered. */
MIDDEN_API midden_status midden_root_remove(midden_heap *heap, const void *first);
MIDDEN_API midden_status midden_root_scanner_remove(midden_heap *heap, midden_scan_function scan, void *context);

/* ---- Frames: precise locals of C functions (a shadow stack, after Henderson 2002) ----
 *
 *   static value cons(midden_mutator *m, value car, value cdr) {
 *     MIDDEN_FRAME(m, car, cdr);
 *     struct pair *pair = midden_alloc(m, PAIR);      // car and cdr may be rewritten here
 *     ...
 *     MIDDEN_END(m);
 *     return pair;
 *   }
 *
 * The variables (1 to 12, each one word: a pointer or a tagged word) must be initialised. One frame
 * for each C block; MIDDEN_END in the same block before leaving it by any way but longjmp. */
typedef struct midden_frame {
  struct midden_frame *previous;
  void *const *slots; /* the addresses of the variables */
  const struct midden_frame_place *place;
} midden_frame;

/* What is the same each time that a frame is opened in one place. */
typedef struct midden_frame_place {
  size_t count;          /* of slots */
  const char *function;  /* for reports; may be NULL */
  const char *variables; /* as they are written, with commas between; for reports; may be NULL */
} midden_frame_place;

#define MIDDEN_FRAME(mutator, ...)                                                                        \
  _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wshadow\"")                          \
  void *const midden_frame_slots_[] = {MIDDEN_ADDRESSES_(__VA_ARGS__)};                                   \
  static const midden_frame_place midden_frame_place_ = {                                                 \
      sizeof midden_frame_slots_ / sizeof midden_frame_slots_[0], __func__, #__VA_ARGS__};                \
  midden_frame midden_frame_ = {(mutator)->frames, midden_frame_slots_, &midden_frame_place_};            \
  _Pragma("GCC diagnostic pop")                                                                           \
  (mutator)->frames = &midden_frame_
#define MIDDEN_END(mutator) ((void)((mutator)->frames = midden_frame_.previous))

/* ---- Handles: precise references that live in scopes, for code that cannot use frames ---- */

/* A handle is the address of a slot that the mutator owns; *handle is the reference, kept up to date.
 * It is valid until its scope closes. */
typedef midden_word *midden_handle;

typedef struct midden_scope {
  void *block;
  size_t used;
  size_t pins; /* of midden_pin_in_scope (objects.h) */
} midden_scope;

/* Opens a scope; scopes nest. Cannot fail. */
MIDDEN_API midden_scope midden_scope_open(midden_mutator *mutator);
/* A handle in the innermost scope, holding `reference`. post: NULL when there is no memory for it. */
MIDDEN_API midden_handle midden_handle_new(midden_mutator *mutator, const void *reference);
/* Closes a scope and all scopes opened after it. pre: a scope of this mutator that is still open. */
MIDDEN_API void midden_scope_close(midden_mutator *mutator, midden_scope scope);

/* ---- longjmp: frames and scopes that were skipped must go too ----
 * Save before setjmp; restore after longjmp has returned to it. */
typedef struct midden_mark {
  struct midden_frame *frames;
  midden_scope scope;
} midden_mark;

MIDDEN_API midden_mark midden_mark_save(midden_mutator *mutator);
MIDDEN_API void midden_mark_restore(midden_mutator *mutator, midden_mark mark);

/* ---- Coroutine stacks ----
 * Where a heap has several mutators, each that may run on such a stack is told of it, and of each switch.
 * Register each stack that C code with references runs on, and announce each switch immediately
 * before making it. Unless stack=precise, a stack that is not running is scanned from where it was left to its
 * end, together with the registers it was left with. In any case frames belong to the stack that they were made on;
 * scopes, handles and scoped pins belong to the mutator: close them before their stack is left.
 * Each stack takes about 2.6 KiB, for its registers. */
typedef struct midden_stack midden_stack;

/* Registers a stack of `bytes` bytes whose lowest address is `low`. post: the stack, not running; or
 * NULL (NO_MEMORY). It is scanned only after it has been switched away from. */
MIDDEN_API midden_stack *midden_stack_add(midden_mutator *mutator, void *low, size_t bytes);

/* Says that the host is about to leave the running stack for `to` (NULL: the stack that the mutator was
 * attached on). Call it in the function that makes the switch, immediately before. That function's frame must stay while
 * its stack waits: the switch must not be its last call, which a compiler may turn into a jump.
 * post: MIDDEN_OK; or BAD_ARGUMENT if `to` is not a stack of this mutator. Cost: proportional to the number of
 * stacks registered after `to`. */
MIDDEN_API midden_status midden_stack_switch(midden_mutator *mutator, midden_stack *to);

/* Forgets a stack. pre: it is not the running one. post: MIDDEN_OK; or MISUSE and nothing happened. */
MIDDEN_API midden_status midden_stack_remove(midden_mutator *mutator, midden_stack *stack);

/* MIDDEN_ADDRESSES_(a, b, c) is (void *)&(a), (void *)&(b), (void *)&(c). */
#define MIDDEN_ADDRESSES_(...)                                                                            \
  MIDDEN_PICK_(__VA_ARGS__, MIDDEN_A12_, MIDDEN_A11_, MIDDEN_A10_, MIDDEN_A9_, MIDDEN_A8_, MIDDEN_A7_,    \
               MIDDEN_A6_, MIDDEN_A5_, MIDDEN_A4_, MIDDEN_A3_, MIDDEN_A2_, MIDDEN_A1_, _)(__VA_ARGS__)
#define MIDDEN_PICK_(a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, name, ...) name
#define MIDDEN_A1_(a) (void *)&(a)
#define MIDDEN_A2_(a, ...) (void *)&(a), MIDDEN_A1_(__VA_ARGS__)
#define MIDDEN_A3_(a, ...) (void *)&(a), MIDDEN_A2_(__VA_ARGS__)
#define MIDDEN_A4_(a, ...) (void *)&(a), MIDDEN_A3_(__VA_ARGS__)
#define MIDDEN_A5_(a, ...) (void *)&(a), MIDDEN_A4_(__VA_ARGS__)
#define MIDDEN_A6_(a, ...) (void *)&(a), MIDDEN_A5_(__VA_ARGS__)
#define MIDDEN_A7_(a, ...) (void *)&(a), MIDDEN_A6_(__VA_ARGS__)
#define MIDDEN_A8_(a, ...) (void *)&(a), MIDDEN_A7_(__VA_ARGS__)
#define MIDDEN_A9_(a, ...) (void *)&(a), MIDDEN_A8_(__VA_ARGS__)
#define MIDDEN_A10_(a, ...) (void *)&(a), MIDDEN_A9_(__VA_ARGS__)
#define MIDDEN_A11_(a, ...) (void *)&(a), MIDDEN_A10_(__VA_ARGS__)
#define MIDDEN_A12_(a, ...) (void *)&(a), MIDDEN_A11_(__VA_ARGS__)

MIDDEN_END_DECLARATIONS

#endif
