/* Builtins: ports, reading and printing. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builtins.h"
#include "ports.h"
#include "printer.h"
#include "reader.h"

/* ---- Which port ---- */
static bool is_port(const struct vm *vm, value v) { return is_kind(vm, v, KIND_PORT); }

/* The port in argv[index], or the current one; NULL: an exception is set. */
static struct port *input_port(struct vm *vm, const char *name, const value *argv, int argc, int index) {
  value v = argc > index ? argv[index] : vm->roots.input;
  if (!is_port(vm, v) || !port_of(v)->is_input) {
    bad_argument(vm, name, "not an input port", v);
    return NULL;
  }
  if (port_of(v)->is_closed) {
    bad_argument(vm, name, "the port is closed", v);
    return NULL;
  }
  return port_of(v);
}

static struct port *output_port(struct vm *vm, const char *name, const value *argv, int argc, int index) {
  value v = argc > index ? argv[index] : vm->roots.output;
  if (!is_port(vm, v) || port_of(v)->is_input) {
    bad_argument(vm, name, "not an output port", v);
    return NULL;
  }
  if (port_of(v)->is_closed) {
    bad_argument(vm, name, "the port is closed", v);
    return NULL;
  }
  return port_of(v);
}

/* ---- Opening and closing ---- */
static value open_file(struct vm *vm, const char *name, value *argv, int flags) {
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, name, "not a file's name", argv[0]);
  size_t size;
  char *path = string_text(argv[0], &size);
  if (!path)
    return out_of_memory(vm);
  int file = open(path, flags | O_CLOEXEC, 0666);
  if (file < 0 && (errno == EMFILE || errno == ENFILE)) {
    heap_collect(vm); /* closes the files of ports that the program has lost */
    file = open(path, flags | O_CLOEXEC, 0666);
  }
  free(path);
  if (file < 0) {
    char message[64];
    snprintf(message, sizeof message, "%s: the file cannot be opened", name);
    return raise_error(vm, CONDITION_FILE, message, 1, argv);
  }
  struct port *port = port_new_file(vm, file, (flags & O_ACCMODE) == O_RDONLY);
  if (!port) {
    close(file);
    return out_of_memory(vm);
  }
  return make_port(vm, port);
}

static value open_input_file(struct vm *vm, value *argv, int argc) {
  return (void)argc, open_file(vm, "open-input-file", argv, O_RDONLY);
}
static value open_output_file(struct vm *vm, value *argv, int argc) {
  return (void)argc, open_file(vm, "open-output-file", argv, O_WRONLY | O_CREAT | O_TRUNC);
}

static value open_input_string(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, "open-input-string", "not a string", argv[0]);
  size_t size;
  char *text = string_text(argv[0], &size);
  if (!text)
    return out_of_memory(vm);
  struct port *port = port_new_string(vm, text, size);
  free(text);
  return port ? make_port(vm, port) : out_of_memory(vm);
}

static value open_output_string(struct vm *vm, value *argv, int argc) {
  (void)argv, (void)argc;
  struct port *port = port_new_string(vm, NULL, 0);
  return port ? make_port(vm, port) : out_of_memory(vm);
}

static value get_output_string(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_port(vm, argv[0]) || port_of(argv[0])->is_input || port_of(argv[0])->file >= 0)
    return bad_argument(vm, "get-output-string", "not a string port", argv[0]);
  struct port *port = port_of(argv[0]);
  return make_string_from_bytes(vm, (const char *)port->buffer, port->end);
}

static value close_port(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_port(vm, argv[0]))
    return bad_argument(vm, "close-port", "not a port", argv[0]);
  port_close(port_of(argv[0]));
  return UNSPECIFIED;
}

static value current_input_port(struct vm *vm, value *argv, int argc) {
  return (void)argv, (void)argc, vm->roots.input;
}
static value current_output_port(struct vm *vm, value *argv, int argc) {
  return (void)argv, (void)argc, vm->roots.output;
}
static value current_error_port(struct vm *vm, value *argv, int argc) {
  return (void)argv, (void)argc, vm->roots.error;
}

static value set_current_input(struct vm *vm, value *argv, int argc) {
  if (!input_port(vm, "%set-current-input!", argv, argc, 0))
    return FAIL;
  vm->roots.input = argv[0];
  return UNSPECIFIED;
}
static value set_current_output(struct vm *vm, value *argv, int argc) {
  if (!output_port(vm, "%set-current-output!", argv, argc, 0))
    return FAIL;
  vm->roots.output = argv[0];
  return UNSPECIFIED;
}

static value is_port_(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_port(vm, argv[0]));
}
static value is_input_port(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_port(vm, argv[0]) && port_of(argv[0])->is_input);
}
static value is_output_port(struct vm *vm, value *argv, int argc) {
  return (void)argc, make_boolean(is_port(vm, argv[0]) && !port_of(argv[0])->is_input);
}
static value is_open(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_port(vm, argv[0]))
    return bad_argument(vm, "input-port-open?", "not a port", argv[0]);
  return make_boolean(!port_of(argv[0])->is_closed);
}

/* ---- Files ---- */
static value file_exists(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, "file-exists?", "not a file's name", argv[0]);
  size_t size;
  char *path = string_text(argv[0], &size);
  if (!path)
    return out_of_memory(vm);
  bool exists = access(path, F_OK) == 0;
  free(path);
  return make_boolean(exists);
}

static value delete_file(struct vm *vm, value *argv, int argc) {
  (void)argc;
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, "delete-file", "not a file's name", argv[0]);
  size_t size;
  char *path = string_text(argv[0], &size);
  if (!path)
    return out_of_memory(vm);
  int failed = unlink(path);
  free(path);
  return failed ? raise_error(vm, CONDITION_FILE, "delete-file: the file cannot be deleted", 1, argv)
                : UNSPECIFIED;
}

/* ---- Reading ---- */
/* Before waiting for input, what was printed should be seen. */
static void before_input(struct vm *vm, struct port *port) {
  if (port->is_terminal && port->start == port->end)
    ports_flush_all(vm);
}

static value character_or_end(int32_t c) { return c == PORT_EOF ? EOF_VALUE : make_character((uint32_t)c); }

static value read_(struct vm *vm, value *argv, int argc) {
  struct port *port = input_port(vm, "read", argv, argc, 0);
  if (!port)
    return FAIL;
  before_input(vm, port);
  return read_datum(vm, port);
}

static value read_char(struct vm *vm, value *argv, int argc) {
  struct port *port = input_port(vm, "read-char", argv, argc, 0);
  if (!port)
    return FAIL;
  before_input(vm, port);
  return character_or_end(port_read(port));
}

static value peek_char(struct vm *vm, value *argv, int argc) {
  struct port *port = input_port(vm, "peek-char", argv, argc, 0);
  if (!port)
    return FAIL;
  before_input(vm, port);
  return character_or_end(port_peek(port));
}

static value char_ready(struct vm *vm, value *argv, int argc) {
  struct port *port = input_port(vm, "char-ready?", argv, argc, 0);
  return port ? make_boolean(port_ready(port)) : FAIL;
}

/* Reads up to `count` characters, or up to a line's end, into a string. */
static value read_text(struct vm *vm, struct port *port, int64_t count, bool line) {
  struct port *text = port_new_string(vm, NULL, 0);
  if (!text)
    return out_of_memory(vm);
  before_input(vm, port);
  int32_t c = PORT_EOF;
  for (int64_t i = 0; i < count; i++) {
    c = port_read(port);
    if (c == PORT_EOF || (line && c == '\n'))
      break;
    size_t end = text->end;
    do
      port_write(text, (uint32_t)c);
    while (port_again(text, end));
    if (text->lacking)
      break;
  }
  value result = !port_forgive(text) ? out_of_memory(vm)
                 : c == PORT_EOF && text->end == 0 && count > 0
                     ? EOF_VALUE
                     : make_string_from_bytes(vm, (const char *)text->buffer, text->end);
  port_discard(text);
  return result;
}

static value read_line(struct vm *vm, value *argv, int argc) {
  struct port *port = input_port(vm, "read-line", argv, argc, 0);
  return port ? read_text(vm, port, INT64_MAX, true) : FAIL;
}

static value read_string(struct vm *vm, value *argv, int argc) {
  struct port *port = input_port(vm, "read-string", argv, argc, 1);
  if (!port)
    return FAIL;
  if (!is_fixnum(argv[0]) || fixnum_of(argv[0]) < 0)
    return bad_argument(vm, "read-string", "not a length", argv[0]);
  return read_text(vm, port, fixnum_of(argv[0]), false);
}

/* ---- Printing ---- */
static value written(struct vm *vm, struct port *port) {
  return port_forgive(port) ? UNSPECIFIED : out_of_memory(vm);
}

static value print(struct vm *vm, const char *name, value *argv, int argc, enum print_mode mode) {
  struct port *port = output_port(vm, name, argv, argc, 1);
  if (!port)
    return FAIL;
  size_t end = port->end;
  bool whole;
  do
    whole = print_value(vm, port, argv[0], mode);
  while (port_again(port, end));
  if (whole)
    return written(vm, port);
  if (port->file < 0)
    port->end = end;
  return out_of_memory(vm);
}

static value write_(struct vm *vm, value *argv, int argc) {
  return print(vm, "write", argv, argc, PRINT_WRITE);
}
static value display(struct vm *vm, value *argv, int argc) {
  return print(vm, "display", argv, argc, PRINT_DISPLAY);
}
static value write_shared(struct vm *vm, value *argv, int argc) {
  return print(vm, "write-shared", argv, argc, PRINT_WRITE_SHARED);
}
static value write_simple(struct vm *vm, value *argv, int argc) {
  return print(vm, "write-simple", argv, argc, PRINT_WRITE_SIMPLE);
}

static value newline(struct vm *vm, value *argv, int argc) {
  struct port *port = output_port(vm, "newline", argv, argc, 0);
  if (!port)
    return FAIL;
  size_t end = port->end;
  do
    port_write(port, '\n');
  while (port_again(port, end));
  return written(vm, port);
}

static value write_char(struct vm *vm, value *argv, int argc) {
  struct port *port = output_port(vm, "write-char", argv, argc, 1);
  if (!port)
    return FAIL;
  if (!is_character(argv[0]))
    return bad_argument(vm, "write-char", "not a character", argv[0]);
  size_t end = port->end;
  do
    port_write(port, character_of(argv[0]));
  while (port_again(port, end));
  return written(vm, port);
}

static value write_string(struct vm *vm, value *argv, int argc) {
  struct port *port = output_port(vm, "write-string", argv, argc, 1);
  int64_t start, end;
  if (!port)
    return FAIL;
  if (!is_string(vm, argv[0]))
    return bad_argument(vm, "write-string", "not a string", argv[0]);
  if (!optional_range(vm, "write-string", argv, argc, 2, string_of(argv[0])->length, &start, &end))
    return FAIL;
  size_t before = port->end;
  do
    port_write_string(port, argv[0], start, end);
  while (port_again(port, before));
  return written(vm, port);
}

static value flush_output_port(struct vm *vm, value *argv, int argc) {
  struct port *port = output_port(vm, "flush-output-port", argv, argc, 0);
  if (!port)
    return FAIL;
  port_flush(port);
  return UNSPECIFIED;
}

static value eof_object(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argv, (void)argc, EOF_VALUE;
}
static value is_eof(struct vm *vm, value *argv, int argc) {
  return (void)vm, (void)argc, make_boolean(argv[0] == EOF_VALUE);
}

const struct builtin port_builtins[] = {
    {"open-input-file", open_input_file, 1, 1},
    {"open-output-file", open_output_file, 1, 1},
    {"open-input-string", open_input_string, 1, 1},
    {"open-output-string", open_output_string, 0, 0},
    {"get-output-string", get_output_string, 1, 1},
    {"close-port", close_port, 1, 1},
    {"close-input-port", close_port, 1, 1},
    {"close-output-port", close_port, 1, 1},
    {"current-input-port", current_input_port, 0, 0},
    {"current-output-port", current_output_port, 0, 0},
    {"current-error-port", current_error_port, 0, 0},
    {"%set-current-input!", set_current_input, 1, 1},
    {"%set-current-output!", set_current_output, 1, 1},
    {"port?", is_port_, 1, 1},
    {"textual-port?", is_port_, 1, 1},
    {"input-port?", is_input_port, 1, 1},
    {"output-port?", is_output_port, 1, 1},
    {"input-port-open?", is_open, 1, 1},
    {"output-port-open?", is_open, 1, 1},
    {"file-exists?", file_exists, 1, 1},
    {"delete-file", delete_file, 1, 1},
    {"read", read_, 0, 1},
    {"read-char", read_char, 0, 1},
    {"peek-char", peek_char, 0, 1},
    {"char-ready?", char_ready, 0, 1},
    {"read-line", read_line, 0, 1},
    {"read-string", read_string, 1, 2},
    {"write", write_, 1, 2},
    {"display", display, 1, 2},
    {"write-shared", write_shared, 1, 2},
    {"write-simple", write_simple, 1, 2},
    {"newline", newline, 0, 1},
    {"write-char", write_char, 1, 2},
    {"write-string", write_string, 1, 4},
    {"flush-output-port", flush_output_port, 0, 1},
    {"eof-object", eof_object, 0, 0},
    {"eof-object?", is_eof, 1, 1},
    {NULL, NULL, 0, 0},
};
