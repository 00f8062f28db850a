/* Printing values, with a work list instead of recursion.
 *
 * Unless labels are unwanted, a first pass walks the object depth first. An object that is met
 * again while it is still being walked contains itself: it gets a label. Only objects with parts
 * are entered in the table, and only in that pass; the printing pass looks labels up. */
#include "printer.h"

#include <stdlib.h>
#include <string.h>

#include "address_table.h"
#include "heap.h"
#include "numbers.h"

enum step_kind { STEP_VALUE, STEP_TEXT, STEP_REST, STEP_ITEMS, STEP_FIELDS, STEP_LEAVE };

struct step {
  enum step_kind kind;
  value v;
  int64_t index;
  const char *text;
};

struct printer {
  struct vm *vm;
  struct port *port;
  enum print_mode mode;
  struct step *steps;
  size_t count, capacity;
  struct address_table labels; /* numbers below */
  int64_t next_label;
  bool failed;
};

/* States of an entry in the table: in the first pass, then for the second. */
enum {
  SEEN_OPEN = 1,
  SEEN_DONE = 2,
  LABEL_WANTED = 3,
  LABEL_FIRST = 4 /* this and up: printed, 4 + its number */
};

static void push(struct printer *printer, struct step step) {
  if (printer->count == printer->capacity) {
    size_t capacity = printer->capacity ? printer->capacity * 2 : 64;
    struct step *steps = realloc(printer->steps, capacity * sizeof *steps);
    if (!steps) {
      printer->failed = true;
      return;
    }
    printer->steps = steps;
    printer->capacity = capacity;
  }
  printer->steps[printer->count++] = step;
}

static bool has_parts(const struct printer *printer, value v) {
  return is_pair(v) || (is_vector(v) && vector_length(v) > 0) || is_kind(printer->vm, v, KIND_RECORD);
}

/* ---- First pass ---- */
static void find_visit(struct printer *printer, value v) {
  if (!has_parts(printer, v))
    return;
  struct address_entry *entry = address_table_enter(&printer->labels, v);
  if (!entry) {
    printer->failed = true;
  } else if (entry->number == 0) {
    entry->number = SEEN_OPEN;
    push(printer, (struct step){.kind = STEP_LEAVE, .v = v});
    push(printer, (struct step){.kind = STEP_ITEMS, .v = v});
  } else if (entry->number == SEEN_OPEN ||
             (entry->number == SEEN_DONE && printer->mode == PRINT_WRITE_SHARED)) {
    entry->number = LABEL_WANTED;
  }
}

/* The index-th part of an object. false: there are no more. */
static bool part(const struct printer *printer, value v, int64_t index, value *out) {
  if (is_pair(v)) {
    if (index > 1)
      return false;
    *out = index ? cdr(v) : car(v);
  } else if (is_vector(v)) {
    if (index >= vector_length(v))
      return false;
    *out = vector_of(v)->items[index];
  } else {
    const struct record_type *type = record_type_of(record_of(v)->type);
    (void)printer;
    if (index >= fixnum_of(type->field_count))
      return false;
    *out = record_of(v)->fields[index];
  }
  return true;
}

static void find_labels(struct printer *printer, value v) {
  find_visit(printer, v);
  while (printer->count && !printer->failed) {
    struct step step = printer->steps[--printer->count];
    value next;
    if (step.kind == STEP_LEAVE) {
      struct address_entry *entry = address_table_find(&printer->labels, step.v);
      if (entry->number == SEEN_OPEN)
        entry->number = SEEN_DONE;
    } else if (part(printer, step.v, step.index, &next)) {
      push(printer, (struct step){.kind = STEP_ITEMS, .v = step.v, .index = step.index + 1});
      find_visit(printer, next);
    }
  }
  printer->count = 0;
}

/* ---- Atoms ---- */
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
    push(printer, (struct step){.kind = STEP_TEXT, .text = ">"});
    push(printer, (struct step){.kind = STEP_VALUE, .v = condition_of(v)->message});
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
  default:
    port_write_text(port, "#<object>");
    break;
  }
}

static void print_atom(struct printer *printer, value v) {
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

/* ---- Second pass ---- */
/* 'x and its like, printed as they are read. */
static const char *abbreviation(const struct vm *vm, value v) {
  static const char *const forms[][2] = {
      {"quote", "'"}, {"quasiquote", "`"}, {"unquote", ","}, {"unquote-splicing", ",@"}};
  if (!is_symbol(vm, car(v)) || !is_pair(cdr(v)) || cdr(cdr(v)) != NIL)
    return NULL;
  char text[24];
  string_copy_text(symbol_of(car(v))->name, text, sizeof text);
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
    if (!strcmp(text, forms[i][0]))
      return forms[i][1];
  return NULL;
}

/* Prints a label if the object has one. true: it was printed before, and the label is all. */
static bool print_label(struct printer *printer, value v) {
  struct address_entry *entry = address_table_find(&printer->labels, v);
  if (!entry || entry->number < LABEL_WANTED)
    return false;
  bool before = entry->number >= LABEL_FIRST;
  if (!before)
    entry->number = LABEL_FIRST + printer->next_label++;
  char text[32];
  snprintf(text, sizeof text, before ? "#%d#" : "#%d=", (int)(entry->number - LABEL_FIRST));
  port_write_text(printer->port, text);
  return before;
}

static void print_any(struct printer *printer, value v) {
  if (!has_parts(printer, v)) {
    if (is_vector(v))
      port_write_text(printer->port, "#()");
    else
      print_atom(printer, v);
    return;
  }
  if (print_label(printer, v))
    return;
  if (is_pair(v)) {
    const char *prefix = abbreviation(printer->vm, v);
    if (prefix) {
      port_write_text(printer->port, prefix);
      push(printer, (struct step){.kind = STEP_VALUE, .v = car(cdr(v))});
      return;
    }
    port_write(printer->port, '(');
    push(printer, (struct step){.kind = STEP_REST, .v = cdr(v)});
    push(printer, (struct step){.kind = STEP_VALUE, .v = car(v)});
  } else if (is_vector(v)) {
    port_write_text(printer->port, "#(");
    push(printer, (struct step){.kind = STEP_ITEMS, .v = v});
  } else {
    port_write_text(printer->port, "#<");
    value name = record_type_of(record_of(v)->type)->name;
    port_write_string(printer->port, symbol_of(name)->name, 0, string_of(symbol_of(name)->name)->length);
    push(printer, (struct step){.kind = STEP_FIELDS, .v = v});
  }
}

static void print_rest(struct printer *printer, value rest) {
  if (rest == NIL) {
    port_write(printer->port, ')');
    return;
  }
  struct address_entry *entry = is_pair(rest) ? address_table_find(&printer->labels, rest) : NULL;
  if (is_pair(rest) && (!entry || entry->number < LABEL_WANTED)) {
    port_write(printer->port, ' ');
    push(printer, (struct step){.kind = STEP_REST, .v = cdr(rest)});
    push(printer, (struct step){.kind = STEP_VALUE, .v = car(rest)});
    return;
  }
  port_write_text(printer->port, " . ");
  push(printer, (struct step){.kind = STEP_TEXT, .text = ")"});
  push(printer, (struct step){.kind = STEP_VALUE, .v = rest});
}

/* Items of a vector, and fields of a record, one at a time. */
static void print_items(struct printer *printer, struct step step) {
  value item;
  bool is_record = step.kind == STEP_FIELDS;
  if (!part(printer, step.v, step.index, &item)) {
    port_write(printer->port, is_record ? '>' : ')');
    return;
  }
  if (step.index > 0 || is_record)
    port_write(printer->port, ' ');
  step.index++;
  push(printer, step);
  push(printer, (struct step){.kind = STEP_VALUE, .v = item});
}

bool print_value(struct vm *vm, struct port *port, value v, enum print_mode mode) {
  struct printer printer = {.vm = vm, .port = port, .mode = mode};
  if (mode != PRINT_WRITE_SIMPLE && has_parts(&printer, v))
    find_labels(&printer, v);
  if (!printer.failed)
    push(&printer, (struct step){.kind = STEP_VALUE, .v = v});
  while (printer.count && !printer.failed) {
    struct step step = printer.steps[--printer.count];
    switch (step.kind) {
    case STEP_VALUE:
      print_any(&printer, step.v);
      break;
    case STEP_TEXT:
      port_write_text(port, step.text);
      break;
    case STEP_REST:
      print_rest(&printer, step.v);
      break;
    case STEP_ITEMS:
    case STEP_FIELDS:
      print_items(&printer, step);
      break;
    case STEP_LEAVE:
      break;
    }
  }
  free(printer.steps);
  address_table_close(&printer.labels);
  return !printer.failed;
}
