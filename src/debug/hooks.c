/* Which parts of src/debug there are, in the order in which they observe a collection. */
#include "debug/hooks.h"

#include "debug/installers.h"

midden_status mdn_debug_install(midden_heap *heap, midden_error *error) {
  static midden_status (*const installers[])(midden_heap *heap, midden_error *error) = {
      mdn_verifier_install,
      mdn_census_install,
      mdn_log_install,
      mdn_timeline_install,
      mdn_profile_install,
      mdn_guard_install,
      mdn_unrooted_install,
  };
  for (size_t i = 0; i < sizeof installers / sizeof installers[0]; i++) {
    midden_status status = installers[i](heap, error);
    if (status != MIDDEN_OK) return status;
  }
  return MIDDEN_OK;
}
