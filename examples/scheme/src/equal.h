/* eqv? and equal?. */
#ifndef SCHEME_EQUAL_H
#define SCHEME_EQUAL_H

#include "vm.h"

bool values_eqv(value a, value b);

enum equality { EQUAL_NO, EQUAL_YES, EQUAL_NO_MEMORY };
/* Ends on circular structures, and takes time proportional to their size on shared ones. Does not
 * recurse or allocate in the heap. */
enum equality values_equal(struct vm *vm, value a, value b);

#endif
