/* Figures of the heap. */
#include <inttypes.h>
#include <time.h>

#include "heap.h"

void heap_print_statistics(struct vm *vm, FILE *file) {
  midden_statistics s;
  midden_statistics_read(vm->heap, &s);
#define FIGURE(name) fprintf(file, #name "=%" PRIu64 "\n", (uint64_t)s.name)
  FIGURE(allocations);
  FIGURE(allocated_bytes);
  FIGURE(requested_bytes);
  FIGURE(refills);
  FIGURE(central_refills);
  FIGURE(page_heap_refills);
  FIGURE(large_allocations);
  FIGURE(used_bytes);
  FIGURE(span_bytes);
  FIGURE(free_bytes);
  FIGURE(committed_bytes);
  FIGURE(metadata_bytes);
  FIGURE(reserved_bytes);
  FIGURE(peak_committed_bytes);
  FIGURE(limit_bytes);
  FIGURE(live_objects);
  FIGURE(live_bytes);
  FIGURE(waste_bytes);
  fprintf(file, "fragmentation=%.4f\n", s.fragmentation);
  FIGURE(collections);
  FIGURE(minor_collections);
  FIGURE(emergency_collections);
  FIGURE(stress_collections);
  FIGURE(requested_collections);
  FIGURE(objects_moved);
  FIGURE(bytes_moved);
  FIGURE(objects_pinned);
  FIGURE(marked_in_place);
  FIGURE(objects_remembered);
  FIGURE(mark_stack_rescans);
  FIGURE(weak_cleared);
  FIGURE(ephemerons_visited);
  FIGURE(ephemerons_cleared);
  FIGURE(finalizers_queued);
  FIGURE(finalizers_run);
  FIGURE(on_free_calls);
  FIGURE(total_pause_ns);
  FIGURE(longest_pause_ns);
  FIGURE(last_pause_ns);
  FIGURE(verifications);
  FIGURE(pages_returned);
#undef FIGURE
  struct timespec cpu;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
  fprintf(file, "cpu_seconds=%.3f\n", (double)cpu.tv_sec + (double)cpu.tv_nsec * 1e-9);
}
