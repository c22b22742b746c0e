#include "log_walk.h"

#include "base/bytes.h"
#include "disk.h"
#include "life.h"
#include "log/format.h"
#include "log/manifest.h"
#include "world.h"

#include <stdio.h>
#include <string.h>

#define MANIFEST_PATH LIFE_PATH "/MANIFEST"

/* One walk. */
struct walk {
    void (*file)(void *context, const struct log_walk_file *file);
    void *context;
    struct log_walk_totals totals;
    char folder[LOG_WALK_PATH_BYTES];
    struct log_walk_file last; /* told when the next one is known */
    bool has_last;
    bool is_closed_era;
};

/* ---- one file ---- */

static void count_records(struct walk *walk, const struct log_walk_file *file, uint64_t offset,
                          uint32_t payload_bytes)
{
    uint8_t record[4];
    for (uint32_t at = 0; at + LOG_RECORD_BYTES_MIN <= payload_bytes;) {
        sim_disk_read(file->path, offset + LOG_GROUP_HEADER_BYTES + at, record, sizeof record);
        uint32_t bytes = bytes_get_u16(record);
        if (bytes < LOG_RECORD_BYTES_MIN)
            return;
        if (record[2] < LOG_WALK_RECORD_TYPES)
            walk->totals.records[record[2]]++;
        at += bytes;
    }
}

static void read_file(struct walk *walk, struct log_walk_file *file)
{
    static uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header segment;
    struct log_group_header group;
    uint64_t checksum;

    if (file->bytes < LOG_BLOCK_BYTES)
        return;
    sim_disk_read(file->path, 0, block, LOG_BLOCK_BYTES);
    if (log_segment_header_decode(block, &segment) != NULL)
        return;
    file->is_used = true;
    walk->totals.segments++;
    for (uint64_t at = LOG_BLOCK_BYTES; at + LOG_GROUP_HEADER_BYTES <= file->bytes;) {
        sim_disk_read(file->path, at, block, LOG_GROUP_HEADER_BYTES);
        if (log_group_header_decode(block, log_group_seed(segment.segment_uuid, at), &group,
                                    &checksum) != NULL)
            return;
        file->group_count++;
        file->last_group_offset = at;
        walk->totals.groups++;
        count_records(walk, file, at, group.payload_bytes);
        at += log_group_bytes(group.payload_bytes);
    }
}

/* ---- all files ---- */

static void tell_last(struct walk *walk, bool is_followed)
{
    walk->last.is_followed = is_followed;
    if (walk->has_last && walk->file != NULL)
        walk->file(walk->context, &walk->last);
    walk->has_last = false;
}

static void visit(void *context, const char *name)
{
    struct walk *walk = context;
    struct log_walk_file file = {.is_closed_era = walk->is_closed_era};
    if (strncmp(name, "torn-", 5) == 0)
        walk->totals.torn_copies++;
    if (log_segment_file_number(name) == 0)
        return;
    snprintf(file.path, sizeof file.path, "%.90s/%.30s", walk->folder, name);
    int64_t bytes = sim_disk_size(file.path);
    file.bytes = bytes > 0 ? (uint64_t)bytes : 0;
    read_file(walk, &file);
    tell_last(walk, file.is_used);
    walk->last = file;
    walk->has_last = true;
}

static bool read_manifest(struct log_manifest *manifest)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    int64_t bytes = sim_disk_size(MANIFEST_PATH);
    if (bytes <= 0 || bytes > LOG_MANIFEST_BYTES_MAX)
        return false;
    sim_disk_read(MANIFEST_PATH, 0, text, (uint64_t)bytes);
    return log_manifest_decode(text, (size_t)bytes, manifest) == NULL;
}

struct log_walk_totals log_walk(void (*file)(void *context, const struct log_walk_file *file),
                                void *context)
{
    static struct log_manifest manifest;
    struct walk walk = {.file = file, .context = context};
    if (!read_manifest(&manifest))
        return walk.totals;
    walk.totals.eras = manifest.era_count;
    for (uint32_t era = 0; era < manifest.era_count; era++)
        for (uint32_t core = 0; core < manifest.eras[era].core_count; core++) {
            char name[LOG_NAME_BYTES_MAX];
            log_core_directory_name(manifest.eras[era].number, core, name);
            snprintf(walk.folder, sizeof walk.folder, "%s/%s", LIFE_PATH, name);
            walk.is_closed_era = era + 1 < manifest.era_count;
            sim_disk_list(walk.folder, visit, &walk);
            tell_last(&walk, false);
        }
    return walk.totals;
}

/* ---- a bit to turn around ---- */

struct choice {
    struct log_walk_bit *bit;
    uint64_t bytes; /* of all that can be chosen, seen so far */
};

/* One of `bytes` bytes of the file, by the share that they are of all seen. */
static void offer(struct choice *choice, const char *path, uint64_t bytes)
{
    if (bytes == 0)
        return;
    choice->bytes += bytes;
    uint64_t at = sim_between(SIM_CHANCE_FAULTS, 0, choice->bytes - 1);
    if (at >= bytes)
        return;
    snprintf(choice->bit->path, sizeof choice->bit->path, "%s", path);
    choice->bit->offset = at;
}

static void offer_file(void *context, const struct log_walk_file *file)
{
    if (file->is_used && (file->is_followed || file->is_closed_era))
        offer(context, file->path, file->bytes);
    else if (file->is_used && file->group_count > 0)
        offer(context, file->path, file->last_group_offset);
}

bool log_walk_choose_bit(struct log_walk_bit *bit_out)
{
    struct choice choice = {.bit = bit_out};
    log_walk(offer_file, &choice);
    int64_t manifest_bytes = sim_disk_size(MANIFEST_PATH);
    if (manifest_bytes > 0)
        offer(&choice, MANIFEST_PATH, (uint64_t)manifest_bytes);
    bit_out->bit = (uint32_t)sim_between(SIM_CHANCE_FAULTS, 0, 7);
    return choice.bytes > 0;
}
