/*
 * From the reset of a PC to C code in 64-bit mode with AVX-512, without firmware.
 *
 * Sources: Intel SDM volume 3A, 9.9.1 "Switching to Protected Mode", 9.8.5 "Initializing IA-32e Mode"; volume 1, 13.3
 * "Enabling the XSAVE Feature Set"; ATA/ATAPI-6, 8.34 "READ SECTOR(S)".
 */

#define QUOTED(text) #text
#define TEXT(macro) QUOTED(macro)

/* The last 4 KB below 4 GB. The CPU starts 16 bytes before the end, in 16-bit code whose segment begins at 4 GB - 64 KB:
 * with flat segments it reads the first disk, whose number of sectors bochs.py has put at `sectors`, to
 * where the program was linked. */
__asm__(".section .rom, \"ax\"\n"
        ".code16\n"
        "rom:\n"
        "protected:\n"
        "    cli\n"
        "    lgdtl %cs:(0xF000 + segments - rom)\n"
        "    mov $0x11, %eax\n" /* CR0: protection, and an 80387 */
        "    mov %eax, %cr0\n"
        "    ljmpl $8, $load\n"
        ".code32\n"
        "load:\n"
        "    mov $16, %eax\n"
        "    mov %eax, %ds\n"
        "    mov %eax, %es\n"
        "    mov %eax, %ss\n"
        "    mov $program_start, %edi\n"
        "    xor %ebx, %ebx\n" /* the sector */
        "1:  mov $0x1F2, %edx\n"
        "    mov $1, %al\n" /* one at a time */
        "    out %al, %dx\n"
        "    mov %ebx, %eax\n"
        "    mov $0x1F3, %edx\n"
        "    out %al, %dx\n"
        "    shr $8, %eax\n"
        "    inc %edx\n"
        "    out %al, %dx\n"
        "    shr $8, %eax\n"
        "    inc %edx\n"
        "    out %al, %dx\n"
        "    shr $8, %eax\n"
        "    or $0xE0, %al\n" /* first drive, sectors by number */
        "    inc %edx\n"
        "    out %al, %dx\n"
        "    mov $0x20, %al\n" /* read */
        "    inc %edx\n"
        "    out %al, %dx\n"
        "2:  in %dx, %al\n"
        "    and $0x88, %al\n"
        "    cmp $0x08, %al\n" /* not busy, and data to fetch */
        "    jne 2b\n"
        "    mov $0x1F0, %edx\n"
        "    mov $256, %ecx\n"
        "    rep insw\n"
        "    inc %ebx\n"
        "    cmp sectors, %ebx\n"
        "    jb 1b\n"
        "    mov $long_mode, %eax\n"
        "    jmp *%eax\n"
        ".balign 8\n"
        "descriptors:\n"
        "    .quad 0\n"
        "    .quad 0x00CF9B000000FFFF\n" /* 8: code, 32 bits, 4 GB */
        "    .quad 0x00CF93000000FFFF\n" /* 16: data, 4 GB */
        "segments:\n"
        "    .word segments - descriptors - 1\n"
        "    .long descriptors\n"
        ".org 0xFE0\n"
        "sectors: .long 0\n"
        ".org 0xFF0\n"
        ".code16\n"
        ".globl reset\n"
        "reset:\n"
        "    jmp protected\n"
        ".org 0x1000\n");

/* 32-bit code: maps the first GB to itself in pages of 2 MB, the second GB through `tables` (see bare.c), and turns on
 * 64-bit mode and the registers in XCR0, a macro: x87 1, xmm 2, ymm 4, mask 0x20, both parts of zmm 0xC0. */
__asm__(".text\n"
        ".code32\n"
        "long_mode:\n"
        "    lgdt final_segments\n"
        "    movl $directory_pointers + 3, level4\n" /* 3: present, writable */
        "    movl $directory + 3, directory_pointers\n"
        "    movl $guarded_directory + 3, directory_pointers + 8\n"
        "    mov $0x83, %eax\n" /* 0x80: a page of 2 MB */
        "    mov $directory, %edi\n"
        "1:  mov %eax, (%edi)\n"
        "    add $0x200000, %eax\n"
        "    add $8, %edi\n"
        "    cmp $0x40000000, %eax\n"
        "    jb 1b\n"
        "    mov $0x40620, %eax\n" /* CR4: wide page entries, SSE, its exceptions, XSAVE */
        "    mov %eax, %cr4\n"
        "    mov $level4, %eax\n"
        "    mov %eax, %cr3\n"
        "    mov $0xC0000080, %ecx\n" /* EFER: 64-bit mode */
        "    rdmsr\n"
        "    or $0x100, %eax\n"
        "    wrmsr\n"
        "    mov $0x80010013, %eax\n" /* CR0: paging, write protection, FPU on */
        "    mov %eax, %cr0\n"
        "    ljmp $8, $started\n"
        ".code64\n"
        "started:\n"
        "    mov $0xD, %eax\n"
        "    xor %ecx, %ecx\n"
        "    cpuid\n" /* what the CPU has of XCR0's bits */
        "    xor %ecx, %ecx\n"
        "    xor %edx, %edx\n"
        "    and $" TEXT(XCR0) ", %eax\n"
        "    xsetbv\n"
        "    mov $stack_end, %esp\n"
        "    xor %ebp, %ebp\n"
        "    call start_c\n"
        ".section .bss\n"
        ".balign 4096\n"
        "level4: .skip 4096\n"
        "directory_pointers: .skip 4096\n"
        "directory: .skip 4096\n"
        ".globl guarded_directory\n"
        "guarded_directory: .skip 4096\n"
        "    .skip 65536\n"
        "stack_end:\n"
        ".section .rodata\n"
        ".balign 8\n"
        "final_descriptors:\n"
        "    .quad 0\n"
        "    .quad 0x00AF9B000000FFFF\n" /* 8: code, 64 bits */
        "    .quad 0x00CF93000000FFFF\n" /* 16: data */
        "final_segments:\n"
        "    .word final_segments - final_descriptors - 1\n"
        "    .long final_descriptors\n"
        ".text\n");
