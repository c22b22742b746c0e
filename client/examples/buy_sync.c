#include <holdfast.h>

#include <stdio.h>
#include <string.h>

/* Buys one unit: hold, pay, confirm. What a web request does that may wait.
 *
 *     buy_sync [HOST:PORT] */

static bool take_payment(uint64_t buyer_id)
{
    printf("buyer %llu pays\n", (unsigned long long)buyer_id);
    return true;
}

static void put_up_for_sale(hf_client *client, const char *sku)
{
    hf_item_create_request request;
    memset(&request, 0, sizeof request);
    snprintf(request.settings.sku, sizeof request.settings.sku, "%s", sku);
    request.settings.item_id = hf_key64(sku);
    request.settings.stock = 1000;
    hf_item_reply reply;
    hf_item_create(client, &request, &reply); /* harmless when the item is there already */
}

static int buy(hf_client *client, const char *sku, uint64_t buyer_id)
{
    hf_reserve_request hold;
    memset(&hold, 0, sizeof hold);
    hold.id = hf_id_random();
    hold.item_id = hf_key64(sku);
    hold.buyer_id = buyer_id;
    hold.quantity = 1;
    hf_reply reply;
    if (hf_reserve(client, &hold, &reply) != HF_APPLIED) {
        printf("no unit: %s\n", reply.outcome == HF_REFUSED ? hf_result_text(reply.result)
                                                            : hf_error_text(reply.error));
        return 1;
    }
    printf("holding number %llu, %lld left\n", (unsigned long long)reply.sequence,
           (long long)reply.available);

    if (!take_payment(buyer_id)) {
        hf_cancel_request cancel = {hold.id, hold.item_id, 0};
        hf_cancel(client, &cancel, &reply);
        return 1;
    }
    hf_confirm_request confirm = {hold.id, hold.item_id, 0, 0};
    if (hf_confirm(client, &confirm, &reply) != HF_APPLIED) {
        printf("paid too late, give the money back: %s\n", hf_result_text(reply.result));
        return 1;
    }
    printf("sold\n");
    return 0;
}

int main(int argc, char **argv)
{
    hf_options options;
    hf_options_init(&options);
    if (argc > 1)
        options.server = argv[1];
    hf_client *client;
    hf_error error = hf_open(&options, &client);
    if (error != HF_ERROR_NONE) {
        fprintf(stderr, "buy_sync: %s\n", hf_error_text(error));
        return 1;
    }
    put_up_for_sale(client, "EXAMPLE-LAMP");
    int exit_code = buy(client, "EXAMPLE-LAMP", 1001);
    hf_close(client);
    return exit_code;
}
