/* A heap with a pool of buffers: see pool_host.h. */
#include "pool_host.h"

#include <stdio.h>
#include <string.h>

#include "harness.h"

static void note(void *context, const char *line) {
  struct host *host = context;
  if (host->line_count < LINES) snprintf(host->lines[host->line_count++], 256, "%s", line);
}

void pool_open_host(struct host *host, const midden_memory *memory) {
  midden_error error = {MIDDEN_OK, ""};
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  memset(host, 0, sizeof *host);
  EXPECT(midden_config_parse(&config, "stack=precise,heap-limit=16M,poison=yes", &error) == MIDDEN_OK, "%s", error.message);
  config.memory = memory;
  config.report = note;
  config.report_context = host;
  EXPECT(midden_heap_open(&config, &host->heap, &error) == MIDDEN_OK, "%s", error.message);
  host->mutator = midden_attach(host->heap, NULL, &error);
  EXPECT(host->mutator != NULL, "%s", error.message);
}

void pool_open(struct host *host, size_t initial_chunks, size_t total_chunks) {
  midden_error error = {MIDDEN_OK, ""};
  midden_pool_options options = {total_chunks * CHUNK, initial_chunks * CHUNK, CHUNK, "requests", false};
  pool_open_host(host, NULL);
  EXPECT(midden_pool_open(host->mutator, &options, &host->pool, &error) == MIDDEN_OK, "%s", error.message);
}

void pool_close(struct host *host) {
  ck_assert_int_eq(midden_pool_close(host->mutator, host->pool), MIDDEN_OK);
  ck_assert_int_eq(midden_heap_close(host->heap), MIDDEN_OK);
}

midden_pool_statistics pool_figures(const struct host *host) {
  midden_pool_statistics statistics;
  EXPECT(midden_pool_statistics_read(host->pool, &statistics) == MIDDEN_OK, "statistics");
  return statistics;
}

midden_lease pool_take(const struct host *host, size_t chunks) {
  midden_lease lease = {NULL, 0, 0};
  EXPECT(midden_pool_acquire(host->pool, chunks * CHUNK, MIDDEN_AT_ONCE, MIDDEN_HERE, &lease) == MIDDEN_OK, "acquire");
  return lease;
}

void pool_give(const struct host *host, midden_lease *lease) {
  EXPECT(midden_pool_release(host->pool, lease) == MIDDEN_OK, "release");
}
