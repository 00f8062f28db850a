/* Where a broken invariant ends: the heap cannot be trusted any more, so the process stops here
 * rather than corrupt the host's data. */
#include "base/assertion.h"

#include <stdio.h>
#include <stdlib.h>

void mdn_assertion_failed(const char *condition, const char *file, int line) {
  fprintf(stderr, "midden: broken invariant: %s (%s:%d)\n", condition, file, line);
  abort();
}
