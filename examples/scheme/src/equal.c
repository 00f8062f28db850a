/* equal?: a plain comparison for a while, then with union-find.
 *
 * Most comparisons are of small trees, and end within the budget of the plain comparison. One that
 * does not may have met a cycle, or be exponential because of sharing. From then on any two
 * objects that are compared are put into one class before their parts are; objects of one class
 * are not compared again. That is at most one union for each object. After Adams and Dybvig,
 * "Efficient nondestructive equality checking for trees and graphs" (2008). */
#include "equal.h"

#include <stdlib.h>
#include <string.h>

#include "address_table.h"
#include "heap.h"

enum { PLAIN_BUDGET = 20000 };

struct comparison {
  value a, b;
  int64_t index; /* of the next items, for vectors and records */
};

struct comparer {
  struct vm *vm;
  struct comparison *stack;
  size_t count, capacity;
  int64_t budget;
  struct address_table classes; /* address to 1 + element number */
  int64_t *parents;
  int64_t elements, element_capacity;
  bool failed;
};

bool values_eqv(value a, value b) {
  if (a == b)
    return true;
  if (!is_flonum(a) || !is_flonum(b))
    return false;
  double x = flonum_of(a), y = flonum_of(b);
  return memcmp(&x, &y, sizeof x) == 0;
}

static void push(struct comparer *comparer, value a, value b, int64_t index) {
  if (comparer->count == comparer->capacity) {
    size_t capacity = comparer->capacity ? comparer->capacity * 2 : 64;
    struct comparison *stack = realloc(comparer->stack, capacity * sizeof *stack);
    if (!stack) {
      comparer->failed = true;
      return;
    }
    comparer->stack = stack;
    comparer->capacity = capacity;
  }
  comparer->stack[comparer->count++] = (struct comparison){a, b, index};
}

/* ---- Union-find ---- */
static int64_t element_of(struct comparer *comparer, value v) {
  struct address_entry *entry = address_table_enter(&comparer->classes, v);
  if (!entry) {
    comparer->failed = true;
    return 0;
  }
  if (entry->number)
    return entry->number - 1;
  if (comparer->elements == comparer->element_capacity) {
    int64_t capacity = comparer->element_capacity ? comparer->element_capacity * 2 : 256;
    int64_t *parents = realloc(comparer->parents, (size_t)capacity * sizeof *parents);
    if (!parents) {
      comparer->failed = true;
      return 0;
    }
    comparer->parents = parents;
    comparer->element_capacity = capacity;
  }
  comparer->parents[comparer->elements] = comparer->elements;
  entry->number = comparer->elements + 1;
  return comparer->elements++;
}

static int64_t find(struct comparer *comparer, int64_t element) {
  int64_t *parents = comparer->parents;
  while (parents[element] != element)
    element = parents[element] = parents[parents[element]];
  return element;
}

/* true: they were in one class already. */
static bool unite(struct comparer *comparer, value a, value b) {
  int64_t x = element_of(comparer, a), y = element_of(comparer, b);
  if (comparer->failed)
    return true;
  x = find(comparer, x);
  y = find(comparer, y);
  comparer->parents[x] = y;
  return x == y;
}

/* ---- Comparing ---- */
static bool same_text(value a, value b) {
  if (string_of(a)->length != string_of(b)->length)
    return false;
  for (int64_t i = 0; i < string_of(a)->length; i++)
    if (string_get(a, i) != string_get(b, i))
      return false;
  return true;
}

static bool same_leaf(const struct vm *vm, value a, value b) {
  if (!has_tag(a, TAG_OBJECT) || !has_tag(b, TAG_OBJECT))
    return values_eqv(a, b);
  enum kind kind = kind_of(vm, a);
  if (kind != kind_of(vm, b))
    return false;
  if (kind == KIND_STRING)
    return same_text(a, b);
  if (kind != KIND_BYTEVECTOR)
    return false;
  return bytevector_of(a)->length == bytevector_of(b)->length &&
         memcmp(bytevector_of(a)->data, bytevector_of(b)->data, (size_t)bytevector_of(a)->length) == 0;
}

/* Compares two values but for their parts, which go on the stack. */
static bool compare(struct comparer *comparer, value a, value b) {
  for (;;) {
    if (a == b)
      return true;
    bool pairs = is_pair(a) && is_pair(b);
    bool vectors = is_vector(a) && is_vector(b);
    if (!pairs && !vectors)
      return same_leaf(comparer->vm, a, b);
    if (vectors && vector_of(a)->length != vector_of(b)->length)
      return false;
    if (comparer->budget-- <= 0 && unite(comparer, a, b))
      return true;
    if (vectors) {
      push(comparer, a, b, 0);
      return true;
    }
    push(comparer, cdr(a), cdr(b), -1);
    a = car(a);
    b = car(b);
  }
}

enum equality values_equal(struct vm *vm, value a, value b) {
  struct comparer comparer = {.vm = vm, .budget = PLAIN_BUDGET};
  bool same = compare(&comparer, a, b);
  while (same && comparer.count && !comparer.failed) {
    struct comparison *top = &comparer.stack[comparer.count - 1];
    if (top->index < 0) {
      struct comparison next = *top;
      comparer.count--;
      same = compare(&comparer, next.a, next.b);
    } else if (top->index == vector_length(top->a)) {
      comparer.count--;
    } else {
      int64_t i = top->index++;
      same = compare(&comparer, vector_of(top->a)->items[i], vector_of(top->b)->items[i]);
    }
  }
  bool failed = comparer.failed;
  free(comparer.stack);
  free(comparer.parents);
  address_table_close(&comparer.classes);
  return failed ? EQUAL_NO_MEMORY : same ? EQUAL_YES : EQUAL_NO;
}
