/* What the public headers need of the compiler: linkage, inlining hints, unaliased words. */
#ifndef MIDDEN_PLATFORM_H
#define MIDDEN_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define MIDDEN_BEGIN_DECLARATIONS extern "C" {
#define MIDDEN_END_DECLARATIONS }
#else
#define MIDDEN_BEGIN_DECLARATIONS
#define MIDDEN_END_DECLARATIONS
#endif

#define MIDDEN_API __attribute__((visibility("default")))
#define MIDDEN_LIKELY(condition) __builtin_expect(!!(condition), 1)
#define MIDDEN_UNLIKELY(condition) __builtin_expect(!!(condition), 0)

/* A word of host memory: the library reads and rewrites slots that the host declared with
 * other types, so access through this type is exempt from the aliasing rule. */
typedef uintptr_t __attribute__((__may_alias__)) midden_word;

#endif
