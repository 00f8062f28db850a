/* Unit: bit counting and bitmaps, against one bit at a time. */
#include <string.h>

#include "base/bits.h"
#include "harness.h"

enum { WORDS = 9, BITS = WORDS * 64 };

static void randomise(uint64_t *map, uint64_t *random) {
  for (size_t i = 0; i < WORDS; i++) {
    map[i] = test_random(random);
    /* Dense, sparse, full and empty words. */
    switch (test_random_below(random, 5)) {
      case 0: map[i] &= test_random(random) & test_random(random); break;
      case 1: map[i] |= test_random(random) | test_random(random); break;
      case 2: map[i] = 0; break;
      case 3: map[i] = ~UINT64_C(0); break;
      default: break;
    }
  }
}

START_TEST(counting) {
  uint64_t random = 1;
  for (int i = 0; i < 100000; i++) {
    uint64_t word = test_random(&random) >> test_random_below(&random, 64) << test_random_below(&random, 64);
    unsigned count = 0, lowest = 64;
    for (unsigned bit = 64; bit-- > 0;)
      if (word >> bit & 1) count++, lowest = bit;
    EXPECT(bits_count(word) == count, "%#llx", (unsigned long long)word);
    if (word != 0) EXPECT(bits_lowest(word) == lowest, "%#llx", (unsigned long long)word);
  }
  ck_assert_uint_eq(bits_count(0), 0);
  ck_assert_uint_eq(bits_count(~UINT64_C(0)), 64);
  for (size_t bit = 0; bit < 64; bit++) {
    ck_assert_uint_eq(bits_count(bits_below(bit)), bit);
    ck_assert_uint_eq(bits_below(bit) ^ bits_from(bit), ~UINT64_C(0));
  }
}
END_TEST

START_TEST(ranges) {
  uint64_t random = 2, map[WORDS], expected[WORDS];
  for (int i = 0; i < 20000; i++) {
    size_t first = test_random_below(&random, BITS), end = first + test_random_below(&random, BITS - first + 1);
    bool set = i % 2;
    randomise(map, &random);
    memcpy(expected, map, sizeof map);
    for (size_t bit = first; bit < end; bit++) {
      if (set) bitmap_set(expected, bit);
      else bitmap_clear(expected, bit);
    }
    if (set) bitmap_set_range(map, first, end);
    else bitmap_clear_range(map, first, end);
    EXPECT(memcmp(map, expected, sizeof map) == 0, "%s %zu .. %zu", set ? "set" : "clear", first, end);
  }
}
END_TEST

START_TEST(searches) {
  uint64_t random = 3, map[WORDS];
  for (int i = 0; i < 20000; i++) {
    size_t first = test_random_below(&random, BITS), end = first + test_random_below(&random, BITS - first + 1);
    randomise(map, &random);
    size_t set = first, clear = first;
    while (set < end && !bitmap_test(map, set)) set++;
    while (clear < end && bitmap_test(map, clear)) clear++;
    EXPECT(bitmap_next(map, first, end) == set, "next in %zu .. %zu", first, end);
    EXPECT(bitmap_next_clear(map, first, end) == clear, "next clear in %zu .. %zu", first, end);
  }
}
END_TEST

START_TEST(rounding) {
  for (size_t unit = 1; unit < 70; unit++)
    for (size_t value = 0; value < 300; value++) {
      size_t rounded = round_up(value, unit);
      EXPECT(rounded % unit == 0 && rounded >= value && rounded - value < unit, "%zu to %zu", value, unit);
    }
  ck_assert_uint_eq(size_minimum(3, 4), 3);
  ck_assert_uint_eq(size_maximum(3, 4), 4);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {counting, ranges, searches, rounding};
  return run_once("bits", tests, COUNT_OF(tests));
}
