/* Options: one table drives parsing, printing and help. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gc/collector.h"
#include "heap/heap.h"

/* One option. `accepted` completes the sentence "... is not ...": what the value must be. */
struct option {
  const char *name;
  const char *accepted;
  const char *meaning;
  bool (*parse)(midden_config *config, const char *text);
  void (*print)(const midden_config *config, char *text, size_t capacity);
};

struct word_value {
  const char *word;
  int value;
};

static bool parse_word(const struct word_value *words, const char *text, int *value) {
  for (; words->word; words++) {
    if (strcmp(words->word, text) == 0) {
      *value = words->value;
      return true;
    }
  }
  return false;
}

static const char *print_word(const struct word_value *words, int value) {
  while (words->word && words->value != value) words++;
  return words->word ? words->word : "?";
}

/* "64K": digits, then K, M, G or T or nothing. */
static bool parse_size(const char *text, size_t *size) {
  if (*text < '0' || *text > '9') return false;
  char *end;
  errno = 0;
  unsigned long long value = strtoull(text, &end, 10);
  if (errno) return false;
  static const char units[] = "KMGT";
  unsigned shift = 0;
  if (*end) {
    const char *unit = strchr(units, *end);
    if (!unit || end[1]) return false;
    shift = 10 * (unsigned)(unit - units + 1);
  }
  if (value > (SIZE_MAX >> shift)) return false;
  *size = (size_t)value << shift;
  return true;
}

static void print_size(size_t size, char *text, size_t capacity) {
  static const char units[] = "\0KMGT";
  unsigned unit = 0;
  while (size && size % 1024 == 0 && unit < 4) {
    size /= 1024;
    unit++;
  }
  snprintf(text, capacity, "%zu%.1s", size, &units[unit]);
}

static void print_size_or_auto(size_t size, char *text, size_t capacity) {
  if (size) print_size(size, text, capacity);
  else snprintf(text, capacity, "auto");
}

static bool parse_number(const char *text, uint64_t *number) {
  if (*text < '0' || *text > '9') return false;
  char *end;
  errno = 0;
  *number = strtoull(text, &end, 0);
  return !errno && !*end;
}

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
    {"conservative", MIDDEN_STACK_CONSERVATIVE}, {"precise", MIDDEN_STACK_PRECISE}, {NULL, 0}};
static bool parse_stack(midden_config *config, const char *text) {
  int value;
  if (!parse_word(stack_words, text, &value)) return false;
  config->stack = (midden_stack_mode)value;
  return true;
}
static void print_stack(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", print_word(stack_words, (int)config->stack));
}

static bool parse_size_or_auto(const char *text, size_t *size) {
  if (strcmp(text, "auto") != 0) return parse_size(text, size) && *size > 0;
  *size = 0;
  return true;
}

static bool parse_limit(midden_config *config, const char *text) { return parse_size_or_auto(text, &config->heap_limit); }
static void print_limit(const midden_config *config, char *text, size_t capacity) {
  print_size_or_auto(config->heap_limit, text, capacity);
}

static bool parse_initial(midden_config *config, const char *text) { return parse_size(text, &config->heap_initial); }
static void print_initial(const midden_config *config, char *text, size_t capacity) {
  print_size(config->heap_initial, text, capacity);
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
  if (!parse_word(words, word, &growth)) return false;
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

static bool parse_stress(midden_config *config, const char *text) {
  uint64_t value = 0;
  midden_stress stress;
  if (strcmp(text, "off") == 0) {
    stress = MIDDEN_STRESS_OFF;
  } else if (strncmp(text, "alloc:", 6) == 0 && parse_number(text + 6, &value) && value > 0) {
    stress = MIDDEN_STRESS_ALLOC;
  } else if (strncmp(text, "random:", 7) == 0 && parse_number(text + 7, &value)) {
    stress = MIDDEN_STRESS_RANDOM;
  } else {
    return false;
  }
  config->stress = stress;
  config->stress_value = value;
  return true;
}
static void print_stress(const midden_config *config, char *text, size_t capacity) {
  unsigned long long value = config->stress_value;
  if (config->stress == MIDDEN_STRESS_ALLOC) {
    snprintf(text, capacity, "alloc:%llu", value);
  } else if (config->stress == MIDDEN_STRESS_RANDOM) {
    snprintf(text, capacity, "random:%llu", value);
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
  if (!parse_word(verify_words, text, &value)) return false;
  config->verify = (midden_verify_mode)value;
  return true;
}
static void print_verify(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", print_word(verify_words, (int)config->verify));
}

static const struct word_value yes_words[] = {{"yes", 1}, {"no", 0}, {NULL, 0}};
static const struct word_value finalizers_words[] = {{"run", 1}, {"drop", 0}, {NULL, 0}};

static bool parse_either(const struct word_value *words, const char *text, bool *value) {
  int number;
  if (!parse_word(words, text, &number)) return false;
  *value = number;
  return true;
}

static bool parse_poison(midden_config *config, const char *text) {
  return parse_either(yes_words, text, &config->poison);
}
static void print_poison(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", print_word(yes_words, config->poison));
}

static bool parse_finalizers(midden_config *config, const char *text) {
  return parse_either(finalizers_words, text, &config->run_finalizers);
}
static void print_finalizers(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", print_word(finalizers_words, config->run_finalizers));
}

static bool parse_generational(midden_config *config, const char *text) {
  return parse_either(yes_words, text, &config->generational);
}
static void print_generational(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", print_word(yes_words, config->generational));
}

static bool parse_nursery(midden_config *config, const char *text) { return parse_size_or_auto(text, &config->nursery); }
static void print_nursery(const midden_config *config, char *text, size_t capacity) {
  print_size_or_auto(config->nursery, text, capacity);
}

static bool parse_log(midden_config *config, const char *text) {
  if (!*text || strlen(text) >= sizeof config->log) return false;
  snprintf(config->log, sizeof config->log, "%s", text);
  return true;
}
static void print_log(const midden_config *config, char *text, size_t capacity) {
  snprintf(text, capacity, "%s", config->log);
}

static const struct option options[] = {
    {"collector", "a collector of this build", "who collects", parse_collector, print_collector},
    {"stack", "conservative or precise",
     "whether the C stack and registers are scanned for references, which then pin", parse_stack, print_stack},
    {"generational", "yes or no", "minor collections of what was allocated since the last; the host's stores need the barrier",
     parse_generational, print_generational},
    {"nursery", "auto or a size such as 64K, 64M, 1G", "bytes allocated between two minor collections", parse_nursery,
     print_nursery},
    {"heap-limit", "auto or a size such as 64K, 64M, 1G", "most bytes of cells; auto: the machine's memory", parse_limit,
     print_limit},
    {"heap-initial", "a size such as 64K, 64M, 1G", "bytes allocated before the first collection, and at least between two",
     parse_initial, print_initial},
    {"growth", "ratio:F with F > 1, fixed, or balance:C with C > 0",
     "when to collect: at F times the live size; only when heap-limit is full; by the square-root rule", parse_growth,
     print_growth},
    {"stress", "off, alloc:N with N > 0, or random:SEED",
     "collect at every N-th allocation, or at random ones, 1 in 64 on average", parse_stress, print_stress},
    {"verify", "off, before, after or both", "walk the whole heap around each collection", parse_verify, print_verify},
    {"poison", "yes or no", "fill freed cells with a word that names who freed them", parse_poison, print_poison},
    {"finalizers", "run or drop", "what becomes of finalizers that have not run when the heap is closed", parse_finalizers,
     print_finalizers},
    {"log", "off, stderr or a file's path of at most 127 bytes", "one line for each collection", parse_log, print_log},
};
#define OPTION_COUNT (sizeof options / sizeof options[0])

/* ---- the public calls ---- */

/* What an option accepts; for `collector`, the list. */
static void accepted_text(const struct option *option, char *text, size_t capacity) {
  if (option->parse != parse_collector) {
    snprintf(text, capacity, "%s", option->accepted);
    return;
  }
  mdn_collector_list(text, capacity);
}

static const struct option *option_named(const char *name, size_t length) {
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    if (strlen(options[i].name) == length && memcmp(options[i].name, name, length) == 0) return &options[i];
  }
  return NULL;
}

static midden_status unknown_option(const char *item, size_t length, midden_error *error) {
  char names[160] = "";
  size_t used = 0;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", options[i].name);
  }
  return mdn_error(error, MIDDEN_BAD_OPTION, "unknown option \"%.*s\"; there are %s", (int)size_minimum(length, 60), item,
                   names);
}

/* One "name=value". */
static midden_status parse_item(midden_config *config, const char *item, size_t length, midden_error *error) {
  const char *equals = memchr(item, '=', length);
  size_t name_length = equals ? (size_t)(equals - item) : length;
  const struct option *option = option_named(item, name_length);
  if (!option) return unknown_option(item, name_length, error);
  char accepted[160];
  accepted_text(option, accepted, sizeof accepted);
  if (!equals) {
    return mdn_error(error, MIDDEN_BAD_OPTION, "option %s has no value; it must be %s", option->name, accepted);
  }
  char value[sizeof config->log + 1];
  size_t value_length = length - name_length - 1;
  if (value_length < sizeof value) {
    memcpy(value, equals + 1, value_length);
    value[value_length] = 0;
    if (option->parse(config, value)) return MIDDEN_OK;
  }
  return mdn_error(error, MIDDEN_BAD_OPTION, "option %s: \"%.*s\" is not accepted; it must be %s", option->name,
                   (int)size_minimum(value_length, 60), equals + 1, accepted);
}

/* Numbers are written with a point, whatever the host's locale says. */
static locale_t enter_c_locale(locale_t *c_locale) {
  *c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  return *c_locale ? uselocale(*c_locale) : (locale_t)0;
}

static void leave_c_locale(locale_t c_locale, locale_t before) {
  if (!c_locale) return;
  uselocale(before);
  freelocale(c_locale);
}

static midden_status parse_items(midden_config *config, const char *text, midden_error *error) {
  midden_config parsed = *config;
  while (*text) {
    size_t length = strcspn(text, ",");
    if (length > 0) { /* "a=1,,b=2" and a comma at the end are harmless */
      midden_status status = parse_item(&parsed, text, length, error);
      if (status != MIDDEN_OK) return status;
    }
    text += length;
    if (*text) text++;
  }
  *config = parsed;
  return MIDDEN_OK;
}

midden_status midden_config_parse(midden_config *config, const char *text, midden_error *error) {
  if (!config || !text) return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_config_parse: a configuration and a text");
  locale_t c_locale, before = enter_c_locale(&c_locale);
  midden_status status = parse_items(config, text, error);
  leave_c_locale(c_locale, before);
  return status;
}

midden_status midden_config_env(midden_config *config, const char *variable, midden_error *error) {
  if (!config || !variable) return mdn_error(error, MIDDEN_BAD_ARGUMENT, "midden_config_env: a configuration and a name");
  const char *text = getenv(variable);
  return text ? midden_config_parse(config, text, error) : MIDDEN_OK;
}

/* snprintf at the end of what was written so far; counts also what does not fit. */
__attribute__((format(printf, 4, 5))) static void append_text(char *text, size_t capacity, size_t *length,
                                                         const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  size_t room = *length < capacity ? capacity - *length : 0;
  int more = vsnprintf(room ? text + *length : NULL, room, format, arguments);
  va_end(arguments);
  *length += more > 0 ? (size_t)more : 0;
}

size_t midden_config_print(const midden_config *config, char *text, size_t capacity) {
  size_t length = 0;
  locale_t c_locale, before = enter_c_locale(&c_locale);
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    char value[sizeof config->log + 1];
    options[i].print(config, value, sizeof value);
    append_text(text, capacity, &length, "%s%s=%s", i ? "," : "", options[i].name, value);
  }
  leave_c_locale(c_locale, before);
  return length;
}

size_t midden_config_help(char *text, size_t capacity) {
  size_t length = 0;
  for (size_t i = 0; i < OPTION_COUNT; i++) {
    char accepted[160];
    accepted_text(&options[i], accepted, sizeof accepted);
    append_text(text, capacity, &length, "%s: %s; %s\n", options[i].name, accepted, options[i].meaning);
  }
  return length;
}
