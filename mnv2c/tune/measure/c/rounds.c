/* See rounds.h. */
#include "rounds.h"

enum { WARM_UP = 2, FEWEST = 24, EVERY = 8, READINGS = 31 };

static const double LEAST_SHARE = 0.15; /* of the time there is: what disturbs a core may last for milliseconds */

static const double MEDIAN_ERROR = 0.93; /* standard error of a median: 1.25 of a mean's, which is spread / 1.35 */
static const double SHARE = 0.02;        /* of how far from the default's the cost is: there precision decides nothing */

static double sorted[MOST_ROUNDS];

/* Sorts a copy of every `step`-th value; returns its middle. Shell's sort: a few thousand values, seldom. */
static double median(const double *values, unsigned count, unsigned step)
{
    unsigned gap, i, k;
    for (i = 0; i < count; ++i) {
        sorted[i] = values[i * step];
    }
    for (gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11) {
        for (i = gap; i < count; ++i) {
            const double moved = sorted[i];
            for (k = i; k >= gap && sorted[k - gap] > moved; k -= gap) {
                sorted[k] = sorted[k - gap];
            }
            sorted[k] = moved;
        }
    }
    return count % 2 ? sorted[count / 2] : (sorted[count / 2 - 1] + sorted[count / 2]) / 2;
}

/* Of the rounds so far; an even number of them. */
static void summarise(timing *found)
{
    const unsigned each = found->rounds / STATES;
    unsigned state;
    found->ratio = found->default_cost = 0;
    for (state = 0; state < STATES; ++state) {
        const double cost = median(found->default_costs + state, each, STATES);
        const double ratio = median(found->ratios + state, each, STATES);
        found->state_costs[state] = cost;
        found->state_ratios[state] = ratio;
        found->default_cost += cost / STATES;
        if (ratio > found->ratio) { /* the ratios are sorted still, for the quartiles */
            found->ratio = ratio;
            found->spread = sorted[each * 3 / 4 - (each == 4)] - sorted[each / 4];
        }
    }
    found->cost = found->ratio * found->default_cost;
}

/* Seconds that a reading of the clock adds. */
static double reading(void)
{
    double spans[READINGS];
    unsigned i;
    for (i = 0; i < READINGS; ++i) {
        const double start = now();
        spans[i] = now() - start;
    }
    return median(spans, READINGS, 1);
}

/* Seconds of one call, or less than 0 if it failed. */
static double time_call(bench *at, const candidate *which, unsigned slot, int flushed, double overhead)
{
    double start, seconds;
    int failed;
    refresh(at, which, slot, flushed);
    start = now();
    failed = run(at, which, slot);
    seconds = now() - start - overhead;
    return failed ? -1 : (seconds > 1e-9 ? seconds : 1e-9);
}

static double square_root(double value)
{
    double root = value > 1 ? value : 1;
    unsigned i;
    for (i = 0; i < 40; ++i) {
        root = (root + value / root) / 2;
    }
    return root;
}

static int is_stable(const timing *found, double precision)
{
    const double known = MEDIAN_ERROR * found->spread / square_root((double)found->rounds / STATES);
    const double apart = found->ratio > 1 ? found->ratio - 1 : 1 - found->ratio;
    return known <= precision || known <= apart * SHARE;
}

int time_rounds(bench *at, const candidate *const each[2], double precision, double end, timing *found)
{
    const double overhead = reading(), least = now() + (end - now()) * LEAST_SHARE;
    unsigned round;
    found->rounds = 0;
    for (round = 0; found->rounds < MOST_ROUNDS; ++round) {
        const unsigned first = round / STATES % 2; /* who comes first changes: it might be at an advantage */
        const int flushed = round % STATES == 0;
        double seconds[2];
        seconds[first] = time_call(at, each[first], first, flushed, overhead);
        seconds[!first] = time_call(at, each[!first], !first, flushed, overhead);
        if (seconds[0] < 0 || seconds[1] < 0) {
            return 0;
        }
        if (round >= WARM_UP) {
            found->default_costs[found->rounds] = seconds[0];
            found->costs[found->rounds] = seconds[1];
            found->ratios[found->rounds++] = seconds[1] / seconds[0];
        }
        if (found->rounds > 0 && found->rounds % STATES == 0 && now() > end) {
            break;
        }
        if (found->rounds >= FEWEST && found->rounds % EVERY == 0 && now() > least) {
            summarise(found);
            if (is_stable(found, precision)) {
                return 1;
            }
        }
    }
    summarise(found);
    return 1;
}
