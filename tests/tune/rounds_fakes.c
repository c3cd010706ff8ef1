/* What rounds.c times, made up: a clock that only calls move, and costs that depend on where the weights are. */
#include "rounds.h"

#include <stdio.h>

static double clock_now;
static double costs[2][STATES] = {{10, 8}, {9, 8.4}}; /* of the default and the candidate: from memory, from a cache */
static char order[2 * MOST_ROUNDS + 1];
static unsigned calls;
static int in_memory;

double now(void)
{
    return clock_now;
}

void refresh(bench *at, const candidate *which, unsigned slot, int flushed)
{
    (void)at, (void)which;
    in_memory = flushed;
    clock_now += 100; /* which is not timed */
    order[calls++] = (char)((flushed ? 'A' : 'a') + slot);
}

int run(bench *at, const candidate *which, unsigned slot)
{
    (void)at, (void)which;
    /* Rounds differ a little, so that there is a distance between quartiles: more with weights from memory. */
    clock_now += costs[slot][!in_memory] * (slot ? 1 + (in_memory ? 0.02 : 0.01) * (calls / 4 % 3) : 1);
    return 0;
}

int main(void)
{
    static timing found;
    static bench at;
    const candidate *const each[2] = {0, 0};
    unsigned i;
    if (!time_rounds(&at, each, 0.0005, 50000, &found)) {
        return 1;
    }
    order[16] = '\0';
    printf("%s %u %.6f %.6f %.6f %.6f", order, found.rounds, found.ratio, found.spread, found.default_cost, found.cost);
    for (i = 0; i < STATES; ++i) {
        printf(" %.6f %.6f", found.state_costs[i], found.state_ratios[i]);
    }
    puts("");
    return 0;
}
