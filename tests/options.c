/* Options: parsing, printing, help and the environment. What is printed reads back to the same; an error
 * names the option, the bad text and what is accepted, and leaves everything as it was. */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static midden_config defaults(void) {
  midden_config config;
  memset(&config, 0, sizeof config); /* so that padding compares equal */
  midden_config initial = MIDDEN_CONFIG_DEFAULT;
  memcpy(&config, &initial, sizeof config);
  return config;
}

static midden_config parsed(const char *text) {
  midden_config config = defaults();
  midden_error error = {MIDDEN_OK, ""};
  midden_status status = midden_config_parse(&config, text, &error);
  ck_assert_msg(status == MIDDEN_OK, "\"%s\": %s", text, error.message);
  return config;
}

static bool same(const midden_config *a, const midden_config *b) {
  return strcmp(a->collector, b->collector) == 0 && a->stack == b->stack && a->heap_limit == b->heap_limit &&
         a->generational == b->generational && a->nursery == b->nursery && a->heap_initial == b->heap_initial &&
         a->collecting == b->collecting && a->growth == b->growth && a->growth_factor == b->growth_factor &&
         a->stress == b->stress && a->stress_value == b->stress_value && a->stress_mean == b->stress_mean && a->guard == b->guard &&
         a->guard_sites == b->guard_sites && a->unrooted == b->unrooted && a->verify == b->verify &&
         a->poison == b->poison && a->memory_checker == b->memory_checker && a->census == b->census &&
         a->run_finalizers == b->run_finalizers &&
         strcmp(a->log, b->log) == 0 && strcmp(a->timeline, b->timeline) == 0 && a->profile == b->profile &&
         strcmp(a->profile_file, b->profile_file) == 0;
}

START_TEST(each_option) {
  for (size_t i = 0; midden_collector_name(i) != NULL; i++) {
    char text[64];
    snprintf(text, sizeof text, "collector=%s", midden_collector_name(i));
    ck_assert_str_eq(parsed(text).collector, midden_collector_name(i));
  }
  ck_assert_int_eq(parsed("stack=precise").stack, MIDDEN_STACK_PRECISE);
  ck_assert_int_eq(parsed("stack=pinning").stack, MIDDEN_STACK_PINNING);
  ck_assert_int_eq(parsed("stack=precise,stack=conservative").stack, MIDDEN_STACK_CONSERVATIVE);
  ck_assert_int_eq(parsed("").collecting, MIDDEN_COLLECTING_AUTO);
  ck_assert_int_eq(parsed("collect=asked").collecting, MIDDEN_COLLECTING_ASKED);
  ck_assert_int_eq(parsed("collect=asked,collect=auto").collecting, MIDDEN_COLLECTING_AUTO);
  ck_assert_int_eq(parsed("growth=fixed").growth, MIDDEN_GROWTH_FIXED);
  ck_assert_int_eq(parsed("growth=ratio").growth, MIDDEN_GROWTH_RATIO);
  ck_assert_int_eq(parsed("growth=balance").growth, MIDDEN_GROWTH_BALANCE);
  ck_assert_double_eq(parsed("growth=ratio:1.25").growth_factor, 1.25);
  ck_assert_double_eq(parsed("growth=balance:0.5").growth_factor, 0.5);
  ck_assert_int_eq(parsed("stress=alloc:17").stress, MIDDEN_STRESS_ALLOC);
  ck_assert_uint_eq(parsed("stress=alloc:17").stress_value, 17);
  ck_assert_int_eq(parsed("stress=random:0").stress, MIDDEN_STRESS_RANDOM);
  ck_assert_uint_eq(parsed("stress=random:18446744073709551615").stress_value, UINT64_MAX);
  ck_assert_uint_eq(parsed("stress=random:5").stress_mean, 64);
  ck_assert_uint_eq(parsed("stress=random:5:3").stress_value, 5);
  ck_assert_uint_eq(parsed("stress=random:5:3").stress_mean, 3);
  ck_assert_int_eq(parsed("guard=fault").guard, MIDDEN_GUARD_FAULT);
  ck_assert_int_eq(parsed("guard=report").guard, MIDDEN_GUARD_REPORT);
  ck_assert_uint_eq(parsed("guard=report").guard_sites, 0);
  ck_assert_int_eq(parsed("guard=report:12").guard, MIDDEN_GUARD_REPORT);
  ck_assert_uint_eq(parsed("guard=report:12").guard_sites, 12);
  ck_assert_uint_eq(parsed("guard=report:12,guard=off").guard_sites, 0);
  ck_assert_int_eq(parsed("unrooted=lost").unrooted, MIDDEN_UNROOTED_LOST);
  ck_assert_int_eq(parsed("unrooted=all").unrooted, MIDDEN_UNROOTED_ALL);
  ck_assert_int_eq(parsed("stress=alloc:17,stress=off").stress, MIDDEN_STRESS_OFF);
  ck_assert_int_eq(parsed("verify=before").verify, MIDDEN_VERIFY_BEFORE);
  ck_assert_int_eq(parsed("verify=after").verify, MIDDEN_VERIFY_AFTER);
  ck_assert_int_eq(parsed("verify=both").verify, MIDDEN_VERIFY_BOTH);
  ck_assert_int_eq(parsed("verify=both,verify=off").verify, MIDDEN_VERIFY_OFF);
  ck_assert(parsed("generational=yes").generational);
  ck_assert(!parsed("generational=yes,generational=no").generational);
  ck_assert_uint_eq(parsed("nursery=3M").nursery, 3 << 20);
  ck_assert(parsed("poison=yes").poison);
  ck_assert(parsed("").memory_checker);
  ck_assert(!parsed("memory-checker=no").memory_checker);
  ck_assert(parsed("finalizers=run").run_finalizers);
  ck_assert(!parsed("finalizers=run,finalizers=drop").run_finalizers);
  ck_assert(!parsed("poison=yes,poison=no").poison);
  ck_assert_uint_eq(parsed("census=20").census, 20);
  ck_assert_uint_eq(parsed("census=20,census=off").census, 0);
  ck_assert_str_eq(parsed("log=stderr").log, "stderr");
  ck_assert_str_eq(parsed("log=/tmp/a b.log").log, "/tmp/a b.log");
  ck_assert_str_eq(parsed("timeline=/tmp/t.json").timeline, "/tmp/t.json");
  ck_assert_uint_eq(parsed("profile=64K").profile, 64 << 10);
  ck_assert_str_eq(parsed("profile=64K:/tmp/p:1.pb").profile_file, "/tmp/p:1.pb");
  ck_assert_uint_eq(parsed("profile=64K:/tmp/p,profile=off").profile, 0);
  ck_assert_str_eq(parsed("profile=64K:/tmp/p,profile=off").profile_file, "");
}
END_TEST

START_TEST(sizes) {
  static const struct {
    const char *text;
    size_t bytes;
  } accepted[] = {{"65536", 65536},          {"64K", 64 << 10},         {"64M", 64 << 20},
                  {"1G", (size_t)1 << 30},   {"3G", (size_t)3 << 30},   {"100000K", 102400000},
                  {"1023M", (size_t)1023 << 20}};
  char text[64];
  for (size_t i = 0; i < COUNT_OF(accepted); i++) {
    snprintf(text, sizeof text, "heap-limit=%s", accepted[i].text);
    ck_assert_uint_eq(parsed(text).heap_limit, accepted[i].bytes);
    snprintf(text, sizeof text, "heap-initial=%s", accepted[i].text);
    ck_assert_uint_eq(parsed(text).heap_initial, accepted[i].bytes);
  }
  static const char *const refused[] = {"", "K", "-1", "1 M", "1MM", "1.5M", "0x10", "1X", " 1M", "1M ", "+1M",
                                        "99999999999999999999", "18446744073709551615K", "20000000000000G"};
  for (size_t i = 0; i < COUNT_OF(refused); i++) {
    midden_config config = defaults();
    snprintf(text, sizeof text, "heap-limit=%s", refused[i]);
    ck_assert_msg(midden_config_parse(&config, text, NULL) == MIDDEN_BAD_OPTION, "\"%s\" was accepted", text);
  }
}
END_TEST

/* Printing any configuration that can be parsed gives a text that parses to the same. */
START_TEST(print_and_parse_round_trip) {
  static const char *const stacks[] = {"conservative", "precise", "pinning"};
  static const char *const growths[] = {"ratio", "ratio:1.1", "ratio:3.3333333333333335", "fixed", "balance", "balance:1e-9"};
  static const char *const stresses[] = {"off", "alloc:1", "alloc:123456789", "random:99", "random:99:7"};
  static const char *const guards[] = {"off", "fault", "report", "report:9"};
  static const char *const unrooteds[] = {"off", "lost", "all"};
  static const char *const verifies[] = {"off", "before", "after", "both"};
  static const char *const profiles[] = {"off", "1", "512K", "1M:/tmp/a:b.pb"};
  static const char *const logs[] = {"off", "stderr", "/var/log/x.log"};
  uint64_t random = 1;
  for (int i = 0; i < 2000; i++) {
    char text[512], printed[1024], again[1024];
    size_t collectors = 0;
    while (midden_collector_name(collectors) != NULL) collectors++;
    snprintf(text, sizeof text,
             "collector=%s,stack=%s,generational=%s,nursery=%zuK,heap-limit=%zu,heap-initial=%zuK,collect=%s,growth=%s,stress=%s,"
             "guard=%s,unrooted=%s,verify=%s,poison=%s,memory-checker=%s,finalizers=%s,log=%s,timeline=%s,profile=%s",
             midden_collector_name(test_random_below(&random, collectors)), stacks[test_random_below(&random, 3)],
             test_random_below(&random, 2) ? "yes" : "no", 1 + test_random_below(&random, 9000),
             1 + test_random_below(&random, 1u << test_random_below(&random, 31)), 1 + test_random_below(&random, 5000),
             test_random_below(&random, 2) ? "auto" : "asked",
             growths[test_random_below(&random, COUNT_OF(growths))],
             stresses[test_random_below(&random, COUNT_OF(stresses))],
             guards[test_random_below(&random, COUNT_OF(guards))], unrooteds[test_random_below(&random, COUNT_OF(unrooteds))],
             verifies[test_random_below(&random, COUNT_OF(verifies))], test_random_below(&random, 2) ? "yes" : "no",
             test_random_below(&random, 2) ? "yes" : "no", test_random_below(&random, 2) ? "run" : "drop", logs[test_random_below(&random, COUNT_OF(logs))], logs[test_random_below(&random, COUNT_OF(logs))],
             profiles[test_random_below(&random, COUNT_OF(profiles))]);
    midden_config first = parsed(text);
    size_t length = midden_config_print(&first, printed, sizeof printed);
    EXPECT(length == strlen(printed), "length %zu of \"%s\"", length, printed);
    midden_config second = parsed(printed);
    EXPECT(same(&first, &second), "\"%s\" printed as \"%s\"", text, printed);
    midden_config_print(&second, again, sizeof again);
    EXPECT(strcmp(printed, again) == 0, "\"%s\" against \"%s\"", printed, again);
  }
  midden_config untouched = defaults();
  ck_assert_uint_gt(midden_config_print(&untouched, NULL, 0), 0);
}
END_TEST

/* Like snprintf: the whole length is returned, the text is cut and terminated. */
START_TEST(short_buffers) {
  midden_config config = parsed("heap-limit=64M");
  char whole[1024], cut[1024];
  size_t length = midden_config_print(&config, whole, sizeof whole);
  for (size_t capacity = 0; capacity <= length + 1; capacity++) {
    memset(cut, '#', sizeof cut);
    ck_assert_uint_eq(midden_config_print(&config, cut, capacity), length);
    if (capacity > 0) {
      ck_assert_uint_eq(strlen(cut), capacity - 1);
      ck_assert_int_eq(strncmp(cut, whole, capacity - 1), 0);
    }
    ck_assert_int_eq(cut[capacity], '#');
  }
  length = midden_config_help(NULL, 0);
  memset(cut, '#', sizeof cut);
  ck_assert_uint_eq(midden_config_help(cut, 20), length);
  ck_assert_uint_eq(strlen(cut), 19);
}
END_TEST

/* Calls a function for each line of the help: "name: accepted; meaning". */
static size_t for_each_option(void (*function)(const char *name, const char *accepted)) {
  static char help[8192];
  size_t length = midden_config_help(help, sizeof help), count = 0;
  ck_assert_uint_lt(length, sizeof help);
  for (char *line = strtok(help, "\n"); line != NULL; line = strtok(NULL, "\n"), count++) {
    char *colon = strchr(line, ':'), *semicolon = strchr(line, ';');
    ck_assert_msg(colon != NULL && semicolon > colon && strlen(semicolon) > 4, "help line \"%s\"", line);
    *colon = *semicolon = '\0';
    function(line, colon + 2);
  }
  return count;
}

static void check_bad_value(const char *name, const char *accepted) {
  midden_config config = defaults(), before = config;
  midden_error error = {MIDDEN_OK, ""};
  char text[200];
  snprintf(text, sizeof text, "poison=yes,%s=", name); /* nothing of a bad string is applied */
  size_t bad = strlen(text);
  snprintf(text + bad, sizeof text - bad, "%s", strcmp(name, "log") == 0 || strcmp(name, "timeline") == 0 ? "" : "gibberish");
  ck_assert_int_eq(midden_config_parse(&config, text, &error), MIDDEN_BAD_OPTION);
  ck_assert_int_eq(error.status, MIDDEN_BAD_OPTION);
  ck_assert_msg(strstr(error.message, name) != NULL, "\"%s\" does not name %s", error.message, name);
  ck_assert_msg(strstr(error.message, text + bad) != NULL, "\"%s\" does not quote the text", error.message);
  ck_assert_msg(strstr(error.message, accepted) != NULL, "\"%s\" does not say \"%s\"", error.message, accepted);
  ck_assert_mem_eq(&config, &before, sizeof config);
  snprintf(text, sizeof text, "poison=yes,%s", name); /* no value at all */
  ck_assert_int_eq(midden_config_parse(&config, text, &error), MIDDEN_BAD_OPTION);
  ck_assert_msg(strstr(error.message, name) != NULL && strstr(error.message, accepted) != NULL, "\"%s\"", error.message);
  ck_assert_mem_eq(&config, &before, sizeof config);
  ck_assert_int_eq(midden_config_parse(&config, text, NULL), MIDDEN_BAD_OPTION);
}

START_TEST(bad_values) { ck_assert_uint_eq(for_each_option(check_bad_value), 22); }
END_TEST

START_TEST(bad_names) {
  static const char *const texts[] = {"colector=none", "=", "=none", "collector ", "Collector=none", "stack=precise,wrong=1",
                                      " stack=precise", "heap_limit=1M"};
  for (size_t i = 0; i < COUNT_OF(texts); i++) {
    midden_config config = defaults(), before = config;
    midden_error error = {MIDDEN_OK, ""};
    ck_assert_msg(midden_config_parse(&config, texts[i], &error) == MIDDEN_BAD_OPTION, "\"%s\"", texts[i]);
    ck_assert_mem_eq(&config, &before, sizeof config);
    ck_assert_msg(strstr(error.message, "heap-limit") != NULL && strstr(error.message, "collector") != NULL,
                  "\"%s\" does not list the options", error.message);
  }
  midden_config config = defaults();
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_config_parse(&config, "colector=none", &error), MIDDEN_BAD_OPTION);
  ck_assert_ptr_nonnull(strstr(error.message, "colector"));
}
END_TEST

/* Texts of any length and any bytes are answered, and messages are always terminated. */
START_TEST(hostile_texts) {
  static char text[100000];
  uint64_t random = 4;
  for (int i = 0; i < 3000; i++) {
    size_t length = test_random_below(&random, i % 100 == 0 ? sizeof text - 1 : 60);
    static const char letters[] = "collector=none,stack=:0123456789KMG,,==alloc \xff\t";
    for (size_t k = 0; k < length; k++) text[k] = letters[test_random_below(&random, sizeof letters - 1)];
    text[length] = '\0';
    midden_config config = defaults(), before = config;
    midden_error error;
    memset(&error, 0x7f, sizeof error);
    midden_status status = midden_config_parse(&config, text, &error);
    if (status == MIDDEN_OK) continue;
    EXPECT(status == MIDDEN_BAD_OPTION, "%s", midden_status_name(status));
    EXPECT(memchr(error.message, '\0', sizeof error.message) != NULL, "not terminated");
    EXPECT(memcmp(&config, &before, sizeof config) == 0, "configuration touched by \"%.100s\"", text);
  }
  memset(text, 'x', sizeof text - 1);
  memcpy(text, "log=", 4);
  midden_config config = defaults();
  ck_assert_int_eq(midden_config_parse(&config, text, NULL), MIDDEN_BAD_OPTION);
}
END_TEST

START_TEST(success_touches_no_error) {
  midden_config config = defaults();
  midden_error error, before;
  memset(&error, 0x5a, sizeof error);
  before = error;
  ck_assert_int_eq(midden_config_parse(&config, "stack=precise", &error), MIDDEN_OK);
  ck_assert_mem_eq(&error, &before, sizeof error);
  ck_assert_int_eq(midden_config_parse(&config, "", &error), MIDDEN_OK);
  ck_assert_mem_eq(&error, &before, sizeof error);
}
END_TEST

START_TEST(environment) {
  midden_config config = defaults(), before = config;
  midden_error error = {MIDDEN_OK, ""};
  unsetenv("MIDDEN_TEST_OPTIONS");
  ck_assert_int_eq(midden_config_env(&config, "MIDDEN_TEST_OPTIONS", &error), MIDDEN_OK);
  ck_assert_mem_eq(&config, &before, sizeof config);
  setenv("MIDDEN_TEST_OPTIONS", "collector=none,heap-limit=3M", 1);
  ck_assert_int_eq(midden_config_env(&config, "MIDDEN_TEST_OPTIONS", &error), MIDDEN_OK);
  ck_assert_str_eq(config.collector, "none");
  ck_assert_uint_eq(config.heap_limit, 3 << 20);
  setenv("MIDDEN_TEST_OPTIONS", "heap-limit=lots", 1);
  before = config;
  ck_assert_int_eq(midden_config_env(&config, "MIDDEN_TEST_OPTIONS", &error), MIDDEN_BAD_OPTION);
  ck_assert_ptr_nonnull(strstr(error.message, "lots"));
  ck_assert_mem_eq(&config, &before, sizeof config);
  unsetenv("MIDDEN_TEST_OPTIONS");
}
END_TEST

/* The library reads no variable of its own. */
START_TEST(no_variable_of_its_own) {
  static const char *const names[] = {"MIDDEN", "MIDDEN_OPTIONS", "MIDDEN_GC", "MIDDEN_COLLECTOR", "GC_COLLECTOR"};
  for (size_t i = 0; i < COUNT_OF(names); i++) setenv(names[i], "collector=none,gibberish", 1);
  midden_config config = defaults();
  midden_heap *heap = NULL;
  ck_assert_int_eq(midden_heap_open(&config, &heap, NULL), MIDDEN_OK);
  ck_assert_str_eq(midden_heap_config(heap)->collector, "mark-sweep");
  ck_assert_int_eq(midden_heap_close(heap), MIDDEN_OK);
}
END_TEST

/* A host that has set its locale may have a comma for the decimal point; options keep theirs. */
START_TEST(numbers_in_another_locale) {
  static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "ru_RU.UTF-8", "sv_SE.UTF-8", "de_DE"};
  size_t i = 0;
  while (i < COUNT_OF(names) && setlocale(LC_ALL, names[i]) == NULL) i++;
  /* Where no such locale is installed, this is the round trip in the locale there is. */
  midden_config config = parsed("growth=ratio:1.25");
  ck_assert_double_eq(config.growth_factor, 1.25);
  char text[1024];
  midden_config_print(&config, text, sizeof text);
  ck_assert_double_eq(parsed(text).growth_factor, 1.25);
  setlocale(LC_ALL, "C");
}
END_TEST

START_TEST(status_names) {
  for (int status = MIDDEN_OK; status <= MIDDEN_IO_ERROR; status++) {
    const char *name = midden_status_name((midden_status)status);
    ck_assert_ptr_nonnull(name);
    for (int other = MIDDEN_OK; other < status; other++)
      ck_assert_str_ne(name, midden_status_name((midden_status)other));
  }
  ck_assert_str_eq(midden_status_name(MIDDEN_NO_MEMORY), "no-memory");
  ck_assert_ptr_nonnull(midden_status_name((midden_status)1000));
  ck_assert_uint_gt(strlen(midden_version()), 4);
}
END_TEST

int main(void) {
  const TTest *const tests[] = {each_option,   sizes,         print_and_parse_round_trip, short_buffers,
                                bad_values,    bad_names,     hostile_texts,              success_touches_no_error,
                                environment,   no_variable_of_its_own, numbers_in_another_locale, status_names};
  return run_once("options", tests, COUNT_OF(tests));
}
