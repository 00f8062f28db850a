/* The heap as a graph: paths say why an object is alive, in the host's names; what weak edges, ephemerons and finalizers
 * do to it. Dominators: heap_memory.c; censuses, and what fails: heap_census.c; snapshots: snapshot/. */
#include <stdio.h>
#include <string.h>

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

/* stack=pinning: no root at all, nor for what counts and draws the heap. */
START_TEST(a_stack_that_pins_is_no_root) {
  static text_writer text;
  world here;
  world_open(&here, _i, NULL);
  here.slots[0] = (uintptr_t)world_leaf(&here, 32, 1);
  void *volatile local = world_leaf(&here, 24, 6), *volatile rooted = (void *)here.slots[0];
  expect_text(why(&here, local), "is reachable from no root: the next full collection will free it\n");
  expect_text(why(&here, rooted), "is alive:\n  root 0x");

  midden_census_line lines[8];
  size_t count = 0;
  ck_assert_int_eq(midden_retained(here.heap, lines, COUNT_OF(lines), &count, NULL), MIDDEN_OK);
  ck_assert_uint_eq(count, 1);
  ck_assert_uint_eq(lines[0].objects, 1);
  midden_writer writer = text_writer_open(&text);
  ck_assert_int_eq(midden_memory_report(here.heap, 5, &writer, NULL), MIDDEN_OK);
  expect_text(text.bytes, "the roots reach 1 objects of 32 bytes");
  writer = text_writer_open(&text);
  ck_assert_int_eq(midden_snapshot(here.heap, NULL, &writer, NULL), MIDDEN_OK);
  expect_text(text.bytes, "(registered roots)");
  ck_assert_ptr_null(strstr(text.bytes, "(C stack)"));
  ck_assert_ptr_null(strstr(text.bytes, "(registers)"));
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

/* Of two slots with the same reference, the one that holds is shown. */
START_TEST(the_edge_that_holds_is_shown) {
  world here;
  world_open(&here, _i, NULL);
  const midden_shape shape = {.name = "both", .size = 24, .refs = MIDDEN_REFS_WEAK, .weak_bitmap = 5, .bitmap = 2};
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, define_kind(&here, &shape), 24);
  uintptr_t leaf = (uintptr_t)world_leaf(&here, 24, 1);
  midden_word *both = (midden_word *)here.slots[0];
  both[0] = both[1] = both[2] = leaf;
  midden_written(here.mutator, both, both, 3);
  expect_text(why(&here, (void *)leaf), "is alive:\n");
  expect_text(why(&here, (void *)leaf), "  +8 -> leaf ");
  midden_store_word(here.mutator, both, &both[1], 0);
  expect_text(why(&here, (void *)leaf), " (weak: does not hold)\n");
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

int main(void) {
  const test_entry tests[] = {
      {a_leak_is_named, ANYWHERE},
      {the_path_is_a_shortest_one, CALM},
      {roots_are_named, ANYWHERE},
      {the_stack_comes_last, CONSERVATIVE | CALM},
      {a_stack_that_pins_is_no_root, PINNING | CALM},
      {what_does_not_hold, PRECISE | CALM},
      {what_does_not_hold, PINNING | CALM},
      {ephemerons_hold_by_their_keys, PRECISE | CALM},
      {the_edge_that_holds_is_shown, PRECISE | CALM},
      {functions_name_slots, ANYWHERE},
  };
  return run_combinations("heap_graph", tests, COUNT_OF(tests));
}
