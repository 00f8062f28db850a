/* The shim over malloc with explicit ownership: what drops an object frees it. The same program runs with
 * other mallocs in front of the C library's. calloc is avoided: it is slower than malloc and an inlined memset
 * in some of them. */
#ifndef BENCH_SHIM_MALLOC_H
#define BENCH_SHIM_MALLOC_H

#include <dlfcn.h>
#include <malloc.h>

#define SHIM_NAME "malloc"
#define SHIM_FREES 1

typedef int shim_kind;

static void shim_open(const char *options, const void *stack_bottom) { (void)options, (void)stack_bottom; }
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

static inline void *shim_allocate(shim_kind kind, size_t size) {
  (void)kind;
  return memset(shim_check(malloc(size)), 0, size);
}
static inline void *shim_allocate_array(shim_kind kind, size_t count) {
  (void)kind;
  if (count * sizeof(void *) >= 4096) return shim_check(calloc(count, sizeof(void *))); /* fresh pages are zero */
  return memset(shim_check(malloc(count * sizeof(void *))), 0, count * sizeof(void *));
}
static inline void *shim_allocate_leaf(shim_kind kind, size_t size) {
  (void)kind;
  return shim_check(malloc(size));
}
static inline void shim_store(void *object, void *slot, void *value) {
  (void)object;
  *(void **)slot = value;
}
static inline void shim_free(void *object) { free(object); }
#define SHIM_FRAME(...) ((void)0)
#define SHIM_END() ((void)0)

static SHIM_MAYBE_UNUSED void shim_checkpoint(void) {}

/* Asks whichever malloc this is to give memory back. */
static SHIM_MAYBE_UNUSED void shim_settle(void) {
  void (*collect)(bool) = NULL;
  int (*control)(const char *, void *, size_t *, void *, size_t) = NULL;
  *(void **)&collect = dlsym(RTLD_DEFAULT, "mi_collect");
  *(void **)&control = dlsym(RTLD_DEFAULT, "mallctl");
  if (collect) {
    collect(true);
  } else if (control) {
    control("thread.tcache.flush", NULL, NULL, NULL, 0);
    control("arena.4096.purge", NULL, NULL, NULL, 0); /* 4096: all arenas */
  } else {
    malloc_trim(0);
  }
}
static SHIM_MAYBE_UNUSED size_t shim_committed(void) { return 0; }
static void shim_report(void) {}

#endif
