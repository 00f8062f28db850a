/* The call stack by libunwind: who called, and what each frame holds. One file for each way; without libunwind nothing
 * is known, and every function answers 0 or false. Nothing here takes memory of the heap's, and all of it but
 * mdn_backtrace may be called in a signal handler. */
#ifndef MIDDEN_ROOTS_BACKTRACE_H
#define MIDDEN_ROOTS_BACKTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKTRACE_REGISTERS 12 /* at most so many registers are a callee's to save */

/* Whether this build can walk stacks. */
bool mdn_backtrace_possible(void);

/* The return addresses of the caller's callers, innermost first. post: how many. Tens of nanoseconds for each. */
size_t mdn_backtrace(uintptr_t *addresses, size_t most);

/* The same for what a signal has interrupted, by its handler's third argument: the instruction itself comes first. */
size_t mdn_backtrace_fault(void *context, uintptr_t *addresses, size_t most);

/* The function that an instruction lies in, by the program's symbols, and its distance from the function's start.
 * `call`: the address is where a call returns to. post: false if nothing is known. */
bool mdn_backtrace_name(uintptr_t address, bool call, char *name, size_t capacity, size_t *offset);

/* The function that a word of the running stack belongs to: a frame reaches from its stack pointer to that of the frame
 * that called it. post: false if it cannot be found out, and text is as it was. */
bool mdn_backtrace_holder(const void *word, char *text, size_t capacity);

/* One frame: the stack from its stack pointer to that of the next is its own. */
struct backtrace_frame {
  uintptr_t address;  /* where it goes on */
  uintptr_t function; /* where that function starts, or 0 */
  uintptr_t stack_pointer;
  /* The registers that a callee must preserve, as this frame sees them, and the place in a callee's frame where they
   * were saved: the same place in two frames means that the inner one did not use the register. */
  uintptr_t registers[BACKTRACE_REGISTERS], saved_at[BACKTRACE_REGISTERS];
};

/* The frames of the callers, innermost first. post: how many. */
size_t mdn_backtrace_frames(struct backtrace_frame *frames, size_t most);

#endif
