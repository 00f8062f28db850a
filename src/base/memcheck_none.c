/* Without valgrind's header: it never runs. See memcheck.h. */
#include "base/memcheck.h"

bool mdn_memcheck_runs(void) { return false; }
void mdn_memcheck_hide(const void *address, size_t bytes) { (void)address, (void)bytes; }
void mdn_memcheck_show(const void *address, size_t bytes, bool initialised) { (void)address, (void)bytes, (void)initialised; }
void mdn_memcheck_extend(const void *address, size_t bytes) { (void)address, (void)bytes; }
void mdn_memcheck_take(const void *piece, size_t bytes, bool initialised) { (void)piece, (void)bytes, (void)initialised; }
void mdn_memcheck_give(const void *piece) { (void)piece; }
void mdn_memcheck_mute(bool on) { (void)on; }
