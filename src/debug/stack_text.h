/* Places in the program as text: "function+0x1c (program 0x11ab)". May be called in a signal handler. */
#ifndef MIDDEN_DEBUG_STACK_TEXT_H
#define MIDDEN_DEBUG_STACK_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/text.h"

/* One place. `call`: the address is where a call returns to; the file's address then lies in the call, so that
 * addr2line gives its line. */
void mdn_stack_text_place(struct text *text, uintptr_t address, bool call);

/* The same without the file's address, for lists on one line. */
void mdn_stack_text_short(struct text *text, uintptr_t address, bool call);

/* Whether the function that a call returns to is the library's, by its name: a public one's, an internal one's, or one of
 * the functions of heap/allocate.c. For frames that follow each other outwards from the library: a host's function of
 * such a name is taken for the library's if it stands right there. */
bool mdn_stack_is_ours(uintptr_t address);

#endif
