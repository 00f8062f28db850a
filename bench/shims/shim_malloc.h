/* The shim over malloc with explicit ownership: trees are freed by their owner. */
#ifndef BENCH_SHIM_MALLOC_H
#define BENCH_SHIM_MALLOC_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SHIM_NAME "malloc"
#define SHIM_FREES 1

typedef int shim_kind;

static void shim_open(const char *options, const void *stack_bottom) { (void)options, (void)stack_bottom; }
static shim_kind shim_define(const char *name, size_t size, uint64_t references) {
  (void)name, (void)size;
  return references != 0;
}
static inline void *shim_allocate(shim_kind kind, size_t size) {
  (void)kind;
  return calloc(1, size);
}
static inline void *shim_allocate_leaf(shim_kind kind, size_t size) {
  (void)kind;
  return malloc(size);
}
static inline void shim_store(void *object, void *slot, void *value) {
  (void)object;
  *(void **)slot = value;
}
#define SHIM_FRAME(...) ((void)0)
#define SHIM_END() ((void)0)
static void shim_report(void) {}

#endif
