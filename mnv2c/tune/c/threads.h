/* What the thread pool of a library (mnv2c/codegen/threads.c.in) asks of POSIX threads, for a program without a libc. */
#include "system.h"

#pragma GCC visibility push(hidden)

typedef struct thread *pthread_t;
typedef struct {
    int state;
} pthread_mutex_t;
typedef struct {
    int changes;
} pthread_cond_t;

int pthread_create(pthread_t *thread, const void *how, void *(*work)(void *), void *arg);
int pthread_join(pthread_t thread, void **result);
int pthread_mutex_init(pthread_mutex_t *mutex, const void *how);
int pthread_mutex_destroy(pthread_mutex_t *mutex);
int pthread_mutex_lock(pthread_mutex_t *mutex);
int pthread_mutex_unlock(pthread_mutex_t *mutex);
int pthread_cond_init(pthread_cond_t *condition, const void *how);
int pthread_cond_destroy(pthread_cond_t *condition);
int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int pthread_cond_signal(pthread_cond_t *condition);
int pthread_cond_broadcast(pthread_cond_t *condition);

#pragma GCC visibility pop
