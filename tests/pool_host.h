/* A heap with a pool of buffers, for the tests of pools: what is not as it should be fails the test. */
#ifndef MIDDEN_TESTS_POOL_HOST_H
#define MIDDEN_TESTS_POOL_HOST_H

#include "midden/midden.h"

enum { CHUNK = 1024, LINES = 16 };
#define SECOND UINT64_C(1000000000)

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_pool *pool;
  char lines[LINES][256]; /* reported */
  size_t line_count;
};

/* A heap of 16 MiB with poison=yes; `memory` may be NULL. */
void pool_open_host(struct host *host, const midden_memory *memory);
/* The same with a pool named "requests". */
void pool_open(struct host *host, size_t initial_chunks, size_t total_chunks);
/* Closes both; nothing may be lent. */
void pool_close(struct host *host);

midden_pool_statistics pool_figures(const struct host *host);
/* A lease that is there at once. */
midden_lease pool_take(const struct host *host, size_t chunks);
void pool_give(const struct host *host, midden_lease *lease);

#endif
