/* Figures of the heap. */
#include "figures.h"

#include <inttypes.h>
#include <time.h>

__attribute__((noinline)) double figures_read(struct vm *vm, uint64_t *figures) {
  midden_statistics statistics;
  midden_statistics_read(vm->heap, &statistics);
#define X(name) figures[FIGURE_##name] = statistics.name;
  FIGURES(X)
#undef X
  figures[FIGURE_resident_bytes] = midden_resident_bytes(vm->heap);
  return statistics.fragmentation;
}

void figure_name(int figure, char joint, char *name) {
  static const char *const names[FIGURE_COUNT] = {
#define X(member) #member,
      FIGURES(X)
#undef X
          "resident_bytes"};
  snprintf(name, FIGURE_NAME_MAX, "%s", names[figure]);
  for (; *name; name++)
    if (*name == '_')
      *name = joint;
}

void heap_print_statistics(struct vm *vm, FILE *file) {
  uint64_t figures[FIGURE_COUNT];
  double fragmentation = figures_read(vm, figures);
  for (int i = 0; i < FIGURE_COUNT; i++) {
    char name[FIGURE_NAME_MAX];
    figure_name(i, '_', name);
    fprintf(file, "%s=%" PRIu64 "\n", name, figures[i]);
  }
  fprintf(file, "fragmentation=%.4f\n", fragmentation);
  struct timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  fprintf(file, "cpu_seconds=%.3f\n", (double)cpu.tv_sec + (double)cpu.tv_nsec * 1e-9);
}
