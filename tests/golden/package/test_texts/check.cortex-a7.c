#include <sys/auxv.h>
static int lacks(unsigned long word, unsigned long bits)
{
    return (word & bits) != bits;
}

static int cpu_has_features(void)
{
    if (lacks(getauxval(AT_HWCAP), 0xf1000ul)) { /* neon, vfpv4, vfpd32, idiva, idivt */
        return 0;
    }
    return 1;
}
