/* Pauses: how long collections took, always counted; and a page of text that shows a heap at work. */
#ifndef MIDDEN_PAUSES_H
#define MIDDEN_PAUSES_H

#include "midden/heap.h"

MIDDEN_BEGIN_DECLARATIONS

/* Buckets: below 1024 ns; then each power of two in four of the same width, up to 17 s; and what took longer. */
#define MIDDEN_PAUSE_BUCKETS 98

/* The pauses of all minor, or of all full collections since the heap was opened. Times are in nanoseconds; the
 * percentiles are ends of buckets: not too short, and at most a quarter too long. 0 if there were none. */
typedef struct midden_pauses {
  uint64_t collections; /* the sum of the buckets */
  uint64_t total_ns;
  uint64_t p50_ns, p90_ns, p99_ns; /* so many percent of the pauses were not longer */
  uint64_t longest_ns;
  uint64_t buckets[MIDDEN_PAUSE_BUCKETS];
} midden_pauses;

/* Fills *pauses. post: MIDDEN_OK; or BAD_ARGUMENT or MISUSE, *pauses untouched. Does not collect. Owner thread.
 * Cost: constant. */
MIDDEN_API midden_status midden_pauses_read(midden_heap *heap, midden_collection which, midden_pauses *pauses);

/* The first duration, in nanoseconds, that is too long for a bucket. post: UINT64_MAX for the last bucket, and for an
 * index beyond. Any thread. */
MIDDEN_API uint64_t midden_pause_bucket_limit(size_t bucket);

/* A monitor: what it has seen last, so that it can say what is new. */
typedef struct midden_monitor midden_monitor;

/* post: MIDDEN_OK and *monitor, which ends with the heap at the latest; or NO_MEMORY, BAD_ARGUMENT, MISUSE, and *error
 * (may be NULL). Does not collect. Owner thread. About 10 KB. */
MIDDEN_API midden_status midden_monitor_open(midden_heap *heap, midden_monitor **monitor, midden_error *error);
/* NULL is allowed. */
MIDDEN_API void midden_monitor_close(midden_monitor *monitor);

/* Writes a page of text: the heap's size, what was allocated and how long collecting paused the host since the last
 * call (or since the monitor was opened), and a line for each of the `kinds` kinds that take most bytes, with their
 * growth since then. What is counted is what was handed out and not yet collected.
 * post: the length it needs without the terminator, as snprintf; text is cut at `capacity`; 0 on MISUSE.
 * With capacity 0 the call is not the last one for the next. Does not collect. Owner thread. Cost: proportional to the number of kinds. */
MIDDEN_API size_t midden_monitor_text(midden_monitor *monitor, size_t kinds, char *text, size_t capacity);

MIDDEN_END_DECLARATIONS

#endif
