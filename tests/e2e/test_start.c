/* Starting and stopping when something is wrong: each fault has its exit code and a line that says
 * what is wrong and what to do, and none of them touches the data.
 *
 *     e2e_start CORES
 */
#include "check.h"
#include "fixture.h"
#include "raw_client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum { NOBODY = 65534, FAULT_TIMEOUT_MS = 20000 };

static struct fixture fixture;
static uint32_t core_count;
static const char *const SMALL_SEGMENTS[] = {"--segment-size", "8MiB", NULL}; /* quick to make */

/* ------------------------------------------------------------------------------------------------
 * Helpers
 * ---------------------------------------------------------------------------------------------- */

/* Starts with these options and expects this end and this text (NULL = any) on stderr. */
static void check_refused(const struct server_options *options, int exit_code, const char *text)
{
    struct server_process server;
    if (server_try_start(&server, options, fixture.scratch, FAULT_TIMEOUT_MS)) {
        check(false, "it serves, expected exit code %d", exit_code);
        server_kill(&server);
        return;
    }
    char *said = server_stderr(&server);
    check(server.exit_code == exit_code, "exit code %d, expected %d; stderr:\n%s", server.exit_code,
          exit_code, said);
    check(said[0] != '\0', "it says nothing");
    check(text == NULL || strcasestr(said, text) != NULL, "\"%s\" is not in:\n%s", text, said);
    free(said);
}

static const char *path_in_scratch(const char *name)
{
    static char paths[8][SCRATCH_PATH_BYTES + 64];
    static unsigned next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", fixture.scratch, name);
    return path;
}

static struct server_options options_on(const char *name)
{
    return (struct server_options){
        .data = path_in_scratch(name),
        .cores = core_count,
        .more = SMALL_SEGMENTS,
    };
}

/* A data directory with some reservations in it, cleanly stopped. Returns its state hash. */
static uint64_t fill(const struct server_options *options, uint32_t reservations)
{
    enum { BATCH_ROWS = 1000 };
    static struct raw_row rows[BATCH_ROWS];
    static struct raw_answer answers[BATCH_ROWS];
    struct server_process server;
    struct raw_client client;
    uint64_t hash = 0;
    server_start(&server, options, fixture.scratch);
    raw_open(&client, server.port, -1);
    for (uint64_t item_id = 1; item_id <= 8; item_id++)
        raw_item_make(&client, item_id, -1);
    for (uint32_t made = 0; made < reservations; made += BATCH_ROWS) {
        for (uint32_t i = 0; i < BATCH_ROWS; i++)
            rows[i] = (struct raw_row){
                .type = FRAME_RESERVE,
                .item_id = 1 + (made + i) % 8,
                .id_high = 1,
                .id_low = made + i + 1,
                .quantity = 1,
            };
        raw_rows(&client, RAW_SHORT, rows, BATCH_ROWS, answers);
        check(answers[0].result == RESULT(OK), "%s", raw_result_name(answers[0].result));
    }
    raw_close(&client);
    server_stop(&server);
    check(server_state_hash_at_stop(&server, &hash), "no state hash at stop");
    return hash;
}

static void check_opens_with(const struct server_options *options, uint64_t hash)
{
    struct server_process server;
    uint64_t at_start = 0;
    server_start(&server, options, fixture.scratch);
    check(server_state_hash_at_start(&server, &at_start), "no state hash at start");
    check(at_start == hash, "state hash %016" PRIx64 ", expected %016" PRIx64, at_start, hash);
    server_stop(&server);
}

/* The first file below `folder` whose name begins and ends so. */
static const char *wanted_start = "";
static const char *wanted_end;
static char found_file[4096];

static int look_at_file(const char *path, const struct stat *info, int kind, struct FTW *position)
{
    (void)info;
    if (strncmp(path + position->base, wanted_start, strlen(wanted_start)) != 0)
        return 0;
    const size_t bytes = strlen(path), end_bytes = strlen(wanted_end);
    if (kind != FTW_F || bytes < end_bytes || strcmp(path + bytes - end_bytes, wanted_end) != 0)
        return 0;
    snprintf(found_file, sizeof found_file, "%s", path);
    return 1;
}

static const char *find_file(const char *folder, const char *end)
{
    wanted_end = end;
    found_file[0] = '\0';
    nftw(folder, look_at_file, 16, FTW_PHYS);
    check_must(found_file[0] != '\0', "no file %s in %s", end, folder);
    return found_file;
}

static void read_at(const char *path, off_t offset, void *to, size_t bytes)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    check_must(fd >= 0 && pread(fd, to, bytes, offset) == (ssize_t)bytes, "%s: %s", path,
               strerror(errno));
    close(fd);
}

static void write_at(const char *path, off_t offset, const void *from, size_t bytes)
{
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    check_must(fd >= 0 && pwrite(fd, from, bytes, offset) == (ssize_t)bytes, "%s: %s", path,
               strerror(errno));
    close(fd);
}

/* ------------------------------------------------------------------------------------------------
 * Options
 * ---------------------------------------------------------------------------------------------- */

static void check_usage(const char *first, const char *second, const char *text)
{
    const char *const more[] = {first, second, NULL};
    struct server_options options = options_on("usage");
    options.more = more;
    check_refused(&options, SERVER_EXIT_USAGE, text);
    check(access(options.data, F_OK) != 0, "%s %s made a data directory", first, second);
}

static void wrong_options_are_named(void)
{
    check_usage("--no-such-option", "1", "no-such-option");
    check_usage("--cores", "0", "cores");
    check_usage("--cores", "65", "cores");
    check_usage("--cores", "two", "cores");
    check_usage("--cores", "-1", "cores");
    check_usage("--durability", "maybe", "durability");
    check_usage("--max-items", "0", "max-items");
    check_usage("--max-reservations", "1e9", "max-reservations");
    check_usage("--max-buyers", "18446744073709551617", "max-buyers");
    check_usage("--max-connections", "", "max-connections");
    check_usage("--retention", "soon", "retention");
    check_usage("--segment-size", "1MiB", "segment-size");
    check_usage("--segment-size", "8388609", "segment-size");
    check_usage("--snapshot-after", "much", "snapshot-after");
    check_usage("--snapshot-every", "often", "snapshot-every");
    check_usage("--snapshot-every", "10", "snapshot-every");
    check_usage("--archive", "", "archive");
    check_usage("--listen", "7411", "listen");
    check_usage("--listen", "127.0.0.1:99999", "listen");
    check_usage("--listen", "127.0.0.1:", "listen");
    check_usage("surplus", NULL, "surplus");
    check_usage("--cores", NULL, "cores");
    const struct server_options no_data = {.cores = 1};
    check_refused(&no_data, SERVER_EXIT_USAGE, "--data");
}

/* ------------------------------------------------------------------------------------------------
 * The data directory
 * ---------------------------------------------------------------------------------------------- */

static void data_directory_in_use_is_refused(void)
{
    const struct server_options options = options_on("in_use");
    struct server_process first;
    server_start(&first, &options, fixture.scratch);
    check_refused(&options, SERVER_EXIT_IN_USE, "in use");
    struct raw_client client;
    raw_open(&client, first.port, -1); /* and the first one goes on */
    raw_item_make(&client, 1, 10);
    raw_close(&client);
    server_kill(&first);
    server_start(&first, &options, fixture.scratch); /* a killed server leaves no lock */
    server_stop(&first);
}

/* Rewrites "format 1" to "format 2", with a right checksum. */
static void age_manifest(const char *path)
{
    char text[4096] = {0}, line[64];
    const int fd = open(path, O_RDWR | O_CLOEXEC);
    check_must(fd >= 0 && read(fd, text, sizeof text - 1) > 0, "%s: %s", path, strerror(errno));
    char *format = strstr(text, "format 1\n");
    char *checksum = strstr(text, "checksum ");
    check_must(format != NULL && checksum != NULL, "not a manifest: %s", text);
    format[7] = '2';
    const size_t signed_bytes = (size_t)(checksum - text);
    snprintf(line, sizeof line, "checksum %016" PRIx64 "\n",
             (uint64_t)XXH3_64bits(text, signed_bytes));
    memcpy(checksum, line, strlen(line));
    check_must(pwrite(fd, text, strlen(text), 0) == (ssize_t)strlen(text), "%s", strerror(errno));
    close(fd);
}

static void manifest_of_another_version_is_refused(void)
{
    const struct server_options options = options_on("version");
    fill(&options, 1000);
    age_manifest(find_file(options.data, "MANIFEST"));
    check_refused(&options, SERVER_EXIT_VERSION, "version");
}

static void segment_of_another_version_is_refused(void)
{
    enum { BLOCK = 4096, CHECKED_FROM = 16, VERSION_AT = 16, CHECKSUM_AT = 8 };
    const struct server_options options = options_on("segment_version");
    fill(&options, 1000);
    const char *segment = find_file(options.data, "000000000001.log");
    uint8_t block[BLOCK];
    read_at(segment, 0, block, sizeof block);
    block[VERSION_AT] = 2;
    const uint64_t checksum = XXH3_64bits(block + CHECKED_FROM, BLOCK - CHECKED_FROM);
    memcpy(block + CHECKSUM_AT, &checksum, sizeof checksum);
    write_at(segment, 0, block, sizeof block);
    check_refused(&options, SERVER_EXIT_VERSION, "version");
}

static void folder_of_somebody_else_is_refused_and_left_alone(void)
{
    const struct server_options options = options_on("foreign");
    check_must(mkdir(options.data, 0777) == 0, "mkdir");
    char file[SCRATCH_PATH_BYTES + 128];
    snprintf(file, sizeof file, "%s/letter.txt", options.data);
    FILE *letter = fopen(file, "w");
    check_must(letter != NULL, "%s", file);
    fputs("Dear Anna\n", letter);
    fclose(letter);
    check_refused(&options, SERVER_EXIT_DAMAGED, options.data);
    char text[16] = {0};
    read_at(file, 0, text, 10);
    check(strcmp(text, "Dear Anna\n") == 0, "the file has changed");
    unlink(file);
    check(rmdir(options.data) == 0, "something was left in it: %s", strerror(errno));
}

static void damaged_manifest_is_refused(void)
{
    const struct server_options options = options_on("manifest");
    fill(&options, 1000);
    write_at(find_file(options.data, "MANIFEST"), 30, "#", 1);
    check_refused(&options, SERVER_EXIT_DAMAGED, "MANIFEST");
}

/* A changed byte in a group that others follow: the log said yes to what is lost there. */
static void damage_inside_the_log_is_refused_by_file_and_offset(void)
{
    const struct server_options options = options_on("damage");
    fill(&options, 20000);
    const char *segment = find_file(options.data, "000000000001.log");
    uint8_t byte;
    read_at(segment, 4096 + 200, &byte, 1);
    byte ^= 1;
    write_at(segment, 4096 + 200, &byte, 1);
    check_refused(&options, SERVER_EXIT_DAMAGED, "000000000001.log");
    check_refused(&options, SERVER_EXIT_DAMAGED, "4096");
    byte ^= 1;
    write_at(segment, 4096 + 200, &byte, 1); /* nothing else was touched */
    struct server_process server;
    server_start(&server, &options, fixture.scratch);
    server_stop(&server);
}

/* The first block behind the last one that holds anything. */
static off_t end_of_log(const char *segment)
{
    enum { BLOCK = 4096 };
    struct stat info;
    uint8_t block[BLOCK];
    check_must(stat(segment, &info) == 0, "%s", segment);
    off_t end = info.st_size;
    while (end > 0) {
        read_at(segment, end - BLOCK, block, sizeof block);
        for (int i = 0; i < BLOCK; i++)
            if (block[i] != 0)
                return end;
        end -= BLOCK;
    }
    return end;
}

/* Bytes behind the last group are the write that was in flight when the machine stopped. */
static void torn_tail_is_cut_and_kept_as_a_copy(void)
{
    const struct server_options options = options_on("torn");
    const uint64_t hash = fill(&options, 5000);
    uint8_t garbage[3 * 4096];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = (uint8_t)(i * 31 + i / 256 + 1);
    const char *segment = find_file(options.data, "000000000001.log");
    write_at(segment, end_of_log(segment), garbage, sizeof garbage);
    check_opens_with(&options, hash);
    check_opens_with(&options, hash);
    wanted_start = "torn-";
    find_file(options.data, "");
    wanted_start = "";
}

/* Opening a pipe waits for its other end, which never comes. */
static void pipe_in_place_of_a_segment_is_refused(void)
{
    const struct server_options options = options_on("pipe");
    fill(&options, 1000);
    const char *segment = find_file(options.data, "000000000001.log");
    check_must(unlink(segment) == 0 && mkfifo(segment, 0600) == 0, "%s", strerror(errno));
    check_refused(&options, SERVER_EXIT_DAMAGED, "000000000001.log");
}

/* ------------------------------------------------------------------------------------------------
 * Snapshots
 * ---------------------------------------------------------------------------------------------- */

static uint64_t hash_of_running(const struct server_process *server)
{
    struct raw_client client;
    raw_open(&client, server->port, -1);
    const uint64_t hash = raw_stat_sum(&client, true).state_hash;
    raw_close(&client);
    return hash;
}

/* Two snapshots of each core, and what was done since; the server is killed. Returns the hash. */
static uint64_t fill_with_snapshots(const struct server_options *options)
{
    struct server_process server;
    struct raw_client client;
    fill(options, 2000); /* one at the stop */
    server_start(&server, options, fixture.scratch);
    raw_open(&client, server.port, -1);
    for (uint64_t item_id = 1000; item_id < 1050; item_id++)
        raw_item_make(&client, item_id, 10);
    for (uint32_t core = 0; core < core_count; core++)
        check(raw_snapshot_take(&client, core).result == RESULT(OK), "no snapshot");
    for (uint64_t item_id = 2000; item_id < 2050; item_id++)
        raw_item_make(&client, item_id, 10);
    raw_close(&client);
    const uint64_t hash = hash_of_running(&server);
    server_kill(&server);
    return hash;
}

/* Snapshots of core 0, from the oldest on. */
static void find_snapshots(const char *data, glob_t *found)
{
    char pattern[SCRATCH_PATH_BYTES + 96];
    snprintf(pattern, sizeof pattern, "%s/era-000001/core-000/snapshot-*", data);
    check_must(glob(pattern, 0, NULL, found) == 0 && found->gl_pathc == 2, "%s: %zu", pattern,
               found->gl_pathc);
}

static void flip(const char *path, off_t offset)
{
    uint8_t byte;
    read_at(path, offset, &byte, 1);
    byte ^= 1;
    write_at(path, offset, &byte, 1);
}

/* Starts, with this state, and says this about this file. The server is killed. */
static void check_starts_and_says(const struct server_options *options, uint64_t hash,
                                  const char *path, const char *text)
{
    struct server_process server;
    server_start(&server, options, fixture.scratch);
    check(hash_of_running(&server) == hash, "another state");
    check(server_said(&server, strrchr(path, '/') + 1) && server_said(&server, text),
          "\"%s\" is not said of %s", text, path);
    server_kill(&server);
}

static void damaged_snapshot_is_told_and_the_one_before_it_used(void)
{
    glob_t found;
    const struct server_options options = options_on("damaged_snapshot");
    const uint64_t hash = fill_with_snapshots(&options);
    find_snapshots(options.data, &found);
    flip(found.gl_pathv[1], 4096 + 200);
    check_starts_and_says(&options, hash, found.gl_pathv[1], "damaged");
    check_starts_and_says(&options, hash, found.gl_pathv[1], "starting from the snapshot before");
    flip(found.gl_pathv[0], 8);
    check_starts_and_says(&options, hash, found.gl_pathv[0], "damaged");
    flip(found.gl_pathv[0], 8);
    flip(found.gl_pathv[1], 4096 + 200);
    check_opens_with(&options, hash);
    globfree(&found);
}

static void snapshot_of_another_version_is_refused(void)
{
    enum { BLOCK = 4096, CHECKED_FROM = 16, VERSION_AT = 16, CHECKSUM_AT = 8 };
    glob_t found;
    uint8_t block[BLOCK];
    const struct server_options options = options_on("snapshot_version");
    fill_with_snapshots(&options);
    find_snapshots(options.data, &found);
    read_at(found.gl_pathv[1], 0, block, sizeof block);
    block[VERSION_AT] = 2;
    const uint64_t checksum = XXH3_64bits(block + CHECKED_FROM, BLOCK - CHECKED_FROM);
    memcpy(block + CHECKSUM_AT, &checksum, sizeof checksum);
    write_at(found.gl_pathv[1], 0, block, sizeof block);
    check_refused(&options, SERVER_EXIT_VERSION, strrchr(found.gl_pathv[1], '/') + 1);
    globfree(&found);
}

/* A snapshot under the name of another one. */
static void misplaced_snapshot_is_told_and_the_one_before_it_used(void)
{
    char path[SCRATCH_PATH_BYTES + 128], own[SCRATCH_PATH_BYTES + 128];
    glob_t found;
    const struct server_options options = options_on("misplaced_snapshot");
    const uint64_t hash = fill_with_snapshots(&options);
    find_snapshots(options.data, &found);
    snprintf(own, sizeof own, "%s", found.gl_pathv[1]);
    globfree(&found);
    snprintf(path, sizeof path, "%s/era-000001/core-000/snapshot-00000000000000999999",
             options.data);
    check_must(rename(own, path) == 0, "%s", strerror(errno));
    check_starts_and_says(&options, hash, path, "another LSN");
    check_must(rename(path, own) == 0, "%s", strerror(errno));
    if (core_count > 1) {
        wanted_start = "snapshot-";
        snprintf(path, sizeof path, "%s/era-000001/core-001", options.data);
        const char *foreign = find_file(path, "");
        wanted_start = "";
        check_must(unlink(own) == 0 && link(foreign, own) == 0, "%s", strerror(errno));
        check_starts_and_says(&options, hash, own, "another core");
    }
    check_opens_with(&options, hash);
}

enum odd_thing { FULL_FOLDER, LINK, PIPE, ODD_THINGS };

static void put(enum odd_thing what, const char *path, const char *linked)
{
    char inside[SCRATCH_PATH_BYTES + 160];
    snprintf(inside, sizeof inside, "%s/inside", path);
    int error = 0;
    switch (what) {
    case FULL_FOLDER:
        error = mkdir(path, 0700) != 0 || mkdir(inside, 0700) != 0;
        break;
    case LINK:
        error = symlink(linked, path);
        break;
    default:
        error = mkfifo(path, 0600);
        break;
    }
    check_must(error == 0, "%s: %s", path, strerror(errno));
}

static void serve_and_take_a_snapshot(const struct server_options *options, uint64_t hash,
                                      uint64_t new_item_id, bool is_possible)
{
    struct server_process server;
    struct raw_client client;
    server_start(&server, options, fixture.scratch);
    check(hash_of_running(&server) == hash, "another state");
    raw_open(&client, server.port, -1);
    while (raw_core_of(new_item_id, core_count) != 0)
        new_item_id++;
    raw_item_make(&client, new_item_id, 10);
    const uint32_t result = raw_snapshot_take(&client, 0).result;
    check(result == (is_possible ? RESULT(OK) : RESULT(READ_ONLY)), "snapshot: %s",
          raw_result_name(result));
    raw_close(&client);
    server_kill(&server);
}

/* Of an unfinished file nothing is needed: it goes, and nothing behind a link is touched. A folder
 * that is not empty is somebody's. */
static void odd_things_under_the_names_of_unfinished_files_do_no_harm(void)
{
    static const char *const NAMES[] = {"snapshot.new", "segment.new"};
    const char *somebodys = path_in_scratch("somebodys");
    const int fd = open(somebodys, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    check_must(fd >= 0 && write(fd, "mine", 4) == 4, "%s", strerror(errno));
    close(fd);
    const struct server_options whole = options_on("odd_things");
    const struct server_options options = options_on("odd_things_copy");
    const uint64_t hash = fill_with_snapshots(&whole);
    for (int name = 0; name < 2; name++)
        for (enum odd_thing what = 0; what < ODD_THINGS; what++) {
            char path[SCRATCH_PATH_BYTES + 128], content[4] = "";
            scratch_copy(whole.data, options.data);
            snprintf(path, sizeof path, "%s/era-000001/core-000/%s", options.data, NAMES[name]);
            (void)unlink(path); /* a stop may leave a segment that was being made */
            put(what, path, somebodys);
            if (what == FULL_FOLDER && name == 1)
                check_refused(&options, SERVER_EXIT_IO, "cannot remove segment.new");
            else
                serve_and_take_a_snapshot(&options, hash, 3000, what != FULL_FOLDER);
            read_at(somebodys, 0, content, sizeof content);
            check(memcmp(content, "mine", sizeof content) == 0, "what %s led to was written to",
                  path);
            scratch_remove(options.data);
        }
    check_opens_with(&whole, hash);
}

/* ------------------------------------------------------------------------------------------------
 * The archive
 * ---------------------------------------------------------------------------------------------- */

static void archive_of_another_server_is_refused(void)
{
    const char *const more[] = {"--segment-size", "8MiB", "--archive", path_in_scratch("archive"),
                                NULL};
    struct server_options options = options_on("archive_first");
    options.more = more;
    const uint64_t hash = fill(&options, 1000);
    check_opens_with(&options, hash);
    options.data = path_in_scratch("archive_second");
    check_refused(&options, SERVER_EXIT_DAMAGED, "archive of another server");
    options.more = NULL;
    fill(&options, 1000); /* without the archive it is a server like any other */
}

static void archive_that_is_the_data_directory_is_refused(void)
{
    struct server_options options = options_on("archive_itself");
    const char *const more[] = {"--segment-size", "8MiB", "--archive", options.data, NULL};
    const uint64_t hash = fill(&options, 1000);
    options.more = more;
    check_refused(&options, SERVER_EXIT_IN_USE, "the data directory itself");
    options.more = NULL;
    check_opens_with(&options, hash);
}

static void archive_that_cannot_be_made_is_named(void)
{
    const char *const more[] = {"--archive", "/proc/holdfast/archive", NULL};
    struct server_options options = options_on("archive_nowhere");
    options.more = more;
    check_refused(&options, SERVER_EXIT_IO, "/proc/holdfast/archive");
}

static void folder_that_cannot_be_made_is_named(void)
{
    const struct server_options options = options_on("no/such/parent");
    check_refused(&options, SERVER_EXIT_IO, "no/such/parent");
}

/* As root this needs another user; without it the folder's mode is enough. */
static void data_directory_without_permission_is_refused(void)
{
    char folder[] = "/tmp/holdfast-permission-XXXXXX"; /* the build tree may be closed to others */
    char data[64];
    check_must(mkdtemp(folder) != NULL, "mkdtemp: %s", strerror(errno));
    snprintf(data, sizeof data, "%s/data", folder);
    struct server_options options = {.data = data, .cores = core_count};
    const uint64_t hash = fill(&options, 1000);
    if (getuid() == 0) {
        options.uid = NOBODY;
        chmod(folder, 0755);
    }
    chmod(data, getuid() == 0 ? 0700 : 0000);
    check_refused(&options, SERVER_EXIT_PERMISSION, data);
    chmod(data, 0700);
    options.uid = 0;
    check_opens_with(&options, hash);
    scratch_remove(folder);
}

static void segment_without_permission_is_refused(void)
{
    char folder[] = "/tmp/holdfast-segment-XXXXXX";
    char data[64];
    check_must(mkdtemp(folder) != NULL, "mkdtemp: %s", strerror(errno));
    snprintf(data, sizeof data, "%s/data", folder);
    struct server_options options = {.data = data, .cores = core_count};
    if (getuid() == 0) {
        check_must(chown(folder, NOBODY, NOBODY) == 0, "chown: %s", strerror(errno));
        options.uid = NOBODY;
    }
    const uint64_t hash = fill(&options, 1000);
    const char *segment = find_file(data, "000000000001.log");
    chmod(segment, 0000);
    check_refused(&options, SERVER_EXIT_PERMISSION, "000000000001.log");
    chmod(segment, 0600);
    check_opens_with(&options, hash);
    scratch_remove(folder);
}

static void ordinary_user_can_run_the_server(void)
{
    if (getuid() != 0) {
        check_note("this is an ordinary user already");
        return;
    }
    char folder[] = "/tmp/holdfast-user-XXXXXX";
    char data[64];
    check_must(mkdtemp(folder) != NULL && chown(folder, NOBODY, NOBODY) == 0, "%s",
               strerror(errno));
    snprintf(data, sizeof data, "%s/data", folder);
    const struct server_options options = {.data = data, .cores = core_count, .uid = NOBODY};
    const uint64_t hash = fill(&options, 5000);
    check_opens_with(&options, hash);
    scratch_remove(folder);
}

/* ------------------------------------------------------------------------------------------------
 * The machine
 * ---------------------------------------------------------------------------------------------- */

/* A socket on a port of its own; `listen_on` (64 bytes) names it. */
static int take_port(char *listen_on)
{
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t bytes = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    check_must(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                   listen(fd, 1) == 0 && getsockname(fd, (struct sockaddr *)&address, &bytes) == 0,
               "%s", strerror(errno));
    snprintf(listen_on, 64, "127.0.0.1:%u", ntohs(address.sin_port));
    return fd;
}

static void port_in_use_is_refused(void)
{
    char listen_on[64];
    const int fd = take_port(listen_on);
    struct server_options options = options_on("port");
    options.listen = listen_on;
    check_refused(&options, SERVER_EXIT_LISTEN, listen_on);
    close(fd);
}

enum { MANIFEST_BYTES_MAX = 4096 };

static void read_manifest(const char *data, char *text)
{
    char path[SCRATCH_PATH_BYTES + 128];
    snprintf(path, sizeof path, "%s/MANIFEST", data);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    memset(text, 0, MANIFEST_BYTES_MAX);
    check_must(fd >= 0 && read(fd, text, MANIFEST_BYTES_MAX - 1) > 0, "%s: %s", path,
               strerror(errno));
    close(fd);
}

/* Without them a start has to read all logs, from the first era on. */
static void remove_snapshots(const char *data)
{
    char pattern[SCRATCH_PATH_BYTES + 64];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/era-*/core-*/snapshot-*", data);
    check_must(glob(pattern, 0, NULL, &found) == 0, "%s: none", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_must(unlink(found.gl_pathv[i]) == 0, "%s: %s", found.gl_pathv[i], strerror(errno));
    globfree(&found);
}

/* Another number of cores begins an era, but only of a server that serves. */
static void start_that_fails_begins_no_era(void)
{
    char before[MANIFEST_BYTES_MAX], after[MANIFEST_BYTES_MAX];
    char listen_on[64], segment[SCRATCH_PATH_BYTES + 128];
    uint8_t byte;
    struct server_options options = options_on("no_era");
    const uint64_t hash = fill(&options, 20000);
    read_manifest(options.data, before);

    const int fd = take_port(listen_on);
    options.cores = core_count + 1;
    options.listen = listen_on;
    check_refused(&options, SERVER_EXIT_LISTEN, listen_on);
    read_manifest(options.data, after);
    check(strcmp(before, after) == 0, "port in use: MANIFEST is\n%s", after);
    close(fd);

    options.listen = NULL;
    check_opens_with(&options, hash);
    read_manifest(options.data, before);
    check(strcmp(before, after) != 0, "no era was begun");
    remove_snapshots(options.data);

    snprintf(segment, sizeof segment, "%s/era-000001/core-000/000000000001.log", options.data);
    read_at(segment, 4096 + 200, &byte, 1);
    byte ^= 1;
    write_at(segment, 4096 + 200, &byte, 1);
    options.cores = core_count + 2;
    check_refused(&options, SERVER_EXIT_DAMAGED, "era-000001/core-000/000000000001.log");
    read_manifest(options.data, after);
    check(strcmp(before, after) == 0, "damaged past era: MANIFEST is\n%s", after);
    byte ^= 1;
    write_at(segment, 4096 + 200, &byte, 1);
    check_opens_with(&options, hash);
}

/* Two servers of one user on one port must not share the connections between them. */
static void port_of_another_holdfastd_is_refused(void)
{
    struct server_options options = options_on("port_first");
    struct server_process first;
    char listen_on[64];
    server_start(&first, &options, fixture.scratch);
    snprintf(listen_on, sizeof listen_on, "127.0.0.1:%u", first.port);
    options = options_on("port_second");
    options.listen = listen_on;
    check_refused(&options, SERVER_EXIT_LISTEN, listen_on);
    server_stop(&first);
}

static void host_that_does_not_exist_is_refused(void)
{
    struct server_options options = options_on("host");
    options.listen = "203.0.113.77:0"; /* TEST-NET-3: nobody's own address */
    check_refused(&options, SERVER_EXIT_LISTEN, "203.0.113.77");
}

static void blocked_io_uring_is_explained(void)
{
    struct server_options options = options_on("blocked");
    options.io_uring_blocked = true;
    check_refused(&options, SERVER_EXIT_NO_IO_URING, "io_uring");
    check_refused(&options, SERVER_EXIT_NO_IO_URING, "seccomp");
}

/* ------------------------------------------------------------------------------------------------
 * Signals
 * ---------------------------------------------------------------------------------------------- */

/* The signals that a process has handlers for; 0 when it can't be told. */
static uint64_t signals_caught(pid_t pid)
{
    char path[64];
    char line[256];
    uint64_t caught = 0;
    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "SigCgt:", 7) == 0)
            caught = strtoull(line + 7, NULL, 16);
    fclose(file);
    return caught;
}

/* On a busy machine a process may take its time to get to main(). */
static void wait_until_sigterm_is_heard(pid_t pid)
{
    for (int i = 0; i < 10000; i++) {
        if ((signals_caught(pid) >> (SIGTERM - 1) & 1) != 0)
            return;
        check_sleep_ms(1);
    }
    check(false, "the server does not listen to SIGTERM");
}

static void sigterm_while_loading_ends_cleanly_and_keeps_everything(void)
{
    const uint32_t reservations = check_is_sanitized() ? 20000 : 400000;
    const struct server_options options = options_on("load");
    const uint64_t hash = fill(&options, reservations);
    for (int delay_ms = 0; delay_ms <= 80; delay_ms += 20) {
        struct server_process server;
        uint64_t at_stop = 0;
        server_spawn(&server, &options, fixture.scratch);
        wait_until_sigterm_is_heard(server.pid);
        check_sleep_ms(delay_ms);
        server_signal(&server, SIGTERM);
        check_must(server_wait_exit(&server, 60000), "it has not ended");
        check(server.exit_code == SERVER_EXIT_OK, "exit code %d after %d ms", server.exit_code,
              delay_ms);
        if (server_state_hash_at_stop(&server, &at_stop))
            check(at_stop == hash, "state hash %016" PRIx64 " at stop", at_stop);
    }
    check_opens_with(&options, hash);
}

static void sigint_stops_cleanly_and_the_hash_is_the_same_at_the_next_start(void)
{
    const struct server_options options = options_on("sigint");
    fill(&options, 3000);
    struct server_process server;
    uint64_t at_stop = 0;
    server_start(&server, &options, fixture.scratch);
    server_signal(&server, SIGINT);
    check_must(server_wait_exit(&server, 30000), "it has not ended");
    check(server.exit_code == SERVER_EXIT_OK, "exit code %d", server.exit_code);
    check(server_state_hash_at_stop(&server, &at_stop), "no state hash at stop");
    check_opens_with(&options, at_stop);
}

static void check_is_null_device(pid_t pid, int fd)
{
    char path[64];
    char target[256] = "";
    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
    check(readlink(path, target, sizeof target - 1) > 0, "%s: %s", path, strerror(errno));
    check(strcmp(target, "/dev/null") == 0, "descriptor %d is %s", fd, target);
}

/* Else its own files would stand there, and get its messages. */
static void standard_files_that_are_closed_are_the_null_device(void)
{
    struct server_options options = options_on("closed");
    options.standard_files_closed = true;
    struct server_process server;
    server_start(&server, &options, fixture.scratch);
    check_is_null_device(server.pid, STDIN_FILENO);
    check_is_null_device(server.pid, STDERR_FILENO);
    server_signal(&server, SIGTERM);
    check_must(server_wait_exit(&server, 30000), "it has not ended");
    check(server.exit_code == SERVER_EXIT_OK, "exit code %d", server.exit_code);
}

static void idle_connections_do_not_hold_up_the_stop(void)
{
    const struct server_options options = options_on("idle");
    struct server_process server;
    struct raw_client greeted, silent;
    server_start(&server, &options, fixture.scratch);
    raw_open(&greeted, server.port, -1);
    check_must(raw_connect(&silent, server.port), "connect");
    const double start_ms = check_now_ms();
    server_stop(&server);
    const double took_ms = check_now_ms() - start_ms;
    check(took_ms < 5000, "it took %.0f ms", took_ms);
    raw_close(&greeted);
    raw_close(&silent);
}

/* A client that asks and never reads has no say in when the server stops. */
static void client_that_never_reads_does_not_hold_up_the_stop(void)
{
    enum { ITEMS = 100, REQUESTS = 3000, STOP_MS_MAX = 20000 };
    const struct server_options options = options_on("never_reads");
    struct server_process server;
    struct raw_client client;
    Holdfast__V1__ItemListRequest request = HOLDFAST__V1__ITEM_LIST_REQUEST__INIT;
    server_start(&server, &options, fixture.scratch);
    raw_open(&client, server.port, -1);
    for (uint64_t item_id = 1; item_id <= (uint64_t)ITEMS * core_count; item_id++)
        raw_item_make(&client, item_id, 1);
    for (int i = 0; i < REQUESTS; i++)
        raw_put(&client, FRAME_ITEM_LIST, &request.base);
    raw_flush(&client);
    check_sleep_ms(100);
    const double start_ms = check_now_ms();
    server_stop(&server);
    const double took_ms = check_now_ms() - start_ms;
    check(took_ms < STOP_MS_MAX, "it took %.0f ms", took_ms);
    raw_close(&client);
}

int main(int argc, char **argv)
{
    core_count = fixture_core_count(argc, argv);
    fixture_init(&fixture, "start", core_count, SMALL_SEGMENTS);
#define SITUATION(name) check_situation(#name), name()
    SITUATION(wrong_options_are_named);
    SITUATION(data_directory_in_use_is_refused);
    SITUATION(manifest_of_another_version_is_refused);
    SITUATION(segment_of_another_version_is_refused);
    SITUATION(folder_of_somebody_else_is_refused_and_left_alone);
    SITUATION(damaged_manifest_is_refused);
    SITUATION(damage_inside_the_log_is_refused_by_file_and_offset);
    SITUATION(torn_tail_is_cut_and_kept_as_a_copy);
    SITUATION(pipe_in_place_of_a_segment_is_refused);
    SITUATION(damaged_snapshot_is_told_and_the_one_before_it_used);
    SITUATION(snapshot_of_another_version_is_refused);
    SITUATION(misplaced_snapshot_is_told_and_the_one_before_it_used);
    SITUATION(odd_things_under_the_names_of_unfinished_files_do_no_harm);
    SITUATION(archive_of_another_server_is_refused);
    SITUATION(archive_that_is_the_data_directory_is_refused);
    SITUATION(archive_that_cannot_be_made_is_named);
    SITUATION(folder_that_cannot_be_made_is_named);
    SITUATION(data_directory_without_permission_is_refused);
    SITUATION(segment_without_permission_is_refused);
    SITUATION(ordinary_user_can_run_the_server);
    SITUATION(port_in_use_is_refused);
    SITUATION(start_that_fails_begins_no_era);
    SITUATION(port_of_another_holdfastd_is_refused);
    SITUATION(host_that_does_not_exist_is_refused);
    SITUATION(blocked_io_uring_is_explained);
    SITUATION(sigterm_while_loading_ends_cleanly_and_keeps_everything);
    SITUATION(sigint_stops_cleanly_and_the_hash_is_the_same_at_the_next_start);
    SITUATION(standard_files_that_are_closed_are_the_null_device);
    SITUATION(idle_connections_do_not_hold_up_the_stop);
    SITUATION(client_that_never_reads_does_not_hold_up_the_stop);
#undef SITUATION
    return fixture_finish(&fixture);
}
