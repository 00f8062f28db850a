/* Files that the tools of src/debug write. */
#ifndef MIDDEN_BASE_TOOL_FILE_H
#define MIDDEN_BASE_TOOL_FILE_H

#include <stdio.h>

#include "midden/status.h"

/* Creates a file, or empties it. The last '%' in the name stands for the first number from 1 on that makes a name of
 * no file: so heaps, and runs, have a file each. `what` begins the sentence of a failure.
 * post: MIDDEN_OK and *file; or IO_ERROR (it cannot be opened) or CONFLICT (another heap is writing to it), and *error. */
midden_status mdn_file_create(const char *name, const char *what, FILE **file, midden_error *error);

/* Writes out what is buffered, and closes if `close`. post: MIDDEN_OK; or IO_ERROR: something could not be written, now or
 * before, and *error. */
midden_status mdn_file_flush(FILE *file, bool close, const char *what, midden_error *error);

#endif
