#include "log_walk.h"

#include "base/checksum.h"
#include "disk.h"
#include "life.h"
#include "log/format.h"
#include "log/manifest.h"

#include <stdio.h>
#include <string.h>

#define MANIFEST_PATH LIFE_PATH "/MANIFEST"

/* One walk. */
struct walk {
    void (*file)(void *context, const struct log_walk_file *file);
    void *context;
    struct log_walk_totals totals;
    uint64_t era;
    uint32_t core;
    char folder[LOG_WALK_PATH_BYTES];
};

/* ---- one file ---- */

/* Whole, with its records. */
static bool is_group(const struct log_walk_file *file, uint64_t at, uint64_t seed,
                     struct log_group_header *group)
{
    static uint8_t bytes[LOG_GROUP_BYTES_MAX];
    uint64_t checksum;
    if (at + LOG_GROUP_HEADER_BYTES > file->bytes)
        return false;
    sim_disk_read(file->path, at, bytes, LOG_GROUP_HEADER_BYTES);
    if (log_group_header_decode(bytes, seed, group, &checksum) != NULL ||
        at + log_group_bytes(group->payload_bytes) > file->bytes)
        return false;
    sim_disk_read(file->path, at + LOG_GROUP_HEADER_BYTES, bytes, group->payload_bytes);
    return checksum64(bytes, group->payload_bytes, seed) == group->payload_checksum;
}

static void read_segment(struct walk *walk, struct log_walk_file *file)
{
    uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header segment;
    struct log_group_header group;

    file->is_zero = sim_disk_is_zero(file->path);
    if (file->bytes < LOG_BLOCK_BYTES)
        return;
    sim_disk_read(file->path, 0, block, LOG_BLOCK_BYTES);
    if (log_segment_header_decode(block, &segment) != NULL)
        return;
    file->is_used = true;
    file->groups_end = LOG_BLOCK_BYTES;
    walk->totals.segments++;
    while (is_group(file, file->groups_end, log_group_seed(segment.segment_uuid, file->groups_end),
                    &group)) {
        file->group_count++;
        file->last_group_offset = file->groups_end;
        file->groups_end += log_group_bytes(group.payload_bytes);
        walk->totals.groups++;
    }
}

/* ---- all files ---- */

static void visit(void *context, const char *name)
{
    struct walk *walk = context;
    struct log_walk_file file = {.kind = LOG_WALK_OTHER, .era = walk->era, .core = walk->core};
    snprintf(file.path, sizeof file.path, "%.70s/%.50s", walk->folder, name);
    file.bytes = (uint64_t)sim_disk_size(file.path);
    file.number = log_segment_file_number(name);
    if (file.number != 0) {
        file.kind = LOG_WALK_SEGMENT;
        read_segment(walk, &file);
    } else if (log_snapshot_file_lsn(name, &file.number)) {
        file.kind = LOG_WALK_SNAPSHOT;
        walk->totals.snapshots++;
    }
    walk->totals.torn_copies += strncmp(name, "torn-", 5) == 0;
    if (walk->file != NULL)
        walk->file(walk->context, &file);
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
            walk.era = manifest.eras[era].number;
            walk.core = core;
            log_core_directory_name(walk.era, core, name);
            snprintf(walk.folder, sizeof walk.folder, "%s/%s", LIFE_PATH, name);
            sim_disk_list(walk.folder, visit, &walk);
        }
    return walk.totals;
}
