/* Reading the pauses that a heap has counted. */
#include <string.h>

#include "heap/heap.h"
#include "midden/pauses.h"

_Static_assert(MIDDEN_PAUSE_BUCKETS == HISTOGRAM_BUCKETS, "the header says how many buckets there are");

midden_status midden_pauses_read(midden_heap *heap, midden_collection which, midden_pauses *result) {
  midden_status status = heap_enter(heap);
  if (status != MIDDEN_OK) return status;
  if (!result || (unsigned)which > MIDDEN_FULL) return MIDDEN_BAD_ARGUMENT;
  const struct histogram *pauses = &heap->figures.pauses[which == MIDDEN_MINOR];
  result->collections = pauses->count;
  result->total_ns = pauses->sum;
  result->p50_ns = mdn_histogram_percentile(pauses, 50);
  result->p90_ns = mdn_histogram_percentile(pauses, 90);
  result->p99_ns = mdn_histogram_percentile(pauses, 99);
  result->longest_ns = pauses->longest;
  memcpy(result->buckets, pauses->buckets, sizeof result->buckets);
  return MIDDEN_OK;
}

uint64_t midden_pause_bucket_limit(size_t bucket) {
  return bucket < HISTOGRAM_BUCKETS ? mdn_histogram_limit((unsigned)bucket) : UINT64_MAX;
}
