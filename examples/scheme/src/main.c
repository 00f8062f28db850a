/* midden-scheme: files, expressions, or an interactive session. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>

#include "compiler.h"
#include "heap.h"
#include "ports.h"
#include "printer.h"
#include "reader.h"
#include "errors.h"
#include "inspect.h"

struct options {
  const char *file;
  const char *expression;
  const char *load[8]; /* files to run before */
  int load_count;
  const char *snapshot, *map; /* where to write them at the end */
  bool statistics;
  bool disassemble;
  const char *const *rest; /* for the program: its name and what follows */
  int rest_count;
};

static void usage(FILE *file) {
  fputs(
      "usage: midden-scheme [--gc=OPTIONS] [--gc-stats] [--gc-snapshot=FILE] [--gc-map=FILE] [--load=FILE]... [FILE ARGUMENT... | -e EXPRESSION]\n"
      "With neither a file nor an expression it reads, evaluates and prints what comes from standard input.\n"
      "The options of the heap can also be in the environment variable MIDDEN_SCHEME_GC:\n",
      file);
  char help[4096];
  midden_config_help(help, sizeof help);
  fputs(help, file);
}

/* post: -1 to go on; else the exit code. */
static int parse_arguments(int argc, char **argv, struct options *options, midden_config *config) {
  midden_error error;
  if (midden_config_env(config, "MIDDEN_SCHEME_GC", &error) != MIDDEN_OK) {
    fprintf(stderr, "midden-scheme: MIDDEN_SCHEME_GC: %s\n", error.message);
    return 2;
  }
  int i = 1;
  for (; i < argc && argv[i][0] == '-'; i++) {
    const char *argument = argv[i];
    if (!strncmp(argument, "--gc=", 5)) {
      if (midden_config_parse(config, argument + 5, &error) != MIDDEN_OK) {
        fprintf(stderr, "midden-scheme: %s\n", error.message);
        return 2;
      }
    } else if (!strcmp(argument, "--gc-stats")) {
      options->statistics = true;
    } else if (!strncmp(argument, "--gc-snapshot=", 14)) {
      options->snapshot = argument + 14;
    } else if (!strncmp(argument, "--gc-map=", 9)) {
      options->map = argument + 9;
    } else if (!strncmp(argument, "--load=", 7) && options->load_count < 8) {
      options->load[options->load_count++] = argument + 7;
    } else if (!strcmp(argument, "-e") && i + 1 < argc) {
      options->expression = argv[++i];
    } else if (!strcmp(argument, "--help") || !strcmp(argument, "-h")) {
      usage(stdout);
      return 0;
    } else {
      fprintf(stderr, "midden-scheme: unknown option %s\n", argument);
      usage(stderr);
      return 2;
    }
  }
  options->rest = (const char *const *)argv + i;
  options->rest_count = argc - i;
  if (!options->expression && i < argc)
    options->file = argv[i];
  return -1;
}

/* Compiles and runs a form. post: its value; FAIL: it was reported, or the program exits. */
static value evaluate(struct vm *vm, value form) {
  value thunk = compile_toplevel(vm, form);
  if (thunk == FAIL) {
    report_exception(vm, vm->roots.exception, NULL);
    return FAIL;
  }
  return vm_execute(vm, thunk);
}

/* All forms are read before the first one runs, so that the compiler knows which builtins the
 * program redefines. They are held as a list in vm->temporaries. post: the exit code. */
static int run_port(struct vm *vm, struct port *port, bool print) {
  struct value_stack *held = &vm->temporaries;
  size_t base = held->count;
  for (;;) {
    value form = read_datum(vm, port);
    if (form == EOF_VALUE)
      break;
    if (form == FAIL || !value_stack_push(held, form)) {
      report_exception(vm, vm->roots.exception, NULL);
      return 1;
    }
    compile_announce(vm, form);
  }
  for (size_t i = base; i < held->count; i++) {
    value form = held->items[i];
    held->items[i] = FALSE_VALUE; /* what was run may be collected */
    value result = evaluate(vm, form);
    if (vm->exiting)
      return vm->exit_code;
    if (result == FAIL)
      return 1;
    if (print && result != UNSPECIFIED) {
      print_value(vm, port_of(vm->roots.output), result, PRINT_WRITE);
      port_write(port_of(vm->roots.output), '\n');
    }
  }
  held->count = base;
  return 0;
}

static int run_file(struct vm *vm, const char *name) {
  int file = open(name, O_RDONLY | O_CLOEXEC);
  struct port *port = file < 0 ? NULL : port_new_file(vm, file, true);
  if (!port) {
    fprintf(stderr, "midden-scheme: %s cannot be read\n", name);
    if (file >= 0)
      close(file);
    return 1;
  }
  int code = run_port(vm, port, false);
  port_close(port);
  port_discard(port);
  return code;
}

/* Errors do not end a session. */
static int run_session(struct vm *vm) {
  struct port *in = port_of(vm->roots.input), *out = port_of(vm->roots.output);
  bool prompt = in->is_terminal && out->is_terminal;
  while (!vm->exiting) {
    if (prompt) {
      port_write_text(out, "> ");
      port_flush(out);
    }
    value form = read_datum(vm, in);
    if (form == EOF_VALUE)
      break;
    value result = form;
    if (form == FAIL)
      report_exception(vm, vm->roots.exception, NULL);
    else
      result = evaluate(vm, form);
    if (result == FAIL || result == UNSPECIFIED)
      continue;
    print_value(vm, out, result, PRINT_WRITE);
    port_write(out, '\n');
  }
  if (prompt)
    port_write(out, '\n');
  return vm->exit_code;
}

static int run(struct vm *vm, const struct options *options) {
  vm->arguments = options->rest;
  vm->argument_count = options->rest_count;
  for (int i = 0; i < options->load_count; i++) {
    int code = run_file(vm, options->load[i]);
    if (code != 0 || vm->exiting)
      return code;
  }
  if (options->file)
    return run_file(vm, options->file);
  if (!options->expression)
    return run_session(vm);
  struct port *port = port_new_string(vm, options->expression, strlen(options->expression));
  return port ? run_port(vm, port, true) : 1;
}

int main(int argc, char **argv) {
  int stack_bottom; /* everything that may hold a value is called from here */
  midden_config config = MIDDEN_CONFIG_DEFAULT;
  midden_error error;
  struct options options = {0};
  int code = parse_arguments(argc, argv, &options, &config);
  if (code >= 0)
    return code;
  struct vm *vm = scheme_open(&config, &stack_bottom, &error);
  if (!vm) {
    fprintf(stderr, "midden-scheme: %s\n", error.message);
    return 2;
  }
  code = run(vm, &options);
  ports_flush_all(vm);
  if ((options.snapshot && inspect_snapshot(vm, options.snapshot, &error) != MIDDEN_OK) ||
      (options.map && midden_heap_map(vm->heap, options.map, &error) != MIDDEN_OK)) {
    fprintf(stderr, "midden-scheme: %s\n", error.message);
    code = code ? code : 1;
  }
  if (options.statistics)
    heap_print_statistics(vm, stderr);
  scheme_close(vm);
  return code;
}
