/* The model's objects: making them, linking them, and what they should contain. See model_internal.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model_internal.h"

#define IMMEDIATE(number) ((uintptr_t)(number) << 3 | 1)

void model_fail(model *here, const char *format, ...) {
  if (here->result->failed) return;
  here->result->failed = true;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(here->result->message, sizeof here->result->message, format, arguments);
  va_end(arguments);
}

/* splitmix64 (Steele, Lea, Flood 2014). */
static uint64_t next(uint64_t *state) {
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

uint64_t model_random(model *here) { return next(&here->random); }
size_t model_below(model *here, size_t bound) { return (size_t)(model_random(here) % bound); }

/* ---- Kinds ---- */

/* Word 2 of a traced object is its number of edges; they are at every other word from word 3 on. */
static void trace_every_other(void *object, size_t size, midden_visitor *visitor, void *context) {
  midden_word *words = object;
  (void)context;
  for (size_t i = 0; i < words[2] && (3 + 2 * i) * sizeof *words < size; i++) midden_visit(visitor, &words[3 + 2 * i]);
}

static void trace_pinning(void *object, size_t size, midden_visitor *visitor, void *context) {
  midden_word *words = object;
  (void)size;
  (void)context;
  midden_visit(visitor, &words[2]);
  midden_visit_pinned(visitor, (const void *)words[3]);
}

bool model_define_kinds(model *here) {
  static const midden_shape shapes[MODEL_SHAPES] = {
      [MODEL_PAIR] = {.name = "pair", .size = 32, .refs = MIDDEN_REFS_ALL},
      [MODEL_NODE] = {.name = "node", .size = 48, .refs = MIDDEN_REFS_BITMAP, .bitmap = 0x34},
      [MODEL_VECTOR] = {.name = "vector", .size = 16, .refs = MIDDEN_REFS_ELEMENTS, .element_size = 8, .element_bitmap = 1},
      [MODEL_TABLE] = {.name = "table", .size = 16, .refs = MIDDEN_REFS_ELEMENTS, .element_size = 24, .element_bitmap = 5},
      [MODEL_LEAF] = {.name = "leaf"},
      [MODEL_TRACED] = {.name = "traced", .refs = MIDDEN_REFS_TRACE, .trace = trace_every_other},
      [MODEL_PINNED] = {.name = "pinned", .size = 32, .refs = MIDDEN_REFS_BITMAP, .bitmap = 0xc, .flags = MIDDEN_KIND_PINNED},
      [MODEL_AMBIGUOUS] = {.name = "ambiguous", .refs = MIDDEN_REFS_AMBIGUOUS},
      [MODEL_PINNING] = {.name = "pinning", .size = 32, .refs = MIDDEN_REFS_TRACE, .trace = trace_pinning,
                         .flags = MIDDEN_KIND_TRACE_PINS, .alignment = 16},
      [MODEL_FINALIZED] = {.name = "finalized", .size = 32, .refs = MIDDEN_REFS_BITMAP, .bitmap = 0xc},
  };
  for (int i = 0; i < MODEL_SHAPES; i++) {
    midden_error error = {MIDDEN_OK, ""};
    midden_shape shape = shapes[i];
    if (i == MODEL_LEAF) model_leaf_shape(here, &shape);
    if (i == MODEL_FINALIZED) model_finalized_shape(here, &shape);
    if (!(here->shapes >> i & 1)) continue;
    here->kinds[i] = midden_kind_define(here->heap, &shape, &error);
    if (here->kinds[i].id == 0) {
      model_fail(here, "kind %s: %s", shapes[i].name, error.message);
      return false;
    }
  }
  return true;
}

/* ---- Shadows ---- */

static bool grow(model *here) {
  uint32_t capacity = here->shadow_capacity * 2;
  shadow *shadows = realloc(here->shadows, capacity * sizeof *shadows);
  if (shadows != NULL) here->shadows = shadows;
  uint32_t *frees = realloc(here->free_shadows, capacity * sizeof *frees);
  if (frees != NULL) here->free_shadows = frees;
  uint32_t *work = realloc(here->work, capacity * sizeof *work);
  if (work != NULL) here->work = work;
  if (shadows == NULL || frees == NULL || work == NULL) {
    model_fail(here, "no memory for the shadow");
    return false;
  }
  here->shadow_capacity = capacity;
  return true;
}

static uint32_t take_shadow(model *here) {
  uint32_t index;
  if (here->free_count > 0) {
    index = here->free_shadows[--here->free_count];
  } else {
    if (here->shadow_count == here->shadow_capacity && !grow(here)) return 0;
    index = here->shadow_count++;
  }
  memset(&here->shadows[index], 0, sizeof here->shadows[index]);
  here->live++;
  return index;
}

/* ---- Making ---- */

/* Chooses the size of a new object of a shape, and its number of edges. */
static void choose_size(model *here, shadow *made) {
  bool large = here->large && model_below(here, 150) == 0;
  uint32_t n = (uint32_t)model_below(here, model_below(here, 8) == 0 ? 120 : 12);
  switch (made->shape) {
    case MODEL_PAIR: case MODEL_PINNED: case MODEL_PINNING: case MODEL_FINALIZED:
      made->edge_count = 2, made->bytes = 32; break;
    case MODEL_NODE:
      made->edge_count = 3, made->bytes = 48; break;
    case MODEL_VECTOR:
      made->edge_count = large ? 5000 + n * 17 : n, made->bytes = 16 + made->edge_count * 8; break;
    case MODEL_TABLE:
      made->edge_count = 2 * n, made->bytes = 16 + n * 24; break;
    case MODEL_TRACED:
      made->edge_count = n, made->bytes = 24 + n * 16; break;
    case MODEL_AMBIGUOUS:
      made->edge_count = n, made->bytes = 8 + n * 8; break;
    default:
      made->bytes = large ? 33000 + n * 999 : 16 + n * 7; break;
  }
}

midden_word *model_edge_slot(const shadow *owner, void *object, uint32_t edge) {
  midden_word *words = object;
  switch (owner->shape) {
    case MODEL_NODE: return &words[edge == 0 ? 2 : 3 + edge];
    case MODEL_TABLE: return &words[2 + edge / 2 * 3 + edge % 2 * 2];
    case MODEL_TRACED: return &words[3 + 2 * edge];
    case MODEL_AMBIGUOUS: return &words[1 + edge];
    default: return &words[2 + edge];
  }
}

static bool is_zero(const void *object, size_t bytes) {
  const unsigned char *at = object;
  for (size_t i = 0; i < bytes; i++)
    if (at[i] != 0) return false;
  return true;
}

/* Content of a leaf after its two first words. */
static unsigned char content_byte(uint64_t seed, size_t at) {
  return (unsigned char)(seed >> at % 8 * 8 ^ at * 31 ^ at / 256);
}

static void fill(const shadow *made, void *object) {
  midden_word *words = object;
  unsigned char *bytes = object;
  words[0] = IMMEDIATE(made->serial);
  if (made->shape == MODEL_AMBIGUOUS) return;
  words[1] = made->decoy;
  if (made->shape == MODEL_TRACED) words[2] = made->edge_count;
  if (made->shape != MODEL_LEAF) return;
  for (size_t i = 16; i < made->bytes; i++) bytes[i] = content_byte(made->content, i);
}

bool model_content_is(const shadow *expected, const void *object) {
  const midden_word *words = object;
  const unsigned char *bytes = object;
  if (words[0] != IMMEDIATE(expected->serial)) return false;
  if (expected->shape == MODEL_AMBIGUOUS) return true;
  if (words[1] != expected->decoy) return false;
  if (expected->shape == MODEL_TRACED && words[2] != expected->edge_count) return false;
  if (expected->shape != MODEL_LEAF) return true;
  for (size_t i = 16; i < expected->bytes; i++)
    if (bytes[i] != content_byte(expected->content, i)) return false;
  return true;
}

/* An address that is a lie: near a real one. In a pair it carries a tag that is no reference's. The
 * shadow keeps it, and nothing is decided by it. */
static uintptr_t make_decoy(model *here, const shadow *owner) {
  uintptr_t near = (uintptr_t)here->host[model_below(here, MODEL_HOST_ROOTS)];
  if (owner->shape == MODEL_PAIR) return (near & ~(uintptr_t)7) | (1 + model_below(here, 7));
  return near;
}

static void *allocate(model *here, const shadow *made) {
  midden_kind kind = here->kinds[made->shape];
  bool fixed = made->shape == MODEL_PAIR || made->shape == MODEL_NODE || made->shape == MODEL_PINNED ||
               made->shape == MODEL_PINNING || made->shape == MODEL_FINALIZED;
  return fixed ? midden_alloc(here->mutator, kind) : midden_alloc_sized(here->mutator, kind, made->bytes);
}

uint32_t model_make(model *here, void **object) {
  uint32_t index = take_shadow(here);
  if (index == 0) return 0;
  shadow *made = &here->shadows[index];
  do made->shape = (model_shape)model_below(here, MODEL_SHAPES);
  while (!(here->shapes >> made->shape & 1));
  choose_size(here, made);
  *object = allocate(here, made);
  made->edges = calloc(made->edge_count + 1, sizeof *made->edges);
  if (made->shape == MODEL_AMBIGUOUS) made->interior = calloc(made->edge_count + 1, sizeof *made->interior);
  made->serial = ++here->last_serial;
  made->content = model_random(here);
  if (*object == NULL) {
    midden_status status = midden_last_status(here->mutator);
    if (status != MIDDEN_NO_MEMORY) model_fail(here, "allocation returned NULL: %s", midden_status_name(status));
    here->result->refused++;
    return 0; /* the shadow is unreachable and freed by the next comparison */
  }
  here->allocations++;
  here->leaves_made += made->shape == MODEL_LEAF;
  here->finalized_made += made->shape == MODEL_FINALIZED;
  here->requested += made->bytes;
  if (made->edges == NULL || (made->shape == MODEL_AMBIGUOUS && made->interior == NULL)) {
    model_fail(here, "no memory for the shadow");
    return 0;
  }
  if ((uintptr_t)*object % (made->shape == MODEL_PINNING ? 16 : 8) != 0) model_fail(here, "%p is not aligned", *object);
  if (!is_zero(*object, midden_size_of(here->heap, *object)))
    model_fail(here, "a new object of %u bytes at %p is not zeroed", made->bytes, *object);
  if (made->shape == MODEL_PINNED || made->bytes > 32768) made->fixed_at = (uintptr_t)*object;
  made->decoy = make_decoy(here, made);
  fill(made, *object);
  return index;
}

/* ---- Linking ---- */

void model_set_edge(model *here, uint32_t owner, void *object, uint32_t edge, uint32_t target, void *target_object) {
  shadow *from = &here->shadows[owner];
  uintptr_t word = (uintptr_t)target_object;
  if (from->shape == MODEL_AMBIGUOUS) {
    from->interior[edge] = 0;
    uint32_t bytes = here->shadows[target].bytes;
    if (target != 0) from->interior[edge] = (uint16_t)model_below(here, bytes < UINT16_MAX ? bytes : UINT16_MAX);
    word += from->interior[edge];
  }
  from->edges[edge] = target;
  midden_store_word(here->mutator, object, model_edge_slot(from, object, edge), word);
}

void model_rewrite(model *here, uint32_t index, void *object) {
  shadow *changed = &here->shadows[index];
  changed->content = model_random(here);
  changed->decoy = make_decoy(here, changed);
  fill(changed, object);
}

uint32_t model_walk(model *here, void **object) {
  const model_root *root = &here->roots[model_below(here, here->root_count)];
  uint32_t index = root->holds;
  size_t steps = model_below(here, 12);
  *object = (void *)*root->slot;
  while (index != 0 && steps-- > 0) {
    const shadow *at = &here->shadows[index];
    if (at->edge_count == 0) break;
    uint32_t edge = (uint32_t)model_below(here, at->edge_count);
    if (at->edges[edge] == 0) continue;
    uintptr_t word = *model_edge_slot(at, *object, edge);
    if (at->shape == MODEL_AMBIGUOUS) word -= at->interior[edge];
    *object = (void *)word;
    index = at->edges[edge];
  }
  return index;
}
