/* What every workload includes: the contestant's shim (named by the macro SHIM), and what all contestants
 * share. A workload allocates, stores and drops through these, and nothing else:
 *
 *   shim_open(options, stack_bottom)        called by shim_begin
 *   shim_define(name, size, references)     a kind of fixed size; bit i of references: word i is one
 *   shim_define_array(name)                 a kind of variable size; every word is a reference, or is no
 *                                           address of an object
 *   shim_define_leaf(name)                  a kind of variable size without references, not zeroed
 *   shim_allocate(kind, size)               zeroed; shim_allocate_array(kind, count) too, count words
 *   shim_allocate_leaf(kind, size)
 *   shim_store(object, slot, value)         every store of a reference into an object
 *   shim_define_pairs(name)                 a kind for tables of ephemerons; shim_allocate_pairs(kind, count);
 *   shim_pair_key(table, index)             the key, or NULL if it is gone; shim_pair_value(table, index)
 *   shim_pair_set(table, index, key, value)
 *                                           these only where objects need no owner: not over malloc
 *   shim_free(object)                       by its owner; does nothing but where SHIM_FREES is defined
 *   SHIM_FRAME(locals), SHIM_END()          around code that allocates and holds these 1 to 12 locals
 *   shim_checkpoint()                       most is alive now: measures it, when the options ask
 *   shim_settle()                           collects, and gives unused memory back to the system
 *   shim_committed()                        bytes of memory that it holds; 0: it does not say
 *   shim_report()                           prints name=value lines; called by shim_finish
 *
 * Functions that hold objects are not inlined into each other: the dead slots of an inlined frame would be
 * live words to every conservative contestant. */
#ifndef BENCH_SHIM_H
#define BENCH_SHIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SHIM_NOINLINE __attribute__((noinline))
#define SHIM_MAYBE_UNUSED __attribute__((unused))

static SHIM_MAYBE_UNUSED double shim_clock(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* How long the pauses were: bucket i counts those of 2^i to 2^(i+1) microseconds; the first, shorter ones too. */
#define SHIM_PAUSE_BUCKETS 24
static uint64_t shim_pauses[SHIM_PAUSE_BUCKETS];
static double shim_pause_sum, shim_pause_most;

static SHIM_MAYBE_UNUSED unsigned shim_pause_bucket(double milliseconds) {
  unsigned bucket = 0;
  for (double bound = 0.002; bucket + 1 < SHIM_PAUSE_BUCKETS && milliseconds >= bound; bound *= 2) bucket++;
  return bucket;
}

static SHIM_MAYBE_UNUSED void shim_pause(double milliseconds) {
  shim_pauses[shim_pause_bucket(milliseconds)]++;
  shim_pause_sum += milliseconds;
  if (milliseconds > shim_pause_most) shim_pause_most = milliseconds;
}

static SHIM_MAYBE_UNUSED void *shim_check(void *object) {
  if (__builtin_expect(!object, 0)) {
    fprintf(stderr, "out of memory\n");
    exit(3);
  }
  return object;
}

#include SHIM

/* xorshift64* (Vigna 2016): the same sequence for every contestant. */
static uint64_t shim_random_state = UINT64_C(0x9e3779b97f4a7c15);

static SHIM_MAYBE_UNUSED uint64_t shim_random(void) {
  shim_random_state ^= shim_random_state >> 12;
  shim_random_state ^= shim_random_state << 25;
  shim_random_state ^= shim_random_state >> 27;
  return shim_random_state * UINT64_C(0x2545f4914f6cdd1d);
}

/* Below `bound`, which is less than 2^32. */
static SHIM_MAYBE_UNUSED uint64_t shim_random_below(uint64_t bound) { return (shim_random() >> 32) * bound >> 32; }

/* A figure of /proc/self/status in KiB, such as "VmHWM". */
static size_t shim_status_kib(const char *name) {
  char line[256];
  size_t found = 0, length = strlen(name);
  FILE *file = fopen("/proc/self/status", "r");
  if (!file) return 0;
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, name, length) == 0 && line[length] == ':') found = strtoul(line + length + 1, NULL, 10);
  }
  fclose(file);
  return found;
}

/* The start of main: the program's arguments are OPTIONS [SIZE]. Returns SIZE, or the default. */
static uint64_t shim_begin(int argc, char **argv, uint64_t default_size, const void *stack_bottom) {
  shim_open(argc > 1 ? argv[1] : "", stack_bottom);
  return argc > 2 ? strtoull(argv[2], NULL, 10) : default_size;
}

/* The end of main: `checksum` must be the same for every contestant. */
static int shim_finish(bool correct, uint64_t checksum) {
  printf("contestant=%s\nchecksum=%llu\ncorrect=%d\npeak_rss_kib=%zu\n", SHIM_NAME, (unsigned long long)checksum,
         correct, shim_status_kib("VmHWM"));
  shim_report();
  printf("total_pause_ms=%.3f\nlongest_pause_ms=%.3f\npauses=", shim_pause_sum, shim_pause_most);
  for (unsigned i = 0; i < SHIM_PAUSE_BUCKETS; i++) printf("%llu ", (unsigned long long)shim_pauses[i]);
  printf("\n");
  return correct ? 0 : 1;
}

#endif
