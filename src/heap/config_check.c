/* Configurations that cannot work: refused when the heap is opened, with a sentence that says what to
 * choose. What a single option accepts is checked where it is parsed. */
#include <string.h>

#include "base/error.h"
#include "gc/collector.h"
#include "heap/heap.h"

/* Values that only a host's code can set wrong. */
static midden_status check_enumerations(const midden_config *config, midden_error *error) {
  if ((unsigned)config->stack > MIDDEN_STACK_PINNING) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "stack is %u, which is no midden_stack_mode", (unsigned)config->stack);
  }
  if ((unsigned)config->collecting > MIDDEN_COLLECTING_ASKED) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "collecting is %u, which is no midden_collecting",
                     (unsigned)config->collecting);
  }
  if ((unsigned)config->growth > MIDDEN_GROWTH_BALANCE) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "growth is %u, which is no midden_growth", (unsigned)config->growth);
  }
  if ((unsigned)config->stress > MIDDEN_STRESS_RANDOM) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "stress is %u, which is no midden_stress", (unsigned)config->stress);
  }
  if ((unsigned)config->verify > MIDDEN_VERIFY_BOTH) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "verify is %u, which is no midden_verify_mode",
                     (unsigned)config->verify);
  }
  if ((unsigned)config->guard > MIDDEN_GUARD_REPORT) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "guard is %u, which is no midden_guard", (unsigned)config->guard);
  }
  if ((unsigned)config->unrooted > MIDDEN_UNROOTED_ALL) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "unrooted is %u, which is no midden_unrooted", (unsigned)config->unrooted);
  }
  return MIDDEN_OK;
}

static midden_status check_references(const midden_references *references, uint64_t cleared, midden_error *error) {
  if (references->low_tags == 0) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "references.low_tags is 0: no word could be a reference");
  }
  if ((references->high_match & ~references->high_mask) || (references->high_mask & UINT64_C(0x7fffffffffff))) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT,
                     "references.high_mask must lie above the 47 bits of an address, and high_match within high_mask");
  }
  bool tagged = ((references->low_tags >> (cleared & 7)) & 1) && (cleared & references->high_mask) == references->high_match;
  if (tagged && (cleared & ~references->high_mask) >= 4096) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT,
                     "cleared is %#zx, which could be a reference: choose 0 or a word with other tags",
                     (size_t)cleared);
  }
  return MIDDEN_OK;
}

static midden_status check_ranges(const midden_config *config, midden_error *error) {
  if (config->heap_limit && config->heap_limit < 8 * PAGE_BYTES) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "heap-limit is %zu bytes; it must be at least 64K", config->heap_limit);
  }
  if (config->dense_span < 1 || config->dense_span > 100) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "dense-span is %u percent; it must be 1 to 100", config->dense_span);
  }
  if (config->census > 1000) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "census is %u; at most 1000 are kept", config->census);
  }
  if (config->collect_share > 99) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "collect-share is %u percent; it must be at most 99", config->collect_share);
  }
  if (config->stress == MIDDEN_STRESS_ALLOC && config->stress_value == 0) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "stress=alloc: the interval must be at least 1");
  }
  if (config->stress == MIDDEN_STRESS_RANDOM && config->stress_mean == 0) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "stress=random: the mean distance must be at least 1");
  }
  if (config->guard_sites > 0 && config->guard != MIDDEN_GUARD_REPORT) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "guard_sites is %u, and only guard=report says where objects were allocated: choose it or 0",
                     config->guard_sites);
  }
  return MIDDEN_OK;
}

static midden_status check_growth(const midden_config *config, midden_error *error) {
  if (config->growth == MIDDEN_GROWTH_RATIO && !(config->growth_factor > 1)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "growth=ratio: the factor is %g; it must be more than 1",
                     config->growth_factor);
  }
  if (config->growth == MIDDEN_GROWTH_BALANCE && !(config->growth_factor > 0)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "growth=balance: the constant is %g; it must be more than 0",
                     config->growth_factor);
  }
  if (config->growth == MIDDEN_GROWTH_FIXED && config->heap_limit == 0) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "growth=fixed collects when heap-limit is full, and heap-limit is auto: give it a size");
  }
  return MIDDEN_OK;
}

static midden_status check_collecting(const midden_config *config, midden_error *error) {
  if (config->collecting == MIDDEN_COLLECTING_ASKED && config->stress != MIDDEN_STRESS_OFF) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "stress collects at allocations, and with collect=asked none of them does: choose collect=auto or "
                     "stress=off");
  }
  return MIDDEN_OK;
}

/* What only a collector that collects can do. */
static midden_status check_collector_needs(const midden_config *config, bool collects, midden_error *error) {
  if (!collects && config->stress != MIDDEN_STRESS_OFF) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "stress collects, and collector=none never does: choose another collector or stress=off");
  }
  if (!collects && config->verify != MIDDEN_VERIFY_OFF) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "verify runs around collections, and collector=none has none: choose another collector or "
                     "verify=off and call midden_verify");
  }
  if (!collects && config->generational) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "generational=yes makes minor collections, and collector=none makes none: choose another collector "
                     "or generational=no");
  }
  if (config->unrooted != MIDDEN_UNROOTED_OFF && (!collects || config->stack != MIDDEN_STACK_PRECISE)) {
    return mdn_error(error, MIDDEN_CONFLICT,
                     "unrooted looks at collections for what roots have missed on the stack, and %s: choose %s or unrooted=off",
                     collects ? "the stack is scanned as it is" : "collector=none has no collections",
                     collects ? "stack=precise" : "another collector");
  }
  return MIDDEN_OK;
}

static midden_status check_log(const midden_config *config, midden_error *error) {
  if (!memchr(config->log, 0, sizeof config->log)) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "option log: the path has no end");
  }
  if (strchr(config->log, ',')) {
    return mdn_error(error, MIDDEN_BAD_ARGUMENT, "option log: the path \"%.60s\" has a comma, which ends an option",
                     config->log);
  }
  return MIDDEN_OK;
}

midden_status mdn_config_check(const midden_config *config, midden_error *error) {
  const struct collector *collector = mdn_collector_named(config->collector);
  if (!collector) {
    char accepted[160];
    mdn_collector_list(accepted, sizeof accepted);
    return mdn_error(error, MIDDEN_BAD_OPTION, "collector \"%.23s\" is not in this build; there are %s",
                     config->collector, accepted);
  }
  midden_status status = check_enumerations(config, error);
  if (status == MIDDEN_OK) status = check_ranges(config, error);
  if (status == MIDDEN_OK) status = check_growth(config, error);
  if (status == MIDDEN_OK) status = check_collecting(config, error);
  if (status == MIDDEN_OK) status = check_collector_needs(config, collector->capabilities & COLLECTOR_COLLECTS, error);
  if (status == MIDDEN_OK) status = check_log(config, error);
  if (status == MIDDEN_OK) status = check_references(&config->references, config->cleared, error);
  return status;
}
