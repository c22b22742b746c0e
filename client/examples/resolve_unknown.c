#include <holdfast.h>

#include <stdio.h>
#include <string.h>

/* What to do when an answer is lost. The first request gets a deadline so short that it passes
 * while the request is under way; then the truth is found out, in both ways: asking with hf_get(),
 * and repeating the request under the same id, which is done once at most. For a confirm, where
 * money hangs on it, see buy_sync.c.
 *
 *     resolve_unknown [HOST:PORT] */

static uint64_t put_up_for_sale(hf_client *client)
{
    hf_item_create_request request;
    memset(&request, 0, sizeof request);
    snprintf(request.settings.sku, sizeof request.settings.sku, "EXAMPLE-CHAIR");
    request.settings.item_id = hf_key64(request.settings.sku);
    request.settings.stock = HF_UNLIMITED;
    hf_item_reply reply;
    hf_item_create(client, &request, &reply);
    return request.settings.item_id;
}

static void tell(const char *what, const hf_reply *reply)
{
    bool was_answered = reply->outcome == HF_APPLIED || reply->outcome == HF_REFUSED;
    printf("%-8s %s: %s%s\n", what, hf_outcome_name(reply->outcome),
           was_answered ? hf_result_text(reply->result) : hf_error_text(reply->error),
           reply->is_repeat ? " (it had been done)" : "");
}

/* Repeats until there is an answer, or gives up after ten times. */
static hf_outcome make_sure(hf_client *client, hf_reserve_request *request, hf_reply *reply)
{
    request->deadline_ms = 2000;
    hf_outcome outcome = HF_UNKNOWN;
    for (int i = 0; i < 10 && (outcome == HF_UNKNOWN || outcome == HF_NOT_SENT); i++)
        outcome = hf_reserve(client, request, reply);
    return outcome;
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
        fprintf(stderr, "resolve_unknown: %s\n", hf_error_text(error));
        return 1;
    }

    hf_reserve_request request;
    memset(&request, 0, sizeof request);
    request.id = hf_id_random(); /* kept until the outcome is known */
    request.item_id = put_up_for_sale(client);
    request.quantity = 1;
    request.deadline_ms = 1;
    hf_reply reply;
    hf_reserve(client, &request, &reply);
    tell("reserve", &reply);

    hf_get_request question = {request.id, request.item_id, 0};
    hf_get(client, &question, &reply);
    tell("get", &reply);

    hf_outcome outcome = make_sure(client, &request, &reply);
    tell("repeat", &reply);
    hf_close(client);
    return outcome == HF_APPLIED ? 0 : 1;
}
