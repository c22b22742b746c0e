#include <holdfast.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Buys one unit: hold, pay, confirm. What a web request does that may wait. Most of it is about the
 * one moment that matters: the buyer has paid, and the answer to the confirm is lost.
 *
 *     buy_sync [HOST:PORT] */

enum { REPEAT_COUNT_MAX = 10 };

static bool take_payment(uint64_t buyer_id)
{
    printf("buyer %llu pays\n", (unsigned long long)buyer_id);
    return true;
}

static const char *item_why(const hf_item_reply *reply)
{
    return reply->outcome == HF_REFUSED ? hf_result_text(reply->result)
                                        : hf_error_text(reply->error);
}

static void put_up_for_sale(hf_client *client, const char *sku)
{
    hf_item_create_request request;
    memset(&request, 0, sizeof request);
    snprintf(request.settings.sku, sizeof request.settings.sku, "%s", sku);
    request.settings.item_id = hf_key64(sku);
    request.settings.stock = 1000;
    hf_item_reply reply;
    if (hf_item_create(client, &request, &reply) != HF_APPLIED) /* again is harmless */
        printf("%s is not as wanted: %s\n", sku, item_why(&reply));
}

/* The four outcomes come down to three answers. */
enum answer { ANSWER_YES, ANSWER_NO, ANSWER_OPEN };

/* HF_NOT_SENT and HF_UNKNOWN say nothing about the reservation, nor does a server that did not look
 * at the request. The hold may be open, sold or over: only the same request again tells. */
static enum answer answer_of(const hf_reply *reply)
{
    if (reply->outcome == HF_APPLIED)
        return ANSWER_YES;
    if (reply->outcome != HF_REFUSED)
        return ANSWER_OPEN;
    switch (reply->result) {
    case HF_RESULT_UNKNOWN_ITEM:
    case HF_RESULT_UNKNOWN_RESERVATION:
    case HF_RESULT_EXPIRED:
    case HF_RESULT_CANCELLED:
    case HF_RESULT_ALREADY_CONFIRMED:
        return ANSWER_NO;
    default:
        return ANSWER_OPEN;
    }
}

static const char *why(const hf_reply *reply)
{
    return reply->outcome == HF_REFUSED ? hf_result_text(reply->result)
                                        : hf_error_text(reply->error);
}

/* Repeating is harmless: what was done before is answered HF_APPLIED again. A service that gives up
 * as well keeps the request where it is not lost, and goes on repeating it later. */
static enum answer confirm(hf_client *client, const hf_confirm_request *request, hf_reply *reply)
{
    enum answer answer = ANSWER_OPEN;
    for (int i = 0; i < REPEAT_COUNT_MAX && answer == ANSWER_OPEN; i++) {
        if (i > 0)
            sleep(1);
        hf_confirm(client, request, reply);
        answer = answer_of(reply);
    }
    return answer;
}

/* Here giving up costs little: what nobody confirms comes back by itself at its deadline. */
static void cancel(hf_client *client, const hf_reserve_request *hold)
{
    hf_cancel_request request = {hold->id, hold->item_id, 0};
    hf_reply reply;
    if (hf_cancel(client, &request, &reply) == HF_APPLIED)
        printf("not paid, the unit is back on sale\n");
    else
        printf("not paid, and not given back: %s; it comes back at the hold's deadline\n",
               why(&reply));
}

static int settle(hf_client *client, const hf_reserve_request *hold)
{
    hf_confirm_request request = {hold->id, hold->item_id, 0, 0};
    hf_reply reply;
    switch (confirm(client, &request, &reply)) {
    case ANSWER_YES:
        printf("sold\n");
        return 0;
    case ANSWER_OPEN: /* neither ship nor give the money back before there is an answer */
        printf("paid, not known yet whether sold, repeat the confirm later: %s\n", why(&reply));
        return 1;
    case ANSWER_NO:
        break;
    }
    if (reply.result == HF_RESULT_EXPIRED || reply.result == HF_RESULT_CANCELLED)
        printf("paid too late, give the money back: %s\n", why(&reply));
    else /* this program confirms once, all of what it held: somebody else did something */
        printf("paid, and not as it was left, a person must look: %s\n", why(&reply));
    return 1;
}

/* A reserve whose answer is lost can be repeated in the same way (see resolve_unknown.c). This
 * buyer has paid nothing yet, so the program gives up instead; a hold that was made all the same
 * comes back at its deadline. */
static int buy(hf_client *client, const char *sku, uint64_t buyer_id)
{
    hf_reserve_request hold;
    memset(&hold, 0, sizeof hold);
    hold.id = hf_id_random();
    hold.item_id = hf_key64(sku);
    hold.buyer_id = buyer_id;
    hold.quantity = 1;
    hf_reply reply;
    hf_outcome outcome = hf_reserve(client, &hold, &reply);
    if (outcome != HF_APPLIED) {
        printf("%s: %s\n", outcome == HF_UNKNOWN ? "not known whether a unit is held" : "no unit",
               why(&reply));
        return 1;
    }
    printf("holding number %llu, %lld left\n", (unsigned long long)reply.sequence,
           (long long)reply.available);

    if (!take_payment(buyer_id)) {
        cancel(client, &hold);
        return 1;
    }
    return settle(client, &hold);
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
