/* Tools that watch memory: see memory_checker.h. */
#include "base/memory_checker.h"

#include "base/memcheck.h"

/* Of AddressSanitizer's runtime. Weak: there if the program was linked with it, whether this library was compiled for
 * it or not, and whether it is linked in or shared. */
extern __attribute__((weak)) void __asan_poison_memory_region(const volatile void *address, size_t bytes);
extern __attribute__((weak)) void __asan_unpoison_memory_region(const volatile void *address, size_t bytes);

enum memory_checker mdn_checker_find(void) {
  if (__asan_poison_memory_region && __asan_unpoison_memory_region) return CHECKER_SANITIZER;
  return mdn_memcheck_runs() ? CHECKER_MEMCHECK : CHECKER_NONE;
}

void mdn_checker_hide(enum memory_checker checker, const void *address, size_t bytes) {
  if (checker == CHECKER_SANITIZER) {
    __asan_poison_memory_region(address, bytes);
  } else {
    mdn_memcheck_hide(address, bytes);
  }
}

void mdn_checker_show(enum memory_checker checker, const void *address, size_t bytes, bool initialised) {
  if (checker == CHECKER_SANITIZER) {
    __asan_unpoison_memory_region(address, bytes);
  } else {
    mdn_memcheck_show(address, bytes, initialised);
  }
}

void mdn_checker_extend(enum memory_checker checker, const void *address, size_t bytes) {
  if (checker == CHECKER_SANITIZER) {
    __asan_unpoison_memory_region(address, bytes);
  } else {
    mdn_memcheck_extend(address, bytes);
  }
}

void mdn_checker_take(enum memory_checker checker, const void *piece, size_t bytes, bool initialised) {
  if (checker == CHECKER_SANITIZER) {
    __asan_unpoison_memory_region(piece, bytes);
  } else {
    mdn_memcheck_take(piece, bytes, initialised);
  }
}

void mdn_checker_give(enum memory_checker checker, const void *piece, size_t bytes) {
  if (checker == CHECKER_MEMCHECK) mdn_memcheck_give(piece);
  mdn_checker_hide(checker, piece, bytes);
}

void mdn_checker_resize(enum memory_checker checker, const void *piece, size_t bytes) {
  if (checker != CHECKER_MEMCHECK) return;
  mdn_memcheck_give(piece); /* it has a request for this, which wants to know the old size */
  mdn_memcheck_take(piece, bytes, true);
}

void mdn_checker_mute(enum memory_checker checker, bool on) {
  if (checker == CHECKER_MEMCHECK) mdn_memcheck_mute(on);
}
