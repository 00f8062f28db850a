/* The port to Linux and systems like it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/os.h"

static void *posix_reserve(void *context, size_t bytes) {
  (void)context;
  void *address = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return address == MAP_FAILED ? NULL : address;
}

static bool posix_commit(void *context, void *address, size_t bytes) {
  (void)context;
  return mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0;
}

static void posix_decommit(void *context, void *address, size_t bytes) {
  (void)context;
  /* Refused for locked memory (mlockall): then the promise that it reads zero is kept by hand. */
  if (madvise(address, bytes, MADV_DONTNEED) != 0) memset(address, 0, bytes);
}

static void posix_populate(void *context, void *address, size_t bytes) {
  (void)context;
#ifdef MADV_POPULATE_WRITE /* Linux 5.14; older systems refuse it, and the pages are backed one by one as ever */
  madvise(address, bytes, MADV_POPULATE_WRITE);
#else
  (void)address, (void)bytes;
#endif
}

static void posix_release(void *context, void *address, size_t bytes) {
  (void)context;
  munmap(address, bytes);
}

const midden_memory *mdn_os_memory(void) {
  static const midden_memory memory = {posix_reserve, posix_commit, posix_decommit, posix_release, NULL, posix_populate};
  return &memory;
}

size_t mdn_os_physical_memory(void) {
  const size_t least = (size_t)64 << 20;
  long pages = sysconf(_SC_PHYS_PAGES);
  long page_size = sysconf(_SC_PAGESIZE);
  if (pages <= 0 || page_size <= 0) return least;
  size_t bytes = (size_t)pages * (size_t)page_size;
  return bytes < least ? least : bytes;
}

size_t mdn_os_resident(const void *address, size_t bytes) {
  unsigned char pages[4096];
  size_t page_size = (size_t)sysconf(_SC_PAGESIZE), resident = 0;
  for (size_t done = 0; done < bytes;) {
    size_t count = (bytes - done) / page_size;
    if (count > sizeof pages) count = sizeof pages;
    if (count == 0 || mincore((char *)(uintptr_t)address + done, count * page_size, pages) != 0) break;
    for (size_t i = 0; i < count; i++) resident += pages[i] & 1 ? page_size : 0;
    done += count * page_size;
  }
  return resident;
}

size_t mdn_os_page_bytes(void) {
  long bytes = sysconf(_SC_PAGESIZE);
  return bytes > 0 ? (size_t)bytes : 4096;
}

bool mdn_os_protect(void *address, size_t bytes) { return mprotect(address, bytes, PROT_NONE) == 0; }

uint64_t mdn_os_clock(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uintptr_t mdn_os_thread(void) { return (uintptr_t)pthread_self(); }

#if defined(__linux__) && defined(__GLIBC__)
/* Where the main thread's stack began, as the dynamic linker saw it. */
extern void *__libc_stack_end;

/* The bounds of the main thread's stack, for the usual case that this is the one that runs. For it glibc's
 * pthread_getattr_np reads /proc/self/maps, which takes longer than all else in opening a heap. Linux leaves at
 * least 128 MiB below the stack to it. */
static bool main_stack_bounds(const char **low, const char **high) {
  const size_t kept_free = (size_t)128 << 20;
  struct rlimit limit;
  if (syscall(SYS_gettid) != getpid() || getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur > kept_free) return false;
  const char *end = __libc_stack_end, *here = __builtin_frame_address(0);
  if (here >= end || (size_t)(end - here) > limit.rlim_cur) return false; /* a coroutine's, or of a thread that forked */
  *low = end - limit.rlim_cur;
  *high = end;
  return true;
}
#else
static bool main_stack_bounds(const char **low, const char **high) {
  (void)low, (void)high;
  return false;
}
#endif

bool mdn_os_stack_bounds(const char **low, const char **high) {
  if (main_stack_bounds(low, high)) return true;
  pthread_attr_t attributes;
  if (pthread_getattr_np(pthread_self(), &attributes) != 0) return false;
  void *start = NULL;
  size_t size = 0;
  int failed = pthread_attr_getstack(&attributes, &start, &size);
  pthread_attr_destroy(&attributes);
  if (failed) return false;
  *low = start;
  *high = *low + size;
  return true;
}
