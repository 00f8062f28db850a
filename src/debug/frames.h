/* Which function holds a word of the stack, or a register, at a collection. See frames.c. */
#ifndef MIDDEN_DEBUG_FRAMES_H
#define MIDDEN_DEBUG_FRAMES_H

#include "roots/backtrace.h"

#define FRAMES_MOST ((size_t)512)
#define FRAMES_KNOWN 64

/* The stack at a collection; what lies further out than FRAMES_MOST frames has no function. */
struct frames {
  struct backtrace_frame list[FRAMES_MOST];
  size_t count;
  size_t first; /* the first that is the host's and not the library's */
  struct known_function {
    uintptr_t function;
    bool ours;
  } known[FRAMES_KNOWN]; /* by address: what was looked up */
};

/* Walks the stack of the caller. post: false if it cannot be told where the host's frames begin. */
bool mdn_frames_walk(struct frames *frames);

/* The frame that uses what lies at an address of the stack: the one it lies in; or, if a register was saved there for the
 * callers, the nearest of them that uses the register. post: NULL if it lies beyond the frames. */
const struct backtrace_frame *mdn_frames_holder(const struct frames *frames, uintptr_t slot);

/* The frame that uses a register that a callee must preserve, as the first frame of the host's sees it. */
const struct backtrace_frame *mdn_frames_register_holder(const struct frames *frames, size_t number);

#endif
