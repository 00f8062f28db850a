/* Capturing the registers, so that a reference that lives in one only is found.
 *
 * What does not work: setjmp (glibc mangles some registers in the buffer), and a capture that ends in a
 * tail call (the frame with the saved registers is gone). So the capture calls a function, and its own
 * frame stays until that returns. One file for each way: registers_libunwind.c, registers_builtin.c. */
#ifndef MIDDEN_ROOTS_REGISTERS_H
#define MIDDEN_ROOTS_REGISTERS_H

#include <stddef.h>

#include "midden/platform.h"

/* `registers`: `count` words among which is every callee-saved register's value. */
typedef void (*registers_function)(void *context, const midden_word *registers, size_t count);

/* Calls `function` with the registers as they are in the caller. */
void mdn_registers_call(registers_function function, void *context);

#endif
