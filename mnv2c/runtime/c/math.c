/*
 * The functions of <math.h> that TVM's own kernels call, for programs without a libc: see system.h. All are computed in
 * double precision and rounded once, so that results are right to the last place of a float or the one before it.
 */
#include <stdint.h>

float expf(float x);
float logf(float x);
float powf(float x, float y);
float tanhf(float x);
float erff(float x);
float sinf(float x);
float cosf(float x);
float floorf(float x);
float ceilf(float x);
float truncf(float x);
float roundf(float x);
float rintf(float x);
float nearbyintf(float x);
float roundevenf(float x);
float fmodf(float x, float y);

static double from_bits(uint64_t bits)
{
    union {
        uint64_t bits;
        double value;
    } both;
    both.bits = bits;
    return both.value;
}

static uint64_t to_bits(double value)
{
    union {
        uint64_t bits;
        double value;
    } both;
    both.value = value;
    return both.bits;
}

static double infinity(void)
{
    return from_bits((uint64_t)0x7ff << 52);
}

static double not_a_number(void)
{
    return from_bits((uint64_t)0x7ff8 << 48);
}

/* To the nearest whole number; of two as near to the even one. Beyond 2^52 all are whole. */
static double nearest(double x)
{
    const double shift = 4503599627370496.0;
    double moved;
    if (!(x > -shift && x < shift)) {
        return x;
    }
    moved = x < 0 ? (x - shift) + shift : (x + shift) - shift;
    return moved == 0 && x < 0 ? -0.0 : moved;
}

static double exponential(double x)
{
    double n, r, term = 1, sum = 1;
    int i;
    if (x != x) {
        return x;
    }
    if (x > 700) {
        return infinity();
    }
    if (x < -700) {
        return 0;
    }
    n = nearest(x * 1.4426950408889634);
    r = (x - n * 0.693147180369123816490) - n * 1.90821492927058770002e-10;
    for (i = 1; i < 16; ++i) {
        term *= r / i;
        sum += term;
    }
    return sum * from_bits((uint64_t)(1023 + (int)n) << 52);
}

static double logarithm(double x)
{
    uint64_t bits = to_bits(x);
    double m, s, power, sum = 0;
    int exponent, i;
    if (x != x || x == infinity()) {
        return x;
    }
    if (x <= 0) {
        return x < 0 ? not_a_number() : -infinity();
    }
    exponent = (int)(bits >> 52) - 1023; /* every float is a normal double */
    m = from_bits((bits & (((uint64_t)1 << 52) - 1)) | ((uint64_t)1023 << 52));
    if (m > 1.4142135623730951) {
        m *= 0.5;
        ++exponent;
    }
    s = (m - 1) / (m + 1);
    power = s;
    for (i = 1; i < 24; i += 2) {
        sum += power / i;
        power *= s * s;
    }
    return 2 * sum + exponent * 0.6931471805599453;
}

/* sin(x + quarter * pi / 2) */
static double sine(double x, int quarter)
{
    double n, r, term, sum;
    int i, place;
    if (!(x > -1e15 && x < 1e15)) {
        return not_a_number();
    }
    n = nearest(x * 0.6366197723675814);
    r = ((x - n * 1.57079632673412561417) - n * 6.07710050630396597660e-11) - n * 2.02226624879595063154e-21;
    place = (int)(((int64_t)n + quarter) & 3);
    term = (place & 1) ? 1 : r;
    sum = term;
    for (i = (place & 1) ? 2 : 3; i < 24; i += 2) {
        term *= -r * r / ((double)i * (i - 1));
        sum += term;
    }
    return place & 2 ? -sum : sum;
}

float expf(float x)
{
    return (float)exponential(x);
}

float logf(float x)
{
    return (float)logarithm(x);
}

float sinf(float x)
{
    return (float)sine(x, 0);
}

float cosf(float x)
{
    return (float)sine(x, 1);
}

float powf(float x, float y)
{
    const double whole = nearest(y);
    const int is_odd = whole == y && y > -1e9f && y < 1e9f && ((int64_t)whole & 1);
    double size = x < 0 ? -(double)x : x;
    if (y == 0 || x == 1) {
        return 1;
    }
    if (x != x || y != y || (x < 0 && whole != y)) {
        return (float)not_a_number();
    }
    if (size == 0) {
        size = y > 0 ? 0 : infinity();
    } else if (size == 1) {
        size = 1;
    } else {
        size = exponential(y * logarithm(size));
    }
    return (float)(is_odd && x < 0 ? -size : size);
}

float tanhf(float x)
{
    const double size = x < 0 ? -(double)x : x;
    double power, result;
    if (x != x || size < 1e-5) {
        return x;
    }
    power = size > 20 ? 1e18 : exponential(2 * size);
    result = (power - 1) / (power + 1);
    return (float)(x < 0 ? -result : result);
}

/* 2 / sqrt(pi) exp(-x^2) (x + 2 x^3 / 3 + 4 x^5 / 15 + ...): all terms have one sign. */
float erff(float x)
{
    const double square = (double)x * x;
    double term = x, sum = x;
    int i;
    if (x != x) {
        return x;
    }
    if (square > 16) {
        return x < 0 ? -1 : 1;
    }
    for (i = 1; i < 80; ++i) {
        term *= 2 * square / (2 * i + 1);
        sum += term;
    }
    return (float)(1.1283791670955126 * exponential(-square) * sum);
}

float rintf(float x)
{
    return (float)nearest(x);
}

float nearbyintf(float x)
{
    return (float)nearest(x);
}

float roundevenf(float x)
{
    return (float)nearest(x);
}

float floorf(float x)
{
    const double whole = nearest(x);
    return (float)(whole > x ? whole - 1 : whole);
}

float ceilf(float x)
{
    const double whole = nearest(x);
    return (float)(whole < x ? whole + 1 : whole);
}

float truncf(float x)
{
    return x < 0 ? ceilf(x) : floorf(x);
}

/* Of two as near the one further from zero. */
float roundf(float x)
{
    const double whole = nearest(x);
    if (whole - x == 0.5 || whole - x == -0.5) {
        return (float)(x < 0 ? x - 0.5 : x + 0.5);
    }
    return (float)whole;
}

/* Exact: subtracts the largest multiples of y by powers of two that fit. */
float fmodf(float x, float y)
{
    double rest = x < 0 ? -(double)x : x;
    const double by = y < 0 ? -(double)y : y;
    if (x != x || y != y || by == 0 || rest == infinity()) {
        return (float)not_a_number();
    }
    while (rest >= by && by != infinity()) {
        double part = by;
        while (part * 2 <= rest) {
            part *= 2;
        }
        rest -= part;
    }
    return (float)(x < 0 ? -rest : rest);
}
