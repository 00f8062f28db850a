/* mark-sweep: marks in place and lets the marks be the allocation map. Nothing moves; freed cells are
 * found and zeroed when an allocation run is refilled. (McCarthy 1960; sweeping a bitmap instead of the
 * cells is from Boehm and Weiser 1988, bump allocation in the gaps from Blackburn and McKinley 2008.) */
#include "gc/collector.h"
#include "gc/free_hooks.h"
#include "gc/sweep.h"
#include "midden/debug.h"

static void sweep_collect(const struct collection *collection) {
  struct core *core = collection->core;
  mdn_tracer_begin(collection);
  mdn_tracer_mark_all(collection);
  mdn_tracer_end(&core->tracer);
  mdn_free_dead(core, collection->minor);
  mdn_sweep(core, MIDDEN_POISON_SWEPT, collection->minor);
}

const struct collector mdn_collector_mark_sweep = {
    .name = "mark-sweep",
    .summary = "marks in place, allocates in the gaps; nothing moves",
    .capabilities = COLLECTOR_COLLECTS,
    .collect = sweep_collect,
};
