/* Where a tool's text or bytes go. */
#ifndef MIDDEN_WRITER_H
#define MIDDEN_WRITER_H

#include "midden/platform.h"

MIDDEN_BEGIN_DECLARATIONS

/* `write` returns false when it could not write all of it (and sets errno, if that says why): the call then ends with
 * IO_ERROR. It must not call back into the heap. */
typedef struct midden_writer {
  bool (*write)(void *context, const char *bytes, size_t count);
  void *context;
} midden_writer;

MIDDEN_END_DECLARATIONS

#endif
