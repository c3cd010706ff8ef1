/*
 * Runs a compiled library `net` under valgrind, whose tools see every instruction of its kernels.
 *
 *   checked own     the library's own threads
 *   checked fork    threads of this program, started and joined for every phase: all that orders two parts of a phase,
 *                   or fails to, is in the library
 *   checked solo    one thread
 *   checked race    as fork, but every part twice at once: for the check that races are found
 *   checked short   as solo, but the arena lacks its last 1024 bytes, which the pool does not fill: for the check that accesses outside are found
 *   checked unset   as solo, but the input was never written: for the check that this is found
 *
 * Arena, inputs and outputs are memory of their own, of exactly the bytes the header asks for; nothing is written into
 * the arena. Prints "done" where every value of the output is a number.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net.h"

enum { COUNT = NET_THREADS, TWICE = 2 };

typedef struct job {
    void (*task)(void *arg, unsigned index);
    void *arg;
    unsigned first, step, tasks;
} job;

static void *work(void *of)
{
    const job *mine = (const job *)of;
    unsigned index;
    for (index = mine->first; index < mine->tasks; index += mine->step) {
        mine->task(mine->arg, index);
    }
    return NULL;
}

/* `pool` is not NULL to do everything twice. */
static void fork_join(void *pool, void (*task)(void *arg, unsigned index), void *arg, unsigned tasks)
{
    pthread_t threads[COUNT * TWICE];
    job jobs[COUNT * TWICE];
    const unsigned count = pool != NULL ? COUNT * TWICE : COUNT;
    unsigned i;
    for (i = 0; i < count; ++i) {
        const job mine = {task, arg, i % COUNT, COUNT, tasks};
        jobs[i] = mine;
        if (pthread_create(&threads[i], NULL, work, &jobs[i]) != 0) {
            abort();
        }
    }
    for (i = 0; i < count; ++i) {
        pthread_join(threads[i], NULL);
    }
}

static void *memory(size_t bytes, size_t alignment)
{
    void *found = NULL;
    if (posix_memalign(&found, alignment, bytes) != 0) {
        abort();
    }
    return found;
}

int main(int argc, char **argv)
{
    const char *mode = argc > 1 ? argv[1] : "";
    const int shared = strcmp(mode, "own") == 0 || strcmp(mode, "fork") == 0 || strcmp(mode, "race") == 0;
    const size_t lacking = strcmp(mode, "short") == 0 ? 1024 : 0;
    static int twice;
    net_threads threads = {NULL, COUNT, NULL};
    net_ctx context;
    void *arena = memory(NET_ARENA_BYTES - lacking, NET_ARENA_ALIGN);
    float *input = memory(NET_INPUT_0_BYTES, sizeof(void *)), *output = memory(NET_OUTPUT_0_BYTES, sizeof(void *));
    const void *inputs[] = {input};
    void *outputs[] = {output};
    int status, numbers = 1;
    size_t i;
    if (strcmp(mode, "fork") == 0 || strcmp(mode, "race") == 0) {
        threads.parallel_for = fork_join;
        threads.pool = strcmp(mode, "race") == 0 ? &twice : NULL;
    }
    for (i = 0; strcmp(mode, "unset") != 0 && i < NET_INPUT_0_BYTES / sizeof(float); ++i) {
        input[i] = (float)((i * 7919u) % 1000u) / 500.0f - 1.0f;
    }
    status = net_init(&context, arena, NET_ARENA_BYTES, shared ? &threads : NULL, NET_ABI);
    if (status == 0) {
        status = net_run(&context, inputs, outputs);
    }
    net_deinit(&context);
    for (i = 0; status == 0 && i < NET_OUTPUT_0_BYTES / sizeof(float); ++i) {
        numbers &= output[i] == output[i]; /* a branch on it is below: an undefined value shows */
    }
    puts(status == 0 && numbers ? "done" : net_strerror(status));
    free(arena);
    free(input);
    free(output);
    return status != 0 || !numbers;
}
