/* Raw blocks against malloc: the same patterns of taking and giving back, with sizes as in an interpreter.
 *
 *   blocks midden|malloc PATTERN [MILLIONS]      prints ns for each pair of taking and giving back
 *
 * PATTERN is immediate, lifo-1K, fifo-64K, random-64K or random-1M: how many blocks are held, and in which order they
 * are given back. Under LD_PRELOAD `malloc` is whoever is preloaded. Every block is written to when it is taken and
 * checked when it is given back. bench/blocks-run compares, interleaved, and prints medians. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SIZES = 4096, RANDOM_NUMBERS = 1 << 16 };

static midden_mutator *mutator;
static uint16_t sizes[SIZES];
static uint32_t numbers[RANDOM_NUMBERS];
static uint64_t pairs;

static uint64_t random_number(void) {
  static uint64_t state = 42;
  uint64_t z = state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

/* 16 to 512 bytes, mean about 60: half of the blocks have 16 to 40 bytes. */
static void make_sizes(void) {
  for (size_t i = 0; i < SIZES; i++) {
    uint64_t r = random_number();
    size_t size = r % 2 ? 16 + r / 2 % 4 * 8 : r % 4 ? 24 + r / 4 % 80 : 32 + r / 4 % 128;
    if (r / 512 % 100 == 0) size = 128 + r / 65536 % 385;
    sizes[i] = (uint16_t)size;
  }
  for (size_t i = 0; i < RANDOM_NUMBERS; i++) numbers[i] = (uint32_t)random_number();
}

static void stop(const char *why) {
  fprintf(stderr, "blocks: %s\n", why);
  exit(1);
}

static void *midden_take(size_t size) { return midden_block_alloc(mutator, size); }
static void midden_give(void *block) { midden_block_free(mutator, block); }
static void *malloc_take(size_t size) { return malloc(size); }
static void malloc_give(void *block) { free(block); }

#define INLINE static inline __attribute__((always_inline))
typedef void *(*take_function)(size_t size);
typedef void (*give_function)(void *block);

INLINE uintptr_t *take_block(take_function take, uint64_t i) {
  uintptr_t *block = take(sizes[i % SIZES]);
  if (!block) stop("out of memory");
  *block = (uintptr_t)block;
  return block;
}

INLINE void give_block(give_function give, uintptr_t *block) {
  if (*block != (uintptr_t)block) stop("a block has changed");
  *block = 0;
  give(block);
}

INLINE void immediate(take_function take, give_function give, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) give_block(give, take_block(take, i));
}

INLINE void lifo(take_function take, give_function give, uint64_t count, size_t held, uintptr_t **blocks) {
  for (uint64_t done = 0; done < count; done += held) {
    for (size_t i = 0; i < held; i++) blocks[i] = take_block(take, done + i);
    for (size_t i = held; i-- > 0;) give_block(give, blocks[i]);
  }
}

INLINE void fifo(take_function take, give_function give, uint64_t count, size_t held, uintptr_t **blocks) {
  for (uint64_t i = 0; i < count; i++) {
    uintptr_t **place = &blocks[i % held];
    if (*place) give_block(give, *place);
    *place = take_block(take, i);
  }
}

INLINE void any_order(take_function take, give_function give, uint64_t count, size_t held, uintptr_t **blocks) {
  for (uint64_t i = 0; i < count; i++) {
    uint32_t number = numbers[i % RANDOM_NUMBERS] + (uint32_t)(i / RANDOM_NUMBERS) * 2654435761u;
    uintptr_t **place = &blocks[number % held];
    if (*place) give_block(give, *place);
    *place = take_block(take, i);
  }
}

INLINE void run(take_function take, give_function give, const char *pattern, uintptr_t **blocks) {
  if (strcmp(pattern, "immediate") == 0) immediate(take, give, pairs);
  else if (strcmp(pattern, "lifo-1K") == 0) lifo(take, give, pairs, 1024, blocks);
  else if (strcmp(pattern, "fifo-64K") == 0) fifo(take, give, pairs, 65536, blocks);
  else if (strcmp(pattern, "random-64K") == 0) any_order(take, give, pairs, 65536, blocks);
  else if (strcmp(pattern, "random-1M") == 0) any_order(take, give, pairs, 1 << 20, blocks);
  else stop("patterns are immediate, lifo-1K, fifo-64K, random-64K and random-1M");
}

static void open_heap(void) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_heap *heap;
  midden_error error;
  if (midden_heap_open(&config, &heap, &error) != MIDDEN_OK) stop(error.message);
  mutator = midden_attach(heap, NULL, &error);
  if (!mutator) stop(error.message);
}

int main(int argc, char **argv) {
  if (argc < 3) stop("arguments are midden or malloc, and a pattern");
  bool midden = strcmp(argv[1], "midden") == 0;
  pairs = (argc > 3 ? strtoull(argv[3], NULL, 10) : 20) * 1000000;
  make_sizes();
  open_heap();
  static uintptr_t *blocks[1 << 20];
  struct timespec before, after;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
  if (midden) run(midden_take, midden_give, argv[2], blocks);
  else run(malloc_take, malloc_give, argv[2], blocks);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
  double ns = (double)(after.tv_sec - before.tv_sec) * 1e9 + (double)(after.tv_nsec - before.tv_nsec);
  printf("%.2f\n", ns / (double)pairs);
  return 0;
}
