/* The operating system port: what is loaded into the process, and what a fault was. Both may be asked in a signal
 * handler. */
#ifndef MIDDEN_BASE_OS_PROGRAM_H
#define MIDDEN_BASE_OS_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The file that an instruction was loaded from, without its folder, and the address in that file, as addr2line takes
 * it. post: false if it is none of a file's. */
bool mdn_os_program_file(uintptr_t address, char *name, size_t capacity, size_t *offset);

/* What the access did that a signal handler's third argument tells of. post: NULL where the machine does not say. */
const char *mdn_os_fault_access(const void *context);

#endif
