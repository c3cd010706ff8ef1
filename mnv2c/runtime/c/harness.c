/*
 * Runs a library once, as a static program without any libc: under an emulator, or natively.
 *
 *   harness run|backwards|steps|selftest|count|count-steps FOLDER
 *
 * reads FOLDER/input_N.bin, writes FOLDER/output_N.bin and, for `steps`, FOLDER/dump_N.bin for every entry of DUMPS in
 * the generated table.h. `count` runs twice, with a marker before each run and one at the end, `count-steps` with one
 * before each step instead; both need COUNTED to be defined. `backwards` runs the parts of every phase one after the
 * other, the last one first, where the library shares its work among threads; all other modes run the first one first.
 *
 * Arena, inputs and outputs get exactly the bytes the header asks for, end at a page that must not be touched, and lie
 * behind bytes that are checked afterwards. With AT_START they begin behind such a page instead, and lie before such bytes.
 * The arena begins as NaN, so that a value read before it is written shows.
 *
 * VARIANT, where it is defined, names the kernels to run, of a library that has several.
 *
 * Exit: 0 done; 1 a file failed; 2 the library returned a status (printed); 3 bytes outside a buffer were written.
 */
#include <stdint.h>

#include "system.h"
#include "table.h"

enum { CANARY = 0xA5, UNSET = 0xFF, MAX_BUFFERS = INPUTS + OUTPUTS + 1 };

/* A buffer of `bytes` at `start`; [first, last) may be accessed and holds CANARY outside the buffer. */
typedef struct guarded {
    unsigned char *first, *start, *last;
    size_t bytes;
} guarded;

static guarded buffers[MAX_BUFFERS];
static unsigned buffer_count;

static unsigned char *allocate(size_t bytes, size_t alignment)
{
    const size_t page = page_size();
    const size_t open = ((bytes + alignment + page - 1) / page + 1) * page;
    unsigned char *base = reserve(open + 2 * page);
    guarded *buffer = &buffers[buffer_count++];
    if (base == NULL || !open_memory(base + page, open)) {
        return NULL;
    }
    buffer->first = base + page;
    buffer->last = buffer->first + open;
#ifdef AT_START
    buffer->start = buffer->first; /* of a page, which is as aligned as anything */
#else
    buffer->start = buffer->last - bytes;
    buffer->start -= (uintptr_t)buffer->start % alignment;
#endif
    buffer->bytes = bytes;
    memset(buffer->first, CANARY, open);
    memset(buffer->start, UNSET, bytes);
    return buffer->start;
}

static int intact(const guarded *buffer)
{
    const unsigned char *at;
    for (at = buffer->first; at < buffer->last; ++at) {
        const int inside = at >= buffer->start && at < buffer->start + buffer->bytes;
        if (!inside && *at != CANARY) {
            return 0;
        }
    }
    return 1;
}

static char *append(char *at, const char *text)
{
    while (*text != '\0') {
        *at++ = *text++;
    }
    *at = '\0';
    return at;
}

static char *append_number(char *at, unsigned number)
{
    if (number >= 10) {
        at = append_number(at, number / 10);
    }
    *at++ = (char)('0' + number % 10);
    return at;
}

/* Reads or writes exactly `bytes` of FOLDER/KIND_INDEX.bin. */
static int transfer(const char *folder, const char *kind, unsigned index, void *data, size_t bytes, int direction)
{
    char path[4096];
    char *at = append(append(append(append(path, folder), "/"), kind), "_");
    long done;
    append(append_number(at, index), ".bin");
    done = transfer_file(path, data, bytes, direction);
    if (done != (long)bytes) {
        print(path);
        print(done < 0 ? ": cannot be opened\n" : ": has the wrong size\n");
        return 0;
    }
    return 1;
}

static int dump_step(const char *folder, unsigned step, unsigned char *arena, void **inputs, void **outputs)
{
    unsigned i;
    for (i = 0; i < DUMPS; ++i) {
        const dump d = dumps[i];
        unsigned char *base;
        if (d.step != step) {
            continue;
        }
        base = d.space == 'a' ? arena : (unsigned char *)(d.space == 'i' ? inputs : outputs)[d.index];
        if (!transfer(folder, "dump", i, base + d.offset, d.bytes, WRITE)) {
            return 0;
        }
    }
    return 1;
}

static int failed(LIBRARY(status) status)
{
    if (status != 0) {
        print("status ");
        print_number((long)status);
        print(": ");
        print(LIBRARY(strerror)(status));
        print("\n");
    }
    return status != 0;
}

#ifdef COUNTED

/* Twice the same, with a marker before every interval and one at the end: the first run fills the caches. */
static int count(const char *mode, LIBRARY(ctx) *context, void **inputs, void **outputs)
{
    const unsigned each = strcmp(mode, "count") == 0 ? STEPS : 1;
    unsigned step;
    for (step = 0; step < 2 * STEPS; step += each) {
        marker();
        if (failed(LIBRARY(run_steps)(context, (const void *const *)inputs, outputs, step % STEPS, each))) {
            return 2;
        }
    }
    marker();
    return 0;
}

#endif

static void backwards(void *pool, void (*task)(void *arg, unsigned index), void *arg, unsigned tasks)
{
    (void)pool;
    while (tasks > 0) {
        task(arg, --tasks);
    }
}

static int run(const char *mode, const char *folder, unsigned char *arena, void **inputs, void **outputs)
{
    const LIBRARY(threads) sharing = {NULL, THREADS, backwards};
    const int shared = strcmp(mode, "backwards") == 0;
    LIBRARY(ctx) context;
    unsigned step;
    if (failed(LIBRARY(init)(&context, arena, ARENA_BYTES, shared ? &sharing : NULL, ABI))) {
        return 2;
    }
#ifdef VARIANT
    if (failed(LIBRARY(set_variant)(&context, VARIANT))) {
        return 2;
    }
#endif
    if (strcmp(mode, "selftest") == 0) {
        return failed(LIBRARY(selftest)(&context, inputs, outputs)) ? 2 : 0;
    }
#ifdef COUNTED
    if (strcmp(mode, "count") == 0 || strcmp(mode, "count-steps") == 0) {
        return count(mode, &context, inputs, outputs);
    }
#endif
    if (strcmp(mode, "steps") != 0) {
        return failed(LIBRARY(run)(&context, (const void *const *)inputs, outputs)) ? 2 : 0;
    }
    for (step = 0; step < STEPS; ++step) {
        if (failed(LIBRARY(run_steps)(&context, (const void *const *)inputs, outputs, step, 1))) {
            return 2;
        }
        if (!dump_step(folder, step, arena, inputs, outputs)) {
            return 1;
        }
    }
    return 0;
}

static int any_null_start(void)
{
    unsigned i;
    for (i = 0; i < buffer_count; ++i) {
        if (buffers[i].start == NULL) {
            return 1;
        }
    }
    return 0;
}

/* Buffer 0 is the arena; the inputs and the outputs follow. */
static int all_intact(void)
{
    unsigned i;
    for (i = 0; i < buffer_count; ++i) {
        if (!intact(&buffers[i])) {
            print("bytes beside buffer ");
            print_number((long)i);
            print(" were written (0: arena, then inputs, then outputs)\n");
            return 0;
        }
    }
    return 1;
}

int program(int argc, char **argv)
{
    unsigned char *arena = allocate(ARENA_BYTES, ARENA_ALIGNMENT);
    void *inputs[INPUTS], *outputs[OUTPUTS];
    unsigned i;
    int result;
    if (argc != 3) {
        print("usage: harness run|backwards|steps|selftest|count|count-steps FOLDER\n");
        return 1;
    }
    for (i = 0; i < INPUTS; ++i) {
        inputs[i] = allocate(input_ports[i].bytes, input_ports[i].alignment);
    }
    for (i = 0; i < OUTPUTS; ++i) {
        outputs[i] = allocate(output_ports[i].bytes, output_ports[i].alignment);
    }
    if (any_null_start()) {
        print("not enough memory\n");
        return 1;
    }
    for (i = 0; strcmp(argv[1], "selftest") != 0 && i < INPUTS; ++i) {
        if (!transfer(argv[2], "input", i, inputs[i], input_ports[i].bytes, READ)) {
            return 1;
        }
    }
    result = run(argv[1], argv[2], arena, inputs, outputs);
    if (!all_intact()) {
        return 3;
    }
    for (i = 0; result == 0 && i < OUTPUTS; ++i) {
        result = !transfer(argv[2], "output", i, outputs[i], output_ports[i].bytes, WRITE);
    }
    return result;
}
