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

/* Its signals: nothing here handles one, so there is nothing to block. */
typedef unsigned long sigset_t;
enum { SIG_SETMASK = 2, SIGILL = 4, SIGBUS = 7, SIGFPE = 8, SIGSEGV = 11 };
#define sigfillset(set) ((void)(*(set) = ~0ul), 0)
#define sigdelset(set, number) ((void)(*(set) &= ~(1ul << ((number) - 1))), 0)
#define pthread_sigmask(how, set, before) ((void)(how), (void)(set), (void)(before), 0)
