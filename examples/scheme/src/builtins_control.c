/* Builtins: procedures, exceptions, time and the system. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builtins.h"
#include "equal.h"
#include "ports.h"

/* ---- Equivalence and types ---- */
static value eq(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(argv[0] == argv[1]);
}
static value eqv(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(values_eqv(argv[0], argv[1]));
}
static value equal(struct vm *vm, value *argv, int argc) {
  (void)argc;
  enum equality equality = values_equal(vm, argv[0], argv[1]);
  return equality == EQUAL_NO_MEMORY ? out_of_memory(vm) : make_boolean(equality == EQUAL_YES);
}
static value not_(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(argv[0] == FALSE_VALUE);
}

#define PREDICATE(function, expression)                                                                      \
  static value function(struct vm *vm, value *argv, int argc) {                                              \
    (void)vm, (void)argc;                                                                                    \
    value v = argv[0];                                                                                       \
    return make_boolean(expression);                                                                         \
  }
PREDICATE(is_pair_, is_pair(v))
PREDICATE(is_null, v == NIL)
PREDICATE(is_boolean_, is_boolean(v))
PREDICATE(is_procedure_, is_procedure(v))

static value boolean_equal(struct vm *vm, value *argv, int argc) {
  bool holds = true;
  for (int i = 0; i < argc; i++) {
    if (!is_boolean(argv[i]))
      return bad_argument(vm, "boolean=?", "not a boolean", argv[i]);
    if (argv[i] != argv[0])
      holds = false;
  }
  return make_boolean(holds);
}

/* Exactly n: n. At least n: -1 - n. */
static value procedure_arity(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_procedure(argv[0]))
    return bad_argument(vm, "%procedure-arity", "not a procedure", argv[0]);
  const struct builtin *builtin = builtin_of(argv[0]);
  if (builtin)
    return make_fixnum(builtin->minimum == builtin->maximum ? builtin->minimum : -1 - builtin->minimum);
  int64_t arity = code_of(closure_of(argv[0])->code)->arity;
  return make_fixnum(arity >= 0 ? arity : arity == ARITY_OWN ? -1 : arity + 1);
}

/* ---- Exceptions: the parts that boot.scm puts together ---- */
static value handlers(struct vm *vm, value *argv, int argc) {
  return (void)argv, (void)argc, vm->roots.handlers;
}
static value set_handlers(struct vm *vm, value *argv, int argc) {
  (void)argc;
  vm->roots.handlers = argv[0];
  return UNSPECIFIED;
}
/* The same, where a program enters a with-exception-handler: it may count on catching errors. */
static value install_handlers(struct vm *vm, value *argv, int argc) {
  (void)argc;
  heap_restore_ballast(vm);
  vm->roots.handlers = argv[0];
  return UNSPECIFIED;
}
static value winders(struct vm *vm, value *argv, int argc) {
  return (void)argv, (void)argc, vm->roots.winders;
}
static value set_winders(struct vm *vm, value *argv, int argc) {
  (void)argc;
  vm->roots.winders = argv[0];
  return UNSPECIFIED;
}
static value continuation_winders(struct vm *vm, value *argv, int argc) {
  (void)vm, (void)argc;
  return closure_of(argv[0])->slots[CONTINUATION_WINDERS];
}

/* Nothing handles it: reported, and the program is left. */
static value uncaught(struct vm *vm, value *argv, int argc) {
  (void)argc;
  vm->aborting = true;
  vm->roots.exception = argv[0];
  report_exception(vm, argv[0], vm->frame);
  return FAIL;
}

static value make_error(struct vm *vm, value *argv, int argc) {
  (void)argc;
  return make_condition(vm, CONDITION_ERROR, argv[0], argv[1]);
}

static bool is_condition(const struct vm *vm, value v) { return is_kind(vm, v, KIND_CONDITION); }
static bool is_condition_of(const struct vm *vm, value v, enum condition_kind kind) {
  return is_condition(vm, v) && condition_of(v)->kind == make_fixnum(kind);
}

PREDICATE(is_error, is_condition(vm, v))
PREDICATE(is_file_error, is_condition_of(vm, v, CONDITION_FILE))
PREDICATE(is_read_error, is_condition_of(vm, v, CONDITION_READ))
PREDICATE(is_memory_error, is_condition_of(vm, v, CONDITION_MEMORY))
PREDICATE(is_exhaustion, is_condition_of(vm, v, CONDITION_MEMORY) || is_condition_of(vm, v, CONDITION_STACK))

static value error_message(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_condition(vm, argv[0]))
    return bad_argument(vm, "error-object-message", "not an error object", argv[0]);
  return condition_of(argv[0])->message;
}
static value error_irritants(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_condition(vm, argv[0]))
    return bad_argument(vm, "error-object-irritants", "not an error object", argv[0]);
  return condition_of(argv[0])->irritants;
}

/* ---- Leaving ---- */
static value exit_(struct vm *vm, value *argv, int argc) {
  vm->exiting = vm->aborting = true;
  vm->exit_code = argc == 0 || argv[0] == TRUE_VALUE ? 0
                  : is_fixnum(argv[0])               ? (int)(fixnum_of(argv[0]) & 0xff)
                                                     : 1;
  return FAIL;
}

/* ---- Time and the system ---- */
static double seconds(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static value current_second(struct vm *vm, value *argv, int argc) {
  return (void)argv, (void)argc, make_flonum(vm, seconds(CLOCK_REALTIME));
}
static value current_jiffy(struct vm *vm, value *argv, int argc) {
  (void)vm, (void)argv, (void)argc;
  return make_fixnum((int64_t)(seconds(CLOCK_MONOTONIC) * 1e6));
}
static value jiffies_per_second(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argv, (void)argc, make_fixnum(1000000);
}

static value command_line(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  value result = NIL;
  SCHEME_FRAME(vm, result);
  for (int i = vm->argument_count - 1; i >= 0 && result != FAIL; i--) {
    value text = make_string_from(vm, vm->arguments[i]);
    result = text == FAIL ? FAIL : make_pair(vm, text, result);
  }
  SCHEME_END(vm);
  return result;
}

static value get_environment_variable(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, "get-environment-variable", "not a string", argv[0]);
  size_t size;
  char *name = string_text(argv[0], &size);
  if (!name)
    return out_of_memory(vm);
  const char *content = getenv(name);
  free(name);
  return content ? make_string_from(vm, content) : FALSE_VALUE;
}

static value features(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  value symbol = intern(vm, "midden-scheme");
  return symbol == FAIL ? FAIL : make_pair(vm, symbol, NIL);
}

static value unspecified(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argv, (void)argc, UNSPECIFIED;
}

const struct builtin control_builtins[] = {
    {"eq?", eq, 2, 2},
    {"eqv?", eqv, 2, 2},
    {"equal?", equal, 2, 2},
    {"not", not_, 1, 1},
    {"pair?", is_pair_, 1, 1},
    {"null?", is_null, 1, 1},
    {"boolean?", is_boolean_, 1, 1},
    {"boolean=?", boolean_equal, 1, -1},
    {"procedure?", is_procedure_, 1, 1},
    {"%procedure-arity", procedure_arity, 1, 1},
    {"%handlers", handlers, 0, 0},
    {"%set-handlers!", set_handlers, 1, 1},
    {"%install-handlers!", install_handlers, 1, 1},
    {"%winders", winders, 0, 0},
    {"%set-winders!", set_winders, 1, 1},
    {"%continuation-winders", continuation_winders, 1, 1},
    {"%uncaught", uncaught, 1, 1},
    {"%make-error", make_error, 2, 2},
    {"error-object?", is_error, 1, 1},
    {"file-error?", is_file_error, 1, 1},
    {"read-error?", is_read_error, 1, 1},
    {"out-of-memory-error?", is_memory_error, 1, 1},
    {"%exhaustion?", is_exhaustion, 1, 1},
    {"error-object-message", error_message, 1, 1},
    {"error-object-irritants", error_irritants, 1, 1},
    {"%exit", exit_, 0, 1},
    {"emergency-exit", exit_, 0, 1},
    {"current-second", current_second, 0, 0},
    {"current-jiffy", current_jiffy, 0, 0},
    {"jiffies-per-second", jiffies_per_second, 0, 0},
    {"command-line", command_line, 0, 0},
    {"get-environment-variable", get_environment_variable, 1, 1},
    {"features", features, 0, 0},
    {"interaction-environment", unspecified, 0, 0},
    {"system-global-environment", unspecified, 0, 0},
    {NULL, NULL, 0, 0},
};
