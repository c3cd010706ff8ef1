/* See bench.h. */
#include "bench.h"

enum { LINE = 64, MARGIN = 256, CANARY = 0xA5, UNSET = 0xFF, EVICTIONS = 2, POOL_BYTES = 512 };

static const unsigned MULTIPLIER = 1664525u, INCREMENT = 1013904223u; /* those of the self-test's pattern */

#if UINTPTR_MAX > 0xFFFFFFFFu
static const uintptr_t FIXED = 0x200000000u;
#else
static const uintptr_t FIXED = 0x60000000u;
#endif

#ifdef THREADS
int measure_pool_start(void *memory, unsigned threads);
void measure_pool_run(void *memory, void (*task)(void *arg, unsigned index), void *arg, unsigned tasks);
#endif

static size_t aligned(size_t bytes)
{
    return (bytes + LINE - 1) / LINE * LINE;
}

static size_t bytes_of(const tensor *value)
{
    return value->elements * value->width;
}

/* The next place, behind a margin that nobody may write to; NULL as long as there is no memory. */
static unsigned char *place(const bench *at, size_t *used, size_t bytes)
{
    const size_t start = *used + MARGIN;
    *used = start + aligned(bytes);
    return at->memory == NULL ? NULL : at->memory + start;
}

static void place_tensors(const bench *at, size_t *used, unsigned char **places, const tensor *values, unsigned count)
{
    unsigned i;
    for (i = 0; i < count; ++i) {
        places[i] = place(at, used, bytes_of(&values[i]));
    }
}

static void place_weights(bench *at, size_t *used, const candidate *which, unsigned slot, int copied)
{
    unsigned i;
    for (i = 0; i < which->weights_count; ++i) {
        const block from = which->weights[i];
        unsigned char *const to = copied ? place(at, used, from.bytes) : NULL;
        if (to != NULL) {
            memcpy(to, from.start, from.bytes);
        }
        at->weights[slot][i] = to != NULL ? to : from.start;
    }
}

/* Decides where everything lies; returns how many bytes that takes. With `fixed` weights are copied there, too. */
static size_t lay_out(bench *at, const candidate *const each[2], int fixed)
{
    const size_t first = each[0]->scratch_bytes, second = each[1]->scratch_bytes;
    size_t used = 0;
    place_tensors(at, &used, at->inputs, SUBJECT.inputs, SUBJECT.inputs_count);
    place_tensors(at, &used, at->outputs, SUBJECT.outputs, SUBJECT.outputs_count);
    at->scratch = place(at, &used, first > second ? first : second);
    at->last = place(at, &used, 0);
    place_tensors(at, &used, at->fresh, SUBJECT.inputs, SUBJECT.inputs_count);
    at->eviction_bytes = EVICTIONS * aligned(SUBJECT.l2_bytes);
    at->eviction = place(at, &used, at->eviction_bytes);
    at->pool = place(at, &used, POOL_BYTES + POOL_BYTES * SUBJECT.threads);
    place_weights(at, &used, each[0], 0, fixed);
    place_weights(at, &used, each[1], 1, fixed && each[0] != each[1]);
    return used + MARGIN;
}

static void fill_inputs(const bench *at)
{
    unsigned i;
    for (i = 0; i < SUBJECT.inputs_count; ++i) {
        float *values = (float *)at->fresh[i];
        unsigned state = i + 1;
        size_t k;
        for (k = 0; k < SUBJECT.inputs[i].elements; ++k) {
            state = state * MULTIPLIER + INCREMENT;
            values[k] = (float)((int32_t)(state >> 8) - 8388608) * (1.0f / 8388608.0f);
        }
    }
}

int prepare(bench *at, const candidate *const each[2], int fixed)
{
    at->memory = NULL;
    at->memory = allocate(fixed ? (void *)FIXED : NULL, lay_out(at, each, fixed));
    if (at->memory == NULL) {
        return 0;
    }
    lay_out(at, each, fixed);
    fill_inputs(at);
    memset(at->eviction, 1, at->eviction_bytes); /* untouched memory would all be one page of zeros */
#ifdef THREADS
    if (!fixed) {
        return measure_pool_start(at->pool, SUBJECT.threads);
    }
#endif
    at->pool = NULL;
    return 1;
}

/* Reads one value of every line. */
static unsigned touch(const unsigned char *start, size_t bytes)
{
    unsigned sum = 0;
    size_t i;
    for (i = 0; i < bytes; i += LINE) {
        sum += ((const volatile unsigned char *)start)[i];
    }
    return sum;
}

static void copy(unsigned char *restrict to, const unsigned char *restrict from, size_t bytes)
{
    const uint64_t *source = (const uint64_t *)from;
    uint64_t *target = (uint64_t *)to;
    size_t i;
    for (i = 0; i < bytes / sizeof *source; ++i) {
        target[i] = source[i];
    }
    for (i = bytes / sizeof *source * sizeof *source; i < bytes; ++i) {
        to[i] = from[i];
    }
}

/* Out of all caches, where a program may ask for that. */
static void flush(const unsigned char *start, size_t bytes)
{
#if defined(__x86_64__) || defined(__aarch64__)
    size_t i;
    for (i = 0; i < bytes; i += LINE) {
#ifdef __x86_64__
        __asm__ volatile("clflush %0" : : "m"(start[i]) : "memory");
#else
        __asm__ volatile("dc civac, %0" : : "r"(start + i) : "memory");
#endif
    }
    __sync_synchronize();
#else
    (void)start, (void)bytes;
#endif
}

static void flush_weights(const bench *at, const candidate *which, unsigned slot)
{
    unsigned i;
    for (i = 0; i < which->weights_count; ++i) {
        flush(at->weights[slot][i], which->weights[i].bytes);
    }
}

static void fetch_weights(const bench *at, const candidate *which, unsigned slot)
{
    size_t fetched = SUBJECT.fetched_bytes;
    unsigned i;
    for (i = 0; i < which->weights_count && fetched > 0; ++i) {
        const size_t bytes = which->weights[i].bytes < fetched ? which->weights[i].bytes : fetched;
        touch(at->weights[slot][i], bytes);
        fetched -= bytes;
    }
}

void refresh(bench *at, const candidate *which, unsigned slot, int flushed)
{
    unsigned i;
    touch(at->eviction, at->eviction_bytes);
    if (flushed) {
        flush_weights(at, which, slot);
    }
    fetch_weights(at, which, slot);
    touch(at->scratch, which->scratch_bytes);
    for (i = 0; i < SUBJECT.outputs_count; ++i) {
        touch(at->outputs[i], bytes_of(&SUBJECT.outputs[i]));
    }
    for (i = 0; i < SUBJECT.inputs_count; ++i) {
        copy(at->inputs[i], at->fresh[i], bytes_of(&SUBJECT.inputs[i]));
    }
}

typedef struct work {
    bench *at;
    const candidate *which;
    unsigned slot, phase;
    int failed;
} work;

int run_part(bench *at, const candidate *which, unsigned slot, unsigned phase, unsigned part)
{
    const places found = {at->inputs, at->outputs, at->weights[slot], at->scratch};
    return which->run(&found, phase, part) != 0;
}

static void task(void *arg, unsigned part)
{
    work *mine = (work *)arg;
    if (run_part(mine->at, mine->which, mine->slot, mine->phase, part)) {
        __atomic_store_n(&mine->failed, 1, __ATOMIC_RELAXED);
    }
}

int run(bench *at, const candidate *which, unsigned slot)
{
    work mine = {at, which, slot, 0, 0};
    unsigned part;
    for (mine.phase = 0; mine.phase < which->phases && !mine.failed; ++mine.phase) {
#ifdef THREADS
        if (which->parts > 1 && at->pool != NULL) {
            measure_pool_run(at->pool, task, &mine, which->parts);
            continue;
        }
#endif
        for (part = 0; part < which->parts; ++part) {
            task(&mine, part);
        }
    }
    return mine.failed;
}

/* ---- What a call computed ---- */

static double magnitude(double value)
{
    return value < 0 ? -value : value;
}

/* max |y - expected| / max |expected|, less than 0 where a value is not finite. */
static double error_of_floats(const float *found, const float *expected, size_t elements)
{
    double most = 0, scale = 0;
    size_t i;
    for (i = 0; i < elements; ++i) {
        const double difference = magnitude((double)found[i] - (double)expected[i]);
        if (!(difference < 1e30)) {
            return -1;
        }
        most = difference > most ? difference : most;
        scale = magnitude((double)expected[i]) > scale ? magnitude((double)expected[i]) : scale;
    }
    return scale > 0 ? most / scale : (most > 0 ? -1 : 0);
}

static int is_any(const unsigned char *class, unsigned width)
{
    unsigned i;
    for (i = 0; i < width; ++i) {
        if (class[i] != 0xFF) {
            return 0;
        }
    }
    return 1;
}

/* 0, or less than 0 where a class is another than the expected one. */
static double error_of_classes(const unsigned char *found, const unsigned char *expected, const tensor *value)
{
    size_t i;
    unsigned k;
    for (i = 0; i < bytes_of(value); i += value->width) {
        for (k = 0; k < value->width && !is_any(expected + i, value->width); ++k) {
            if (found[i + k] != expected[i + k]) {
                return -1;
            }
        }
    }
    return 0;
}

static double error_of(const tensor *value, const unsigned char *found)
{
    if (value->classes) {
        return error_of_classes(found, (const unsigned char *)value->expected, value);
    }
    return error_of_floats((const float *)found, (const float *)value->expected, value->elements);
}

static int is_canary(const unsigned char *first, const unsigned char *last)
{
    for (; first < last; ++first) {
        if (*first != CANARY) {
            return 0;
        }
    }
    return 1;
}

/* Whether the margins before, between and behind all tensors and the scratch memory are as they were. */
static int is_intact(const bench *at, const candidate *which)
{
    const unsigned char *before = at->memory;
    unsigned i;
    for (i = 0; i < SUBJECT.inputs_count; ++i) {
        if (!is_canary(before, at->inputs[i])) {
            return 0;
        }
        before = at->inputs[i] + bytes_of(&SUBJECT.inputs[i]);
    }
    for (i = 0; i < SUBJECT.outputs_count; ++i) {
        if (!is_canary(before, at->outputs[i])) {
            return 0;
        }
        before = at->outputs[i] + bytes_of(&SUBJECT.outputs[i]);
    }
    return is_canary(before, at->scratch) && is_canary(at->scratch + which->scratch_bytes, at->last);
}

verdict check(bench *at, const candidate *which, unsigned slot)
{
    verdict found = {0, NULL};
    unsigned i;
    memset(at->memory, CANARY, (size_t)(at->last - at->memory));
    memset(at->scratch, UNSET, which->scratch_bytes);
    for (i = 0; i < SUBJECT.outputs_count; ++i) {
        memset(at->outputs[i], UNSET, bytes_of(&SUBJECT.outputs[i]));
    }
    for (i = 0; i < SUBJECT.inputs_count; ++i) {
        memcpy(at->inputs[i], at->fresh[i], bytes_of(&SUBJECT.inputs[i]));
    }
    if (run(at, which, slot)) {
        found.fault = "the kernel returned an error";
        return found;
    }
    for (i = 0; i < SUBJECT.outputs_count; ++i) {
        const unsigned char *result = i == 0 && which->in_place ? at->inputs[0] : at->outputs[i];
        const double error = error_of(&SUBJECT.outputs[i], result);
        if (error < 0 || error > found.error) {
            found.error = error;
        }
        if (error < 0 || error > SUBJECT.tolerance) {
            found.fault = "the result differs from the reference";
            return found;
        }
    }
    if (!is_intact(at, which)) {
        found.fault = "bytes outside the buffers were written";
    }
    return found;
}
