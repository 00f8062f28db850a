/* A program that does not link the library: it loads it as a module, uses heaps, and unloads it, again and again, in the
 * main thread, in another, and in one that was started before the module was loaded.
 *
 * usage: module MODULE */
#include <dlfcn.h>
#include <midden/midden.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROUNDS = 4, LIST = 2000 };

typedef struct node {
  struct node *next;
  uintptr_t number;
} node;

/* What is used of the library, by name. */
#define FUNCTIONS(each)                                                                                       \
  each(midden_heap_open) each(midden_heap_close) each(midden_attach) each(midden_kind_define) each(midden_root_add) \
  each(midden_alloc_slow) each(midden_collect) each(midden_collector_name) each(midden_config_parse)          \
  each(midden_statistics_read) each(midden_block_alloc) each(midden_finalizer_add) each(midden_verify)

struct library {
#define MEMBER(name) __typeof__(&name) name;
  FUNCTIONS(MEMBER)
};

static void require(bool condition, const char *what) {
  if (condition) return;
  const char *error = dlerror();
  fprintf(stderr, "module: %s%s%s\n", what, error ? ": " : "", error ? error : "");
  exit(1);
}

static void *find(void *module, const char *name) {
  void *address = dlsym(module, name);
  require(address != NULL, name);
  return address;
}

static struct library find_all(void *module) {
  struct library library;
#define FIND(name) *(void **)(void *)&library.name = find(module, #name);
  FUNCTIONS(FIND)
  return library;
}

static void no_finalizer(midden_mutator *mutator, void *object, void *context) { (void)mutator, (void)object, (void)context; }

/* post: a list whose only references are the caller's. Collects nothing by itself: the heap is too small for that. */
static node *build(const struct library *library, midden_mutator *mutator, midden_kind kind) {
  node *list = NULL;
  for (uintptr_t i = 0; i < LIST; i++) {
    node *made = library->midden_alloc_slow(mutator, kind.id, kind.cursor);
    require(made != NULL, "allocation");
    *made = (node){list, i << 3 | 1};
    list = made;
  }
  return list;
}

static void check(const node *list) {
  for (uintptr_t i = LIST; i-- > 0; list = list->next) require(list != NULL && list->number == (i << 3 | 1), "the list has changed");
  require(list == NULL, "the list goes on");
}

static void use_heap(const struct library *library, const char *collector, bool precise) {
  char options[80];
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_heap *heap;
  snprintf(options, sizeof options, "collector=%s,stack=%s", collector, precise ? "precise" : "conservative");
  require(library->midden_config_parse(&config, options, NULL) == MIDDEN_OK, "options");
  require(library->midden_heap_open(&config, &heap, NULL) == MIDDEN_OK, "open");
  midden_mutator *mutator = library->midden_attach(heap, NULL, NULL);
  require(mutator != NULL, "attach");
  midden_kind kind = library->midden_kind_define(
      heap, &(midden_shape){.name = "node", .size = sizeof(node), .refs = MIDDEN_REFS_BITMAP, .bitmap = 1}, NULL);
  node *volatile list = NULL, *root = NULL;
  if (precise) require(library->midden_root_add(heap, &root) == MIDDEN_OK, "root");
  midden_statistics statistics;
  for (int i = 0; i < 3; i++) {
    list = root = build(library, mutator, kind);
    if (precise) list = NULL;
    else root = NULL;
    midden_status wanted = strcmp(collector, "none") == 0 ? MIDDEN_UNSUPPORTED : MIDDEN_OK;
    require(library->midden_collect(mutator, MIDDEN_FULL) == wanted, "collect");
    check(precise ? root : list);
  }
  library->midden_statistics_read(heap, &statistics);
  require(strcmp(collector, "none") == 0 || statistics.live_objects >= LIST, "the collections have done nothing");
  require(library->midden_block_alloc(mutator, 100) != NULL, "block");
  require(library->midden_finalizer_add(mutator, precise ? root : list, no_finalizer, NULL) == MIDDEN_OK, "finalizer");
  require(library->midden_verify(heap, NULL) == MIDDEN_OK, "verify");
  require(library->midden_heap_close(heap) == MIDDEN_OK, "close");
}

static void *use_all(void *context) {
  const struct library *library = context;
  for (size_t i = 0; library->midden_collector_name(i) != NULL; i++) {
    use_heap(library, library->midden_collector_name(i), false);
    use_heap(library, library->midden_collector_name(i), true);
  }
  return NULL;
}

static void load_and_use(const char *path, bool in_thread) {
  void *module = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  require(module != NULL, path);
  struct library library = find_all(module);
  if (in_thread) {
    pthread_t thread;
    require(pthread_create(&thread, NULL, use_all, &library) == 0 && pthread_join(thread, NULL) == 0, "thread");
  } else {
    use_all(&library);
  }
  require(dlclose(module) == 0, "dlclose");
  require(dlopen(path, RTLD_NOW | RTLD_NOLOAD) == NULL, "the module is still there after dlclose");
}

static void *load_in_thread(void *path) {
  for (int round = 0; round < ROUNDS; round++) load_and_use(path, false);
  return NULL;
}

int main(int argc, char **argv) {
  require(argc == 2, "usage: module MODULE");
  for (int round = 0; round < ROUNDS; round++) {
    load_and_use(argv[1], false);
    load_and_use(argv[1], true);
  }
  pthread_t thread;
  require(pthread_create(&thread, NULL, load_in_thread, argv[1]) == 0 && pthread_join(thread, NULL) == 0, "thread");
  return 0;
}
