/* Waiting, by POSIX threads: see os_threads.h. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "base/os_threads.h"

#include <errno.h>
#include <time.h>

#include "base/assertion.h"

#define SECOND_NS UINT64_C(1000000000)

bool mdn_os_lock_open(struct os_lock *lock) { return pthread_mutex_init(&lock->handle, NULL) == 0; }

void mdn_os_lock_close(struct os_lock *lock) { pthread_mutex_destroy(&lock->handle); }

void mdn_os_lock_enter(struct os_lock *lock) { CHECK(pthread_mutex_lock(&lock->handle) == 0); }

void mdn_os_lock_leave(struct os_lock *lock) { CHECK(pthread_mutex_unlock(&lock->handle) == 0); }

bool mdn_os_condition_open(struct os_condition *condition) {
  pthread_condattr_t attributes;
  if (pthread_condattr_init(&attributes) != 0) return false;
  /* The clock that nobody sets: a wait must not grow by an hour when the wall clock is put back. */
  bool opened = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 &&
                pthread_cond_init(&condition->handle, &attributes) == 0;
  pthread_condattr_destroy(&attributes);
  return opened;
}

void mdn_os_condition_close(struct os_condition *condition) { pthread_cond_destroy(&condition->handle); }

void mdn_os_condition_wake(struct os_condition *condition) { pthread_cond_signal(&condition->handle); }

bool mdn_os_condition_wait(struct os_condition *condition, struct os_lock *lock, uint64_t deadline) {
  int before, error;
  pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  if (deadline == OS_NO_DEADLINE) {
    error = pthread_cond_wait(&condition->handle, &lock->handle);
  } else {
    struct timespec until = {.tv_sec = (time_t)(deadline / SECOND_NS), .tv_nsec = (long)(deadline % SECOND_NS)};
    error = pthread_cond_timedwait(&condition->handle, &lock->handle, &until);
  }
  pthread_setcancelstate(before, NULL);
  CHECK(error == 0 || error == ETIMEDOUT);
  return error == 0;
}
