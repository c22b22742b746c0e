/* A log is a list of the groups seen on the disk: where each stands and the checksum of its header,
 * which covers that of its records. So a group is known again without keeping its bytes.
 *
 * While the engine serves, every durable write of a log file is one group or one segment's header.
 * After a crash the write that was in flight may be there too: it is found by looking behind the
 * last group that was seen, in the same segment and then at the start of the next one.
 *
 * What was once on the disk has to stay, until two snapshots stand for it. Which segments may be
 * gone is worked out when names reach the medium, and asked when a segment loses its name and once
 * more after each restart. */
#include "witness_private.h"

#include "world.h"

#include "base/bytes.h"
#include "base/checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct witness witness;

struct log *witness_log(uint64_t era, uint32_t core)
{
    for (uint32_t i = witness.log_count; i > 0; i--)
        if (witness.logs[i - 1].era == era && witness.logs[i - 1].core == core)
            return &witness.logs[i - 1];
    witness.logs =
        book_room(witness.logs, sizeof *witness.logs, witness.log_count, &witness.log_room);
    struct log *log = &witness.logs[witness.log_count++];
    *log = (struct log){.era = era, .core = core, .next_lsn = 1, .full_call = BOOK_NONE};
    return log;
}

uint32_t witness_core_count_of(uint64_t era)
{
    for (uint32_t i = 0; i < witness.manifest.era_count; i++)
        if (witness.manifest.eras[i].number == era)
            return witness.manifest.eras[i].core_count;
    return 0;
}

static uint64_t newest_era(void)
{
    const struct log_manifest *manifest = &witness.manifest;
    return manifest->era_count == 0 ? 0 : manifest->eras[manifest->era_count - 1].number;
}

/* ---- names ---- */

void witness_folder_path(const struct log *log, char *to)
{
    char folder[LOG_NAME_BYTES_MAX];
    log_core_directory_name(log->era, log->core, folder);
    int bytes = snprintf(to, WITNESS_PATH_BYTES, "%s/%s", book.options.directory, folder);
    if (bytes >= WITNESS_PATH_BYTES)
        sim_fail("log", "the path of %s is too long", folder);
}

void witness_file_path(const struct log *log, const char *name, char *to)
{
    char folder[WITNESS_PATH_BYTES];
    witness_folder_path(log, folder);
    int bytes = snprintf(to, WITNESS_PATH_BYTES, "%s/%s", folder, name);
    if (bytes >= WITNESS_PATH_BYTES)
        sim_fail("log", "the path of %s is too long", name);
}

static void segment_path(const struct log *log, uint64_t segment_number, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(segment_number, name);
    witness_file_path(log, name, to);
}

/* The file of a core's folder that has this name. */
static void take_file_name(const char *name, struct witness_name *named)
{
    named->number = log_segment_file_number(name);
    if (named->number != 0)
        named->file = WITNESS_SEGMENT;
    else if (strcmp(name, LOG_SEGMENT_NEW_NAME) == 0)
        named->file = WITNESS_NEW_SEGMENT;
    else if (log_snapshot_file_lsn(name, &named->number))
        named->file = WITNESS_SNAPSHOT;
}

struct witness_name witness_name_of(const char *path)
{
    struct witness_name named = {.file = WITNESS_OTHER};
    const size_t directory_bytes = strlen(book.options.directory);
    char *end;
    if (strncmp(path, book.options.directory, directory_bytes) != 0)
        return named;
    path += directory_bytes;
    if (*path == '\0')
        named.file = WITNESS_DIRECTORY;
    if (strcmp(path, "/MANIFEST") == 0)
        named.file = WITNESS_MANIFEST;
    if (strncmp(path, "/era-", 5) != 0)
        return named;
    named.era = strtoull(path + 5, &end, 10);
    if (strncmp(end, "/core-", 6) != 0)
        return named;
    named.core = (uint32_t)strtoul(end + 6, &end, 10);
    if (*end == '\0')
        named.file = WITNESS_CORE_FOLDER;
    else if (*end == '/')
        take_file_name(end + 1, &named);
    return named;
}

/* ---- segments and groups ---- */

bool witness_read_segment_header(const struct log *log, uint64_t segment_number,
                                 struct log_segment_header *header_out)
{
    char path[WITNESS_PATH_BYTES];
    uint8_t block[LOG_BLOCK_BYTES];
    segment_path(log, segment_number, path);
    if (sim_disk_size(path) < LOG_BLOCK_BYTES)
        return false;
    sim_disk_read(path, 0, block, sizeof block);
    return log_segment_header_decode(block, header_out) == NULL &&
           header_out->segment_number == segment_number && header_out->era == log->era &&
           header_out->core == log->core;
}

/* Makes it the segment looked at. */
static bool look_at_segment(struct log *log, uint64_t segment_number)
{
    bool is_good = witness_read_segment_header(log, segment_number, &log->segment);
    log->segment_number = is_good ? segment_number : 0;
    return is_good;
}

const struct group *witness_group_ending_at(const struct log *log, uint64_t lsn)
{
    uint32_t low = 0;
    uint32_t high = log->group_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (log->groups[middle].first_lsn + log->groups[middle].record_count - 1 < lsn)
            low = middle + 1;
        else
            high = middle;
    }
    const struct group *group = low < log->group_count ? &log->groups[low] : NULL;
    return group != NULL && group->first_lsn + group->record_count - 1 == lsn ? group : NULL;
}

/* NULL when the bytes are a whole group for this place of the segment looked at. */
static const char *group_wrong(const struct log *log, uint64_t offset, const uint8_t *bytes,
                               uint64_t bytes_max, struct log_group_header *header,
                               uint64_t *header_checksum)
{
    const uint64_t seed = log_group_seed(log->segment.segment_uuid, offset);
    if (bytes_max < LOG_GROUP_HEADER_BYTES)
        return "it is cut";
    const char *wrong = log_group_header_decode(bytes, seed, header, header_checksum);
    if (wrong != NULL)
        return wrong;
    if (header->payload_bytes > bytes_max - LOG_GROUP_HEADER_BYTES)
        return "it is cut";
    if (checksum64(bytes + LOG_GROUP_HEADER_BYTES, header->payload_bytes, seed) !=
        header->payload_checksum)
        return "the checksum of the records is wrong";
    return NULL;
}

/* Which core of an era has an item is told to clients (docs/protocol.md) and decides which logs can
 * be read together: a server that reckoned otherwise would agree with itself, and with no other. */
static void check_owner(const struct log *log, const struct stock_record *record)
{
    const uint64_t item_id = stock_record_item_id(record);
    const uint32_t core_count = witness_core_count_of(log->era);
    if (core_count != 0 && checksum64_u64(item_id, 0) % core_count != log->core)
        sim_fail("log",
                 "era %" PRIu64 " core %" PRIu32 " LSN %" PRIu64 ": item %" PRIu64
                 " belongs to another core",
                 log->era, log->core, record->lsn, item_id);
}

static void note_records(const struct log *log, const struct group *group, const uint8_t *payload)
{
    uint32_t at = 0;
    uint64_t lsn = group->first_lsn;
    while (at < group->payload_bytes) {
        struct stock_record record = {0};
        const uint32_t left = group->payload_bytes - at;
        const uint32_t bytes = left >= LOG_RECORD_BYTES_MIN ? bytes_get_u16(payload + at) : left;
        const char *wrong = bytes > left || bytes == 0
                                ? "it is cut by the end of its group"
                                : stock_record_decode(payload + at, bytes, &record);
        if (wrong != NULL)
            sim_fail("log", "era %" PRIu64 " core %" PRIu32 " LSN %" PRIu64 ": no record: %s",
                     log->era, log->core, lsn, wrong);
        record.lsn = lsn++;
        check_owner(log, &record);
        if (record.time_ms > log->last_time_ms)
            sim_fail("time",
                     "era %" PRIu64 " core %" PRIu32 " LSN %" PRIu64 ": the record is of %" PRIu64
                     ", after its group (%" PRIu64 ")",
                     log->era, log->core, record.lsn, record.time_ms, log->last_time_ms);
        book_note_record(&record, log->era, log->core);
        at += bytes;
    }
    if (lsn - group->first_lsn != group->record_count)
        sim_fail("log",
                 "era %" PRIu64 " core %" PRIu32 ": the group at LSN %" PRIu64
                 " has another number of records than its header says",
                 log->era, log->core, group->first_lsn);
}

static uint64_t last_chain(const struct log *log)
{
    return log->group_count == 0 ? 0 : log->groups[log->group_count - 1].header_checksum;
}

/* A whole group that was not seen before. */
static void add_group(struct log *log, uint64_t offset, const uint8_t *bytes,
                      const struct log_group_header *header, uint64_t header_checksum)
{
    if (header->group_number != (uint64_t)log->group_count + 1 ||
        header->first_lsn != log->next_lsn || header->chain != last_chain(log))
        sim_fail("log",
                 "era %" PRIu64 " core %" PRIu32 ": group %" PRIu64 " from LSN %" PRIu64
                 " does not follow group %" PRIu32 ", after which LSN %" PRIu64 " comes",
                 log->era, log->core, header->group_number, header->first_lsn, log->group_count,
                 log->next_lsn);
    log->groups = book_room(log->groups, sizeof *log->groups, log->group_count, &log->group_room);
    struct group *group = &log->groups[log->group_count++];
    *group = (struct group){
        .segment_number = log->segment_number,
        .offset = offset,
        .header_checksum = header_checksum,
        .first_lsn = header->first_lsn,
        .epoch = header->epoch,
        .time_ms = header->time_ms,
        .payload_bytes = header->payload_bytes,
        .record_count = header->record_count,
    };
    log->next_lsn += header->record_count;
    if (header->durable_group + 1 != header->group_number)
        sim_fail("log",
                 "era %" PRIu64 " core %" PRIu32 ": group %" PRIu64 " names group %" PRIu64
                 " as the last that was durable, and one write is in flight at most",
                 log->era, log->core, header->group_number, header->durable_group);
    if (header->time_ms < log->last_time_ms)
        sim_fail("time",
                 "era %" PRIu64 " core %" PRIu32 ": group %" PRIu64 " is of %" PRIu64
                 ", before the group in front of it (%" PRIu64 ")",
                 log->era, log->core, header->group_number, header->time_ms, log->last_time_ms);
    log->last_time_ms = header->time_ms;
    if (header->time_ms > witness.last_time_ms)
        witness.last_time_ms = header->time_ms;
    note_records(log, group, bytes + LOG_GROUP_HEADER_BYTES);
}

/* ---- room ---- */

/* An answer that was given when room lacked, and what tells the engine that it does no more, may be
 * as long on their way. */
enum { NEWS_MS = 1000, ARRIVES_SECONDS = 10 };

/* Of the segment in use, behind the last group. */
static uint64_t bytes_left(const struct log *log, uint64_t *segment_bytes_out)
{
    struct log_segment_header header;
    const struct group *last = log->group_count == 0 ? NULL : &log->groups[log->group_count - 1];
    const uint64_t number = last == NULL ? 0 : last->segment_number;
    if (witness_read_segment_header(log, number + 1, &header)) {
        *segment_bytes_out = header.segment_bytes;
        return header.segment_bytes - LOG_BLOCK_BYTES;
    }
    *segment_bytes_out = UINT64_MAX;
    if (last == NULL || !witness_read_segment_header(log, number, &header))
        return UINT64_MAX;
    *segment_bytes_out = header.segment_bytes;
    return header.segment_bytes - last->offset - log_group_bytes(last->payload_bytes);
}

static bool is_low(const struct log *log)
{
    uint64_t segment_bytes;
    return log->lacks_room && bytes_left(log, &segment_bytes) < segment_bytes / 2;
}

static void room_is_lacking(struct log *log)
{
    log->lacks_room = true;
    log->was_low |= is_low(log);
}

static _Noreturn void fail_full(const struct log *log, uint64_t left)
{
    sim_fail("full-disk",
             "%s\n  was answered READ_ONLY\n  and %" PRIu64 " bytes of the segment are left",
             describe_call(log->full_call), left);
}

/* What was on its way then has long arrived. */
static void check_was_full(const struct log *log)
{
    uint64_t segment_bytes;
    const uint64_t left = bytes_left(log, &segment_bytes);
    if (log->full_call != BOOK_NONE && left > 0 &&
        sim_now_ns() > log->full_at_ns + ARRIVES_SECONDS * SIM_SECOND)
        fail_full(log, left);
}

static void room_has_come(struct log *log)
{
    const uint64_t until_ns = sim_now_ns() + (uint64_t)NEWS_MS * SIM_MS;
    if (log->lacks_room)
        log->lacked_until_ns = until_ns;
    if (log->was_low)
        log->low_until_ns = until_ns;
    log->lacks_room = log->was_low = log->is_named = false;
    log->low_groups = 0;
    log->full_call = BOOK_NONE;
}

/* Two groups at most were closed, or nearly so, when somebody was told that nothing is left. */
static void check_full(struct log *log)
{
    uint64_t segment_bytes;
    if (log->full_call == BOOK_NONE)
        return;
    const uint64_t left = bytes_left(log, &segment_bytes);
    if (left == 0)
        log->full_call = BOOK_NONE;
    else if (--log->full_groups_left == 0)
        fail_full(log, left);
}

static bool can_wait(uint8_t type)
{
    return type == STOCK_RECORD_HELD || type == STOCK_RECORD_EXTENDED ||
           type == STOCK_RECORD_ITEM_CREATED;
}

/* What is left is kept for what others wait for. Two groups may have been under way when the half
 * was passed: one in flight, and the open one. */
static void check_kept(const struct log *log, uint32_t record_count)
{
    for (uint32_t i = 0; i < record_count && log->low_groups > 2; i++) {
        const struct book_record *noted = &book.records[book.record_count - 1 - i];
        if (can_wait(noted->record.type))
            sim_fail("full-disk",
                     "era %" PRIu64 " core %" PRIu32 " LSN %" PRIu64 ": %s\n  was recorded where "
                     "less than half of the segment is left, and there is no room for the next",
                     log->era, log->core, noted->record.lsn, describe_noted(noted));
    }
}

static struct log *newest_log(uint32_t core)
{
    return witness_log(newest_era(), core);
}

bool witness_lacked_room(uint32_t core, uint64_t asked_ns)
{
    const struct log *log = newest_log(core);
    return log->lacks_room || log->lacked_until_ns > asked_ns;
}

bool witness_was_low(uint32_t core, uint64_t asked_ns)
{
    const struct log *log = newest_log(core);
    return is_low(log) || log->low_until_ns > asked_ns;
}

void witness_expect_full(uint32_t core, uint32_t call_number)
{
    struct log *log = newest_log(core);
    uint64_t segment_bytes;
    if (!log->lacks_room || log->full_call != BOOK_NONE || bytes_left(log, &segment_bytes) == 0)
        return;
    log->full_call = call_number;
    log->full_at_ns = sim_now_ns();
    log->full_groups_left = 2;
}

/* ---- while the engine runs ---- */

static void see_write(struct log *log, const struct witness_name *name,
                      const struct sim_disk_event *event)
{
    if (event->offset == 0) {
        log->segment_number = 0; /* a header: looked at when the first group comes */
        return;
    }
    if (log->segment_number != name->number && !look_at_segment(log, name->number))
        sim_fail("log", "%s: a group is written into a segment without a good header", event->path);
    struct log_group_header header;
    uint64_t header_checksum;
    const char *wrong =
        group_wrong(log, event->offset, event->data, event->bytes, &header, &header_checksum);
    if (wrong != NULL)
        sim_fail("log", "%s: no group is written at offset %" PRIu64 ": %s", event->path,
                 event->offset, wrong);
    log->low_groups = is_low(log) ? log->low_groups + 1 : 0;
    add_group(log, event->offset, event->data, &header, header_checksum);
    log->was_low |= is_low(log);
    check_kept(log, header.record_count);
    check_full(log);
}

/* Under its number a segment is whole, whatever happens from now on. */
static void segment_is_made(struct log *log, uint64_t number, const char *path)
{
    char before[WITNESS_PATH_BYTES];
    if (!sim_disk_is_zero(path) || !sim_disk_is_synced(path))
        sim_fail("log", "%s: it has its name before all of it is zero and on the medium", path);
    segment_path(log, number - 1, before);
    if (sim_disk_size(before) < 0)
        sim_fail("log", "%s: it has its name, and there is none before it", path);
    check_was_full(log);
    log->is_named = true;
    log->made_number = number;
}

static void names_are_safe(struct log *log)
{
    char path[WITNESS_PATH_BYTES];
    if (log->is_named) {
        segment_path(log, log->made_number, path);
        if (sim_disk_is_safe(path))
            room_has_come(log);
    }
    witness_snapshots_are_safe(log);
}

static void read_manifest(const char *path);

static void see_manifest(const char *path)
{
    const uint64_t first_era =
        witness.manifest.era_count == 0 ? 0 : witness.manifest.eras[0].number;
    read_manifest(path);
    if (first_era != 0 && witness.manifest.eras[0].number != first_era)
        witness_eras_go();
}

static void see_new_name(const char *from, const char *to)
{
    const struct witness_name old = witness_name_of(from);
    const struct witness_name new = witness_name_of(to);
    if (old.file == WITNESS_SEGMENT)
        witness_segment_goes(witness_log(old.era, old.core), old.number, to);
    if (new.file == WITNESS_SEGMENT)
        segment_is_made(witness_log(new.era, new.core), new.number, to);
    if (new.file == WITNESS_SNAPSHOT)
        witness_snapshot_is_named(witness_log(new.era, new.core), new.number, to);
    if (new.file == WITNESS_MANIFEST)
        see_manifest(to);
}

static void see_sync(const struct witness_name *name)
{
    char path[WITNESS_PATH_BYTES];
    if (name->file == WITNESS_CORE_FOLDER)
        names_are_safe(witness_log(name->era, name->core));
    if (name->file != WITNESS_DIRECTORY)
        return;
    snprintf(path, sizeof path, "%s/MANIFEST", book.options.directory);
    if (sim_disk_is_safe(path) && witness.manifest.era_count > 0)
        witness.first_era_safe = witness.manifest.eras[0].number;
}

static void observe(const struct sim_disk_event *event)
{
    const struct witness_name name = witness_name_of(event->path);
    const bool is_segment = name.file == WITNESS_SEGMENT;
    switch (event->kind) {
    case SIM_DISK_WRITTEN:
        if (is_segment)
            see_write(witness_log(name.era, name.core), &name, event);
        break;
    case SIM_DISK_SYNCED:
        see_sync(&name);
        break;
    case SIM_DISK_RENAMED:
        see_new_name(event->path, event->to_path);
        break;
    case SIM_DISK_REMOVED:
        if (is_segment)
            witness_segment_goes(witness_log(name.era, name.core), name.number, event->path);
        if (name.file == WITNESS_SNAPSHOT)
            witness_snapshot_goes(witness_log(name.era, name.core), name.number);
        break;
    case SIM_DISK_NO_ROOM:
        if (name.file == WITNESS_NEW_SEGMENT || name.file == WITNESS_CORE_FOLDER || is_segment)
            room_is_lacking(witness_log(name.era, name.core));
        if (name.era != 0)
            witness_log(name.era, name.core)->trouble_at_event = book.event++;
        break;
    }
}

/* ---- after the server's end ---- */

static void look_at_folder(void *context, const char *core_name)
{
    char path[WITNESS_PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s/%s", book.options.directory, (const char *)context,
             core_name);
    const struct witness_name name = witness_name_of(path);
    if (name.file == WITNESS_CORE_FOLDER)
        witness_snapshots_look_again(witness_log(name.era, name.core));
}

static void look_at_era(void *context, const char *era_name)
{
    char path[WITNESS_PATH_BYTES];
    (void)context;
    if (strncmp(era_name, "era-", 4) != 0)
        return;
    snprintf(path, sizeof path, "%s/%s", book.options.directory, era_name);
    sim_disk_list(path, look_at_folder, (void *)(uintptr_t)era_name);
}

void witness_look_again(void)
{
    char path[WITNESS_PATH_BYTES];
    snprintf(path, sizeof path, "%s/MANIFEST", book.options.directory);
    for (uint32_t i = 0; i < witness.log_count; i++) {
        struct log *log = &witness.logs[i];
        log->lacks_room = log->was_low = log->is_named = false;
        log->low_groups = 0;
        log->full_call = BOOK_NONE;
        log->pinned_until_ns = 0;
    }
    if (sim_disk_size(path) < 0)
        return; /* nothing was begun */
    if (!witness.is_manifest_spoilt)
        read_manifest(path);
    sim_disk_list(book.options.directory, look_at_era, NULL);
}

/* ---- after a restart ---- */

bool witness_is_spoilt(const struct log *log, uint64_t segment_number)
{
    char path[WITNESS_PATH_BYTES];
    segment_path(log, segment_number, path);
    for (uint32_t i = 0; i < witness.spoilt_count; i++)
        if (strcmp(witness.spoilt[i], path) == 0)
            return true;
    return false;
}

/* Reads a whole group into witness.group. NULL, or what is wrong. */
static const char *read_group(const struct log *log, uint64_t offset,
                              struct log_group_header *header, uint64_t *header_checksum)
{
    char path[WITNESS_PATH_BYTES];
    segment_path(log, log->segment_number, path);
    const int64_t file_bytes = sim_disk_size(path);
    if (file_bytes < 0 || (uint64_t)file_bytes < offset + LOG_GROUP_HEADER_BYTES)
        return "the file ends before it";
    uint64_t bytes = LOG_GROUP_HEADER_BYTES;
    sim_disk_read(path, offset, witness.group, bytes);
    const uint64_t seed = log_group_seed(log->segment.segment_uuid, offset);
    const char *wrong = log_group_header_decode(witness.group, seed, header, header_checksum);
    if (wrong != NULL)
        return wrong;
    bytes += header->payload_bytes;
    if (offset + bytes > (uint64_t)file_bytes)
        return "the file ends in it";
    sim_disk_read(path, offset, witness.group, bytes);
    return group_wrong(log, offset, witness.group, bytes, header, header_checksum);
}

static void check_group_is_there(struct log *log, const struct group *group)
{
    struct log_group_header header;
    uint64_t header_checksum;
    const char *wrong = NULL;
    if (group->segment_number < log->needed_from || witness_is_spoilt(log, group->segment_number))
        return;
    if (log->segment_number != group->segment_number &&
        !look_at_segment(log, group->segment_number))
        wrong = "its segment has no good header";
    if (wrong == NULL)
        wrong = read_group(log, group->offset, &header, &header_checksum);
    if (wrong == NULL && header_checksum != group->header_checksum)
        wrong = "another group is in its place";
    if (wrong != NULL)
        sim_fail("durability",
                 "era %" PRIu64 " core %" PRIu32 ": LSN %" PRIu64 " to %" PRIu64
                 " were on the disk (segment %" PRIu64 ", offset %" PRIu64 ") and are lost: %s",
                 log->era, log->core, group->first_lsn, group->first_lsn + group->record_count - 1,
                 group->segment_number, group->offset, wrong);
}

/* What stands behind the last group that was seen. False when nothing does. */
static bool add_next_group(struct log *log)
{
    struct log_group_header header;
    uint64_t header_checksum;
    uint64_t offset = LOG_BLOCK_BYTES;
    uint64_t segment_number = 1;
    if (log->group_count > 0) {
        const struct group *last = &log->groups[log->group_count - 1];
        segment_number = last->segment_number;
        offset = last->offset + log_group_bytes(last->payload_bytes);
    }
    const bool is_there =
        log->segment_number == segment_number || look_at_segment(log, segment_number);
    if (!is_there || read_group(log, offset, &header, &header_checksum) != NULL) {
        if (log->group_count == 0 || !look_at_segment(log, segment_number + 1))
            return false;
        offset = LOG_BLOCK_BYTES;
        if (read_group(log, offset, &header, &header_checksum) != NULL)
            return false;
    }
    add_group(log, offset, witness.group, &header, header_checksum);
    return true;
}

static void read_log_again(struct log *log)
{
    log->segment_number = 0;
    for (uint32_t i = 0; i < log->group_count; i++)
        check_group_is_there(log, &log->groups[i]);
    while (add_next_group(log)) {
    }
}

static void read_manifest(const char *path)
{
    static char content[LOG_MANIFEST_BYTES_MAX];
    const int64_t bytes = sim_disk_size(path);
    const char *wrong = "there is none";
    if (bytes >= 0 && bytes <= (int64_t)sizeof content) {
        sim_disk_read(path, 0, content, (uint64_t)bytes);
        wrong = log_manifest_decode(content, (size_t)bytes, &witness.manifest);
    }
    if (wrong != NULL)
        sim_fail("log", "%s: the server serves without a good manifest: %s", path, wrong);
}

/* A closed log ends where MANIFEST says: that is how it is known that nothing of it is missing. */
static void check_closed_ends(const struct log_manifest_era *era)
{
    for (uint32_t core = 0; core < era->core_count; core++) {
        const struct log *log = witness_log(era->number, core);
        const struct log_closed_end *end = &era->ends[core];
        if (end->next_lsn != log->next_lsn || end->chain != last_chain(log))
            sim_fail("log",
                     "era %" PRIu64 " core %" PRIu32
                     ": MANIFEST says that it ends before LSN %" PRIu64
                     ", and it ends before %" PRIu64 ", or with another group",
                     era->number, core, end->next_lsn, log->next_lsn);
    }
}

void witness_read_again(void)
{
    char path[WITNESS_PATH_BYTES];
    snprintf(path, sizeof path, "%s/MANIFEST", book.options.directory);
    if (book.options.is_off)
        return;
    read_manifest(path);
    for (uint32_t i = 0; i < witness.log_count; i++) {
        const struct log *log =
            &witness.logs[i]; /* folders alone may be left of a start that ended */
        if (log->era > newest_era() && (log->group_count > 0 || log->snapshot_count > 0))
            sim_fail("durability", "era %" PRIu64 " was on the disk and MANIFEST has lost it",
                     log->era);
    }
    for (uint32_t era = 0; era < witness.manifest.era_count; era++)
        for (uint32_t core = 0; core < witness.manifest.eras[era].core_count; core++)
            read_log_again(witness_log(witness.manifest.eras[era].number, core));
    for (uint32_t era = 0; era + 1 < witness.manifest.era_count; era++)
        check_closed_ends(&witness.manifest.eras[era]);
}

/* ---- public ---- */

uint32_t witness_core_count(void)
{
    return witness_core_count_of(newest_era());
}

uint64_t witness_last_lsn(uint32_t core)
{
    uint64_t last_lsn = 0;
    for (uint32_t i = 0; i < witness.log_count; i++)
        if (witness.logs[i].core == core && witness.logs[i].next_lsn - 1 > last_lsn)
            last_lsn = witness.logs[i].next_lsn - 1;
    return last_lsn;
}

uint64_t witness_newest_lsn(uint32_t core)
{
    return newest_log(core)->next_lsn - 1;
}

uint64_t witness_last_time_ms(void)
{
    return witness.last_time_ms;
}

static void spoil_segment(const char *path, bool is_to_be)
{
    uint32_t index = 0;
    while (index < witness.spoilt_count && strcmp(witness.spoilt[index], path) != 0)
        index++;
    const bool is_known = index < witness.spoilt_count;
    if (is_to_be && !is_known && witness.spoilt_count < WITNESS_SPOILT_MAX)
        snprintf(witness.spoilt[witness.spoilt_count++], WITNESS_PATH_BYTES, "%s", path);
    if (!is_to_be && is_known)
        memmove(witness.spoilt[index], witness.spoilt[index + 1],
                (--witness.spoilt_count - index) * sizeof *witness.spoilt);
}

void witness_spoil(const char *path, bool is_to_be)
{
    const struct witness_name name = witness_name_of(path);
    if (name.file == WITNESS_SNAPSHOT)
        witness_snapshot_is_spoilt(witness_log(name.era, name.core), name.number, is_to_be);
    else if (name.file == WITNESS_MANIFEST)
        witness.is_manifest_spoilt = is_to_be;
    else
        spoil_segment(path, is_to_be);
}

void witness_begin(void)
{
    for (uint32_t i = 0; i < witness.log_count; i++) {
        free(witness.logs[i].groups);
        witness_snapshots_free(&witness.logs[i]);
    }
    witness.log_count = 0;
    witness.last_time_ms = 0;
    witness.manifest.era_count = 0;
    witness.first_era_safe = 0;
    witness.spoilt_count = 0;
    witness.is_manifest_spoilt = false;
    sim_disk_observe(observe);
}
