#include "files.h"

#include "base/assert.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void add(struct flip_files *files, struct flip_file file, const char *path, const char *name)
{
    struct stat status;
    hf_assert(files->count < FLIP_FILE_COUNT_MAX);
    hf_assert((size_t)snprintf(file.path, sizeof file.path, "%s/%s", path, name) <
              sizeof file.path);
    const int fd = open(file.path, O_RDONLY | O_CLOEXEC);
    hf_assert(fd >= 0 && fstat(fd, &status) == 0);
    file.byte_count = (uint64_t)status.st_size;
    file.bytes = malloc(file.byte_count + 1);
    hf_assert(file.bytes != NULL);
    hf_assert(read(fd, file.bytes, file.byte_count) == (ssize_t)file.byte_count);
    close(fd);
    file.now = malloc(file.byte_count + 1);
    hf_assert(file.now != NULL);
    memcpy(file.now, file.bytes, file.byte_count);
    file.now_count = file.byte_count;
    files->list[files->count++] = file;
}

static void add_log(struct flip_files *files, const struct data_builder *builder,
                    uint32_t era_index, uint32_t core, const char *path)
{
    const struct data_builder_log *log = &builder->eras[era_index].logs[core];
    char folder[LOG_NAME_BYTES_MAX];
    char name[2 * LOG_NAME_BYTES_MAX];
    char file_name[LOG_NAME_BYTES_MAX];
    const struct flip_file file = {.era_index = era_index, .core = core};
    log_core_directory_name(log->log.era, core, folder);
    for (uint32_t i = log->removed_count; i < log->log.segment_count; i++) {
        struct flip_file segment = file;
        segment.kind = FLIP_SEGMENT;
        segment.index = i;
        snprintf(name, sizeof name, "%s/%s", folder, log->log.segments[i].name);
        add(files, segment, path, name);
    }
    for (uint32_t i = 0; i < log->snapshot_count; i++) {
        struct flip_file snapshot = file;
        snapshot.kind = FLIP_SNAPSHOT;
        snapshot.index = i;
        log_snapshot_file_name(log->snapshots[i].lsn, file_name);
        snprintf(name, sizeof name, "%s/%s", folder, file_name);
        add(files, snapshot, path, name);
    }
    struct flip_file nothing = file;
    nothing.kind = FLIP_NOTHING;
    snprintf(name, sizeof name, "%s/%s", folder, LOG_SNAPSHOT_NEW_NAME);
    add(files, nothing, path, name);
}

void flip_files_read(struct flip_files *files, const struct data_builder *builder, const char *path)
{
    files->count = 0;
    add(files, (struct flip_file){.kind = FLIP_MANIFEST}, path, "MANIFEST");
    for (uint32_t i = 0; i < builder->era_count; i++)
        for (uint32_t core = 0; core < builder->eras[i].core_count; core++)
            if (!builder->eras[i].is_removed)
                add_log(files, builder, i, core, path);
}

void flip_files_free(struct flip_files *files)
{
    for (uint32_t i = 0; i < files->count; i++) {
        free(files->list[i].bytes);
        free(files->list[i].now);
    }
}

/* ---- doing and undoing ---- */

void flip_byte(struct flip_file *file, uint64_t offset)
{
    file->now[offset] ^= (uint8_t)(1u << offset % 8);
}

void flip_byte_back(struct flip_file *file, uint64_t offset)
{
    file->now[offset] = file->bytes[offset];
}

void flip_cut(struct flip_file *file, uint64_t byte_count)
{
    file->now_count = byte_count;
}

void flip_cut_back(struct flip_file *file)
{
    file->now_count = file->byte_count;
}
