/* The objects of a Scheme program: pairs, boxed numbers, environments. A persistent search tree of SIZE (60 000)
 * keys stays alive and is updated by copying paths; between the updates, lists of boxed numbers are made, sorted by
 * merging and reversed, and polynomials in list form are differentiated. Versions share their structure, so no
 * object has one owner. */
#include "shim.h"

/* A value is an object, or an odd word: an integer. */
typedef void *value;

struct pair {
  value head, tail;
};
struct number {
  double value;
};
/* A treap's node: ordered by key, a heap by priority, which is the key's hash. */
struct node {
  struct node *left, *right;
  value content;
  uint64_t key;
};

static shim_kind pair_kind, number_kind, node_kind;

static value integer(uint64_t number) { return (value)(uintptr_t)(number << 1 | 1); }
static uint64_t integer_of(const void *word) { return (uintptr_t)word >> 1; }

static SHIM_NOINLINE struct pair *cons(value head, value tail) {
  SHIM_FRAME(head, tail);
  struct pair *pair = shim_allocate(pair_kind, sizeof *pair);
  shim_store(pair, &pair->head, head);
  shim_store(pair, &pair->tail, tail);
  SHIM_END();
  return pair;
}

static SHIM_NOINLINE struct number *box(double content) {
  struct number *number = shim_allocate(number_kind, sizeof *number);
  number->value = content;
  return number;
}

/* ---- Lists of boxed numbers ---- */

static SHIM_NOINLINE struct pair *random_list(uint64_t length) {
  struct pair *list = NULL;
  SHIM_FRAME(list);
  for (uint64_t i = 0; i < length; i++) {
    struct number *number = box((double)shim_random_below(1000));
    list = cons(number, list);
  }
  SHIM_END();
  return list;
}

static SHIM_NOINLINE struct pair *reverse(struct pair *list) {
  struct pair *result = NULL;
  SHIM_FRAME(list, result);
  for (; list; list = list->tail) result = cons(list->head, result);
  SHIM_END();
  return result;
}

static SHIM_NOINLINE struct pair *merge(struct pair *left, struct pair *right) {
  struct pair *result = NULL;
  SHIM_FRAME(left, right, result);
  while (left || right) {
    bool first = left && (!right || ((struct number *)left->head)->value <= ((struct number *)right->head)->value);
    result = cons(first ? left->head : right->head, result);
    if (first) {
      left = left->tail;
    } else {
      right = right->tail;
    }
  }
  result = reverse(result);
  SHIM_END();
  return result;
}

static SHIM_NOINLINE struct pair *sort(struct pair *list) {
  if (!list || !list->tail) return list;
  struct pair *left = NULL, *right = NULL;
  SHIM_FRAME(list, left, right);
  while (list) {
    left = cons(list->head, left);
    list = list->tail;
    if (!list) break;
    right = cons(list->head, right);
    list = list->tail;
  }
  left = sort(left);
  right = sort(right);
  left = merge(left, right);
  SHIM_END();
  return left;
}

static SHIM_NOINLINE bool sorting(uint64_t length, uint64_t *checksum) {
  struct pair *list = random_list(length);
  double sum = 0, sorted_sum = 0, before = -1;
  for (struct pair *at = list; at; at = at->tail) sum += ((struct number *)at->head)->value;
  bool correct = true;
  for (struct pair *at = sort(list); at; at = at->tail) {
    double content = ((struct number *)at->head)->value;
    correct = correct && content >= before;
    before = content;
    sorted_sum += content;
  }
  *checksum = *checksum * 31 + (uint64_t)sum;
  return correct && sorted_sum == sum;
}

/* ---- Expressions: (0 . integer), (1 . x), (2 left . right) a sum, (3 left . right) a product ---- */

enum { CONSTANT, VARIABLE, SUM, PRODUCT };

static SHIM_NOINLINE value expression(uint64_t operation, value left, value right) {
  SHIM_FRAME(left, right);
  right = cons(left, right);
  right = cons(integer(operation), right);
  SHIM_END();
  return right;
}

static SHIM_NOINLINE value constant(uint64_t content) { return cons(integer(CONSTANT), integer(content)); }

/* ((x + c) x + c) x + c ... of a degree. */
static SHIM_NOINLINE value polynomial(uint64_t degree) {
  value result = NULL, part = NULL;
  SHIM_FRAME(result, part);
  result = constant(3);
  for (uint64_t i = 0; i < degree; i++) {
    part = cons(integer(VARIABLE), integer(0));
    result = expression(PRODUCT, result, part);
    part = constant(i);
    result = expression(SUM, result, part);
  }
  SHIM_END();
  return result;
}

static SHIM_NOINLINE value derivative(value of) {
  struct pair *pair = of, *operands = NULL;
  uint64_t operation = integer_of(pair->head);
  if (operation == CONSTANT) return constant(0);
  if (operation == VARIABLE) return constant(1);
  value left = NULL, right = NULL;
  SHIM_FRAME(operands, left, right);
  operands = pair->tail;
  left = derivative(operands->head);
  right = derivative(operands->tail);
  if (operation == PRODUCT) {
    left = expression(PRODUCT, left, operands->tail);
    right = expression(PRODUCT, operands->head, right);
  }
  left = expression(SUM, left, right);
  SHIM_END();
  return left;
}

static uint64_t evaluate(const struct pair *of, uint64_t x) {
  uint64_t operation = integer_of(of->head);
  if (operation == CONSTANT) return integer_of(of->tail);
  if (operation == VARIABLE) return x;
  const struct pair *operands = of->tail;
  uint64_t left = evaluate(operands->head, x), right = evaluate(operands->tail, x);
  return operation == SUM ? left + right : left * right;
}

/* The derivative at 1 of 3 x^n + 0 x^(n-1) + 1 x^(n-2) + ... is the sum of coefficients times exponents. */
static SHIM_NOINLINE bool differentiating(uint64_t degree) {
  uint64_t expected = 3 * degree;
  for (uint64_t i = 0; i < degree; i++) expected += i * (degree - 1 - i);
  return evaluate(derivative(polynomial(degree)), 1) == expected;
}

/* ---- The persistent tree ---- */

static uint64_t priority(uint64_t key) { return key * UINT64_C(0x9e3779b97f4a7c15) ^ key << 17; }

static SHIM_NOINLINE struct node *new_node(uint64_t key, value content, struct node *left, struct node *right) {
  SHIM_FRAME(content, left, right);
  struct node *node = shim_allocate(node_kind, sizeof *node);
  node->key = key;
  shim_store(node, &node->content, content);
  shim_store(node, &node->left, left);
  shim_store(node, &node->right, right);
  SHIM_END();
  return node;
}

/* A tree that has the key; every node on the way is new. */
static SHIM_NOINLINE struct node *with(struct node *tree, uint64_t key, value content) {
  if (!tree) return new_node(key, content, NULL, NULL);
  if (tree->key == key) return new_node(key, content, tree->left, tree->right);
  struct node *child = NULL;
  SHIM_FRAME(tree, child);
  struct node *result;
  if (key < tree->key) {
    child = with(tree->left, key, content);
    if (priority(child->key) > priority(tree->key)) {
      tree = new_node(tree->key, tree->content, child->right, tree->right);
      result = new_node(child->key, child->content, child->left, tree);
    } else {
      result = new_node(tree->key, tree->content, child, tree->right);
    }
  } else {
    child = with(tree->right, key, content);
    if (priority(child->key) > priority(tree->key)) {
      tree = new_node(tree->key, tree->content, tree->left, child->left);
      result = new_node(child->key, child->content, tree, child->right);
    } else {
      result = new_node(tree->key, tree->content, tree->left, child);
    }
  }
  SHIM_END();
  return result;
}

/* Walks a tree in order: counts, and adds up keys, each weighted with what is first in its list. */
static uint64_t walk(const struct node *tree, uint64_t *count, uint64_t *last, bool *correct) {
  if (!tree) return 0;
  uint64_t sum = walk(tree->left, count, last, correct);
  *correct = *correct && (*count == 0 || *last < tree->key);
  *last = tree->key;
  ++*count;
  const struct pair *content = tree->content;
  *correct = *correct && integer_of(((const struct pair *)content->tail)->head) == tree->key;
  sum += tree->key * integer_of(content->head);
  return sum + walk(tree->right, count, last, correct);
}

static SHIM_NOINLINE struct node *update(struct node *tree, uint64_t key, uint64_t content) {
  struct pair *list = NULL;
  SHIM_FRAME(tree, list);
  list = cons(integer(key), NULL);
  list = cons(integer(content), list);
  tree = with(tree, key, list);
  SHIM_END();
  return tree;
}

static SHIM_NOINLINE bool run(uint64_t size, uint64_t *checksum) {
  struct node *tree = NULL;
  bool correct = true;
  SHIM_FRAME(tree);
  for (uint64_t key = 0; key < size; key++) tree = update(tree, key * 7919 % size, 1);
  shim_checkpoint();
  for (uint64_t i = 0; i < size; i++) {
    tree = update(tree, shim_random_below(size), i);
    if (i % 2 == 0) correct = sorting(40, checksum) && correct;
    if (i % 4 == 0) correct = differentiating(20) && correct;
  }
  uint64_t count = 0, last = 0;
  *checksum += walk(tree, &count, &last, &correct);
  SHIM_END();
  return correct && count == size;
}

int main(int argc, char **argv) {
  uint64_t size = shim_begin(argc, argv, 60000, __builtin_frame_address(0));
  pair_kind = shim_define("pair", sizeof(struct pair), 3);
  number_kind = shim_define("number", sizeof(struct number), 0);
  node_kind = shim_define("node", sizeof(struct node), 7);
  uint64_t checksum = 0;
  bool correct = run(size, &checksum);
  return shim_finish(correct, checksum);
}
