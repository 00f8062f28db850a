/* Options as text: parsing, printing, help, by the table. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "gc/collector.h"
#include "heap/heap.h"
#include "heap/option_table.h"

/* What an option accepts; for `collector`, the list. */
static void accepted_text(const struct option *option, char *text, size_t capacity) {
  if (strcmp(option->name, "collector") != 0) {
    snprintf(text, capacity, "%s", option->accepted);
    return;
  }
  mdn_collector_list(text, capacity);
}

static const struct option *option_named(const char *name, size_t length) {
  for (size_t i = 0; i < mdn_option_count; i++) {
    if (strlen(mdn_options[i].name) == length && memcmp(mdn_options[i].name, name, length) == 0) return &mdn_options[i];
  }
  return NULL;
}

static midden_status unknown_option(const char *item, size_t length, midden_error *error) {
  char names[256] = "";
  size_t used = 0;
  for (size_t i = 0; i < mdn_option_count && used < sizeof names; i++) {
    used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "", mdn_options[i].name);
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
  for (size_t i = 0; i < mdn_option_count; i++) {
    char value[sizeof config->log + 1];
    mdn_options[i].print(config, value, sizeof value);
    append_text(text, capacity, &length, "%s%s=%s", i ? "," : "", mdn_options[i].name, value);
  }
  leave_c_locale(c_locale, before);
  return length;
}

size_t midden_config_help(char *text, size_t capacity) {
  size_t length = 0;
  for (size_t i = 0; i < mdn_option_count; i++) {
    char accepted[160];
    accepted_text(&mdn_options[i], accepted, sizeof accepted);
    append_text(text, capacity, &length, "%s: %s; %s\n", mdn_options[i].name, accepted, mdn_options[i].meaning);
  }
  return length;
}
