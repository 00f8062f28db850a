/* Histograms of durations, against the whole list of what was counted. */
#include <stdlib.h>

#include "base/histogram.h"
#include "harness.h"

START_TEST(buckets_follow_each_other) {
  for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
    uint64_t limit = mdn_histogram_limit(bucket), before = bucket ? mdn_histogram_limit(bucket - 1) : 0;
    EXPECT(limit > before, "bucket %u ends at %llu", bucket, (unsigned long long)limit);
    EXPECT(histogram_bucket(before) == bucket, "its first is in bucket %u", histogram_bucket(before));
    if (bucket < HISTOGRAM_BUCKETS - 1) EXPECT(histogram_bucket(limit - 1) == bucket, "its last is in another");
    /* The promise of the header: a quarter. */
    if (bucket > 0 && bucket < HISTOGRAM_BUCKETS - 1) EXPECT(limit - before <= before / 4, "bucket %u is wide", bucket);
  }
  ck_assert_uint_eq(mdn_histogram_limit(0), 1024);
  ck_assert_uint_eq(mdn_histogram_limit(HISTOGRAM_BUCKETS - 2), UINT64_C(1) << 34);
  ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKETS - 1);
}
END_TEST

static int ascending(const void *left, const void *right) {
  uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
  return a < b ? -1 : a > b;
}

START_TEST(percentiles_are_not_too_short) {
  enum { MOST = 400 };
  uint64_t random = 5, values[MOST];
  for (size_t count = 1; count < MOST; count += 1 + count / 8) {
    struct histogram histogram = {.count = 0};
    uint64_t sum = 0, inside = 0;
    for (size_t i = 0; i < count; i++) {
      values[i] = test_random(&random) >> (24 + test_random_below(&random, 39));
      histogram_count(&histogram, values[i]);
      sum += values[i];
    }
    qsort(values, count, sizeof *values, ascending);
    for (unsigned bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) inside += histogram.buckets[bucket];
    EXPECT(inside == count && histogram.count == count && histogram.sum == sum, "sums of %zu", count);
    EXPECT(histogram.longest == values[count - 1], "the longest of %zu", count);
    for (unsigned percent = 1; percent <= 100; percent++) {
      uint64_t right = values[(count * percent + 99) / 100 - 1], found = mdn_histogram_percentile(&histogram, percent);
      EXPECT(found >= right && (found <= right + right / 4 || found < 1024 || right >= UINT64_C(1) << 34),
             "percentile %u of %zu: %llu for %llu", percent, count, (unsigned long long)found, (unsigned long long)right);
    }
  }
  struct histogram none = {.count = 0};
  ck_assert_uint_eq(mdn_histogram_percentile(&none, 99), 0);
}
END_TEST

START_TEST(what_is_new) {
  struct histogram histogram = {.count = 0};
  histogram_count(&histogram, 5000000);
  struct histogram earlier = histogram;
  struct histogram since = mdn_histogram_since(&histogram, &earlier);
  ck_assert_uint_eq(since.count, 0);
  ck_assert_uint_eq(since.longest, 0);
  histogram_count(&histogram, 3000);
  histogram_count(&histogram, 4000);
  since = mdn_histogram_since(&histogram, &earlier);
  ck_assert_uint_eq(since.count, 2);
  ck_assert_uint_eq(since.sum, 7000);
  ck_assert_uint_eq(since.longest, 4095);
  ck_assert_uint_eq(mdn_histogram_percentile(&since, 50), 3071);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {buckets_follow_each_other, percentiles_are_not_too_short, what_is_new};
  return run_once("unit_histogram", tests, COUNT_OF(tests));
}
