/* The model's locals: operations below frames, scopes, bare C locals and coroutines, which must be what they were
 * afterwards. See model_internal.h. */
#include <stdlib.h>
#include <ucontext.h>

#include "model_internal.h"

/* Some operations below a frame of precise locals; afterwards they must still be what they were. */
static void in_a_frame(model *here) {
  void *first = NULL, *second = NULL, *third = NULL;
  size_t roots = here->root_count;
  if (roots + 3 > MODEL_MAXIMUM_ROOTS) return;
  MIDDEN_FRAME(here->mutator, first, second, third);
  uint32_t one = model_walk(here, &first), two = model_walk(here, &second), three = model_walk(here, &third);
  if (one == 0) first = NULL;
  if (two == 0) second = NULL;
  if (three == 0) third = NULL;
  model_push_root(here, (midden_word *)&first, one, false);
  model_push_root(here, (midden_word *)&second, two, false);
  model_push_root(here, (midden_word *)&third, three, false);
  model_operate(here, 1 + model_below(here, 80));
  if (!here->result->failed && model_below(here, 2) == 0) model_compare(here);
  here->root_count = roots;
  MIDDEN_END(here->mutator);
}

static void pin_in_scope(model *here, midden_word *word) {
  void *object = NULL;
  uint32_t index = model_walk(here, &object);
  if (index == 0 || here->root_count == MODEL_MAXIMUM_ROOTS) return;
  midden_status status = midden_pin_in_scope(here->mutator, object);
  if (status != MIDDEN_OK) model_fail(here, "midden_pin_in_scope: %s", midden_status_name(status));
  *word = (uintptr_t)object;
  model_push_root(here, word, index, true);
}

/* The same with handles and pins in a scope, some in an inner scope that closes first or is left open. */
static void in_a_scope(model *here) {
  size_t roots = here->root_count;
  midden_scope outer = midden_scope_open(here->mutator), inner = outer;
  size_t count = model_below(here, 30), at_inner = model_below(here, 30), inner_roots = SIZE_MAX;
  for (size_t i = 0; i < count; i++) {
    void *object = NULL;
    if (i == at_inner) {
      inner = midden_scope_open(here->mutator);
      inner_roots = here->root_count;
    }
    if (i % 8 == 3 && i / 8 < MODEL_SCOPED_PINS) pin_in_scope(here, &here->scoped[here->depth][i / 8]);
    uint32_t index = model_walk(here, &object);
    midden_handle handle = midden_handle_new(here->mutator, index == 0 ? NULL : object);
    if (handle == NULL || !model_push_root(here, handle, index, false)) break;
  }
  model_operate(here, 1 + model_below(here, 80));
  if (inner_roots != SIZE_MAX && model_below(here, 2) == 0) {
    midden_scope_close(here->mutator, inner);
    here->root_count = inner_roots;
    model_operate(here, 1 + model_below(here, 40));
  }
  here->root_count = roots;
  midden_scope_close(here->mutator, outer);
}

/* stack=pinning: a bare local keeps its object in place and no more, so a root beside it keeps that alive. post: the root. */
static midden_word *keep_beside(model *here, size_t which, midden_word local) {
  midden_word *kept = &here->kept[here->depth][which];
  if (here->config.stack == MIDDEN_STACK_PINNING) *kept = local;
  return kept;
}

/* stack=conservative: a bare local, found by the scan and by nothing else, is as good as a root. */
static __attribute__((noinline)) void beside_a_local(model *here) {
  void *object = NULL;
  size_t roots = here->root_count;
  uint32_t index = model_walk(here, &object);
  midden_word local = index == 0 ? 0 : (midden_word)object;
  midden_word before = local;
  if (!model_push_root(here, &local, index, false)) return;
  midden_word *kept = keep_beside(here, MODEL_KEPT_LOCAL, local);
  model_operate(here, 1 + model_below(here, 80));
  if (local != before) model_fail(here, "a local that no frame names was rewritten");
  if (!here->result->failed) model_compare(here);
  *kept = 0;
  here->root_count = roots;
}

/* ---- Coroutines ---- */

typedef struct coroutine {
  ucontext_t here, caller;
  midden_stack *stack;
  model *model;
} coroutine;

/* Leaves one stack for another, announced as roots.h asks. */
static __attribute__((noinline)) void change_stack(model *here, midden_stack *to, ucontext_t *from, ucontext_t *next) {
  if (midden_stack_switch(here->mutator, to) != MIDDEN_OK) model_fail(here, "midden_stack_switch");
  swapcontext(from, next);
}

/* On the coroutine: a local that nothing else has while the caller's stack runs, then operations above that. */
static void run_coroutine(unsigned high, unsigned low) {
  coroutine *self = (void *)((uintptr_t)high << 32 | low);
  model *here = self->model;
  void *object = NULL;
  uint32_t index = model_walk(here, &object);
  midden_word local = index == 0 ? 0 : (midden_word)object, before = local;
  size_t roots = here->root_count;
  bool pushed = model_push_root(here, &local, index, false);
  midden_word *kept = keep_beside(here, MODEL_KEPT_COROUTINE, local);
  change_stack(here, NULL, &self->here, &self->caller);
  if (pushed) model_operate(here, 1 + model_below(here, 40));
  if (pushed && local != before) model_fail(here, "a coroutine's local was rewritten");
  if (!here->result->failed && pushed) model_compare(here);
  *kept = 0;
  here->root_count = roots;
  if (midden_stack_switch(here->mutator, NULL) != MIDDEN_OK) model_fail(here, "midden_stack_switch");
  setcontext(&self->caller);
}

/* stack=conservative: the only reference is on a stack that does not run: the coroutine's, and then the caller's. */
static void beside_a_coroutine(model *here) {
  enum { STACK_BYTES = 1 << 20 };
  coroutine made = {.model = here};
  void *memory = here->in_coroutine ? NULL : malloc(STACK_BYTES);
  if (memory == NULL) return;
  here->in_coroutine = true;
  made.stack = midden_stack_add(here->mutator, memory, STACK_BYTES);
  if (made.stack == NULL || getcontext(&made.here) != 0) model_fail(here, "midden_stack_add");
  made.here.uc_stack.ss_sp = memory;
  made.here.uc_stack.ss_size = STACK_BYTES;
  made.here.uc_link = NULL;
  uintptr_t self = (uintptr_t)&made;
  makecontext(&made.here, (void (*)(void))run_coroutine, 2, (unsigned)(self >> 32), (unsigned)self);
  if (!here->result->failed) {
    size_t roots = here->root_count;
    change_stack(here, made.stack, &made.caller, &made.here);
    model_operate(here, 1 + model_below(here, 40));
    void *object = NULL;
    uint32_t index = model_walk(here, &object);
    midden_word local = index == 0 ? 0 : (midden_word)object, before = local;
    model_push_root(here, &local, index, false);
    midden_word *kept = keep_beside(here, MODEL_KEPT_CALLER, local);
    change_stack(here, made.stack, &made.caller, &made.here);
    *kept = 0;
    if (local != before) model_fail(here, "the local of a stack that did not run was rewritten");
    here->root_count = roots;
  }
  if (midden_stack_remove(here->mutator, made.stack) != MIDDEN_OK) model_fail(here, "midden_stack_remove");
  free(memory);
  here->in_coroutine = false;
}

void model_nest(model *here) {
  if (here->depth == MODEL_MAXIMUM_DEPTH) return;
  here->depth++;
  size_t choice = model_below(here, 4);
  if (choice == 0) in_a_frame(here);
  else if (choice == 1 || here->config.stack == MIDDEN_STACK_PRECISE) in_a_scope(here);
  else if (choice == 2) beside_a_local(here);
  else beside_a_coroutine(here);
  here->depth--;
}
