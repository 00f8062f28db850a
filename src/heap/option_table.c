/* The options, and how each is read and written: see option_table.h. */
#include "heap/option_table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gc/collector.h"
#include "heap/option_values.h"

/* ---- the options ---- */

static bool parse_collector(midden_config *config, const char *text) {
  if (!mdn_collector_named(text)) return false;
  snprintf(config->collector, sizeof config->collector, "%s", text);
  return true;
}
static void print_collector(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", config->collector);
}

static const struct word_value stack_words[] = {
    {"conservative", MIDDEN_STACK_CONSERVATIVE}, {"precise", MIDDEN_STACK_PRECISE}, {"pinning", MIDDEN_STACK_PINNING}, {NULL, 0}};
static bool parse_stack(midden_config *config, const char *text) {
  int value;
  if (!mdn_option_parse_word(stack_words, text, &value)) return false;
  config->stack = (midden_stack_mode)value;
  return true;
}
static void print_stack(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(stack_words, (int)config->stack));
}

static bool parse_limit(midden_config *config, const char *text) { return mdn_option_parse_size_or_auto(text, &config->heap_limit); }
static void print_limit(const midden_config *config, char *text, size_t capacity) {
  mdn_option_print_size_or_auto(config->heap_limit, text, capacity);
}

static bool parse_soft(midden_config *config, const char *text) {
  if (strcmp(text, "off") == 0) {
    config->soft_limit = 0;
    return true;
  }
  return mdn_option_parse_size(text, &config->soft_limit) && config->soft_limit > 0;
}
static void print_soft(const midden_config *config, char *text, size_t capacity) {
  if (config->soft_limit) {
    mdn_option_print_size(config->soft_limit, text, capacity);
  } else {
    snprintf(text, capacity, "off");
  }
}

static bool parse_dense(midden_config *config, const char *text) {
  uint64_t percent = 0;
  if (!mdn_option_parse_number(text, &percent) || percent < 1 || percent > 100) return false;
  config->dense_span = (unsigned)percent;
  return true;
}
static void print_dense(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%u", config->dense_span);
}

static bool parse_share(midden_config *config, const char *text) {
  uint64_t percent = 0;
  if (strcmp(text, "off") != 0 && (!mdn_option_parse_number(text, &percent) || percent < 1 || percent > 99)) return false;
  config->collect_share = (unsigned)percent;
  return true;
}
static void print_share(const midden_config *config, char *text, size_t capacity) {
  if (config->collect_share) {
    snprintf(text, capacity, "%u", config->collect_share);
  } else {
    snprintf(text, capacity, "off");
  }
}

static bool parse_initial(midden_config *config, const char *text) { return mdn_option_parse_size(text, &config->heap_initial); }
static void print_initial(const midden_config *config, char *text, size_t capacity) {
  mdn_option_print_size(config->heap_initial, text, capacity);
}

static const struct word_value collect_words[] = {
    {"auto", MIDDEN_COLLECTING_AUTO}, {"asked", MIDDEN_COLLECTING_ASKED}, {NULL, 0}};
static bool parse_collect(midden_config *config, const char *text) {
  int value;
  if (!mdn_option_parse_word(collect_words, text, &value)) return false;
  config->collecting = (midden_collecting)value;
  return true;
}
static void print_collect(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(collect_words, (int)config->collecting));
}

#define RATIO_DEFAULT 2.0
#define BALANCE_DEFAULT 1e-8

static bool parse_growth(midden_config *config, const char *text) {
  static const struct word_value words[] = {
      {"ratio", MIDDEN_GROWTH_RATIO}, {"fixed", MIDDEN_GROWTH_FIXED}, {"balance", MIDDEN_GROWTH_BALANCE}, {NULL, 0}};
  char word[16];
  size_t length = strcspn(text, ":");
  if (length >= sizeof word) return false;
  memcpy(word, text, length);
  word[length] = 0;
  int growth;
  if (!mdn_option_parse_word(words, word, &growth)) return false;
  double factor = growth == MIDDEN_GROWTH_BALANCE ? BALANCE_DEFAULT : RATIO_DEFAULT;
  if (text[length]) {
    const char *number = text + length + 1;
    char *end;
    if (growth == MIDDEN_GROWTH_FIXED || (*number < '0' || *number > '9')) return false;
    factor = strtod(number, &end);
    if (*end || !(factor > 0) || factor > 1e6 || (growth == MIDDEN_GROWTH_RATIO && factor <= 1)) return false;
  }
  config->growth = (midden_growth)growth;
  config->growth_factor = factor;
  return true;
}
static void print_growth(const midden_config *config, char *text, size_t capacity) {
  switch (config->growth) {
    case MIDDEN_GROWTH_FIXED:
      snprintf(text, capacity, "fixed");
      break;
    case MIDDEN_GROWTH_BALANCE:
      snprintf(text, capacity, "balance:%.17g", config->growth_factor);
      break;
    default:
      snprintf(text, capacity, "ratio:%.17g", config->growth_factor);
  }
}

/* "SEED" or "SEED:MEAN". */
static bool parse_seed(const char *text, uint64_t *seed, uint64_t *mean) {
  char number[32];
  size_t length = strcspn(text, ":");
  if (length >= sizeof number) return false;
  memcpy(number, text, length);
  number[length] = 0;
  if (!mdn_option_parse_number(number, seed)) return false;
  return !text[length] || (mdn_option_parse_number(text + length + 1, mean) && *mean > 0);
}

#define STRESS_MEAN_DEFAULT 64

static bool parse_stress(midden_config *config, const char *text) {
  uint64_t value = 0, mean = STRESS_MEAN_DEFAULT;
  midden_stress stress;
  if (strcmp(text, "off") == 0) {
    stress = MIDDEN_STRESS_OFF;
  } else if (strncmp(text, "alloc:", 6) == 0 && mdn_option_parse_number(text + 6, &value) && value > 0) {
    stress = MIDDEN_STRESS_ALLOC;
  } else if (strncmp(text, "random:", 7) == 0 && parse_seed(text + 7, &value, &mean)) {
    stress = MIDDEN_STRESS_RANDOM;
  } else {
    return false;
  }
  config->stress = stress;
  config->stress_value = value;
  config->stress_mean = mean;
  return true;
}
static void print_stress(const midden_config *config, char *text, size_t capacity) {
  unsigned long long value = config->stress_value;
  if (config->stress == MIDDEN_STRESS_ALLOC) {
    snprintf(text, capacity, "alloc:%llu", value);
  } else if (config->stress == MIDDEN_STRESS_RANDOM) {
    unsigned long long mean = config->stress_mean;
    snprintf(text, capacity, mean == STRESS_MEAN_DEFAULT ? "random:%llu" : "random:%llu:%llu", value, mean);
  } else {
    snprintf(text, capacity, "off");
  }
}

static const struct word_value verify_words[] = {{"off", MIDDEN_VERIFY_OFF},
                                                 {"before", MIDDEN_VERIFY_BEFORE},
                                                 {"after", MIDDEN_VERIFY_AFTER},
                                                 {"both", MIDDEN_VERIFY_BOTH},
                                                 {NULL, 0}};
static bool parse_verify(midden_config *config, const char *text) {
  int value;
  if (!mdn_option_parse_word(verify_words, text, &value)) return false;
  config->verify = (midden_verify_mode)value;
  return true;
}
static void print_verify(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(verify_words, (int)config->verify));
}

static const struct word_value guard_words[] = {
    {"off", MIDDEN_GUARD_OFF}, {"fault", MIDDEN_GUARD_FAULT}, {"report", MIDDEN_GUARD_REPORT}, {NULL, 0}};
static bool parse_guard(midden_config *config, const char *text) {
  int value = MIDDEN_GUARD_REPORT;
  uint64_t sites = 0;
  if (strncmp(text, "report:", 7) == 0) {
    if (!mdn_option_parse_number(text + 7, &sites) || sites == 0 || sites > 1000000) return false;
  } else if (!mdn_option_parse_word(guard_words, text, &value)) {
    return false;
  }
  config->guard = (midden_guard)value;
  config->guard_sites = (unsigned)sites;
  return true;
}
static void print_guard(const midden_config *config, char *text, size_t capacity) {
  if (config->guard_sites > 0) {
    snprintf(text, capacity, "report:%u", config->guard_sites);
  } else {
    snprintf(text, capacity, "%s", mdn_option_print_word(guard_words, (int)config->guard));
  }
}

static const struct word_value unrooted_words[] = {
    {"off", MIDDEN_UNROOTED_OFF}, {"lost", MIDDEN_UNROOTED_LOST}, {"all", MIDDEN_UNROOTED_ALL}, {NULL, 0}};
static bool parse_unrooted(midden_config *config, const char *text) {
  int value;
  if (!mdn_option_parse_word(unrooted_words, text, &value)) return false;
  config->unrooted = (midden_unrooted)value;
  return true;
}
static void print_unrooted(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(unrooted_words, (int)config->unrooted));
}

static const struct word_value yes_words[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct word_value finalizers_words[] = {{"run", 1}, {"drop", 0}, {NULL, 0}};

static bool parse_either(const struct word_value *words, const char *text, bool *value) {
  int number;
  if (!mdn_option_parse_word(words, text, &number)) return false;
  *value = number;
  return true;
}

static bool parse_poison(midden_config *config, const char *text) {
  return parse_either(yes_words, text, &config->poison);
}
static void print_poison(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(yes_words, config->poison));
}

static bool parse_memory_checker(midden_config *config, const char *text) {
  return parse_either(yes_words, text, &config->memory_checker);
}
static void print_memory_checker(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(yes_words, config->memory_checker));
}

static bool parse_finalizers(midden_config *config, const char *text) {
  return parse_either(finalizers_words, text, &config->run_finalizers);
}
static void print_finalizers(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(finalizers_words, config->run_finalizers));
}

static bool parse_generational(midden_config *config, const char *text) {
  return parse_either(yes_words, text, &config->generational);
}
static void print_generational(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", mdn_option_print_word(yes_words, config->generational));
}

static bool parse_nursery(midden_config *config, const char *text) { return mdn_option_parse_size_or_auto(text, &config->nursery); }
static void print_nursery(const midden_config *config, char *text, size_t capacity) {
  mdn_option_print_size_or_auto(config->nursery, text, capacity);
}

static bool parse_log(midden_config *config, const char *text) {
  if (!*text || strlen(text) >= sizeof config->log) return false;
  snprintf(config->log, sizeof config->log, "%s", text);
  return true;
}
static void print_log(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", config->log);
}

static bool parse_census(midden_config *config, const char *text) {
  uint64_t count = 0;
  if (strcmp(text, "off") != 0 && (!mdn_option_parse_number(text, &count) || count < 2 || count > 1000)) return false;
  config->census = (unsigned)count;
  return true;
}
static void print_census(const midden_config *config, char *text, size_t capacity) {
  if (config->census) {
    snprintf(text, capacity, "%u", config->census);
  } else {
    snprintf(text, capacity, "off");
  }
}

static bool parse_timeline(midden_config *config, const char *text) {
  if (!*text || strlen(text) >= sizeof config->timeline) return false;
  snprintf(config->timeline, sizeof config->timeline, "%s", text);
  return true;
}
static void print_timeline(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", config->timeline[0] ? config->timeline : "off");
}

static bool parse_profile(midden_config *config, const char *text) {
  char bytes[24];
  size_t length = strcspn(text, ":"), interval = 0;
  const char *file = text[length] ? text + length + 1 : "";
  if (length >= sizeof bytes || strlen(file) >= sizeof config->profile_file || (text[length] && !*file)) return false;
  memcpy(bytes, text, length);
  bytes[length] = 0;
  bool off = strcmp(text, "off") == 0;
  if (!off && (!mdn_option_parse_size(bytes, &interval) || interval == 0)) return false;
  config->profile = interval;
  snprintf(config->profile_file, sizeof config->profile_file, "%s", file);
  return true;
}
static void print_profile(const midden_config *config, char *text, size_t capacity) {
  char bytes[32] = "off";
  if (config->profile) mdn_option_print_size(config->profile, bytes, sizeof bytes);
  snprintf(text, capacity, "%s%s%s", bytes, config->profile_file[0] ? ":" : "", config->profile_file);
}

const struct option mdn_options[] = {
    {"collector", "a collector of this build", "who collects", parse_collector, print_collector},
    {"stack", "conservative, precise or pinning",
     "whether the C stack and registers are scanned for references, which then pin; pinning: and keep nothing alive", parse_stack,
     print_stack},
    {"generational", "yes or no", "minor collections of what was allocated since the last; the host's stores need the barrier",
     parse_generational, print_generational},
    {"nursery", "auto or a size such as 64K, 64M, 1G", "bytes allocated between two minor collections", parse_nursery,
     print_nursery},
    {"heap-limit", "auto or a size such as 64K, 64M, 1G", "most bytes of cells; auto: the machine's memory, or a container's",
     parse_limit, print_limit},
    {"soft-limit", "off or a size such as 64K, 64M, 1G", "live bytes beyond which to collect more often and ask the host",
     parse_soft, print_soft},
    {"collect-share", "off or 1 to 99", "percent of time spent collecting at which allocation fails instead of thrashing",
     parse_share, print_share},
    {"heap-initial", "a size such as 64K, 64M, 1G", "bytes allocated before the first collection, and at least between two",
     parse_initial, print_initial},
    {"collect", "auto or asked", "whether allocation collects, or only the host does, by asking for it", parse_collect,
     print_collect},
    {"growth", "ratio:F with F > 1, fixed, or balance:C with C > 0",
     "when to collect: at F times the live size; only when heap-limit is full; by the square-root rule", parse_growth,
     print_growth},
    {"dense-span", "1 to 100", "mark-compact: percent; spans at the beginning that are so full are left as they are", parse_dense,
     print_dense},
    {"stress", "off, alloc:N with N > 0, random:SEED or random:SEED:MEAN",
     "collect at every N-th allocation, or at random ones, 1 in MEAN (64) on average", parse_stress, print_stress},
    {"verify", "off, before, after or both", "walk the whole heap around each collection", parse_verify, print_verify},
    {"guard", "off, fault, report or report:N", "pages that objects have left fault; report: say what was there, and its allocation",
     parse_guard, print_guard},
    {"unrooted", "off, lost or all", "stack=precise: report references on the C stack to objects that are gone, or have moved",
     parse_unrooted, print_unrooted},
    {"poison", "yes or no", "fill freed cells with a word that names who freed them", parse_poison, print_poison},
    {"memory-checker", "yes or no", "under AddressSanitizer or valgrind, free cells are hidden from the program",
     parse_memory_checker, print_memory_checker},
    {"finalizers", "run or drop", "what becomes of finalizers that have not run when the heap is closed", parse_finalizers,
     print_finalizers},
    {"log", "off, stderr or a file's path of at most 127 bytes", "one line for each collection", parse_log, print_log},
    {"census", "off or 2 to 1000", "how many censuses of kinds to keep, of the last full collections", parse_census, print_census},
    {"timeline", "off or a file's path of at most 127 bytes", "collections over time, for Perfetto or chrome://tracing",
     parse_timeline, print_timeline},
    {"profile", "off, a size such as 64K, 64M, 1G, or SIZE:FILE",
     "sample allocations at this mean interval; FILE gets the profile for pprof at the end", parse_profile, print_profile},
};
const size_t mdn_option_count = sizeof mdn_options / sizeof mdn_options[0];
