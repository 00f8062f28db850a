/* Live switching: another collector for a running heap.
 *
 * Possible at any moment between two collections because no collector keeps anything of its own from one to
 * the next: each leaves allocation bits, marks, span lists and the remembered set in the one state that all of
 * them start from. What is forgotten here is what the heap has learnt about the collector that goes. */
#include <stdio.h>

#include "base/error.h"
#include "heap/heap.h"

midden_status midden_heap_use(midden_heap *heap, const char *name, midden_error *error) {
  if (heap_enter(heap) != MIDDEN_OK) {
    return mdn_error(error, MIDDEN_MISUSE, "midden_heap_use: not an open heap of this thread, or inside a collection");
  }
  if (!name) return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_heap_use: a collector's name");
  midden_config config = heap->config;
  int length = snprintf(config.collector, sizeof config.collector, "%s", name);
  if (length >= (int)sizeof config.collector) config.collector[0] = 0; /* a name so long is none of ours, cut or not */
  midden_status status = mdn_config_check(&config, error);
  if (status != MIDDEN_OK) return status;
  const struct collector *next = mdn_collector_named(name);
  if (next == heap->collector) return MIDDEN_OK;
  mdn_heap_report(heap, false, "midden: collector %s -> %s", heap->collector->name, next->name);
  heap->collector = next;
  heap->config = config;
  heap->shredded = false;
  heap->core.no_room = false;
  heap->figures.collector_switches++;
  mdn_pacing_switched(heap);
  return MIDDEN_OK;
}
