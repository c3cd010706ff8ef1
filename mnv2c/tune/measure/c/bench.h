/* Running the candidates of the subject in memory of their own, and checking what they compute. */
#ifndef MNV2C_MEASURE_BENCH_H
#define MNV2C_MEASURE_BENCH_H

#include "subject.h"

#pragma GCC visibility push(hidden)

typedef struct bench {
    __attribute__((aligned(64))) unsigned char *inputs[MOST_TENSORS], *fresh[MOST_TENSORS], *outputs[MOST_TENSORS];
    const unsigned char *weights[2][MOST_WEIGHTS]; /* of two candidates */
    unsigned char *scratch, *last, *eviction, *memory;
    size_t eviction_bytes;
    void *pool; /* NULL where one thread does all */
} bench;

/* Whether there was memory, and the threads could be started. With `fixed`, for counting, everything lies at addresses
 * of its own and one thread does all parts: others would be counted while they wait. */
int prepare(bench *at, const candidate *const each[2], int fixed);

/* Puts the caches into the state in which a network leaves them: weights gone but for those that the kernel before has
 * fetched, scratch memory used, inputs just made. `flushed` weights are in memory, where those of a large network come
 * from; else in a cache behind the L2, if there is one. */
void refresh(bench *at, const candidate *which, unsigned slot, int flushed);

/* One call; 0 for success. `slot` is that of the candidate in prepare. */
int run(bench *at, const candidate *which, unsigned slot);

/* One part of a call, for counting. */
int run_part(bench *at, const candidate *which, unsigned slot, unsigned phase, unsigned part);

/* Why a result is none, or NULL. */
typedef struct verdict {
    double error; /* max |y - expected| / max |expected|; less than 0 if it is not finite */
    const char *fault;
} verdict;

/* Calls the candidate once with scratch memory that holds NaN, and looks at all that it wrote. */
verdict check(bench *at, const candidate *which, unsigned slot);

#pragma GCC visibility pop
#endif
