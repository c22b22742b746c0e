/* What holdfast-log makes of snapshots, good and bad: with the log's beginning there, and with
 * nothing before them. */

#include "log/snapshot.h"
#include "log_program.h"
#include "stock/save.h"
#include "story_directory.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

static char hash_line[64];

static const char *hash_text(uint64_t hash)
{
    snprintf(hash_line, sizeof hash_line, "%016" PRIx64, hash);
    return hash_line;
}

static void expect_state(int code)
{
    cr_expect_eq(run("hash", data_path), code, "%s", output);
    if (code == 0)
        expect_output(hash_text(story_hash()));
}

TestSuite(whole, .init = story_whole, .fini = story_end);
TestSuite(late, .init = story_late, .fini = story_end);

/* ---- good ---- */

Test(whole, verify_reads_all_from_the_beginning_and_compares_each_snapshot)
{
    cr_assert_eq(run("verify", "--json", data_path), 0, "%s", output);
    json_t *object = output_json();
    cr_expect_str_eq(json_text(object, "state_hash"), hash_text(story_hash()));
    cr_expect_eq(json_array_size(json_at(object, "logs")), 5);
    cr_expect_eq(json_array_size(json_at(object, "snapshots")), 3);
    for (uint32_t i = 0; i < 3; i++) {
        const json_t *snapshot = json_array_get(json_at(object, "snapshots"), i);
        cr_expect_str_eq(json_text(snapshot, "state"), "good");
    }
    cr_expect_str_eq(json_text(object, "snapshots.1.state_hash"),
                     hash_text(story.eras[1].logs[0].snapshots[1].part_hash));
    uint64_t record_count = 0;
    for (uint32_t era = 0; era < 2; era++)
        for (uint32_t core = 0; core < story.eras[era].core_count; core++)
            record_count += story.eras[era].logs[core].log.next_lsn - 1;
    cr_expect_eq(json_number(object, "records"), (int64_t)record_count);
    json_decref(object);
}

Test(late, verify_reads_from_the_older_snapshots_on)
{
    cr_assert_eq(run("verify", "--json", data_path), 0, "%s", output);
    json_t *object = output_json();
    cr_expect_str_eq(json_text(object, "state_hash"), hash_text(story_hash()));
    cr_expect_eq(json_array_size(json_at(object, "logs")), 3);
    cr_expect_eq(json_array_size(json_at(object, "snapshots")), 6);
    cr_expect_eq(json_number(object, "logs.0.first_lsn"),
                 (int64_t)story.eras[1].logs[0].snapshots[0].lsn + 1);
    json_decref(object);
}

Test(late, info_reads_what_a_server_would)
{
    cr_assert_eq(run("info", "--json", data_path), 0, "%s", output);
    json_t *object = output_json();
    cr_expect_str_eq(json_text(object, "state_hash"), hash_text(story_hash()));
    cr_expect_eq(json_number(object, "logs.0.first_lsn"),
                 (int64_t)story.eras[1].logs[0].snapshots[1].lsn + 1);
    cr_expect_str_eq(json_text(object, "snapshots.0.state"), "not read");
    cr_expect_str_eq(json_text(object, "snapshots.1.state"), "good");
    json_decref(object);
    cr_assert_eq(run("info", data_path), 0, "%s", output);
    expect_output("snapshot LSN");
}

Test(whole, an_era_is_read_when_a_core_of_the_next_one_has_no_snapshot)
{
    cr_assert_eq(run("info", "--json", data_path), 0, "%s", output);
    json_t *object = output_json();
    cr_expect(json_is_true(json_at(object, "logs.0.read")));
    json_decref(object);
}

/* ---- bad ones ---- */

Test(late, a_bad_newest_snapshot_is_damage_that_a_start_does_without)
{
    story_spoil(story_snapshot(2, 0, 1), 5000);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("offset 4096: damaged: ");
    expect_output("the server says so and starts from the one before it");
    expect_output(hash_text(story_hash()));
    expect_state(0);
    expect_output("the one before it is used");
    cr_expect_eq(run("info", data_path), 0, "%s", output);
}

Test(late, a_bad_older_snapshot_is_damage_that_a_start_does_not_see)
{
    story_spoil(story_snapshot(2, 0, 0), 100);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("the server has no use for it, it starts from a newer one");
    expect_output(hash_text(story_hash()));
    expect_state(0);
}

Test(late, without_a_good_snapshot_nothing_is_rebuilt)
{
    story_spoil(story_snapshot(2, 1, 0), 100);
    story_spoil(story_snapshot(2, 1, 1), 9000);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("the server refuses to start: bring it back from a copy");
    expect_output("000000000001.log is missing before it");
    expect_output("not rebuilt");
    expect_state(3);
    expect_output("there is no snapshot here that can be used");
}

Test(whole, without_a_good_snapshot_the_log_is_read_from_its_beginning)
{
    story_spoil(story_snapshot(2, 0, 0), 100);
    story_spoil(story_snapshot(2, 0, 1), 9000);
    story_spoil(story_snapshot(2, 1, 0), 9000);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("the server says so and reads the log from its beginning");
    expect_state(0);
}

Test(late, what_is_no_file_in_a_snapshots_place_is_damage_and_not_waited_for, .timeout = 20)
{
    const char *path = story_snapshot(2, 0, 1);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(mkfifo(path, 0600), 0);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("it is no regular file");
    expect_state(0);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(symlink("/dev/zero", path), 0);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
}

Test(late, a_snapshot_under_another_ones_name_is_damage)
{
    cr_assert_eq(rename(story_snapshot(2, 0, 1), story_file(2, 0, "snapshot-00000000000000000066")),
                 0);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("the snapshot was made at another LSN than its name says");
    expect_state(0);
}

/* ---- snapshots that are whole, and not of this log ---- */

/* Writes a snapshot's header anew, with the rest behind it as a chain that follows it. */
static void rewrite(uint32_t core, uint32_t index,
                    void (*change)(struct log_snapshot_header *header, uint8_t *entry))
{
    struct data_builder_snapshot *snapshot = &story.eras[1].logs[core].snapshots[index];
    struct log_snapshot_header header;
    struct log_snapshot_encoder encoder;
    uint64_t checksum;
    uint8_t *old = malloc(snapshot->byte_count);
    memcpy(old, snapshot->bytes, snapshot->byte_count);
    cr_assert(log_snapshot_header_decode(old, &header, &checksum) == NULL);
    uint8_t *first = old + LOG_BLOCK_BYTES + LOG_SNAPSHOT_BLOCK_HEADER_BYTES;
    change(&header, first);
    log_snapshot_encode_header(&encoder, &header, snapshot->bytes);
    struct log_snapshot_footer footer = {.item_count = 0};
    for (uint64_t at = LOG_BLOCK_BYTES; at + LOG_BLOCK_BYTES < snapshot->byte_count;) {
        const uint8_t *block = old + at;
        const uint32_t payload_bytes = bytes_get_u32(block + 40);
        uint8_t *to = snapshot->bytes + encoder.offset;
        memcpy(to + LOG_SNAPSHOT_BLOCK_HEADER_BYTES, block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES,
               payload_bytes);
        for (uint32_t done = 0; done < payload_bytes;) {
            struct stock_entry entry;
            const uint8_t *bytes = block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES + done;
            cr_assert(stock_entry_decode(bytes, bytes_get_u16(bytes), &entry) == NULL);
            footer.state_hash += stock_entry_hash(&entry);
            footer.item_count += entry.type == STOCK_ENTRY_ITEM;
            footer.buyer_count += entry.type == STOCK_ENTRY_BUYER;
            footer.reservation_count += entry.type == STOCK_ENTRY_RESERVATION;
            done += bytes_get_u16(bytes);
        }
        at += log_snapshot_encode_entries(&encoder, to, payload_bytes, bytes_get_u32(block + 44));
    }
    log_snapshot_encode_footer(&encoder, &footer, snapshot->bytes + encoder.offset);
    free(old);
}

static void begin_late(void)
{
    story_begin(data_story_late);
}

TestSuite(rewritten, .init = begin_late, .fini = story_end);

static void change_an_item(struct log_snapshot_header *header, uint8_t *entry)
{
    (void)header;
    bytes_put_u32(entry + 32, bytes_get_u32(entry + 32) + 1); /* its buyer limit */
}

Test(rewritten, a_snapshot_of_another_state_than_the_log_gives_is_damage)
{
    rewrite(0, 1, change_an_item);
    story_save();
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("the state that the log gives at its LSN has another hash");
}

static void change_chain(struct log_snapshot_header *header, uint8_t *entry)
{
    (void)entry;
    header->position.chain++;
}

Test(rewritten, a_snapshot_that_was_not_made_of_this_log_is_damage)
{
    rewrite(0, 1, change_chain);
    story_save();
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("the snapshot was not made of this log: another group stands before this place");
    expect_state(3);
}

static void change_server(struct log_snapshot_header *header, uint8_t *entry)
{
    (void)entry;
    header->server_id.low++;
}

Test(rewritten, a_snapshot_of_another_server_is_damage)
{
    rewrite(0, 1, change_server);
    story_save();
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_output("the snapshot belongs to another server");
    expect_state(0);
}

/* The bytes are right in every way, but the item is not this core's. */
static void change_to_misplaced_item(struct log_snapshot_header *header, uint8_t *entry)
{
    uint64_t item_id = 1000;
    while (data_builder_owner(&story, item_id) == header->core)
        item_id++;
    bytes_put_u64(entry + 16, item_id);
}

Test(rewritten, a_snapshot_with_an_item_of_another_core_is_damage)
{
    rewrite(2, 1, change_to_misplaced_item);
    story_save();
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
}

static void change_version(struct data_builder_snapshot *snapshot)
{
    bytes_put_u32(snapshot->bytes + 16, LOG_FORMAT_VERSION + 1);
    bytes_put_u64(snapshot->bytes + 8, checksum64(snapshot->bytes + 16, LOG_BLOCK_BYTES - 16, 0));
}

Test(rewritten, a_snapshot_of_another_version_is_5)
{
    change_version(&story.eras[1].logs[1].snapshots[1]);
    story_save();
    cr_expect_eq(run("verify", data_path), 5, "%s", output);
    expect_output("use the holdfast-log that came with the server that wrote it");
    expect_state(5);
    const char *made = test_directory_file(&directory, "made");
    cr_expect_eq(run("repair", "-o", made, data_path), 5, "%s", output);
    cr_expect_eq(access(made, F_OK), -1);
}

/* ---- segments that snapshots stand for ---- */

Test(whole, files_before_the_snapshot_may_be_missing)
{
    cr_assert_eq(unlink(story_segment(2, 0, 1)), 0);
    cr_expect_eq(run("verify", data_path), 3, "the older snapshot stands in it: %s", output);
    expect_output("000000000001.log is missing, and the snapshot stands on it");
    expect_state(0);
}

Test(late, the_segment_in_which_the_newest_snapshot_stands_must_be_there)
{
    const uint64_t number = story.eras[1].logs[0].snapshots[1].position.segment_number;
    cr_assert_eq(unlink(story_segment(2, 0, number)), 0);
    cr_expect_eq(run("verify", data_path), 3, "%s", output);
    expect_state(3);
    expect_output("is missing, and the snapshot stands on it");
}

Test(late, what_is_left_below_the_oldest_snapshot_means_nothing_to_a_start)
{
    FILE *file = fopen(story_segment(2, 0, 1), "we");
    cr_assert(file != NULL && fputs("left over", file) >= 0 && fclose(file) == 0);
    cr_assert_gt(story.eras[1].logs[0].snapshots[0].position.segment_number, 1);
    expect_state(0);
}
