/*
 * The most float32 multiply-adds a core can do: nothing but fused multiply-adds on registers, with more independent
 * accumulators than latency times throughput of any core known (two units of five cycles; four of four on ARM).
 * ISA is one of the three below. The result counts multiply-adds: lanes * accumulators * rounds.
 */
#include <stdint.h>

#define ISA_AVX2 1
#define ISA_AVX512 2
#define ISA_NEON 3

#if ISA == ISA_NEON

#define FMA(n) "fmla v" #n ".4s, v30.4s, v31.4s\n"
#define CLEAR(n) "movi v" #n ".16b, #0\n"
#define ACCUMULATORS(m) \
    m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(16) m(17) m(18) m(19) m(20) m(21) m(22) m(23) m(24) m(25) m(26) m(27)
#define OPERANDS CLEAR(30) CLEAR(31)
#define NEXT "subs %0, %0, #1\nb.ne 1b\n"
#define END ""
#define CLOBBERS                                                                                                      \
    "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",    \
        "v25", "v26", "v27", "v30", "v31"
enum { COUNT = 20, LANES = 4 };

#else

#if ISA == ISA_AVX2
#define REGISTER "ymm"
#define CLEAR(n) "vxorps %%ymm" #n ", %%ymm" #n ", %%ymm" #n "\n"
enum { COUNT = 12, LANES = 8 };
#elif ISA == ISA_AVX512
#define REGISTER "zmm"
#define CLEAR(n) "vpxord %%zmm" #n ", %%zmm" #n ", %%zmm" #n "\n"
enum { COUNT = 12, LANES = 16 };
#else
#error "ISA is none of those known"
#endif

#define FMA(n) "vfmadd231ps %%" REGISTER "14, %%" REGISTER "15, %%" REGISTER #n "\n"
#define ACCUMULATORS(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7) m(8) m(9) m(10) m(11)
#define OPERANDS CLEAR(14) CLEAR(15)
#define NEXT "dec %0\njnz 1b\n"
#define END "vzeroupper\n"
#define CLOBBERS                                                                                                      \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15"

#endif

uint64_t peak_run(uint64_t rounds);

__attribute__((visibility("default"))) uint64_t peak_run(uint64_t rounds)
{
    uint64_t left = rounds;
    __asm__ volatile(ACCUMULATORS(CLEAR) OPERANDS "1:\n" ACCUMULATORS(FMA) NEXT END
                     : "+r"(left)
                     :
                     : "cc", "memory", CLOBBERS);
    return rounds * COUNT * LANES;
}
