#include "bench/items.h"

#include "bench/progress.h"
#include "bench/wire.h"
#include "holdfast/v1/item.pb-c.h"

#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <xxhash.h>

/* So many item requests are on their way at once, as the protocol has no batch of them: the server
 * makes durable together what is there, and a system call sends and receives hundreds. When half of
 * them are answered, as many more follow. */
enum { WINDOW = 1024, LIST_PAGE = 1024 };

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

/* ---- many requests at a time --------------------------------------------------------------- */

typedef bool (*item_send_fn)(struct session *session, uint64_t item_id, uint32_t index,
                             const struct bench_options *options);

/* A request for each of many items. */
struct item_calls {
    const char *doing; /* for the progress line */
    struct session *session;
    const struct bench_options *options;
    uint8_t type;
    item_send_fn send;
    const struct bench_item *items; /* their ids are known */
    uint32_t count;
    struct bench_item *items_out; /* as answered; may be `items` */
    int64_t *available_out;       /* or NULL */
    uint64_t first_request_id;
};

/* Takes one answer to a create or get, whichever comes first, to its place: request ids count up
 * from the first. */
static bool take_item(const struct item_calls *calls)
{
    struct session *session = calls->session;
    const Holdfast__V1__ItemResponse *reply =
        (const Holdfast__V1__ItemResponse *)session_receive(session, calls->type);
    if (reply == NULL) {
        return false;
    }
    uint64_t index = session->reply_request_id - calls->first_request_id;
    if (index >= calls->count) {
        snprintf(session->error, sizeof session->error, "an answer to a request never made");
        return false;
    }
    unsigned long long item_id = calls->items[index].id;
    bool good = reply->result == HOLDFAST__V1__RESULT__RESULT_OK ||
                reply->result == HOLDFAST__V1__RESULT__RESULT_DUPLICATE;
    if (!good) {
        const char *hint = "";
        if (reply->result == HOLDFAST__V1__RESULT__RESULT_ID_CONFLICT) {
            hint = ": it exists with other settings; take others with --first-item";
        } else if (reply->result == HOLDFAST__V1__RESULT__RESULT_CAPACITY) {
            hint = ": the server needs more --max-items";
        }
        snprintf(session->error, sizeof session->error, "item %llu: %s%s", item_id,
                 wire_result_name((uint32_t)reply->result), hint);
        return false;
    }
    if (reply->item == NULL || reply->item->settings == NULL ||
        reply->item->settings->item_id != item_id) {
        snprintf(session->error, sizeof session->error, "item %llu: the answer is about another",
                 item_id);
        return false;
    }
    calls->items_out[index] = from_wire(reply->item, session->core_count);
    if (calls->available_out != NULL) {
        calls->available_out[index] = reply->item->available;
    }
    return true;
}

static bool send_window(const struct item_calls *calls, uint32_t *sent, uint32_t taken)
{
    if (*sent - taken > WINDOW / 2) {
        return true;
    }
    for (; *sent < calls->count && *sent < taken + WINDOW; ++*sent) {
        if (!calls->send(calls->session, calls->items[*sent].id, *sent, calls->options)) {
            return false;
        }
    }
    return true;
}

static void show_progress(struct progress_line *line, const struct item_calls *calls,
                          uint32_t taken, uint64_t *shown_ns)
{
    uint64_t now_ns = line->interval_ns > 0 ? monotonic_ns() : 0;
    if (line->interval_ns > 0 && now_ns - *shown_ns >= line->interval_ns) {
        *shown_ns = now_ns;
        progress_line_show(line, "%s: %u of %u items", calls->doing, taken, calls->count);
    }
}

/* Sends all requests and takes the answers. */
static bool call_each(struct item_calls *calls)
{
    struct progress_line line;
    progress_line_begin(&line, calls->options);
    uint64_t shown_ns = monotonic_ns();
    calls->first_request_id = calls->session->last_request_id + 1;
    uint32_t sent = 0;
    bool good = true;
    for (uint32_t taken = 0; good && taken < calls->count; taken++) {
        if (taken % WINDOW == 0) {
            show_progress(&line, calls, taken, &shown_ns);
        }
        good = send_window(calls, &sent, taken) && take_item(calls);
    }
    progress_line_end(&line);
    return good;
}

/* ---- create -------------------------------------------------------------------------------- */

static bool send_create(struct session *session, uint64_t item_id, uint32_t index,
                        const struct bench_options *options)
{
    Holdfast__V1__ItemSettings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    settings.item_id = item_id;
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
        snprintf(session->error, sizeof session->error, "out of memory: fewer --items need less");
        return false;
    }
    for (uint32_t i = 0; i < items->count; i++) {
        items->items[i].id = options->first_item + i;
    }
    struct item_calls calls = {
        .doing = "creating",
        .session = session,
        .options = options,
        .type = FRAME_ITEM_CREATE,
        .send = send_create,
        .items = items->items,
        .count = items->count,
        .items_out = items->items,
    };
    return call_each(&calls);
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

/* As those that were created are: --dist ranks them by their place. */
static int by_id(const void *left, const void *right)
{
    uint64_t a = ((const struct bench_item *)left)->id;
    uint64_t b = ((const struct bench_item *)right)->id;
    return (a > b) - (a < b);
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
    qsort(items->items, items->count, sizeof items->items[0], by_id);
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

static bool send_get(struct session *session, uint64_t item_id, uint32_t index,
                     const struct bench_options *options)
{
    (void)index;
    (void)options;
    Holdfast__V1__ItemGetRequest request = HOLDFAST__V1__ITEM_GET_REQUEST__INIT;
    request.item_id = item_id;
    return session_send(session, FRAME_ITEM_GET, &request.base);
}

bool items_read(const struct bench_items *items, struct session *session,
                const struct bench_options *options, struct bench_item *now_out,
                int64_t *available_out)
{
    struct item_calls calls = {
        .doing = "reading",
        .session = session,
        .options = options,
        .type = FRAME_ITEM_GET,
        .send = send_get,
        .items = items->items,
        .count = items->count,
        .items_out = now_out,
        .available_out = available_out,
    };
    return call_each(&calls);
}

void items_free(struct bench_items *items)
{
    free(items->items);
    *items = (struct bench_items){0};
}
