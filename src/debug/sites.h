/* Allocation sites: which calls led to an object's allocation, for all objects or one in N. A chain of calls is kept
 * once; the heap's side table `sites` leads from an object to its chain, wherever it moves. */
#ifndef MIDDEN_DEBUG_SITES_H
#define MIDDEN_DEBUG_SITES_H

#include "base/text.h"
#include "heap/heap.h"

#define SITE_FRAMES 18
#define SITE_CHAINS ((size_t)1 << 14) /* different ones; objects of others have none */

/* What the side table knows of an object: number of its chain, from 1, and the collections before its allocation. */
typedef uint64_t site_word;
static inline size_t site_chain(site_word site) { return (size_t)(site >> 40); }
static inline uint64_t site_collections(site_word site) { return site & ((UINT64_C(1) << 40) - 1); }

struct sites {
  struct site_frames {
    uintptr_t addresses[SITE_FRAMES]; /* return addresses, innermost first; 0 ends them */
  } *chains;
  uint32_t *places;      /* by hash: number of a chain, or 0 */
  size_t count;
  unsigned interval;     /* one allocation in so many */
  unsigned since;
};

/* post: false if there is no memory. */
bool mdn_sites_open(struct sites *sites, struct arena *arena, unsigned interval);

/* Notes the site of an object that is just being allocated, if it is its turn. */
void mdn_sites_note(struct sites *sites, midden_heap *heap, uintptr_t cell);

/* "allocated after collection 3 by f+0x1c, g+0x30"; nothing if it is not known. */
void mdn_sites_text(const struct sites *sites, site_word site, struct text *text);

#endif
