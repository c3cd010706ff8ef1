/* The numbers of the system calls that system.c needs, and how a thread begins. */
#include "call.h"

#if defined(__x86_64__)

enum {
    SYS_READ = 0, SYS_WRITE = 1, SYS_CLOSE = 3, SYS_MMAP = 9, SYS_SIGACTION = 13, SYS_SIGMASK = 14,
    SYS_SETITIMER = 38, SYS_CLONE = 56, SYS_EXIT = 60, SYS_WAIT4 = 61, SYS_FUTEX = 202, SYS_SETAFFINITY = 203,
    SYS_CLOCK_GETTIME = 228, SYS_EXIT_GROUP = 231, SYS_OPENAT = 257, SYS_GETCPU = 309
};

/* A new thread calls what lies on top of its stack with the word below that. */
static inline long clone_thread(unsigned long flags, void *stack, volatile int *alive)
{
    long result;
    register long r10 __asm__("r10") = (long)alive;
    register long r8 __asm__("r8") = 0;
    __asm__ volatile("syscall\n"
                     "    test %%rax, %%rax\n"
                     "    jnz 1f\n"
                     "    xor %%ebp, %%ebp\n"
                     "    pop %%rdi\n"
                     "    pop %%rax\n"
                     "    call *%%rax\n"
                     "    hlt\n"
                     "1:"
                     : "=a"(result)
                     : "a"(SYS_CLONE), "D"(flags), "S"(stack), "d"(0), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}

#elif defined(__aarch64__)

enum {
    SYS_READ = 63, SYS_WRITE = 64, SYS_CLOSE = 57, SYS_MMAP = 222, SYS_SIGACTION = 134, SYS_SIGMASK = 135,
    SYS_SETITIMER = 103, SYS_CLONE = 220, SYS_EXIT = 93, SYS_WAIT4 = 260, SYS_FUTEX = 98, SYS_SETAFFINITY = 122,
    SYS_CLOCK_GETTIME = 113, SYS_EXIT_GROUP = 94, SYS_OPENAT = 56, SYS_GETCPU = 168
};

static inline long clone_thread(unsigned long flags, void *stack, volatile int *alive)
{
    register long x8 __asm__("x8") = SYS_CLONE;
    register long x0 __asm__("x0") = (long)flags;
    register long x1 __asm__("x1") = (long)stack;
    register long x2 __asm__("x2") = 0;
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = (long)alive;
    __asm__ volatile("svc #0\n"
                     "    cbnz x0, 1f\n"
                     "    ldp x0, x1, [sp], #16\n"
                     "    mov x29, #0\n"
                     "    mov x30, #0\n"
                     "    blr x1\n"
                     "    brk #0\n"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "memory");
    return x0;
}

#elif defined(__arm__)

enum {
    SYS_READ = 3, SYS_WRITE = 4, SYS_CLOSE = 6, SYS_MMAP = 192 /* mmap2 */, SYS_SIGACTION = 174, SYS_SIGMASK = 175,
    SYS_SETITIMER = 104, SYS_CLONE = 120, SYS_EXIT = 1, SYS_WAIT4 = 114, SYS_FUTEX = 240, SYS_SETAFFINITY = 241,
    SYS_CLOCK_GETTIME = 263, SYS_EXIT_GROUP = 248, SYS_OPENAT = 322, SYS_GETCPU = 345
};

static inline long clone_thread(unsigned long flags, void *stack, volatile int *alive)
{
    register long r7 __asm__("r7") = SYS_CLONE;
    register long r0 __asm__("r0") = (long)flags;
    register long r1 __asm__("r1") = (long)stack;
    register long r2 __asm__("r2") = 0;
    register long r3 __asm__("r3") = 0;
    register long r4 __asm__("r4") = (long)alive;
    __asm__ volatile("svc #0\n"
                     "    cmp r0, #0\n"
                     "    bne 1f\n"
                     "    pop {r0, r1}\n"
                     "    blx r1\n"
                     "    udf #0\n"
                     "1:"
                     : "+r"(r0)
                     : "r"(r7), "r"(r1), "r"(r2), "r"(r3), "r"(r4)
                     : "cc", "memory");
    return r0;
}

#else
#error "no system calls for this architecture"
#endif
