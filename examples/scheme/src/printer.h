/* Printing values. Nothing here recurses or allocates in the heap. */
#ifndef SCHEME_PRINTER_H
#define SCHEME_PRINTER_H

#include "ports.h"

enum print_mode {
  PRINT_DISPLAY,
  PRINT_WRITE,        /* labels where the object contains itself */
  PRINT_WRITE_SHARED, /* labels wherever a part is seen twice */
  PRINT_WRITE_SIMPLE  /* no labels */
};

/* false: no host memory for the work list; part may have been printed. */
bool print_value(struct vm *vm, struct port *port, value v, enum print_mode mode);

#endif
