/* See text.h. */
#include "text.h"

enum { DIGITS = 6 };

void add(text *to, const char *words)
{
    for (; *words != '\0' && to->length < sizeof to->content; ++words) {
        to->content[to->length++] = *words;
    }
}

void add_integer(text *to, long value)
{
    char digits[24];
    unsigned long left = value < 0 ? 0ul - (unsigned long)value : (unsigned long)value;
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    add(to, value < 0 ? "-" : "");
    add(to, at);
}

void add_number(text *to, double value)
{
    const double limit = 1000000; /* ten to the power of DIGITS */
    int exponent = 0;
    if (!(value > -1e30 && value < 1e30)) {
        add(to, "null");
        return;
    }
    if (value < 0) {
        add(to, "-");
        value = -value;
    }
    if (value < 1e-30) {
        add(to, "0");
        return;
    }
    for (; value < limit / 10; --exponent) {
        value *= 10;
    }
    for (; value >= limit - 0.5; ++exponent) {
        value /= 10;
    }
    add_integer(to, (long)(value + 0.5));
    add(to, "e");
    add_integer(to, exponent);
}

double number(const char *words, const char **end)
{
    double value = 0, unit = 1;
    const int negative = *words == '-';
    words += negative;
    for (; *words >= '0' && *words <= '9'; ++words) {
        value = value * 10 + (*words - '0');
    }
    if (*words == '.') {
        for (++words; *words >= '0' && *words <= '9'; ++words) {
            unit /= 10;
            value += (*words - '0') * unit;
        }
    }
    *end = words;
    return negative ? -value : value;
}
