/* The stacks of a mutator: the one it was attached on, and coroutine stacks.
 *
 * Invariant: exactly one is running (`running` NULL: the attached one). A stack that is not running has
 * the address it was left at, the registers it was left with, and the chain of its frames. */
#ifndef MIDDEN_ROOTS_STACKS_H
#define MIDDEN_ROOTS_STACKS_H

#include "base/arena.h"
#include "midden/roots.h"
#include "roots/registers.h"

#define STACK_REGISTERS 320 /* words: libunwind's context on x86-64 has 121; the rest is our frames below `left_at` */

struct midden_stack {
  struct midden_stack *next;
  const char *low, *high;  /* bounds; of the attached stack as far as they are known, else NULL and the hint */
  const char *left_at;     /* NULL: running, or never run */
  struct midden_frame *frames;
  size_t register_count;
  midden_word registers[STACK_REGISTERS];
};

struct stacks {
  struct midden_stack attached;
  struct midden_stack *coroutines;
  struct midden_stack *running;
};

/* `hint`: an address in the running stack, or NULL. post: false if no bottom can be found, and nothing has
 * changed. pre: no coroutine's stack is running. */
bool mdn_stacks_attach(struct stacks *stacks, const void *hint);
midden_stack *mdn_stacks_add(struct stacks *stacks, struct arena *arena, void *low, size_t bytes);
midden_status mdn_stacks_remove(struct stacks *stacks, struct arena *arena, midden_stack *stack);
/* Leaves the running stack at `left_at` for `to`. *frames is exchanged for the chain of `to`. */
midden_status mdn_stacks_switch(struct stacks *stacks, midden_stack *to, struct midden_frame **frames,
                                const char *left_at);
void mdn_stacks_release(struct stacks *stacks, struct arena *arena);

/* Whether `stack_pointer` lies in the stack that is said to be running: if not, the host has switched
 * stacks without saying so, and a scan would miss references or fault. */
bool mdn_stacks_covers(const struct stacks *stacks, const char *stack_pointer);

/* Visits the running stack from `stack_pointer`, the given registers, and all stacks that are not running. */
void mdn_stacks_visit(const struct stacks *stacks, const char *stack_pointer, const midden_word *registers,
                      size_t register_count, midden_visitor *visitor);
/* Visits the frames of the stacks that are not running. */
void mdn_stacks_visit_frames(const struct stacks *stacks, midden_visitor *visitor);
/* Visits a chain of frames. */
void mdn_frames_visit(const struct midden_frame *frame, midden_visitor *visitor);

/* Zeroes the stack that the functions which the caller calls next are going to cover. What is conservatively scanned begins
 * with frames of the library's own, and a place there that is not written to would show what the stack held before: a
 * reference of a call that has returned. (Boehm's collector does it for its clients' frames, GC_clear_stack.) */
void mdn_stacks_wipe(void);

#endif
