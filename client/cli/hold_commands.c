#include "commands.h"
#include "output.h"

#include <stdio.h>

/* reserve, confirm, cancel, extend, show */

static void output_reservation(struct output *output, const hf_reply *reply)
{
    output_text(output, "state", hf_state_name(reply->state));
    output_number(output, "quantity", reply->quantity);
    if (reply->quantity_confirmed > 0 || output->is_json)
        output_number(output, "quantity_confirmed", reply->quantity_confirmed);
    output_number(output, "sequence", reply->sequence);
}

/* Whether the answer tells how many units are free: it must be about an item that the server knows
 * and have been looked at. */
static bool has_available(const hf_reply *reply)
{
    switch (reply->result) {
    case HF_RESULT_OK:
    case HF_RESULT_DUPLICATE:
    case HF_RESULT_ID_CONFLICT:
    case HF_RESULT_NOT_OPEN:
    case HF_RESULT_CLOSED:
    case HF_RESULT_PAUSED:
    case HF_RESULT_SOLD_OUT:
    case HF_RESULT_INSUFFICIENT:
    case HF_RESULT_BUYER_LIMIT:
    case HF_RESULT_HOLD_CAP:
    case HF_RESULT_UNKNOWN_RESERVATION:
    case HF_RESULT_EXPIRED:
    case HF_RESULT_CANCELLED:
    case HF_RESULT_ALREADY_CONFIRMED:
    case HF_RESULT_CAPACITY:
        return true;
    case HF_RESULT_INVALID: /* more than is held; a field that is wrong by itself tells nothing */
        return reply->state != HF_STATE_NONE;
    default:
        return false;
    }
}

/* Prints the answer. In JSON an answer that never came is printed as well. */
static int print_reply(hf_client *client, const struct options *options, hf_id id,
                       const hf_reply *reply)
{
    bool was_answered = reply->outcome == HF_APPLIED || reply->outcome == HF_REFUSED;
    struct output output;
    output_init(&output, options->given[OPTION_JSON]);
    output_text(&output, "outcome", hf_outcome_name(reply->outcome));
    if (was_answered)
        output_text(&output, "result", hf_result_name(reply->result));
    else
        output_text(&output, "error", hf_error_name(reply->error));
    if (reply->result == HF_RESULT_INVALID)
        output_text(&output, "invalid_field", hf_field_name(reply->invalid_field));
    if (output.is_json)
        output_id(&output, id);
    if (reply->state != HF_STATE_NONE)
        output_reservation(&output, reply);
    if (reply->result == HF_RESULT_NOT_OPEN)
        output_moment(&output, "opens_at_ms", reply->expires_ms);
    else if (reply->state != HF_STATE_NONE)
        output_moment(&output, "expires_ms", reply->expires_ms);
    if (was_answered && has_available(reply))
        output_units(&output, "available", reply->available);
    if (options->command == COMMAND_SHOW && reply->outcome == HF_APPLIED) {
        output_key(&output, "buyer_id", reply->buyer_id);
        output_key(&output, "user_data", reply->user_data);
        output_moment(&output, "created_ms", reply->created_ms);
    }
    output_flush(&output);
    if (reply->outcome == HF_APPLIED)
        return EXIT_APPLIED;
    if (reply->outcome == HF_REFUSED)
        return tell_refusal(&(struct refusal){.command = options->command,
                                              .result = reply->result,
                                              .invalid_field = reply->invalid_field});
    return tell_failure(client, reply->outcome, reply->result, reply->error);
}

/* Before anything is sent, so that a lost answer can be asked about. */
static void print_new_id(const struct options *options, hf_id id)
{
    char text[HF_ID_TEXT_BYTES];
    hf_id_format(id, text);
    FILE *to = options->given[OPTION_JSON] ? stderr : stdout;
    fprintf(to, "id  %s\n", text);
    fflush(to);
}

int run_reserve(hf_client *client, const struct options *options)
{
    hf_reserve_request request = {
        .id = options->given[OPTION_ID] ? options->id : hf_id_random(),
        .item_id = options->item_id,
        .buyer_id = options->buyer_id,
        .quantity = options->given[OPTION_QUANTITY] ? options->quantity : 1,
        .hold_ms = options->hold_ms,
        .user_data = options->user_data,
    };
    if (!options->given[OPTION_ID])
        print_new_id(options, request.id);
    hf_reply reply;
    hf_reserve(client, &request, &reply);
    return print_reply(client, options, request.id, &reply);
}

int run_confirm(hf_client *client, const struct options *options)
{
    hf_confirm_request request = {
        .id = options->id, .item_id = options->item_id, .quantity = options->quantity};
    hf_reply reply;
    hf_confirm(client, &request, &reply);
    return print_reply(client, options, request.id, &reply);
}

int run_cancel(hf_client *client, const struct options *options)
{
    hf_cancel_request request = {.id = options->id, .item_id = options->item_id};
    hf_reply reply;
    hf_cancel(client, &request, &reply);
    return print_reply(client, options, request.id, &reply);
}

int run_extend(hf_client *client, const struct options *options)
{
    hf_extend_request request = {.id = options->id, .item_id = options->item_id};
    int exit_code;
    if (!moment_on_server(client, &options->until, &request.expires_ms, &exit_code))
        return exit_code;
    hf_reply reply;
    hf_extend(client, &request, &reply);
    return print_reply(client, options, request.id, &reply);
}

int run_show(hf_client *client, const struct options *options)
{
    hf_get_request request = {.id = options->id, .item_id = options->item_id};
    hf_reply reply;
    hf_get(client, &request, &reply);
    return print_reply(client, options, request.id, &reply);
}
