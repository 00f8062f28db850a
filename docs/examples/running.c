/* What a host does with a heap that runs: the code of docs/running.md, run by a test.
 *
 * usage: running [OPTIONS] */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
  struct pair *car, *cdr;
};

/* A large number: a small object, and limbs from malloc. Without the count, a heap of 4 MiB would keep
 * gigabytes of limbs before it collects. */
struct number {
  size_t count; /* of limbs, as an immediate would be in a real interpreter */
  uint64_t *limbs;
};

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair, text, number;
  struct pair *list; /* a root */
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "running: %s\n", what);
  exit(1);
}

static void open_with(struct host *host, const midden_config *config) {
  midden_error error = {MIDDEN_OK, ""};
  require(midden_heap_open(config, &host->heap, &error) == MIDDEN_OK, error.message);
  host->mutator = midden_attach(host->heap, NULL, &error);
  require(host->mutator != NULL, error.message);
  midden_shape pair = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL};
  midden_shape text = {.name = "text"};
  host->pair = midden_kind_define(host->heap, &pair, &error);
  host->text = midden_kind_define(host->heap, &text, &error);
  midden_shape number = {.name = "number", .size = sizeof(struct number)};
  host->number = midden_kind_define(host->heap, &number, &error);
  require(host->pair.id && host->text.id && host->number.id, error.message);
  require(midden_root_add(host->heap, &host->list) == MIDDEN_OK, "root");
}

static struct pair *cons(struct host *host, struct pair *cdr) {
  MIDDEN_FRAME(host->mutator, cdr);
  struct pair *pair = midden_alloc(host->mutator, host->pair);
  require(pair != NULL, "out of memory");
  midden_store(host->mutator, pair, &pair->cdr, cdr);
  MIDDEN_END(host->mutator);
  return pair;
}

static void build(struct host *host, size_t length) {
  host->list = NULL;
  for (size_t i = 0; i < length; i++) host->list = cons(host, host->list);
}

static size_t length(const struct pair *list) {
  size_t pairs = 0;
  for (; list; list = list->cdr) pairs++;
  return pairs;
}

/* ---- live switching ---- */

/* The interpreter has nothing to do: make the heap small. */
static void when_idle(struct host *host) {
  char busy[24];
  strcpy(busy, midden_heap_config(host->heap)->collector);
  midden_error error;
  if (midden_heap_use(host->heap, "mark-compact", &error) != MIDDEN_OK) {
    fprintf(stderr, "%s\n", error.message);
    return;
  }
  midden_collect(host->mutator, MIDDEN_FULL);
  midden_trim(host->heap);
  midden_heap_use(host->heap, busy, NULL);
}

static void switching(struct host *host) {
  build(host, 5000);
  when_idle(host);
  require(length(host->list) == 5000, "switching");
}

/* ---- defragmenting ---- */

/* Between two requests: at most 256 KiB of objects are moved at a time. post: whether the heap is as small as it gets. */
static bool defragment_a_little(struct host *host) {
  bool more = false;
  if (midden_defragment(host->mutator, 256 << 10, &more) != MIDDEN_OK) return true;
  if (!more) midden_trim(host->heap);
  return !more;
}

static void defragmenting(struct host *host) {
  build(host, 200000);
  for (struct pair *pair = host->list; pair; pair = pair->cdr) { /* nine of ten go */
    struct pair *next = pair->cdr;
    for (int i = 0; i < 9 && next; i++) next = next->cdr;
    midden_store(host->mutator, pair, &pair->cdr, next);
  }
  while (!defragment_a_little(host)) continue;
  midden_statistics after;
  midden_statistics_read(host->heap, &after);
  bool collects = strcmp(midden_heap_config(host->heap)->collector, "none") != 0;
  require(length(host->list) == 20000, "defragmenting");
  require(!collects || after.span_bytes < (size_t)1 << 20, "the heap is not smaller");
}

/* ---- pinning ---- */

/* Code that knows no heap, and keeps the address: a decoder, a system call that reads into a buffer. */
static const char *foreign_buffer;
static void foreign_start(const char *buffer) { foreign_buffer = buffer; }
static bool foreign_done(void) { return strcmp(foreign_buffer, "kept") == 0; }

static void pinning(struct host *host) {
  char *buffer = midden_alloc_sized(host->mutator, host->text, 16);
  require(buffer != NULL, "out of memory");
  strcpy(buffer, "kept");

  require(midden_pin(host->mutator, buffer) == MIDDEN_OK, "pin");
  foreign_start(buffer);
  build(host, 5000); /* collects; nothing but the pin keeps the buffer */
  require(foreign_done(), "pinned");
  midden_unpin(host->mutator, buffer);
}

static void scoped_pins(struct host *host) {
  midden_scope scope = midden_scope_open(host->mutator);
  for (struct pair *pair = host->list; pair; pair = pair->cdr) {
    require(midden_pin_in_scope(host->mutator, pair) == MIDDEN_OK, "pin");
  }
  struct pair *first = host->list;
  midden_collect(host->mutator, MIDDEN_FULL);
  require(host->list == first, "moved");
  midden_scope_close(host->mutator, scope);
}

/* ---- external memory ---- */

static struct number *make_number(struct host *host, size_t count) {
  size_t bytes = count * sizeof(uint64_t);
  if (midden_external_room(host->mutator, bytes) != MIDDEN_OK) return NULL; /* may collect */
  struct number *number = midden_alloc(host->mutator, host->number);
  if (!number) return NULL;
  number->limbs = calloc(count, sizeof(uint64_t));
  if (!number->limbs || midden_external_add(host->mutator, number, bytes) != MIDDEN_OK) {
    free(number->limbs);
    number->limbs = NULL;
    return NULL;
  }
  number->count = count;
  return number;
}

/* Limbs that are freed while their number lives. */
static void shrink(struct host *host, struct number *number) {
  midden_external_remove(host->mutator, number, number->count * sizeof(uint64_t));
  free(number->limbs);
  number->limbs = NULL;
  number->count = 0;
}

static void external(struct host *host) {
  midden_statistics statistics;
  for (int i = 0; i < 50; i++) {
    struct number *number = make_number(host, 1000);
    require(number != NULL, "out of memory");
    require(midden_external_of(host->mutator, number) == 8000, "external");
    shrink(host, number);
  }
  midden_statistics_read(host->heap, &statistics);
  require(statistics.external_bytes == 0, "external bytes are left");
}

/* ---- walking and accounting ---- */

struct census {
  uint16_t kind;
  size_t pairs;
};

static bool count_pair(void *context, void *object, size_t size, uint16_t kind_id) {
  struct census *census = context;
  (void)object, (void)size;
  if (kind_id == census->kind) census->pairs++;
  return true;
}

static void walking(struct host *host) {
  struct census census = {host->pair.id, 0};
  midden_usage usage;
  require(midden_each(host->heap, count_pair, &census) == MIDDEN_OK, "walk");
  require(midden_usage_of_kind(host->heap, host->pair.id, &usage) == MIDDEN_OK, "usage");
  require(census.pairs == usage.objects && usage.objects >= 5000, "count");
}

static void doctor(struct host *host) {
  char text[2000];
  midden_doctor(host->heap, text, sizeof text);
  fputs(text, stdout);
}

/* ---- blocks ---- */

/* As Lua wants its allocator, with a heap behind it. */
static void *lua_like_allocator(void *mutator, void *block, size_t old_size, size_t new_size) {
  (void)old_size;
  if (new_size > 0) return midden_block_realloc(mutator, block, new_size);
  midden_block_free(mutator, block);
  return NULL;
}

static void blocks(struct host *host) {
  char *buffer = lua_like_allocator(host->mutator, NULL, 0, 100);
  require(buffer != NULL, "out of memory");
  strcpy(buffer, "kept");
  buffer = lua_like_allocator(host->mutator, buffer, 100, 1000);
  require(buffer && strcmp(buffer, "kept") == 0, "realloc");
  require(midden_block_size(host->mutator, buffer) >= 1000, "size");
  lua_like_allocator(host->mutator, buffer, 1000, 0);

  /* Whoever wants a collection rather than NULL makes room first. */
  if (midden_external_room(host->mutator, 100000) == MIDDEN_OK) buffer = midden_block_alloc(host->mutator, 100000);
  midden_block_free(host->mutator, buffer);
}

/* ---- pressure ---- */

enum { CACHED = 64 };

struct cache {
  struct pair *results[CACHED]; /* registered as roots */
  unsigned dropped;
};

static bool drop_cache(void *context, midden_heap *heap, midden_pressure pressure, size_t bytes) {
  struct cache *cache = context;
  (void)heap, (void)bytes;
  /* Above the soft limit half is enough; before an allocation fails, all goes. */
  size_t keep = pressure == MIDDEN_PRESSURE_SOFT ? CACHED / 2 : 0, dropped = 0;
  for (size_t i = keep; i < CACHED; i++) {
    if (!cache->results[i]) continue;
    cache->results[i] = NULL;
    dropped++;
  }
  cache->dropped += dropped;
  return dropped > 0;
}

static void pressure(const char *options) {
  struct cache cache = {0};
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  require(midden_config_parse(&config, options, NULL) == MIDDEN_OK, "options");
  config.heap_limit = (size_t)1 << 20;
  config.pressure = drop_cache;
  config.pressure_context = &cache;

  struct host host = {0};
  open_with(&host, &config);
  require(midden_root_range_add(host.heap, cache.results, CACHED) == MIDDEN_OK, "root");
  for (size_t i = 0; i < CACHED; i++) {
    build(&host, 500); /* 8 KB each */
    cache.results[i] = host.list;
  }
  build(&host, 5000);
  char *large = midden_alloc_sized(host.mutator, host.text, 800 << 10);
  bool collects = strcmp(config.collector, "none") != 0;
  require(!collects || config.stack == MIDDEN_STACK_CONSERVATIVE || large != NULL, "the cache gave no way");
  require(cache.dropped > 0, "nobody asked");
  midden_heap_close(host.heap);
}

/* ---- */

int main(int argc, char **argv) {
  struct host host = {0};
  const char *options = argc > 1 ? argv[1] : "";
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error = {MIDDEN_OK, ""};
  require(midden_config_parse(&config, options, &error) == MIDDEN_OK, error.message);
  open_with(&host, &config);
  switching(&host);
  defragmenting(&host);
  pinning(&host);
  scoped_pins(&host);
  external(&host);
  blocks(&host);
  walking(&host);
  doctor(&host);
  midden_heap_close(host.heap);
  pressure(options);
  return 0;
}
