#ifndef HF_REPLAY_LOG_NAMES_H
#define HF_REPLAY_LOG_NAMES_H
/* The names in a folder, in order. */

#include <stdbool.h>
#include <stddef.h>

struct names {
    char **list;
    size_t count;
    size_t room;
    bool (*is_wanted)(const char *name); /* NULL: all are */
};

/* 0 or a negative errno. names_free() in any case. */
int names_list(const char *path, bool (*is_wanted)(const char *name), struct names *names_out);
void names_free(struct names *names);

#endif
