/* Stops of the tour: what is alive, what grows, what is fragmented. */
#include <stdio.h>
#include <stdlib.h>

#include "tour.h"

/* ---- why: an object that stays alive ---- */

/* An entry for each name, whose value is the text; nobody takes them out again. */
static void remember(struct host *host, size_t slot) {
  host->last = host_entry(host);
  midden_store(host->mutator, host->cache, &host->cache[slot], host->last);
  char *text = host_string(host, 400);
  midden_store(host->mutator, host->last, &host->last->value, text);
  host->last = NULL;
}

static void run_why(const struct stop *stop) {
  static struct host host;
  midden_error error;
  host_open(&host, stop);
  host.cache = host_vector(&host, 100);
  for (size_t i = 0; i < 100; i++) remember(&host, i);
  host_collect(&host); /* so that only what lives is shown */
  struct entry *entry = (struct entry *)host.cache[42];
  must(midden_why(host.heap, entry->value, &tour_output, &error), &error);
  must(midden_memory_report(host.heap, 3, &tour_output, &error), &error);
  host_close(&host);
}

/* ---- growth: the memory grows ---- */

static void run_growth(const struct stop *stop) {
  static struct host host;
  midden_error error;
  host_open(&host, stop);
  host.cache = host_vector(&host, 100);
  for (size_t round = 0; round < 5; round++) {
    for (size_t i = 0; i < 20; i++) remember(&host, round * 20 + i);
    for (size_t i = 0; i < 1000; i++) host_vector(&host, 4); /* garbage */
    host_collect(&host);
  }
  must(midden_census_growth(host.heap, &tour_output, &error), &error);
  host_close(&host);
}

/* ---- fragmented: memory that does not come back ---- */

static void print_doctor(midden_heap *heap, const char *when) {
  char text[2048];
  midden_doctor(heap, text, sizeof text);
  printf("%s:\n%s", when, text);
}

static midden_map *capture(midden_heap *heap, const char *title) {
  midden_error error = {MIDDEN_OK, ""};
  midden_map *map = midden_map_capture(heap, title, &error);
  if (!map) must(error.status, &error);
  return map;
}

static void save_maps(midden_map **maps) {
  char path[1024];
  midden_error error;
  if (snprintf(path, sizeof path, "%s/tour-map.html", tour_directory) >= (int)sizeof path) exit(1);
  must(midden_map_save(maps, 2, path, &error), &error);
  printf("wrote %s (a browser shows it)\n", path);
  midden_map_free(maps[0]);
  midden_map_free(maps[1]);
}

static void run_fragmented(const struct stop *stop) {
  static struct host host;
  midden_map *maps[2];
  host_open(&host, stop);
  host.cache = host_vector(&host, 3000);
  for (size_t i = 0; i < 9 * 3000; i++) {
    void *text = host_string(&host, 512);
    if (i % 9 == 0) midden_store(host.mutator, host.cache, &host.cache[i / 9], text);
  }
  host_collect(&host);
  print_doctor(host.heap, "midden_doctor");
  maps[0] = capture(host.heap, "each ninth string lives");
  must(midden_defragment(host.mutator, SIZE_MAX, NULL), NULL);
  midden_trim(host.heap);
  print_doctor(host.heap, "after midden_defragment and midden_trim");
  maps[1] = capture(host.heap, "after midden_defragment");
  save_maps(maps);
  host_close(&host);
}

const struct stop memory_stops[] = {
    {"why",
     "something stays alive",
     {"a hundred entries are put into the vector of the root cache,", "each with a string of 400 bytes, and never taken out."},
     "midden_why and midden_memory_report",
     "collector=mark-sweep,stack=precise",
     run_why, 0},
    {"growth",
     "the memory grows",
     {"in each round twenty entries with their strings are remembered for good,",
      "among a thousand vectors that die at once."},
     "census=6 and midden_census_growth",
     "collector=mark-sweep,stack=precise,census=6",
     run_growth, 0},
    {"fragmented",
     "memory does not come back",
     {"of 27000 strings of 512 bytes each ninth is kept:", "all pages stay in use, for a ninth of what they hold."},
     "midden_doctor and midden_map_save",
     "collector=mark-sweep,stack=precise,heap-limit=64M,growth=fixed",
     run_fragmented, 0},
    {0},
};
