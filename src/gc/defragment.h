/* Defragmenting on demand, for any collector that collects: a full collection that marks in place, sweeps, and then
 * empties some spans into the gaps of others of the same kind and class. See docs/design/defragmenting.md. */
#ifndef MIDDEN_GC_DEFRAGMENT_H
#define MIDDEN_GC_DEFRAGMENT_H

#include "gc/collector.h"

/* Does what core->defragment asks for. It is in no list of collectors: midden_defragment picks it. */
extern const struct collector mdn_defragmenter;

#endif
