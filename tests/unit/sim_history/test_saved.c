#include "fixture.h"

#include "log/snapshot.h"
#include "stock/save.h"

/* Snapshots, and what they allow to be gone; the archive. */

enum { FILE_BYTES_MAX = 1 << 20 };

static struct {
    uint8_t bytes[FILE_BYTES_MAX];
    struct log_snapshot_encoder encoder;
    struct log_snapshot_header header;
    struct log_snapshot_footer footer;
} made;

/* A snapshot of the state and the log as they are now. A test may change header and footer in
 * between. */
static void begin_snapshot(void)
{
    made.header = (struct log_snapshot_header){
        .server_id = sale.log.server_id,
        .snapshot_uuid = {.high = 1, .low = sale.log.next_lsn},
        .era = 1,
        .position = log_builder_position(&sale.log),
        .state_time_ms = stock_time_ms(sale.stock),
        .taken_ms = sale.now_ms,
    };
}

static void end_snapshot(uint64_t hash_offset)
{
    uint8_t *block = made.bytes + LOG_BLOCK_BYTES;
    struct stock_page page = {.to = block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES,
                              .bytes_max = FILE_BYTES_MAX / 2};
    struct stock_saved saved;
    stock_save_begin(sale.stock, &page);
    cr_assert(stock_save_step(sale.stock, page.bytes_max));
    stock_save_end(sale.stock, &saved);
    made.footer = (struct log_snapshot_footer){.item_count = saved.item_count,
                                               .reservation_count = saved.reservation_count,
                                               .buyer_count = saved.buyer_count,
                                               .state_hash = saved.state_hash + hash_offset};
    log_snapshot_encode_header(&made.encoder, &made.header, made.bytes);
    (void)log_snapshot_encode_entries(&made.encoder, block, page.bytes, page.entry_count);
    log_snapshot_encode_footer(&made.encoder, &made.footer, made.bytes + made.encoder.offset);
}

static void snapshot_path(uint64_t lsn, char to[128])
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(lsn, name);
    snprintf(to, 128, SALE_FOLDER "/%s", name);
}

/* It gets its name. */
static struct sale_file *name_snapshot(bool is_synced)
{
    char path[128];
    snapshot_path(made.header.position.next_lsn - 1, path);
    struct sale_file *file = sale_add_file(path, made.bytes, made.encoder.offset);
    file->is_synced = is_synced;
    sale_see(SIM_DISK_RENAMED, SALE_FOLDER "/snapshot.new", path);
    return file;
}

/* The whole way of a snapshot, as it should be. */
static struct sale_file *take_snapshot(void)
{
    begin_snapshot();
    end_snapshot(0);
    struct sale_file *file = name_snapshot(true);
    sale_sync_folder();
    return file;
}

static void remove_snapshot(struct sale_file *file)
{
    sale_see(SIM_DISK_REMOVED, file->path, NULL);
    sale_drop_file(file);
}

/* Fills so many segments with holds, numbered from `id` on. */
static uint64_t fill_segments(uint32_t count, uint64_t id)
{
    const uint32_t until = sale.log.used_count + count;
    while (sale.log.used_count < until)
        sale_reserve(id++);
    return id;
}

static void open_large_sale(void)
{
    sale_begin();
    sale_create(1000);
}

/* ---- what has a snapshot's name ---- */

Test(saved, snapshot_of_the_state_passes)
{
    sale_open();
    for (uint64_t id = 1; id <= 3; id++)
        sale_reserve(id);
    sale_call(sale_row(STOCK_OP_CONFIRM, 1));
    sale_call(sale_row(STOCK_OP_CANCEL, 2));
    take_snapshot();
    sale_reserve(4);
    sale_crash();
    sale_start();
    sale_end();
    cr_assert_eq(history_counts().snapshots, 1);
}

Test(saved, snapshot_of_another_state_than_that_of_its_lsn_is_found)
{
    sale_open();
    sale_reserve(1);
    begin_snapshot();
    sale_reserve(2);
    end_snapshot(0);
    EXPECT_FINDING("snapshot", "sequence 2: its deadline was set", name_snapshot(true));
}

Test(saved, snapshot_with_a_hash_that_is_not_that_of_its_entries_is_found)
{
    sale_open();
    sale_reserve(1);
    begin_snapshot();
    end_snapshot(1);
    EXPECT_FINDING("snapshot", "footer says something else", name_snapshot(true));
}

Test(saved, snapshot_in_front_of_its_log_is_found)
{
    sale_open();
    sale_run(sale_update(STOCK_UPDATE_STOCK, 11));
    begin_snapshot();
    made.header.position.next_lsn++;
    made.header.position.next_group_number++;
    end_snapshot(0);
    EXPECT_FINDING("snapshot", "not on the medium as far", name_snapshot(true));
}

Test(saved, snapshot_behind_another_group_is_found)
{
    sale_open();
    sale_reserve(1);
    begin_snapshot();
    made.header.position.chain++;
    end_snapshot(0);
    EXPECT_FINDING("snapshot", "group before its place is another", name_snapshot(true));
}

Test(saved, snapshot_named_before_it_is_synced_is_found)
{
    sale_open();
    sale_reserve(1);
    begin_snapshot();
    end_snapshot(0);
    EXPECT_FINDING("snapshot", "before all of it is on the medium", name_snapshot(false));
}

Test(saved, snapshot_that_changes_later_is_found)
{
    sale_open();
    sale_reserve(1);
    struct sale_file *file = take_snapshot();
    sale_crash();
    file->bytes[LOG_BLOCK_BYTES + 100] ^= 1;
    EXPECT_FINDING("snapshot", "not what it was", sale_start());
}

Test(saved, snapshot_lost_over_a_restart_is_found)
{
    sale_open();
    sale_reserve(1);
    struct sale_file *file = take_snapshot();
    sale_crash();
    sale_drop_file(file);
    EXPECT_FINDING("durability", "is lost", sale_start());
}

Test(saved, snapshot_that_was_spoilt_on_purpose_may_be_anything)
{
    sale_open();
    sale_reserve(1);
    struct sale_file *file = take_snapshot();
    sale_crash();
    history_spoil(file->path, true);
    file->bytes[LOG_BLOCK_BYTES + 100] ^= 1;
    sale_start();
    sale_end();
}

/* ---- what may be gone ---- */

Test(saved, segments_before_the_older_of_two_snapshots_may_go)
{
    open_large_sale();
    uint64_t id = fill_segments(2, 1);
    take_snapshot();
    fill_segments(1, id);
    take_snapshot();
    sale_remove_segment();
    sale_remove_segment();
    sale_crash();
    sale_start();
    sale_end();
    cr_assert_eq(history_counts().segments_gone, 2);
}

Test(saved, segment_that_only_the_newest_snapshot_does_without_is_found)
{
    open_large_sale();
    uint64_t id = fill_segments(2, 1);
    take_snapshot();
    fill_segments(1, id);
    take_snapshot();
    sale_remove_segment();
    sale_remove_segment();
    EXPECT_FINDING("durability", "may need the log from segment 3 on", sale_remove_segment());
}

Test(saved, segment_gone_with_one_snapshot_only_is_found)
{
    open_large_sale();
    fill_segments(2, 1);
    take_snapshot();
    EXPECT_FINDING("durability", "may need the log", sale_remove_segment());
}

Test(saved, segment_gone_before_the_second_name_is_on_the_medium_is_found)
{
    open_large_sale();
    uint64_t id = fill_segments(2, 1);
    take_snapshot();
    fill_segments(1, id);
    begin_snapshot();
    end_snapshot(0);
    name_snapshot(true);
    EXPECT_FINDING("durability", "may need the log", sale_remove_segment());
}

Test(saved, older_snapshot_gone_while_it_is_needed_is_found)
{
    open_large_sale();
    uint64_t id = fill_segments(2, 1);
    struct sale_file *older = take_snapshot();
    fill_segments(1, id);
    take_snapshot();
    sale_remove_segment();
    EXPECT_FINDING("snapshot", "1 are left on the medium", remove_snapshot(older));
}

/* A server that could not read it has done without it. */
Test(saved, older_snapshot_may_go_while_all_of_the_log_is_there_which_then_stays)
{
    open_large_sale();
    uint64_t id = fill_segments(2, 1);
    struct sale_file *older = take_snapshot();
    fill_segments(1, id);
    take_snapshot();
    remove_snapshot(older);
    EXPECT_FINDING("durability", "may need the log from segment 0 on", sale_remove_segment());
}

Test(saved, snapshot_behind_two_newer_ones_may_go)
{
    open_large_sale();
    struct sale_file *oldest = take_snapshot();
    uint64_t id = fill_segments(1, 1);
    take_snapshot();
    fill_segments(1, id);
    take_snapshot();
    sale_remove_segment();
    remove_snapshot(oldest);
    sale_end();
}

Test(saved, snapshot_that_is_read_by_a_backup_stays_for_a_minute)
{
    open_large_sale();
    struct sale_file *oldest = take_snapshot();
    uint64_t id = fill_segments(1, 1);
    const struct history_piece_ask ask = history_ask_piece(0, 1);
    const struct history_piece piece = {.lsn = 1,
                                        .file_bytes = oldest->byte_count,
                                        .data = oldest->bytes,
                                        .data_bytes = LOG_BLOCK_BYTES};
    history_hear_of_piece(0, &ask, &piece);
    take_snapshot();
    fill_segments(1, id);
    take_snapshot();
    EXPECT_FINDING("snapshot", "less than a minute ago", remove_snapshot(oldest));
}

/* ---- what clients are told ---- */

static struct history_snapshot told_of(const struct sale_file *file)
{
    return (struct history_snapshot){.bytes = file->byte_count,
                                     .item_count = made.footer.item_count,
                                     .reservation_count = made.footer.reservation_count,
                                     .buyer_count = made.footer.buyer_count,
                                     .state_hash = made.footer.state_hash};
}

Test(saved, truth_told_of_a_snapshot_passes)
{
    sale_open();
    sale_reserve(1);
    const struct history_snapshot_ask ask = history_ask_snapshot(0);
    const struct history_snapshot told = told_of(take_snapshot());
    history_hear_of_snapshot(0, &ask, 2, &told);
    sale_end();
}

Test(saved, snapshot_told_of_before_its_name_is_on_the_medium_is_found)
{
    sale_open();
    sale_reserve(1);
    const struct history_snapshot_ask ask = history_ask_snapshot(0);
    begin_snapshot();
    end_snapshot(0);
    const struct history_snapshot told = told_of(name_snapshot(true));
    EXPECT_FINDING("snapshot", "never been on the medium",
                   history_hear_of_snapshot(0, &ask, 2, &told));
}

Test(saved, snapshot_older_than_the_question_is_found)
{
    sale_open();
    const struct history_snapshot told = told_of(take_snapshot());
    sale_reserve(1);
    const struct history_snapshot_ask ask = history_ask_snapshot(0);
    EXPECT_FINDING("snapshot", "was asked for a snapshot at LSN 2",
                   history_hear_of_snapshot(0, &ask, 1, &told));
}

Test(saved, piece_with_other_bytes_is_found)
{
    static uint8_t other[LOG_BLOCK_BYTES];
    sale_open();
    sale_reserve(1);
    const struct sale_file *file = take_snapshot();
    const struct history_piece_ask ask = history_ask_piece(0, 2);
    const struct history_piece piece = {
        .lsn = 2, .file_bytes = file->byte_count, .data = other, .data_bytes = sizeof other};
    EXPECT_FINDING("snapshot", "is not what is there", history_hear_of_piece(0, &ask, &piece));
}

Test(saved, snapshot_not_taken_with_nothing_in_the_way_is_found)
{
    sale_open();
    const struct history_snapshot_ask ask = history_ask_snapshot(0);
    EXPECT_FINDING("snapshot", "nothing is in its way", history_hear_of_no_snapshot(0, &ask));
}

Test(saved, stop_without_a_snapshot_is_found)
{
    sale_open();
    take_snapshot();
    sale_reserve(1);
    EXPECT_FINDING("snapshot", "the server has stopped", history_check_stopped());
}

Test(saved, snapshot_that_was_due_and_is_not_there_is_found)
{
    const struct history_rest rest = {.log_bytes = 3 * LOG_BLOCK_BYTES};
    sale_open();
    sale_reserve(1);
    history_check_rested(&rest);
    sale_reserve(2);
    EXPECT_FINDING("snapshot", "behind its newest snapshot", history_check_rested(&rest));
}

/* ---- the archive ---- */

static void open_archived_sale(void)
{
    sale_begin_with(
        (struct history_options){.tables = sale_tables(), .is_sync = true, .archive = "/archive"});
    sale_create(1000);
    uint64_t id = fill_segments(2, 1);
    take_snapshot();
    fill_segments(1, id);
    take_snapshot();
}

static struct sale_file *archive_first_segment(void)
{
    struct sale_file *copy = sale_add_file("/archive/era-000001/core-000/000000000001.log",
                                           sale.log.bytes[0], sale.log.segment_bytes);
    copy->is_safe = true;
    return copy;
}

Test(archive, segment_that_is_in_the_archive_may_go)
{
    open_archived_sale();
    archive_first_segment();
    sale_remove_segment();
    sale_end();
}

Test(archive, segment_that_is_not_in_the_archive_is_found)
{
    open_archived_sale();
    EXPECT_FINDING("archive", "there is none", sale_remove_segment());
}

Test(archive, copy_that_is_not_synced_is_found)
{
    open_archived_sale();
    archive_first_segment()->is_synced = false;
    EXPECT_FINDING("archive", "loss of power", sale_remove_segment());
}

Test(archive, copy_with_another_content_is_found)
{
    open_archived_sale();
    archive_first_segment()->bytes[9000] ^= 1;
    EXPECT_FINDING("archive", "another content", sale_remove_segment());
}

Test(archive, copy_that_is_too_short_is_found)
{
    open_archived_sale();
    archive_first_segment()->byte_count -= LOG_BLOCK_BYTES;
    EXPECT_FINDING("archive", "not as long", sale_remove_segment());
}
