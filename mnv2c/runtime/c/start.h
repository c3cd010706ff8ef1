/* Where a program without a libc begins: start_c gets the stack as the kernel left it. */

#if defined(__x86_64__)
__asm__(".globl _start\n_start:\n"
        "    xor %ebp, %ebp\n    mov %rsp, %rdi\n    and $-16, %rsp\n    call start_c\n    hlt\n");
#elif defined(__aarch64__)
__asm__(".globl _start\n_start:\n"
        "    mov x29, #0\n    mov x30, #0\n    mov x0, sp\n    and sp, x0, #-16\n    bl start_c\n");
#else
__asm__(".globl _start\n_start:\n"
        "    mov fp, #0\n    mov lr, #0\n    mov r0, sp\n    bic sp, r0, #15\n    bl start_c\n");
#endif
