#ifndef HF_FUZZ_ARGUMENTS_H
#define HF_FUZZ_ARGUMENTS_H
/* A command line from an input: one argument a line, the program's name before them. */

#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARGUMENT_COUNT_MAX = 64 };

struct arguments {
    int count;
    char *values[ARGUMENT_COUNT_MAX + 1]; /* each in memory of its own length; NULL at the end */
};

static inline void arguments_add(struct arguments *arguments, const char *text, size_t bytes)
{
    char *value = malloc(bytes + 1);
    hf_assert(value != NULL && arguments->count < ARGUMENT_COUNT_MAX);
    memcpy(value, text, bytes);
    value[bytes] = '\0';
    arguments->values[arguments->count++] = value;
    arguments->values[arguments->count] = NULL;
}

static inline void arguments_take(struct arguments *arguments, const uint8_t *data,
                                  size_t data_bytes)
{
    const char *at = (const char *)data;
    const char *end = at + data_bytes;
    arguments->count = 0;
    arguments_add(arguments, "fuzz", 4);
    while (at < end && arguments->count < ARGUMENT_COUNT_MAX) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        if (line_end == NULL)
            line_end = end;
        arguments_add(arguments, at, (size_t)(line_end - at));
        at = line_end + 1;
    }
}

/* They may stand in another order than before. */
static inline void arguments_free(struct arguments *arguments)
{
    for (int i = 0; i < arguments->count; i++)
        free(arguments->values[i]);
}

#endif
