#include "gc/collector.h"
const struct collector mdn_collector_copying = {.name = "copying", .summary = "", .capabilities = 0, .collect = NULL};
