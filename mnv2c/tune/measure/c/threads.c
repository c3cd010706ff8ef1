/* POSIX threads, as far as threads.h has them, from Linux' own calls; no thread-local storage, no signals. */
#include "threads.h"

#include "calls.h"

enum { STACK_BYTES = 1 << 20, FAILED = 11, WAIT = 0, WAKE = 1, ONE = 1, ALL = 1 << 30 };
enum { FREE = 0, TAKEN = 1, WANTED = 2 };

/* CLONE_VM, _FS, _FILES, _SIGHAND, _THREAD, _SYSVSEM, _CHILD_CLEARTID */
static const unsigned long THREAD_FLAGS = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000;

/* At the start of the memory that is the thread's stack, too. */
struct thread {
    void *(*work)(void *);
    void *arg;
    volatile int alive; /* the kernel clears it, and wakes who waits for it, when the thread is gone */
};

static void futex(volatile int *at, int operation, int value)
{
    call(SYS_FUTEX, (long)at, operation, value, 0, 0, 0);
}

static void begin(void *thread)
{
    struct thread *const me = thread;
    me->work(me->arg);
    for (;;) {
        call(SYS_EXIT, 0, 0, 0, 0, 0, 0);
    }
}

int pthread_create(pthread_t *thread, const void *how, void *(*work)(void *), void *arg)
{
    unsigned char *memory = allocate(NULL, STACK_BYTES);
    struct thread *const made = (struct thread *)memory;
    void **top = (void **)(memory + STACK_BYTES - 64);
    (void)how;
    if (memory == NULL) {
        return FAILED;
    }
    made->work = work;
    made->arg = arg;
    made->alive = 1;
    top[0] = made;
    top[1] = (void *)(uintptr_t)begin;
    *thread = made;
    return clone_thread(THREAD_FLAGS, top, &made->alive) < 0 ? FAILED : 0;
}

int pthread_join(pthread_t thread, void **result)
{
    (void)result;
    while (thread->alive) {
        futex(&thread->alive, WAIT, 1);
    }
    return 0;
}

int pthread_mutex_init(pthread_mutex_t *mutex, const void *how)
{
    (void)how;
    mutex->state = FREE;
    return 0;
}

int pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    (void)mutex;
    return 0;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    int seen = FREE;
    if (__atomic_compare_exchange_n(&mutex->state, &seen, TAKEN, 0, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return 0;
    }
    while (__atomic_exchange_n(&mutex->state, WANTED, __ATOMIC_ACQUIRE) != FREE) {
        futex(&mutex->state, WAIT, WANTED);
    }
    return 0;
}

int pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    if (__atomic_exchange_n(&mutex->state, FREE, __ATOMIC_RELEASE) == WANTED) {
        futex(&mutex->state, WAKE, ONE);
    }
    return 0;
}

int pthread_cond_init(pthread_cond_t *condition, const void *how)
{
    (void)how;
    condition->changes = 0;
    return 0;
}

int pthread_cond_destroy(pthread_cond_t *condition)
{
    (void)condition;
    return 0;
}

int pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    const int changes = __atomic_load_n(&condition->changes, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(mutex);
    futex(&condition->changes, WAIT, changes);
    pthread_mutex_lock(mutex);
    return 0;
}

static void wake(pthread_cond_t *condition, int count)
{
    __atomic_fetch_add(&condition->changes, 1, __ATOMIC_SEQ_CST);
    futex(&condition->changes, WAKE, count);
}

int pthread_cond_signal(pthread_cond_t *condition)
{
    wake(condition, ONE);
    return 0;
}

int pthread_cond_broadcast(pthread_cond_t *condition)
{
    wake(condition, ALL);
    return 0;
}
