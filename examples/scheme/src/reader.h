/* Reading data from a port. */
#ifndef SCHEME_READER_H
#define SCHEME_READER_H

#include "ports.h"

/* The next datum; EOF_VALUE at the end; FAIL: a read error is the exception. Nesting is limited by
 * memory only. MAY COLLECT AND MOVE. */
value read_datum(struct vm *vm, struct port *port);

#endif
