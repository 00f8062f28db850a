/* Pressure: asking the host to drop what it can spare, before an allocation fails and where the soft limit is
 * passed; and giving up where next to all time goes into collecting. */
#include "base/os.h"
#include "heap/heap.h"

/* A host that always says it has dropped something is believed so often for one allocation. */
#define PRESSURE_ROUNDS 16

bool mdn_pressure(midden_heap *heap, midden_pressure pressure, size_t bytes) {
  if (!heap->config.pressure || heap->in_callback) return false;
  mdn_heap_flush(heap); /* so that an allocation from the callback comes to where it is refused */
  heap->in_callback = true;
  heap->figures.pressure_calls++;
  bool dropped = heap->config.pressure(heap->config.pressure_context, heap, pressure, bytes);
  heap->in_callback = false;
  return dropped;
}

void mdn_pressure_after_collection(midden_heap *heap) {
  size_t live = heap->core.figures.live_bytes + heap->core.external_bytes, soft = heap->config.soft_limit;
  if (soft && live > soft) mdn_pressure(heap, MIDDEN_PRESSURE_SOFT, live - soft);
}

/* ---- the share of time ---- */

void mdn_share_count(midden_heap *heap) {
  struct collecting_share *share = &heap->share;
  unsigned percent = heap->config.collect_share;
  if (percent == 0) return;
  uint64_t now = mdn_os_clock(), pauses = heap->figures.total_pause_ns;
  unsigned oldest = share->count % SHARE_WINDOW;
  if (share->count >= SHARE_WINDOW) {
    uint64_t wall = now - share->at[oldest], paused = pauses - share->pauses[oldest];
    bool exceeded = (double)paused * 100 > (double)wall * percent;
    heap->caution = (unsigned char)((heap->caution & ~CAUTION_SHARE) | (exceeded ? CAUTION_SHARE : 0));
  }
  share->at[oldest] = now;
  share->pauses[oldest] = pauses;
  share->count++;
}

/* post: whether to go on: the cap does not hold, or the host has dropped something. Either way the next verdict
 * takes a window of collections again. */
static bool within_share(midden_heap *heap, size_t size) {
  if (!(heap->caution & CAUTION_SHARE)) return true;
  heap->caution &= (unsigned char)~CAUTION_SHARE;
  heap->share.count = 0;
  if (mdn_pressure(heap, MIDDEN_PRESSURE_HARD, size)) return true;
  heap->figures.share_refusals++;
  return false;
}

/* ---- memory that is refused ---- */

/* An attempt, after a collection of either sort. */
static bool collect_and_take(struct mutator *mutator, struct central *central, size_t size, taking_function take,
                             void *taken) {
  midden_heap *heap = mutator->heap;
  heap_note_refusal(heap);
  if (!heap_collects_itself(heap)) return false;
  if (mdn_heap_collect(heap, CAUSE_EMERGENCY, false) == MIDDEN_UNSUPPORTED) return false;
  if (take(mutator, central, size, taken)) return true;
  return mdn_heap_collect_last_resort(heap) != MIDDEN_UNSUPPORTED && take(mutator, central, size, taken);
}

bool mdn_take_or_collect(struct mutator *mutator, struct central *central, size_t size, taking_function take,
                         void *taken) {
  midden_heap *heap = mutator->heap;
  if (within_share(heap, size)) {
    if (take(mutator, central, size, taken)) return true;
    mdn_blocks_trim(&heap->core.space, &heap->core.blocks); /* pages that blocks keep in reserve */
    if (take(mutator, central, size, taken) || collect_and_take(mutator, central, size, take, taken)) return true;
    for (int round = 0; round < PRESSURE_ROUNDS && mdn_pressure(heap, MIDDEN_PRESSURE_HARD, size); round++) {
      if (take(mutator, central, size, taken) || collect_and_take(mutator, central, size, take, taken)) return true;
    }
  }
  mutator->last_status = MIDDEN_NO_MEMORY;
  return false;
}
