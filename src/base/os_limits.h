/* What the process may use of the machine's memory: containers and resource limits. */
#ifndef MIDDEN_BASE_OS_LIMITS_H
#define MIDDEN_BASE_OS_LIMITS_H

#include <stddef.h>

/* The lowest limit of memory on the control groups of this process, versions 1 and 2, ancestors included.
 * `root` stands before every path that is read: "" for the system's own, a folder in tests. post: bytes, or
 * SIZE_MAX where there is none. */
size_t mdn_os_container_limit(const char *root);

/* The limit of address space (RLIMIT_AS), or SIZE_MAX. */
size_t mdn_os_address_limit(void);

/* The limit of a heap that takes what there is: the machine's memory; three quarters of a container's, because
 * what the library and the host need besides counts there too, and going beyond kills the process; half of the
 * address space. post: at least 16 MiB. */
size_t mdn_os_automatic_limit(void);

#endif
