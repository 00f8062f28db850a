/* Stops of the tour: how long collections take, and who allocates. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tour.h"

/* The guest: a program of two functions, as its interpreter knows them. */
static struct {
  midden_guest_frame calls[8]; /* innermost last */
  size_t depth;
} guest;

static size_t guest_stack(void *context, midden_mutator *mutator, midden_guest_frame *frames, size_t capacity) {
  size_t count = 0;
  (void)context, (void)mutator;
  for (size_t i = guest.depth; i-- > 0 && count < capacity; count++) frames[count] = guest.calls[i];
  return count;
}

/* A list of `length`, and the strings of its elements. */
static void call_reader(struct host *host, size_t length) {
  guest.calls[guest.depth++] = (midden_guest_frame){"read-list", "guest.scm", 7};
  host->last = NULL;
  for (size_t i = 0; i < length; i++) {
    struct entry *entry = host_entry(host);
    midden_store(host->mutator, entry, &entry->key, host->last);
    host->last = entry;
    void *text = host_string(host, 48);
    midden_store(host->mutator, host->last, &host->last->value, text);
  }
  guest.depth--;
}

static void print_pauses(midden_heap *heap) {
  midden_pauses full;
  must(midden_pauses_read(heap, MIDDEN_FULL, &full), NULL);
  printf("midden_pauses_read: %llu full collections, %.3f ms; half of them took at most %.3f ms, and the longest %.3f ms\n",
         (unsigned long long)full.collections, (double)full.total_ns / 1e6, (double)full.p50_ns / 1e6,
         (double)full.longest_ns / 1e6);
}

static void print_profile(struct host *host) {
  const midden_kind kinds[] = {host->entry, host->string};
  for (size_t i = 0; i < 2; i++) {
    midden_profile_totals totals;
    must(midden_profile_read(host->heap, kinds[i].id, &totals), NULL);
    printf("midden_profile_read: %-6s %9.0f bytes allocated, %8.0f of them live, by %llu samples\n",
           midden_kind_name(host->heap, kinds[i].id), totals.bytes, totals.live_bytes, (unsigned long long)totals.samples);
  }
}

static void run_time(const struct stop *stop) {
  static struct host host;
  struct stop with_files = *stop;
  char options[4096], path[1024];
  midden_error error;
  if (snprintf(options, sizeof options, "%s,timeline=%s/tour-timeline.json", stop->options, tour_directory) >= (int)sizeof options ||
      snprintf(path, sizeof path, "%s/tour-profile.pb", tour_directory) >= (int)sizeof path)
    exit(1);
  with_files.options = options;
  host_open(&host, &with_files);
  midden_monitor *monitor;
  must(midden_profile_guest(host.heap, guest_stack, NULL), NULL);
  must(midden_monitor_open(host.heap, &monitor, &error), &error);
  guest.calls[guest.depth++] = (midden_guest_frame){"main", "guest.scm", 1};
  for (size_t round = 0; round < 4; round++) {
    call_reader(&host, 5000);
    host_collect(&host);
  }
  print_pauses(host.heap);
  char page[2048];
  midden_monitor_text(monitor, 3, page, sizeof page);
  fputs(page, stdout);
  print_profile(&host);
  must(midden_profile_save(host.heap, path, &error), &error);
  host_close(&host);
  printf("wrote %s/tour-timeline.json (https://ui.perfetto.dev opens it)\n", tour_directory);
  printf("wrote %s (go tool pprof -top -sample_index=alloc_space)\n", path);
}

const struct stop time_stops[] = {
    {"time",
     "it pauses, and allocates much",
     {"the guest's function read-list makes a list of 5000 entries with a string each,", "four times; a collection follows each."},
     "log=, timeline=, profile=, midden_pauses_read, midden_monitor_text",
     "collector=mark-sweep,stack=precise,heap-initial=8M,log=stderr,profile=4K",
     run_time, 0},
    {0},
};
