/* What src/debug hangs into a heap when it is opened. */
#ifndef MIDDEN_DEBUG_HOOKS_H
#define MIDDEN_DEBUG_HOOKS_H

#include "midden/heap.h"

/* Adds the observers that the configuration wants. post: MIDDEN_OK; or *error says what cannot be had: those that were
 * added are closed with the heap. */
midden_status mdn_debug_install(midden_heap *heap, midden_error *error);

#endif
