#include "allocate.h"

#include "exit_code.h"
#include "text.h"

#include <stdlib.h>
#include <string.h>

static void *or_end(void *memory)
{
    if (memory != NULL)
        return memory;
    tell("out of memory: free some, or use a larger machine");
    exit(EXIT_IO);
}

void *allocate(size_t count, size_t bytes)
{
    return or_end(calloc(count, bytes));
}

void *allocate_buffer(size_t bytes)
{
    return or_end(malloc(bytes));
}

void *allocate_again(void *memory, size_t bytes)
{
    return or_end(realloc(memory, bytes));
}

void *with_room(void *list, size_t count, size_t *room, size_t entry_bytes)
{
    if (count < *room)
        return list;
    *room = *room == 0 ? 16 : *room * 2;
    return allocate_again(list, *room * entry_bytes);
}

char *allocate_text(const char *text)
{
    return or_end(strdup(text));
}
