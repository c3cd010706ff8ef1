/* Timing a candidate beside the default, in rounds. */
#ifndef MNV2C_MEASURE_ROUNDS_H
#define MNV2C_MEASURE_ROUNDS_H

#include "bench.h"

#pragma GCC visibility push(hidden)

enum { MOST_ROUNDS = 4096, STATES = 2 };

typedef struct timing {
    unsigned rounds;
    double costs[MOST_ROUNDS]; /* seconds of the candidate, in the order of the rounds */
    double ratios[MOST_ROUNDS];
    double default_costs[MOST_ROUNDS];
    /* In every second round weights come from memory, in the others from a cache. `ratio` is the larger of the two
     * medians, so that no network gets slower; `spread` the distance between its quartiles; `default_cost` the mean of
     * its two medians, `cost` the ratio times that. */
    double cost, default_cost, ratio, spread;
    double state_costs[STATES], state_ratios[STATES]; /* medians, of the default: weights in memory, in a cache */
} timing;

/* Fills `found` until the median of the ratios is known to within `precision`, or the clock says `end`; 0 if a call
 * failed. */
int time_rounds(bench *at, const candidate *const each[2], double precision, double end, timing *found);

#pragma GCC visibility pop
#endif
