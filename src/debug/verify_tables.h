/* The verifier's checks of what the heap keeps beside its cells and spans. */
#ifndef MIDDEN_DEBUG_VERIFY_TABLES_H
#define MIDDEN_DEBUG_VERIFY_TABLES_H

#include "heap/heap.h"

/* The lists of spans that serve refills, the summaries of free pages, the tables of weak slots, what a collection notes, and
 * the remembered set. pre: runs are flushed; spans and page map were found right. post: MIDDEN_OK; or CORRUPT and
 * *error names the first broken invariant. It changes nothing. */
midden_status mdn_verify_tables(midden_heap *heap, midden_error *error);

#endif
