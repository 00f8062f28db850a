/* The operating system port: threads that wait for each other. A heap belongs to one thread and needs none of this; a
 * pool of buffers is shared. */
#ifndef MIDDEN_BASE_OS_THREADS_H
#define MIDDEN_BASE_OS_THREADS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define OS_NO_DEADLINE UINT64_MAX

struct os_lock {
  pthread_mutex_t handle;
};

/* What a thread waits for under a lock. */
struct os_condition {
  pthread_cond_t handle;
};

/* post: true; or false where the system refuses one. */
bool mdn_os_lock_open(struct os_lock *lock);
void mdn_os_lock_close(struct os_lock *lock);
void mdn_os_lock_enter(struct os_lock *lock);
void mdn_os_lock_leave(struct os_lock *lock);

bool mdn_os_condition_open(struct os_condition *condition);
void mdn_os_condition_close(struct os_condition *condition);
/* Wakes who waits for it, if there is one. pre: the lock is held, and one thread at most waits. */
void mdn_os_condition_wake(struct os_condition *condition);
/* Leaves the lock, waits, enters it again. It may return early for no reason. `deadline` is by mdn_os_clock. post: false
 * if the deadline has passed. A thread that is cancelled notices it later: it would leave what it waits in behind. */
bool mdn_os_condition_wait(struct os_condition *condition, struct os_lock *lock, uint64_t deadline);

#endif
