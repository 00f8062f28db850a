/* Builtins: why something is alive, what takes the memory, and files that show the heap. See docs/debugging.md. */
#include <stdlib.h>
#include <string.h>

#include "builtins.h"
#include "inspect.h"
#include "ports.h"

/* Text that a report writes, outside the heap: a report must not use it. */
struct report {
  char *text;
  size_t size, capacity;
};

static bool append(void *context, const char *bytes, size_t count) {
  struct report *report = context;
  if (report->capacity - report->size < count) {
    size_t capacity = 2 * report->capacity + count;
    char *text = realloc(report->text, capacity);
    if (!text)
      return false;
    report->text = text;
    report->capacity = capacity;
  }
  memcpy(report->text + report->size, bytes, count);
  report->size += count;
  return true;
}

static value raise_status(struct vm *vm, const char *name, const midden_error *error) {
  char message[sizeof error->message + 32];
  snprintf(message, sizeof message, "%s: %s", name, error->message);
  return raise_error(vm, CONDITION_ERROR, message, 0, NULL);
}

/* The report as a string, or the error. */
static value finish(struct vm *vm, const char *name, struct report *report, midden_status status, const midden_error *error) {
  value result = status == MIDDEN_OK ? make_string_from_bytes(vm, report->text ? report->text : "", report->size)
                                     : raise_status(vm, name, error);
  free(report->text);
  return result;
}

/* (gc-why object). The argument itself, which lies on the VM stack, is not to be what keeps it alive. */
static value gc_why(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!(SCHEME_REFERENCE_TAGS >> (argv[0] & TAG_MASK) & 1))
    return bad_argument(vm, "gc-why", "not an object of the heap", argv[0]);
  struct report report = {0};
  midden_writer writer = {append, &report};
  midden_error error;
  value object = argv[0];
  argv[0] = FALSE_VALUE;
  midden_status status = midden_why(vm->heap, untagged(object), &writer, &error);
  argv[0] = object;
  return finish(vm, "gc-why", &report, status, &error);
}

/* (gc-memory count): by kind, and the `count` objects that retain most. */
static value gc_memory(struct vm *vm, value *argv, int argc) {
  if (argc > 0 && (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0))
    return bad_argument(vm, "gc-memory", "not a number of objects", argv[0]);
  struct report report = {0};
  midden_writer writer = {append, &report};
  midden_error error;
  midden_status status = midden_memory_report(vm->heap, argc > 0 ? (size_t)fixnum_of(argv[0]) : 10, &writer, &error);
  return finish(vm, "gc-memory", &report, status, &error);
}

/* (gc-growth): with census=N. */
static value gc_growth(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  struct report report = {0};
  midden_writer writer = {append, &report};
  midden_error error;
  midden_status status = midden_census_growth(vm->heap, &writer, &error);
  return finish(vm, "gc-growth", &report, status, &error);
}

static midden_status save_profile(struct vm *vm, const char *path, midden_error *error) {
  return midden_profile_save(vm->heap, path, error);
}

static midden_status save_map(struct vm *vm, const char *path, midden_error *error) {
  return midden_heap_map(vm->heap, path, error);
}

static value save(struct vm *vm, const char *name, value *argv,
                  midden_status (*saver)(struct vm *vm, const char *path, midden_error *error)) {
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, name, "not the name of a file", argv[0]);
  size_t size;
  char *path = string_text(argv[0], &size);
  if (!path)
    return out_of_memory(vm);
  midden_error error;
  midden_status status = saver(vm, path, &error);
  free(path);
  return status == MIDDEN_OK ? UNSPECIFIED : raise_status(vm, name, &error);
}

static value gc_snapshot(struct vm *vm, value *argv, int argc) {
  return (void)argc, save(vm, "gc-snapshot", argv, inspect_snapshot);
}
static value gc_profile(struct vm *vm, value *argv, int argc) {
  return (void)argc, save(vm, "gc-profile", argv, save_profile);
}
static value gc_map(struct vm *vm, value *argv, int argc) { return (void)argc, save(vm, "gc-map", argv, save_map); }

const struct builtin inspect_builtins[] = {
    {"gc-why", gc_why, 1, 1},
    {"gc-memory", gc_memory, 0, 1},
    {"gc-growth", gc_growth, 0, 0},
    {"gc-snapshot", gc_snapshot, 1, 1},
    {"gc-profile", gc_profile, 1, 1},
    {"gc-map", gc_map, 1, 1},
    {NULL, NULL, 0, 0},
};
