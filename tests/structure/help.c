/* Prints the help of the options, for the test of the documents. */
#include <midden/midden.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  size_t length = midden_config_help(NULL, 0);
  char *text = malloc(length + 1);
  if (!text) return 1;
  midden_config_help(text, length + 1);
  fputs(text, stdout);
  free(text);
  return 0;
}
