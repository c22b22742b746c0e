/* Logs that no server writes, with right checksums: refused at the start, not found out later. */
#include "core_play.h"
#include "core_steps.h"
#include "read_whole_log.h"

#include <stdlib.h>

static struct test_directory scratch;
static struct data_directory directory;
static struct io *io;

static void set_up(void)
{
    char message[256];
    char path[2048];
    test_directory_make(&scratch);
    snprintf(path, sizeof path, "%s/data", scratch.path);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &io, message), IO_OK);
    io_start(io);
    cr_assert_eq(data_directory_open(&directory, io, path, 1), DATA_DIRECTORY_OK);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
}

static void tear_down(void)
{
    data_directory_close(&directory);
    io_destroy(&io);
    test_directory_remove(&scratch);
}

TestSuite(load, .init = set_up, .fini = tear_down, .timeout = 60);

/* A log with one item, whose record and group say these times. */
static void write_log(uint64_t record_time_ms, uint64_t group_time_ms)
{
    char message[DATA_DIRECTORY_MESSAGE_BYTES];
    struct log_end end;
    bool was_torn;
    cr_assert_eq(read_whole_log(&directory, io, 0, 0, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_OK);
    const struct wal_options options = {.segment_bytes = LOG_SEGMENT_BYTES_MIN,
                                        .group_bytes_max = LOG_GROUP_BYTES_MAX};
    struct wal *wal = wal_open(io, &directory, &options, &end, message);
    cr_assert_not_null(wal, "%s", message);
    const struct stock_record record = {
        .type = STOCK_RECORD_ITEM_CREATED,
        .time_ms = record_time_ms,
        .item = {.item_id = 7, .stock = 1, .hold_ms = 1000},
    };
    wal_append(wal, stock_record_encode(&record, wal_next(wal)));
    wal_stop(wal); /* its time stands still, so the next segment would wait for it */
    do {
        wal_write(wal, group_time_ms);
        io_turn(io, io_clock(io).monotonic_ns + 1000000);
    } while (!wal_is_idle(wal));
    wal_close(&wal);
}

static enum server_status load(char *message)
{
    enum server_status status;
    const struct server_options options = play_options(1);
    struct server *server = server_create(&options, &directory, &status, message);
    cr_assert_not_null(server);
    status = steps_load(server, 1, message);
    server_destroy(&server);
    return status;
}

Test(load, a_log_with_an_item_is_read)
{
    char message[SERVER_MESSAGE_BYTES] = "";
    write_log(1000, 2000);
    cr_expect_eq(load(message), SERVER_OK, "%s", message);
}

Test(load, a_group_from_behind_the_end_of_time_is_damage)
{
    char message[SERVER_MESSAGE_BYTES] = "";
    write_log(1000, STOCK_TIME_MS_MAX + 1);
    cr_expect_eq(load(message), SERVER_DAMAGED);
    cr_expect_not_null(strstr(message, "time"), "%s", message);
}

Test(load, a_record_from_behind_the_end_of_time_is_damage)
{
    char message[SERVER_MESSAGE_BYTES] = "";
    write_log(STOCK_TIME_MS_MAX + 1, 1000);
    cr_expect_eq(load(message), SERVER_DAMAGED);
    cr_expect_not_null(strstr(message, "time"), "%s", message);
}
