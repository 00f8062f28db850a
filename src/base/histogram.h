/* A histogram of durations, always on: each power of two from 1 µs to 17 s in four buckets of the same width, so that
 * what is read from it is at most a quarter too long. Counting takes a dozen instructions. */
#ifndef MIDDEN_BASE_HISTOGRAM_H
#define MIDDEN_BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_LOWEST 10 /* log2 of the nanoseconds at which the second bucket begins */
#define HISTOGRAM_OCTAVES 24
#define HISTOGRAM_BUCKETS (2 + 4 * HISTOGRAM_OCTAVES)

/* Invariant: `count` is the sum of the buckets. */
struct histogram {
  uint64_t buckets[HISTOGRAM_BUCKETS];
  uint64_t count, sum, longest; /* nanoseconds */
};

static inline unsigned histogram_bucket(uint64_t ns) {
  if (ns >> HISTOGRAM_LOWEST == 0) return 0;
  unsigned octave = 63 - (unsigned)__builtin_clzll(ns);
  if (octave >= HISTOGRAM_LOWEST + HISTOGRAM_OCTAVES) return HISTOGRAM_BUCKETS - 1;
  return 1 + 4 * (octave - HISTOGRAM_LOWEST) + ((unsigned)(ns >> (octave - 2)) & 3);
}

static inline void histogram_count(struct histogram *histogram, uint64_t ns) {
  histogram->buckets[histogram_bucket(ns)]++;
  histogram->count++;
  histogram->sum += ns;
  if (ns > histogram->longest) histogram->longest = ns;
}

/* The first duration that is too long for a bucket. post: UINT64_MAX for the last one. */
uint64_t mdn_histogram_limit(unsigned bucket);

/* The duration that `percent` percent of all do not exceed: the end of their bucket, but not more than the longest.
 * post: 0 if nothing was counted. */
uint64_t mdn_histogram_percentile(const struct histogram *histogram, unsigned percent);

/* What was counted since an earlier state. post: `longest` is the end of the last bucket in use, not more than the
 * longest ever. */
struct histogram mdn_histogram_since(const struct histogram *now, const struct histogram *earlier);

#endif
