#include "wire.h"

/* ---- the good case ---- */

Test(wire, reserve_answered_is_applied)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    hf_reply reply = reserve(client, 5, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect_eq(reply.result, HF_RESULT_OK);
    cr_expect_eq(reply.sequence, 5);
    cr_expect_not(reply.is_repeat);
    reply = reserve(client, 5, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect(reply.is_repeat);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, refusal_is_told_with_its_reason)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    server->refuse_result = HF_RESULT_SOLD_OUT;
    fake_set_mode(server, FAKE_REFUSE, 1);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_REFUSED);
    cr_expect_eq(reply.result, HF_RESULT_SOLD_OUT);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, rows_go_to_the_core_that_owns_their_item)
{
    static const uint32_t core_counts[] = {1, 2, 4, 16};
    for (int i = 0; i < 4; i++) {
        struct fake_server *server = start_server(core_counts[i]);
        hf_client *client = open_client(server);
        struct tally tally = {0};
        start_many(client, 500, &tally);
        cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
        cr_expect_eq(tally.by_outcome[HF_APPLIED], 500);
        cr_expect_eq(server->row_count, 500);
        cr_expect_eq(server->misrouted_count, 0);
        hf_close(client);
        fake_destroy(server);
    }
}

static void check_own_sequence(const hf_reply *reply, void *context)
{
    atomic_uint *wrong = (atomic_uint *)((uintptr_t *)context)[0];
    *wrong += reply->sequence != ((uintptr_t *)context)[1];
}

Test(wire, rows_that_wait_together_leave_as_one_frame_and_get_their_own_answers)
{
    struct fake_server *server = fake_create(1);
    fake_start(server);
    fake_stop(server); /* the port is known, nobody listens */
    hf_client *client = open_client(server);
    static uintptr_t contexts[300][2];
    atomic_uint wrong = 0;
    for (uintptr_t i = 0; i < 300; i++) {
        hf_reserve_request request = reserve_request(i + 1);
        contexts[i][0] = (uintptr_t)&wrong;
        contexts[i][1] = i + 1;
        cr_assert_eq(hf_reserve_async(client, &request, check_own_sequence, contexts[i]),
                     HF_ERROR_NONE);
    }
    fake_start(server);
    cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(wrong, 0);
    cr_expect_eq(server->frame_count, 1);
    cr_expect_eq(server->row_count_max, 300);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, more_rows_than_a_frame_takes_leave_in_several)
{
    struct fake_server *server = start_server(1);
    fake_stop(server);
    hf_client *client = open_client(server);
    struct tally tally = {0};
    start_many(client, 3000, &tally);
    fake_start(server);
    cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(tally.by_outcome[HF_APPLIED], 3000);
    cr_expect_eq(server->frame_count, 3);
    cr_expect_eq(server->row_count_max, 1024);
    hf_close(client);
    fake_destroy(server);
}

static void *reserve_hundred(void *context)
{
    static atomic_uint next = 1;
    for (int i = 0; i < 100; i++) {
        if (reserve(context, next++, 0).outcome != HF_APPLIED)
            return context;
    }
    return NULL;
}

Test(wire, many_threads_share_a_client)
{
    struct fake_server *server = start_server(2);
    hf_client *client = open_client(server);
    pthread_t threads[8];
    for (int i = 0; i < 8; i++)
        pthread_create(&threads[i], NULL, reserve_hundred, client);
    for (int i = 0; i < 8; i++) {
        void *failed;
        pthread_join(threads[i], &failed);
        cr_expect_null(failed);
    }
    cr_expect_eq(server->reservation_count, 800);
    hf_close(client);
    fake_destroy(server);
}

/* ---- lost connections ---- */

Test(wire, connection_lost_while_under_way_is_repeated_and_applied_once)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_DO_AND_CLOSE, 3);
    hf_reply reply = reserve(client, 9, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect(reply.is_repeat);
    cr_expect_eq(server->reservation_count, 1);
    cr_expect_eq(server->hello_count, 4);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, connection_lost_without_resend_is_unknown)
{
    struct fake_server *server = start_server(1);
    hf_options options = default_options(server);
    options.resend = false;
    hf_client *client = open_with(&options);
    fake_set_mode(server, FAKE_DO_AND_CLOSE, 1);
    hf_reply reply = reserve(client, 9, 0);
    cr_expect_eq(reply.outcome, HF_UNKNOWN);
    cr_expect_eq(reply.error, HF_ERROR_CONNECTION_LOST);
    reply = reserve(client, 9, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect(reply.is_repeat);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, item_update_is_never_sent_again)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_DO_AND_CLOSE, 1);
    hf_item_update_request request = {.settings.item_id = 1, .fields = HF_UPDATE_STOCK};
    hf_item_reply reply;
    cr_expect_eq(hf_item_update(client, &request, &reply), HF_UNKNOWN);
    cr_expect_eq(reply.error, HF_ERROR_CONNECTION_LOST);
    fake_set_mode(server, FAKE_DO_AND_CLOSE, 1);
    hf_item_create_request create = {.settings.item_id = 1};
    cr_expect_eq(hf_item_create(client, &create, &reply), HF_APPLIED);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, repeat_that_is_turned_away_leaves_the_outcome_unknown)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    server->refuse_result = HF_RESULT_OVERLOADED;
    fake_set_mode(server, FAKE_REFUSE, 1);
    hf_reply reply = reserve(client, 9, 0);
    cr_expect_eq(reply.outcome, HF_REFUSED, "the first time nothing was done");
    fake_set_mode(server, FAKE_SILENT, 1);
    struct tally tally = {0};
    hf_reserve_request request = reserve_request(10);
    cr_assert_eq(hf_reserve_async(client, &request, count_reply, &tally), HF_ERROR_NONE);
    fake_wait_for_rows(server, 2);
    fake_stop(server);
    fake_set_mode(server, FAKE_REFUSE, 1);
    fake_start(server);
    cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(tally.by_outcome[HF_UNKNOWN], 1);
    cr_expect_eq(tally.by_error[HF_ERROR_TURNED_AWAY], 1);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, refusal_of_a_repeat_settles_it_only_if_the_server_closed_the_connection)
{
    static const enum fake_mode modes[] = {FAKE_DO_AND_CLOSE, FAKE_BAD_CHECKSUM};
    for (int i = 0; i < 2; i++) {
        struct fake_server *server = start_server(1);
        hf_client *client = open_client(server);
        server->refuse_result = HF_RESULT_SOLD_OUT;
        server->next_mode = FAKE_REFUSE;
        fake_set_mode(server, modes[i], 1);
        hf_reply reply = reserve(client, 9, 0);
        cr_expect_eq(reply.result, HF_RESULT_SOLD_OUT);
        cr_expect_eq(reply.outcome, i == 0 ? HF_REFUSED : HF_UNKNOWN);
        cr_expect_eq(reply.error, i == 0 ? HF_ERROR_NONE : HF_ERROR_TURNED_AWAY);
        hf_close(client);
        fake_destroy(server);
    }
}

Test(wire, what_was_sent_is_not_repeated_to_another_server)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_SILENT, 1);
    struct tally tally = {0};
    start_many(client, 1, &tally);
    fake_wait_for_rows(server, 1);
    fake_stop(server);
    memset(server->server_id, 0xbb, sizeof server->server_id);
    fake_start(server);
    cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(tally.by_outcome[HF_UNKNOWN], 1);
    cr_expect_eq(server->reservation_count, 0);
    cr_expect_eq(reserve(client, 2, 0).outcome, HF_APPLIED, "new requests go to the new one");
    hf_close(client);
    fake_destroy(server);
}

Test(wire, wrong_answers_cost_the_connection_and_the_rows_are_repeated)
{
    static const enum fake_mode modes[] = {FAKE_BAD_CHECKSUM, FAKE_BAD_TYPE, FAKE_BAD_REQUEST_ID,
                                           FAKE_BAD_BODY, FAKE_BAD_RESULT};
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    for (uint64_t i = 0; i < 5; i++) {
        fake_set_mode(server, modes[i], 1);
        hf_reply reply = reserve(client, 100 + i, 0);
        cr_expect_eq(reply.outcome, HF_APPLIED, "mode %d", (int)modes[i]);
        cr_expect_eq(server->hello_count, i + 2, "mode %d", (int)modes[i]);
    }
    hf_close(client);
    fake_destroy(server);
}

Test(wire, wrong_batch_answers_cost_the_connection_and_the_rows_are_repeated)
{
    static const enum fake_mode modes[] = {FAKE_BAD_ROW_COUNT, FAKE_BAD_COLUMNS};
    for (int i = 0; i < 2; i++) {
        struct fake_server *server = start_server(1);
        fake_stop(server);
        hf_client *client = open_client(server);
        struct tally tally = {0};
        start_many(client, 50, &tally);
        fake_set_mode(server, modes[i], 1);
        fake_start(server);
        cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
        cr_expect_eq(tally.by_outcome[HF_APPLIED], 50);
        cr_expect_eq(tally.repeats, 50);
        cr_expect_eq(server->hello_count, 2);
        hf_close(client);
        fake_destroy(server);
    }
}

Test(wire, frame_that_the_server_could_not_read_is_not_sent)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_REJECT, 1);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_NOT_SENT);
    cr_expect_eq(reply.error, HF_ERROR_REJECTED);
    char trouble[100];
    hf_trouble(client, trouble, sizeof trouble);
    cr_expect(strstr(trouble, "told by the fake"), "%s", trouble);
    cr_expect_eq(server->hello_count, 1);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, go_away_lets_answers_come_and_moves_to_a_new_connection)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_GO_AWAY, 1);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect_not(reply.is_repeat);
    reply = reserve(client, 2, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect_eq(server->hello_count, 2);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, number_of_cores_may_change_while_the_client_lives)
{
    static const uint32_t core_counts[] = {4, 1, 3, 8, 2};
    struct fake_server *server = start_server(4);
    hf_client *client = open_client(server);
    for (int i = 0; i < 5; i++) {
        fake_stop(server);
        server->core_count = core_counts[i];
        server->reservation_count = 0;
        struct tally tally = {0};
        start_many(client, 200, &tally); /* queued by the old number of cores */
        fake_start(server);
        cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
        cr_expect_eq(tally.by_outcome[HF_APPLIED], 200);
        server->misrouted_count = 0; /* those sent before all greetings were answered */
        struct tally again = {0};
        start_many(client, 200, &again);
        cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
        cr_expect_eq(again.by_outcome[HF_APPLIED], 200);
        cr_expect_eq(server->misrouted_count, 0);
        hf_server_info info;
        cr_expect_eq(hf_get_server_info(client, 0, &info), HF_APPLIED);
        cr_expect_eq(info.core_count, core_counts[i]);
    }
    hf_close(client);
    fake_destroy(server);
}

/* ---- no connection ---- */

Test(wire, without_a_server_a_call_is_not_sent_at_its_deadline)
{
    struct fake_server *server = start_server(1);
    fake_stop(server);
    hf_client *client = open_client(server);
    uint64_t began_ms = now_ms();
    hf_reply reply = reserve(client, 1, SHORT_MS);
    uint64_t took_ms = now_ms() - began_ms;
    cr_expect_eq(reply.outcome, HF_NOT_SENT);
    cr_expect_eq(reply.error, HF_ERROR_CONNECT);
    cr_expect(took_ms >= SHORT_MS && took_ms < SHORT_MS + 2000, "%d ms", (int)took_ms);
    char trouble[100];
    hf_trouble(client, trouble, sizeof trouble);
    cr_expect(strstr(trouble, "refused"), "%s", trouble);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, without_a_server_fail_fast_does_not_wait)
{
    struct fake_server *server = start_server(1);
    fake_stop(server);
    hf_options options = default_options(server);
    options.fail_fast = true;
    hf_client *client = open_with(&options);
    uint64_t began_ms = now_ms();
    for (uint64_t i = 0; i < 20; i++)
        cr_expect_eq(reserve(client, i, 0).error, HF_ERROR_CONNECT);
    cr_expect(now_ms() - began_ms < LONG_MS / 2);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, call_waits_for_a_server_that_comes_back)
{
    struct fake_server *server = start_server(2);
    fake_stop(server);
    hf_client *client = open_client(server);
    struct tally tally = {0};
    start_many(client, 10, &tally);
    pause_ms(100);
    fake_start(server);
    cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(tally.by_outcome[HF_APPLIED], 10);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, another_server_than_asked_for_is_told_at_once)
{
    struct fake_server *server = start_server(1);
    uint8_t wanted[16] = {1, 2, 3};
    hf_options options = default_options(server);
    options.server_id = wanted;
    hf_client *client = open_with(&options);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_NOT_SENT);
    cr_expect_eq(reply.error, HF_ERROR_WRONG_SERVER);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, another_protocol_version_is_told_at_once)
{
    struct fake_server *server = fake_create(1);
    server->hello_error = HOLDFAST__V1__ERROR_CODE__ERROR_CODE_BAD_VERSION;
    fake_start(server);
    hf_client *client = open_client(server);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_NOT_SENT);
    cr_expect_eq(reply.error, HF_ERROR_VERSION);
    hf_close(client);
    fake_destroy(server);
}

/* ---- deadlines and bounds ---- */

Test(wire, answer_that_does_not_come_is_unknown_at_the_deadline)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    cr_assert_eq(reserve(client, 1, 0).outcome, HF_APPLIED);
    fake_set_mode(server, FAKE_SILENT, 1);
    uint64_t began_ms = now_ms();
    hf_reply reply = reserve(client, 2, SHORT_MS);
    uint64_t took_ms = now_ms() - began_ms;
    cr_expect_eq(reply.outcome, HF_UNKNOWN);
    cr_expect_eq(reply.error, HF_ERROR_DEADLINE);
    cr_expect(took_ms >= SHORT_MS && took_ms < SHORT_MS + 2000, "%d ms", (int)took_ms);
    cr_expect_eq(reserve(client, 2, 0).outcome, HF_APPLIED, "the same connection goes on");
    cr_expect_eq(server->hello_count, 1);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, full_client_refuses_asynchronous_calls_and_lets_synchronous_ones_wait)
{
    struct fake_server *server = start_server(1);
    hf_options options = default_options(server);
    options.in_flight_max = 4;
    options.deadline_ms = 1000;
    hf_client *client = open_with(&options);
    fake_set_mode(server, FAKE_SILENT, UINT32_MAX);
    struct tally tally = {0};
    start_many(client, 4, &tally);
    hf_reserve_request request = reserve_request(5);
    cr_expect_eq(hf_reserve_async(client, &request, count_reply, &tally), HF_ERROR_FULL);
    hf_reply reply = reserve(client, 6, SHORT_MS);
    cr_expect_eq(reply.outcome, HF_NOT_SENT);
    cr_expect_eq(reply.error, HF_ERROR_FULL);
    fake_set_mode(server, FAKE_ANSWER, 0);
    reply = reserve(client, 7, LONG_MS);
    cr_expect_eq(reply.outcome, HF_APPLIED, "room came when the others gave up");
    cr_expect_eq(tally.by_outcome[HF_UNKNOWN], 4);
    hf_close(client);
    fake_destroy(server);
}

/* One frame for each call, all that there may be. Who waits for a place can't wait for these. */
Test(wire, client_goes_on_when_all_its_frames_stay_unanswered)
{
    struct fake_server *server = start_server(2);
    hf_options options = default_options(server);
    options.in_flight_max = 2;
    hf_client *client = open_with(&options);
    fake_set_mode(server, FAKE_SILENT, UINT32_MAX);
    struct tally tally = {0};
    for (uint32_t i = 0; i < 2; i++) {
        hf_reserve_request request = reserve_request(i + 1);
        request.deadline_ms = SHORT_MS;
        cr_assert_eq(hf_reserve_async(client, &request, count_reply, &tally), HF_ERROR_NONE);
        fake_wait_for_rows(server, i + 1);
    }
    cr_expect_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(tally.by_outcome[HF_UNKNOWN], 2);
    fake_set_mode(server, FAKE_ANSWER, 0);
    for (uint64_t number = 3; number < 20; number++) /* of both cores */
        cr_expect_eq(reserve(client, number, 0).outcome, HF_APPLIED);
    hf_close(client);
    fake_destroy(server);
}

Test(wire, drain_tells_when_it_ran_out_of_time)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_SILENT, 1);
    struct tally tally = {0};
    start_many(client, 1, &tally);
    cr_expect_eq(hf_drain(client, 50), HF_ERROR_DEADLINE);
    hf_close(client);
    cr_expect_eq(tally.count, 1);
    fake_destroy(server);
}

/* ---- closing and callbacks ---- */

Test(wire, close_answers_everything_that_is_under_way)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    cr_assert_eq(reserve(client, 999, 0).outcome, HF_APPLIED);
    fake_set_mode(server, FAKE_SILENT, UINT32_MAX);
    struct tally tally = {0};
    start_many(client, 100, &tally);
    fake_wait_for_rows(server, 101);
    hf_close(client);
    cr_expect_eq(tally.count, 100);
    cr_expect_eq(tally.by_outcome[HF_UNKNOWN], 100);
    cr_expect_eq(tally.by_error[HF_ERROR_CLOSED], 100);
    fake_destroy(server);
}

Test(wire, close_without_a_connection_answers_not_sent)
{
    struct fake_server *server = start_server(1);
    fake_stop(server);
    hf_client *client = open_client(server);
    struct tally tally = {0};
    start_many(client, 100, &tally);
    hf_close(client);
    cr_expect_eq(tally.by_outcome[HF_NOT_SENT], 100);
    cr_expect_eq(tally.by_error[HF_ERROR_CLOSED], 100);
    fake_destroy(server);
}

static void *reserve_one(void *client)
{
    return (void *)(uintptr_t)(reserve(client, 1, 0).error + 1);
}

Test(wire, close_wakes_threads_that_wait_for_an_answer_or_for_room)
{
    struct fake_server *server = start_server(1);
    hf_options options = default_options(server);
    options.in_flight_max = 1;
    hf_client *client = open_with(&options);
    fake_set_mode(server, FAKE_SILENT, UINT32_MAX);
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, reserve_one, client);
    pause_ms(100);
    hf_close(client);
    for (int i = 0; i < 4; i++) {
        void *error;
        pthread_join(threads[i], &error);
        cr_expect_eq((uintptr_t)error, HF_ERROR_CLOSED + 1);
    }
    fake_destroy(server);
}

struct chain {
    hf_client *client;
    atomic_uint left;
    atomic_uint not_refused;
};

static void go_on(const hf_reply *reply, void *context)
{
    struct chain *chain = context;
    hf_reserve_request request = reserve_request(chain->left);
    hf_reply inner;
    hf_reserve(chain->client, &request, &inner);
    chain->not_refused += inner.error != HF_ERROR_IN_CALLBACK;
    chain->not_refused += hf_drain(chain->client, 1) != HF_ERROR_IN_CALLBACK;
    chain->not_refused += hf_close(chain->client) != HF_ERROR_IN_CALLBACK;
    if (reply->outcome == HF_APPLIED && --chain->left > 0 &&
        hf_reserve_async(chain->client, &request, go_on, chain) != HF_ERROR_NONE)
        chain->not_refused++;
}

Test(wire, callback_may_start_calls_but_not_wait)
{
    struct fake_server *server = start_server(1);
    hf_options options = default_options(server);
    options.in_flight_max = 1; /* in a callback there is room for one more, always */
    struct chain chain = {.client = open_with(&options), .left = 100};
    hf_reserve_request request = reserve_request(0);
    cr_assert_eq(hf_reserve_async(chain.client, &request, go_on, &chain), HF_ERROR_NONE);
    cr_assert_eq(hf_drain(chain.client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(chain.left, 0);
    cr_expect_eq(chain.not_refused, 0);
    hf_close(chain.client);
    fake_destroy(server);
}

/* ---- opening ---- */

Test(wire, open_refuses_options_out_of_range)
{
    hf_client *client;
    hf_options options;
    hf_options_init(&options);
    options.server = "127.0.0.1:0";
    cr_expect_eq(hf_open(&options, &client), HF_ERROR_ARGUMENT);
    hf_options_init(&options);
    options.in_flight_max = 0;
    cr_expect_eq(hf_open(&options, &client), HF_ERROR_ARGUMENT);
    hf_options_init(&options);
    options.deadline_ms = 0;
    cr_expect_eq(hf_open(&options, &client), HF_ERROR_ARGUMENT);
    hf_options_init(&options);
    options.struct_bytes = 0;
    cr_expect_eq(hf_open(&options, &client), HF_ERROR_ARGUMENT);
    cr_expect_null(client);
}

Test(wire, options_of_an_older_program_get_defaults_for_what_it_does_not_know)
{
    struct fake_server *server = start_server(1);
    hf_options options;
    hf_options_init_sized(&options, offsetof(hf_options, deadline_ms));
    options.server = server->address;
    hf_client *client = open_with(&options);
    cr_expect_eq(reserve(client, 1, 0).outcome, HF_APPLIED);
    hf_close(client);
    fake_destroy(server);
}
