#include "bench/items.h"

#include "bench/wire.h"
#include "holdfast/v1/item.pb-c.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* So many item requests are on their way at once: the server makes all of them durable together. */
enum { WINDOW = 256, LIST_PAGE = 1024 };

uint32_t item_core(uint64_t item_id, uint32_t core_count)
{
    uint64_t key = htole64(item_id);
    return (uint32_t)(XXH3_64bits(&key, sizeof key) % core_count);
}

static struct bench_item from_wire(const Holdfast__V1__Item *item, uint32_t core_count)
{
    return (struct bench_item){
        .id = item->settings->item_id,
        .core = item_core(item->settings->item_id, core_count),
        .buyer_limit = item->settings->buyer_limit,
        .stock = item->settings->stock,
        .held_before = item->held,
        .sold_before = item->sold,
        .sequence_before = item->next_sequence,
    };
}

/* Takes the next answer to a create or get. False unless it is good and about this item. */
static bool take_item(struct session *session, uint8_t type, uint64_t item_id,
                      struct bench_item *item_out, int64_t *available_out)
{
    const Holdfast__V1__ItemResponse *reply =
        (const Holdfast__V1__ItemResponse *)session_receive(session, type);
    if (reply == NULL) {
        return false;
    }
    bool good = reply->result == HOLDFAST__V1__RESULT__RESULT_OK ||
                reply->result == HOLDFAST__V1__RESULT__RESULT_DUPLICATE;
    if (!good) {
        snprintf(session->error, sizeof session->error, "item %llu: %s%s",
                 (unsigned long long)item_id, wire_result_name((uint32_t)reply->result),
                 reply->result == HOLDFAST__V1__RESULT__RESULT_ID_CONFLICT
                     ? ": it exists with other settings; take others with --first-item"
                     : "");
        return false;
    }
    if (reply->item == NULL || reply->item->settings == NULL ||
        reply->item->settings->item_id != item_id) {
        snprintf(session->error, sizeof session->error, "item %llu: the answer is about another",
                 (unsigned long long)item_id);
        return false;
    }
    *item_out = from_wire(reply->item, session->core_count);
    *available_out = reply->item->available;
    return true;
}

/* ---- create -------------------------------------------------------------------------------- */

static bool send_create(struct session *session, const struct bench_options *options,
                        uint32_t index)
{
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    settings.item_id = options->first_item + index;
    settings.buyer_limit = (uint32_t)options->buyer_limit;
    settings.stock = options->units;
    if (options->units > 0) { /* shared out evenly, the rest among the first */
        uint64_t units = (uint64_t)options->units;
        settings.stock = (int64_t)(units / options->items + (index < units % options->items));
    }
    Holdfast__V1__ItemCreateRequest request = HOLDFAST__V1__ITEM_CREATE_REQUEST__INIT;
    request.settings = &settings;
    return session_send(session, FRAME_ITEM_CREATE, &request.base);
}

static bool create(struct bench_items *items, struct session *session,
                   const struct bench_options *options)
{
    items->count = (uint32_t)options->items;
    items->items = calloc(items->count, sizeof items->items[0]);
    if (items->items == NULL) {
        snprintf(session->error, sizeof session->error, "out of memory");
        return false;
    }
    uint32_t sent = 0;
    for (uint32_t i = 0; i < items->count; i++) {
        for (; sent < items->count && sent < i + WINDOW; sent++) {
            if (!send_create(session, options, sent)) {
                return false;
            }
        }
        int64_t available;
        if (!take_item(session, FRAME_ITEM_CREATE, options->first_item + i, &items->items[i],
                       &available)) {
            return false;
        }
    }
    return true;
}

/* ---- list ---------------------------------------------------------------------------------- */

static bool append(struct bench_items *items, size_t *room, struct bench_item item)
{
    if (items->count == *room) {
        *room = *room == 0 ? LIST_PAGE : 2 * *room;
        struct bench_item *larger = realloc(items->items, *room * sizeof larger[0]);
        if (larger == NULL) {
            return false;
        }
        items->items = larger;
    }
    items->items[items->count++] = item;
    return true;
}

static bool list(struct bench_items *items, struct session *session)
{
    size_t room = 0;
    for (uint32_t core = 0; core < session->core_count; core++) {
        Holdfast__V1__ItemListRequest request = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
        request.core = core;
        request.count_max = LIST_PAGE;
        bool has_more = true;
        while (has_more) {
            const Holdfast__V1__ItemListResponse *reply =
                (const Holdfast__V1__ItemListResponse *)session_call(session, FRAME_ITEM_LIST,
                                                                     &request.base);
            if (reply == NULL) {
                return false;
            }
            for (size_t i = 0; i < reply->n_items; i++) {
                if (reply->items[i]->settings == NULL || items->count == BENCH_ITEMS_MAX ||
                    !append(items, &room, from_wire(reply->items[i], session->core_count))) {
                    snprintf(session->error, sizeof session->error, "too many items");
                    return false;
                }
            }
            has_more = reply->has_more && reply->next_position > request.position;
            request.position = reply->next_position;
        }
    }
    if (items->count == 0) {
        snprintf(session->error, sizeof session->error,
                 "the server has no items: create some with --items N");
        return false;
    }
    return true;
}

bool items_prepare(struct bench_items *items_out, struct session *session,
                   const struct bench_options *options)
{
    *items_out = (struct bench_items){0};
    bool good = options->items > 0 ? create(items_out, session, options) : list(items_out, session);
    if (!good) {
        items_free(items_out);
    }
    return good;
}

/* ---- read back ----------------------------------------------------------------------------- */

bool items_read(const struct bench_items *items, struct session *session,
                struct bench_item *now_out, int64_t *available_out)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < items->count; i++) {
        for (; sent < items->count && sent < i + WINDOW; sent++) {
            Holdfast__V1__ItemGetRequest request = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
            request.item_id = items->items[sent].id;
            if (!session_send(session, FRAME_ITEM_GET, &request.base)) {
                return false;
            }
        }
        if (!take_item(session, FRAME_ITEM_GET, items->items[i].id, &now_out[i],
                       &available_out[i])) {
            return false;
        }
    }
    return true;
}

void items_free(struct bench_items *items)
{
    free(items->items);
    *items = (struct bench_items){0};
}
