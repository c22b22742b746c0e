/* The data directory on a real file system: who may open it, and when. */

#include "wal/data_directory.h"

#include "test_directory.h"
#include "wal_fixture.h"

#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>

static struct test_directory scratch;
static char data_path[2048];
static struct io *io;
static struct data_directory directory;

static void set_up(void)
{
    char message[256];
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

TestSuite(data_directory, .init = set_up, .fini = tear_down, .timeout = 60);

static void open_with(uint32_t core_count)
{
    enum data_directory_status status = data_directory_open(&directory, io, data_path, core_count);
    cr_assert(status == DATA_DIRECTORY_OK, "%s", directory.message);
    status = data_directory_begin_era(&directory);
    cr_assert(status == DATA_DIRECTORY_OK, "%s", directory.message);
}

static void assert_refused(enum data_directory_status expected, const char *word)
{
    cr_assert_eq(data_directory_open(&directory, io, data_path, 1), expected, "%s",
                 directory.message);
    cr_assert(strstr(directory.message, word) != NULL, "'%s' not in: %s", word, directory.message);
    cr_assert(strstr(directory.message, data_path) != NULL, "%s", directory.message);
}

static const char *path_in(const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", data_path, name);
    return path;
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert(file != NULL);
    fputs(text, file);
    fclose(file);
}

Test(data_directory, a_missing_one_is_made_and_opens_again_as_the_same_server)
{
    open_with(2);
    cr_assert_eq(directory.manifest.era_count, 1);
    cr_assert_eq(directory.manifest.eras[0].number, 1);
    cr_assert_eq(directory.manifest.eras[0].core_count, 2);
    struct id128 server_id = directory.manifest.server_id;
    cr_assert_not(id128_is_zero(server_id));
    data_directory_close(&directory);
    cr_assert_eq(access(path_in("era-000001/core-001"), F_OK), 0);

    open_with(2);
    cr_assert(id128_equal(directory.manifest.server_id, server_id));
    cr_assert_eq(directory.manifest.era_count, 1);
    data_directory_close(&directory);
}

Test(data_directory, a_path_with_a_slash_at_its_end_is_the_same_place)
{
    size_t length = strlen(data_path);
    snprintf(data_path + length, sizeof data_path - length, "//");
    open_with(1);
    data_directory_close(&directory);
    *strchr(strrchr(data_path, 'a'), '/') = '\0';
    open_with(1);
    data_directory_close(&directory);
}

Test(data_directory, without_a_parent_it_is_refused)
{
    snprintf(data_path, sizeof data_path, "%s/no/data", scratch.path);
    assert_refused(DATA_DIRECTORY_IO, "make the folder above");
}

Test(data_directory, in_use_is_refused_and_free_again_when_closed)
{
    static struct data_directory other;
    open_with(1);
    cr_assert_eq(data_directory_open(&other, io, data_path, 1), DATA_DIRECTORY_IN_USE);
    cr_assert(strstr(other.message, "in use") != NULL, "%s", other.message);
    data_directory_close(&directory);
    open_with(1);
    data_directory_close(&directory);
}

static int remove_file(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)where;
    return kind == FTW_F ? unlink(path) : 0;
}

Test(data_directory, no_file_that_is_removed_or_put_there_unlocks_it)
{
    static struct data_directory other;
    open_with(1);
    write_file(path_in("LOCK"), ""); /* of an early version */
    cr_assert_eq(data_directory_open(&other, io, data_path, 1), DATA_DIRECTORY_IN_USE);
    cr_assert_eq(nftw(data_path, remove_file, 16, FTW_PHYS), 0);
    cr_assert_eq(data_directory_open(&other, io, data_path, 1), DATA_DIRECTORY_IN_USE);
    data_directory_close(&directory);
    cr_assert_eq(symlink("/nonexistent/x", path_in("LOCK")), 0);
    open_with(1);
    data_directory_close(&directory);
    open_with(1);
    data_directory_close(&directory);
}

Test(data_directory, a_renamed_one_stays_in_use)
{
    static struct data_directory other;
    char old_path[sizeof data_path];
    open_with(1);
    memcpy(old_path, data_path, sizeof old_path);
    size_t length = strlen(old_path);
    snprintf(data_path + length, sizeof data_path - length, "-moved");
    cr_assert_eq(rename(old_path, data_path), 0);
    cr_assert_eq(data_directory_open(&other, io, data_path, 1), DATA_DIRECTORY_IN_USE);
    data_directory_close(&directory);
}

Test(data_directory, a_place_where_nothing_can_be_made_is_told_so)
{
    snprintf(data_path, sizeof data_path, "/proc/holdfast");
    cr_assert_neq(data_directory_open(&directory, io, data_path, 1), DATA_DIRECTORY_OK);
    cr_assert(strstr(directory.message, "folder above") == NULL, "%s", directory.message);
    cr_assert(strstr(directory.message, "elsewhere") != NULL, "%s", directory.message);
}

Test(data_directory, a_manifest_that_is_a_pipe_is_damage, .timeout = 20)
{
    open_with(1);
    data_directory_close(&directory);
    cr_assert_eq(unlink(path_in("MANIFEST")), 0);
    cr_assert_eq(mkfifo(path_in("MANIFEST"), 0600), 0);
    assert_refused(DATA_DIRECTORY_DAMAGED, "no regular file");
}

Test(data_directory, a_segment_that_is_no_regular_file_is_damage, .timeout = 20)
{
    struct log_end end;
    bool was_torn;
    char message[DATA_DIRECTORY_MESSAGE_BYTES] = "";
    const char *segment = path_in("era-000001/core-000/000000000001.log");
    open_with(1);
    cr_assert_eq(mkfifo(segment, 0600), 0);
    cr_expect_eq(read_whole_log(&directory, io, 0, 0, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_DAMAGED);
    cr_expect(strstr(message, "000000000001.log: damaged: it is no regular") != NULL, "%s",
              message);
    cr_assert_eq(unlink(segment), 0);
    cr_assert_eq(symlink("/nonexistent/x", segment), 0);
    cr_expect_eq(read_whole_log(&directory, io, 0, 0, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_DAMAGED);
    data_directory_close(&directory);
}

Test(data_directory, what_a_power_cut_left_of_a_new_one_counts_as_empty)
{
    open_with(2);
    data_directory_close(&directory);
    cr_assert_eq(rename(path_in("MANIFEST"), path_in("MANIFEST.new")), 0);
    cr_assert_eq(mkdir(path_in("lost+found"), 0700), 0);
    open_with(1);
    cr_assert_eq(directory.manifest.era_count, 1);
    data_directory_close(&directory);
}

Test(data_directory, one_that_holds_something_else_is_refused_and_left_as_it_was)
{
    cr_assert_eq(mkdir(data_path, 0755), 0);
    write_file(path_in("letter.txt"), "dear\n");
    assert_refused(DATA_DIRECTORY_DAMAGED, "letter.txt");
    cr_assert_neq(access(path_in("MANIFEST"), F_OK), 0);
    cr_assert_neq(access(path_in("era-000001"), F_OK), 0);
}

Test(data_directory, one_with_logs_but_without_its_manifest_is_refused)
{
    open_with(1);
    data_directory_close(&directory);
    write_file(path_in("era-000001/core-000/000000000001.log"), "");
    cr_assert_eq(unlink(path_in("MANIFEST")), 0);
    assert_refused(DATA_DIRECTORY_DAMAGED, "MANIFEST");
}

Test(data_directory, a_file_in_its_place_is_refused)
{
    write_file(data_path, "");
    assert_refused(DATA_DIRECTORY_IO, "Not a directory");
    cr_assert(strstr(directory.message, "dmesg") == NULL, "%s", directory.message);
}

Test(data_directory, another_format_is_refused_by_version)
{
    cr_assert_eq(mkdir(data_path, 0755), 0);
    static struct log_manifest manifest;
    static char text[LOG_MANIFEST_BYTES_MAX];
    manifest = (struct log_manifest){.version = 7,
                                     .server_id = {1, 2},
                                     .era_count = 1,
                                     .eras = {{.number = 1, .core_count = 1}}};
    text[log_manifest_encode(&manifest, text)] = '\0';
    write_file(path_in("MANIFEST"), text);
    assert_refused(DATA_DIRECTORY_VERSION, "format 7");
}

Test(data_directory, a_changed_manifest_is_damage)
{
    open_with(1);
    data_directory_close(&directory);
    write_file(path_in("MANIFEST"), "holdfast data directory\nformat 1\n");
    assert_refused(DATA_DIRECTORY_DAMAGED, "MANIFEST");
    write_file(path_in("MANIFEST"), "");
    assert_refused(DATA_DIRECTORY_DAMAGED, "MANIFEST");
}

/* Root may read and write everything, so the opening is done as another user in a child. */
static enum data_directory_status open_as_nobody(char *message, size_t message_bytes)
{
    int pipe_fds[2];
    cr_assert_eq(pipe(pipe_fds), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0)
            _exit(99);
        enum data_directory_status status = data_directory_open(&directory, io, data_path, 1);
        if (status == DATA_DIRECTORY_OK)
            status = data_directory_begin_era(&directory);
        if (write(pipe_fds[1], directory.message, sizeof directory.message) < 0)
            _exit(99);
        _exit((int)status);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(read(pipe_fds[0], message, message_bytes) > 0);
    cr_assert(WIFEXITED(status));
    cr_assert_neq(WEXITSTATUS(status), 99);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
    return (enum data_directory_status)WEXITSTATUS(status);
}

Test(data_directory, one_that_may_not_be_written_or_read_is_refused_by_permission)
{
    char message[DATA_DIRECTORY_MESSAGE_BYTES] = "";
    cr_assert_eq(chmod(scratch.path, 0755), 0);
    cr_assert_eq(mkdir(data_path, 0555), 0);
    cr_assert_eq(open_as_nobody(message, sizeof message), DATA_DIRECTORY_PERMISSION);
    cr_assert(strstr(message, data_path) != NULL && strstr(message, "right") != NULL, "%s",
              message);
    cr_assert_eq(chmod(data_path, 0000), 0);
    cr_assert_eq(open_as_nobody(message, sizeof message), DATA_DIRECTORY_PERMISSION);
    cr_assert_eq(chmod(data_path, 0755), 0);
}

/* ---- eras ---- */

Test(data_directory, another_number_of_cores_adds_an_era)
{
    static const uint32_t CORE_COUNTS[] = {1, 4, 4, 2};
    static const uint32_t ERA_COUNTS[] = {1, 2, 2, 3};
    for (int i = 0; i < 4; i++) {
        open_with(CORE_COUNTS[i]);
        cr_assert_eq(directory.manifest.era_count, ERA_COUNTS[i]);
        cr_assert_eq(directory.manifest.eras[ERA_COUNTS[i] - 1].core_count, CORE_COUNTS[i]);
        data_directory_close(&directory);
    }
    cr_assert_eq(access(path_in("era-000002/core-003"), F_OK), 0);
    cr_assert_neq(access(path_in("era-000003/core-002"), F_OK), 0);
}

/* What MANIFEST says of a closed era is where its logs ended, also of one that nothing was ever
 * written to. */
Test(data_directory, the_ends_of_an_era_are_written_down_when_it_is_closed)
{
    static struct fixture fixture;
    fixture_init(&fixture, io, data_path);
    fixture_open(&fixture);
    fixture_fill(&fixture, 30, 256);
    fixture_close(&fixture);
    fixture_open(&fixture);
    const struct log_end end = fixture.end;
    fixture_close(&fixture);
    cr_assert_eq(end.next_lsn, 31);

    open_with(2);
    data_directory_close(&directory);
    open_with(3);
    data_directory_close(&directory);
    open_with(3);
    const struct log_manifest_era *eras = directory.manifest.eras;
    cr_assert_eq(directory.manifest.era_count, 3);
    cr_expect_eq(eras[0].ends[0].next_lsn, 31);
    cr_expect_eq(eras[0].ends[0].chain, end.chain);
    for (uint32_t core = 0; core < 2; core++) {
        cr_expect_eq(eras[1].ends[core].next_lsn, 1);
        cr_expect_eq(eras[1].ends[core].chain, 0);
    }
    data_directory_close(&directory);
}

Test(data_directory, an_era_that_was_not_begun_leaves_no_trace_and_has_empty_logs)
{
    struct log_end end;
    bool was_torn;
    char message[DATA_DIRECTORY_MESSAGE_BYTES];
    open_with(1);
    data_directory_close(&directory);
    for (int attempt = 0; attempt < 2; attempt++) {
        cr_assert_eq(data_directory_open(&directory, io, data_path, 3), DATA_DIRECTORY_OK);
        cr_assert_eq(directory.manifest.era_count, 2);
        for (uint32_t core = 0; core < 3; core++) {
            cr_assert_eq(
                read_whole_log(&directory, io, 1, core, NULL, NULL, &end, &was_torn, message),
                DATA_DIRECTORY_OK);
            cr_assert_eq(end.next_lsn, 1);
        }
        data_directory_close(&directory);
    }
    cr_assert_neq(access(path_in("era-000002"), F_OK), 0);
    cr_assert_neq(access(path_in("MANIFEST.new"), F_OK), 0);
    open_with(1);
    cr_assert_eq(directory.manifest.era_count, 1);
    data_directory_close(&directory);
}

/* Writes thirty records with one core and makes the last group torn, or the first damaged. */
static void write_log_with_wrong_byte(off_t offset)
{
    static struct fixture fixture;
    fixture_init(&fixture, io, data_path);
    fixture_open(&fixture);
    fixture_fill(&fixture, 10, 256);
    fixture_fill(&fixture, 30, 256);
    fixture_close(&fixture);
    int fd = open(path_in("era-000001/core-000/000000000001.log"), O_WRONLY);
    cr_assert_eq(pwrite(fd, "?", 1, offset), 1);
    close(fd);
}

Test(data_directory, a_torn_log_is_healed_before_its_era_is_closed)
{
    write_log_with_wrong_byte(8192 + 300);
    open_with(2);
    cr_assert_eq(directory.manifest.era_count, 2);
    struct log_end end;
    bool was_torn;
    char message[DATA_DIRECTORY_MESSAGE_BYTES];
    cr_assert_eq(
        read_whole_log(&directory, io, 0, 0, fixture_check_group, NULL, &end, &was_torn, message),
        DATA_DIRECTORY_OK);
    cr_assert_not(was_torn);
    cr_assert_eq(end.next_lsn, 11);
    cr_assert_eq(read_whole_log(&directory, io, 1, 1, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_OK);
    cr_assert_eq(end.next_lsn, 1);
    data_directory_close(&directory);
}

/* Once its era is closed a log is whole for good: a bad tail was on disk and is not cut. */
Test(data_directory, a_bad_tail_in_a_closed_era_is_damage_and_left_as_it_is)
{
    write_log_with_wrong_byte(8192 + 300);
    open_with(2);
    const char *path = path_in("era-000001/core-000/000000000001.log");
    int fd = open(path, O_RDWR);
    cr_assert_eq(pwrite(fd, "?", 1, 4096 + 300), 1);
    struct log_end end;
    bool was_torn;
    char message[DATA_DIRECTORY_MESSAGE_BYTES] = "";
    cr_assert_eq(read_whole_log(&directory, io, 0, 0, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_DAMAGED);
    cr_assert(strstr(message, "offset 4096") != NULL, "%s", message);
    char byte = 0;
    cr_assert_eq(pread(fd, &byte, 1, 4096 + 300), 1);
    cr_assert_eq(byte, '?');
    close(fd);
    data_directory_close(&directory);
}

/* An emptied file looks like one that was never used, and a removed one like one that never was. */
Test(data_directory, a_closed_log_that_lost_its_last_files_is_damage)
{
    static struct fixture fixture;
    fixture_init(&fixture, io, data_path);
    fixture_open(&fixture);
    fixture_fill(&fixture, 30, 256);
    fixture_close(&fixture);
    open_with(2);
    struct log_end end;
    bool was_torn;
    char message[DATA_DIRECTORY_MESSAGE_BYTES] = "";
    const char *path = path_in("era-000001/core-000/000000000001.log");
    cr_assert_eq(truncate(path, 0), 0);
    cr_expect_eq(read_whole_log(&directory, io, 0, 0, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_DAMAGED);
    cr_expect(strstr(message, "000000000001.log: offset 0, LSN 1 and later: damaged: "
                              "30 LSNs are missing") != NULL,
              "%s", message);
    cr_assert_eq(unlink(path), 0);
    (void)unlink(path_in("era-000001/core-000/000000000002.log"));
    cr_expect_eq(read_whole_log(&directory, io, 0, 0, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_DAMAGED);
    cr_expect(strstr(message, "core-000: offset 0, LSN 1 and later: damaged: "
                              "30 LSNs are missing") != NULL,
              "%s", message);
    data_directory_close(&directory);
}

Test(data_directory, a_damaged_log_keeps_its_era_open)
{
    write_log_with_wrong_byte(4096 + 300);
    cr_assert_eq(data_directory_open(&directory, io, data_path, 2), DATA_DIRECTORY_DAMAGED);
    cr_assert(strstr(directory.message, "offset 4096") != NULL, "%s", directory.message);
    open_with(1);
    cr_assert_eq(directory.manifest.era_count, 1);
    data_directory_close(&directory);
}

Test(data_directory, a_missing_core_folder_is_damage)
{
    open_with(2);
    struct log_end end;
    bool was_torn;
    char message[DATA_DIRECTORY_MESSAGE_BYTES];
    cr_assert_eq(rmdir(path_in("era-000001/core-001")), 0);
    cr_assert_eq(read_whole_log(&directory, io, 0, 1, NULL, NULL, &end, &was_torn, message),
                 DATA_DIRECTORY_DAMAGED);
    cr_assert(strstr(message, "core-001") != NULL, "%s", message);
    data_directory_close(&directory);
}
