#include <holdfast.h>

#include <stdio.h>
#include <string.h>

/* A hundred thousand buyers at once, ten thousand requests under way at any time, one thread. Each
 * answer starts the next request from its callback, so the number under way stays the same.
 *
 *     buy_async [HOST:PORT] */

enum { BUYER_COUNT = 100000, IN_FLIGHT = 10000, STOCK = 5000 };

struct sale {
    hf_client *client;
    uint64_t item_id;
    uint64_t next_buyer_id;
    uint32_t held;
    uint32_t refused;
    uint32_t lost; /* not sent, or not known: resolve_unknown.c tells what to do then */
};

static void on_reply(const hf_reply *reply, void *context);

/* Callbacks run one at a time in the client's thread: the counters need no lock once the first
 * requests are started. */
static void start_next(struct sale *sale)
{
    if (sale->next_buyer_id > BUYER_COUNT)
        return;
    hf_reserve_request request;
    memset(&request, 0, sizeof request);
    request.id = hf_id_random();
    request.item_id = sale->item_id;
    request.buyer_id = sale->next_buyer_id++;
    request.quantity = 1;
    if (hf_reserve_async(sale->client, &request, on_reply, sale) != HF_ERROR_NONE)
        sale->lost++;
}

static void on_reply(const hf_reply *reply, void *context)
{
    struct sale *sale = context;
    if (reply->outcome == HF_APPLIED)
        sale->held++;
    else if (reply->outcome == HF_REFUSED)
        sale->refused++;
    else
        sale->lost++;
    start_next(sale);
}

/* The first request's callback starts all others, so that only one thread ever counts. */
static void on_ready(const hf_reply *reply, void *context)
{
    (void)reply;
    for (uint32_t i = 0; i < IN_FLIGHT; i++)
        start_next(context);
}

static uint64_t put_up_for_sale(hf_client *client)
{
    char id[HF_ID_TEXT_BYTES];
    hf_item_create_request request;
    memset(&request, 0, sizeof request);
    hf_id_format(hf_id_random(), id);
    snprintf(request.settings.sku, sizeof request.settings.sku, "EXAMPLE-%s", id);
    request.settings.item_id = hf_key64(request.settings.sku);
    request.settings.stock = STOCK;
    request.settings.buyer_limit = 1;
    hf_item_reply reply;
    hf_item_create(client, &request, &reply);
    return request.settings.item_id;
}

int main(int argc, char **argv)
{
    hf_options options;
    hf_options_init(&options);
    options.in_flight_max = IN_FLIGHT + 1; /* the one that starts them is still being answered */
    options.deadline_ms = 30000;
    if (argc > 1)
        options.server = argv[1];
    struct sale sale = {.next_buyer_id = 1};
    hf_error error = hf_open(&options, &sale.client);
    if (error != HF_ERROR_NONE) {
        fprintf(stderr, "buy_async: %s\n", hf_error_text(error));
        return 1;
    }
    sale.item_id = put_up_for_sale(sale.client);
    hf_get_request probe = {.id = hf_id_random(), .item_id = sale.item_id};
    error = hf_get_async(sale.client, &probe, on_ready, &sale);
    if (error == HF_ERROR_NONE)
        error = hf_drain(sale.client, 60000);
    hf_close(sale.client); /* after this no callback runs */
    printf("held %u, refused %u, lost %u of %u\n", sale.held, sale.refused, sale.lost,
           (unsigned)BUYER_COUNT);
    return error == HF_ERROR_NONE && sale.held == STOCK && sale.lost == 0 ? 0 : 1;
}
