#include "gc/collector.h"
const struct collector mdn_collector_mark_compact = {.name = "mark-compact", .summary = "", .capabilities = 0, .collect = NULL};
