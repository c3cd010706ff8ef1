/* The little of an operating system that harness.c needs, without a libc: Linux on x86-64 and ARM. */
#include <stddef.h>

enum { READ = 0, WRITE = 1 };

/* Bytes transferred between `data` and a file that is read, or made anew; -1 if it cannot be opened. */
long transfer_file(const char *path, void *data, size_t bytes, int direction);

/* Fresh zeroed memory that may not be accessed, NULL if there is none; then opens a part of it. */
unsigned char *reserve(size_t bytes);
int open_memory(unsigned char *start, size_t bytes);

size_t page_size(void);

/* Writes text, or a number, to standard error. */
void print(const char *text);
void print_number(long number);

/* A system call that no kernel knows, and that counters of the emulator wait for (count.c). */
void marker(void);

/* What the program defines: its result is the exit code. */
int program(int argc, char **argv);

/* What compilers call without being told to, and what a library asks about its CPU. */
void *memcpy(void *restrict to, const void *restrict from, size_t bytes);
void *memmove(void *to, const void *from, size_t bytes);
void *memset(void *to, int value, size_t bytes);
int strcmp(const char *left, const char *right);
unsigned long getauxval(unsigned long type);
