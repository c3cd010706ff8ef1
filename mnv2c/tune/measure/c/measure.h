/* Measuring one candidate of the subject, in a process of its own beside the default, candidate 0. */
#ifndef MNV2C_MEASURE_MEASURE_H
#define MNV2C_MEASURE_MEASURE_H

#include "subject.h"

#pragma GCC visibility push(hidden)

enum { STANDARD_OUTPUT = 1, STANDARD_ERROR = 2, UNUSABLE = 2 };

/* How to measure: most seconds per candidate, the last of the cores to run on or less than 0, where lines go to. */
typedef struct order {
    double seconds;
    int core;
    long file;
} order;

/* Writes the candidate's line. */
void measure_one(const order *wanted, unsigned which);

/* Runs the candidate twice, the second time with markers, and writes its line to standard output; 0. */
int count_one(unsigned which);

/* The candidate whose number is at the start of the text, -1 if there is none; `end` is what follows. */
long candidate_of(const char *words, const char **end);

/* Says how the program is called; UNUSABLE. */
int usage(void);

#pragma GCC visibility pop
#endif
