/* Tools that watch what a process does to its memory: AddressSanitizer, and memcheck of valgrind. What is free in a
 * heap's pages is hidden from the program through them, so that they report its use as they do for malloc's memory.
 *
 * Neither is needed to build or to run: AddressSanitizer's runtime is there if the host was linked with it, valgrind
 * if the process runs under it. pre, of all but the first: `checker` is not CHECKER_NONE. */
#ifndef MIDDEN_BASE_MEMORY_CHECKER_H
#define MIDDEN_BASE_MEMORY_CHECKER_H

#include <stdbool.h>
#include <stddef.h>

enum memory_checker { CHECKER_NONE = 0, CHECKER_SANITIZER, CHECKER_MEMCHECK };

/* Which one watches this process. */
enum memory_checker mdn_checker_find(void);

/* Makes a range inaccessible to the program; accessible, with content that counts as initialised or not. */
void mdn_checker_hide(enum memory_checker checker, const void *address, size_t bytes);
void mdn_checker_show(enum memory_checker checker, const void *address, size_t bytes, bool initialised);

/* Makes accessible what is not yet, at the end of a range that begins accessible. What was keeps its state. */
void mdn_checker_extend(enum memory_checker checker, const void *address, size_t bytes);

/* Pieces that are handed out, so that memcheck's reports say where a piece was taken and given back. One that is taken
 * is accessible, `bytes` of it; one that is given is hidden, its first `bytes`. One that is resized counts as initialised.
 * pre: what is given or resized was taken, and is given once. */
void mdn_checker_take(enum memory_checker checker, const void *piece, size_t bytes, bool initialised);
void mdn_checker_give(enum memory_checker checker, const void *piece, size_t bytes);
void mdn_checker_resize(enum memory_checker checker, const void *piece, size_t bytes);

/* While the library reads and writes what it likes, hidden or not: nothing that this thread does is reported. */
void mdn_checker_mute(enum memory_checker checker, bool on);

#endif
