/* A capture of a heap's pages: see midden/map.h. */
#ifndef MIDDEN_DEBUG_MAP_H
#define MIDDEN_DEBUG_MAP_H

#include "midden/config.h"
#include "midden/map.h"

enum map_flag {
  MAP_FREE = 1,     /* in no span */
  MAP_RETURNED = 2, /* and given back to the system */
  MAP_BLOCK = 4,
  MAP_LARGE = 8,    /* a large object's or block's */
  MAP_PINNED = 16,  /* something in its span is pinned by the host, was pinned in the last collection, or is of a kind that is */
  MAP_START = 32    /* the first of its span */
};

/* One page. */
struct map_page {
  uint32_t cell_size; /* of a large object: its pages' bytes */
  uint16_t kind;
  uint8_t full;       /* percent of its bytes that are in use */
  uint8_t old;        /* percent of its objects, in bytes, that have survived a collection */
  uint8_t flags;
};

/* What one kind has; the first are blocks. */
struct map_kind {
  char name[48];
  size_t objects, bytes, pages;
};

/* In one piece of memory, from `memory`: the pages and the kinds lie behind it. */
struct midden_map {
  midden_memory memory;
  size_t bytes; /* of all of it */
  char title[64], collector[24];
  uintptr_t base;
  size_t page_count, kind_count;
  struct map_page *pages;
  struct map_kind *kinds;     /* by id; 0: blocks */
  size_t free_pages, returned_pages, limit_bytes;
  uint64_t collections;
};

#endif
