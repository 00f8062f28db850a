/* Every way of telling the heap what the host holds: the code of docs/roots.md, run by a test.
 *
 * usage: roots [OPTIONS] */
#include <midden/midden.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>

struct pair {
  struct pair *car, *cdr;
};

struct host {
  midden_heap *heap;
  midden_mutator *mutator;
  midden_kind pair;
};

static void require(bool condition, const char *what) {
  if (condition) return;
  fprintf(stderr, "roots: %s\n", what);
  exit(1);
}

/* A pair whose car points to itself: `intact` sees whether a reference to it is still good. */
static struct pair *make(struct host *host) {
  struct pair *pair = midden_alloc(host->mutator, host->pair);
  require(pair != NULL, "out of memory");
  midden_store(host->mutator, pair, &pair->car, pair);
  return pair;
}

static bool intact(const struct pair *pair) {
  return pair->car == pair;
}

static void churn(struct host *host) {
  for (int i = 0; i < 1000; i++) make(host);
  midden_collect(host->mutator, MIDDEN_FULL);
}

/* ---- one slot, a range ---- */

static struct pair *global;
static struct pair *registers[16];

static void slots(struct host *host) {
  require(midden_root_add(host->heap, &global) == MIDDEN_OK, "root");
  require(midden_root_range_add(host->heap, registers, 16) == MIDDEN_OK, "range");

  global = make(host);
  registers[3] = make(host);
  churn(host);
  require(intact(global) && intact(registers[3]), "slots");

  midden_root_remove(host->heap, registers);
  midden_root_remove(host->heap, &global);
}

/* ---- a scanner ---- */

struct vm_stack {
  struct pair *slots[1024];
  size_t height;
};

static void scan_stack(midden_visitor *visitor, void *context) {
  struct vm_stack *stack = context;
  midden_visit_range(visitor, stack->slots, stack->height);
}

static void scanner(struct host *host) {
  static struct vm_stack stack;
  require(midden_root_scanner_add(host->heap, scan_stack, &stack) == MIDDEN_OK, "scanner");
  stack.slots[stack.height++] = make(host);
  churn(host);
  require(intact(stack.slots[0]), "scanner");
  midden_root_scanner_remove(host->heap, scan_stack, &stack);
}

/* ---- words that may be references ---- */

static void ambiguous(struct host *host) {
  static uintptr_t buffer[4];
  require(midden_root_ambiguous_add(host->heap, buffer, 4) == MIDDEN_OK, "ambiguous");
  buffer[2] = (uintptr_t)make(host);
  uintptr_t before = buffer[2];
  churn(host);
  require(buffer[2] == before && intact((struct pair *)before), "pinned");
  midden_root_remove(host->heap, buffer);
}

/* ---- frames ---- */

static struct pair *cons(struct host *host, struct pair *car, struct pair *cdr) {
  MIDDEN_FRAME(host->mutator, car, cdr);
  struct pair *pair = midden_alloc(host->mutator, host->pair);
  require(pair != NULL, "out of memory");
  midden_store(host->mutator, pair, &pair->car, car);
  midden_store(host->mutator, pair, &pair->cdr, cdr);
  MIDDEN_END(host->mutator);
  return pair;
}

static void frames(struct host *host) {
  struct pair *first = NULL, *second = NULL;
  MIDDEN_FRAME(host->mutator, first, second);
  first = make(host);
  second = make(host);
  first = cons(host, first, second);
  churn(host);
  require(first->cdr == second && intact(second) && intact(first->car), "frames");
  MIDDEN_END(host->mutator);
}

/* ---- handles ---- */

static void handles(struct host *host) {
  midden_scope scope = midden_scope_open(host->mutator);
  midden_handle handle = midden_handle_new(host->mutator, make(host));
  require(handle != NULL, "handle");
  churn(host);
  require(intact((struct pair *)*handle), "handle");
  midden_scope_close(host->mutator, scope);
}

/* ---- longjmp ---- */

static jmp_buf on_error;

static void fail_deep_inside(struct host *host) {
  struct pair *local = make(host);
  MIDDEN_FRAME(host->mutator, local);
  midden_scope_open(host->mutator);
  longjmp(on_error, 1); /* skips MIDDEN_END and the scope's end */
}

static void jumps(struct host *host) {
  midden_mark mark = midden_mark_save(host->mutator);
  if (setjmp(on_error) == 0) {
    fail_deep_inside(host);
  } else {
    midden_mark_restore(host->mutator, mark);
  }
  churn(host);
}

int main(int argc, char **argv) {
  struct host host;
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  if (midden_config_parse(&config, argc > 1 ? argv[1] : "", &error) != MIDDEN_OK ||
      midden_heap_open(&config, &host.heap, &error) != MIDDEN_OK) {
    fprintf(stderr, "%s\n", error.message);
    return 2;
  }
  host.mutator = midden_attach(host.heap, NULL, NULL);
  require(host.mutator != NULL, "attach");
  midden_shape shape = {.name = "pair", .size = sizeof(struct pair), .refs = MIDDEN_REFS_ALL};
  host.pair = midden_kind_define(host.heap, &shape, NULL);
  require(host.pair.id != 0, "kind");

  slots(&host);
  scanner(&host);
  ambiguous(&host);
  frames(&host);
  handles(&host);
  jumps(&host);
  midden_heap_close(host.heap);
  return 0;
}
