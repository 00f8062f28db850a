/* The heap as a graph: paths say why an object is alive, in the host's names; what weak edges, ephemerons and finalizers
 * do to it; censuses and growth; what is refused. Dominators: heap_memory.c. Snapshots: snapshot_host.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "counting_memory.h"
#include "harness.h"
#include "text_writer.h"

/* A cache that holds on to its entries: what the planted leak is found in. */
typedef struct cache_world {
  world here;
  midden_kind table, entry;
  midden_word cache; /* the root */
} cache_world;

static midden_kind define_kind(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "%s", error.message);
  return kind;
}

enum { BUCKETS = 40, LEAKED = 17 };

/* cache -> table.buckets -> vector[LEAKED] -> entry.value -> leaf */
static void open_cache(cache_world *at, int index, const char *options) {
  static const char *const table_names[] = {"count", "buckets"}, *const entry_names[] = {"key", NULL, "value"};
  world *here = &at->here;
  world_open(here, index, options);
  at->cache = 0;
  at->table = define_kind(here, &(midden_shape){.name = "table", .size = 16, .refs = MIDDEN_REFS_BITMAP, .bitmap = 2});
  at->entry = define_kind(here, &(midden_shape){.name = "entry", .size = 24, .refs = MIDDEN_REFS_ALL});
  ck_assert_int_eq(midden_kind_name_slots(here->heap, at->table, table_names, 2), MIDDEN_OK);
  ck_assert_int_eq(midden_kind_name_slots(here->heap, at->entry, entry_names, 3), MIDDEN_OK);
  ck_assert_int_eq(midden_root_add(here->heap, &at->cache), MIDDEN_OK);
  ck_assert_int_eq(midden_root_name(here->heap, &at->cache, "cache"), MIDDEN_OK);
  at->cache = (uintptr_t)midden_alloc(here->mutator, at->table);
  vector *buckets = world_vector(here, BUCKETS);
  midden_store(here->mutator, (void *)at->cache, (midden_word *)at->cache + 1, buckets);
  midden_word *entry = midden_alloc(here->mutator, at->entry);
  buckets = (vector *)((midden_word *)at->cache)[1];
  midden_store(here->mutator, buckets, &buckets->elements[LEAKED], entry);
  void *leaf = world_leaf(here, 40, 1);
  entry = (midden_word *)((vector *)((midden_word *)at->cache)[1])->elements[LEAKED];
  midden_store(here->mutator, entry, &entry[2], leaf);
}

static midden_word *leaked_entry(const cache_world *at) {
  return (midden_word *)((vector *)((midden_word *)at->cache)[1])->elements[LEAKED];
}

static const char *why(world *here, const void *object) {
  static text_writer text;
  midden_error error = {MIDDEN_OK, ""};
  midden_writer writer = text_writer_open(&text);
  midden_status status = midden_why(here->heap, object, &writer, &error);
  ck_assert_msg(status == MIDDEN_OK, "%s", error.message);
  return text.bytes;
}

static void expect_text(const char *text, const char *part) {
  ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in:\n%s", part, text);
}

/* The parts are in the text, one behind the other. */
static void expect_in_order(const char *text, const char *const *parts, size_t count) {
  const char *at = text;
  for (size_t i = 0; i < count; i++) {
    const char *found = strstr(at, parts[i]);
    ck_assert_msg(found != NULL, "\"%s\" is not in, or not behind the others in:\n%s", parts[i], text);
    at = found + strlen(parts[i]);
  }
}

START_TEST(a_leak_is_named) {
  cache_world at;
  open_cache(&at, _i, NULL);
  static const char *const way[] = {"leaf ", "is alive:\n", "  root cache\n", " -> table ", " .buckets -> vector ",
                                    " [17] -> entry ", " .value -> leaf "};
  expect_in_order(why(&at.here, (void *)leaked_entry(&at)[2]), way, COUNT_OF(way));
  /* A slot without a name has its offset. */
  void *other = world_leaf(&at.here, 100, 2);
  midden_word *entry = leaked_entry(&at);
  midden_store(at.here.mutator, entry, &entry[1], other);
  expect_text(why(&at.here, (void *)leaked_entry(&at)[1]), " +8 -> leaf ");
  world_verify(&at.here);
  ck_assert_int_eq(midden_root_remove(at.here.heap, &at.cache), MIDDEN_OK);
  world_close(&at.here);
}
END_TEST

/* The first way that a breadth-first search finds is a shortest one: a list that is also held at its end. */
START_TEST(the_path_is_a_shortest_one) {
  world here;
  world_open(&here, _i, NULL);
  world_list(&here, 0, 200);
  pair *last = (pair *)here.slots[0];
  while (last->cdr) last = (pair *)last->cdr;
  here.slots[7] = (uintptr_t)last;
  ck_assert_int_eq(midden_root_name(here.heap, here.slots, "slots"), MIDDEN_OK);
  const char *text = why(&here, last);
  expect_text(text, "  root slots[7]\n   -> pair ");
  ck_assert_ptr_null(strstr(text, "slots[0]"));
  here.slots[7] = 0;
  last = (pair *)here.slots[0];
  while (last->cdr) last = (pair *)last->cdr;
  text = why(&here, last);
  expect_text(text, "  root slots[0]\n");
  expect_text(text, "  ... 150 more ...\n"); /* of 200 steps the first 30 and the last 20 */
  size_t lines = 0;
  for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++) lines++;
  ck_assert_uint_eq(lines, 2 + 30 + 1 + 20);
  world_close(&here);
}
END_TEST

/* ---- every sort of root ---- */

static void scan_one(midden_visitor *visitor, void *context) { midden_visit(visitor, context); }

static void check_frame(world *here) {
  void *first = NULL, *second = world_leaf(here, 24, 1);
  MIDDEN_FRAME(here->mutator, first, second);
  expect_text(why(here, second), "  variable second of check_frame, in a frame\n");
  MIDDEN_END(here->mutator);
}

START_TEST(roots_are_named) {
  static midden_word scanned, words[3], single;
  world here;
  world_open(&here, _i, NULL);
  check_frame(&here);

  midden_scope scope = midden_scope_open(here.mutator);
  midden_handle handle = midden_handle_new(here.mutator, world_leaf(&here, 24, 2));
  expect_text(why(&here, (void *)*handle), "  handle ");
  midden_scope_close(here.mutator, scope);

  scanned = (uintptr_t)world_leaf(&here, 24, 3);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, scan_one, &scanned), MIDDEN_OK);
  expect_text(why(&here, (void *)scanned), "  root scanner 0x");
  ck_assert_int_eq(midden_root_scanner_name(here.heap, scan_one, &scanned, "vm"), MIDDEN_OK);
  expect_text(why(&here, (void *)scanned), "  root scanner vm, slot 0\n");
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, scan_one, &scanned), MIDDEN_OK);

  words[2] = (uintptr_t)world_leaf(&here, 24, 4) + 8;
  ck_assert_int_eq(midden_root_ambiguous_add(here.heap, words, 3), MIDDEN_OK);
  ck_assert_int_eq(midden_root_name(here.heap, words, "words"), MIDDEN_OK);
  expect_text(why(&here, (void *)(words[2] - 8)), "  ambiguous root words[2]\n   -> leaf ");
  ck_assert_int_eq(midden_root_remove(here.heap, words), MIDDEN_OK);

  single = (uintptr_t)world_leaf(&here, 24, 5);
  ck_assert_int_eq(midden_root_add(here.heap, &single), MIDDEN_OK);
  char expected[64];
  snprintf(expected, sizeof expected, "  root %p\n", (void *)&single);
  expect_text(why(&here, (void *)single), expected);
  ck_assert_int_eq(midden_pin(here.mutator, (void *)single), MIDDEN_OK);
  void *pinned = (void *)single;
  single = 0;
  expect_text(why(&here, pinned), "  a pin (midden_pin)\n   -> leaf ");
  ck_assert_int_eq(midden_unpin(here.mutator, pinned), MIDDEN_OK);
  ck_assert_int_eq(midden_root_remove(here.heap, &single), MIDDEN_OK);
  world_close(&here);
}
END_TEST

static __attribute__((noinline)) void hold_in_this_function(world *here) {
  void *volatile only_here = world_leaf(here, 24, 6);
  const char *text = why(here, only_here);
  expect_text(text, "is alive by the C stack alone");
  /* Without libunwind the address is all that is known. */
  ck_assert_msg(strstr(text, "hold_in_this_function") || strstr(text, "the C stack, at ") || strstr(text, "a register") ||
                    strstr(text, "the C stack, in "), "%s", text);
}

START_TEST(the_stack_comes_last) {
  world here;
  world_open(&here, _i, NULL);
  hold_in_this_function(&here);
  here.slots[3] = (uintptr_t)world_leaf(&here, 24, 7);
  void *volatile here_too = (void *)here.slots[3];
  expect_text(why(&here, here_too), "is alive:\n  root 0x");
  world_close(&here);
}
END_TEST

/* ---- what does not hold ---- */

static void finalize_nothing(midden_mutator *mutator, void *object, void *context) { (void)mutator, (void)object, (void)context; }

START_TEST(what_does_not_hold) {
  world here;
  world_open(&here, _i, NULL);
  void *object = world_leaf(&here, 24, 1);
  expect_text(why(&here, object), "is reachable from no root: the next full collection will free it\n");

  static midden_word weak;
  weak = (uintptr_t)object;
  ck_assert_int_eq(midden_weak_add(here.heap, &weak, MIDDEN_WEAK_SHORT), MIDDEN_OK);
  const char *text = why(&here, (void *)weak);
  expect_text(text, "through weak references or keys only");
  expect_text(text, "  weak slot 0x");
  expect_text(text, " (weak: does not hold)\n");

  ck_assert_int_eq(midden_finalizer_add(here.mutator, (void *)weak, finalize_nothing, NULL), MIDDEN_OK);
  text = why(&here, (void *)weak);
  expect_text(text, "waits for a finalizer");
  expect_text(text, "  a finalizer's registration\n   -> leaf ");
  ck_assert_int_eq(midden_weak_add(here.heap, &weak, MIDDEN_WEAK_LONG), MIDDEN_OK);
  if (here.combination->collects) {
    world_collect(&here);
    expect_text(why(&here, (void *)weak), "is alive:\n  the queue of finalizers\n");
  }
  ck_assert_int_eq(midden_weak_remove(here.heap, &weak), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* A value is alive while its key is; a chain of them, each the key of the next, in an order that needs waiting. */
START_TEST(ephemerons_hold_by_their_keys) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind table = define_kind(&here, &(midden_shape){.name = "ephemerons", .refs = MIDDEN_REFS_PAIRS});
  for (size_t i = 1; i <= 3; i++) here.slots[i] = (uintptr_t)world_leaf(&here, 24, i);
  midden_word *pairs = midden_alloc_sized(here.mutator, table, 32);
  here.slots[0] = (uintptr_t)pairs;
  pairs[0] = here.slots[2], pairs[1] = here.slots[3];
  pairs[2] = here.slots[1], pairs[3] = here.slots[2];
  midden_written(here.mutator, pairs, pairs, 4);
  uintptr_t last = here.slots[3];
  here.slots[2] = here.slots[3] = 0;
  const char *text = why(&here, (void *)last);
  expect_text(text, "is alive:\n  root 0x");
  expect_text(text, " [0].value -> leaf ");
  expect_text(text, "(value of an ephemeron)");
  here.slots[1] = 0;
  text = why(&here, (void *)last);
  expect_text(text, "through weak references or keys only");
  /* A key that is no object is always there. */
  pairs = (midden_word *)here.slots[0];
  midden_store_word(here.mutator, pairs, &pairs[0], immediate(1));
  expect_text(why(&here, (void *)last), "is alive:\n");
  world_close(&here);
}
END_TEST

/* ---- names by a function ---- */

typedef struct boxed {
  uintptr_t key, value;
} boxed;

static void trace_boxed(void *object, size_t size, midden_visitor *visitor, void *context) {
  (void)size, (void)context;
  boxed *at = object;
  midden_word copy = at->value;
  midden_visit(visitor, &at->key);
  midden_visit(visitor, &copy); /* as a host that stores references in a code of its own */
  at->value = copy;
}

static void name_boxed(void *context, const midden_slot *slot, char *text, size_t capacity) {
  snprintf(text, capacity, "%s%zu-%s", (const char *)context, slot->index, slot->address == slot->object ? "key" : "value");
}

START_TEST(functions_name_slots) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind kind = define_kind(&here, &(midden_shape){.name = "boxed", .size = 16, .refs = MIDDEN_REFS_TRACE, .trace = trace_boxed});
  here.slots[0] = (uintptr_t)midden_alloc(here.mutator, kind);
  void *key = world_leaf(&here, 24, 1);
  midden_store(here.mutator, (void *)here.slots[0], &((boxed *)here.slots[0])->key, key);
  void *value = world_leaf(&here, 24, 2);
  midden_store(here.mutator, (void *)here.slots[0], &((boxed *)here.slots[0])->value, value);
  expect_text(why(&here, (void *)((boxed *)here.slots[0])->key), " +0 -> leaf ");
  expect_text(why(&here, (void *)((boxed *)here.slots[0])->value), " [1] -> leaf ");
  ck_assert_int_eq(midden_kind_name_slots_by(here.heap, kind, name_boxed, (void *)(uintptr_t)"no "), MIDDEN_OK);
  expect_text(why(&here, (void *)((boxed *)here.slots[0])->key), " .no 0-key -> leaf ");
  expect_text(why(&here, (void *)((boxed *)here.slots[0])->value), " .no 1-value -> leaf ");
  ck_assert_int_eq(midden_kind_name_slots_by(here.heap, kind, NULL, NULL), MIDDEN_OK);
  expect_text(why(&here, (void *)((boxed *)here.slots[0])->key), " +0 -> leaf ");
  world_close(&here);
}
END_TEST

/* ---- censuses ---- */

START_TEST(censuses_count) {
  world here;
  world_open(&here, _i, NULL);
  midden_census_line before[8], after[8];
  world_list(&here, 0, 100);
  if (here.combination->collects) world_collect(&here);
  ck_assert_uint_eq(midden_census(here.heap, before, 8), 1);
  ck_assert_str_eq(before[0].name, "pair");
  if (here.combination->collects) ck_assert_uint_eq(before[0].objects, 100);
  ck_assert_uint_eq(before[0].bytes, before[0].objects * 16);
  ck_assert_uint_eq(before[0].retained, 0);
  here.slots[1] = (uintptr_t)world_leaf(&here, 100000, 1); /* a large one */
  ck_assert_uint_eq(midden_census(here.heap, after, 8), 2);
  ck_assert_str_eq(after[0].name, "leaf");
  ck_assert_uint_ge(after[0].bytes, 100000);
  ck_assert_uint_eq(midden_census(here.heap, after, 1), 2); /* says how many there are */
  ck_assert_uint_eq(midden_census(here.heap, after, 8), 2);

  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_compare(before, 1, after, 2, &writer, NULL), MIDDEN_OK);
  char expected[160];
  snprintf(expected, sizeof expected, "%-32s %12d -> %-12d %+14lld bytes\n", "leaf", 0, 1, (long long)after[0].bytes);
  ck_assert_str_eq(text.bytes, expected);
  writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_compare(after, 2, before, 1, &writer, NULL), MIDDEN_OK);
  snprintf(expected, sizeof expected, "%-32s %12d -> %-12d %+14lld bytes\n", "leaf", 1, 0, -(long long)after[0].bytes);
  ck_assert_str_eq(text.bytes, expected);
  midden_census_line wrong[2] = {after[1], after[0]};
  ck_assert_int_eq(midden_census_compare(wrong, 2, after, 2, &writer, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_census_compare(after, 2, after, 2, NULL, NULL), MIDDEN_BAD_ARGUMENT);
  world_close(&here);
}
END_TEST

/* A leak shows: the kind that grows with every collection comes first, and says so. Only the last censuses are kept. */
START_TEST(growth_is_seen) {
  world here;
  world_open(&here, _i, "census=4");
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_growth(here.heap, &writer, NULL), MIDDEN_OK);
  for (size_t round = 0; round < 6; round++) {
    world_list(&here, 1, 50 + 10 * (round % 2)); /* goes up and down */
    here.slots[10 + round] = (uintptr_t)world_leaf(&here, 1000, round);
    ck_assert_int_eq(midden_collect(here.mutator, MIDDEN_FULL), MIDDEN_OK);
  }
  writer = text_writer_open(&text);
  ck_assert_int_eq(midden_census_growth(here.heap, &writer, NULL), MIDDEN_OK);
  expect_text(text.bytes, ", 4 full collections\n");
  const char *leaf = strstr(text.bytes, "leaf "), *list = strstr(text.bytes, "pair ");
  ck_assert_msg(leaf && list && leaf < list, "%s", text.bytes);
  expect_text(leaf, " 3 -> 6 ");
  expect_text(leaf, "grew in 3 of 3\n");
  expect_text(list, "grew in 2 of 3\n");
  world_close(&here);
}
END_TEST

/* ---- reports, failures ---- */

static void keep_line(void *context, const char *line) {
  size_t *lines = context;
  ck_assert_ptr_null(strchr(line, '\n'));
  ++*lines;
}

START_TEST(without_a_writer_lines_are_reported) {
  static size_t lines;
  lines = 0;
  midden_config config = combination_config(_i);
  config.report = keep_line;
  config.report_context = &lines;
  world here;
  world_open_config(&here, _i, &config);
  world_list(&here, 0, 3);
  ck_assert_int_eq(midden_why(here.heap, (void *)here.slots[0], NULL, NULL), MIDDEN_OK);
  ck_assert_uint_eq(lines, 3);
  ck_assert_int_eq(midden_memory_report(here.heap, 1, NULL, NULL), MIDDEN_OK);
  ck_assert_uint_eq(lines, 3 + 5);
  world_close(&here);
}
END_TEST

static midden_status status_in_scanner;
static void ask_in_scanner(midden_visitor *visitor, void *context) {
  (void)visitor;
  status_in_scanner = midden_why(context, context, NULL, NULL);
}

START_TEST(refusals) {
  world here;
  world_open(&here, _i, NULL);
  midden_error error = {MIDDEN_OK, ""};
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  here.slots[0] = (uintptr_t)world_leaf(&here, 64, 1);
  ck_assert_int_eq(midden_why(here.heap, (char *)here.slots[0] + 8, &writer, &error), MIDDEN_BAD_ARGUMENT);
  expect_text(error.message, "not the start of an object");
  ck_assert_int_eq(midden_why(here.heap, NULL, &writer, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_why(here.heap, &here, &writer, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_why(NULL, NULL, &writer, &error), MIDDEN_MISUSE);
  ck_assert_int_eq(midden_census_growth(here.heap, &writer, &error), MIDDEN_UNSUPPORTED);
  expect_text(error.message, "census=N");
  ck_assert_uint_eq(midden_census(NULL, NULL, 0), 0);
  ck_assert_int_eq(midden_retained(here.heap, NULL, 0, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_snapshot(here.heap, NULL, NULL, &error), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_snapshot_file(here.heap, NULL, NULL, &error), MIDDEN_BAD_ARGUMENT);
  const char *const names[] = {"a"};
  midden_kind none = {0, 0, 0}, beyond = {1000, 0, 0};
  ck_assert_int_eq(midden_kind_name_slots(here.heap, none, names, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_kind_name_slots(here.heap, beyond, names, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_kind_name_slots(here.heap, here.pair, NULL, 1), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_kind_name_slots_by(here.heap, none, name_boxed, NULL), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_name(here.heap, names, "x"), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_scanner_name(here.heap, ask_in_scanner, NULL, "x"), MIDDEN_BAD_ARGUMENT);
  ck_assert_int_eq(midden_root_scanner_add(here.heap, ask_in_scanner, here.heap), MIDDEN_OK);
  ck_assert_int_eq(midden_why(here.heap, (void *)here.slots[0], &writer, &error), MIDDEN_OK);
  ck_assert_int_eq(status_in_scanner, MIDDEN_MISUSE);
  ck_assert_int_eq(midden_root_scanner_remove(here.heap, ask_in_scanner, here.heap), MIDDEN_OK);
  world_close(&here);
}
END_TEST

/* A writer or a file that takes no more: the call says so, and the file is gone. */
START_TEST(writing_fails) {
  cache_world at;
  open_cache(&at, _i, NULL);
  midden_error error = {MIDDEN_OK, ""};
  static text_writer text;
  for (size_t calls = 0; calls < 3; calls++) {
    midden_writer writer = text_writer_open(&text);
    text.refuse_from = calls;
    midden_status status = midden_snapshot(at.here.heap, NULL, &writer, &error);
    if (status == MIDDEN_OK) break;
    ck_assert_int_eq(status, MIDDEN_IO_ERROR);
    ck_assert_int_eq(error.status, MIDDEN_IO_ERROR);
    expect_text(error.message, "the snapshot could not be written");
  }
  midden_writer writer = text_writer_open(&text);
  text.refuse_from = 0;
  ck_assert_int_eq(midden_why(at.here.heap, (void *)at.cache, &writer, &error), MIDDEN_IO_ERROR);
  ck_assert_int_eq(midden_memory_report(at.here.heap, 3, &writer, &error), MIDDEN_IO_ERROR);
  ck_assert_int_eq(midden_snapshot_file(at.here.heap, NULL, "/no such directory/file", &error), MIDDEN_IO_ERROR);
  expect_text(error.message, "/no such directory/file could not be written: ");
  if (access("/dev/full", W_OK) == 0 && symlink("/dev/full", "midden-full.heapsnapshot") == 0) {
    ck_assert_int_eq(midden_snapshot_file(at.here.heap, NULL, "midden-full.heapsnapshot", &error), MIDDEN_IO_ERROR);
    ck_assert_int_ne(access("midden-full.heapsnapshot", F_OK), 0);
  }
  ck_assert_int_eq(midden_root_remove(at.here.heap, &at.cache), MIDDEN_OK);
  world_close(&at.here);
}
END_TEST

/* The n-th request for memory fails, for every n: NO_MEMORY and a sentence, all is given back, and the heap is whole. */
static void expect_given_back(counting_memory *memory, midden_status (*call)(world *, midden_error *), world *here) {
  for (uint64_t n = 1;; n++) {
    size_t reserved = memory->reserved_bytes;
    midden_error error = {MIDDEN_OK, ""};
    counting_memory_fail(memory, n, true);
    midden_status status = call(here, &error);
    bool failed = memory->failed;
    counting_memory_heal(memory);
    EXPECT(memory->reserved_bytes == reserved && memory->violations == 0, "memory after the %llu-th request", (unsigned long long)n);
    if (!failed) {
      EXPECT(status == MIDDEN_OK && n > 2, "%s", error.message);
      return;
    }
    EXPECT(status == MIDDEN_NO_MEMORY && error.status == MIDDEN_NO_MEMORY && strlen(error.message) > 10, "request %llu: %s",
           (unsigned long long)n, midden_status_name(status));
    world_verify(here);
  }
}

static midden_status ask_why(world *here, midden_error *error) {
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  return midden_why(here->heap, (void *)((midden_word *)here->slots[0])[0], &writer, error);
}
static midden_status ask_memory(world *here, midden_error *error) {
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  return midden_memory_report(here->heap, 3, &writer, error);
}
static midden_status ask_snapshot(world *here, midden_error *error) {
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  return midden_snapshot(here->heap, NULL, &writer, error);
}

START_TEST(memory_is_refused) {
  static counting_memory memory;
  counting_memory_open(&memory);
  midden_config config = combination_config(_i);
  config.memory = &memory.face;
  config.heap_limit = (size_t)16 << 20;
  world here;
  world_open_config(&here, _i, &config);
  midden_kind table = define_kind(&here, &(midden_shape){.name = "ephemerons", .refs = MIDDEN_REFS_PAIRS});
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, table, 16);
  here.slots[1] = (uintptr_t)world_leaf(&here, 24, 1);
  ((midden_word *)here.slots[0])[0] = here.slots[1];
  ((midden_word *)here.slots[0])[1] = here.slots[1];
  midden_written(here.mutator, (void *)here.slots[0], (void *)here.slots[0], 2);
  world_list(&here, 2, 2000);
  expect_given_back(&memory, ask_why, &here);
  expect_given_back(&memory, ask_memory, &here);
  expect_given_back(&memory, ask_snapshot, &here);
  world_close(&here);
  ck_assert_uint_eq(memory.reservations, 0);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {a_leak_is_named, ANYWHERE},
      {the_path_is_a_shortest_one, CALM},
      {roots_are_named, ANYWHERE},
      {the_stack_comes_last, CONSERVATIVE | CALM},
      {what_does_not_hold, PRECISE | CALM},
      {ephemerons_hold_by_their_keys, PRECISE | CALM},
      {functions_name_slots, ANYWHERE},
      {censuses_count, CALM},
      {growth_is_seen, COLLECTING | CALM | PRECISE},
      {without_a_writer_lines_are_reported, CALM},
      {refusals, CALM},
      {writing_fails, CALM},
      {memory_is_refused, CALM},
  };
  return run_combinations("heap_graph", tests, COUNT_OF(tests));
}
