/* A body run in a child process: how it ended, and what it wrote to standard error. */
#ifndef MIDDEN_TESTS_CHILDREN_H
#define MIDDEN_TESTS_CHILDREN_H

#include <stdbool.h>

typedef struct outcome {
  int signal; /* that ended it; 0: none */
  int status; /* it exited with */
  char text[16384];
} outcome;

/* Runs `body` in a child, which exits with 0 after it. Faults have their default effect there, also under
 * AddressSanitizer. */
void run_child(void (*body)(void *context), void *context, outcome *result);

#endif
