/* Results: every call that can fail says why, and none aborts the host. */
#ifndef MIDDEN_STATUS_H
#define MIDDEN_STATUS_H

#include "midden/platform.h"

MIDDEN_BEGIN_DECLARATIONS

typedef enum midden_status {
  MIDDEN_OK = 0,
  MIDDEN_NO_MEMORY,    /* the operating system or `heap-limit` refused, after an emergency collection if collect=auto */
  MIDDEN_BAD_ARGUMENT, /* an argument is outside what the declaration allows */
  MIDDEN_BAD_OPTION,   /* an option's name or value is not understood */
  MIDDEN_CONFLICT,     /* options or kinds that cannot work together */
  MIDDEN_LIMIT,        /* a fixed capacity (number of kinds, cursors) is used up, or would never be enough (a pool) */
  MIDDEN_MISUSE,       /* wrong thread, detached or foreign mutator, call from inside a collection */
  MIDDEN_UNSUPPORTED,  /* the heap's collector cannot do this */
  MIDDEN_CORRUPT,      /* the verifier found a broken invariant */
  MIDDEN_TIMED_OUT,    /* what was waited for did not come in time */
  MIDDEN_CLOSED,       /* the pool was shut, before or while waiting */
  MIDDEN_IN_USE,       /* leases of the pool are out */
  MIDDEN_IO_ERROR      /* a file or the host's writer could not be written to */
} midden_status;

/* A failure in words. Filled only when a call fails; untouched when it succeeds.
 * `message` is one sentence, always terminated, that names what was wrong and what is accepted. */
typedef struct midden_error {
  midden_status status;
  char message[512];
} midden_error;

/* The name of a status, such as "no-memory". post: never NULL, a string that lives forever.
 * Does not collect. Any thread. */
MIDDEN_API const char *midden_status_name(midden_status status);

/* The library's version, such as "0.1.0". Does not collect. Any thread. */
MIDDEN_API const char *midden_version(void);

MIDDEN_END_DECLARATIONS

#endif
