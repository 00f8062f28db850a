/* Filling a new interpreter: special objects, keywords, builtins, and the procedures of boot.scm,
 * whose text is part of the program (embed.c makes boot_text.h from it). */
#include <string.h>

#include "boot_text.h"
#include "builtins.h"
#include "compiler.h"
#include "keywords.h"
#include "ports.h"
#include "reader.h"

static const char *const keyword_names[KEYWORD_COUNT] = {
#define X(name, text) [KEYWORD_##name] = text,
    KEYWORDS(X)
#undef X
};

static bool define_keywords(struct vm *vm) {
  for (int keyword = NOT_A_KEYWORD + 1; keyword < KEYWORD_COUNT; keyword++) {
    value symbol = intern(vm, keyword_names[keyword]);
    if (symbol == FAIL)
      return false;
    symbol_of(symbol)->keyword = keyword;
  }
  return true;
}

static bool define_builtin(struct vm *vm, const struct builtin *builtin) {
  value symbol = intern(vm, builtin->name);
  if (symbol == FAIL)
    return false;
  struct global *global = global_of(vm, symbol);
  if (!global)
    return false;
  value procedure = make_builtin(vm, builtin);
  if (procedure == FAIL)
    return false;
  global->content = procedure;
  global->builtin = builtin;
  global->inlined = make_fixnum(INLINE_BUILTIN);
  return true;
}

static bool define_builtins(struct vm *vm) {
  static const struct builtin *const tables[] = {
      number_builtins, real_builtins, list_builtins,      character_builtins, string_builtins,   vector_builtins,
      port_builtins,   weak_builtins, hashtable_builtins, control_builtins,   collector_builtins,
      inspect_builtins};
  for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
    for (const struct builtin *builtin = tables[i]; builtin->name; builtin++)
      if (!define_builtin(vm, builtin))
        return false;
  return true;
}

/* %name is what the compiler uses for the procedure whatever the program does to `name`. */
static bool define_aliases(struct vm *vm) {
  static const char *const aliases[][2] = {{"%cons", "cons"},
                                           {"%append", "append"},
                                           {"%eq?", "eq?"},
                                           {"%eqv?", "eqv?"},
                                           {"%list->vector", "list->vector"},
                                           {"%call-with-values", "call-with-values"}};
  for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++) {
    value symbol = intern(vm, aliases[i][0]);
    if (symbol == FAIL)
      return false;
    struct global *alias = global_of(vm, symbol), *original = global_find(vm, aliases[i][1]);
    if (!alias || !original)
      return false;
    alias->content = original->content;
    alias->builtin = original->builtin;
    alias->inlined = original->inlined;
  }
  return true;
}

static bool make_standard_port(struct vm *vm, int file, bool is_input, value *root) {
  struct port *port = port_new_file(vm, file, is_input);
  if (!port)
    return false;
  port->is_standard = true;
  value object = make_port(vm, port);
  if (object == FAIL)
    return false;
  *root = object;
  return true;
}

static bool run_text(struct vm *vm, const char *text) {
  struct port *port = port_new_string(vm, text, strlen(text));
  if (!port)
    return false;
  bool done = false, good = true;
  while (good && !done) {
    value form = read_datum(vm, port);
    done = form == EOF_VALUE;
    if (done)
      break;
    value thunk = form == FAIL ? FAIL : compile_toplevel(vm, form);
    good = thunk != FAIL && vm_execute(vm, thunk) != FAIL;
  }
  port_discard(port);
  return good;
}

static bool make_memory_condition(struct vm *vm) {
  value text = make_string_from(vm, "out of memory");
  value condition = text == FAIL ? FAIL : make_condition(vm, CONDITION_MEMORY, text, NIL);
  if (condition == FAIL)
    return false;
  vm->roots.out_of_memory = condition;
  return true;
}

/* The forms of these use globals that boot.scm defines later. */
static bool intern_helpers(struct vm *vm) {
  static const char *const names[] = {"%guard", "%parameterize", "%case-lambda", "%make-delayed",
                                      "%make-lazy"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    value symbol = intern(vm, names[i]);
    if (symbol == FAIL || !global_of(vm, symbol))
      return false;
  }
  return true;
}

bool scheme_boot(struct vm *vm) {
  vm->labels = vm_labels();
  if (!make_memory_condition(vm) || !stubs_make(vm))
    return false;
  stack_reset(vm);
  if (!define_keywords(vm) || !define_builtins(vm) || !define_aliases(vm) || !intern_helpers(vm))
    return false;
  if (!make_standard_port(vm, 0, true, &vm->roots.input) ||
      !make_standard_port(vm, 1, false, &vm->roots.output) ||
      !make_standard_port(vm, 2, false, &vm->roots.error))
    return false;
  if (!run_text(vm, boot_text))
    return false;
  vm->roots.raise = global_find(vm, "raise")->content;
  vm->roots.rewind = global_find(vm, "%rewind")->content;
  return true;
}
