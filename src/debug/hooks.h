/* What src/debug hangs into a heap when it is opened. */
#ifndef MIDDEN_DEBUG_HOOKS_H
#define MIDDEN_DEBUG_HOOKS_H

#include "midden/heap.h"

/* Installs the verifier around collections, if the configuration wants it. */
void mdn_debug_install(midden_heap *heap);

#endif
