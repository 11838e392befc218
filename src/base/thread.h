/* Threads of our own. Floor 0. */
#ifndef SIGNALBOX_BASE_THREAD_H
#define SIGNALBOX_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

typedef void *thread_function(void *argument);

/* Starts a thread in which every signal is blocked: they belong to the thread that waits for them. thread NULL: detached.
 * False where there can't be another one. */
bool thread_start(pthread_t *thread, thread_function *function, void *argument);

/* A condition whose deadlines are monotonic. */
void thread_cond_init(pthread_cond_t *cond);
/* Waits until signalled or the monotonic time at_ns (INT64_MAX: no end); also returns for no reason, as conditions do. */
void thread_cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t at_ns);

#endif
