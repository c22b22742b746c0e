#include "names.h"

#include "allocate.h"
#include "input.h"

#include <stdlib.h>
#include <string.h>

static void add(void *context, const char *name)
{
    struct names *names = context;
    if (names->is_wanted != NULL && !names->is_wanted(name))
        return;
    names->list = with_room(names->list, names->count, &names->room, sizeof names->list[0]);
    names->list[names->count++] = allocate_text(name);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int names_list(const char *path, bool (*is_wanted)(const char *name), struct names *names_out)
{
    *names_out = (struct names){.is_wanted = is_wanted};
    const int error = input_list(path, add, names_out);
    if (names_out->count > 0)
        qsort(names_out->list, names_out->count, sizeof names_out->list[0], by_name);
    return error;
}

void names_free(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct names){.count = 0};
}
