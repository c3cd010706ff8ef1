/* As in <sys/auxv.h>, which is not at hand where the library is made without Android's development kit. */
#define AT_HWCAP 16
extern unsigned long getauxval(unsigned long type);
static int lacks(unsigned long word, unsigned long bits)
{
    return (word & bits) != bits;
}

static int cpu_has_features(void)
{
    if (lacks(getauxval(AT_HWCAP), 0x2ul)) { /* asimd */
        return 0;
    }
    return 1;
}
