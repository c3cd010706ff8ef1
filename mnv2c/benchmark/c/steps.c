/*
 * Times the steps of a compiled library between readings of the monotonic clock, with nothing in between but the calls.
 * All functions return the library's status (0 for success) and leave nanoseconds.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdint.h>
#include <time.h>

/* NAME_run_steps of a library, and what it is called with. */
typedef struct {
    int (*run_steps)(void *context, const void *const inputs[], void *const outputs[], unsigned first, unsigned count);
    void *context;
    const void *const *inputs;
    void *const *outputs;
    unsigned steps;
} subject;

#define PUBLIC __attribute__((visibility("default")))

int steps_whole(const subject *of, uint64_t *nanoseconds);
int steps_in_run(const subject *of, uint64_t nanoseconds[]);
int steps_alone(const subject *of, unsigned repeats, uint64_t nanoseconds[]);
int steps_reading(const subject *of, unsigned repeats, uint64_t *nanoseconds);

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static int call(const subject *of, unsigned first, unsigned count)
{
    return of->run_steps(of->context, of->inputs, of->outputs, first, count);
}

/* One run in a single call. */
PUBLIC int steps_whole(const subject *of, uint64_t *nanoseconds)
{
    const uint64_t start = now();
    const int status = call(of, 0, of->steps);
    *nanoseconds = now() - start;
    return status;
}

/* One run, step by step: every step finds the caches as the steps before it leave them. */
PUBLIC int steps_in_run(const subject *of, uint64_t nanoseconds[])
{
    uint64_t before = now();
    unsigned step;
    for (step = 0; step < of->steps; ++step) {
        const int status = call(of, step, 1);
        const uint64_t after = now();
        if (status != 0) {
            return status;
        }
        nanoseconds[step] = after - before;
        before = after;
    }
    return 0;
}

/*
 * Every step once in its turn, then `repeats` times at a stretch, each of which is timed: its tensors and weights are in
 * the caches, as far as they fit. A step in place then reads its own result; its work does not depend on the values.
 * The times of a step follow each other.
 */
PUBLIC int steps_alone(const subject *of, unsigned repeats, uint64_t nanoseconds[])
{
    unsigned step;
    for (step = 0; step < of->steps; ++step) {
        int status = call(of, step, 1);
        uint64_t before = now();
        unsigned repeat;
        for (repeat = 0; status == 0 && repeat < repeats; ++repeat) {
            uint64_t after;
            status = call(of, step, 1);
            after = now();
            *nanoseconds++ = after - before;
            before = after;
        }
        if (status != 0) {
            return status;
        }
    }
    return 0;
}

/* What a reading of the clock and a call add to every time above: calls of no step at all, `repeats` times. */
PUBLIC int steps_reading(const subject *of, unsigned repeats, uint64_t *nanoseconds)
{
    const uint64_t start = now();
    uint64_t last = start;
    unsigned repeat;
    for (repeat = 0; repeat < repeats; ++repeat) {
        const int status = call(of, 0, 0);
        last = now();
        if (status != 0) {
            return status;
        }
    }
    *nanoseconds = last - start;
    return 0;
}
