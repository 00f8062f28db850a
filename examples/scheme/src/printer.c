/* Printing values, with a work list instead of recursion.
 *
 * Unless labels are unwanted, a first pass walks the object depth first. An object that is met
 * again while it is still being walked contains itself: it gets a label. Only objects with parts
 * are entered in the table, and only in that pass; the printing pass looks labels up. */
#include <stdlib.h>
#include <string.h>

#include "heap.h"
#include "printer_internal.h"

/* States of an entry in the table: in the first pass, then for the second. */
enum {
  SEEN_OPEN = 1,
  SEEN_DONE = 2,
  LABEL_WANTED = 3,
  LABEL_FIRST = 4 /* this and up: printed, 4 + its number */
};

void printer_push(struct printer *printer, struct step step) {
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
    printer_push(printer, (struct step){.kind = STEP_LEAVE, .v = v});
    printer_push(printer, (struct step){.kind = STEP_ITEMS, .v = v});
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
      printer_push(printer, (struct step){.kind = STEP_ITEMS, .v = step.v, .index = step.index + 1});
      find_visit(printer, next);
    }
  }
  printer->count = 0;
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
      printer_push(printer, (struct step){.kind = STEP_VALUE, .v = car(cdr(v))});
      return;
    }
    port_write(printer->port, '(');
    printer_push(printer, (struct step){.kind = STEP_REST, .v = cdr(v)});
    printer_push(printer, (struct step){.kind = STEP_VALUE, .v = car(v)});
  } else if (is_vector(v)) {
    port_write_text(printer->port, "#(");
    printer_push(printer, (struct step){.kind = STEP_ITEMS, .v = v});
  } else {
    port_write_text(printer->port, "#<");
    value name = record_type_of(record_of(v)->type)->name;
    port_write_string(printer->port, symbol_of(name)->name, 0, string_of(symbol_of(name)->name)->length);
    printer_push(printer, (struct step){.kind = STEP_FIELDS, .v = v});
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
    printer_push(printer, (struct step){.kind = STEP_REST, .v = cdr(rest)});
    printer_push(printer, (struct step){.kind = STEP_VALUE, .v = car(rest)});
    return;
  }
  port_write_text(printer->port, " . ");
  printer_push(printer, (struct step){.kind = STEP_TEXT, .text = ")"});
  printer_push(printer, (struct step){.kind = STEP_VALUE, .v = rest});
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
  printer_push(printer, step);
  printer_push(printer, (struct step){.kind = STEP_VALUE, .v = item});
}

bool print_value(struct vm *vm, struct port *port, value v, enum print_mode mode) {
  struct printer printer = {.vm = vm, .port = port, .mode = mode};
  if (mode != PRINT_WRITE_SIMPLE && has_parts(&printer, v))
    find_labels(&printer, v);
  if (!printer.failed)
    printer_push(&printer, (struct step){.kind = STEP_VALUE, .v = v});
  while (printer.count && !printer.failed && !port->lacking) {
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
