/* What the files of the printer share. */
#ifndef SCHEME_PRINTER_INTERNAL_H
#define SCHEME_PRINTER_INTERNAL_H

#include "address_table.h"
#include "printer.h"

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

/* Puts a step on the work list: it is taken before those that are there. */
void printer_push(struct printer *printer, struct step step);

/* printer_atoms.c */
void print_atom(struct printer *printer, value v);

#endif
