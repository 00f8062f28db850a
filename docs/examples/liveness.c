/* What lives, and what happens to what does not: the code of docs/liveness.md and docs/embedding.md, run by a test.
 *
 * usage: liveness [OPTIONS] */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pair {
  struct pair *car, *cdr;
};

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair;
  struct pair *kept[8]; /* roots */
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "liveness: %s\n", what);
  exit(1);
}

static __attribute__((noinline)) struct pair *make(struct host *host) {
  struct pair *pair = midden_alloc(host->mutator, host->pair);
  require(pair != NULL, "out of memory");
  return pair;
}

/* Whether what is unreachable is sure to be found so: not with collector=none, and not on a stack that is
 * scanned, where a dead word may keep it. */
static bool exact(const struct host *host) {
  const midden_config *config = midden_heap_config(host->heap);
  return config->stack == MIDDEN_STACK_PRECISE && strcmp(config->collector, "none") != 0;
}

/* ---- weak slots ---- */

static struct pair *cache;

static void weak_slots(struct host *host) {
  require(midden_weak_add(host->heap, &cache, MIDDEN_WEAK_SHORT) == MIDDEN_OK, "weak");

  cache = host->kept[0] = make(host);
  midden_collect(host->mutator, MIDDEN_FULL);
  require(cache == host->kept[0], "a weak slot follows its object");

  host->kept[0] = NULL;
  midden_collect(host->mutator, MIDDEN_FULL);
  if (exact(host)) require(cache == NULL, "a weak slot is cleared");

  midden_weak_remove(host->heap, &cache);
}

/* ---- weak references in objects ---- */

static void weak_pairs(struct host *host) {
  midden_shape shape = {
      .name = "weak pair", .size = 16, .refs = MIDDEN_REFS_WEAK, .bitmap = 2, .weak_bitmap = 1};
  midden_kind weak_pair = midden_kind_define(host->heap, &shape, NULL);
  struct pair *pair = host->kept[1] = midden_alloc_sized(host->mutator, weak_pair, sizeof *pair);
  require(pair != NULL, "weak pair");
  midden_collect(host->mutator, MIDDEN_FULL);
}

/* ---- weak tables ---- */

struct table {
  uintptr_t used;
  struct entry {
    struct pair *key, *value;
  } entries[16];
};

static void ephemerons(struct host *host) {
  midden_shape shape = {.name = "table", .size = sizeof(uintptr_t), .refs = MIDDEN_REFS_PAIRS, .pairs = MIDDEN_PAIRS_EPHEMERON};
  midden_kind kind = midden_kind_define(host->heap, &shape, NULL);
  struct table *table = midden_alloc_sized(host->mutator, kind, sizeof *table);
  require(table != NULL, "table");
  host->kept[2] = (struct pair *)table;
  host->kept[3] = make(host);
  struct pair *value = make(host);
  table = (struct table *)host->kept[2];
  midden_store(host->mutator, table, &table->entries[0].key, host->kept[3]);
  midden_store(host->mutator, table, &table->entries[0].value, value);
  value = NULL;

  midden_collect(host->mutator, MIDDEN_FULL);
  table = (struct table *)host->kept[2];
  require(table->entries[0].key == host->kept[3] && table->entries[0].value, "the key keeps the value");
  host->kept[3] = NULL;
  midden_collect(host->mutator, MIDDEN_FULL);
  table = (struct table *)host->kept[2];
  if (exact(host)) require(!table->entries[0].key && !table->entries[0].value, "the pair is cleared");
}

/* A table whose weakness is decided at run time, as in Lua. */
struct hash {
  uintptr_t mode; /* 0: strong; 1: weak keys; 2: weak values; 3: both; no reference, being less than 4096 */
  struct entry entries[8];
};

static void trace_hash(void *object, size_t size, midden_visitor *visitor, void *context) {
  struct hash *hash = object;
  (void)size, (void)context;
  if (hash->mode == 0) {
    midden_visit_range(visitor, hash->entries, 16);
    return;
  }
  for (size_t i = 0; i < 8; i++) {
    struct entry *entry = &hash->entries[i];
    midden_visit_pair(visitor, &entry->key, &entry->value, (midden_pairs)(hash->mode - 1));
  }
}

static void hashes(struct host *host) {
  midden_shape shape = {.name = "hash", .size = sizeof(struct hash), .refs = MIDDEN_REFS_TRACE, .trace = trace_hash};
  midden_kind kind = midden_kind_define(host->heap, &shape, NULL);
  struct hash *hash = midden_alloc(host->mutator, kind);
  require(hash != NULL, "hash");
  host->kept[4] = (struct pair *)hash;
  hash->mode = 2;
  host->kept[5] = make(host);
  hash = (struct hash *)host->kept[4];
  midden_store(host->mutator, hash, &hash->entries[3].key, host->kept[5]);
  midden_store(host->mutator, hash, &hash->entries[3].value, host->kept[5]);
  midden_collect(host->mutator, MIDDEN_FULL);
  hash = (struct hash *)host->kept[4];
  require(hash->entries[3].value == host->kept[5], "a weak value follows its object");
}

/* ---- finalizers ---- */

static int closed;

static void close_port(midden_mutator *mutator, void *object, void *context) {
  (void)mutator, (void)object;
  ++*(int *)context;
}

static void finalizers(struct host *host) {
  struct pair *port = make(host);
  require(midden_finalizer_add(host->mutator, port, close_port, &closed) == MIDDEN_OK, "finalizer");
  port = NULL;
  midden_collect(host->mutator, MIDDEN_FULL); /* queues it */
  require(closed == 0, "nothing runs by itself");

  /* Where the interpreter can run code, such as between two instructions: */
  if (midden_finalizers_waiting(host->heap) > 0) midden_finalizers_run(host->mutator, 10);
  if (exact(host)) require(closed == 1, "a finalizer ran");
}

/* ---- on_free ---- */

struct bignum {
  void *limbs; /* of malloc */
};

static void free_limbs(void *object, size_t size, void *context) {
  (void)size, (void)context;
  free(((struct bignum *)object)->limbs);
}

static void bignums(struct host *host) {
  midden_shape shape = {.name = "bignum", .size = sizeof(struct bignum), .on_free = free_limbs};
  midden_kind kind = midden_kind_define(host->heap, &shape, NULL);
  for (int i = 0; i < 10; i++) {
    struct bignum *number = midden_alloc(host->mutator, kind);
    require(number != NULL, "bignum");
    number->limbs = malloc(100);
  }
  midden_collect(host->mutator, MIDDEN_FULL);
}

/* ---- the end of marking ---- */

/* Keeps one more object, unless it is dead anyway when the heap is nearly full; and counts. */
static struct pair *favourite;
static size_t kept_alive;

static void keep_favourite(midden_marking *marking, midden_phase phase, void *context) {
  (void)context;
  if (phase != MIDDEN_MARKING_ENDS || midden_marking_is_marked(marking, (uintptr_t)favourite)) return;
  kept_alive += midden_marking_mark(marking, &favourite) == MIDDEN_OK;
}

static void phases(struct host *host) {
  favourite = make(host);
  require(midden_phase_add(host->heap, keep_favourite, NULL, false) == MIDDEN_OK, "phase");
  midden_collect(host->mutator, MIDDEN_FULL);
  require(midden_object_at(host->heap, favourite) == favourite, "the host kept it");
  midden_phase_remove(host->heap, keep_favourite, NULL);
}

/* ---- what ambiguous words hit ---- */

/* A set of addresses, which does not hold its keys. */
struct address_set {
  uintptr_t keys[8];
};

static void pin_keys(midden_marking *marking, void *object, uint16_t kind_id, void *context) {
  const struct address_set *set = object;
  if (kind_id != *(const uint16_t *)context) return;
  for (size_t i = 0; i < 8; i++) midden_marking_pin(marking, set->keys[i]);
}

static void hits(struct host *host) {
  midden_shape shape = {.name = "address set", .size = sizeof(struct address_set), .refs = MIDDEN_REFS_WEAK, .weak_bitmap = 255};
  midden_kind kind = midden_kind_define(host->heap, &shape, NULL);
  midden_word stack[1] = {(uintptr_t)midden_alloc_sized(host->mutator, kind, sizeof(struct address_set))};
  require(stack[0] != 0 && midden_root_ambiguous_add(host->heap, stack, 1) == MIDDEN_OK, "ambiguous root");
  require(midden_hit_add(host->heap, pin_keys, &kind.id) == MIDDEN_OK, "hit function");
  struct address_set *set = (struct address_set *)stack[0];
  host->kept[0] = make(host);
  midden_store(host->mutator, set, &set->keys[0], host->kept[0]);
  midden_collect(host->mutator, MIDDEN_FULL);
  require(set->keys[0] == (uintptr_t)host->kept[0], "neither has moved");
  midden_hit_remove(host->heap, pin_keys, &kind.id);
  midden_root_remove(host->heap, stack);
}

int main(int argc, char **argv) {
  static struct host host;
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  if (midden_config_parse(&config, argc > 1 ? argv[1] : "", &error) != MIDDEN_OK ||
      midden_heap_open(&config, &host.heap, &error) != MIDDEN_OK ||
      !(host.mutator = midden_attach(host.heap, NULL, &error))) {
    fprintf(stderr, "%s\n", error.message);
    return 2;
  }
  midden_shape shape = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL};
  host.pair = midden_kind_define(host.heap, &shape, &error);
  require(midden_root_range_add(host.heap, host.kept, 8) == MIDDEN_OK, "roots");
  weak_slots(&host);
  weak_pairs(&host);
  ephemerons(&host);
  hashes(&host);
  finalizers(&host);
  bignums(&host);
  phases(&host);
  hits(&host);
  midden_heap_close(host.heap);
  return 0;
}
