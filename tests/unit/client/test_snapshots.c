#include "wire.h"

/* Asking for snapshots and reading them. */

Test(snapshot, all_cores_are_asked_at_the_same_time)
{
    struct fake_server *server = start_server(4);
    server->gathered_max = 4; /* answered when all have been asked */
    hf_client *client = open_client(server);
    hf_snapshot_reply reply;
    cr_expect_eq(hf_snapshot(client, HF_ALL_CORES, LONG_MS, &reply), HF_APPLIED);
    cr_expect_eq(reply.result, HF_RESULT_OK);
    cr_assert_eq(reply.core_count, 4);
    for (uint32_t core = 0; core < 4; core++) {
        const hf_core_snapshot *snapshot = &reply.cores[core];
        cr_expect_eq(snapshot->outcome, HF_APPLIED);
        cr_expect_eq(snapshot->core, core);
        cr_expect_eq(snapshot->lsn, FAKE_SNAPSHOT_LSN + core);
        cr_expect_eq(snapshot->bytes, FAKE_SNAPSHOT_BYTES);
        cr_expect(snapshot->items == 3 && snapshot->reservations == 40 && snapshot->buyers == 500);
        cr_expect_eq(snapshot->state_hash, 1ull << 63);
        cr_expect(snapshot->took_ms < LONG_MS);
    }
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, one_core_is_asked_alone)
{
    struct fake_server *server = start_server(4);
    hf_client *client = open_client(server);
    hf_snapshot_reply reply;
    cr_expect_eq(hf_snapshot(client, 2, 0, &reply), HF_APPLIED);
    cr_expect_eq(reply.core_count, 1);
    cr_expect_eq(reply.cores[0].core, 2);
    cr_expect_eq(reply.cores[0].lsn, FAKE_SNAPSHOT_LSN + 2);
    cr_expect_eq(server->frame_count, 1);
    cr_expect_eq(hf_snapshot(client, 4, 0, &reply), HF_NOT_SENT, "there is no such core");
    cr_expect_eq(reply.error, HF_ERROR_NO_SUCH_CORE);
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, small_client_asks_core_after_core)
{
    struct fake_server *server = start_server(4);
    hf_options options = default_options(server);
    options.in_flight_max = 1;
    hf_client *client = open_with(&options);
    hf_snapshot_reply reply;
    cr_expect_eq(hf_snapshot(client, HF_ALL_CORES, 0, &reply), HF_APPLIED);
    cr_expect_eq(reply.core_count, 4);
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, worst_core_decides_and_the_others_are_told)
{
    struct fake_server *server = start_server(3);
    server->refuse_result = HF_RESULT_READ_ONLY;
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_REFUSE, 1);
    hf_snapshot_reply reply;
    cr_expect_eq(hf_snapshot(client, HF_ALL_CORES, 0, &reply), HF_REFUSED);
    cr_expect_eq(reply.result, HF_RESULT_READ_ONLY);
    cr_assert_eq(reply.core_count, 3);
    uint32_t applied = 0;
    for (uint32_t core = 0; core < 3; core++)
        applied += reply.cores[core].outcome == HF_APPLIED;
    cr_expect_eq(applied, 2);
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, loading_server_is_waited_for)
{
    struct fake_server *server = start_server(2);
    server->refuse_result = HF_RESULT_LOADING;
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_REFUSE, 3);
    hf_snapshot_reply reply;
    cr_expect_eq(hf_snapshot(client, HF_ALL_CORES, LONG_MS, &reply), HF_APPLIED);
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, one_that_is_not_there_in_time_is_unknown)
{
    struct fake_server *server = start_server(2);
    server->gathered_max = 3; /* more than are ever asked */
    hf_client *client = open_client(server);
    hf_snapshot_reply reply;
    cr_expect_eq(hf_snapshot(client, HF_ALL_CORES, SHORT_MS, &reply), HF_UNKNOWN);
    cr_expect_eq(reply.error, HF_ERROR_DEADLINE);
    cr_expect_eq(reply.core_count, 2);
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, without_a_server_nothing_is_known)
{
    struct fake_server *server = start_server(2);
    fake_stop(server);
    hf_client *client = open_client(server);
    hf_snapshot_reply reply;
    cr_expect_eq(hf_snapshot(client, HF_ALL_CORES, SHORT_MS, &reply), HF_NOT_SENT);
    cr_expect_eq(reply.error, HF_ERROR_CONNECT);
    cr_expect_eq(reply.core_count, 0);
    hf_close(client);
    fake_destroy(server);
}

struct attempt {
    hf_client *client;
    hf_error errors[3];
};

static void ask_in_callback(const hf_reply *reply, void *context)
{
    struct attempt *attempt = context;
    hf_snapshot_reply snapshot;
    uint8_t data[HF_SNAPSHOT_PIECE_BYTES];
    hf_snapshot_piece piece;
    (void)reply;
    hf_snapshot(attempt->client, HF_ALL_CORES, 0, &snapshot);
    attempt->errors[0] = snapshot.error;
    hf_snapshot(attempt->client, 0, 0, &snapshot);
    attempt->errors[1] = snapshot.error;
    hf_snapshot_read(attempt->client, 0, 1, 0, 0, data, &piece);
    attempt->errors[2] = piece.error;
}

Test(snapshot, callback_may_not_ask)
{
    struct fake_server *server = start_server(1);
    struct attempt attempt = {.client = open_client(server)};
    hf_reserve_request request = reserve_request(1);
    cr_assert_eq(hf_reserve_async(attempt.client, &request, ask_in_callback, &attempt),
                 HF_ERROR_NONE);
    cr_assert_eq(hf_drain(attempt.client, LONG_MS), HF_ERROR_NONE);
    for (int i = 0; i < 3; i++)
        cr_expect_eq(attempt.errors[i], HF_ERROR_IN_CALLBACK);
    hf_close(attempt.client);
    fake_destroy(server);
}

Test(snapshot, file_is_read_piece_by_piece_to_its_end)
{
    struct fake_server *server = start_server(2);
    hf_client *client = open_client(server);
    static uint8_t data[HF_SNAPSHOT_PIECE_BYTES];
    uint64_t offset = 0;
    hf_snapshot_piece piece;
    do {
        cr_assert_eq(hf_snapshot_read(client, 1, FAKE_SNAPSHOT_LSN + 1, offset, 0, data, &piece),
                     HF_APPLIED);
        cr_expect_eq(piece.file_bytes, FAKE_SNAPSHOT_BYTES);
        for (uint32_t i = 0; i < piece.bytes; i++)
            cr_assert_eq(data[i], fake_snapshot_byte(offset + i));
        offset += piece.bytes;
    } while (piece.bytes > 0);
    cr_expect_eq(offset, FAKE_SNAPSHOT_BYTES);
    cr_expect_eq(server->frame_count, 4, "three pieces, and the end");
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, one_that_is_gone_is_told)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    static uint8_t data[HF_SNAPSHOT_PIECE_BYTES];
    hf_snapshot_piece piece;
    cr_expect_eq(hf_snapshot_read(client, 0, 5, 0, 0, data, &piece), HF_REFUSED);
    cr_expect_eq(piece.result, HF_RESULT_UNKNOWN_SNAPSHOT);
    server->refuse_result = HF_RESULT_UNKNOWN_SNAPSHOT;
    server->next_mode = FAKE_REFUSE;
    fake_set_mode(server, FAKE_DO_AND_CLOSE, 1);
    cr_expect_eq(hf_snapshot_read(client, 0, 5, 0, 0, data, &piece), HF_REFUSED,
                 "nothing is in doubt after a repeat");
    hf_close(client);
    fake_destroy(server);
}

Test(snapshot, piece_that_is_too_long_is_not_taken)
{
    struct fake_server *server = start_server(1);
    server->piece_surplus = 1;
    hf_client *client = open_client(server);
    static uint8_t data[HF_SNAPSHOT_PIECE_BYTES];
    hf_snapshot_piece piece;
    cr_expect_neq(hf_snapshot_read(client, 0, FAKE_SNAPSHOT_LSN, 0, SHORT_MS, data, &piece),
                  HF_APPLIED);
    cr_expect_eq(data[1], 0);
    char trouble[100];
    hf_trouble(client, trouble, sizeof trouble);
    cr_expect(strstr(trouble, "not understood"), "%s", trouble);
    hf_close(client);
    fake_destroy(server);
}
