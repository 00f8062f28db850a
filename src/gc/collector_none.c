/* none: never collects. For programs that end before memory does, for finding out what collection costs,
 * and the template that a new collector starts from. */
#include "gc/collector.h"

const struct collector mdn_collector_none = {
    .name = "none",
    .summary = "never collects",
    .capabilities = 0,
    .collect = NULL,
};
