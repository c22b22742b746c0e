#include "id_list.h"

#include "allocate.h"
#include "moment.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static int by_id(const void *a, const void *b)
{
    const struct id128 *left = a;
    const struct id128 *right = b;
    if (left->high != right->high)
        return left->high < right->high ? -1 : 1;
    return left->low < right->low ? -1 : left->low > right->low;
}

typedef bool (*id_parse_fn)(const char *text, struct id128 *id_out);

static bool parse_number(const char *text, struct id128 *id_out)
{
    id_out->high = 0;
    return moment_parse_number(text, &id_out->low);
}

static bool parse_half(const char *text, uint64_t *half_out)
{
    *half_out = 0;
    for (int i = 0; i < 16; i++) {
        const char *digits = "0123456789abcdefABCDEF";
        const char *digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (digit == NULL)
            return false;
        const uint64_t value = (uint64_t)(digit - digits);
        *half_out = *half_out << 4 | (value < 16 ? value : value - 6);
    }
    return true;
}

static bool parse_hex(const char *text, struct id128 *id_out)
{
    return strlen(text) == 32 && parse_half(text, &id_out->high) &&
           parse_half(text + 16, &id_out->low);
}

static bool parse(struct id_list *list, const char *text, id_parse_fn parse_one)
{
    char word[64];
    bool is_good = true;
    for (bool is_last = false; !is_last && is_good;) {
        const size_t bytes = strcspn(text, ",");
        struct id128 id;
        is_last = text[bytes] == '\0';
        is_good = bytes < sizeof word;
        if (!is_good)
            break;
        memcpy(word, text, bytes);
        word[bytes] = '\0';
        text += bytes + 1;
        is_good = parse_one(word, &id);
        list->ids = with_room(list->ids, list->count, &list->room, sizeof list->ids[0]);
        list->ids[list->count++] = id;
    }
    qsort(list->ids, list->count, sizeof list->ids[0], by_id);
    return is_good;
}

bool id_list_parse_numbers(struct id_list *list, const char *text)
{
    return parse(list, text, parse_number);
}

bool id_list_parse_hex(struct id_list *list, const char *text)
{
    return parse(list, text, parse_hex);
}

bool id_list_has(const struct id_list *list, struct id128 id)
{
    return list->count > 0 && bsearch(&id, list->ids, list->count, sizeof id, by_id) != NULL;
}

void id_list_free(struct id_list *list)
{
    free(list->ids);
    *list = (struct id_list){.count = 0};
}
