/* Printing what has no parts. */
#include <string.h>

#include "heap.h"
#include "numbers.h"
#include "printer_internal.h"

static const struct {
  uint32_t character;
  const char *name;
} character_names[] = {{' ', "space"}, {'\n', "newline"}, {'\t', "tab"},    {'\r', "return"}, {0, "null"},
                       {7, "alarm"},   {8, "backspace"},  {0x7f, "delete"}, {0x1b, "escape"}};

static void print_character(struct port *port, uint32_t c) {
  port_write_text(port, "#\\");
  for (size_t i = 0; i < sizeof character_names / sizeof character_names[0]; i++) {
    if (character_names[i].character != c)
      continue;
    port_write_text(port, character_names[i].name);
    return;
  }
  if (c < 0x20) {
    char text[16];
    snprintf(text, sizeof text, "x%x", (unsigned)c);
    port_write_text(port, text);
  } else {
    port_write(port, c);
  }
}

static void print_quoted(struct port *port, value string, uint32_t quote) {
  port_write(port, quote);
  for (int64_t i = 0; i < string_of(string)->length; i++) {
    uint32_t c = string_get(string, i);
    char text[16];
    if (c == quote || c == '\\') {
      port_write(port, '\\');
      port_write(port, c);
    } else if (c == '\n') {
      port_write_text(port, "\\n");
    } else if (c == '\t') {
      port_write_text(port, "\\t");
    } else if (c == '\r') {
      port_write_text(port, "\\r");
    } else if (c < 0x20 || c == 0x7f) {
      snprintf(text, sizeof text, "\\x%x;", (unsigned)c);
      port_write_text(port, text);
    } else {
      port_write(port, c);
    }
  }
  port_write(port, quote);
}

/* A symbol that would not be read back as one is written between bars. */
static bool is_plain(value name) {
  char text[NUMBER_TEXT_MAX];
  struct scanned_number number;
  size_t size = string_copy_text(name, text, sizeof text);
  if (size == 0 || !strcmp(text, "."))
    return false;
  if (size < sizeof text && number_scan(text, size, 10, &number))
    return false;
  for (int64_t i = 0; i < string_of(name)->length; i++) {
    uint32_t c = string_get(name, i);
    if (c <= ' ' || c == 0x7f || (c < 0x80 && strchr("()\"';`,|", (int)c)) || (c == '#' && i == 0))
      return false;
  }
  return true;
}

static void print_symbol(const struct printer *printer, value symbol) {
  value name = symbol_of(symbol)->name;
  if (printer->mode == PRINT_DISPLAY || is_plain(name))
    port_write_string(printer->port, name, 0, string_of(name)->length);
  else
    print_quoted(printer->port, name, '|');
}

static void print_named(const struct printer *printer, const char *before, value name) {
  port_write_text(printer->port, before);
  if (is_symbol(printer->vm, name)) {
    port_write(printer->port, ' ');
    port_write_string(printer->port, symbol_of(name)->name, 0, string_of(symbol_of(name)->name)->length);
  }
  port_write(printer->port, '>');
}

static void print_procedure(const struct printer *printer, value v) {
  const struct builtin *builtin = builtin_of(v);
  if (builtin) {
    port_write_text(printer->port, "#<procedure ");
    port_write_text(printer->port, builtin->name);
    port_write(printer->port, '>');
  } else {
    print_named(printer, "#<procedure", code_of(closure_of(v)->code)->name);
  }
}

static void print_bytevector(struct port *port, value v) {
  port_write_text(port, "#u8(");
  for (int64_t i = 0; i < bytevector_of(v)->length; i++) {
    char text[8];
    snprintf(text, sizeof text, i ? " %d" : "%d", bytevector_of(v)->data[i]);
    port_write_text(port, text);
  }
  port_write(port, ')');
}

static void print_immediate(struct port *port, value v, bool written) {
  if (is_character(v)) {
    if (written)
      print_character(port, character_of(v));
    else
      port_write(port, character_of(v));
    return;
  }
  port_write_text(port, v == TRUE_VALUE    ? "#t"
                        : v == FALSE_VALUE ? "#f"
                        : v == NIL         ? "()"
                        : v == EOF_VALUE   ? "#<eof>"
                        : v == UNSPECIFIED ? "#<unspecified>"
                                           : "#<undefined>");
}

static void print_object(struct printer *printer, value v) {
  struct port *port = printer->port;
  bool written = printer->mode != PRINT_DISPLAY;
  switch (kind_of(printer->vm, v)) {
  case KIND_STRING:
    if (written)
      print_quoted(port, v, '"');
    else
      port_write_string(port, v, 0, string_of(v)->length);
    break;
  case KIND_SYMBOL:
    print_symbol(printer, v);
    break;
  case KIND_BYTEVECTOR:
    print_bytevector(port, v);
    break;
  case KIND_RECORD_TYPE:
    print_named(printer, "#<record-type", record_type_of(v)->name);
    break;
  case KIND_CONDITION:
    port_write_text(port, "#<condition ");
    printer_push(printer, (struct step){.kind = STEP_TEXT, .text = ">"});
    printer_push(printer, (struct step){.kind = STEP_VALUE, .v = condition_of(v)->message});
    break;
  case KIND_PORT:
    port_write_text(port, "#<port>");
    break;
  case KIND_MULTIPLE:
    port_write_text(port, "#<multiple values>");
    break;
  case KIND_WEAK_PAIR:
    port_write_text(port, "#<weak pair>");
    break;
  case KIND_EPHEMERON:
    port_write_text(port, "#<ephemeron>");
    break;
  case KIND_HASHTABLE:
    port_write_text(port, "#<hashtable>");
    break;
  default:
    port_write_text(port, "#<object>");
    break;
  }
}

void print_atom(struct printer *printer, value v) {
  char text[NUMBER_TEXT_MAX];
  if (is_number(v)) {
    number_to_text(v, 10, text);
    port_write_text(printer->port, text);
  } else if (is_procedure(v)) {
    print_procedure(printer, v);
  } else if (has_tag(v, TAG_IMMEDIATE)) {
    print_immediate(printer->port, v, printer->mode != PRINT_DISPLAY);
  } else {
    print_object(printer, v);
  }
}
