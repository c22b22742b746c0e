/* Data directories as a server never leaves them, on a real file system: each is refused with a
 * word of what is wrong, or read as it is. */

#include "wal/data_directory.h"

#include "base/checksum.h"
#include "test_directory.h"
#include "wal_fixture.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>

static struct test_directory scratch;
static char data_path[2048];
static struct io *io;
static struct data_directory directory;
static char message[DATA_DIRECTORY_MESSAGE_BYTES];

static void set_up(void)
{
    test_directory_make(&scratch);
    snprintf(data_path, sizeof data_path, "%s/data", scratch.path);
    enum io_status status = io_create(&(struct io_options){.op_count_max = 16}, &io, message);
    cr_assert(status == IO_OK, "%s", message);
    io_start(io);
}

static void tear_down(void)
{
    io_destroy(&io);
    test_directory_remove(&scratch);
}

TestSuite(odd_directories, .init = set_up, .fini = tear_down, .timeout = 60);

static void open_with(uint32_t core_count)
{
    enum data_directory_status status = data_directory_open(&directory, io, data_path, core_count);
    cr_assert(status == DATA_DIRECTORY_OK, "%s", directory.message);
    status = data_directory_begin_era(&directory);
    cr_assert(status == DATA_DIRECTORY_OK, "%s", directory.message);
}

static void assert_refused(const char *path, uint32_t core_count,
                           enum data_directory_status expected, const char *word)
{
    cr_assert_eq(data_directory_open(&directory, io, path, core_count), expected, "%s",
                 directory.message);
    cr_assert(strstr(directory.message, word) != NULL, "'%s' not in: %s", word, directory.message);
}

static enum data_directory_status read_log(uint32_t era_index, uint32_t core)
{
    struct log_end end;
    bool was_torn;
    return read_whole_log(&directory, io, era_index, core, NULL, NULL, &end, &was_torn, message);
}

static const char *path_in(const char *name)
{
    static char path[4096];
    snprintf(path, sizeof path, "%s/%s", data_path, name);
    return path;
}

static void write_file(const char *path, const char *bytes, size_t count)
{
    FILE *file = fopen(path, "we");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(bytes, 1, count, file), count);
    cr_assert_eq(fclose(file), 0);
}

/* ---- paths ---- */

Test(odd_directories, a_path_that_is_empty_or_too_long_is_refused)
{
    static char path[DATA_DIRECTORY_PATH_BYTES];
    assert_refused("", 1, DATA_DIRECTORY_IO, "has 0 bytes");
    memset(path, 'x', sizeof path - 1);
    assert_refused(path, 1, DATA_DIRECTORY_IO, "has 4095 bytes");
}

Test(odd_directories, a_path_without_a_slash_is_below_the_working_directory)
{
    cr_assert_eq(chdir(scratch.path), 0);
    cr_assert_eq(data_directory_open(&directory, io, "data", 1), DATA_DIRECTORY_OK);
    cr_assert_eq(data_directory_begin_era(&directory), DATA_DIRECTORY_OK);
    data_directory_close(&directory);
    open_with(1);
    cr_expect_eq(directory.manifest.era_count, 1);
    data_directory_close(&directory);
}

Test(odd_directories, the_root_of_the_file_system_is_somebody_elses)
{
    assert_refused("/", 1, DATA_DIRECTORY_DAMAGED, "/: not a data directory");
}

/* ---- manifests ---- */

static void write_manifest(const char *body)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    int bytes = snprintf(text, sizeof text, "%schecksum %016" PRIx64 "\n", body,
                         checksum64(body, strlen(body), 0));
    write_file(path_in("MANIFEST"), text, (size_t)bytes);
}

Test(odd_directories, a_manifest_of_this_format_with_impossible_content_is_damage)
{
    open_with(1);
    data_directory_close(&directory);
    write_manifest("holdfast data directory\nformat 1\nserver 1\n");
    assert_refused(data_path, 1, DATA_DIRECTORY_DAMAGED, "not as the server writes it");
}

Test(odd_directories, a_manifest_longer_than_any_is_damage)
{
    static char text[LOG_MANIFEST_BYTES_MAX + 100];
    open_with(1);
    data_directory_close(&directory);
    memset(text, 'x', sizeof text);
    write_file(path_in("MANIFEST"), text, sizeof text);
    assert_refused(data_path, 1, DATA_DIRECTORY_DAMAGED, "too long");
}

Test(odd_directories, the_number_of_cores_can_not_be_changed_without_end)
{
    static struct log_manifest manifest;
    static char text[LOG_MANIFEST_BYTES_MAX];
    manifest.version = LOG_FORMAT_VERSION;
    manifest.server_id = (struct id128){1, 2};
    manifest.era_count = LOG_MANIFEST_ERA_COUNT_MAX;
    for (uint32_t i = 0; i < manifest.era_count; i++) {
        manifest.eras[i].number = i + 1;
        manifest.eras[i].core_count = 1;
        manifest.eras[i].ends[0].next_lsn = 1;
    }
    cr_assert_eq(mkdir(data_path, 0755), 0);
    cr_assert_eq(mkdir(path_in("era-000064"), 0755), 0);
    cr_assert_eq(mkdir(path_in("era-000064/core-000"), 0755), 0);
    write_file(path_in("MANIFEST"), text, log_manifest_encode(&manifest, text));
    assert_refused(data_path, 2, DATA_DIRECTORY_IO, "start with 1 cores as before");
    open_with(1);
    cr_expect_eq(directory.manifest.era_count, (uint32_t)LOG_MANIFEST_ERA_COUNT_MAX);
    data_directory_close(&directory);
}

/* ---- folders and logs ---- */

Test(odd_directories, a_file_where_the_first_log_would_be_is_not_ours_to_overwrite)
{
    cr_assert_eq(mkdir(data_path, 0755), 0);
    cr_assert_eq(mkdir(path_in("era-000001"), 0755), 0);
    write_file(path_in("era-000001/core-000"), "", 0);
    assert_refused(data_path, 1, DATA_DIRECTORY_DAMAGED, "not empty (logs)");
}

Test(odd_directories, a_file_in_place_of_a_cores_folder_is_told_so)
{
    open_with(1);
    cr_assert_eq(rmdir(path_in("era-000001/core-000")), 0);
    write_file(path_in("era-000001/core-000"), "", 0);
    cr_expect_eq(read_log(0, 0), DATA_DIRECTORY_IO);
    cr_expect_not_null(strstr(message, "core-000: cannot read this folder"), "%s", message);
    data_directory_close(&directory);
}

Test(odd_directories, a_damaged_log_stops_the_change_of_cores_before_the_next_one_is_read)
{
    open_with(2);
    data_directory_close(&directory);
    cr_assert_eq(rmdir(path_in("era-000001/core-000")), 0);
    cr_assert_eq(rmdir(path_in("era-000001/core-001")), 0);
    assert_refused(data_path, 3, DATA_DIRECTORY_DAMAGED, "core-000: damaged");
}

Test(odd_directories, a_log_of_very_many_files_is_read)
{
    open_with(1);
    for (uint32_t number = 1; number <= 200; number++) {
        char name[LOG_NAME_BYTES_MAX];
        char path[LOG_NAME_BYTES_MAX + 32];
        log_segment_file_name(number, name);
        snprintf(path, sizeof path, "era-000001/core-000/%s", name);
        write_file(path_in(path), "", 0);
    }
    cr_expect_eq(read_log(0, 0), DATA_DIRECTORY_OK, "%s", message);
    cr_assert_eq(unlink(path_in("era-000001/core-000/000000000150.log")), 0);
    cr_expect_eq(read_log(0, 0), DATA_DIRECTORY_DAMAGED);
    cr_expect_not_null(strstr(message, "000000000150.log is missing"), "%s", message);
    data_directory_close(&directory);
}

/* A log of one segment header, changed and its checksum made right again. */
static void write_segment_header(uint32_t offset, uint32_t value, size_t bytes)
{
    static uint8_t segment[2 * LOG_BLOCK_BYTES];
    const struct log_segment_header header = {
        .server_id = directory.manifest.server_id,
        .segment_uuid = {3, 4},
        .era = 1,
        .segment_number = 1,
        .segment_bytes = sizeof segment,
        .first_lsn = 1,
    };
    log_segment_header_encode(&header, segment);
    bytes_put_u32(segment + offset, value);
    bytes_put_u64(segment + 8, checksum64(segment + 16, LOG_BLOCK_BYTES - 16, 0));
    write_file(path_in("era-000001/core-000/000000000001.log"), (const char *)segment, bytes);
}

Test(odd_directories, a_log_of_another_format_is_refused_by_version)
{
    open_with(1);
    write_segment_header(16, LOG_FORMAT_VERSION + 6, 2 * LOG_BLOCK_BYTES);
    cr_expect_eq(read_log(0, 0), DATA_DIRECTORY_VERSION);
    cr_expect_not_null(strstr(message, "another version"), "%s", message);
    cr_expect_not_null(strstr(message, "use the version of holdfastd"), "%s", message);
    data_directory_close(&directory);
}

Test(odd_directories, a_log_whose_very_first_write_was_torn_is_empty_again)
{
    static const uint8_t zeros[LOG_BLOCK_BYTES];
    uint8_t block[LOG_BLOCK_BYTES];
    open_with(1);
    write_segment_header(2000, 7, 2 * LOG_BLOCK_BYTES);
    const char *path = path_in("era-000001/core-000/000000000001.log");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_eq(pwrite(fd, "x", 1, 100), 1); /* the checksum is wrong */
    cr_expect_eq(read_log(0, 0), DATA_DIRECTORY_OK, "%s", message);
    cr_assert_eq(pread(fd, block, sizeof block, 0), (ssize_t)sizeof block);
    cr_expect_arr_eq(block, zeros, sizeof block);
    close(fd);
    data_directory_close(&directory);
}
