/*
 * The entry for TVM's RPC server, which loads the candidates as a shared library: a function of TVM's foreign function
 * interface that takes one text, "SECONDS CORE OUTPUT_FILE NUMBER...", writes what the program (program.c) would print
 * into the file, and leaves its exit code as an integer.
 */
#include "measure.h"

#include "text.h"

/* A value of TVM's foreign function interface, as its header c_api.h has it: numbers and text only. */
typedef struct any {
    int32_t type;
    uint32_t length;
    union {
        int64_t integer;
        const char *words;
        char few[8];
        const unsigned char *object;
    } value;
} any;

enum { INTEGER = 1, RAW_TEXT = 8, SHORT_TEXT = 11, TEXT = 65, HEADER_BYTES = 24 };

static const char *words_of(const any *value)
{
    const char *words = NULL;
    if (value->type == RAW_TEXT) {
        words = value->value.words;
    } else if (value->type == SHORT_TEXT) {
        words = value->value.few;
    } else if (value->type == TEXT) {
        memcpy(&words, value->value.object + HEADER_BYTES, sizeof words);
    }
    return words;
}

static const char *next_word(const char *words)
{
    while (*words == ' ') {
        ++words;
    }
    return words;
}

static int measure_words(const char *words)
{
    order wanted;
    text path = {0, ""};
    wanted.seconds = number(words, &words);
    wanted.core = (int)number(next_word(words), &words);
    for (words = next_word(words); *words != ' ' && *words != '\0' && path.length + 1 < sizeof path.content; ++words) {
        path.content[path.length++] = *words;
    }
    path.content[path.length] = '\0';
    wanted.file = wanted.seconds > 0 ? new_file(path.content) : -1;
    if (wanted.file < 0) {
        return usage();
    }
    for (words = next_word(words); *words != '\0'; words = next_word(words)) {
        const long which = candidate_of(words, &words);
        if (which < 0) {
            close_file(wanted.file);
            return usage();
        }
        measure_one(&wanted, (unsigned)which);
    }
    close_file(wanted.file);
    return 0;
}

__attribute__((visibility("default"))) int32_t __tvm_ffi_mnv2c_measure(void *self, const any *arguments, int32_t count,
                                                                       any *result);

/* Takes one text; leaves the exit code of the program as an integer. */
int32_t __tvm_ffi_mnv2c_measure(void *self, const any *arguments, int32_t count, any *result)
{
    const char *const words = count == 1 ? words_of(&arguments[0]) : NULL;
    (void)self;
    result->type = INTEGER;
    result->length = 0;
    result->value.integer = words == NULL ? usage() : measure_words(words);
    return 0;
}
