/*
 * What harness.c needs of an operating system (system.h), on a bare PC emulated by Bochs.
 *
 * Input files lie behind the program, one after the other in the order in which they are read. Everything that is written
 * goes to port 0xE9, which Bochs copies to its standard output, as records: `F bytes path\n` and the file,
 * `T bytes\n` and text, `X code\n` at the end; `BEGIN\n` comes first.
 */
#include <stdint.h>

#include "system.h"

enum {
    PAGE = 4096,
    TABLES = 64,                    /* of 2 MB each: the guarded memory */
    GUARDED_FRAMES = 0x08000000,    /* its physical address */
    OUTPUT_PORT = 0xE9,
    SHUTDOWN_PORT = 0x8900
};

static const uint64_t guarded_start = 0x40000000; /* the second GB of addresses: see boot.c */

extern const unsigned char program_end[]; /* see bare.ld */
extern uint64_t guarded_directory[512];
static uint64_t tables[TABLES * 512] __attribute__((aligned(PAGE)));

/* ---- Output ---- */

static void output(const void *data, size_t bytes)
{
    __asm__ volatile("rep outsb" : "+S"(data), "+c"(bytes) : "d"(OUTPUT_PORT) : "memory");
}

static size_t length(const char *text)
{
    size_t count = 0;
    while (text[count] != '\0') {
        ++count;
    }
    return count;
}

static void output_text(const char *text)
{
    output(text, length(text));
}

static void output_number(size_t number)
{
    char text[24];
    char *at = text + sizeof text - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    output_text(at);
}

void print(const char *text)
{
    output_text("T ");
    output_number(length(text));
    output_text("\n");
    output_text(text);
}

void print_number(long number)
{
    char text[2] = "0";
    if (number >= 10) {
        print_number(number / 10);
    }
    text[0] = (char)('0' + number % 10);
    print(text);
}

/* ---- Files and memory ---- */

long transfer_file(const char *path, void *data, size_t bytes, int direction)
{
    static const unsigned char *next = program_end;
    if (direction == READ) {
        memcpy(data, next, bytes);
        next += bytes;
        return (long)bytes;
    }
    output_text("F ");
    output_number(bytes);
    output_text(" ");
    output_text(path);
    output_text("\n");
    output(data, bytes);
    return (long)bytes;
}

unsigned char *reserve(size_t bytes)
{
    static size_t used;
    unsigned char *start = (unsigned char *)(uintptr_t)(guarded_start + used);
    if (bytes > (size_t)TABLES * 512 * PAGE - used) {
        return NULL;
    }
    used += (bytes + PAGE - 1) / PAGE * PAGE;
    return start;
}

/* Addresses that are not open stay without a page: touching one ends the emulation. */
int open_memory(unsigned char *start, size_t bytes)
{
    const size_t first = ((uintptr_t)start - guarded_start) / PAGE;
    size_t i;
    for (i = first; i < first + (bytes + PAGE - 1) / PAGE; ++i) {
        tables[i] = (GUARDED_FRAMES + i * PAGE) | 3; /* present, writable */
    }
    return 1;
}

size_t page_size(void)
{
    return PAGE;
}

unsigned long getauxval(unsigned long type)
{
    (void)type;
    return 0;
}

/* ---- The start and the end ---- */

void start_c(void);

void start_c(void)
{
    static char name[] = "harness", mode[] = RUN_MODE, folder[] = ".";
    char *arguments[] = {name, mode, folder, NULL};
    unsigned i;
    int code;
    for (i = 0; i < TABLES; ++i) {
        guarded_directory[i] = (uintptr_t)(tables + i * 512) | 3;
    }
    output_text("BEGIN\n");
    code = program(3, arguments);
    output_text("X ");
    output_number((size_t)code);
    output_text("\n");
    for (;;) {
        const char *shutdown = "Shutdown";
        size_t bytes = 8;
        __asm__ volatile("rep outsb" : "+S"(shutdown), "+c"(bytes) : "d"(SHUTDOWN_PORT) : "memory");
    }
}

/* ---- What compilers call ---- */

int strcmp(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right) {
        ++left;
        ++right;
    }
    return (unsigned char)*left - (unsigned char)*right;
}

#include "memory.h"
