/* Lines of text, put together in memory of fixed size: what does not fit is left out. */
#ifndef MNV2C_MEASURE_TEXT_H
#define MNV2C_MEASURE_TEXT_H

#include "system.h"

#pragma GCC visibility push(hidden)

typedef struct text {
    size_t length;
    char content[4096];
} text;

void add(text *to, const char *words);
void add_integer(text *to, long value);

/* Six significant digits, or null for what is not a number or is too large to be one. */
void add_number(text *to, double value);

/* The number at the start of `words`, and in `end` what follows it; decimals are allowed. */
double number(const char *words, const char **end);

#pragma GCC visibility pop
#endif
