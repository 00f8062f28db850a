/* The operating system port: everything the library asks of a platform, one file for each. */
#ifndef MIDDEN_BASE_OS_H
#define MIDDEN_BASE_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "midden/config.h"

/* The default source of memory: anonymous mappings. */
const midden_memory *mdn_os_memory(void);

/* Bytes of memory of the machine. post: at least 64 MiB, also where it cannot be found out. */
size_t mdn_os_physical_memory(void);

/* Of the given range, whole pages of the system, the bytes that are in memory; 0 where it cannot be found out. */
size_t mdn_os_resident(const void *address, size_t bytes);

/* Bytes of a page of the system. */
size_t mdn_os_page_bytes(void);

/* Makes whole pages inaccessible: each use of them is a fault until they are committed again. For memory of
 * mdn_os_memory. post: false, and nothing has changed, if the system refuses. */
bool mdn_os_protect(void *address, size_t bytes);

/* Nanoseconds of a clock that never goes back. */
uint64_t mdn_os_clock(void);

/* A number for the calling thread, unique among living threads, never 0. */
uintptr_t mdn_os_thread(void);

/* The bounds of the calling thread's own stack. post: false where they cannot be found out. */
bool mdn_os_stack_bounds(const char **low, const char **high);

#endif
