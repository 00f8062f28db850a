/* Assertions in two grades. Both are for invariants of the library's own; what a host passes in is
 * answered with a status instead.
 *
 * CHECK        stays on in every build: for slow paths, where it costs nothing visible.
 * DEBUG_CHECK  only with MIDDEN_CHECKS: for inner loops. */
#ifndef MIDDEN_BASE_ASSERTION_H
#define MIDDEN_BASE_ASSERTION_H

__attribute__((noreturn, cold)) void mdn_assertion_failed(const char *condition, const char *file, int line);

#define CHECK(condition)                                                                                  \
  (__builtin_expect(!!(condition), 1) ? (void)0 : mdn_assertion_failed(#condition, __FILE__, __LINE__))

#ifdef MIDDEN_CHECKS
#define DEBUG_CHECK(condition) CHECK(condition)
#else
#define DEBUG_CHECK(condition) ((void)0)
#endif

#endif
