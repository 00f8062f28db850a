/* The heap and the object graphs that mark_layout.c traces: spans of equal cells, the side tables of
 * all layouts, and graphs that are the same in every run. Only mark_layout.c includes it. */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef uint64_t u64;
typedef uint32_t u32;

enum { PAGE_SHIFT = 13, SPAN_PAGES = 2, ARRAY_WORDS = 4096, ARRAY_PAGES = 4, LISTS = 8 };
enum { SIZES = 6, LARGE = 2 * SIZES, CLASSES = LARGE + 1 };
static const u32 cell_size[SIZES] = {16, 24, 32, 48, 64, 128};

/* Class c < LARGE holds cells of cell_size[c / 2]; odd classes are leaves. */
static u32 scan_words[CLASSES]; /* words to scan, 0 for a leaf */
static u32 reciprocal[CLASSES]; /* ceil(2^32 / size); 0 for LARGE, whose only cell is number 0 */

/* One descriptor for each span, for layout (3): header and mark bits side by side. */
struct span {
  u64 start; /* offset from the heap's base */
  u32 reciprocal, class;
  u64 marks[16];
};

static char *base;     /* the heap; references are plain addresses */
static u64 reserve;    /* its length in bytes */
static u64 *flat16;    /* (1) one bit for each 16 bytes of address */
static u64 *flat8;     /*     the same with 8 bytes */
static u64 *cellbits;  /* (2) per-span bitmaps by cell number, 8 words for each page */
static u32 *page_map;  /* class in the low byte, distance to the span's first page above it */
static struct span **page_span; /* (3) page -> descriptor */
static struct span *spans;
static u64 pages_used, spans_used;
static u64 *stack;     /* mark stack, large enough for every edge */
static u64 *roots, root_count, object_count, edge_count;

static void fail(const char *what) {
  fprintf(stderr, "mark_layout: %s\n", what);
  exit(1);
}

static void *map(u64 bytes) {
  void *p = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED)
    fail("no memory");
  return p;
}

static u64 random_state = 88172645463325252u;
static u64 rnd(void) { /* xorshift, fixed seed: every run builds the same graph */
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

static u64 new_span(u32 class, u32 pages) {
  u64 first = pages_used;
  struct span *s = &spans[spans_used++];
  s->start = first << PAGE_SHIFT, s->class = class, s->reciprocal = reciprocal[class];
  pages_used += pages;
  if (pages_used << PAGE_SHIFT > reserve)
    fail("heap reserve too small");
  for (u32 i = 0; i < pages; i++)
    page_map[first + i] = class | i << 8, page_span[first + i] = s;
  return s->start;
}

static u64 cursor[LARGE], limit[LARGE];
static u64 new_cell(u32 class) {
  u32 size = cell_size[class / 2];
  if (cursor[class] + size > limit[class]) {
    cursor[class] = new_span(class, SPAN_PAGES);
    limit[class] = cursor[class] + (SPAN_PAGES << PAGE_SHIFT);
  }
  u64 offset = cursor[class];
  cursor[class] += size;
  return offset;
}

/* Node i of the graph: its class, and its address as an offset in 8-byte units. */
static uint8_t *node_class;
static u32 *node_at;
static int is_mix;
static u32 only_size;

static u32 pick_class(int leaf) {
  static const int inner_percent[SIZES] = {40, 15, 20, 12, 8, 5};
  static const int leaf_percent[SIZES] = {30, 25, 20, 10, 10, 5};
  const int *percent = leaf ? leaf_percent : inner_percent;
  u32 s = only_size;
  if (is_mix) {
    int r = rnd() % 100;
    for (s = 0; s < SIZES - 1 && (r -= percent[s]) >= 0; s++)
      ;
  }
  return s * 2 + (leaf ? 1 : 0);
}

static u64 *node_word(u64 i) { return (u64 *)(base + (u64)node_at[i] * 8); }
static void link_nodes(u64 from, u32 slot, u64 to) {
  node_word(from)[slot] = (u64)node_word(to);
  edge_count++;
}

/* Nodes lo..hi-1 are a tree in depth-first order: the root, then each half of the rest. In the mix
 * 70 % of the childless nodes are leaves. */
static void tree_classes(u64 lo, u64 hi) {
  node_class[lo] = pick_class(is_mix && hi - lo == 1 && rnd() % 10 < 7);
  u64 mid = lo + 1 + (hi - lo) / 2;
  if (hi - lo > 1)
    tree_classes(lo + 1, mid);
  if (hi > mid)
    tree_classes(mid, hi);
}
static void tree_links(u64 lo, u64 hi) {
  u64 mid = lo + 1 + (hi - lo) / 2;
  if (hi - lo > 1)
    link_nodes(lo, 0, lo + 1), tree_links(lo + 1, mid);
  if (hi > mid)
    link_nodes(lo, 1, mid), tree_links(mid, hi);
}

/* In the mix, objects with a third word share others: 40 % one of a thousand hot objects (symbols,
 * shapes), 20 % a neighbour, 5 % any object. */
static void shared_links(u64 n) {
  for (u64 i = 0; i < n; i++)
    if (scan_words[node_class[i]] > 2) {
      u64 r = rnd() % 100, x = rnd();
      if (r < 40)
        link_nodes(i, 2, x % (n < 1000 ? n : 1000));
      else if (r < 60 && i > 1000)
        link_nodes(i, 2, i - x % 1000);
      else if (r < 65)
        link_nodes(i, 2, x % n);
    }
}

static void permute(u64 n) { /* shuffle the addresses of each class among its nodes */
  u32 *index = map(n * sizeof *index);
  for (u32 c = 0; c < LARGE; c++) {
    u64 k = 0;
    for (u64 i = 0; i < n; i++)
      if (node_class[i] == c)
        index[k++] = i;
    for (u64 i = k; i > 1; i--) {
      u64 a = index[i - 1], b = index[rnd() % i];
      u32 t = node_at[a];
      node_at[a] = node_at[b], node_at[b] = t;
    }
  }
  munmap(index, n * sizeof *index);
}

static void build(u64 bytes, const char *graph, int huge) {
  int tree = !strcmp(graph, "tree") || !strcmp(graph, "perm"), array = !strcmp(graph, "array");
  int permuted = !strcmp(graph, "perm") || !strcmp(graph, "listp") || array;
  if (!tree && !array && strncmp(graph, "list", 4))
    fail("unknown graph");
  for (u32 c = 0; c < LARGE; c++) {
    scan_words[c] = c & 1 ? 0 : cell_size[c / 2] / 8;
    reciprocal[c] = 0xffffffffu / cell_size[c / 2] + 1;
  }
  scan_words[LARGE] = ARRAY_WORDS;
  u64 n = bytes / (is_mix ? 35 : cell_size[only_size] + (array ? 8 : 0)); /* 35: the mix's mean, nearly */
  reserve = (bytes + bytes / 2 + (4 << 20)) >> 14 << 14;
  base = map(reserve + (4 << 20));
  base = (char *)(((u64)base + (2 << 20) - 1) >> 21 << 21);
  madvise(base, reserve, huge ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
  u64 pages = reserve >> PAGE_SHIFT;
  flat16 = map(reserve / 128), flat8 = map(reserve / 64), cellbits = map(pages * 64);
  page_map = map(pages * 4), page_span = map(pages * 8), spans = map(pages * sizeof *spans);
  node_class = map(n), node_at = map(n * 4), roots = map(n * 8);

  if (tree)
    tree_classes(0, n);
  else
    for (u64 i = 0; i < n; i++) /* list: odd nodes hang off their predecessor; array: half are leaves */
      node_class[i] = pick_class(is_mix && (i & 1));
  for (u64 i = 0; i < n; i++)
    node_at[i] = new_cell(node_class[i]) / 8;
  if (permuted)
    permute(n);
  for (u64 i = 0; i < n; i++) /* every word of a fresh object is a tagged integer */
    for (u32 j = 0; j < cell_size[node_class[i] / 2] / 8; j++)
      node_word(i)[j] = i << 1 | 1;
  object_count = n;
  if (tree) {
    tree_links(0, n);
    roots[root_count++] = (u64)node_at[0] * 8;
  } else if (array) {
    for (u64 i = 0; i < n; i += ARRAY_WORDS) {
      u64 at = new_span(LARGE, ARRAY_PAGES);
      for (u64 j = 0; j < ARRAY_WORDS && i + j < n; j++)
        ((u64 *)(base + at))[j] = (u64)node_word(i + j), edge_count++;
      roots[root_count++] = at;
      object_count++;
    }
  } else {
    u64 step = is_mix ? 2 : 1;
    for (u64 i = 0; i < n; i += step) {
      if (i < LISTS * step)
        roots[root_count++] = (u64)node_at[i] * 8;
      if (i + LISTS * step < n)
        link_nodes(i, 0, i + LISTS * step);
      if (is_mix && i + 1 < n)
        link_nodes(i, 1, i + 1);
    }
  }
  if (is_mix)
    shared_links(n);
  edge_count += root_count;
  stack = map((edge_count + 64) * 8);
}
