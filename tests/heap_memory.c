/* What takes the memory: dominators against a naive answer on random graphs, kinds, totals, long chains. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "text_writer.h"

enum { OBJECTS = 24, DEGREE = 4 };

/* One object of each of OBJECTS kinds, so that what a kind retains is what the object does. */
typedef struct random_graph {
  world here;
  midden_kind kinds[OBJECTS];
  size_t targets[OBJECTS][DEGREE]; /* OBJECTS: none */
  bool rooted[OBJECTS];
} random_graph;

static void define_kinds(random_graph *graph) {
  for (size_t i = 0; i < OBJECTS; i++) {
    char name[16];
    snprintf(name, sizeof name, "k%zu", i);
    midden_shape shape = {.name = name, .size = (DEGREE + i % 3) * sizeof(midden_word), .refs = MIDDEN_REFS_ALL};
    graph->kinds[i] = midden_kind_define(graph->here.heap, &shape, NULL);
    ck_assert_uint_ne(graph->kinds[i].id, 0);
  }
}

static void build_graph(random_graph *graph, uint64_t *random) {
  world *here = &graph->here;
  for (size_t i = 0; i < OBJECTS; i++) here->slots[i] = (uintptr_t)midden_alloc(here->mutator, graph->kinds[i]);
  size_t edges = 1 + test_random_below(random, DEGREE);
  for (size_t i = 0; i < OBJECTS; i++) {
    midden_word *object = (midden_word *)here->slots[i];
    for (size_t k = 0; k < DEGREE; k++) {
      graph->targets[i][k] = k < edges ? test_random_below(random, OBJECTS + 4) : OBJECTS;
      if (graph->targets[i][k] > OBJECTS) graph->targets[i][k] = OBJECTS;
      midden_store_word(here->mutator, object, &object[k], graph->targets[i][k] < OBJECTS ? here->slots[graph->targets[i][k]] : 0);
    }
    graph->rooted[i] = test_random_below(random, 10) == 0;
  }
  for (size_t i = 0; i < OBJECTS; i++) {
    if (!graph->rooted[i]) here->slots[i] = 0;
  }
}

static void mark(const random_graph *graph, size_t object, size_t without, bool *marked) {
  if (object >= OBJECTS || object == without || marked[object]) return;
  marked[object] = true;
  for (size_t k = 0; k < DEGREE; k++) mark(graph, graph->targets[object][k], without, marked);
}

/* Bytes that the roots reach without passing one object. */
static size_t reachable_bytes(const random_graph *graph, size_t without, size_t *objects) {
  bool marked[OBJECTS] = {false};
  size_t bytes = 0;
  *objects = 0;
  for (size_t i = 0; i < OBJECTS; i++) {
    if (graph->rooted[i]) mark(graph, i, without, marked);
  }
  for (size_t i = 0; i < OBJECTS; i++) {
    bytes += marked[i] ? graph->kinds[i].cell_size : 0;
    *objects += marked[i];
  }
  return bytes;
}

static void check_graph(random_graph *graph) {
  midden_census_line lines[OBJECTS + 8];
  size_t count, objects, without;
  ck_assert_int_eq(midden_retained(graph->here.heap, lines, COUNT_OF(lines), &count, NULL), MIDDEN_OK);
  size_t total = reachable_bytes(graph, OBJECTS, &objects);
  EXPECT(count == objects, "%zu kinds of %zu", count, objects);
  size_t bytes = 0;
  for (size_t i = 0; i < count; i++) {
    size_t kind = lines[i].kind_id - graph->kinds[0].id, wanted = total - reachable_bytes(graph, kind, &without);
    EXPECT(kind < OBJECTS && lines[i].objects == 1, "kind %zu", kind);
    EXPECT(lines[i].retained == wanted, "%s retains %zu, not %llu", lines[i].name, wanted, (unsigned long long)lines[i].retained);
    bytes += lines[i].bytes;
  }
  EXPECT(bytes == total, "%zu bytes of %zu", bytes, total);
}

START_TEST(dominators_against_a_naive_answer) {
  static random_graph graph;
  world_open(&graph.here, _i, NULL);
  define_kinds(&graph);
  uint64_t random = 20240301;
  size_t rounds = world_count(&graph.here, 150, 10);
  for (size_t round = 0; round < rounds; round++) {
    build_graph(&graph, &random);
    check_graph(&graph);
  }
  world_close(&graph.here);
}
END_TEST

/* A kind whose objects hold each other retains what the first of them does, once. */
START_TEST(a_list_retains_itself_once) {
  world here;
  world_open(&here, _i, NULL);
  size_t length = world_count(&here, 200000, 300);
  world_list(&here, 0, length);
  here.slots[1] = (uintptr_t)world_leaf(&here, 100000, 1);
  midden_census_line lines[4];
  size_t count;
  ck_assert_int_eq(midden_retained(here.heap, lines, 4, &count, NULL), MIDDEN_OK);
  ck_assert_uint_eq(count, 2);
  ck_assert_str_eq(lines[1].name, "pair");
  ck_assert_uint_eq(lines[1].objects, length);
  ck_assert_uint_eq(lines[1].bytes, length * 16);
  ck_assert_uint_eq(lines[1].retained, length * 16);
  ck_assert_uint_eq(lines[0].retained, lines[0].bytes);

  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  ck_assert_int_eq(midden_memory_report(here.heap, 2, &writer, NULL), MIDDEN_OK);
  char expected[128];
  snprintf(expected, sizeof expected, "midden: the roots reach %zu objects of %llu bytes\n", length + 1,
           (unsigned long long)(lines[0].bytes + lines[1].bytes));
  ck_assert_msg(strncmp(text.bytes, expected, strlen(expected)) == 0, "%s", text.bytes);
  snprintf(expected, sizeof expected, "pair %#zx (16 bytes itself), held by roots\n", (size_t)here.slots[0]);
  ck_assert_msg(strstr(text.bytes, expected) != NULL, "\"%s\" is not in:\n%s", expected, text.bytes);
  snprintf(expected, sizeof expected, "leaf %#zx (", (size_t)here.slots[1]);
  ck_assert_msg((strstr(text.bytes, expected) != NULL) == (world_count(&here, 0, 1) == 1), "%s", text.bytes);
  world_close(&here);
}
END_TEST

/* What an ephemeron holds is its key's: dropping the key would free it. */
START_TEST(values_belong_to_their_keys) {
  world here;
  world_open(&here, _i, NULL);
  midden_kind table = midden_kind_define(here.heap, &(midden_shape){.name = "ephemerons", .refs = MIDDEN_REFS_PAIRS}, NULL);
  midden_kind key = midden_kind_define(here.heap, &(midden_shape){.name = "key", .size = 16}, NULL);
  here.slots[0] = (uintptr_t)midden_alloc_sized(here.mutator, table, 16);
  here.slots[1] = (uintptr_t)midden_alloc(here.mutator, key);
  void *value = world_leaf(&here, 1000, 1);
  midden_word *pairs = (midden_word *)here.slots[0];
  pairs[0] = here.slots[1], pairs[1] = (uintptr_t)value;
  midden_written(here.mutator, pairs, pairs, 2);
  midden_census_line lines[4];
  size_t count;
  ck_assert_int_eq(midden_retained(here.heap, lines, 4, &count, NULL), MIDDEN_OK);
  ck_assert_uint_eq(count, 3);
  ck_assert_str_eq(lines[2].name, "key");
  ck_assert_uint_eq(lines[2].retained, lines[2].bytes + lines[0].bytes);
  ck_assert_str_eq(lines[1].name, "ephemerons");
  ck_assert_uint_eq(lines[1].retained, lines[1].bytes);
  world_close(&here);
}
END_TEST

/* An empty heap has an answer too. */
START_TEST(nothing_is_there) {
  world here;
  world_open(&here, _i, NULL);
  size_t count = 1;
  ck_assert_int_eq(midden_retained(here.heap, NULL, 0, &count, NULL), MIDDEN_OK);
  ck_assert_uint_eq(count, 0);
  static text_writer text;
  midden_writer writer = text_writer_open(&text);
  ck_assert_int_eq(midden_memory_report(here.heap, 10, &writer, NULL), MIDDEN_OK);
  ck_assert_ptr_nonnull(strstr(text.bytes, "the roots reach 0 objects of 0 bytes"));
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {dominators_against_a_naive_answer, PRECISE},
      {a_list_retains_itself_once, PRECISE},
      {values_belong_to_their_keys, PRECISE | CALM},
      {nothing_is_there, PRECISE | CALM},
  };
  return run_combinations("heap_memory", tests, COUNT_OF(tests));
}
