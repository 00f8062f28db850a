/* A source of memory for midden_config.memory that counts what it gives, checks what it is asked for, and
 * fails on request: the n-th request, or all from the n-th on. */
#ifndef MIDDEN_TESTS_COUNTING_MEMORY_H
#define MIDDEN_TESTS_COUNTING_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "midden/config.h"

enum { COUNTING_RESERVATIONS = 256 };

typedef struct counting_memory {
  midden_memory face;    /* for config.memory */
  uint64_t requests;     /* reserve and commit calls so far */
  uint64_t fail_at;      /* the request that fails; 0: none */
  bool forever;          /* and all after it */
  bool failed;           /* a request was refused */
  size_t most_reserved;  /* reservations beyond it are refused; 0: none */
  uint64_t reserves, releases, commits, decommits;
  uint64_t violations;   /* requests outside what config.h says: sizes, ranges, releases of other things */
  size_t reserved_bytes; /* now */
  size_t reservations;   /* now */
  struct {
    char *address;
    size_t bytes;
  } table[COUNTING_RESERVATIONS];
} counting_memory;

void counting_memory_open(counting_memory *memory);
/* No request fails any more. */
void counting_memory_heal(counting_memory *memory);
/* The next `n`-th request fails, counted from now; with `forever`, all after it too. */
void counting_memory_fail(counting_memory *memory, uint64_t n, bool forever);

#endif
