/* The client library against the real server: every call once, many threads, and what the library
 * promises while the server is stopped, killed and restarted under load, with the number of cores
 * changed too.
 *
 *     e2e_client CORES
 */
#include "check.h"
#include "fixture.h"

#include <holdfast.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEADLINE_MS = 60000, /* longer than a restart takes on a slow machine */
    THREAD_COUNT = 8,
    HOT_STOCK = 1000,
};

static struct fixture fixture;
static char address[32];

static hf_client *open_client(void)
{
    snprintf(address, sizeof address, "127.0.0.1:%u", fixture.server.port);
    hf_options options;
    hf_options_init(&options);
    options.server = address;
    options.client_name = "e2e_client";
    options.deadline_ms = DEADLINE_MS;
    hf_client *client;
    hf_error error = hf_open(&options, &client);
    check_must(error == HF_ERROR_NONE, "hf_open: %s", hf_error_text(error));
    return client;
}

static void create_item(hf_client *client, uint64_t item_id, int64_t stock, uint32_t buyer_limit)
{
    hf_item_create_request request;
    memset(&request, 0, sizeof request);
    request.settings.item_id = item_id;
    request.settings.stock = stock;
    request.settings.buyer_limit = buyer_limit;
    snprintf(request.settings.sku, sizeof request.settings.sku, "ITEM-%llu",
             (unsigned long long)item_id);
    hf_item_reply reply;
    hf_item_create(client, &request, &reply);
    check_must(reply.outcome == HF_APPLIED, "create: %s, %s, %s", hf_outcome_name(reply.outcome),
               hf_result_name(reply.result), hf_error_name(reply.error));
}

static hf_item get_item(hf_client *client, uint64_t item_id)
{
    hf_item_get_request request = {item_id, 0};
    hf_item_reply reply;
    hf_item_get(client, &request, &reply);
    check_must(reply.outcome == HF_APPLIED && reply.has_item, "item get: %s",
               hf_result_name(reply.result));
    return reply.item;
}

static void check_reply(const hf_reply *reply, hf_outcome outcome, hf_result result)
{
    check(reply->outcome == outcome && reply->result == result, "%s, %s, %s; expected %s, %s",
          hf_outcome_name(reply->outcome), hf_result_name(reply->result),
          hf_error_name(reply->error), hf_outcome_name(outcome), hf_result_name(result));
}

/* ------------------------------------------------------------------------------------------------
 * Every call once
 * ---------------------------------------------------------------------------------------------- */

static void try_every_call(hf_client *client)
{
    check_situation("every call of a reservation's life");
    create_item(client, 1, 10, 0);
    hf_id id = hf_id_random();
    hf_reserve_request reserve = {
        .id = id, .item_id = 1, .buyer_id = 5, .quantity = 3, .user_data = 77};
    hf_reply reply;
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_APPLIED, HF_RESULT_OK);
    check(reply.sequence == 1 && reply.available == 7 && reply.state == HF_STATE_HELD,
          "sequence %llu, available %lld", (unsigned long long)reply.sequence,
          (long long)reply.available);
    uint64_t expires_ms = reply.expires_ms;
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_APPLIED, HF_RESULT_DUPLICATE);
    check(reply.is_repeat && reply.expires_ms == expires_ms, "the first answer again");

    hf_extend_request extend = {.id = id, .item_id = 1, .expires_ms = expires_ms + 5000};
    hf_extend(client, &extend, &reply);
    check_reply(&reply, HF_APPLIED, HF_RESULT_OK);
    check(reply.expires_ms == expires_ms + 5000, "extended");

    hf_confirm_request confirm = {.id = id, .item_id = 1, .quantity = 2};
    hf_confirm(client, &confirm, &reply);
    check_reply(&reply, HF_APPLIED, HF_RESULT_OK);
    check(reply.quantity_confirmed == 2 && reply.available == 8, "confirmed in part");

    hf_get_request get = {.id = id, .item_id = 1};
    hf_get(client, &get, &reply);
    check_reply(&reply, HF_APPLIED, HF_RESULT_OK);
    check(reply.state == HF_STATE_CONFIRMED && reply.buyer_id == 5 && reply.user_data == 77,
          "state %s", hf_state_name(reply.state));

    reserve.id = hf_id_random();
    hf_reserve(client, &reserve, &reply);
    hf_cancel_request cancel = {.id = reserve.id, .item_id = 1};
    hf_cancel(client, &cancel, &reply);
    check_reply(&reply, HF_APPLIED, HF_RESULT_OK);
    check(reply.state == HF_STATE_CANCELLED && reply.available == 8, "cancelled");
}

static void try_refusals(hf_client *client)
{
    check_situation("refusals are told with their reasons");
    create_item(client, 2, 2, 1);
    hf_reserve_request reserve = {.id = hf_id_random(), .item_id = 2, .buyer_id = 1};
    hf_reply reply;
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_REFUSED, HF_RESULT_INVALID);
    check(reply.invalid_field == HF_FIELD_QUANTITY, "%s", hf_field_name(reply.invalid_field));
    reserve.quantity = 2;
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_REFUSED, HF_RESULT_BUYER_LIMIT);
    reserve.buyer_id = 0;
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_APPLIED, HF_RESULT_OK);
    reserve.quantity = 1;
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_REFUSED, HF_RESULT_ID_CONFLICT);
    reserve.id = hf_id_random();
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_REFUSED, HF_RESULT_SOLD_OUT);
    reserve.item_id = 999999;
    hf_reserve(client, &reserve, &reply);
    check_reply(&reply, HF_REFUSED, HF_RESULT_UNKNOWN_ITEM);
    hf_get_request get = {.id = reserve.id, .item_id = 2};
    hf_get(client, &get, &reply);
    check_reply(&reply, HF_REFUSED, HF_RESULT_UNKNOWN_RESERVATION);
}

static void try_items(hf_client *client, uint32_t core_count)
{
    check_situation("items are listed over all cores, and changed");
    for (uint64_t id = 100; id < 400; id++)
        create_item(client, id, 5, 0);
    hf_item_cursor cursor;
    memset(&cursor, 0, sizeof cursor);
    uint32_t count = 0;
    while (!cursor.is_at_end) {
        static hf_item items[50];
        hf_item_page page;
        if (hf_item_list(client, &cursor, 0, items, 50, &page) != HF_APPLIED)
            break;
        count += page.count;
    }
    check(cursor.is_at_end && count == 302, "%u items", count);

    hf_item_update_request update = {.settings = {.item_id = 100, .stock = 9, .paused = true},
                                     .fields = HF_UPDATE_STOCK | HF_UPDATE_PAUSED};
    hf_item_reply reply;
    hf_item_update(client, &update, &reply);
    check(reply.outcome == HF_APPLIED && reply.item.settings.stock == 9 &&
              reply.item.settings.paused && strcmp(reply.item.settings.sku, "ITEM-100") == 0,
          "%s", hf_result_name(reply.result));

    hf_stat stat;
    hf_get_stat(client, HF_ALL_CORES, true, 0, &stat);
    check(stat.outcome == HF_APPLIED && stat.items == 302 && stat.core_count == core_count &&
              stat.state_hash != 0,
          "%llu items on %u cores", (unsigned long long)stat.items, stat.core_count);
    check(stat.rows_forwarded == 0, "%llu rows arrived at a wrong core",
          (unsigned long long)stat.rows_forwarded);
    hf_get_stat(client, core_count, false, 0, &stat);
    check(stat.outcome == HF_NOT_SENT && stat.error == HF_ERROR_NO_SUCH_CORE, "%s",
          hf_error_name(stat.error));
    hf_server_info info;
    check(hf_get_server_info(client, 0, &info) == HF_APPLIED && info.core_count == core_count,
          "%u cores", info.core_count);
}

/* ------------------------------------------------------------------------------------------------
 * Load
 * ---------------------------------------------------------------------------------------------- */

/* Requests for one item from many threads, synchronous and asynchronous mixed. */
struct load {
    hf_client *client;
    uint64_t item_id;
    uint32_t requests_per_thread;
    bool is_paced; /* so that it lasts through all restarts */
    atomic_uint outcomes[4];
    atomic_uint repeats;
    hf_id *ids; /* of all requests; applied ones are marked in is_held */
    atomic_uchar *is_held;
};

struct request {
    struct load *load;
    uint32_t index;
};

static void note_reply(const hf_reply *reply, void *context)
{
    struct request *request = context;
    struct load *load = request->load;
    load->outcomes[reply->outcome]++;
    load->repeats += reply->is_repeat;
    if (reply->outcome == HF_APPLIED)
        load->is_held[request->index] = 1;
    free(request);
}

static void start_request(struct load *load, uint32_t index)
{
    struct request *request = malloc(sizeof *request);
    *request = (struct request){load, index};
    hf_reserve_request reserve = {
        .id = load->ids[index], .item_id = load->item_id, .quantity = 1, .buyer_id = index + 1};
    if (index % 50 == 0) {
        hf_reply reply;
        hf_reserve(load->client, &reserve, &reply);
        note_reply(&reply, request);
        return;
    }
    while (hf_reserve_async(load->client, &reserve, note_reply, request) == HF_ERROR_FULL)
        check_sleep_ms(1);
}

static void *run_thread(void *context)
{
    struct load *load = context;
    static atomic_uint next_first;
    uint32_t first = (next_first++ % THREAD_COUNT) * load->requests_per_thread;
    for (uint32_t i = 0; i < load->requests_per_thread; i++) {
        start_request(load, first + i);
        if (load->is_paced && i % 8 == 0)
            check_sleep_ms(1);
    }
    return NULL;
}

static void load_init(struct load *load, hf_client *client, uint64_t item_id, uint32_t per_thread)
{
    memset(load, 0, sizeof *load);
    load->client = client;
    load->item_id = item_id;
    load->requests_per_thread = per_thread;
    load->ids = malloc((size_t)per_thread * THREAD_COUNT * sizeof *load->ids);
    load->is_held = calloc((size_t)per_thread * THREAD_COUNT, sizeof *load->is_held);
    for (uint32_t i = 0; i < per_thread * THREAD_COUNT; i++)
        load->ids[i] = hf_id_random();
}

static void load_deinit(struct load *load)
{
    free(load->ids);
    free((void *)load->is_held);
}

static void load_start(struct load *load, pthread_t threads[THREAD_COUNT])
{
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_create(&threads[i], NULL, run_thread, load);
}

static void load_wait(struct load *load, pthread_t threads[THREAD_COUNT])
{
    for (int i = 0; i < THREAD_COUNT; i++)
        pthread_join(threads[i], NULL);
    hf_error error = hf_drain(load->client, 2 * DEADLINE_MS);
    check(error == HF_ERROR_NONE, "drain: %s", hf_error_text(error));
}

/* What the callers were told is what the server knows. */
static void check_books(struct load *load, int64_t stock)
{
    uint32_t count = load->requests_per_thread * THREAD_COUNT;
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < count; i++) {
        hf_get_request get = {.id = load->ids[i], .item_id = load->item_id};
        hf_reply reply;
        hf_get(load->client, &get, &reply);
        hf_outcome expected = load->is_held[i] ? HF_APPLIED : HF_REFUSED;
        wrong += reply.outcome != expected;
    }
    check(wrong == 0, "%u of %u reservations are not as they were told", wrong, count);
    hf_item item = get_item(load->client, load->item_id);
    check((int64_t)item.held == stock && item.available == 0 &&
              item.next_sequence == (uint64_t)stock + 1,
          "held %llu, available %lld", (unsigned long long)item.held, (long long)item.available);
}

static void try_hot_item(hf_client *client, uint32_t per_thread)
{
    check_situation("a hot item from many threads sells exactly its stock");
    struct load load;
    pthread_t threads[THREAD_COUNT];
    create_item(client, 3, HOT_STOCK, 0);
    load_init(&load, client, 3, per_thread);
    double began_ms = check_now_ms();
    load_start(&load, threads);
    load_wait(&load, threads);
    check_note("%u requests in %.0f ms", per_thread * THREAD_COUNT, check_now_ms() - began_ms);
    check(load.outcomes[HF_APPLIED] == HOT_STOCK &&
              load.outcomes[HF_REFUSED] == per_thread * THREAD_COUNT - HOT_STOCK,
          "applied %u, refused %u, not sent %u, unknown %u", load.outcomes[HF_APPLIED],
          load.outcomes[HF_REFUSED], load.outcomes[HF_NOT_SENT], load.outcomes[HF_UNKNOWN]);
    check_books(&load, HOT_STOCK);
    load_deinit(&load);
}

/* ------------------------------------------------------------------------------------------------
 * Restarts under load
 * ---------------------------------------------------------------------------------------------- */

/* The same port, so that clients find the server again. */
static void restart(uint32_t core_count)
{
    fixture.options.listen = address;
    fixture.options.cores = core_count;
    server_start(&fixture.server, &fixture.options, fixture.scratch);
}

static void try_restarts(hf_client *client, uint64_t item_id, bool kills, uint32_t core_count,
                         uint32_t per_thread)
{
    struct load load;
    pthread_t threads[THREAD_COUNT];
    uint32_t count = per_thread * THREAD_COUNT;
    create_item(client, item_id, count / 2, 0);
    load_init(&load, client, item_id, per_thread);
    load.is_paced = true;
    load_start(&load, threads);
    for (int round = 0; round < 3; round++) {
        check_sleep_ms(60);
        if (kills)
            server_kill(&fixture.server);
        else
            server_stop(&fixture.server);
        restart(core_count);
    }
    load_wait(&load, threads);
    check(load.outcomes[HF_APPLIED] == count / 2 && load.outcomes[HF_REFUSED] == count - count / 2,
          "applied %u, refused %u, not sent %u, unknown %u", load.outcomes[HF_APPLIED],
          load.outcomes[HF_REFUSED], load.outcomes[HF_NOT_SENT], load.outcomes[HF_UNKNOWN]);
    check_note("%u were applied before the connection broke and told after it", load.repeats);
    check_books(&load, count / 2);
    load_deinit(&load);
}

int main(int argc, char **argv)
{
    uint32_t core_count = fixture_core_count(argc, argv);
    uint32_t per_thread = (uint32_t)fixture_size("CLIENT_REQUESTS_PER_THREAD", 5000, 1000);
    static const char *const sizes[] = {
        "--max-items", "1000", "--max-reservations", "200000", "--max-buyers", "200000", NULL};
    fixture_init(&fixture, "client", core_count, sizes);
    fixture_start(&fixture);
    hf_client *client = open_client();
    try_every_call(client);
    try_refusals(client);
    try_items(client, core_count);
    try_hot_item(client, per_thread);
    check_situation("clean restarts under load lose and double nothing");
    try_restarts(client, 4, false, core_count, per_thread);
    check_situation("kills under load lose and double nothing");
    try_restarts(client, 5, true, core_count, per_thread);
    check_situation("another number of cores under load loses and doubles nothing");
    try_restarts(client, 6, true, core_count == 1 ? 3 : 1, per_thread);
    check(hf_close(client) == HF_ERROR_NONE, "close");
    return fixture_finish(&fixture);
}
