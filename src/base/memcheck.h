/* What memcheck is told, by its client requests: memcheck_valgrind.c where its header was found, else memcheck_none.c.
 * See memory_checker.h. */
#ifndef MIDDEN_BASE_MEMCHECK_H
#define MIDDEN_BASE_MEMCHECK_H

#include <stdbool.h>
#include <stddef.h>

bool mdn_memcheck_runs(void);
void mdn_memcheck_hide(const void *address, size_t bytes);
void mdn_memcheck_show(const void *address, size_t bytes, bool initialised);
void mdn_memcheck_extend(const void *address, size_t bytes);
void mdn_memcheck_take(const void *piece, size_t bytes, bool initialised);
void mdn_memcheck_give(const void *piece);
void mdn_memcheck_mute(bool on);

#endif
