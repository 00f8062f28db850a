/* Exceptions raised by C code, and the report of one that nothing caught. */
#include "errors.h"

#include <string.h>

#include "heap.h"
#include "ports.h"
#include "printer.h"

/* The irritants are pushed on the VM stack, where the heap scans them while the condition is made. */
value raise_error(struct vm *vm, enum condition_kind kind, const char *message, int count,
                  const value *irritants) {
  value *base = vm->top;
  for (int i = 0; i < count; i++)
    base[i] = irritants[i];
  base[count] = NIL;
  vm->top = base + count + 1;
  for (int i = count - 1; i >= 0; i--) {
    value list = make_pair(vm, base[i], base[count]);
    if (list == FAIL)
      return FAIL;
    base[count] = list;
  }
  value text = make_string_from(vm, message);
  value condition = text == FAIL ? FAIL : make_condition(vm, kind, text, base[count]);
  vm->top = base;
  if (condition != FAIL)
    vm->roots.exception = condition;
  return FAIL;
}

value raise_type(struct vm *vm, const char *message, value irritant) {
  return raise_error(vm, CONDITION_TYPE, message, 1, &irritant);
}

value raise_arity(struct vm *vm, value procedure, int argc) {
  value irritants[2] = {procedure, make_fixnum(argc)};
  return raise_error(vm, CONDITION_ARITY, "wrong number of arguments", 2, irritants);
}

static void report_condition(struct vm *vm, struct port *port, const struct condition *condition) {
  print_value(vm, port, condition->message, PRINT_DISPLAY);
  const char *separator = ": ";
  for (value rest = condition->irritants; is_pair(rest); rest = cdr(rest)) {
    port_write_text(port, separator);
    print_value(vm, port, car(rest), PRINT_WRITE);
    separator = " ";
  }
}

enum { CHAIN_MAX = 24 };

struct chain {
  struct vm *vm;
  struct port *port;
  int printed, skipped;
};

/* Frames of the procedures that raise are noise at the innermost end. */
static bool is_machinery(struct vm *vm, value name) {
  static const char *const names[] = {"raise", "error", "raise-continuable", NULL};
  char text[24];
  if (!is_symbol(vm, name))
    return false;
  string_copy_text(symbol_of(name)->name, text, sizeof text);
  for (int i = 0; names[i]; i++)
    if (!strcmp(text, names[i]))
      return true;
  return text[0] == '%';
}

static void report_frame(struct chain *chain, value procedure) {
  if (!is_procedure(procedure))
    return;
  value name = code_of(closure_of(procedure)->code)->name;
  const struct builtin *builtin = builtin_of(procedure);
  if (!builtin && chain->printed == 0 && is_machinery(chain->vm, name))
    return;
  if (chain->printed == CHAIN_MAX) {
    chain->skipped++;
    return;
  }
  port_write_text(chain->port, "  in ");
  if (builtin)
    port_write_text(chain->port, builtin->name);
  else if (name == NIL)
    port_write_text(chain->port, "the top level");
  else if (name != FALSE_VALUE)
    print_value(chain->vm, chain->port, name, PRINT_DISPLAY);
  else
    port_write_text(chain->port, "a lambda expression");
  port_write_text(chain->port, "\n");
  chain->printed++;
}

/* First the live stack, then the captured segments below it. */
static void report_chain(struct chain *chain, value *frame) {
  struct vm *vm = chain->vm;
  while (frame && frame > vm->base) {
    report_frame(chain, frame[0]);
    if (frame == vm->base + LINKAGE)
      break;
    frame -= frame[-1] / sizeof(value);
  }
  value segment = vm->roots.segment;
  int64_t height = fixnum_of(vm->roots.height);
  while (segment != FALSE_VALUE) {
    const value *words = segment_of(segment)->words;
    while (height > LINKAGE) {
      height -= (int64_t)(words[height - 1] / sizeof(value));
      report_frame(chain, words[height]);
    }
    height = fixnum_of(segment_of(segment)->older_height);
    segment = segment_of(segment)->older;
  }
}

void report_exception(struct vm *vm, value exception, value *frame) {
  struct port *port = port_standard_error(vm);
  port_flush(port_of(vm->roots.output));
  if (is_kind(vm, exception, KIND_CONDITION)) {
    port_write_text(port, "error: ");
    report_condition(vm, port, condition_of(exception));
  } else {
    port_write_text(port, "error: uncaught exception: ");
    print_value(vm, port, exception, PRINT_WRITE);
  }
  port_write_text(port, "\n");
  struct chain chain = {vm, port, 0, 0};
  report_chain(&chain, frame);
  if (chain.skipped) {
    char text[48];
    snprintf(text, sizeof text, "  and %d more\n", chain.skipped);
    port_write_text(port, text);
  }
  port_flush(port);
}
