/* Runs fake on raw float32 values from a file, or on a pattern:  cc main.c libfake.a -o demo && ./demo [FILE] */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <time.h>
#include "fake.h"

static _Alignas(FAKE_ARENA_ALIGN) unsigned char arena[FAKE_ARENA_BYTES];
static float input[FAKE_INPUT_0_BYTES / sizeof(float)], output[FAKE_OUTPUT_0_BYTES / sizeof(float)];
static float output_1[FAKE_OUTPUT_1_BYTES / sizeof(float)];

int main(int argc, char **argv)
{
    const size_t inputs = sizeof input / sizeof input[0], outputs = sizeof output / sizeof output[0];
    FILE *file = argc > 1 ? fopen(argv[1], "rb") : NULL;
    if (argc > 1 && (!file || fread(input, sizeof(float), inputs, file) != inputs))
        return fprintf(stderr, "%s: cannot read %zu float32 values\n", argv[1], inputs), 1;
    for (size_t i = 0; argc < 2 && i < inputs; ++i) input[i] = (float)(i % 255) / 127.5f - 1.0f;

    fake_ctx context;
    struct timespec begin, end;
    fake_status status = fake_init(&context, arena, sizeof arena, NULL, FAKE_ABI);
    for (int run = 0; run < 2 && !status; ++run) { /* the first run warms the caches */
        clock_gettime(CLOCK_MONOTONIC, &begin);
        status = fake_run(&context, (const void *[]){input}, (void *[]){output, output_1});
        clock_gettime(CLOCK_MONOTONIC, &end);
    }
    if (status) return fprintf(stderr, "fake: %s\n", fake_strerror(status)), 1;
    for (size_t rank = 0; rank < 5 && rank < outputs; ++rank) {
        size_t best = 0;
        for (size_t i = 1; i < outputs; ++i) if (output[i] > output[best]) best = i;
        printf("%4zu  %f\n", best, output[best]);
        output[best] = -1e30f;
    }
    printf("%.2f ms, arena %u bytes\n",
           (double)(end.tv_sec - begin.tv_sec) * 1e3 + (double)(end.tv_nsec - begin.tv_nsec) * 1e-6, FAKE_ARENA_BYTES);
    return 0;
}
