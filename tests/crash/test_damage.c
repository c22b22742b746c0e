/* Damage at the start: a small data directory, with one byte of one file changed, for every byte;
 * cut short, emptied, removed; and what the server says then is compared with what
 * docs/log-format.md says (tests/lib/damage_judge.h). Whenever it starts, its state is the true
 * one.
 *
 *     crash_damage WHAT            HOLDFAST_DAMAGE_STEP=1 HOLDFAST_DAMAGE_ZEROS_STEP=1
 *                                  for all bytes, else each so many; another bit in each
 *
 *     history    two eras, a snapshot in the first and two in the second one, and the whole log
 *     logs       the same without snapshots: every byte of the log counts
 *     past       snapshots of both cores in the first era, none in the second
 *     end        what is left when the first era and the log before the snapshots are gone
 *
 * The server is inside of this process (tests/lib/server_inside.h), so that it can be loaded some
 * hundred times a second. */
#include "check.h"
#include "damage_judge.h"
#include "disk_image.h"
#include "raw_client.h"
#include "scratch.h"
#include "server_inside.h"

#include "base/diag.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

enum {
    BLOCK = 4096,
    SEGMENT_BYTES = 4 * BLOCK,
    LSNS_MAX = 256,
    HOLD_MS = 3600 * 1000,
    PAST_RETENTION_MS = 20,
    PATIENCE_MS = 20000,
};

static struct {
    char scratch[SCRATCH_PATH_BYTES];
    char data[SCRATCH_PATH_BYTES + 32];
    struct server_options options;
    struct raw_client client;
    uint64_t next_id;
    /* of the newest era's log: the state's hash when it went on with this LSN, 0 = not known */
    uint64_t hashes[LSNS_MAX];
    uint64_t next_lsn;
    struct judge_directory files;
    uint64_t step;       /* one in so many bytes, and cuts, is looked at ... */
    uint64_t zeros_step; /* ... and of those with nothing but zeros around them */
    bool is_place_open;  /* two logs are bad, and the logs of an era are read in any order */
    /* for people */
    uint64_t flips, cuts, loads, starts, torn, struck, damaged, versions;
} run;

/* ------------------------------------------------------------------------------------------------
 * What the server says
 * ---------------------------------------------------------------------------------------------- */

static struct {
    char lines[32][1024];
    uint32_t count;
} said;

/* In place of the one that writes to stderr. */
void diag(enum diag_level level, const char *format, ...)
{
    va_list arguments;
    if (level == DIAG_INFO || said.count == sizeof said.lines / sizeof *said.lines)
        return;
    va_start(arguments, format);
    vsnprintf(said.lines[said.count++], sizeof said.lines[0], format, arguments);
    va_end(arguments);
}

void diag_set_level(enum diag_level level)
{
    (void)level;
}

static uint32_t count_lines_with(const char *word)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < said.count; i++)
        count += strstr(said.lines[i], word) != NULL;
    return count;
}

/* ------------------------------------------------------------------------------------------------
 * Making directories
 * ---------------------------------------------------------------------------------------------- */

static void start(uint32_t cores, uint64_t retention_ms)
{
    run.options.core_count = cores;
    run.options.retention_ms = retention_ms;
    raw_open(&run.client, server_inside_start(run.data, &run.options), -1);
}

/* The directory as it is now is kept, as if the server were killed. */
static void kill_server(void)
{
    char left[sizeof run.data + 8];
    snprintf(left, sizeof left, "%s-left", run.data);
    scratch_copy(run.data, left);
    raw_close(&run.client);
    server_inside_stop();
    scratch_remove(run.data);
    check_must(rename(left, run.data) == 0, "%s: %s", left, strerror(errno));
}

static void note_hash(void)
{
    if (run.client.core_count != 1)
        return;
    const raw_stat stat = raw_stat_of(&run.client, 0, true);
    run.next_lsn = stat.log_last_lsn + 1;
    check_must(run.next_lsn < LSNS_MAX, "too long a log");
    run.hashes[run.next_lsn] = stat.state_hash;
}

static struct raw_answer ask(uint8_t type, uint64_t item_id, uint64_t id, uint32_t quantity,
                             uint64_t ms)
{
    const struct raw_row row = {
        .type = type,
        .item_id = item_id,
        .id_low = id,
        .buyer_id = 1 + id % 3,
        .quantity = quantity,
        .user_data = id,
        .hold_ms = ms,
        .expires_ms = ms,
    };
    const struct raw_answer answer = raw_one(&run.client, &row);
    check(answer.result == RESULT(OK), "operation %u: %s", type, raw_result_name(answer.result));
    note_hash();
    return answer;
}

static void make_item(uint64_t item_id)
{
    raw_settings settings = HOLDFAST__V1__ITEM_SETTINGS__INIT;
    char sku[16];
    settings.item_id = item_id;
    settings.stock = 100;
    settings.sku.data = (uint8_t *)sku;
    settings.sku.len = (size_t)snprintf(sku, sizeof sku, "SKU-%u", (unsigned)item_id);
    check(raw_item_create(&run.client, &settings).result == RESULT(OK), "create");
    note_hash();
    settings.stock = 200;
    check(raw_item_update(&run.client, &settings, UPDATE(STOCK)).result == RESULT(OK), "update");
    note_hash();
}

/* Holds that go all ways, on one item. */
static void trade(uint64_t item_id)
{
    const uint64_t id = run.next_id;
    run.next_id += 5;
    const struct raw_answer held = ask(FRAME_RESERVE, item_id, id, 2, HOLD_MS);
    ask(FRAME_RESERVE, item_id, id + 1, 3, HOLD_MS);
    ask(FRAME_CONFIRM, item_id, id + 1, 1, 0);
    ask(FRAME_RESERVE, item_id, id + 2, 1, HOLD_MS);
    ask(FRAME_CANCEL, item_id, id + 2, 0, 0);
    ask(FRAME_EXTEND, item_id, id, 0, held.expires_ms + 1000);
}

/* And one that runs out. */
static void let_one_expire(uint64_t item_id)
{
    const uint64_t before = raw_stat_sum(&run.client, false).expiries;
    const double give_up_ms = check_now_ms() + PATIENCE_MS;
    ask(FRAME_RESERVE, item_id, run.next_id++, 1, 1);
    while (raw_stat_sum(&run.client, false).expiries == before && check_now_ms() < give_up_ms)
        check_sleep_ms(1);
    check_must(check_now_ms() < give_up_ms, "nothing expires");
    note_hash();
}

/* Of the past era what has ended is forgotten. */
static void wait_until_forgotten(void)
{
    const double give_up_ms = check_now_ms() + PATIENCE_MS;
    raw_stat stat;
    do {
        check_sleep_ms(2);
        stat = raw_stat_sum(&run.client, false);
    } while (stat.reservations > stat.held && check_now_ms() < give_up_ms);
    check_must(check_now_ms() < give_up_ms, "nothing is forgotten");
}

static void take_snapshot(uint32_t core)
{
    check_must(raw_snapshot_take(&run.client, core).result == RESULT(OK), "no snapshot of core %u",
               core);
}

static uint64_t item_of_core(uint32_t core)
{
    uint64_t item_id = 1;
    while (raw_core_of(item_id, 2) != core)
        item_id++;
    return item_id;
}

/* The first era, of two cores. */
static void make_past(bool has_all_snapshots)
{
    const uint64_t items[] = {item_of_core(0), item_of_core(1)};
    start(2, PAST_RETENTION_MS);
    for (uint32_t core = 0; core < 2; core++) {
        make_item(items[core]);
        trade(items[core]);
    }
    take_snapshot(0);
    if (has_all_snapshots)
        take_snapshot(1);
    for (uint32_t core = 0; core < 2; core++)
        let_one_expire(items[core]);
    wait_until_forgotten();
    kill_server();
}

/* The second one, of one core: a snapshot is there from its beginning. */
static void make_present(void)
{
    start(1, HOLD_MS);
    trade(item_of_core(0));
    let_one_expire(item_of_core(1));
    take_snapshot(0);
    make_item(1000);
    trade(1000);
    kill_server();
}

static void remove_files(const char *pattern)
{
    char path[sizeof run.data + 64];
    glob_t found;
    snprintf(path, sizeof path, "%s/%s", run.data, pattern);
    check_must(glob(path, 0, NULL, &found) == 0, "%s: none", path);
    for (size_t i = 0; i < found.gl_pathc; i++)
        check_must(unlink(found.gl_pathv[i]) == 0, "%s", found.gl_pathv[i]);
    globfree(&found);
}

/* Snapshots until the first era and the first segments are gone. */
static void make_end(void)
{
    make_present();
    for (int life = 0; life < 2; life++) {
        start(1, HOLD_MS);
        for (int i = 0; i < 2; i++) {
            trade(item_of_core(1));
            take_snapshot(0);
        }
        ask(FRAME_RESERVE, item_of_core(0), run.next_id++, 1, HOLD_MS);
        ask(FRAME_RESERVE, item_of_core(0), run.next_id++, 1, HOLD_MS);
        kill_server();
    }
}

static void make(const char *what)
{
    run.next_id = 1;
    make_past(strcmp(what, "past") == 0);
    if (strcmp(what, "end") == 0)
        make_end();
    else
        make_present();
    if (strcmp(what, "logs") == 0)
        remove_files("era-*/core-*/snapshot-*");
    if (strcmp(what, "past") == 0)
        remove_files("era-000002/core-*/snapshot-*");
}

/* ------------------------------------------------------------------------------------------------
 * The directory in memory
 * ---------------------------------------------------------------------------------------------- */

static void path_of(const struct judge_file *file, char *to)
{
    snprintf(to, sizeof run.data + JUDGE_NAME_BYTES, "%s/%s", run.data, file->name);
}

static void read_file(struct judge_file *file)
{
    char path[sizeof run.data + JUDGE_NAME_BYTES];
    struct stat info;
    path_of(file, path);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    check_must(fd >= 0 && fstat(fd, &info) == 0, "%s: %s", path, strerror(errno));
    file->size = (uint64_t)info.st_size;
    file->bytes = calloc(1, file->size + 1);
    check_must(file->bytes != NULL && read(fd, file->bytes, file->size) == (ssize_t)file->size,
               "%s", path);
    close(fd);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct judge_file *)a)->name, ((const struct judge_file *)b)->name);
}

static void read_directory(void)
{
    char pattern[sizeof run.data + 32];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/era-*/core-*/*", run.data);
    check_must(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc < JUDGE_FILES_MAX, "%s",
               pattern);
    for (size_t i = 0; i < found.gl_pathc; i++)
        snprintf(run.files.files[run.files.file_count++].name, JUDGE_NAME_BYTES, "%s",
                 found.gl_pathv[i] + strlen(run.data) + 1);
    globfree(&found);
    snprintf(run.files.files[run.files.file_count++].name, JUDGE_NAME_BYTES, "MANIFEST");
    qsort(run.files.files, run.files.file_count, sizeof *run.files.files, by_name);
    for (uint32_t i = 0; i < run.files.file_count; i++)
        read_file(&run.files.files[i]);
}

/* The file on the disk gets what the one in memory has. */
static void write_file(const struct judge_file *file)
{
    char path[sizeof run.data + JUDGE_NAME_BYTES];
    path_of(file, path);
    if (file->is_gone) {
        check_must(unlink(path) == 0, "%s: %s", path, strerror(errno));
        return;
    }
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check_must(fd >= 0 && write(fd, file->bytes, file->size) == (ssize_t)file->size, "%s: %s", path,
               strerror(errno));
    close(fd);
}

static void write_bytes(const struct judge_file *file, uint64_t offset, uint64_t bytes)
{
    char path[sizeof run.data + JUDGE_NAME_BYTES];
    path_of(file, path);
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    check_must(fd >= 0 && pwrite(fd, file->bytes + offset, bytes, (off_t)offset) == (ssize_t)bytes,
               "%s: %s", path, strerror(errno));
    close(fd);
}

/* What a healing has done is undone. */
static void restore_all(void)
{
    char pattern[sizeof run.data + 32];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/era-*/core-*/torn-*", run.data);
    if (glob(pattern, 0, NULL, &found) == 0)
        for (size_t i = 0; i < found.gl_pathc; i++)
            check_must(unlink(found.gl_pathv[i]) == 0, "%s", found.gl_pathv[i]);
    globfree(&found);
    for (uint32_t i = 0; i < run.files.file_count; i++)
        write_file(&run.files.files[i]);
}

/* A start that heals nothing leaves everything as it was. */
static void check_untouched(void)
{
    char pattern[sizeof run.data + 32];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/era-*/core-*/*", run.data);
    check(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == run.files.file_count - 1,
          "there are %zu files", found.gl_pathc);
    globfree(&found);
    for (uint32_t i = 0; i < run.files.file_count; i++) {
        struct judge_file now = run.files.files[i];
        read_file(&now);
        check(now.size == run.files.files[i].size &&
                  memcmp(now.bytes, run.files.files[i].bytes, now.size) == 0,
              "%s has changed", now.name);
        free(now.bytes);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Judging
 * ---------------------------------------------------------------------------------------------- */

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash != NULL ? slash + 1 : name;
}

static void check_start(const struct judgement *expected, const struct server_inside_loaded *loaded,
                        const char *message, const char *what)
{
    if (loaded->status != SERVER_OK) {
        check(false, "%s: it does not start: %s", what, message);
        return;
    }
    const uint64_t hash = expected->next_lsn < LSNS_MAX ? run.hashes[expected->next_lsn] : 0;
    check(hash != 0 && loaded->totals.state_hash == hash,
          "%s: next LSN %" PRIu64 ", state hash %016" PRIx64 ", it was %016" PRIx64, what,
          expected->next_lsn, loaded->totals.state_hash, hash);
    for (uint32_t i = 0; i < expected->struck_count; i++)
        check(count_lines_with(base_name(expected->struck[i])) > 0, "%s: nothing is told of %s",
              what, expected->struck[i]);
    const uint32_t torn_lines = count_lines_with("torn at offset") + count_lines_with("cut short");
    check((torn_lines > 0) == expected->is_torn, "%s: torn is told %u times", what, torn_lines);
    check(said.count == 0 || expected->struck_count > 0 || expected->is_torn, "%s: it says %s",
          what, said.lines[0]);
    check(expected->struck_count == 0 || loaded->needs_past,
          "%s: with a snapshot less the past can go", what);
    run.starts++;
    run.torn += expected->is_torn;
    run.struck += expected->struck_count > 0;
}

static void check_refusal(const struct judgement *expected,
                          const struct server_inside_loaded *loaded, const char *message,
                          const char *what)
{
    const bool is_damage = expected->verdict == JUDGE_DAMAGED;
    char offset[32];
    snprintf(offset, sizeof offset, "offset %" PRIu64 ",", expected->offset);
    check(loaded->status == (is_damage ? SERVER_DAMAGED : SERVER_VERSION),
          "%s: status %d, expected %s in %s: %s", what, (int)loaded->status,
          is_damage ? "damage" : "another version", expected->file, message);
    run.damaged += is_damage;
    run.versions += !is_damage;
    if (loaded->status == SERVER_OK || run.is_place_open)
        return;
    check(strstr(message, base_name(expected->file)) != NULL, "%s: %s is not named: %s", what,
          expected->file, message);
    check(!expected->has_offset || strstr(message, offset) != NULL, "%s: not %s %s: %s", what,
          expected->file, offset, message);
}

/* Loads what is on the disk, which is what is in memory. True when it was healed. */
static bool load_and_compare(const char *what)
{
    char message[SERVER_MESSAGE_BYTES] = "";
    const struct judgement expected = judge(&run.files);
    said.count = 0;
    const struct server_inside_loaded loaded = server_inside_load(run.data, &run.options, message);
    run.loads++;
    if (expected.verdict == JUDGE_STARTS)
        check_start(&expected, &loaded, message, what);
    else
        check_refusal(&expected, &loaded, message, what);
    return expected.is_torn || loaded.status == SERVER_OK;
}

/* ------------------------------------------------------------------------------------------------
 * Damage
 * ---------------------------------------------------------------------------------------------- */

static bool is_among_zeros(const struct judge_file *file, uint64_t offset)
{
    enum { AROUND = 8 };
    const uint64_t first = offset < AROUND ? 0 : offset - AROUND;
    for (uint64_t i = first; i < offset + AROUND && i < file->size; i++)
        if (file->bytes[i] != 0)
            return false;
    return true;
}

static void change_byte(struct judge_file *file, uint64_t offset, uint8_t bit)
{
    char what[JUDGE_NAME_BYTES + 64];
    const uint8_t before = file->bytes[offset];
    snprintf(what, sizeof what, "%s, byte %" PRIu64 " changed", file->name, offset);
    file->bytes[offset] ^= (uint8_t)(1 << bit);
    write_bytes(file, offset, 1);
    const bool may_be_healed = load_and_compare(what);
    file->bytes[offset] = before;
    write_bytes(file, offset, 1);
    if (may_be_healed && said.count > 0)
        restore_all();
    run.flips++;
}

static void changed_bytes_are_judged_as_documented(void)
{
    uint64_t bytes_seen = 0, zeros_seen = 0;
    for (uint32_t i = 0; i < run.files.file_count && check_failures() == 0; i++) {
        struct judge_file *file = &run.files.files[i];
        for (uint64_t offset = 0; offset < file->size; offset++) {
            const bool is_due = is_among_zeros(file, offset) ? zeros_seen++ % run.zeros_step == 0
                                                             : bytes_seen++ % run.step == 0;
            if (is_due)
                change_byte(file, offset, run.flips % 8);
        }
    }
    check_untouched();
}

/* With so many bytes instead of all. */
static void cut(struct judge_file *file, uint64_t bytes)
{
    char what[JUDGE_NAME_BYTES + 64];
    const uint64_t before = file->size;
    snprintf(what, sizeof what, "%s, cut to %" PRIu64 " bytes", file->name, bytes);
    file->size = bytes;
    write_file(file);
    (void)load_and_compare(what);
    file->size = before;
    restore_all();
    run.cuts++;
}

static void cut_files_are_judged_as_documented(void)
{
    for (uint32_t i = 0; i < run.files.file_count && check_failures() == 0; i++) {
        struct judge_file *file = &run.files.files[i];
        const uint64_t step = file->size < BLOCK ? run.step : run.zeros_step;
        for (uint64_t bytes = 0; bytes < file->size; bytes += step)
            cut(file, bytes);
        for (uint64_t bytes = BLOCK; bytes < file->size; bytes += BLOCK) {
            cut(file, bytes - 1);
            cut(file, bytes);
            cut(file, bytes + 1);
        }
    }
}

static void missing_files_are_judged_as_documented(void)
{
    for (uint32_t i = 0; i < run.files.file_count && check_failures() == 0; i++) {
        struct judge_file *file = &run.files.files[i];
        char what[JUDGE_NAME_BYTES + 64];
        snprintf(what, sizeof what, "%s, removed", file->name);
        file->is_gone = true;
        write_file(file);
        (void)load_and_compare(what);
        file->is_gone = false;
        restore_all();
    }
}

/* From `offset` to `end` of the file. */
static void clear(struct judge_file *file, uint64_t offset, uint64_t end)
{
    char what[JUDGE_NAME_BYTES + 64];
    uint8_t *before = malloc(file->size);
    snprintf(what, sizeof what, "%s, zero from %" PRIu64 " to %" PRIu64, file->name, offset, end);
    memcpy(before, file->bytes, file->size);
    memset(file->bytes + offset, 0, end - offset);
    write_file(file);
    (void)load_and_compare(what);
    memcpy(file->bytes, before, file->size);
    free(before);
    restore_all();
}

static void lost_blocks_are_judged_as_documented(void)
{
    for (uint32_t i = 0; i < run.files.file_count && check_failures() == 0; i++) {
        struct judge_file *file = &run.files.files[i];
        for (uint64_t offset = 0; offset + BLOCK <= file->size; offset += BLOCK) {
            clear(file, offset, offset + BLOCK);
            clear(file, offset, offset + BLOCK / 2);
            clear(file, offset + BLOCK / 2, offset + BLOCK);
            clear(file, offset, file->size);
        }
    }
}

static void swapped_files_are_judged_as_documented(void)
{
    run.is_place_open = true;
    for (uint32_t i = 0; i < run.files.file_count && check_failures() == 0; i++)
        for (uint32_t k = i + 1; k < run.files.file_count; k++) {
            struct judge_file *a = &run.files.files[i], *b = &run.files.files[k];
            const struct judge_file a_before = *a, b_before = *b;
            char what[2 * JUDGE_NAME_BYTES + 64];
            snprintf(what, sizeof what, "%s and %s, swapped", a->name, b->name);
            a->bytes = b_before.bytes;
            a->size = b_before.size;
            b->bytes = a_before.bytes;
            b->size = a_before.size;
            write_file(a);
            write_file(b);
            (void)load_and_compare(what);
            *a = a_before;
            *b = b_before;
            restore_all();
        }
    run.is_place_open = false;
}

/* The header of a segment or a snapshot says version 2, with a right checksum. */
static void age_block(struct judge_file *file)
{
    uint8_t before[BLOCK];
    char what[JUDGE_NAME_BYTES + 64];
    snprintf(what, sizeof what, "%s, of version 2", file->name);
    memcpy(before, file->bytes, BLOCK);
    file->bytes[16] = 2;
    const uint64_t checksum = XXH3_64bits(file->bytes + 16, BLOCK - 16);
    memcpy(file->bytes + 8, &checksum, sizeof checksum);
    write_file(file);
    (void)load_and_compare(what);
    memcpy(file->bytes, before, BLOCK);
    restore_all();
}

static void age_manifest(struct judge_file *file)
{
    char text[8192], line[64];
    uint8_t *const bytes = file->bytes;
    memcpy(text, bytes, file->size);
    text[file->size] = '\0';
    strstr(text, "format 1")[7] = '2';
    char *checksum = strstr(text, "checksum ");
    snprintf(line, sizeof line, "checksum %016" PRIx64 "\n",
             (uint64_t)XXH3_64bits(text, (size_t)(checksum - text)));
    memcpy(checksum, line, strlen(line));
    file->bytes = (uint8_t *)text;
    write_file(file);
    (void)load_and_compare("MANIFEST, of format 2");
    file->bytes = bytes;
    restore_all();
}

static void other_versions_are_judged_as_documented(void)
{
    for (uint32_t i = 0; i < run.files.file_count && check_failures() == 0; i++) {
        struct judge_file *file = &run.files.files[i];
        if (strcmp(file->name, "MANIFEST") == 0)
            age_manifest(file);
        else if (memcmp(file->bytes, "HFSEGMNT", 8) == 0 || memcmp(file->bytes, "HFSNAPSH", 8) == 0)
            age_block(file);
    }
}

static uint64_t choose_step(const char *name, uint64_t release_step, uint64_t sanitized_step)
{
    const char *text = getenv(name);
    if (text != NULL && strtoull(text, NULL, 10) > 0)
        return strtoull(text, NULL, 10);
    return check_is_sanitized() ? sanitized_step : release_step;
}

int main(int argc, char **argv)
{
    static const char *const WHAT[] = {"history", "logs", "past", "end"};
    char reason[256];
    bool is_known = false;
    for (size_t i = 0; argc == 2 && i < sizeof WHAT / sizeof *WHAT; i++)
        is_known |= strcmp(argv[1], WHAT[i]) == 0;
    if (!is_known) {
        fprintf(stderr, "usage: %s history|logs|past|end\n", argv[0]);
        return 2;
    }
    run.step = choose_step("HOLDFAST_DAMAGE_STEP", 1, 97);
    run.zeros_step = choose_step("HOLDFAST_DAMAGE_ZEROS_STEP", 499, 5003);
    run.options = (struct server_options){
        .item_count_max = 64,
        .reservation_count_max = 256,
        .buyer_count_max = 256,
        .connection_count_max = 4,
        .batch_rows_max = 1,
        .segment_bytes = SEGMENT_BYTES,
        .durability = WAL_SYNC,
        .version = "test",
    };
    scratch_make("damage", run.scratch);
    snprintf(run.data, sizeof run.data, "%s/data", run.scratch);
    const bool is_in_memory = disk_image_enter(reason); /* faster, and no need */
    if (is_in_memory)
        disk_image_mount_memory(run.scratch, 256ull << 20);

    check_situation("whole_directory_starts");
    make(argv[1]);
    read_directory();
    restore_all();
    (void)load_and_compare("as it was made");
    check_untouched();
#define SITUATION(name)                                                                            \
    do {                                                                                           \
        check_situation(#name);                                                                    \
        if (check_failures() == 0)                                                                 \
            name();                                                                                \
    } while (0)
    SITUATION(changed_bytes_are_judged_as_documented);
    SITUATION(cut_files_are_judged_as_documented);
    SITUATION(missing_files_are_judged_as_documented);
    SITUATION(lost_blocks_are_judged_as_documented);
    SITUATION(swapped_files_are_judged_as_documented);
    SITUATION(other_versions_are_judged_as_documented);
#undef SITUATION
    check_note("%u files, %" PRIu64 " changed bytes (one in %" PRIu64
               ", among zeros one in %" PRIu64 "), %" PRIu64 " cuts",
               run.files.file_count, run.flips, run.step, run.zeros_step, run.cuts);
    check_note("%" PRIu64 " loadings: %" PRIu64 " started (%" PRIu64 " healed, %" PRIu64
               " without a snapshot), %" PRIu64 " damaged, %" PRIu64 " of another version",
               run.loads, run.starts, run.torn, run.struck, run.damaged, run.versions);
    const int exit_code = check_finish();
    for (uint32_t i = 0; i < run.files.file_count; i++)
        free(run.files.files[i].bytes);
    if (is_in_memory)
        disk_image_unmount_memory(run.scratch);
    if (exit_code == 0)
        scratch_remove(run.scratch);
    return exit_code;
}
