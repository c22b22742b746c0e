/* A log is a list of the groups seen on the disk: where each stands and the checksum of its header,
 * which covers that of its records. So a group is known again without keeping its bytes.
 *
 * While the engine serves, every durable write of a log file is one group or one segment's header.
 * After a crash the write that was in flight may be there too: it is found by looking behind the
 * last group that was seen, in the same segment and then at the start of the next one. */
#include "witness.h"

#include "disk.h"
#include "history_private.h"
#include "world.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "log/format.h"
#include "log/manifest.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct group {
    uint64_t segment_number;
    uint64_t offset;
    uint64_t header_checksum;
    uint64_t first_lsn;
    uint32_t payload_bytes;
    uint32_t record_count;
};

struct log {
    uint64_t era;
    uint32_t core;
    struct group *groups;
    uint32_t group_count, group_room;
    uint64_t next_lsn;
    uint64_t last_time_ms; /* of the last group */
    /* the segment looked at last */
    uint64_t segment_number; /* 0: none */
    struct log_segment_header segment;
};

enum { PATH_BYTES = 512 };

static struct witness {
    char directory[PATH_BYTES]; /* empty until the engine has written there */
    struct log *logs;
    uint32_t log_count, log_room;
    struct log_manifest manifest;
    uint64_t last_time_ms; /* of all groups */
    uint8_t group[LOG_GROUP_BYTES_MAX];
} witness;

static struct log *find_log(uint64_t era, uint32_t core)
{
    for (uint32_t i = witness.log_count; i > 0; i--)
        if (witness.logs[i - 1].era == era && witness.logs[i - 1].core == core)
            return &witness.logs[i - 1];
    witness.logs =
        book_room(witness.logs, sizeof *witness.logs, witness.log_count, &witness.log_room);
    struct log *log = &witness.logs[witness.log_count++];
    *log = (struct log){.era = era, .core = core, .next_lsn = 1};
    return log;
}

/* ---- names ---- */

/* "DIRECTORY/era-000001/core-000/000000000001.log": false for any other path. */
static bool take_apart(const char *path, uint64_t *era, uint32_t *core, uint64_t *segment_number)
{
    const char *at = strstr(path, "/era-");
    char *end;
    if (at == NULL)
        return false;
    const size_t directory_bytes = (size_t)(at - path);
    *era = strtoull(at + 5, &end, 10);
    if (strncmp(end, "/core-", 6) != 0)
        return false;
    *core = (uint32_t)strtoul(end + 6, &end, 10);
    *segment_number = *end == '/' ? log_segment_file_number(end + 1) : 0;
    if (*segment_number == 0 || directory_bytes >= sizeof witness.directory)
        return false;
    memcpy(witness.directory, path, directory_bytes);
    witness.directory[directory_bytes] = '\0';
    return true;
}

static void segment_path(const struct log *log, uint64_t segment_number, char *to)
{
    char folder[LOG_NAME_BYTES_MAX];
    char file[LOG_NAME_BYTES_MAX];
    log_core_directory_name(log->era, log->core, folder);
    log_segment_file_name(segment_number, file);
    int bytes = snprintf(to, PATH_BYTES, "%s/%s/%s", witness.directory, folder, file);
    if (bytes >= PATH_BYTES)
        sim_fail("log", "the path of %s is too long", file);
}

/* ---- segments and groups ---- */

/* Reads the segment's header. False when there is none, or none that is good. */
static bool look_at_segment(struct log *log, uint64_t segment_number)
{
    char path[PATH_BYTES];
    uint8_t block[LOG_BLOCK_BYTES];
    log->segment_number = 0;
    segment_path(log, segment_number, path);
    if (sim_disk_size(path) < LOG_BLOCK_BYTES)
        return false;
    sim_disk_read(path, 0, block, sizeof block);
    if (log_segment_header_decode(block, &log->segment) != NULL ||
        log->segment.segment_number != segment_number || log->segment.era != log->era ||
        log->segment.core != log->core)
        return false;
    log->segment_number = segment_number;
    return true;
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
    const bool is_item =
        record->type == STOCK_RECORD_ITEM_CREATED || record->type == STOCK_RECORD_ITEM_UPDATED;
    const uint64_t item_id = is_item ? record->item.item_id : record->hold.item_id;
    for (uint32_t i = 0; i < witness.manifest.era_count; i++)
        if (witness.manifest.eras[i].number == log->era &&
            checksum64_u64(item_id, 0) % witness.manifest.eras[i].core_count != log->core)
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

/* A whole group that was not seen before. */
static void add_group(struct log *log, uint64_t offset, const uint8_t *bytes,
                      const struct log_group_header *header, uint64_t header_checksum)
{
    const uint64_t chain =
        log->group_count == 0 ? 0 : log->groups[log->group_count - 1].header_checksum;
    if (header->group_number != (uint64_t)log->group_count + 1 ||
        header->first_lsn != log->next_lsn || header->chain != chain)
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

/* ---- while the engine serves ---- */

static void observe(const char *path, uint64_t offset, const uint8_t *data, uint32_t bytes)
{
    uint64_t era;
    uint32_t core;
    uint64_t segment_number;
    if (!take_apart(path, &era, &core, &segment_number) || data == NULL)
        return;
    struct log *log = find_log(era, core);
    if (offset == 0) {
        log->segment_number = 0; /* a header: looked at when the first group comes */
        return;
    }
    if (log_bytes_are_zero(data, bytes))
        return;
    if (log->segment_number != segment_number && !look_at_segment(log, segment_number))
        sim_fail("log", "%s: a group is written into a segment without a good header", path);
    struct log_group_header header;
    uint64_t header_checksum;
    const char *wrong = group_wrong(log, offset, data, bytes, &header, &header_checksum);
    if (wrong != NULL)
        sim_fail("log", "%s: no group is written at offset %" PRIu64 ": %s", path, offset, wrong);
    add_group(log, offset, data, &header, header_checksum);
}

/* ---- after a restart ---- */

/* Reads a whole group into witness.group. NULL, or what is wrong. */
static const char *read_group(const struct log *log, uint64_t offset,
                              struct log_group_header *header, uint64_t *header_checksum)
{
    char path[PATH_BYTES];
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
    if (log->segment_number != segment_number && !look_at_segment(log, segment_number))
        return false;
    if (read_group(log, offset, &header, &header_checksum) != NULL) {
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

static void read_manifest(void)
{
    static char content[LOG_MANIFEST_BYTES_MAX];
    char path[PATH_BYTES + sizeof "/MANIFEST"];
    snprintf(path, sizeof path, "%s/MANIFEST", witness.directory);
    const int64_t bytes = sim_disk_size(path);
    const char *wrong = "there is none";
    if (bytes >= 0 && bytes <= (int64_t)sizeof content) {
        sim_disk_read(path, 0, content, (uint64_t)bytes);
        wrong = log_manifest_decode(content, (size_t)bytes, &witness.manifest);
    }
    if (wrong != NULL)
        sim_fail("log", "%s: the server serves without a good manifest: %s", path, wrong);
}

void witness_read_again(void)
{
    if (witness.directory[0] == '\0')
        return; /* durability off: nothing was ever written */
    read_manifest();
    for (uint32_t i = 0; i < witness.log_count; i++)
        if (witness.logs[i].era > witness.manifest.eras[witness.manifest.era_count - 1].number)
            sim_fail("durability", "era %" PRIu64 " was on the disk and MANIFEST has lost it",
                     witness.logs[i].era);
    for (uint32_t era = 0; era < witness.manifest.era_count; era++)
        for (uint32_t core = 0; core < witness.manifest.eras[era].core_count; core++)
            read_log_again(find_log(witness.manifest.eras[era].number, core));
}

uint32_t witness_core_count(void)
{
    const struct log_manifest *manifest = &witness.manifest;
    return manifest->era_count == 0 ? 0 : manifest->eras[manifest->era_count - 1].core_count;
}

uint64_t witness_last_lsn(uint32_t core)
{
    uint64_t last_lsn = 0;
    for (uint32_t i = 0; i < witness.log_count; i++)
        if (witness.logs[i].core == core && witness.logs[i].next_lsn - 1 > last_lsn)
            last_lsn = witness.logs[i].next_lsn - 1;
    return last_lsn;
}

uint64_t witness_last_time_ms(void)
{
    return witness.last_time_ms;
}

void witness_begin(void)
{
    for (uint32_t i = 0; i < witness.log_count; i++)
        free(witness.logs[i].groups);
    witness.log_count = 0;
    witness.last_time_ms = 0;
    witness.directory[0] = '\0';
    witness.manifest.era_count = 0;
    sim_disk_observe(observe);
}
