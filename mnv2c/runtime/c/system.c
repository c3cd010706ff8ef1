/* A program's start and its system calls, without a libc; see system.h. Compiled with -ffreestanding -fno-builtin. */
#include "system.h"

#include "call.h"
#include "start.h"

enum { PAGE_SIZE_ENTRY = 6, CURRENT_FOLDER = -100, READ_WRITE = 3, PRIVATE_ANONYMOUS = 0x22 };
enum { READ_ONLY_FILE = 0, NEW_FILE = 01 | 0100 | 01000, MODE = 0644 };
enum { MARKER = 28014 };

/* ---- What differs between the architectures: the numbers of the system calls. ---- */

#if defined(__x86_64__)

enum { SYS_READ = 0, SYS_WRITE = 1, SYS_CLOSE = 3, SYS_MMAP = 9, SYS_MPROTECT = 10, SYS_EXIT = 231, SYS_OPENAT = 257 };

#elif defined(__aarch64__)

enum { SYS_READ = 63, SYS_WRITE = 64, SYS_CLOSE = 57, SYS_MMAP = 222, SYS_MPROTECT = 226, SYS_EXIT = 94,
       SYS_OPENAT = 56 };

#elif defined(__arm__)

enum { SYS_READ = 3, SYS_WRITE = 4, SYS_CLOSE = 6, SYS_MMAP = 192 /* mmap2 */, SYS_MPROTECT = 125, SYS_EXIT = 248,
       SYS_OPENAT = 322 };

#else
#error "no system calls for this architecture"
#endif

/* ---- The start: the kernel leaves argc, argv, the environment and the auxiliary vector on the stack. ---- */

static const unsigned long *auxiliary;

void start_c(long *stack);

void start_c(long *stack)
{
    char **argv = (char **)(stack + 1);
    char **environment = argv + stack[0] + 1;
    while (*environment != NULL) {
        ++environment;
    }
    auxiliary = (const unsigned long *)(environment + 1);
    call(SYS_EXIT, program((int)stack[0], argv), 0, 0, 0, 0, 0);
}

unsigned long getauxval(unsigned long type)
{
    const unsigned long *entry;
    for (entry = auxiliary; entry[0] != 0; entry += 2) {
        if (entry[0] == type) {
            return entry[1];
        }
    }
    return 0;
}

size_t page_size(void)
{
    return getauxval(PAGE_SIZE_ENTRY);
}

/* ---- Files and memory ---- */

long transfer_file(const char *path, void *data, size_t bytes, int direction)
{
    const long flags = direction == WRITE ? NEW_FILE : READ_ONLY_FILE;
    const long file = call(SYS_OPENAT, CURRENT_FOLDER, (long)path, flags, MODE, 0, 0);
    size_t done = 0;
    if (file < 0) {
        return -1;
    }
    while (done < bytes) {
        const long number = direction == WRITE ? SYS_WRITE : SYS_READ;
        const long count = call(number, file, (long)data + (long)done, (long)(bytes - done), 0, 0, 0);
        if (count <= 0) {
            break;
        }
        done += (size_t)count;
    }
    call(SYS_CLOSE, file, 0, 0, 0, 0, 0);
    return (long)done;
}

unsigned char *reserve(size_t bytes)
{
    const long address = call(SYS_MMAP, 0, (long)bytes, 0, PRIVATE_ANONYMOUS, -1, 0);
    return address < 0 && address > -4096 ? NULL : (unsigned char *)address;
}

int open_memory(unsigned char *start, size_t bytes)
{
    return call(SYS_MPROTECT, (long)start, (long)bytes, READ_WRITE, 0, 0, 0) == 0;
}

void marker(void)
{
    call(MARKER, 0, 0, 0, 0, 0, 0);
}

/* ---- Text ---- */

void print(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0') {
        ++length;
    }
    call(SYS_WRITE, 2, (long)text, (long)length, 0, 0, 0);
}

void print_number(long number)
{
    char text[24];
    char *at = text + sizeof text - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    print(at);
}

int strcmp(const char *left, const char *right)
{
    while (*left != '\0' && *left == *right) {
        ++left;
        ++right;
    }
    return (unsigned char)*left - (unsigned char)*right;
}

/* ---- What compilers call ---- */

#include "memory.h"

/* What a library's thread pool calls. Here no thread can be started: one runs all parts of the work. */
#define NO_THREADS(name) int name(void); int name(void) { return 11; /* EAGAIN */ }
NO_THREADS(pthread_create)
NO_THREADS(pthread_join)
NO_THREADS(pthread_mutex_init)
NO_THREADS(pthread_mutex_destroy)
NO_THREADS(pthread_mutex_lock)
NO_THREADS(pthread_mutex_unlock)
NO_THREADS(pthread_cond_init)
NO_THREADS(pthread_cond_destroy)
NO_THREADS(pthread_cond_wait)
NO_THREADS(pthread_cond_signal)
NO_THREADS(pthread_cond_broadcast)
NO_THREADS(pthread_sigmask)
NO_THREADS(sigfillset)
NO_THREADS(sigdelset)

#if defined(__arm__)

/* Division, which not every 32-bit ARM has. The result with the remainder leaves in r0 and r1, one 64-bit number. */
unsigned long long __aeabi_uidivmod(unsigned dividend, unsigned divisor);
unsigned __aeabi_uidiv(unsigned dividend, unsigned divisor);

unsigned long long __aeabi_uidivmod(unsigned dividend, unsigned divisor)
{
    unsigned quotient = 0, rest = 0;
    int bit;
    for (bit = 31; bit >= 0; --bit) {
        const unsigned carry = rest >> 31;
        rest = rest << 1 | (dividend >> bit & 1);
        if (carry || rest >= divisor) {
            rest -= divisor;
            quotient |= 1u << bit;
        }
    }
    return (unsigned long long)rest << 32 | quotient;
}

unsigned __aeabi_uidiv(unsigned dividend, unsigned divisor)
{
    return (unsigned)__aeabi_uidivmod(dividend, divisor);
}

#endif
