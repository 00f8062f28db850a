/* The virtual machine: one function that runs register bytecode with direct threading.
 *
 * Scheme calls, captures of continuations, errors and handlers all happen on the VM stack; the
 * loop never calls itself, so the C stack holds no Scheme state worth speaking of. Values that
 * must survive an allocation are in registers of the frame, which the heap scans up to vm->top:
 * each instruction that may allocate sets top first and reads its operands after. */
#include "vm.h"

#include "compiler.h"
#include "errors.h"
#include "heap.h"
#include "numbers.h"

/* For the compiler: where each instruction's code is. */
struct entry {
  struct vm *vm;
  value procedure;
  const void *const *labels; /* out */
};

static value frame_constants(const value *fp) { return code_of(closure_of(fp[0])->code)->constants; }

/* The end of the frame: what to scan when no instruction says it more exactly. */
static value *frame_end(value *fp, int64_t argc) {
  int64_t size = code_of(closure_of(fp[0])->code)->frame_size;
  return fp + (size > argc + 1 ? size : argc + 1);
}

static bool type_test(const struct vm *vm, value v, unsigned test) {
  switch ((enum type_test)test) {
  case TEST_FIXNUM:
    return is_fixnum(v);
  case TEST_NUMBER:
    return is_number(v);
  case TEST_SYMBOL:
    return is_symbol(vm, v);
  case TEST_STRING:
    return is_string(vm, v);
  case TEST_VECTOR:
    return is_vector(v);
  case TEST_PROCEDURE:
    return is_procedure(v);
  case TEST_CHARACTER:
    return is_character(v);
  case TEST_BOOLEAN:
    return is_boolean(v);
  case TEST_FLONUM:
    return is_flonum(v);
  }
  return false;
}

static bool is_record_of(value v, value type) { return has_tag(v, TAG_OBJECT) && record_of(v)->type == type; }

/* Turns the arguments past `required` into a list, in place. false: no memory. */
static bool collect_rest(struct vm *vm, value *frame, int64_t argc, int64_t required) {
  value *list = frame + argc + 1;
  *list = NIL;
  vm->top = list + 1;
  for (int64_t i = argc; i > required; i--) {
    struct pair *pair = heap_allocate(vm, KIND_PAIR);
    if (!pair)
      return false;
    heap_initialise(&pair->car, frame[i]);
    heap_initialise(&pair->cdr, *list);
    *list = tagged(pair, TAG_PAIR);
  }
  frame[required + 1] = *list;
  return true;
}

/* Spreads a list over the stack from `to` on. post: the number of elements; -1: not a list, or no
 * room; an exception is set. */
static int64_t spread_list(struct vm *vm, value *to, value list) {
  int64_t count = 0;
  vm->top = to;
  for (value rest = list; is_pair(rest); rest = cdr(rest)) {
    if (to + count + 2 > vm->soft_limit && !stack_grow(vm, to + count + 2))
      return -1;
    to[count++] = car(rest);
    vm->top = to + count;
    if (!is_pair(cdr(rest)) && cdr(rest) != NIL)
      list = cdr(rest);
  }
  if (list == NIL || is_pair(list))
    return count;
  raise_error(vm, CONDITION_TYPE, "apply: not a list", 1, &list);
  return -1;
}

static int64_t spread_values(struct vm *vm, value *to, value v) {
  if (!is_kind(vm, v, KIND_MULTIPLE)) {
    *to = v;
    return 1;
  }
  int64_t count = fixnum_of(multiple_of(v)->count);
  if (to + count > vm->soft_limit && !stack_grow(vm, to + count))
    return -1;
  for (int64_t i = 0; i < count; i++)
    to[i] = multiple_of(v)->items[i];
  return count;
}

#define DISPATCH() goto * pc->label
#define NEXT(words)                                                                                          \
  do {                                                                                                       \
    pc += (words);                                                                                           \
    DISPATCH();                                                                                              \
  } while (0)
#define A (pc[1].r.a)
#define B (pc[1].r.b)
#define C (pc[1].r.c)
#define D (pc[1].r.d)
#define R(n) (fp[n])
#define CONSTANT(word) (vector_of(frame_constants(fp))->items[pc[word].integer])
#define BRANCH(taken, words)                                                                                 \
  do {                                                                                                       \
    if (taken)                                                                                               \
      pc += pc[1].j.offset;                                                                                  \
    else                                                                                                     \
      pc += (words);                                                                                         \
    DISPATCH();                                                                                              \
  } while (0)
#define TYPE_ERROR(text, object)                                                                             \
  do {                                                                                                       \
    message = (text);                                                                                        \
    culprit = (object);                                                                                      \
    goto type_error;                                                                                         \
  } while (0)

/* Starts `callee` in the frame at `frame`, whose linkage and arguments are in place. */
#define ENTER(callee)                                                                                        \
  do {                                                                                                       \
    const struct code *code_ = code_of(closure_of(callee)->code);                                            \
    if (MIDDEN_UNLIKELY(code_->arity != argc))                                                               \
      goto arity_differs;                                                                                    \
    if (MIDDEN_UNLIKELY(frame > vm->soft_limit))                                                             \
      goto stack_full;                                                                                       \
    fp = frame;                                                                                              \
    pc = code_->instructions;                                                                                \
    DISPATCH();                                                                                              \
  } while (0)
#define LINK(window, words)                                                                                  \
  do {                                                                                                       \
    frame = fp + (window) + LINKAGE;                                                                         \
    frame[-2] = (value)(pc + (words));                                                                       \
    frame[-1] = (value)((window) + LINKAGE) * sizeof(value);                                                 \
  } while (0)
#define RETURN_VALUE(v)                                                                                      \
  do {                                                                                                       \
    value result_ = (v);                                                                                     \
    value distance_ = fp[-1];                                                                                \
    pc = (const union word *)fp[-2];                                                                         \
    fp[-2] = result_;                                                                                        \
    fp -= distance_ / sizeof(value);                                                                         \
    DISPATCH();                                                                                              \
  } while (0)
/* Hands a result to the innermost captured frame. (The address of pc itself must not be taken: it
 * would have to live in memory.) */
#define RESUME(v)                                                                                            \
  do {                                                                                                       \
    value result_ = (v);                                                                                     \
    const union word *resume_at_;                                                                            \
    fp = continuation_resume(vm, &resume_at_, result_);                                                      \
    if (!fp)                                                                                                 \
      return result_;                                                                                        \
    pc = resume_at_;                                                                                         \
    DISPATCH();                                                                                              \
  } while (0)

static value run(struct entry *entry) {
  static const void *const labels[] = {
#define X(name, words, format) &&L_##name,
      OPCODES(X)
#undef X
  };
  if (!entry->vm) {
    entry->labels = labels;
    return FALSE_VALUE;
  }
  struct vm *vm = entry->vm;
  midden_mutator *const mutator = vm->mutator;
  value *fp, *frame;
  const union word *pc;
  int64_t argc = 0;
  const char *message = NULL;
  value culprit = FALSE_VALUE;

  fp = frame = stack_reset(vm);
  fp[0] = entry->procedure;
  pc = code_of(closure_of(fp[0])->code)->instructions;
  ENTER(fp[0]);

#include "vm_control.h"
#include "vm_tests.h"
#include "vm_numbers.h"
#include "vm_data.h"
#include "vm_entries.h"

  /* ---- out of line ---- */
not_procedure: /* culprit; pc and fp are the caller's */
  vm->top = frame_end(fp, argc);
  if (culprit == UNDEFINED && pc->label == labels[OP_CALL_GLOBAL])
    raise_error(vm, CONDITION_UNDEFINED, "undefined variable", 1, &pc[2].global->symbol);
  else if (culprit == UNDEFINED && pc->label == labels[OP_TAIL_CALL_GLOBAL])
    raise_error(vm, CONDITION_UNDEFINED, "undefined variable", 1, &pc[2].global->symbol);
  else
    raise_error(vm, CONDITION_TYPE, "not a procedure", 1, &culprit);
  goto raise;

arity_differs : {
  const struct code *code = code_of(closure_of(frame[0])->code);
  fp = frame;
  vm->frame = fp, vm->top = frame_end(fp, argc);
  if (fp > vm->soft_limit && !stack_grow(vm, fp))
    goto raise;
  if (code->arity == ARITY_OWN) {
    pc = code->instructions;
    DISPATCH();
  }
  int64_t required = code->arity < 0 ? -2 - code->arity : code->arity;
  if (argc < required || code->arity >= 0) {
    raise_arity(vm, fp[0], (int)argc);
    goto raise;
  }
  if (!collect_rest(vm, fp, argc, required))
    goto raise;
  argc = required + 1;
  pc = code_of(closure_of(fp[0])->code)->instructions;
  DISPATCH();
}

stack_full: /* the arity is right */
  fp = frame;
  vm->top = frame_end(fp, argc);
  if (!stack_grow(vm, frame))
    goto raise;
  pc = code_of(closure_of(fp[0])->code)->instructions;
  DISPATCH();

undefined_global:
  vm->top = frame_end(fp, argc);
  raise_error(vm, CONDITION_UNDEFINED, "undefined variable", 1, &pc[2].global->symbol);
  goto raise;

no_memory:
  out_of_memory(vm);
  goto raise;

type_error:
  argc = 0;
  vm->top = frame_end(fp, 0);
  raise_error(vm, CONDITION_TYPE, message, 1, &culprit);

raise: /* the exception is set: call the Scheme procedure that finds the handler */
  if (vm->aborting || !is_procedure(vm->roots.raise))
    return FAIL;
  frame = frame_end(fp, argc) + LINKAGE;
  if (frame > vm->soft_limit && !stack_grow(vm, frame))
    return FAIL;
  frame[-2] = (value)pc;
  frame[-1] = (value)((char *)frame - (char *)fp);
  frame[0] = vm->roots.raise;
  frame[1] = vm->roots.exception;
  argc = 1;
  ENTER(frame[0]);
}

const void *const *vm_labels(void) {
  struct entry entry = {NULL, FALSE_VALUE, NULL};
  run(&entry);
  return entry.labels;
}

value vm_execute(struct vm *vm, value procedure) {
  struct entry entry = {vm, procedure, NULL};
  vm->aborting = false;
  value result = run(&entry);
  stack_reset(vm);
  return result;
}
