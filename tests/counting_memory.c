/* A counting, failing source of memory: see counting_memory.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "counting_memory.h"

#include <string.h>
#include <sys/mman.h>

static bool refused(counting_memory *memory) {
  uint64_t number = ++memory->requests;
  if (memory->fail_at == 0) return false;
  bool fails = memory->forever ? number >= memory->fail_at : number == memory->fail_at;
  memory->failed = memory->failed || fails;
  return fails;
}

static void *counting_reserve(void *context, size_t bytes) {
  counting_memory *memory = context;
  if (bytes == 0 || bytes % 4096 != 0) memory->violations++;
  if (refused(memory) || memory->reservations == COUNTING_RESERVATIONS) return NULL;
  if (memory->most_reserved != 0 && memory->reserved_bytes + bytes > memory->most_reserved) return NULL;
  void *address = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) return NULL;
  memory->table[memory->reservations].address = address;
  memory->table[memory->reservations].bytes = bytes;
  memory->reservations++;
  memory->reserves++;
  memory->reserved_bytes += bytes;
  return address;
}

/* Counts a range that is not made of whole pages inside one reservation. */
static void check_range(counting_memory *memory, const char *address, size_t bytes) {
  if (bytes == 0 || bytes % 4096 != 0 || (uintptr_t)address % 4096 != 0) memory->violations++;
  for (size_t i = 0; i < memory->reservations; i++) {
    const char *start = memory->table[i].address;
    if (address >= start && address + bytes <= start + memory->table[i].bytes) return;
  }
  memory->violations++;
}

static bool counting_commit(void *context, void *address, size_t bytes) {
  counting_memory *memory = context;
  check_range(memory, address, bytes);
  if (refused(memory)) return false;
  memory->commits++;
  return mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0;
}

static void counting_decommit(void *context, void *address, size_t bytes) {
  counting_memory *memory = context;
  check_range(memory, address, bytes);
  memory->decommits++;
  madvise(address, bytes, MADV_DONTNEED);
}

static void counting_release(void *context, void *address, size_t bytes) {
  counting_memory *memory = context;
  for (size_t i = 0; i < memory->reservations; i++) {
    if (memory->table[i].address != address) continue;
    if (memory->table[i].bytes != bytes) memory->violations++;
    memory->table[i] = memory->table[--memory->reservations];
    memory->reserved_bytes -= bytes;
    memory->releases++;
    munmap(address, bytes);
    return;
  }
  memory->violations++;
}

void counting_memory_open(counting_memory *memory) {
  memset(memory, 0, sizeof *memory);
  memory->face = (midden_memory){counting_reserve, counting_commit, counting_decommit, counting_release, memory, NULL};
}

void counting_memory_heal(counting_memory *memory) {
  memory->fail_at = 0;
  memory->forever = false;
}

void counting_memory_fail(counting_memory *memory, uint64_t n, bool forever) {
  memory->fail_at = memory->requests + n;
  memory->forever = forever;
  memory->failed = false;
}
