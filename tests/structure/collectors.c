/* midden_collector_name gives the collectors of the build, in the build's order: the arguments. */
#include <midden/midden.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv) {
  for (int i = 1; i < argc; i++) {
    const char *name = midden_collector_name((size_t)i - 1);
    if (!name || strcmp(name, argv[i]) != 0) {
      fprintf(stderr, "collector %d is %s, not %s\n", i, name ? name : "missing", argv[i]);
      return 1;
    }
  }
  return argc > 1 && !midden_collector_name((size_t)argc - 1) ? 0 : 1;
}
