/* Conformance: random graphs of strong words, ephemerons, weak pairs and weak words, by layout and by trace function:
 * what a collection leaves agrees with a naive fixed point. */
#include <string.h>

#include "harness.h"

enum { TARGET_BYTES = 40 };

static midden_kind define(world *here, const midden_shape *shape) {
  midden_error error = {MIDDEN_OK, ""};
  midden_kind kind = midden_kind_define(here->heap, shape, &error);
  ck_assert_msg(kind.id != 0, "kind %s: %s", shape->name, error.message);
  return kind;
}

enum { NODES = 200, WORDS = 4, NO_NODE = NODES };

/* A node is a record (four strong words), a vector of two ephemerons or of two weak pairs, or four weak words; in
 * the shadow words are indexes of nodes. Word 0 of an object is its number. */
typedef enum flavour { STRONG, EPHEMERONS, WEAK_VALUES, WEAK_BOTH, WEAK, FLAVOURS } flavour;
typedef struct shadow {
  flavour flavour;
  size_t words[WORDS];
  bool live;
} shadow;
static shadow shadows[NODES];

typedef struct node {
  midden_word number, words[WORDS];
} node;

static void trace_node(void *object, size_t size, midden_visitor *visitor, void *context) {
  node *traced = object;
  flavour how = *(const flavour *)context;
  (void)size;
  for (size_t i = 0; i < WORDS; i++) {
    if (how == STRONG) midden_visit(visitor, &traced->words[i]);
    else if (how == WEAK) midden_visit_weak(visitor, &traced->words[i], MIDDEN_WEAK_SHORT);
    else if (i % 2 == 0) midden_visit_pair(visitor, &traced->words[i], &traced->words[i + 1], (midden_pairs)(how - EPHEMERONS));
  }
}

static midden_kind define_node(world *here, flavour how, bool traced) {
  static const flavour flavours[] = {STRONG, EPHEMERONS, WEAK_VALUES, WEAK_BOTH, WEAK};
  if (traced) {
    return define(here, &(midden_shape){.name = "traced node", .size = sizeof(node), .refs = MIDDEN_REFS_TRACE,
                                        .trace = trace_node, .trace_context = (void *)&flavours[how]});
  }
  midden_shape shape = {.name = "node", .size = 8, .refs = MIDDEN_REFS_PAIRS};
  if (how == STRONG) shape = (midden_shape){.name = "node", .refs = MIDDEN_REFS_ALL};
  else if (how == WEAK) shape.refs = MIDDEN_REFS_WEAK;
  else shape.pairs = (midden_pairs)(how - EPHEMERONS);
  return define(here, &shape);
}

static bool live_word(size_t word) { return word == NO_NODE || shadows[word].live; }

/* One step of the fixed point, from one live node. post: whether something new became live. */
static bool spread(const shadow *from) {
  bool changed = false;
  for (size_t i = 0; i < WORDS; i++) {
    bool strong = from->flavour == STRONG || (from->flavour == WEAK_VALUES && i % 2 == 0) ||
                  (from->flavour == EPHEMERONS && i % 2 == 1 && live_word(from->words[i - 1]));
    if (!strong || live_word(from->words[i])) continue;
    shadows[from->words[i]].live = changed = true;
  }
  return changed;
}

static void find_live(const bool *rooted) {
  bool changed = true;
  for (size_t i = 0; i < NODES; i++) shadows[i].live = rooted[i];
  while (changed) {
    changed = false;
    for (size_t i = 0; i < NODES; i++) changed |= shadows[i].live && spread(&shadows[i]);
  }
}

/* The word that node `i` should hold at `at` after a collection that found `live`; NO_NODE: 0. */
static size_t after(const shadow *of, size_t at) {
  size_t key = of->words[at & ~(size_t)1], value = of->words[at | 1];
  bool gone = false;
  if (of->flavour == EPHEMERONS) gone = !live_word(key);
  if (of->flavour == WEAK_VALUES) gone = !live_word(value);
  if (of->flavour == WEAK_BOTH) gone = !live_word(key) || !live_word(value);
  if (of->flavour == WEAK) gone = !live_word(of->words[at]);
  return gone ? NO_NODE : of->words[at];
}

static void check_graph(world *here, const bool *rooted) {
  static uintptr_t place[NODES];
  static size_t work[NODES];
  static bool seen[NODES];
  size_t pending = 0;
  memset(seen, 0, sizeof seen);
  for (size_t i = 0; i < NODES; i++) {
    if (!rooted[i]) continue;
    place[i] = here->slots[i];
    seen[i] = true;
    work[pending++] = i;
  }
  while (pending) {
    size_t i = work[--pending];
    const node *object = (const node *)place[i];
    EXPECT(object->number == immediate(i), "node %zu is number %#zx", i, (size_t)object->number);
    for (size_t k = 0; k < WORDS; k++) {
      size_t wanted = after(&shadows[i], k);
      uintptr_t word = object->words[k];
      if (wanted == NO_NODE) EXPECT(word == 0, "word %zu of node %zu should be cleared", k, i);
      if (wanted == NO_NODE) continue;
      EXPECT(word != 0, "word %zu of node %zu is cleared, and node %zu lives", k, i, wanted);
      EXPECT(((const node *)word)->number == immediate(wanted), "word %zu of node %zu", k, i);
      if (seen[wanted]) {
        EXPECT(place[wanted] == word, "node %zu is in two places", wanted);
        continue;
      }
      seen[wanted] = true;
      place[wanted] = word;
      work[pending++] = wanted;
    }
  }
}

static void make_graph(world *here, const midden_kind *kinds, uint64_t *random, size_t density) {
  for (size_t i = 0; i < NODES; i++) {
    shadows[i].flavour = (flavour)test_random_below(random, FLAVOURS);
    if (test_random_below(random, 3) == 0) world_leaf(here, TARGET_BYTES, i);
    midden_kind kind = kinds[shadows[i].flavour + (test_random_below(random, 2) ? FLAVOURS : 0)];
    here->slots[i] = (uintptr_t)midden_alloc_sized(here->mutator, kind, sizeof(node));
    ((node *)here->slots[i])->number = immediate(i);
  }
  for (size_t i = 0; i < NODES; i++) {
    node *object = (node *)here->slots[i];
    for (size_t k = 0; k < WORDS; k++) {
      size_t target = test_random_below(random, 100) < density ? test_random_below(random, NODES) : NO_NODE;
      shadows[i].words[k] = target;
      if (target != NO_NODE) midden_store_word(here->mutator, object, &object->words[k], here->slots[target]);
    }
  }
}

START_TEST(random_graphs) {
  world here;
  uint64_t random = 4711;
  bool rooted[NODES];
  midden_kind kinds[2 * FLAVOURS];
  world_open(&here, _i, NULL);
  for (size_t i = 0; i < 2 * FLAVOURS; i++) kinds[i] = define_node(&here, (flavour)(i % FLAVOURS), i >= FLAVOURS);
  for (size_t round = 0; round < world_count(&here, 60, 6); round++) {
    make_graph(&here, kinds, &random, 30 + test_random_below(&random, 70));
    if (round % 3 == 0) world_collect(&here);
    for (size_t i = 0; i < NODES; i++) {
      rooted[i] = test_random_below(&random, 10) == 0;
      if (!rooted[i]) here.slots[i] = 0;
    }
    find_live(rooted);
    world_collect(&here);
    check_graph(&here, rooted);
  }
  world_close(&here);
}
END_TEST

int main(void) {
  const test_entry tests[] = {
      {random_graphs, COLLECTING | PRECISE},
  };
  return run_combinations("conformance_ephemeron_graphs", tests, COUNT_OF(tests));
}
