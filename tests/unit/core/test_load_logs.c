/* The state from logs of every kind: of one era and of past ones, of records that do not belong
 * where they stand, of more than the tables hold. The logs are made in memory and written into a
 * data directory. */
#include "core_play.h"
#include "core_steps.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "log_builder.h"

#include <stdlib.h>
#include <sys/stat.h>

static struct test_directory scratch;
static char path[2048];
static struct data_directory directory;
static struct io *io;
static struct server_options options;
static struct server *server;
static char message[SERVER_MESSAGE_BYTES];

static void open_directory(uint32_t core_count)
{
    cr_assert_eq(data_directory_open(&directory, io, path, core_count), DATA_DIRECTORY_OK, "%s",
                 directory.message);
    options.core_count = core_count;
}

static void set_up(void)
{
    test_directory_make(&scratch);
    snprintf(path, sizeof path, "%s/data", scratch.path);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 8}, &io, message), IO_OK);
    io_start(io);
    options = play_options(1);
}

static void tear_down(void)
{
    if (server != NULL)
        server_destroy(&server);
    data_directory_close(&directory);
    io_destroy(&io);
    test_directory_remove(&scratch);
}

TestSuite(load_logs, .init = set_up, .fini = tear_down, .timeout = 60);

/* ---- logs ---- */

static struct log_builder begin_log(uint32_t core, uint64_t time_ms)
{
    struct log_builder builder;
    log_builder_init(&builder, 16 * LOG_BLOCK_BYTES);
    builder.server_id = directory.manifest.server_id;
    builder.era = directory.manifest.eras[directory.manifest.era_count - 1].number;
    builder.core = core;
    builder.time_ms = time_ms;
    return builder;
}

static void add_record(struct log_builder *builder, const struct stock_record *record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    log_builder_record(builder, bytes, stock_record_encode(record, bytes));
}

static void add_item(struct log_builder *builder, uint64_t item_id)
{
    add_record(builder, &(struct stock_record){
                            .type = STOCK_RECORD_ITEM_CREATED,
                            .time_ms = 1000,
                            .item = {.item_id = item_id, .stock = 10, .hold_ms = 1000},
                        });
}

static void add_hold(struct log_builder *builder, uint64_t item_id, uint64_t sequence)
{
    add_record(builder, &(struct stock_record){
                            .type = STOCK_RECORD_HELD,
                            .time_ms = 1000,
                            .hold = {.item_id = item_id,
                                     .reservation_id = {.low = sequence},
                                     .quantity = 1,
                                     .sequence = sequence,
                                     .expires_ms = 2000},
                        });
}

static void add_update(struct log_builder *builder, uint64_t item_id)
{
    add_record(builder, &(struct stock_record){
                            .type = STOCK_RECORD_ITEM_UPDATED,
                            .time_ms = 1000,
                            .item = {.item_id = item_id, .stock = 20, .hold_ms = 1000},
                        });
}

static void save_log(struct log_builder *builder)
{
    char folder[DATA_DIRECTORY_PATH_BYTES];
    log_builder_close_group(builder);
    data_directory_core_path(&directory, directory.manifest.era_count - 1, builder->core, folder);
    log_builder_save(builder, folder);
    log_builder_deinit(builder);
}

/* Ids of items that belong to this core of two. */
static uint64_t item_of_core(uint32_t core)
{
    uint64_t item_id = 1;
    while (item_hash(item_id) % 2 != core)
        item_id++;
    return item_id;
}

/* ---- loading ---- */

static void create_server(void)
{
    enum server_status status;
    server = server_create(&options, &directory, &status, message);
    cr_assert_not_null(server, "%s", message);
}

/* The first core that fails, or OK. */
static enum server_status load_cores(void)
{
    return steps_load(server, options.core_count, message);
}

static void expect_message(const char *word)
{
    cr_expect_not_null(strstr(message, word), "'%s' is not in: %s", word, message);
}

enum { LOG_PATH_BYTES = DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX };

/* Of the first file of core 0 in the first era. */
static void log_path(char *to)
{
    char folder[DATA_DIRECTORY_PATH_BYTES];
    data_directory_core_path(&directory, 0, 0, folder);
    snprintf(to, LOG_PATH_BYTES, "%s/000000000001.log", folder);
}

/* A directory of one core with an item and two holds in its log. */
static void make_one_core_log(uint64_t time_ms)
{
    open_directory(1);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    struct log_builder builder = begin_log(0, time_ms);
    add_item(&builder, 7);
    add_hold(&builder, 7, 1);
    add_hold(&builder, 7, 2);
    add_update(&builder, 7);
    save_log(&builder);
}

Test(load_logs, one_log_gives_items_and_holds)
{
    make_one_core_log(5000);
    create_server();
    cr_assert_eq(load_cores(), SERVER_OK, "%s", message);
    struct server_totals totals = server_totals(server);
    cr_expect_eq(totals.items, 1);
    cr_expect_eq(totals.reservations, 2);
    cr_expect_eq(totals.records_replayed, 4);
}

Test(load_logs, of_a_past_era_each_core_takes_what_is_its_own_now)
{
    open_directory(2);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    for (uint32_t core = 0; core < 2; core++) {
        struct log_builder builder = begin_log(core, 9000 - core * 1000);
        add_item(&builder, item_of_core(core));
        add_hold(&builder, item_of_core(core), 1);
        save_log(&builder);
    }
    data_directory_close(&directory);
    open_directory(3);
    create_server();
    cr_assert_eq(load_cores(), SERVER_OK, "%s", message);
    struct server_totals totals = server_totals(server);
    cr_expect_eq(totals.items, 2);
    cr_expect_eq(totals.reservations, 2);
    cr_expect_eq(server_core(server, 0)->loaded_time_ms, 9000);
}

Test(load_logs, a_damaged_log_of_a_past_era_is_refused)
{
    make_one_core_log(5000);
    data_directory_close(&directory);
    open_directory(2);
    char log[LOG_PATH_BYTES];
    log_path(log);
    cr_assert_eq(truncate(log, LOG_BLOCK_BYTES + 200), 0);
    create_server();
    cr_expect_eq(load_cores(), SERVER_DAMAGED);
    expect_message("000000000001.log");
}

Test(load_logs, a_record_of_another_cores_item_is_damage)
{
    open_directory(2);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    struct log_builder builder = begin_log(0, 5000);
    add_item(&builder, item_of_core(1));
    save_log(&builder);
    create_server();
    cr_expect_eq(load_cores(), SERVER_DAMAGED);
    expect_message("belongs to another core");
}

Test(load_logs, a_record_that_is_not_true_is_damage)
{
    open_directory(1);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    struct log_builder builder = begin_log(0, 5000);
    add_item(&builder, 7);
    add_hold(&builder, 7, 2);
    save_log(&builder);
    create_server();
    cr_expect_eq(load_cores(), SERVER_DAMAGED);
    expect_message("LSN 2");
    expect_message("sequence");
}

Test(load_logs, more_than_the_tables_hold_asks_for_larger_ones)
{
    make_one_core_log(5000);
    options.reservation_count_max = 1;
    create_server();
    cr_expect_eq(load_cores(), SERVER_TOO_SMALL);
    expect_message("--max-reservations");
}

Test(load_logs, a_torn_tail_is_cut_and_the_rest_is_there)
{
    char log[LOG_PATH_BYTES];
    make_one_core_log(5000);
    log_path(log);
    FILE *file = fopen(log, "r+e");
    cr_assert_not_null(file);
    cr_assert_eq(fseek(file, 5 * LOG_BLOCK_BYTES, SEEK_SET), 0);
    cr_assert_eq(fputc('?', file), '?');
    cr_assert_eq(fclose(file), 0);
    create_server();
    cr_expect_eq(load_cores(), SERVER_OK, "%s", message);
    cr_expect_eq(server_totals(server).reservations, 2);
}

Test(load_logs, a_log_of_another_format_is_refused_by_version)
{
    char log[LOG_PATH_BYTES];
    uint8_t block[LOG_BLOCK_BYTES] = {0};
    make_one_core_log(5000);
    log_path(log);
    FILE *file = fopen(log, "r+e");
    cr_assert_not_null(file);
    cr_assert_eq(fread(block, sizeof block, 1, file), 1);
    bytes_put_u32(block + 16, LOG_FORMAT_VERSION + 1);
    bytes_put_u64(block + 8, checksum64(block + 16, sizeof block - 16, 0));
    rewind(file);
    cr_assert_eq(fwrite(block, sizeof block, 1, file), 1);
    cr_assert_eq(fclose(file), 0);
    create_server();
    cr_expect_eq(load_cores(), SERVER_VERSION);
    expect_message("version");
}

Test(load_logs, a_log_that_may_not_be_read_is_a_matter_of_permission)
{
    const uid_t user = geteuid();
    char log[LOG_PATH_BYTES];
    make_one_core_log(5000);
    log_path(log);
    create_server();
    cr_assert_eq(chmod(log, 0000), 0);
    if (user == 0) /* who may read everything */
        cr_assert_eq(seteuid(65534), 0);
    enum server_status status = load_cores();
    cr_assert_eq(seteuid(user), 0);
    cr_expect_eq(status, SERVER_PERMISSION, "%s", message);
}

Test(load_logs, a_folder_that_is_none_is_an_io_error)
{
    char folder[DATA_DIRECTORY_PATH_BYTES];
    open_directory(1);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    data_directory_core_path(&directory, 0, 0, folder);
    cr_assert_eq(rmdir(folder), 0);
    FILE *file = fopen(folder, "we");
    cr_assert_not_null(file);
    cr_assert_eq(fclose(file), 0);
    create_server();
    cr_expect_eq(load_cores(), SERVER_IO_ERROR);
    expect_message("core-000");
}

/* ---- opening ---- */

Test(load_logs, a_log_whose_folder_goes_before_it_is_opened_is_an_io_error)
{
    char folder[DATA_DIRECTORY_PATH_BYTES];
    open_directory(1);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    create_server();
    cr_assert_eq(load_cores(), SERVER_OK);
    data_directory_core_path(&directory, 0, 0, folder);
    cr_assert_eq(rmdir(folder), 0);
    cr_expect_eq(steps_open(server, 1, message), SERVER_IO_ERROR);
    expect_message("core-000: cannot make or open the log");
}

/* Groups take what two of the largest frames need, so segments can be as small. */
Test(load_logs, small_frames_need_small_segments_only)
{
    open_directory(1);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    options.batch_rows_max = 16;
    options.segment_bytes = 4 * LOG_BLOCK_BYTES;
    create_server();
    cr_assert_eq(load_cores(), SERVER_OK);
    cr_expect_eq(steps_open(server, 1, message), SERVER_OK, "%s", message);
}
