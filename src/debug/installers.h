/* The parts of src/debug that hang into a heap: each installs itself if the configuration wants it, and is called once,
 * by mdn_debug_install. post: MIDDEN_OK; or *error (may be NULL) says what cannot be had. */
#ifndef MIDDEN_DEBUG_INSTALLERS_H
#define MIDDEN_DEBUG_INSTALLERS_H

#include "midden/heap.h"

midden_status mdn_verifier_install(midden_heap *heap, midden_error *error);
midden_status mdn_census_install(midden_heap *heap, midden_error *error);
midden_status mdn_log_install(midden_heap *heap, midden_error *error);
midden_status mdn_timeline_install(midden_heap *heap, midden_error *error);
midden_status mdn_profile_install(midden_heap *heap, midden_error *error);
midden_status mdn_guard_install(midden_heap *heap, midden_error *error);
midden_status mdn_unrooted_install(midden_heap *heap, midden_error *error);

#endif
