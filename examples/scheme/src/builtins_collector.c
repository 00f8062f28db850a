/* Builtins: the garbage collector, as a program sees it. */
#include <stdlib.h>
#include <string.h>

#include "builtins.h"
#include "figures.h"
#include "ports.h"

static value gc(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  heap_collect(vm);
  return UNSPECIFIED;
}

static value collection_count(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  midden_statistics statistics;
  midden_statistics_read(vm->heap, &statistics);
  return make_fixnum((int64_t)statistics.collections);
}

static value collector_name(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  return intern(vm, midden_heap_config(vm->heap)->collector);
}

/* ---- (gc-stats): an association list ---- */

/* One entry in front of the list that grows in *list; false: no memory. */
static bool add_entry(struct vm *vm, value *list, const char *name, value content) {
  value entry = FAIL;
  SCHEME_FRAME(vm, entry, content);
  value symbol = intern(vm, name);
  if (symbol != FAIL)
    entry = make_pair(vm, symbol, content);
  if (entry != FAIL)
    entry = make_pair(vm, entry, *list);
  SCHEME_END(vm);
  if (entry == FAIL)
    return false;
  *list = entry;
  return true;
}

static value statistics_list(struct vm *vm, const uint64_t *figures, double fragmentation) {
  value list = NIL, content = NIL;
  SCHEME_FRAME(vm, list, content);
  bool good = true;
  for (int i = FIGURE_COUNT - 1; good && i >= 0; i--) {
    char name[FIGURE_NAME_MAX];
    figure_name(i, '-', name);
    good = add_entry(vm, &list, name, make_fixnum((int64_t)figures[i]));
  }
  if (good) {
    content = make_flonum(vm, fragmentation);
    good = content != FAIL && add_entry(vm, &list, "fragmentation", content);
  }
  if (good) {
    content = intern(vm, midden_heap_config(vm->heap)->collector);
    good = content != FAIL && add_entry(vm, &list, "collector", content);
  }
  SCHEME_END(vm);
  return good ? list : FAIL;
}

static value gc_statistics(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  uint64_t figures[FIGURE_COUNT];
  double fragmentation = figures_read(vm, figures);
  return statistics_list(vm, figures, fragmentation);
}

/* ---- (gc-use name): another collector from now on ---- */

static value gc_use(struct vm *vm, value *argv, int argc) {
  (void)argc;
  value text = is_symbol(vm, argv[0]) ? symbol_of(argv[0])->name : argv[0];
  if (!is_string(vm, text))
    return bad_argument(vm, "gc-use", "not the name of a collector", argv[0]);
  char name[64];
  string_copy_text(text, name, sizeof name);
  midden_error error;
  if (midden_heap_use(vm->heap, name, &error) == MIDDEN_OK)
    return UNSPECIFIED;
  char message[sizeof error.message + 16];
  snprintf(message, sizeof message, "gc-use: %s", error.message);
  return raise_error(vm, CONDITION_ERROR, message, 1, argv);
}

/* ---- (gc-doctor): what is wrong with the heap, in words ---- */

static value gc_doctor(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  size_t capacity = midden_doctor(vm->heap, NULL, 0) + 1;
  char *text = malloc(capacity);
  if (!text)
    return out_of_memory(vm);
  size_t size = midden_doctor(vm->heap, text, capacity);
  value string = make_string_from_bytes(vm, text, size < capacity ? size : capacity - 1);
  free(text);
  return string;
}

const struct builtin collector_builtins[] = {
    {"gc", gc, 0, 0},
    {"gc-collections", collection_count, 0, 0},
    {"gc-collector", collector_name, 0, 0},
    {"gc-stats", gc_statistics, 0, 0},
    {"gc-use", gc_use, 1, 1},
    {"gc-doctor", gc_doctor, 0, 0},
    {NULL, NULL, 0, 0},
};
