/* What is measured: the candidates of one chain, as the generated table.c has them, and what they compute. */
#ifndef MNV2C_MEASURE_SUBJECT_H
#define MNV2C_MEASURE_SUBJECT_H

#include "system.h"

/* Where a call finds its arguments. */
typedef struct places {
    unsigned char *const *inputs, *const *outputs;
    const unsigned char *const *weights;
    unsigned char *scratch;
} places;

typedef struct block {
    const unsigned char *start;
    size_t bytes;
} block;

/* One way to run the chain; `run` returns 0 for success. In place, the first output is the first input. Alignment keeps
 * counts equal wherever in a program this lies. */
typedef struct candidate {
    __attribute__((aligned(64))) int32_t (*run)(const places *at, unsigned phase, unsigned part);
    unsigned phases, parts, in_place, weights_count;
    const block *weights;
    size_t scratch_bytes;
} candidate;

/* Floats, or numbers of classes of `width` bytes; only an output has `expected` values, where -1 is any class. */
typedef struct tensor {
    size_t elements;
    unsigned width, classes;
    const void *expected;
} tensor;

typedef struct subject {
    const candidate *candidates;
    const tensor *inputs, *outputs;
    unsigned candidates_count, inputs_count, outputs_count, threads;
    size_t l2_bytes, fetched_bytes; /* of the weights, what the kernel before brings into the L2 */
    double tolerance;
} subject;

extern HIDDEN const subject SUBJECT;

enum { MOST_TENSORS = 64, MOST_WEIGHTS = 256 };

#endif
