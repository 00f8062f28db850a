/* Stops of the tour: a reference that the heap does not know of, or that is none. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "tour.h"

/* ---- stale: a copy of a reference where no root is ---- */

/* Not inlined and called by pointers, so that the report finds the functions of the program. */
__attribute__((noinline)) static void fill_cache(struct host *host, struct entry **holder) {
  host->last = host_entry(host);
  *holder = host->last;
}

__attribute__((noinline)) static void look_up(struct entry **holder) {
  void *value = (*(struct entry *volatile *)holder)->value;
  TOUR_KEEP(value);
}

static void (*volatile filler)(struct host *, struct entry **) = fill_cache;
static void (*volatile looker)(struct entry **) = look_up;

static void run_stale(const struct stop *stop) {
  static struct host host;
  host_open(&host, stop);
  struct entry **holder = malloc(sizeof *holder); /* memory that is no root */
  if (!holder) exit(1);
  filler(&host, holder);
  host_collect(&host); /* the entry moves; host.last is rewritten, *holder is not */
  looker(holder);
  printf("the stale reference was not found\n");
  exit(1);
}

/* ---- lost: a variable that is in no frame ---- */

__attribute__((noinline)) static void keep_two(struct host *host) {
  struct entry *first = host_entry(host);
  MIDDEN_FRAME(host->mutator, first);
  void *second = host_string(host, 16);
  TOUR_KEEP(second);
  host_collect(host);
  TOUR_KEEP(second);
  MIDDEN_END(host->mutator);
}

static void (*volatile keeper)(struct host *) = keep_two;

static void run_lost(const struct stop *stop) {
  static struct host host;
  host_open(&host, stop);
  keeper(&host);
  host_close(&host);
}

/* ---- barrier: a store that the heap was not told of ---- */

static void run_barrier(const struct stop *stop) {
  static struct host host;
  host_open(&host, stop);
  host.cache = host_vector(&host, 8);
  host.cache[3] = (midden_word)host_entry(&host); /* both are young: no barrier is needed */
  host_collect(&host);                            /* now they are old */
  struct entry *old = (struct entry *)host.cache[3];
  old->value = host_string(&host, 32); /* midden_store(host.mutator, old, &old->value, ...) would be right */
  midden_status status = midden_collect(host.mutator, MIDDEN_MINOR);
  printf("midden_collect answered %s\n", midden_status_name(status));
  host_close(&host);
}

/* ---- inside: a reference to the middle of an object ---- */

static void run_inside(const struct stop *stop) {
  static struct host host;
  midden_error error = {MIDDEN_OK, ""};
  host_open(&host, stop);
  host.cache = host_vector(&host, 100);
  struct entry *entry = host_entry(&host);
  midden_store(host.mutator, host.cache, &host.cache[17], entry);
  char *text = host_string(&host, 64);
  midden_store(host.mutator, entry, &entry->value, text + 24); /* the object's start would be right */
  midden_status status = midden_verify(host.heap, &error);
  printf("midden_verify answered %s:\n%s\n", midden_status_name(status), error.message);
  entry->value = text; /* so that closing finds a heap in order */
  host_close(&host);
}

const struct stop reference_stops[] = {
    {"stale",
     "a wrong value, or a crash, after a collection",
     {"fill_cache() stores a reference in memory of malloc, which is no root;",
      "the object moves, and look_up() uses the reference as it was."},
     "guard=report:1",
     "collector=copying,stack=precise,guard=report:1",
     run_stale, SIGSEGV},
    {"lost",
     "an object is freed too early",
     {"keep_two() has two variables across a collection;", "its MIDDEN_FRAME names only the first."},
     "unrooted=lost",
     "collector=copying,stack=precise,unrooted=lost",
     run_lost, 0},
    {"barrier",
     "it fails in a generational heap only",
     {"an old entry, which is in slot 3 of the vector of the root cache, is given a young string by a plain store,",
      "instead of midden_store."},
     "verify=before",
     "collector=mark-sweep,generational=yes,stack=precise,nursery=1M,verify=before",
     run_barrier, 0},
    {"inside",
     "a crash in the collector",
     {"an entry in slot 17 of the vector of the root cache is given a reference", "to the 24th byte of a string."},
     "midden_verify, and verify=",
     "collector=mark-sweep,stack=precise",
     run_inside, 0},
    {0},
};
