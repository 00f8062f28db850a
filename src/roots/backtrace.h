/* The call stack by libunwind: who called. One file for each way; without libunwind nothing is known, and every
 * function answers 0 or false. Nothing here takes memory from the heap. */
#ifndef MIDDEN_ROOTS_BACKTRACE_H
#define MIDDEN_ROOTS_BACKTRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Whether this build can walk stacks. */
bool mdn_backtrace_possible(void);

/* The return addresses of the caller's callers, innermost first. post: how many. */
size_t mdn_backtrace(uintptr_t *addresses, size_t most);

/* The function that an instruction lies in, by the program's symbols, and its distance from the function's start.
 * `call`: the address is where a call returns to. post: false if nothing is known. */
bool mdn_backtrace_name(uintptr_t address, bool call, char *name, size_t capacity, size_t *offset);

#endif
