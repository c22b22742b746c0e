#include "guess.h"

#include "input.h"
#include "names.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* An era whose last cores' folders are missing looks as if it had fewer cores. Then items seem to
 * be in logs of cores that do not own them, by which it is found out. */

static void core_path(const struct data *data, uint64_t era, uint32_t core, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_core_directory_name(era, core, name);
    snprintf(to, DATA_LOG_PATH_BYTES, "%s/%s", data->path, name);
}

static uint32_t count_cores(const struct data *data, uint64_t era)
{
    char path[DATA_LOG_PATH_BYTES];
    uint32_t count = 0;
    for (uint32_t core = 0; core < LOG_CORE_COUNT_MAX; core++) {
        core_path(data, era, core, path);
        if (input_is_folder(path))
            count = core + 1;
    }
    return count;
}

/* ---- the server's id ---- */

/* The id in a file's header, if it has a good one. */
static bool id_of_file(const char *path, struct id128 *id_out)
{
    _Alignas(8) uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header segment;
    struct log_snapshot_header snapshot;
    uint64_t checksum;
    uint64_t file_bytes;
    const int fd = input_open(path, &file_bytes);
    if (fd < 0)
        return false;
    const bool is_read = input_read_at(fd, 0, block, sizeof block) == 0;
    input_close(fd);
    if (is_read && log_segment_header_decode(block, &segment) == NULL) {
        *id_out = segment.server_id;
        return true;
    }
    if (is_read && log_snapshot_header_decode(block, &snapshot, &checksum) == NULL) {
        *id_out = snapshot.server_id;
        return true;
    }
    return false;
}

static bool id_of_folder(const char *path, struct id128 *id_out)
{
    struct names names;
    bool is_found = false;
    (void)names_list(path, NULL, &names);
    for (size_t i = 0; i < names.count && !is_found; i++) {
        char file[DATA_FILE_PATH_BYTES + 256];
        snprintf(file, sizeof file, "%s/%.255s", path, names.list[i]);
        is_found = id_of_file(file, id_out);
    }
    names_free(&names);
    return is_found;
}

static bool find_id(struct data *data)
{
    struct log_manifest *manifest = &data->manifest;
    for (uint32_t i = manifest->era_count; i > 0; i--)
        for (uint32_t core = 0; core < manifest->eras[i - 1].core_count; core++) {
            char path[DATA_LOG_PATH_BYTES];
            core_path(data, manifest->eras[i - 1].number, core, path);
            if (id_of_folder(path, &manifest->server_id))
                return true;
        }
    return false;
}

/* ---- eras ---- */

static bool is_era(const char *name)
{
    return log_era_directory_number(name) != 0;
}

static int by_number(const void *a, const void *b)
{
    const uint64_t left = log_era_directory_number(*(char *const *)a);
    const uint64_t right = log_era_directory_number(*(char *const *)b);
    return left < right ? -1 : left > right;
}

static void add_era(struct data *data, uint64_t number)
{
    struct log_manifest *manifest = &data->manifest;
    const uint32_t core_count = count_cores(data, number);
    if (core_count == 0 || manifest->era_count == LOG_MANIFEST_ERA_COUNT_MAX)
        return;
    manifest->eras[manifest->era_count++] =
        (struct log_manifest_era){.number = number, .core_count = core_count};
}

enum exit_code guess_manifest(struct data *data)
{
    struct names names;
    data->manifest = (struct log_manifest){.version = LOG_FORMAT_VERSION};
    data->is_guessed = true;
    (void)names_list(data->path, is_era, &names);
    if (names.count > 0) /* a million eras have more digits */
        qsort(names.list, names.count, sizeof names.list[0], by_number);
    for (size_t i = 0; i < names.count; i++)
        add_era(data, log_era_directory_number(names.list[i]));
    names_free(&names);
    if (data->manifest.era_count == 0 || !find_id(data)) {
        tell("%s: there is no file in it that a server wrote: nothing can be done without its "
             "MANIFEST",
             data->path);
        return EXIT_DAMAGED;
    }
    tell("%s: going on without its MANIFEST, with what the folders look like: %" PRIu32
         " eras, %" PRIu32 " cores in the newest",
         data->path, data->manifest.era_count,
         data->manifest.eras[data->manifest.era_count - 1].core_count);
    return EXIT_GOOD;
}
