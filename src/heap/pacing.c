/* Pacing: when to collect next. */
#include <math.h>

#include "base/os.h"
#include "base/random.h"
#include "heap/heap.h"

/* Near the limit a collection comes after at least this many bytes, so that a heap which is almost full
 * slows down but does not collect at every refill; refills that fail collect anyway. */
#define THRESHOLD_LEAST ((size_t)64 << 10)
/* Beyond the soft limit a collection comes after at least this part of it, so that the heap goes on working. */
#define SOFT_LEAST_SHARE 16
#define SMOOTHING 0.5 /* of the rates, as in MemBalancer */
#define STRESS_FULL 4 /* generational: one in so many stress collections is full */
/* The nursery, where the host leaves it to the heap: it should fit the processor's second-level cache. */
#define NURSERY_LEAST ((size_t)2 << 20)
#define NURSERY_LIVE_SHARE 16
/* Minor collections stop for a while when they free a byte at more than this multiple of what a full one takes;
 * the rest is what the mutator gains from allocating in a small area. */
#define MINOR_COST_MOST 1.5
#define MINORS_OFF 8 /* full collections */

/* Bytes before the first collection and at least between two, where there is room. In a small heap a quarter of it,
 * or else what the first ones to come leave behind would hold a cell in each of its spans. */
static size_t initial(const midden_heap *heap) {
  return size_minimum(heap->config.heap_initial, size_maximum(heap->config.heap_limit / 4, THRESHOLD_LEAST));
}

void mdn_pacing_open(midden_heap *heap) {
  struct pacing *pacing = &heap->pacing;
  size_t limit = heap->config.heap_limit;
  if (heap->config.soft_limit) limit = size_minimum(limit, heap->config.soft_limit);
  pacing->threshold = heap->config.growth == MIDDEN_GROWTH_FIXED ? limit : size_minimum(initial(heap), limit);
  pacing->full_threshold = pacing->threshold;
  pacing->nursery = heap->config.nursery ? heap->config.nursery : NURSERY_LEAST;
  if (heap->core.generational) pacing->threshold = size_minimum(pacing->nursery, pacing->threshold);
  pacing->mutator_since = mdn_os_clock();
  heap->stress.random = heap->config.stress_value;
}

/* What lives: objects, what they keep outside, and the pages of blocks. */
static size_t live_total(const midden_heap *heap) {
  size_t blocks, bytes, pages;
  mdn_blocks_count(&heap->core.blocks, &blocks, &bytes, &pages);
  return heap->core.figures.live_bytes + heap->core.external_bytes + (pages << PAGE_SHIFT);
}

static double smooth(double old, double sample) {
  return old == 0 ? sample : SMOOTHING * old + (1 - SMOOTHING) * sample;
}

/* Bytes until the next collection, as the rule would have it. */
static double wanted_growth(const midden_heap *heap, double live) {
  switch (heap->config.growth) {
    case MIDDEN_GROWTH_FIXED:
      return (double)heap->config.heap_limit;
    case MIDDEN_GROWTH_BALANCE: {
      /* Extra memory E = sqrt(L g / (c s)): live bytes, allocation and collection rate. */
      const struct pacing *pacing = &heap->pacing;
      if (pacing->collection_rate <= 0) return live;
      return sqrt(live * pacing->allocation_rate / (heap->config.growth_factor * pacing->collection_rate));
    }
    default:
      return live * (heap->config.growth_factor - 1);
  }
}

/* Bytes until the hard limit, or the soft one. */
static size_t until_limits(const midden_heap *heap) {
  size_t limit = heap->config.heap_limit, soft = heap->config.soft_limit, used = live_total(heap);
  size_t free = limit > used ? limit - used : 0;
  if (soft) free = size_minimum(free, size_maximum(soft > used ? soft - used : 0, soft / SOFT_LEAST_SHARE));
  return free;
}

/* What the limit leaves. A copying collector needs room for the copies too, as far as there is any;
 * without, it marks in place. */
static size_t room(const midden_heap *heap) {
  size_t limit = heap->config.heap_limit, live = heap->core.figures.live_bytes, free = until_limits(heap);
  bool copies = heap->collector->capabilities & COLLECTOR_NEEDS_ROOM;
  if (copies && heap->config.growth != MIDDEN_GROWTH_FIXED && free > live + limit / 8) free -= live;
  return free;
}

bool mdn_pacing_minor(const midden_heap *heap, enum cause cause) {
  if (!heap->core.generational) return false;
  if (cause == CAUSE_STRESS) return heap->figures.stress_collections % STRESS_FULL != STRESS_FULL - 1;
  return heap->pacing.minors_off == 0 && live_total(heap) < heap->pacing.full_threshold;
}

/* Generational: the bytes until the next collection. Where the host leaves it to the heap, it starts at what
 * fits the cache. While much of what is young survives, as when a large structure is built, it doubles:
 * promoting it earlier would gain nothing. It shrinks again when little does. */
static void adapt_nursery(midden_heap *heap, bool minor) {
  struct pacing *pacing = &heap->pacing;
  size_t live = heap->core.figures.live_bytes;
  size_t promoted = live > pacing->live_before ? live - pacing->live_before : 0;
  pacing->live_before = live;
  if (heap->config.nursery) {
    pacing->nursery = heap->config.nursery;
    return;
  }
  size_t least = size_maximum(NURSERY_LEAST, live / NURSERY_LIVE_SHARE);
  if (minor && promoted > pacing->allocated / 2) pacing->nursery *= 2;
  if (minor && promoted < pacing->allocated / 8) pacing->nursery /= 2;
  pacing->nursery = size_maximum(least, size_minimum(pacing->nursery, live / 2));
}

/* What follows from a full collection's live size. */
static size_t full_growth(midden_heap *heap) {
  double wanted = wanted_growth(heap, (double)live_total(heap));
  size_t most = room(heap);
  size_t threshold = wanted < (double)most ? (size_t)wanted : most;
  threshold = size_maximum(threshold, size_minimum(initial(heap), most));
  return size_maximum(threshold, THRESHOLD_LEAST);
}

/* Whether minor collections pay, by what both kinds of collection have cost lately for each byte that they
 * freed. With full ones alone, each would free about what is allocated between two. */
static void weigh_minors(midden_heap *heap, bool minor, uint64_t pause_ns) {
  struct pacing *pacing = &heap->pacing;
  size_t used = pacing->live_before + pacing->allocated, live = heap->core.figures.live_bytes;
  double freed = !minor ? (double)full_growth(heap) : used > live ? (double)(used - live) : 1;
  double *cost = minor ? &pacing->minor_cost : &pacing->full_cost;
  *cost = smooth(*cost, (double)pause_ns / freed);
  if (!minor && pacing->minors_off > 0) {
    if (--pacing->minors_off == 0) pacing->minor_cost = 0; /* try anew */
  } else if (minor && pacing->full_cost > 0 && pacing->minor_cost > MINOR_COST_MOST * pacing->full_cost) {
    pacing->minors_off = MINORS_OFF;
  }
}

/* Where the next full collection comes is how many pages are needed until then, but for what is outside of them; on top of
 * that, a nursery, before a minor one finds that it has come to that; and the copies: what these find free need not be backed
 * anew. (Cells in spans that are not full take more: then no free page is kept when new ones are backed.) Without
 * collections nothing is known. */
static void aim(midden_heap *heap) {
  size_t bytes = heap->pacing.full_threshold - heap->core.external_bytes;
  if (heap->core.generational) bytes += heap->pacing.nursery;
  if (heap->collector->capabilities & COLLECTOR_NEEDS_ROOM) bytes += heap->core.figures.live_bytes;
  heap->core.space.pages.goal_pages = heap->collector->collect ? bytes >> PAGE_SHIFT : 0;
}

void mdn_pacing_after(midden_heap *heap, bool minor, uint64_t pause_ns) {
  struct pacing *pacing = &heap->pacing;
  uint64_t now = mdn_os_clock();
  double live = (double)heap->core.figures.live_bytes;
  double mutator_ns = (double)(now - pacing->mutator_since) - (double)pause_ns;
  if (mutator_ns > 0) {
    pacing->allocation_rate = smooth(pacing->allocation_rate, (double)pacing->allocated * 1e9 / mutator_ns);
  }
  if (!minor) {
    pacing->collection_rate = smooth(pacing->collection_rate, live * 1e9 / (double)(pause_ns + 1));
    pacing->threshold = full_growth(heap);
    pacing->full_threshold = live_total(heap) + pacing->threshold;
    aim(heap);
  }
  if (heap->core.generational) {
    weigh_minors(heap, minor, pause_ns);
    adapt_nursery(heap, minor);
  }
  if (heap->core.generational && pacing->minors_off == 0) {
    /* The full collection is made when a minor one has found the old space grown, so there must be room
     * for the nursery until then. */
    pacing->threshold = size_maximum(size_minimum(pacing->nursery, until_limits(heap)), THRESHOLD_LEAST);
  }
  pacing->allocated = 0;
  pacing->refused = false;
  pacing->mutator_since = now;
}

void mdn_pacing_switched(midden_heap *heap) {
  struct pacing *pacing = &heap->pacing;
  pacing->minor_cost = pacing->full_cost = pacing->collection_rate = 0;
  pacing->minors_off = 0;
  if (heap->figures.collections == 0) return; /* the first threshold is every collector's */
  size_t threshold = full_growth(heap);
  pacing->full_threshold = live_total(heap) + threshold;
  aim(heap);
  if (!heap->core.generational) pacing->threshold = threshold;
}

bool mdn_stress_due(midden_heap *heap) {
  struct stress_state *stress = &heap->stress;
  switch (heap->config.stress) {
    case MIDDEN_STRESS_ALLOC:
      if (++stress->count < heap->config.stress_value) return false;
      stress->count = 0;
      return true;
    case MIDDEN_STRESS_RANDOM:
      return random_next(&stress->random) % heap->config.stress_mean == 0;
    default:
      return false;
  }
}
