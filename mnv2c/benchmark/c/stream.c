/*
 * The most bytes a core can read per second: nothing but vector loads, one after the other, whose values nobody uses.
 * From a buffer larger than a cache it measures what lies behind that cache. ISA is one of the three of peak.c.
 */
#include <stdint.h>

#define ISA_AVX2 1
#define ISA_AVX512 2
#define ISA_NEON 3

#if ISA == ISA_NEON

#define LOAD(n, m, at) "ldp q" #n ", q" #m ", [%0, #" #at "]\n"
#define LOADS LOAD(0, 1, 0) LOAD(2, 3, 32) LOAD(4, 5, 64) LOAD(6, 7, 96)
#define NEXT "add %0, %0, #128\nsubs %1, %1, #1\nb.ne 1b\n"
#define END ""
#define CLOBBERS "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"
enum { BLOCK = 128 };

#else

#if ISA == ISA_AVX2
#define LOAD(n, at) "vmovups " #at "*32(%0), %%ymm" #n "\n"
#define NEXT "addq $256, %0\ndecq %1\njnz 1b\n"
enum { BLOCK = 256 };
#elif ISA == ISA_AVX512
#define LOAD(n, at) "vmovups " #at "*64(%0), %%zmm" #n "\n"
#define NEXT "addq $512, %0\ndecq %1\njnz 1b\n"
enum { BLOCK = 512 };
#else
#error "ISA is none of those known"
#endif

#define LOADS LOAD(0, 0) LOAD(1, 1) LOAD(2, 2) LOAD(3, 3) LOAD(4, 4) LOAD(5, 5) LOAD(6, 6) LOAD(7, 7)
#define END "vzeroupper\n"
#define CLOBBERS "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7"

#endif

uint64_t stream_run(const void *buffer, uint64_t bytes, uint64_t passes);

/* Reads the buffer `passes` times and returns how many bytes that were; what does not fill a block is left out. */
__attribute__((visibility("default"))) uint64_t stream_run(const void *buffer, uint64_t bytes, uint64_t passes)
{
    const uint64_t blocks = bytes / BLOCK;
    uint64_t pass;
    for (pass = 0; blocks > 0 && pass < passes; ++pass) {
        const void *at = buffer;
        uint64_t left = blocks;
        __asm__ volatile("1:\n" LOADS NEXT END : "+r"(at), "+r"(left) : : "cc", "memory", CLOBBERS);
    }
    return blocks * BLOCK * passes;
}
