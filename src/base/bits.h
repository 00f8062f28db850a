/* Bit counting, and bitmaps made of 64-bit words. */
#ifndef MIDDEN_BASE_BITS_H
#define MIDDEN_BASE_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline unsigned bits_lowest(uint64_t word) { return (unsigned)__builtin_ctzll(word); }

/* Counted without the popcnt instruction, which baseline x86-64 lacks: the compiler's fallback is a
 * call, this is twelve instructions. */
static inline unsigned bits_count(uint64_t word) {
#if defined(__POPCNT__) || defined(__aarch64__)
  return (unsigned)__builtin_popcountll(word);
#else
  word -= (word >> 1) & UINT64_C(0x5555555555555555);
  word = (word & UINT64_C(0x3333333333333333)) + ((word >> 2) & UINT64_C(0x3333333333333333));
  word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
  return (unsigned)((word * UINT64_C(0x0101010101010101)) >> 56);
#endif
}

/* The bits from `bit` upwards, and those below it. pre: bit < 64. */
static inline uint64_t bits_from(size_t bit) { return ~UINT64_C(0) << (bit & 63); }
static inline uint64_t bits_below(size_t bit) { return ~bits_from(bit); }

static inline bool bitmap_test(const uint64_t *map, size_t bit) { return (map[bit >> 6] >> (bit & 63)) & 1; }
static inline void bitmap_set(uint64_t *map, size_t bit) { map[bit >> 6] |= UINT64_C(1) << (bit & 63); }
static inline void bitmap_clear(uint64_t *map, size_t bit) { map[bit >> 6] &= ~(UINT64_C(1) << (bit & 63)); }

/* The part of word `word` that lies in the bit range [first, end). pre: the word overlaps the range. */
static inline uint64_t bits_window(size_t word, size_t first, size_t end) {
  uint64_t mask = ~UINT64_C(0);
  if (word == first >> 6) mask &= bits_from(first);
  if (word == end >> 6) mask &= bits_below(end);
  return mask;
}

static inline void bitmap_set_range(uint64_t *map, size_t first, size_t end) {
  for (size_t word = first >> 6; word << 6 < end; word++) map[word] |= bits_window(word, first, end);
}

static inline void bitmap_clear_range(uint64_t *map, size_t first, size_t end) {
  for (size_t word = first >> 6; word << 6 < end; word++) map[word] &= ~bits_window(word, first, end);
}

/* The first set bit in [first, end), or end. */
static inline size_t bitmap_next(const uint64_t *map, size_t first, size_t end) {
  for (size_t word = first >> 6; word << 6 < end; word++) {
    uint64_t bits = map[word] & bits_window(word, first, end);
    if (bits) return (word << 6) + bits_lowest(bits);
  }
  return end;
}

/* The first clear bit in [first, end), or end. */
static inline size_t bitmap_next_clear(const uint64_t *map, size_t first, size_t end) {
  for (size_t word = first >> 6; word << 6 < end; word++) {
    uint64_t bits = ~map[word] & bits_window(word, first, end);
    if (bits) return (word << 6) + bits_lowest(bits);
  }
  return end;
}

static inline size_t round_up(size_t value, size_t unit) { return (value + unit - 1) / unit * unit; }
static inline size_t size_minimum(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t size_maximum(size_t a, size_t b) { return a > b ? a : b; }

#endif
