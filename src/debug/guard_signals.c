/* The handler for faults of guard=report: the one thing in the library that belongs to the process and not to a heap.
 *
 * It is there from the opening of the first heap with guard=report to the closing of the last. A fault in the range of
 * one of them is reported; then, and at any other fault, the handler that was there before is called, or the
 * default taken. A host that sets a handler later, above this one, keeps it. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "debug/guard.h"

#define GUARDED_HEAPS 256

/* Slots are written under the lock, and read by the handler without it: `base` last, and 0 means that it is free. */
static struct guard_process {
  pthread_mutex_t lock;
  struct {
    uintptr_t base;
    size_t extent;
    const struct guard *guard;
  } heaps[GUARDED_HEAPS];
  size_t count;
  bool installed;           /* ours was set, and perhaps another above it */
  struct sigaction earlier; /* than ours */
  struct sigaction above;   /* when the last heap was closed, and ours could not be taken away */
} guard_process = {.lock = PTHREAD_MUTEX_INITIALIZER};

static const struct guard *guard_at(uintptr_t address) {
  for (size_t i = 0; i < GUARDED_HEAPS; i++) {
    uintptr_t base = __atomic_load_n(&guard_process.heaps[i].base, __ATOMIC_ACQUIRE);
    if (base && address - base < guard_process.heaps[i].extent) return guard_process.heaps[i].guard;
  }
  return NULL;
}

/* Without an earlier handler: the instruction faults again after the return, and the default ends the process where it
 * happened. A signal that was sent does not come again by itself. */
static void take_default(int number, const siginfo_t *info) {
  if (info->si_code <= 0 && guard_process.earlier.sa_handler == SIG_IGN) return;
  struct sigaction standard = {.sa_handler = SIG_DFL};
  sigaction(number, &standard, NULL);
  if (info->si_code <= 0) raise(number);
}

/* Calls the earlier handler as the system would have. */
static void pass_on(int number, siginfo_t *info, void *context) {
  const struct sigaction *earlier = &guard_process.earlier;
  if (!(earlier->sa_flags & SA_SIGINFO) && (earlier->sa_handler == SIG_DFL || earlier->sa_handler == SIG_IGN)) {
    take_default(number, info);
    return;
  }
  sigset_t mask = earlier->sa_mask, before;
  if (earlier->sa_flags & SA_NODEFER) {
    sigset_t this_one;
    sigemptyset(&this_one);
    sigaddset(&this_one, number);
    pthread_sigmask(SIG_UNBLOCK, &this_one, NULL);
  }
  pthread_sigmask(SIG_BLOCK, &mask, &before);
  if (earlier->sa_flags & SA_SIGINFO) {
    earlier->sa_sigaction(number, info, context);
  } else {
    earlier->sa_handler(number);
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void on_fault(int number, siginfo_t *info, void *context) {
  int error = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  const struct guard *guard = info->si_code > 0 ? guard_at(address) : NULL;
  if (guard) mdn_guard_report(guard, address, context);
  errno = error;
  pass_on(number, info, context);
}

static bool is_handler(const struct sigaction *action, void (*handler)(int, siginfo_t *, void *)) {
  return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == handler;
}

/* pre: the lock is held. One that was above ours at the end may still call ours: to set ours above it would have them
 * call each other for ever. */
static void install_handler(void) {
  struct sigaction now, ours = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGSEGV, NULL, &now);
  if (is_handler(&now, on_fault)) return;
  if (guard_process.installed && now.sa_sigaction == guard_process.above.sa_sigaction) return;
  guard_process.earlier = now;
  guard_process.installed = true;
  sigemptyset(&ours.sa_mask);
  sigaction(SIGSEGV, &ours, NULL);
}

static void remove_handler(void) {
  sigaction(SIGSEGV, NULL, &guard_process.above);
  if (!is_handler(&guard_process.above, on_fault)) return;
  sigaction(SIGSEGV, &guard_process.earlier, NULL);
  guard_process.installed = false;
}

static bool add_to_slot(const struct guard *guard) {
  for (size_t i = 0; i < GUARDED_HEAPS; i++) {
    if (guard_process.heaps[i].base) continue;
    guard_process.heaps[i].extent = guard->heap->core.space.extent;
    guard_process.heaps[i].guard = guard;
    __atomic_store_n(&guard_process.heaps[i].base, guard->heap->core.space.base, __ATOMIC_RELEASE);
    return true;
  }
  return false;
}

bool mdn_guard_signals_add(const struct guard *guard) {
  pthread_mutex_lock(&guard_process.lock);
  bool added = add_to_slot(guard);
  if (added && guard_process.count++ == 0) install_handler();
  pthread_mutex_unlock(&guard_process.lock);
  return added;
}

void mdn_guard_signals_remove(const struct guard *guard) {
  pthread_mutex_lock(&guard_process.lock);
  for (size_t i = 0; i < GUARDED_HEAPS; i++) {
    if (!guard_process.heaps[i].base || guard_process.heaps[i].guard != guard) continue;
    __atomic_store_n(&guard_process.heaps[i].base, 0, __ATOMIC_RELEASE);
    if (--guard_process.count == 0) remove_handler();
  }
  pthread_mutex_unlock(&guard_process.lock);
}
