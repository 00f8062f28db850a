/* Where should mark bits live, and what should the tracer's queue look like?
 *
 * A stand-alone model of a heap of spans: 8 KiB pages, 16 KiB spans that hold cells of one size and
 * one kind (all words may be references, or leaf), arrays of 32 KiB with spans of their own. The same
 * object graph is traced by every variant of one question, interleaved, and the medians printed are
 * those of the per-round ratios against one of them.
 *
 *   gcc -O2 -o mark_layout mark_layout.c
 *   ./mark_layout QUESTION MEGABYTES CELL GRAPH ROUNDS [huge] [VARIANT]
 *     QUESTION  A mark-bit layouts   B queue in front of the mark stack   C when to look up the kind
 *               P push or pop once more, with the last word of the object prefetched too
 *     CELL      16 24 32 48 64 128, or mix (sizes and leaves as in an interpreter, with shared objects)
 *     GRAPH     tree   binary trees, allocated depth first
 *               perm   the same, addresses permuted at random within each size
 *               list   eight lists, allocated side by side     listp  the same, permuted
 *               array  arrays of 4096 references to permuted objects
 *     huge      ask the kernel for huge pages under the heap
 *     VARIANT   take ratios against this one, not against the question's first
 *
 * Every trace is checked: it must mark as many objects as were built. */
#include "mark_graph.h"
#include <time.h>

#define INLINE static inline __attribute__((always_inline))

/* ---- the variants -------------------------------------------------------------------------- */

enum layout { FLAT16, FLAT8, CELL, DESC };
enum when { PUSH, POP };               /* when the mark bit is tested and set */
enum kind { AT_SCAN, AT_PUSH, CARRY }; /* CARRY: looked up at push, travels in the queue entry */
/* What is prefetched on entering the ring: the object's first line; its mark word, last word, both too. */
enum ahead { FIRST, MARKS, LAST, ALL };

/* The mark word and bit of the object at this offset. */
INLINE u64 *mark_word(enum layout layout, u64 offset, u64 *bit) {
  u64 i;
  u64 *words;
  switch (layout) {
  case FLAT16: i = offset >> 4, words = flat16; break;
  case FLAT8: i = offset >> 3, words = flat8; break;
  case CELL: {
    u64 page = offset >> PAGE_SHIFT;
    u32 w = page_map[page];
    page -= w >> 8;
    i = ((offset - (page << PAGE_SHIFT)) * reciprocal[w & 255]) >> 32;
    words = cellbits + page * 8;
    break;
  }
  default: {
    struct span *s = page_span[offset >> PAGE_SHIFT];
    i = ((offset - s->start) * s->reciprocal) >> 32;
    words = s->marks;
  }
  }
  *bit = (u64)1 << (i & 63);
  return words + (i >> 6);
}

INLINE u32 class_of(enum layout layout, u64 offset) {
  return layout == DESC ? page_span[offset >> PAGE_SHIFT]->class : page_map[offset >> PAGE_SHIFT] & 255;
}

/* Mark; true when this call did it. */
INLINE int mark(enum layout layout, u64 offset) {
  u64 bit, *w = mark_word(layout, offset, &bit);
  if (*w & bit)
    return 0;
  *w |= bit;
  return 1;
}

/* Found a reference: to the stack, unless there is nothing more to do about it. */
INLINE u64 *found(enum layout layout, enum when when, enum kind kind, u64 offset, u64 *sp) {
  u32 class = 0;
  if (when == PUSH && !mark(layout, offset))
    return sp;
  if (kind != AT_SCAN) {
    class = class_of(layout, offset);
    if (scan_words[class] == 0) { /* a leaf: marked here, never queued, never touched */
      if (when == POP)
        mark(layout, offset);
      return sp;
    }
  }
  *sp++ = kind == CARRY ? offset | (u64)class << 48 : offset;
  return sp;
}

/* The tracer. ring = 0: a plain stack. Otherwise entries move from the top of the stack into a FIFO
 * of ring entries, where their object is prefetched; the oldest entry is scanned. */
INLINE void trace(enum layout layout, u32 ring, enum when when, enum ahead ahead, enum kind kind) {
  u64 fifo[32], *sp = stack, length = reserve;
  char *heap = base;
  u32 head = 0, filled = 0;
  for (u64 i = 0; i < root_count; i++)
    sp = found(layout, when, kind, roots[i], sp);
  for (;;) {
    u64 e;
    if (ring) {
      while (filled < ring && sp != stack) {
        e = *--sp;
        u64 offset = e & 0xffffffffffff;
        __builtin_prefetch(heap + offset);
        if (ahead == LAST || ahead == ALL) /* a cell of 24 bytes may cross a line, one of 128 does */
          __builtin_prefetch(heap + offset + scan_words[e >> 48] * 8 - 8);
        if (ahead == MARKS || ahead == ALL) {
          u64 bit;
          __builtin_prefetch(mark_word(layout, offset, &bit), 1);
        }
        fifo[(head + filled++) & (ring - 1)] = e;
      }
      if (!filled)
        return;
      e = fifo[head++ & (ring - 1)];
      filled--;
    } else {
      if (sp == stack)
        return;
      e = *--sp;
    }
    u64 offset = e & 0xffffffffffff;
    if (when == POP && !mark(layout, offset))
      continue;
    u32 n = scan_words[kind == CARRY ? e >> 48 : class_of(layout, offset)];
    const u64 *p = (const u64 *)(heap + offset);
    for (u32 i = 0; i < n; i++) {
      u64 o = p[i] - (u64)heap; /* null and tagged integers fall outside */
      if (o < length)
        sp = found(layout, when, kind, o, sp);
    }
  }
}

/*    question, name, layout, ring, when marked, prefetched, kind */
#define VARIANTS(X) \
  X('A', flat16_stack, FLAT16, 0, PUSH, FIRST, CARRY) \
  X('A', flat8_stack, FLAT8, 0, PUSH, FIRST, CARRY) \
  X('A', cell_stack, CELL, 0, PUSH, FIRST, CARRY) \
  X('A', desc_stack, DESC, 0, PUSH, FIRST, CARRY) \
  X('A', flat16_ring, FLAT16, 16, PUSH, FIRST, CARRY) \
  X('A', flat8_ring, FLAT8, 16, PUSH, FIRST, CARRY) \
  X('A', cell_ring, CELL, 16, PUSH, FIRST, CARRY) \
  X('A', desc_ring, DESC, 16, PUSH, FIRST, CARRY) \
  X('B', push_plain, FLAT16, 0, PUSH, FIRST, CARRY) \
  X('B', push_4, FLAT16, 4, PUSH, FIRST, CARRY) \
  X('B', push_8, FLAT16, 8, PUSH, FIRST, CARRY) \
  X('B', push_16, FLAT16, 16, PUSH, FIRST, CARRY) \
  X('B', push_32, FLAT16, 32, PUSH, FIRST, CARRY) \
  X('B', push_16_last, FLAT16, 16, PUSH, LAST, CARRY) \
  X('B', pop_plain, FLAT16, 0, POP, FIRST, CARRY) \
  X('B', pop_8, FLAT16, 8, POP, FIRST, CARRY) \
  X('B', pop_16, FLAT16, 16, POP, FIRST, CARRY) \
  X('B', pop_32, FLAT16, 32, POP, FIRST, CARRY) \
  X('B', pop_8_marks, FLAT16, 8, POP, MARKS, CARRY) \
  X('B', pop_16_marks, FLAT16, 16, POP, MARKS, CARRY) \
  X('B', pop_32_marks, FLAT16, 32, POP, MARKS, CARRY) \
  X('B', pop_16_marks_kind_at_scan, FLAT16, 16, POP, MARKS, AT_SCAN) \
  X('P', push_16_whole, FLAT16, 16, PUSH, LAST, CARRY) \
  X('P', push_32_whole, FLAT16, 32, PUSH, LAST, CARRY) \
  X('P', pop_16_whole, FLAT16, 16, POP, LAST, CARRY) \
  X('P', pop_16_whole_marks, FLAT16, 16, POP, ALL, CARRY) \
  X('P', pop_32_whole_marks, FLAT16, 32, POP, ALL, CARRY) \
  X('P', cell_push_16_whole, CELL, 16, PUSH, LAST, CARRY) \
  X('P', cell_pop_16_whole_marks, CELL, 16, POP, ALL, CARRY) \
  X('C', stack_at_scan, FLAT16, 0, PUSH, FIRST, AT_SCAN) \
  X('C', stack_at_push, FLAT16, 0, PUSH, FIRST, AT_PUSH) \
  X('C', stack_carried, FLAT16, 0, PUSH, FIRST, CARRY) \
  X('C', ring_at_scan, FLAT16, 16, PUSH, FIRST, AT_SCAN) \
  X('C', ring_at_push, FLAT16, 16, PUSH, FIRST, AT_PUSH) \
  X('C', ring_carried, FLAT16, 16, PUSH, FIRST, CARRY) \
  X('C', cell_ring_at_scan, CELL, 16, PUSH, FIRST, AT_SCAN) \
  X('C', cell_ring_at_push, CELL, 16, PUSH, FIRST, AT_PUSH) \
  X('C', cell_ring_carried, CELL, 16, PUSH, FIRST, CARRY)

#define DEFINE(q, name, layout, ring, when, ahead, kind) \
  __attribute__((noinline)) static void trace_##name(void) { trace(layout, ring, when, ahead, kind); }
VARIANTS(DEFINE)
#define ROW(q, name, layout, ring, when, ahead, kind) {q, #name, layout, trace_##name},
static const struct {
  char question;
  const char *name;
  enum layout layout;
  void (*trace)(void);
} variant[] = {VARIANTS(ROW)};
enum { VARIANT_COUNT = sizeof variant / sizeof *variant };

/* ---- measuring ----------------------------------------------------------------------------- */

static void clear(void) {
  memset(flat16, 0, (pages_used << PAGE_SHIFT) / 128);
  memset(flat8, 0, (pages_used << PAGE_SHIFT) / 64);
  memset(cellbits, 0, pages_used * 64);
  for (u64 i = 0; i < spans_used; i++)
    memset(spans[i].marks, 0, sizeof spans[i].marks);
}

static u64 marked(enum layout layout) {
  u64 n = 0;
  const u64 *w = layout == FLAT16 ? flat16 : layout == FLAT8 ? flat8 : cellbits;
  if (layout == DESC)
    for (u64 i = 0; i < spans_used; i++)
      for (int j = 0; j < 16; j++)
        n += __builtin_popcountll(spans[i].marks[j]);
  else
    for (u64 i = 0; i < pages_used * (layout == FLAT8 ? 16 : 8); i++)
      n += __builtin_popcountll(w[i]);
  return n;
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
  if (argc < 6)
    fail("usage: mark_layout A|B|C|P MEGABYTES CELL|mix GRAPH ROUNDS [huge] [VARIANT]");
  int rounds = atoi(argv[5]), first = -1, last = 0, huge = 0, reference = -1;
  if (!(is_mix = !strcmp(argv[3], "mix")))
    while (only_size < SIZES && cell_size[only_size] != (u32)atoi(argv[3]))
      only_size++;
  if (rounds < 1 || rounds > 99 || only_size == SIZES)
    fail("bad cell size or number of rounds");
  for (int i = 6; i < argc; i++)
    if (!strcmp(argv[i], "huge"))
      huge = 1;
    else
      for (int v = 0; v < VARIANT_COUNT; v++)
        if (!strcmp(argv[i], variant[v].name))
          reference = v;
  build((u64)atoi(argv[2]) << 20, argv[4], huge);
  static double seconds[VARIANT_COUNT][99], ratio[99], result[VARIANT_COUNT][4];
  for (int v = 0; v < VARIANT_COUNT; v++)
    if (variant[v].question == *argv[1])
      first = first < 0 ? v : first, last = v;
  if (first < 0)
    fail("unknown question");
  if (reference < first || reference > last)
    reference = first;
  int n = last - first + 1;
  clear(), variant[first].trace(); /* touch the stack's pages */
  for (int r = 0; r < rounds; r++)
    for (int k = 0; k < n; k++) {
      int v = first + (k + r * 5) % n; /* start elsewhere each round */
      clear();
      double t = cpu_seconds();
      variant[v].trace();
      seconds[v][r] = cpu_seconds() - t;
      if (marked(variant[v].layout) != object_count)
        fail("a trace missed objects");
    }
  printf("%s %s MB, cell %s, %s: %lu objects, %lu edges\n", argv[1], argv[2], argv[3], argv[4],
         (unsigned long)object_count, (unsigned long)edge_count);
  for (int v = first; v <= last; v++) { /* all ratios before any median(), which sorts */
    for (int r = 0; r < rounds; r++)
      ratio[r] = seconds[v][r] / seconds[reference][r];
    result[v][1] = median(ratio, rounds), result[v][2] = ratio[0], result[v][3] = ratio[rounds - 1];
  }
  for (int v = first; v <= last; v++)
    result[v][0] = median(seconds[v], rounds) * 1e9 / object_count;
  for (int v = first; v <= last; v++)
    printf("  %-26s %6.2f ns/object  x%.3f  (%.3f..%.3f)\n", variant[v].name, result[v][0], result[v][1],
           result[v][2], result[v][3]);
  return 0;
}
