#include "wire.h"

/* A server that is not ready yet, or has no room on its disk. */

/* The next `frames` frames are refused with `result`, and the server says that it will be ready so
 * long after the greeting. */
static void refuse_frames(struct fake_server *server, hf_result result, uint32_t frames,
                          uint64_t ready_ms)
{
    pthread_mutex_lock(&server->mutex);
    server->refuse_result = (int)result;
    server->ready_ms = ready_ms;
    server->mode = FAKE_REFUSE;
    server->mode_frames = frames;
    pthread_mutex_unlock(&server->mutex);
}

static struct fake_server *start_loading(uint32_t core_count, uint32_t frames, uint64_t ready_ms)
{
    struct fake_server *server = start_server(core_count);
    refuse_frames(server, HF_RESULT_LOADING, frames, ready_ms);
    return server;
}

Test(loading, call_waits_until_the_server_is_ready)
{
    struct fake_server *server = start_loading(1, 3, 0);
    hf_client *client = open_client(server);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect_not(reply.is_repeat);
    cr_expect_eq(server->frame_count, 4);
    cr_expect_eq(server->hello_count, 1, "on the same connection");
    hf_close(client);
    fake_destroy(server);
}

Test(loading, call_is_sent_again_when_the_server_said_that_it_would_be_ready)
{
    struct fake_server *server = start_loading(1, 1, 400);
    hf_client *client = open_client(server);
    uint64_t began_ms = now_ms();
    cr_expect_eq(reserve(client, 1, 0).outcome, HF_APPLIED);
    cr_expect_geq(now_ms() - began_ms, 390);
    cr_expect_eq(server->frame_count, 2);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, server_that_is_ready_before_its_time_is_asked_within_seconds)
{
    struct fake_server *server = start_loading(1, 1, 3600 * 1000);
    hf_client *client = open_client(server);
    cr_expect_eq(reserve(client, 1, LONG_MS).outcome, HF_APPLIED);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, deadline_that_passes_meanwhile_is_told_as_loading)
{
    struct fake_server *server = start_loading(1, UINT32_MAX, 3600 * 1000);
    hf_client *client = open_client(server);
    hf_reply reply = reserve(client, 1, SHORT_MS);
    cr_expect_eq(reply.outcome, HF_REFUSED);
    cr_expect_eq(reply.result, HF_RESULT_LOADING);
    cr_expect_eq(reply.error, HF_ERROR_NONE);
    cr_expect_eq(server->reservation_count, 0);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, calls_started_meanwhile_are_held_back_and_questions_are_not)
{
    struct fake_server *server = start_loading(1, 1, 3600 * 1000);
    hf_client *client = open_client(server);
    struct tally tally = {0};
    start_many(client, 1, &tally);
    fake_wait_for_rows(server, 1);
    hf_ping_reply ping;
    cr_assert_eq(hf_ping(client, 0, 0, &ping), HF_APPLIED, "behind the answer to the row");
    start_many(client, 100, &tally);
    cr_assert_eq(hf_ping(client, 0, 0, &ping), HF_APPLIED);
    cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(tally.by_outcome[HF_APPLIED], 101);
    cr_expect_eq(server->frame_count, 4, "two of rows, two pings");
    cr_expect_eq(server->row_count_max, 101);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, impatient_client_is_told_at_once)
{
    struct fake_server *server = start_loading(1, 2, 3600 * 1000);
    hf_options options = default_options(server);
    options.fail_fast = true;
    hf_client *client = open_with(&options);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_REFUSED);
    cr_expect_eq(reply.result, HF_RESULT_LOADING);
    cr_expect_eq(reply.expires_ms, 3600 * 1000, "ready then");
    cr_expect_eq(reserve(client, 1, 0).result, HF_RESULT_LOADING);
    cr_expect_eq(reserve(client, 1, 0).outcome, HF_APPLIED);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, items_wait_as_well_and_are_changed_once)
{
    struct fake_server *server = start_loading(1, 1, 0);
    hf_client *client = open_client(server);
    hf_item_reply reply;
    hf_item_create_request create = {.settings.item_id = 1};
    cr_expect_eq(hf_item_create(client, &create, &reply), HF_APPLIED);
    refuse_frames(server, HF_RESULT_LOADING, 1, 0);
    hf_item_update_request update = {.settings.item_id = 1, .fields = HF_UPDATE_STOCK};
    cr_expect_eq(hf_item_update(client, &update, &reply), HF_APPLIED);
    refuse_frames(server, HF_RESULT_LOADING, 1, 0);
    hf_item item;
    hf_item_cursor cursor = {0};
    hf_item_page page;
    cr_expect_eq(hf_item_list(client, &cursor, 0, &item, 1, &page), HF_APPLIED);
    cr_expect_eq(server->frame_count, 6);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, stat_tells_at_once_how_far_all_cores_have_come)
{
    struct fake_server *server = start_loading(3, 3, 7000);
    hf_client *client = open_client(server);
    hf_stat stat;
    cr_expect_eq(hf_get_stat(client, HF_ALL_CORES, false, 0, &stat), HF_REFUSED);
    cr_expect_eq(stat.result, HF_RESULT_LOADING);
    cr_expect_eq(stat.core_count, 3);
    cr_expect_eq(stat.load_bytes, 3000);
    cr_expect_eq(stat.load_bytes_done, 303);
    cr_expect_eq(stat.load_ready_ms, 7002, "the last one");
    cr_expect_eq(server->frame_count, 3);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, server_is_loading_as_long_as_one_core_is)
{
    struct fake_server *server = start_loading(2, 1, 7000);
    hf_client *client = open_client(server);
    hf_stat stat;
    cr_expect_eq(hf_get_stat(client, HF_ALL_CORES, false, 0, &stat), HF_REFUSED);
    cr_expect_eq(stat.load_bytes, 1000);
    cr_expect_eq(stat.load_ready_ms, 7000);
    cr_expect_eq(hf_get_stat(client, HF_ALL_CORES, false, 0, &stat), HF_APPLIED);
    cr_expect_eq(stat.load_bytes, 0);
    cr_expect_eq(stat.snapshots, 4);
    cr_expect_eq(stat.snapshot_lsn, FAKE_SNAPSHOT_LSN + 1, "the largest");
    cr_expect_eq(stat.snapshot_taken_ms, 5000, "the earliest");
    cr_expect_eq(stat.log_bytes_behind, 8192);
    cr_expect(stat.lacks_space, "core 1 does");
    hf_close(client);
    fake_destroy(server);
}

Test(loading, restart_under_a_call_is_noticed_by_its_time_only)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    server->refuse_result = HF_RESULT_LOADING;
    server->next_mode = FAKE_REFUSE;
    fake_set_mode(server, FAKE_DO_AND_CLOSE, 1);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_APPLIED);
    cr_expect(reply.is_repeat);
    cr_expect_eq(server->reservation_count, 1);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, repeat_to_a_server_that_is_not_ready_in_time_is_unknown)
{
    struct fake_server *server = start_server(1);
    hf_client *client = open_client(server);
    fake_set_mode(server, FAKE_SILENT, 1);
    struct tally tally = {0};
    hf_reserve_request request = reserve_request(1);
    request.deadline_ms = 1000;
    cr_assert_eq(hf_reserve_async(client, &request, count_reply, &tally), HF_ERROR_NONE);
    fake_wait_for_rows(server, 1);
    fake_stop(server);
    refuse_frames(server, HF_RESULT_LOADING, UINT32_MAX, 3600 * 1000);
    fake_start(server);
    cr_assert_eq(hf_drain(client, LONG_MS), HF_ERROR_NONE);
    cr_expect_eq(tally.by_outcome[HF_UNKNOWN], 1);
    cr_expect_eq(tally.by_error[HF_ERROR_TURNED_AWAY], 1);
    hf_close(client);
    fake_destroy(server);
}

Test(loading, close_answers_what_waits_as_not_sent)
{
    struct fake_server *server = start_loading(1, UINT32_MAX, 3600 * 1000);
    hf_client *client = open_client(server);
    struct tally tally = {0};
    start_many(client, 10, &tally);
    fake_wait_for_rows(server, 10);
    hf_ping_reply ping;
    cr_assert_eq(hf_ping(client, 0, 0, &ping), HF_APPLIED);
    hf_close(client);
    cr_expect_eq(tally.by_outcome[HF_NOT_SENT], 10);
    cr_expect_eq(tally.by_error[HF_ERROR_CLOSED], 10);
    fake_destroy(server);
}

Test(read_only, full_disk_is_told_at_once)
{
    struct fake_server *server = start_server(1);
    refuse_frames(server, HF_RESULT_READ_ONLY, 1, 0);
    hf_client *client = open_client(server);
    hf_reply reply = reserve(client, 1, 0);
    cr_expect_eq(reply.outcome, HF_REFUSED);
    cr_expect_eq(reply.result, HF_RESULT_READ_ONLY);
    cr_expect_eq(server->frame_count, 1);
    hf_close(client);
    fake_destroy(server);
}
