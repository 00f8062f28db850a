/* What a heap says of its pauses: the log's lines, the histogram, the monitor's page. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "harness.h"

typedef struct lines {
  size_t count;
  char text[64][600];
} lines;

static void keep_line(void *context, const char *line) {
  lines *kept = context;
  snprintf(kept->text[kept->count++ % COUNT_OF(kept->text)], sizeof kept->text[0], "%s", line);
}

/* Opens a heap whose log goes to `kept`. */
static void open_logged(world *here, int index, lines *kept) {
  memset(kept, 0, sizeof *kept);
  midden_config config = combination_config(index);
  strcpy(config.log, "stderr");
  config.report = keep_line;
  config.report_context = kept;
  world_open_config(here, index, &config);
}

/* ---- the log ---- */

/* "12.345" as microseconds; *at goes past it. */
static uint64_t read_microseconds(const char **at) {
  unsigned long long whole;
  unsigned part;
  int length = 0;
  ck_assert_msg(sscanf(*at, "%llu.%3u%n", &whole, &part, &length) == 2, "no time: \"%s\"", *at);
  *at += length;
  return whole * 1000 + part;
}

/* The steps of a line, each once and of a known name. post: their sum. */
static uint64_t read_steps(const char *at, size_t *count) {
  static const char *const names[] = {"prepare", "roots", "trace", "liveness", "free", "move", "sweep", "return"};
  uint64_t sum = 0;
  size_t next = 0;
  for (*count = 0; *at; ++*count) {
    char name[16];
    int length = 0;
    ck_assert_msg(sscanf(at, "%*1[:,] %15[a-z] %n", name, &length) == 1 && length > 0, "no step: \"%s\"", at);
    at += length;
    while (next < COUNT_OF(names) && strcmp(names[next], name) != 0) next++;
    ck_assert_msg(next < COUNT_OF(names), "\"%s\" is no step, or comes too late", name);
    next++;
    sum += read_microseconds(&at);
  }
  return sum;
}

START_TEST(a_line_says_what_happened) {
  static lines kept;
  world here;
  open_logged(&here, _i, &kept);
  world_list(&here, 0, 500);
  world_churn(&here, 300);
  for (int round = 0; round < 4; round++) {
    kept.count = 0;
    uint64_t moved = world_statistics(&here).objects_moved, pinned = world_statistics(&here).objects_pinned;
    ck_assert_int_eq(midden_collect(here.mutator, round & 1 ? MIDDEN_MINOR : MIDDEN_FULL), MIDDEN_OK);
    midden_statistics figures = world_statistics(&here);
    ck_assert_uint_eq(kept.count, 1);
    const char *line = kept.text[0];
    unsigned long long number, line_pinned, line_moved;
    char collector[24], sort[8], cause[16];
    size_t before, live, objects;
    int length = 0;
    int fields = sscanf(line,
                        "midden: collection %llu %23s %7s %15[a-z]: %zu -> %zu bytes, %zu objects, %llu pinned, %llu moved, "
                        "pause %n",
                        &number, collector, sort, cause, &before, &live, &objects, &line_pinned, &line_moved, &length);
    ck_assert_msg(fields == 9 && length > 0, "%d fields in \"%s\"", fields, line);
    ck_assert_uint_lt(strlen(line), 500);
    ck_assert_uint_eq(number, figures.collections);
    ck_assert_str_eq(collector, here.combination->collector);
    ck_assert_str_eq(sort, here.combination->generational && round & 1 ? "minor" : "full");
    ck_assert_str_eq(cause, "request");
    ck_assert_uint_eq(live, figures.live_bytes);
    ck_assert_uint_eq(objects, figures.live_objects);
    ck_assert_uint_ge(before, live);
    ck_assert_uint_eq(line_pinned, figures.objects_pinned - pinned);
    ck_assert_uint_eq(line_moved, figures.objects_moved - moved);
    const char *at = line + length;
    uint64_t pause = read_microseconds(&at);
    ck_assert_uint_eq(pause, figures.last_pause_ns / 1000);
    ck_assert_int_eq(strncmp(at, " ms", 3), 0);
    size_t steps;
    uint64_t sum = read_steps(at + 3, &steps);
    ck_assert_uint_ge(steps, 4);
    ck_assert_msg(sum <= pause && sum + steps >= pause, "the steps take %llu of %llu µs", (unsigned long long)sum,
                  (unsigned long long)pause); /* each is cut to microseconds */
  }
  world_close(&here);
}
END_TEST

START_TEST(the_log_ends_with_the_pauses) {
  static lines kept;
  world here;
  open_logged(&here, _i, &kept);
  world_churn(&here, 100);
  for (int i = 0; i < 5; i++) midden_collect(here.mutator, i < 3 ? MIDDEN_FULL : MIDDEN_MINOR);
  midden_statistics figures = world_statistics(&here);
  uint64_t full = figures.collections - figures.minor_collections;
  kept.count = 0;
  world_close(&here);
  ck_assert_uint_eq(kept.count, figures.minor_collections ? 2 : 1);
  char expected[64];
  snprintf(expected, sizeof expected, "midden: pauses full: %llu collections, total ", (unsigned long long)full);
  const char *line = kept.text[kept.count - 1];
  ck_assert_msg(strncmp(line, expected, strlen(expected)) == 0, "\"%s\"", line);
  static const char *const parts[] = {" ms, p50 ", ", p90 ", ", p99 ", ", longest "};
  const char *at = line + strlen(expected);
  uint64_t last = 0;
  read_microseconds(&at);
  for (size_t i = 0; i < COUNT_OF(parts); i++) {
    ck_assert_msg(strncmp(at, parts[i], strlen(parts[i])) == 0, "\"%s\"", at);
    at += strlen(parts[i]);
    uint64_t next = read_microseconds(&at);
    ck_assert_uint_ge(next, last);
    last = next;
  }
  ck_assert_str_eq(at, "");
}
END_TEST

/* A log that cannot be written says so once, on standard error, and nothing else fails. */
START_TEST(a_full_disk_ends_the_log) {
  if (access("/dev/full", W_OK) != 0) return;
  int ends[2], before = dup(2);
  ck_assert(before >= 0 && pipe(ends) == 0);
  fflush(stderr);
  dup2(ends[1], 2);
  world here;
  world_open(&here, _i, "log=/dev/full");
  for (int i = 0; i < 3; i++) world_collect(&here);
  uint64_t collections = world_statistics(&here).collections;
  world_close(&here);
  dup2(before, 2);
  close(before), close(ends[1]);
  char text[2000];
  ssize_t length = read(ends[0], text, sizeof text - 1);
  close(ends[0]);
  ck_assert_int_gt(length, 0);
  text[length] = 0;
  ck_assert_uint_ge(collections, 3);
  ck_assert_msg(strstr(text, "option log: writing to \"/dev/full\" failed: ") != NULL, "\"%s\"", text);
  ck_assert_ptr_eq(strchr(text, '\n'), text + length - 1);
}
END_TEST

/* ---- the histogram ---- */

static midden_pauses read_pauses(world *here, midden_collection which) {
  midden_pauses pauses;
  memset(&pauses, 0x55, sizeof pauses);
  ck_assert_int_eq(midden_pauses_read(here->heap, which, &pauses), MIDDEN_OK);
  uint64_t sum = 0, longest = 0;
  for (size_t i = 0; i < MIDDEN_PAUSE_BUCKETS; i++) {
    sum += pauses.buckets[i];
    if (pauses.buckets[i]) longest = i;
  }
  ck_assert_uint_eq(sum, pauses.collections);
  ck_assert_uint_le(pauses.p50_ns, pauses.p90_ns);
  ck_assert_uint_le(pauses.p90_ns, pauses.p99_ns);
  ck_assert_uint_le(pauses.p99_ns, pauses.longest_ns);
  ck_assert_uint_ge(pauses.total_ns, pauses.longest_ns);
  if (sum == 0) ck_assert_uint_eq(pauses.longest_ns, 0);
  if (sum > 0) ck_assert_uint_lt(pauses.longest_ns, midden_pause_bucket_limit(longest));
  if (longest > 0) ck_assert_uint_ge(pauses.longest_ns, midden_pause_bucket_limit(longest - 1));
  return pauses;
}

START_TEST(every_pause_is_counted) {
  world here;
  world_open(&here, _i, NULL);
  for (int round = 0; round < 30; round++) {
    world_list(&here, (size_t)round, 50);
    midden_status status = midden_collect(here.mutator, round % 3 ? MIDDEN_MINOR : MIDDEN_FULL);
    ck_assert_int_eq(status, here.combination->collects ? MIDDEN_OK : MIDDEN_UNSUPPORTED);
    midden_pauses minor = read_pauses(&here, MIDDEN_MINOR), full = read_pauses(&here, MIDDEN_FULL);
    midden_statistics figures = world_statistics(&here);
    ck_assert_uint_eq(minor.collections, figures.minor_collections);
    ck_assert_uint_eq(minor.collections + full.collections, figures.collections);
    ck_assert_uint_eq(minor.total_ns + full.total_ns, figures.total_pause_ns);
    ck_assert_uint_eq(minor.longest_ns > full.longest_ns ? minor.longest_ns : full.longest_ns, figures.longest_pause_ns);
  }
  ck_assert_uint_eq(read_pauses(&here, MIDDEN_FULL).collections >= 10, here.combination->collects);
  world_close(&here);
}
END_TEST

START_TEST(bad_arguments) {
  world here;
  world_open(&here, _i, NULL);
  midden_pauses pauses;
  midden_monitor *monitor = NULL;
  midden_error error = {MIDDEN_OK, ""};
  ck_assert_int_eq(midden_pauses_read(NULL, MIDDEN_FULL, &pauses), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_pauses_read(here.heap, (midden_collection)7, &pauses), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_pauses_read(here.heap, MIDDEN_FULL, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_uint_eq(midden_pause_bucket_limit(MIDDEN_PAUSE_BUCKETS - 1), UINT64_MAX);
  ck_assert_uint_eq(midden_pause_bucket_limit(SIZE_MAX), UINT64_MAX);
  ck_assert_int_eq(midden_monitor_open(NULL, &monitor, &error), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_monitor_open(here.heap, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_ptr_null(monitor);
  ck_assert_uint_gt(strlen(error.message), 10);
  ck_assert_uint_eq(midden_monitor_text(NULL, 3, NULL, 0), 0);
  midden_monitor_close(NULL);
  world_close(&here);
}
END_TEST

/* ---- the monitor ---- */

/* The page's line that begins with `word`. */
static const char *line_of(const char *page, const char *word) {
  for (const char *at = page; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL) {
    if (strncmp(at, word, strlen(word)) == 0) return at;
  }
  ck_abort_msg("no line \"%s\" in:\n%s", word, page);
  return NULL;
}

static void expect_kind(const char *page, const char *name, size_t objects, size_t bytes, long long growth) {
  size_t line_objects, line_bytes;
  long long line_growth;
  int fields = sscanf(line_of(page, name) + strlen(name), "%zu %zu %lld", &line_objects, &line_bytes, &line_growth);
  ck_assert_msg(fields == 3 && line_objects == objects && line_bytes == bytes && line_growth == growth,
                "%s: %zu objects, %zu bytes, growth %lld in:\n%s", name, objects, bytes, growth, page);
}

START_TEST(the_page_of_a_known_heap) {
  world here;
  world_open(&here, _i, NULL);
  midden_monitor *monitor;
  ck_assert_int_eq(midden_monitor_open(here.heap, &monitor, NULL), MIDDEN_OK);
  midden_shape shape = {.name = "cell", .size = 64};
  midden_kind cell = midden_kind_define(here.heap, &shape, NULL);
  for (size_t i = 0; i < 100; i++) here.slots[i] = (uintptr_t)midden_alloc(here.mutator, cell);
  world_list(&here, 200, 50);
  char page[4000], cut[100];
  size_t length = midden_monitor_text(monitor, 10, NULL, 0);
  ck_assert_uint_gt(length, 200);
  ck_assert_uint_gt(midden_monitor_text(monitor, 10, page, sizeof page), 200);
  expect_kind(page, "cell", 100, 6400, 6400);
  expect_kind(page, "pair", 50, 800, 800);
  ck_assert(line_of(page, "cell") < line_of(page, "pair"));
  unsigned long long bytes, objects;
  ck_assert_int_eq(sscanf(line_of(page, "allocated"), "allocated %llu bytes, %llu objects", &bytes, &objects), 2);
  ck_assert_uint_eq(bytes, 7200);
  ck_assert_uint_eq(objects, 150);
  midden_statistics figures = world_statistics(&here);
  size_t used, live, committed;
  ck_assert_int_eq(sscanf(line_of(page, "bytes"), "bytes used %zu, live %zu, committed %zu", &used, &live, &committed), 3);
  ck_assert(used == figures.used_bytes && live == figures.live_bytes && committed == figures.committed_bytes);
  for (size_t i = 0; i < 60; i++) here.slots[i] = 0;
  for (int i = 0; i < 3; i++) world_collect(&here);
  ck_assert_uint_gt(midden_monitor_text(monitor, 1, page, sizeof page), 200);
  bool precise = here.combination->stack == MIDDEN_STACK_PRECISE && here.combination->collects;
  if (precise) expect_kind(page, "cell", 40, 2560, -3840);
  ck_assert_ptr_null(strstr(page, "\npair"));
  unsigned long long pauses;
  ck_assert_int_eq(sscanf(line_of(page, "full"), "full %llu pauses", &pauses), 1);
  ck_assert_uint_eq(pauses, here.combination->collects ? 3 : 0);
  ck_assert_uint_gt(midden_monitor_text(monitor, 10, page, sizeof page), 200);
  if (precise) expect_kind(page, "cell", 40, 2560, 0);
  ck_assert_uint_gt(midden_monitor_text(monitor, 10, cut, sizeof cut), sizeof cut);
  ck_assert_uint_eq(strlen(cut), sizeof cut - 1);
  midden_monitor_close(monitor);
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {a_line_says_what_happened, COLLECTING | CALM},
      {the_log_ends_with_the_pauses, COLLECTING | CALM},
      {a_full_disk_ends_the_log, COLLECTING | CALM | PRECISE},
      {every_pause_is_counted, CALM},
      {bad_arguments, CALM},
      {the_page_of_a_known_heap, CALM},
  };
  return run_combinations("pauses", tests, COUNT_OF(tests));
}
