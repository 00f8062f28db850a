/* A host that is observed: the scripts beside it run it and read what its heap has written.
 *
 * usage: observed OPTIONS timeline|die|two|sites|guest
 *   timeline  allocates, collects, attaches and detaches; prints what the statistics say
 *   die       the same, and ends without closing the heap
 *   two       the same in two heaps at a time
 *   sites     allocates in functions of known names, and prints how much
 *   guest     the same for calls that a guest's stack names */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 512 };

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair, text;
  void *slots[SLOTS];
};

static void require(bool condition, const char *what) {
  if (condition) return;
  printf("error: %s\n", what);
  exit(1);
}

static void open_host(struct host *host, const char *options) {
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  require(midden_config_parse(&config, options, &error) == MIDDEN_OK, error.message);
  require(midden_heap_open(&config, &host->heap, &error) == MIDDEN_OK, error.message);
  host->mutator = midden_attach(host->heap, NULL, &error);
  require(host->mutator != NULL, error.message);
  /* A name that JSON must escape. */
  const midden_shape pair = {.name = "a \"pair\"\\", .size = 16, .refs = MIDDEN_REFS_ALL}, text = {.name = "text"};
  host->pair = midden_kind_define(host->heap, &pair, &error);
  host->text = midden_kind_define(host->heap, &text, &error);
  require(host->pair.id && host->text.id, error.message);
  require(midden_root_range_add(host->heap, (void *)host->slots, SLOTS) == MIDDEN_OK, "roots");
}

static void allocate_some(struct host *host, size_t objects) {
  for (size_t i = 0; i < objects; i++) {
    void **pair = midden_alloc(host->mutator, host->pair);
    require(pair != NULL, "memory");
    pair[0] = host->slots[i % SLOTS];
    midden_written(host->mutator, pair, pair, 1);
    host->slots[i % SLOTS] = i % 7 ? pair : NULL;
    if (i % 500 == 0) host->slots[i % SLOTS] = midden_alloc_sized(host->mutator, host->text, 40000);
  }
}

static void print_statistics(const struct host *host) {
  midden_statistics figures;
  midden_statistics_read(host->heap, &figures);
  printf("heap collections %llu minor %llu total %llu longest %llu moved %llu pinned %llu live %zu objects %zu\n",
         (unsigned long long)figures.collections, (unsigned long long)figures.minor_collections,
         (unsigned long long)figures.total_pause_ns, (unsigned long long)figures.longest_pause_ns,
         (unsigned long long)figures.objects_moved, (unsigned long long)figures.objects_pinned, figures.live_bytes,
         figures.live_objects);
}

static void run_timeline(struct host *host) {
  for (int round = 0; round < 12; round++) {
    allocate_some(host, 3000);
    midden_mutator *other = round % 4 == 1 ? midden_attach(host->heap, NULL, NULL) : NULL;
    midden_collect(host->mutator, round % 3 ? MIDDEN_MINOR : MIDDEN_FULL);
    if (other) require(midden_detach(other) == MIDDEN_OK, "detach");
  }
  print_statistics(host);
}

/* ---- sites ---- */

static void plant_garbage(struct host *host, size_t objects) {
  for (size_t i = 0; i < objects; i++) require(midden_alloc_sized(host->mutator, host->text, 64) != NULL, "memory");
}

static void plant_kept(struct host *host, size_t objects) {
  for (size_t i = 0; i < objects; i++) {
    void **pair = midden_alloc(host->mutator, host->pair);
    require(pair != NULL, "memory");
    midden_store(host->mutator, pair, pair, host->slots[0]);
    host->slots[0] = pair;
  }
}

static void plant_large(struct host *host, size_t objects) {
  for (size_t i = 0; i < objects; i++) host->slots[1] = midden_alloc_sized(host->mutator, host->text, 100000);
  require(host->slots[1] != NULL, "memory");
}

/* Called where the compiler does not see what is called: they stay functions, of these names. */
static void (*volatile const planters[])(struct host *host, size_t objects) = {plant_garbage, plant_kept, plant_large};

/* The stack of the interpreted program, innermost last. */
struct guest {
  size_t depth;
  midden_guest_frame frames[8];
};

static size_t tell_guest(void *context, midden_mutator *mutator, midden_guest_frame *frames, size_t capacity) {
  const struct guest *guest = context;
  (void)mutator;
  for (size_t i = 0; i < guest->depth && i < capacity; i++) frames[i] = guest->frames[guest->depth - 1 - i];
  return guest->depth;
}

static void print_site(const char *name, size_t objects, size_t size, size_t live) {
  printf("site %s objects %zu bytes %zu live %zu\n", name, objects, objects * size, live * size);
}

static void run_sites(struct host *host, struct guest *guest) {
  enum { GARBAGE = 40000, KEPT = 20000, LARGE = 30 };
  guest->depth = 1;
  guest->frames[0] = (midden_guest_frame){"main", "main.scm", 1};
  guest->frames[1] = (midden_guest_frame){"make-garbage", "garbage.scm", 12};
  for (int round = 0; round < 4; round++) {
    guest->depth = 2;
    planters[0](host, GARBAGE / 4);
    guest->depth = 3; /* make-list in make-garbage: the same function at another line, and a call in it */
    guest->frames[1].line = 14;
    guest->frames[2] = (midden_guest_frame){"make-list", "list.scm", 3};
    planters[1](host, KEPT / 4);
    guest->frames[1].line = 12;
    guest->depth = 1;
    planters[2](host, LARGE / 3);
  }
  midden_collect(host->mutator, MIDDEN_FULL);
  print_site("plant_garbage", GARBAGE, 64, 0);
  print_site("plant_kept", KEPT, 16, KEPT);
  print_site("plant_large", LARGE / 3 * 4, midden_good_size(100000), 1);
}

int main(int count, char **arguments) {
  if (count != 3) return 2;
  const char *mode = arguments[2];
  static struct host hosts[2];
  static struct guest guest;
  open_host(&hosts[0], arguments[1]);
  if (strcmp(mode, "two") == 0) {
    open_host(&hosts[1], arguments[1]);
    run_timeline(&hosts[0]);
    run_timeline(&hosts[1]);
  } else if (strcmp(mode, "timeline") == 0 || strcmp(mode, "die") == 0) {
    run_timeline(&hosts[0]);
    fflush(stdout);
    if (mode[0] == 'd') _exit(0);
  } else {
    if (strcmp(mode, "guest") == 0) midden_profile_guest(hosts[0].heap, tell_guest, &guest);
    run_sites(&hosts[0], &guest);
  }
  for (int i = 0; i < 2; i++) require(midden_heap_close(hosts[i].heap) == MIDDEN_OK, "close");
  return 0;
}
