/* What compilers call, where there is no libc. HIDDEN keeps it to the library that it is linked into. */

#ifndef HIDDEN
#define HIDDEN
#endif

HIDDEN void *memcpy(void *restrict to, const void *restrict from, size_t bytes)
{
    return memmove(to, from, bytes);
}

HIDDEN void *memmove(void *to, const void *from, size_t bytes)
{
    unsigned char *target = to;
    const unsigned char *source = from;
    size_t i;
    if (target < source) {
        for (i = 0; i < bytes; ++i) {
            target[i] = source[i];
        }
    } else {
        for (i = bytes; i > 0; --i) {
            target[i - 1] = source[i - 1];
        }
    }
    return to;
}

HIDDEN void *memset(void *to, int value, size_t bytes)
{
    unsigned char *target = to;
    size_t i;
    for (i = 0; i < bytes; ++i) {
        target[i] = (unsigned char)value;
    }
    return to;
}
