/* Client requests to memcheck: a few instructions each that do nothing elsewhere. See memcheck.h. */
#include <valgrind/memcheck.h>

#include "base/memcheck.h"

/* Other tools of valgrind's do not know memcheck's requests, and are to see the program as it is. */
bool mdn_memcheck_runs(void) {
  char probe = 0, bits = 0;
  return RUNNING_ON_VALGRIND && VALGRIND_GET_VBITS(&probe, &bits, sizeof probe) == 1;
}

void mdn_memcheck_hide(const void *address, size_t bytes) { (void)VALGRIND_MAKE_MEM_NOACCESS(address, bytes); }

void mdn_memcheck_show(const void *address, size_t bytes, bool initialised) {
  if (initialised) {
    (void)VALGRIND_MAKE_MEM_DEFINED(address, bytes);
  } else {
    (void)VALGRIND_MAKE_MEM_UNDEFINED(address, bytes);
  }
}

void mdn_memcheck_extend(const void *address, size_t bytes) {
  VALGRIND_DISABLE_ERROR_REPORTING; /* the question is an error if the answer is no */
  size_t first = (size_t)VALGRIND_CHECK_MEM_IS_ADDRESSABLE(address, bytes);
  VALGRIND_ENABLE_ERROR_REPORTING;
  if (first) (void)VALGRIND_MAKE_MEM_DEFINED(first, (size_t)address + bytes - first);
}

void mdn_memcheck_take(const void *piece, size_t bytes, bool initialised) {
  VALGRIND_MALLOCLIKE_BLOCK(piece, bytes, 0, initialised);
}

void mdn_memcheck_give(const void *piece) { VALGRIND_FREELIKE_BLOCK(piece, 0); }

void mdn_memcheck_mute(bool on) {
  if (on) {
    VALGRIND_DISABLE_ERROR_REPORTING;
  } else {
    VALGRIND_ENABLE_ERROR_REPORTING;
  }
}
