/* See system.h. Compiled with -ffreestanding -fno-builtin; HOSTED is for tests, where a libc is there as well. */
#include "system.h"

#include "calls.h"

enum { CURRENT_FOLDER = -100, READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22, NEW_FILE = 01 | 0100 | 01000, MODE = 0600 };
enum { MONOTONIC = 1, REAL_TIMER = 0, INTERRUPTED = -4, CHILD_SIGNAL = 17, MARKER = 28014, MOST_CORES = 1024 };
enum { SIGNAL_SET_BYTES = 8, REPLACE_MASK = 2 };

long fork_process(void)
{
    return call(SYS_CLONE, CHILD_SIGNAL, 0, 0, 0, 0, 0);
}

ending wait_for(long child)
{
    int status = 0;
    ending result;
    while (call(SYS_WAIT4, child, (long)&status, 0, 0, 0, 0) == INTERRUPTED) {
    }
    result.signal = status & 0x7f;
    result.code = status >> 8 & 0xff;
    return result;
}

void leave(int code)
{
    for (;;) {
        call(SYS_EXIT_GROUP, code, 0, 0, 0, 0, 0);
    }
}

void forget_signals(void)
{
    const long nothing[16] = {0}; /* the system's own action, and an empty set */
    int signal;
    for (signal = 1; signal < 32; ++signal) {
        call(SYS_SIGACTION, signal, (long)nothing, 0, SIGNAL_SET_BYTES, 0, 0);
    }
    call(SYS_SIGMASK, REPLACE_MASK, (long)nothing, 0, SIGNAL_SET_BYTES, 0, 0);
}

void kill_after(double seconds)
{
    long timer[4] = {0, 0, 0, 0}; /* how often again, and when first: seconds and microseconds */
    timer[2] = (long)seconds;
    timer[3] = (long)((seconds - (double)timer[2]) * 1e6) + 1;
    call(SYS_SETITIMER, REAL_TIMER, (long)timer, 0, 0, 0, 0);
}

unsigned char *allocate(void *wanted, size_t bytes)
{
    const long address = call(SYS_MMAP, (long)wanted, (long)bytes, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
    return address < 0 && address > -4096 ? NULL : (unsigned char *)address;
}

double now(void)
{
    long time[2] = {0, 0};
    call(SYS_CLOCK_GETTIME, MONOTONIC, (long)time, 0, 0, 0, 0);
    return (double)time[0] + (double)time[1] * 1e-9;
}

int pin(int last, unsigned count)
{
    const int first = last < (int)count ? 0 : last - (int)count + 1;
    unsigned char mask[MOST_CORES / 8];
    int core;
    memset(mask, 0, sizeof mask);
    for (core = first; core < first + (int)count && core < MOST_CORES; ++core) {
        mask[core / 8] |= (unsigned char)(1 << core % 8);
    }
    return call(SYS_SETAFFINITY, 0, sizeof mask, (long)mask, 0, 0, 0) >= 0;
}

int current_core(void)
{
    unsigned core = 0;
    return call(SYS_GETCPU, (long)&core, 0, 0, 0, 0, 0) < 0 ? -1 : (int)core;
}

long read_start(const char *path, char *text, size_t size)
{
    const long file = call(SYS_OPENAT, CURRENT_FOLDER, (long)path, 0, 0, 0, 0);
    long count;
    if (file < 0) {
        return -1;
    }
    count = call(SYS_READ, file, (long)text, (long)size - 1, 0, 0, 0);
    close_file(file);
    text[count > 0 ? count : 0] = '\0';
    return count;
}

long new_file(const char *path)
{
    return call(SYS_OPENAT, CURRENT_FOLDER, (long)path, NEW_FILE, MODE, 0, 0);
}

void close_file(long file)
{
    call(SYS_CLOSE, file, 0, 0, 0, 0, 0);
}

void write_all(long file, const char *text, size_t bytes)
{
    while (bytes > 0) {
        const long count = call(SYS_WRITE, file, (long)text, (long)bytes, 0, 0, 0);
        if (count == INTERRUPTED) {
            continue;
        }
        if (count <= 0) {
            return;
        }
        text += count;
        bytes -= (size_t)count;
    }
}

void marker(void)
{
    call(MARKER, 0, 0, 0, 0, 0, 0);
}

/* ---- What compilers call, and the start of a program ---- */

#ifndef HOSTED

#include "memory.h"

#ifndef SHARED

#include "start.h"

int program(int argc, char **argv);
void start_c(long *stack);

HIDDEN void start_c(long *stack)
{
    leave(program((int)stack[0], (char **)(stack + 1)));
}

#endif
#endif
