/* Takes the place of the measuring program where only the way to it is tested: the same command line and lines, in
 * which what is found follows from the number. A number of 1000 or more takes that many milliseconds less 1000; 666 ends
 * the program without an answer; 667 does so the first time, while the file "once" does not exist; 99 crashes. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void pass(long milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000};
    nanosleep(&time, 0);
}

static int measure(FILE *out, const char *seconds, const char *core, long number) {
    if (number == 666) return 3;
    if (number == 667 && access("once", F_OK) != 0) {
        close(open("once", O_CREAT | O_WRONLY, 0600));
        return 137;
    }
    if (number >= 1000) pass(number - 1000);
    if (number == 99)
        fprintf(out, "{\"number\": 99, \"status\": \"crashed\"}\n");
    else
        fprintf(out, "{\"number\": %ld, \"status\": \"ok\", \"cost\": %ld, \"ratio\": 0.5, \"seconds\": %s, \"core\": %s}\n",
                number, number, seconds, core);
    fflush(out);
    return 0;
}

#ifdef SHARED
/* As TVM's FFI has it: a kind, and a value or the address of one. */
typedef struct {
    int32_t kind;
    uint32_t small_length;
    union {
        const char *text;
        char small[8];
        const char *object;
    } value;
} Any;

enum { RAW_STRING = 8, SMALL_STRING = 11, STRING = 65, OBJECT_HEADER = 24 };

__attribute__((visibility("default"))) int32_t __tvm_ffi_mnv2c_measure(
    void *self, const Any *arguments, int32_t count, Any *result) {
    static char text[4096];
    const char *source = arguments->value.text;
    (void)self;
    if (count != 1) return -1;
    if (arguments->kind == SMALL_STRING) source = arguments->value.small;
    if (arguments->kind == STRING) memcpy(&source, arguments->value.object + OBJECT_HEADER, sizeof source);
    strncpy(text, source, sizeof text - 1);
    const char *seconds = strtok(text, " "), *core = strtok(0, " "), *file = strtok(0, " ");
    FILE *out = fopen(file, "w");
    if (!out) return -1;
    for (const char *number; (number = strtok(0, " "));)
        if (measure(out, seconds, core, atol(number))) _exit(3);
    fclose(out);
    memset(result, 0, sizeof *result);
    return 0;
}
#else
int main(int count, char **arguments) {
    for (int i = 3; i < count; i++) {
        int status = measure(stdout, arguments[1], arguments[2], atol(arguments[i]));
        if (status) return status;
    }
    return 0;
}
#endif
