/* The shim over a bump pointer without free: the physical limit. Objects are zeroed 4 KiB ahead.
 *
 * Options: "area=BYTES" wraps around in so much memory, for workloads that keep nothing; without it, memory is
 * fresh from the system, up to "heap-limit=BYTES". */
#ifndef BENCH_SHIM_BUMP_H
#define BENCH_SHIM_BUMP_H

#include <sys/mman.h>

#define SHIM_NAME "bump"
#define SHIM_BUMP_STEP ((size_t)4096)

typedef int shim_kind;

static char *shim_start, *shim_end, *shim_next, *shim_zeroed;
static bool shim_wraps;

static unsigned long shim_option(const char *options, const char *name, unsigned long otherwise) {
  const char *found = strstr(options, name);
  return found ? strtoul(found + strlen(name), NULL, 10) : otherwise;
}

static void shim_open(const char *options, const void *stack_bottom) {
  (void)stack_bottom;
  size_t area = shim_option(options, "area=", 0);
  size_t bytes = area ? area : shim_option(options, "heap-limit=", 1ul << 30);
  shim_start = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (shim_start == MAP_FAILED) {
    fprintf(stderr, "cannot reserve memory\n");
    exit(2);
  }
  shim_wraps = area != 0;
  shim_end = shim_start + bytes;
  shim_next = shim_zeroed = shim_start;
}

static SHIM_MAYBE_UNUSED shim_kind shim_define(const char *name, size_t size, uint64_t references) {
  (void)name, (void)size;
  return references != 0;
}
static SHIM_MAYBE_UNUSED shim_kind shim_define_array(const char *name) {
  (void)name;
  return 1;
}
static SHIM_MAYBE_UNUSED shim_kind shim_define_leaf(const char *name) {
  (void)name;
  return 0;
}

static SHIM_NOINLINE void shim_extend(size_t size) {
  size_t wanted = size > SHIM_BUMP_STEP ? size : SHIM_BUMP_STEP;
  if (shim_wraps && (size_t)(shim_end - shim_next) < wanted) shim_next = shim_zeroed = shim_start;
  if ((size_t)(shim_end - shim_next) < wanted) shim_check(NULL);
  if (shim_wraps) memset(shim_zeroed, 0, (size_t)(shim_next + wanted - shim_zeroed));
  shim_zeroed = shim_next + wanted;
}

static inline void *shim_allocate(shim_kind kind, size_t size) {
  (void)kind;
  size = (size + 7) & ~(size_t)7;
  if (__builtin_expect((size_t)(shim_zeroed - shim_next) < size, 0)) shim_extend(size);
  char *object = shim_next;
  shim_next += size;
  return object;
}
static inline void *shim_allocate_array(shim_kind kind, size_t count) {
  return shim_allocate(kind, count * sizeof(void *));
}
static inline void *shim_allocate_leaf(shim_kind kind, size_t size) { return shim_allocate(kind, size); }
static inline void shim_store(void *object, void *slot, void *value) {
  (void)object;
  *(void **)slot = value;
}
static inline void shim_free(void *object) { (void)object; }

static SHIM_MAYBE_UNUSED shim_kind shim_define_pairs(const char *name) { return shim_define_array(name); }
static inline void *shim_allocate_pairs(shim_kind kind, size_t count) { return shim_allocate_array(kind, 2 * count); }
static inline void *shim_pair_key(void *table, size_t index) { return ((void **)table)[2 * index]; }
static inline void *shim_pair_value(void *table, size_t index) { return ((void **)table)[2 * index + 1]; }
static inline void shim_pair_set(void *table, size_t index, void *key, void *value) {
  void **pair = (void **)table + 2 * index;
  pair[0] = key;
  pair[1] = value;
}
#define SHIM_FRAME(...) ((void)0)
#define SHIM_END() ((void)0)

static SHIM_MAYBE_UNUSED void shim_checkpoint(void) {}
static SHIM_MAYBE_UNUSED void shim_settle(void) {}
static SHIM_MAYBE_UNUSED size_t shim_committed(void) { return 0; }
static void shim_report(void) {}

#endif
