/* AddressSanitizer's fake stacks: with detect_stack_use_after_return it keeps locals in frames of
 * its own, off the stack, to which only a word on the stack points. In other builds there are none. */
#ifndef MIDDEN_ROOTS_FAKE_STACK_H
#define MIDDEN_ROOTS_FAKE_STACK_H

#include "midden/kind.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

#ifdef __SANITIZE_ADDRESS__
#define FAKE_STACKS 1
void *__asan_get_current_fake_stack(void);
void *__asan_addr_is_in_fake_stack(void *fake_stack, void *address, void **begin, void **end);

static inline void *fake_stack_current(void) { return __asan_get_current_fake_stack(); }
/* If `word` points to a fake frame that is in use: its bounds. */
static inline bool fake_stack_frame(void *fake_stack, uintptr_t word, void **begin, void **end) {
  return fake_stack && __asan_addr_is_in_fake_stack(fake_stack, (void *)word, begin, end) != NULL;
}
#else
#define FAKE_STACKS 0
static inline void *fake_stack_current(void) { return NULL; }
static inline bool fake_stack_frame(void *fake_stack, uintptr_t word, void **begin, void **end) {
  (void)fake_stack, (void)word, (void)begin, (void)end;
  return false;
}
#endif

#endif
