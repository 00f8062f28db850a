/* How should a swept span hand out its free cells: from an address bitmap or a cell-number bitmap?
 *
 * A stand-alone model: an area of 16 KiB spans of equal cells, in which some cells survived. Each
 * variant allocates every free cell of the area through an inlined bump of a cursor whose slow path,
 * an ordinary call, finds free cells and zeroes them; one word is stored into each object as a host
 * would. The same survivors for every variant, interleaved rounds, medians of per-round ratios
 * against the first variant.
 *
 *   gcc -O2 -o refill_layout refill_layout.c
 *   ./refill_layout MEGABYTES CELL SURVIVORS ROUNDS
 *     CELL       a multiple of 8 from 16 to 2048
 *     SURVIVORS  none, isolated (every other cell), runs (16 live, 16 free), random (half, at random)
 *
 * Address bitmap: one bit for each 16 bytes; a free cell is a bit of the class's pattern of cell
 * starts that is not an allocation bit. A cell whose size is an odd multiple of 8 may start in the
 * upper half of its 16 bytes; its start is then size * floor((16 g + 8) / size) for bit g, since that
 * is the only multiple of size in reach. Other cells start at 16 g.
 *
 * gap:   the slow path takes the next gap whole and zeroes it.
 * cell:  the slow path takes one cell from a 64-bit word of free bits and zeroes it.
 * count: no allocation, only the survivors of each span counted: the least a sweep does. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef uint64_t u64;
typedef uint32_t u32;
#define INLINE static inline __attribute__((always_inline))

enum { SPAN = 16384, WORDS = SPAN / 16 / 64 };

static char *area;
static u64 span_count;
static u32 size, reciprocal, cells; /* cells in a span */
static u64 pattern[2][WORDS];       /* [ADDRESS] cell starts by granule, [INDEX] one bit for each cell */
static u64 *live[2];                /* allocation bits, WORDS words for each span */

enum bitmap { ADDRESS, INDEX };

struct tally { u64 objects, offsets; };

/* What a mutator holds for one class: the run it bumps through, and where the next one is looked for. */
struct cursor {
  char *at, *limit;
  u64 free, alive;   /* the current word: free cells not yet handed out, allocation bits */
  u32 word, words;   /* the current word's number in its span; words in a span */
  u64 span;
};

/* Offset in the span of the cell behind this bit. */
INLINE u32 cell_offset(enum bitmap b, u32 bit) {
  if (b == INDEX)
    return bit * size;
  if (size % 16 == 0)
    return bit * 16;
  return (u32)(((u64)(bit * 16 + 8) * reciprocal) >> 32) * size;
}

/* Short areas in line: a call costs more than the stores. The barrier keeps the compiler from
 * recognising memset in the loop. */
INLINE void zero(char *p, char *end) {
  if (end - p > 128) {
    memset(p, 0, end - p);
    return;
  }
  for (; p < end; p += 8) {
    *(u64 *)p = 0;
    __asm__ volatile("" ::: "memory");
  }
}

INLINE void load_word(enum bitmap b, struct cursor *c) {
  c->alive = live[b][c->span * WORDS + c->word];
  c->free = pattern[b][c->word] & ~c->alive;
}

/* To the next word with a free cell, over as many spans as it takes; false at the area's end. */
INLINE int next_word(enum bitmap b, struct cursor *c) {
  while (c->free == 0) {
    if (++c->word == c->words) {
      c->word = 0;
      if (++c->span == span_count)
        return 0;
    }
    load_word(b, c);
  }
  return 1;
}

INLINE int take_cell(enum bitmap b, struct cursor *c) {
  if (!next_word(b, c))
    return 0;
  c->at = area + c->span * SPAN + cell_offset(b, c->word * 64 + __builtin_ctzll(c->free));
  c->limit = c->at + size;
  c->free &= c->free - 1;
  zero(c->at, c->limit);
  return 1;
}

INLINE int take_gap(enum bitmap b, struct cursor *c) {
  if (!next_word(b, c))
    return 0;
  char *start = area + c->span * SPAN;
  u32 bit = __builtin_ctzll(c->free);
  u64 rest = c->alive >> bit << bit; /* the survivors above the gap's first cell */
  c->at = start + cell_offset(b, c->word * 64 + bit);
  while (rest == 0) { /* the gap goes on into the next word */
    if (c->word + 1 == c->words) {
      c->limit = start + cells * size, c->free = 0;
      zero(c->at, c->limit);
      return 1;
    }
    c->word++;
    load_word(b, c);
    rest = c->alive;
  }
  bit = __builtin_ctzll(rest);
  c->limit = start + cell_offset(b, c->word * 64 + bit);
  c->free &= ~(u64)0 << bit;
  zero(c->at, c->limit);
  return 1;
}

#define VARIANTS(X) \
  X(gap_address, take_gap, ADDRESS) X(gap_index, take_gap, INDEX) \
  X(cell_address, take_cell, ADDRESS) X(cell_index, take_cell, INDEX)

INLINE struct tally allocate_all(int (*take)(struct cursor *), enum bitmap b) {
  struct tally t = {0, 0};
  struct cursor c = {.words = b == INDEX ? (cells + 63) / 64 : WORDS};
  load_word(b, &c);
  for (;;) {
    if (c.at + size > c.limit && !take(&c))
      return t;
    char *p = c.at;
    c.at = p + size;
    *(u64 *)p = (u64)p;
    __asm__ volatile("" ::: "memory"); /* the host's code: cursors live in memory */
    t.objects++;
    t.offsets += p - area;
  }
}

INLINE struct tally count_all(enum bitmap b) {
  struct tally t = {0, 0};
  u32 words = b == INDEX ? (cells + 63) / 64 : WORDS;
  for (u64 s = 0; s < span_count; s++) {
    u64 n = 0;
    for (u32 w = 0; w < words; w++)
      n += __builtin_popcountll(live[b][s * WORDS + w]);
    t.objects += cells - n;
  }
  return t;
}

#define DEFINE(name, take, b) \
  __attribute__((noinline)) static int slow_##name(struct cursor *c) { return take(b, c); } \
  __attribute__((noinline)) static struct tally refill_##name(void) { return allocate_all(slow_##name, b); }
VARIANTS(DEFINE)
__attribute__((noinline)) static struct tally refill_count_address(void) { return count_all(ADDRESS); }
__attribute__((noinline)) static struct tally refill_count_index(void) { return count_all(INDEX); }
#define ROW(name, take, b) {#name, refill_##name},
static const struct {
  const char *name;
  struct tally (*refill)(void);
} variant[] = {VARIANTS(ROW){"count_address", refill_count_address}, {"count_index", refill_count_index}};
enum { VARIANT_COUNT = sizeof variant / sizeof *variant, COUNTERS = VARIANT_COUNT - 2 };

static void fail(const char *what) {
  fprintf(stderr, "refill_layout: %s\n", what);
  exit(1);
}

static void *map(u64 bytes) {
  void *p = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED)
    fail("no memory");
  return p;
}

/* Whether cell i of a span lives. */
static u64 survives(const char *survivors, u32 i, u64 random) {
  if (!strcmp(survivors, "none"))
    return 0;
  if (!strcmp(survivors, "isolated"))
    return i & 1;
  if (!strcmp(survivors, "runs"))
    return i / 16 & 1;
  if (!strcmp(survivors, "random"))
    return random & 1;
  fail("unknown kind of survivors");
  return 0;
}

static void build(u64 bytes, const char *survivors) {
  static u64 r = 88172645463325252u;
  span_count = bytes / SPAN;
  cells = SPAN / size;
  reciprocal = 0xffffffffu / size + 1;
  area = map(bytes);
  memset(area, 1, bytes);
  live[ADDRESS] = map(span_count * WORDS * 8), live[INDEX] = map(span_count * WORDS * 8);
  for (u32 i = 0; i < cells; i++) {
    u32 g = i * size / 16;
    pattern[ADDRESS][g / 64] |= (u64)1 << g % 64;
    pattern[INDEX][i / 64] |= (u64)1 << i % 64;
  }
  for (u64 s = 0; s < span_count; s++)
    for (u32 i = 0; i < cells; i++) {
      r ^= r << 13, r ^= r >> 7, r ^= r << 17;
      u64 alive = survives(survivors, i, r >> 40);
      u32 g = i * size / 16;
      live[ADDRESS][s * WORDS + g / 64] |= alive << g % 64;
      live[INDEX][s * WORDS + i / 64] |= alive << i % 64;
    }
}

static double cpu_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}
static double median(double *v, int n) {
  qsort(v, n, sizeof *v, by_value);
  return n & 1 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

int main(int argc, char **argv) {
  if (argc != 5)
    fail("usage: refill_layout MEGABYTES CELL none|isolated|runs|random ROUNDS");
  int rounds = atoi(argv[4]);
  size = atoi(argv[2]);
  if (size < 16 || size > 2048 || size % 8 || rounds < 1 || rounds > 99)
    fail("bad cell size or number of rounds");
  u64 bytes = (u64)atoi(argv[1]) << 20;
  build(bytes, argv[3]);
  int repeat = bytes < (32u << 20) ? (32u << 20) / bytes : 1; /* small areas: long enough to time */
  static double seconds[VARIANT_COUNT][99], ratio[99], result[VARIANT_COUNT][4];
  struct tally want = variant[0].refill();
  for (int i = 0; i < rounds; i++)
    for (int k = 0; k < VARIANT_COUNT; k++) {
      int v = (k + i * 3) % VARIANT_COUNT;
      struct tally t;
      double start = cpu_seconds();
      for (int j = 0; j < repeat; j++)
        t = variant[v].refill();
      seconds[v][i] = (cpu_seconds() - start) / repeat;
      if (t.objects != want.objects || (v < COUNTERS && t.offsets != want.offsets))
        fail("variants disagree");
    }
  for (int v = VARIANT_COUNT - 1; v >= 0; v--) {
    for (int i = 0; i < rounds; i++)
      ratio[i] = seconds[v][i] / seconds[0][i];
    result[v][1] = median(ratio, rounds), result[v][2] = ratio[0], result[v][3] = ratio[rounds - 1];
    result[v][0] = median(seconds[v], rounds) * 1e9 / want.objects;
  }
  printf("%s MB, cell %s, %s: %lu objects\n", argv[1], argv[2], argv[3], (unsigned long)want.objects);
  for (int v = 0; v < VARIANT_COUNT; v++)
    printf("  %-26s %6.2f ns/object  x%.3f  (%.3f..%.3f)\n", variant[v].name, result[v][0], result[v][1],
           result[v][2], result[v][3]);
  return 0;
}
