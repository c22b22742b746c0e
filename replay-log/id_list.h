#ifndef HF_REPLAY_LOG_ID_LIST_H
#define HF_REPLAY_LOG_ID_LIST_H
/* Ids that an option names: repeated, or with commas between. */

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>

struct id_list {
    struct id128 *ids; /* sorted */
    size_t count;      /* 0: the option was not given */
    size_t room;
};

/* Adds "7" or "7,8": numbers of 64 bits, which have no high half. */
bool id_list_parse_numbers(struct id_list *list, const char *text);

/* Adds "000000000000abcd0000000000000001" and so on: 32 hexadecimal digits each. */
bool id_list_parse_hex(struct id_list *list, const char *text);

bool id_list_has(const struct id_list *list, struct id128 id);

void id_list_free(struct id_list *list);

#endif
