/*
 * The little of Linux that measuring needs, without a libc: one program runs on every board and on Android, and in a
 * process forked from an interpreter with threads nothing of that interpreter's is touched.
 */
#ifndef MNV2C_MEASURE_SYSTEM_H
#define MNV2C_MEASURE_SYSTEM_H

#include <stddef.h>
#include <stdint.h>

#define HIDDEN __attribute__((visibility("hidden")))
#pragma GCC visibility push(hidden)

/* How a child ended: of its own accord with `code`, or by `signal` (0: by none). */
typedef struct ending {
    int code, signal;
} ending;

enum { SIGNAL_ALARM = 14 };

/* A copy of the process: 0 in the child, the child's number in the parent, less than 0 if there is none. */
long fork_process(void);
ending wait_for(long child);
void leave(int code);

/* Signals do to the process what they do to any, whatever the one it was copied from had made of them. */
void forget_signals(void);

/* The process is killed by SIGNAL_ALARM after so many seconds. */
void kill_after(double seconds);

/* Fresh zeroed memory, at `wanted` if that is free and not NULL; NULL if there is none. */
unsigned char *allocate(void *wanted, size_t bytes);

/* Seconds of a clock that only goes on. */
double now(void);

/* Lets the process run on `count` cores only, `last` and those before it (behind it where there are not as many);
 * whether that is possible. */
int pin(int last, unsigned count);
int current_core(void);

/* The start of a file, ended by 0; its length, or less than 0 if it cannot be read. */
long read_start(const char *path, char *text, size_t size);

/* A file made anew, to write into; less than 0 if it cannot be made. */
long new_file(const char *path);
void close_file(long file);
void write_all(long file, const char *text, size_t bytes);

/* A system call that no kernel knows, and that counters of the emulator wait for (mnv2c/benchmark/c/count.c). */
void marker(void);

#ifndef HOSTED
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
#endif

#pragma GCC visibility pop
#endif
