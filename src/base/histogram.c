/* Histograms of durations: see histogram.h. */
#include "base/histogram.h"

uint64_t mdn_histogram_limit(unsigned bucket) {
  if (bucket == 0) return UINT64_C(1) << HISTOGRAM_LOWEST;
  if (bucket >= HISTOGRAM_BUCKETS - 1) return UINT64_MAX;
  unsigned octave = HISTOGRAM_LOWEST + (bucket - 1) / 4, quarter = (bucket - 1) % 4;
  return (uint64_t)(5 + quarter) << (octave - 2);
}

uint64_t mdn_histogram_percentile(const struct histogram *histogram, unsigned percent) {
  uint64_t rank = (histogram->count * percent + 99) / 100, counted = 0;
  for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    counted += histogram->buckets[bucket];
    if (counted == 0 || counted < rank) continue;
    uint64_t most = mdn_histogram_limit(bucket) - 1;
    return most < histogram->longest ? most : histogram->longest;
  }
  return 0;
}

struct histogram mdn_histogram_since(const struct histogram *now, const struct histogram *earlier) {
  struct histogram since = {.count = now->count - earlier->count, .sum = now->sum - earlier->sum};
  for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    since.buckets[bucket] = now->buckets[bucket] - earlier->buckets[bucket];
    if (since.buckets[bucket]) since.longest = mdn_histogram_limit(bucket) - 1;
  }
  if (since.longest > now->longest) since.longest = now->longest;
  return since;
}
