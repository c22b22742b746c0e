#include "cli/backup_copy.h"
#include "snapshot_bytes.h"
#include "test_directory.h"

#include <signal.h>
#include <sys/resource.h>

/* A server's snapshot becomes the base snapshot of another one, piece by piece. */

enum { PIECE = BACKUP_PIECE_BYTES_MAX, ENTRY_COUNT_MAX = 40000 };

static struct test_directory scratch;
static struct backup_directory directory;
static struct backup_copy copy;
static const struct backup_source source = {
    .server_id = {0x0102030405060708, 0x1112131415161718}, .core = SOURCE_CORE, .lsn = SOURCE_LSN};

static void set_up(void)
{
    test_directory_make(&scratch);
    cr_assert(backup_directory_init(&directory, test_directory_file(&scratch, "shop")));
    cr_assert(backup_directory_create(&directory, SOURCE_CORE + 1));
    cr_assert_eq(backup_copy_open(&copy, &directory, &source), BACKUP_OK, "%s", copy.message);
}

static void tear_down(void)
{
    backup_copy_close(&copy);
    backup_directory_abandon(&directory);
    test_directory_remove(&scratch);
}

TestSuite(backup_copy, .init = set_up, .fini = tear_down);

/* Pieces of `piece_bytes`, until the copy is whole or fails. */
static enum backup_status copy_file(const struct snapshot_bytes *file, uint32_t piece_bytes)
{
    enum backup_status status = BACKUP_OK;
    while (status == BACKUP_OK && !copy.is_whole) {
        uint64_t left = file->size - copy.taken;
        uint32_t bytes = left < piece_bytes ? (uint32_t)left : piece_bytes;
        status = backup_copy_take(&copy, file->bytes + copy.taken, bytes, file->size);
    }
    return status;
}

/* The file that was written is a base snapshot of the new server with the same entries. */
static void check_written(const struct snapshot_bytes *file)
{
    char path[BACKUP_PATH_BYTES];
    struct log_snapshot_reader reader;
    backup_directory_snapshot_path(&directory, SOURCE_CORE, path);
    struct snapshot_bytes written = snapshot_bytes_read(path);
    const struct log_snapshot_source expected = {.server_id = directory.server_id,
                                                 .era = 2,
                                                 .core = SOURCE_CORE,
                                                 .lsn = 0,
                                                 .file_bytes = written.size};
    cr_assert_eq(snapshot_bytes_check(&written, &expected, &reader), LOG_SNAPSHOT_WHOLE, "%s",
                 reader.reason);
    const struct log_position first = log_position_first();
    cr_expect_eq(memcmp(&reader.header.position, &first, sizeof first), 0);
    cr_expect_eq(reader.header.state_time_ms, 1700000000456);
    cr_expect_eq(reader.header.taken_ms, 1700000000789);
    cr_expect_eq(memcmp(&reader.footer, &file->footer, sizeof reader.footer), 0);
    cr_expect_eq(memcmp(&copy.footer, &file->footer, sizeof copy.footer), 0);
    cr_expect_eq(written.size, file->size);
    snapshot_bytes_free(&written);
}

Test(backup_copy, copy_has_the_same_entries_and_another_server)
{
    static const struct {
        uint32_t block_count, entry_count, piece_bytes;
    } cases[] = {{0, 0, PIECE},
                 {1, 1, PIECE},
                 {3, 100, 4096},
                 {40, 5000, PIECE},
                 {7, ENTRY_COUNT_MAX, PIECE}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct snapshot_bytes file =
            snapshot_bytes_make(cases[i].block_count, cases[i].entry_count);
        cr_assert_eq(copy_file(&file, cases[i].piece_bytes), BACKUP_OK, "%s", copy.message);
        cr_assert_eq(backup_copy_sync(&copy), BACKUP_OK);
        cr_expect_eq(copy.taken, file.size);
        backup_copy_close(&copy);
        check_written(&file);
        snapshot_bytes_free(&file);
        tear_down();
        set_up();
    }
}

/* Copies the file with a byte changed, and expects to be told of damage. */
static void expect_damage(struct snapshot_bytes *file, uint64_t offset, const char *said)
{
    file->bytes[offset] ^= 1;
    cr_expect_eq(copy_file(file, PIECE), BACKUP_DAMAGED, "byte %d", (int)offset);
    cr_expect(strstr(copy.message, said), "%s", copy.message);
    cr_expect_not(copy.is_whole);
    file->bytes[offset] ^= 1;
    tear_down();
    set_up();
}

Test(backup_copy, damage_anywhere_is_told)
{
    struct snapshot_bytes file = snapshot_bytes_make(20, 5000);
    expect_damage(&file, 0, "the snapshot of core 2 at LSN 1000 is damaged: at 0: ");
    expect_damage(&file, 56, "at 0: "); /* the era, which is believed at first */
    expect_damage(&file, LOG_BLOCK_BYTES + 20, "at 4096: ");
    expect_damage(&file, file.size / 2, "is damaged: at ");
    expect_damage(&file, file.size - LOG_BLOCK_BYTES + 64, "is damaged: at ");
    expect_damage(&file, file.size - 1, "is damaged: at ");
    snapshot_bytes_free(&file);
}

Test(backup_copy, snapshot_of_somebody_else_is_told)
{
    static const struct backup_source others[] = {
        {{1, 2}, SOURCE_CORE, SOURCE_LSN},
        {{0x0102030405060708, 0x1112131415161718}, 1, SOURCE_LSN},
        {{0x0102030405060708, 0x1112131415161718}, SOURCE_CORE, SOURCE_LSN + 1},
    };
    static const char *const said[] = {"another server", "another core", "another LSN"};
    struct snapshot_bytes file = snapshot_bytes_make(1, 10);
    for (int i = 0; i < 3; i++) {
        backup_copy_close(&copy);
        backup_directory_abandon(&directory);
        cr_assert(backup_directory_create(&directory, SOURCE_CORE + 1));
        cr_assert_eq(backup_copy_open(&copy, &directory, &others[i]), BACKUP_OK);
        cr_expect_eq(copy_file(&file, PIECE), BACKUP_DAMAGED);
        cr_expect(strstr(copy.message, said[i]), "%s", copy.message);
    }
    snapshot_bytes_free(&file);
}

Test(backup_copy, file_that_is_cut_is_told)
{
    struct snapshot_bytes file = snapshot_bytes_make(3, 100);
    for (uint64_t size = LOG_BLOCK_BYTES; size < file.size; size += LOG_BLOCK_BYTES) {
        struct snapshot_bytes cut = {.bytes = file.bytes, .size = size};
        cr_expect_eq(copy_file(&cut, PIECE), BACKUP_DAMAGED, "%d bytes", (int)size);
        tear_down();
        set_up();
    }
    snapshot_bytes_free(&file);
}

Test(backup_copy, pieces_that_can_not_be_are_told)
{
    struct snapshot_bytes file = snapshot_bytes_make(3, 5000);
    static const uint8_t piece[PIECE + 1];
    cr_expect_eq(backup_copy_take(&copy, piece, 0, 0), BACKUP_DAMAGED);
    cr_expect_eq(backup_copy_take(&copy, piece, 4095, 8192), BACKUP_DAMAGED);
    cr_expect_eq(backup_copy_take(&copy, file.bytes, PIECE, file.size), BACKUP_OK);
    cr_expect_eq(backup_copy_take(&copy, piece, 0, file.size), BACKUP_DAMAGED, "none came");
    cr_expect_eq(backup_copy_take(&copy, piece, 1, file.size + 1), BACKUP_DAMAGED, "it grew");
    cr_expect(strstr(copy.message, "its size changed"), "%s", copy.message);
    cr_expect_eq(backup_copy_take(&copy, piece, PIECE + 1, file.size), BACKUP_DAMAGED, "too much");
    snapshot_bytes_free(&file);
}

/* The system refuses to write more than so much into any file. */
static void limit_files(uint64_t bytes)
{
    const struct rlimit limit = {bytes, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

Test(backup_copy, no_room_is_told_with_the_first_piece)
{
    struct snapshot_bytes file = snapshot_bytes_make(40, 5000);
    limit_files(1 << 20);
    enum backup_status status = backup_copy_take(&copy, file.bytes, PIECE, file.size);
    limit_files(RLIM_INFINITY);
    cr_expect_eq(status, BACKUP_FAILED);
    cr_expect(strstr(copy.message, "cannot get room for this file: File too large; make room"),
              "%s", copy.message);
    snapshot_bytes_free(&file);
}

Test(backup_copy, write_that_fails_is_told)
{
    struct snapshot_bytes file = snapshot_bytes_make(40, 5000);
    cr_assert_eq(backup_copy_take(&copy, file.bytes, PIECE, file.size), BACKUP_OK);
    limit_files(1 << 20); /* the room was got */
    enum backup_status status = copy_file(&file, PIECE);
    limit_files(RLIM_INFINITY);
    cr_expect_eq(status, BACKUP_FAILED);
    cr_expect(strstr(copy.message, "cannot write this file: File too large"), "%s", copy.message);
    snapshot_bytes_free(&file);
}

Test(backup_copy, file_that_is_there_already_is_told)
{
    static struct backup_copy second;
    cr_expect_eq(backup_copy_open(&second, &directory, &source), BACKUP_FAILED);
    cr_expect(strstr(second.message, "cannot make this file: File exists"), "%s", second.message);
    backup_copy_close(&second);
}
