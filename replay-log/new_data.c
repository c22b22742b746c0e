#include "new_data.h"

#include "allocate.h"
#include "data.h"
#include "output.h"
#include "progress.h"
#include "state.h"
#include "text.h"
#include "walk.h"

#include "base/assert.h"
#include "log/snapshot.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* The state is walked once, and each entry goes to the file of the core that owns its item. So
 * there is a page for each core, which is written when it is full. */

enum { PAGE_BYTES = 256 << 10, ERA = 2 };

struct core_file {
    int fd;
    char path[OUTPUT_PATH_BYTES + 2 * LOG_NAME_BYTES_MAX];
    struct log_snapshot_encoder encoder;
    struct log_snapshot_footer footer;
    uint8_t *block; /* LOG_SNAPSHOT_BLOCK_HEADER_BYTES and PAGE_BYTES, and padding */
    uint32_t payload_bytes;
    uint32_t entry_count;
};

struct writing {
    struct new_data *new_data;
    struct output_folder folder;
    uint64_t time_ms; /* of the state */
    uint32_t core_count;
    struct core_file files[LOG_CORE_COUNT_MAX];
};

static struct id128 random_id(void)
{
    struct id128 id;
    hf_assert(getrandom(&id, sizeof id, 0) == sizeof id);
    return id;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- a core's file ---- */

static bool put(struct writing *w, struct core_file *file, uint32_t bytes)
{
    w->new_data->bytes += bytes;
    return output_write(file->fd, file->path, file->block, bytes);
}

static bool put_page(struct writing *w, struct core_file *file)
{
    const uint32_t bytes = log_snapshot_encode_entries(&file->encoder, file->block,
                                                       file->payload_bytes, file->entry_count);
    file->payload_bytes = 0;
    file->entry_count = 0;
    return put(w, file, bytes);
}

static bool begin_file(struct writing *w, uint32_t core)
{
    struct core_file *file = &w->files[core];
    char folder[LOG_NAME_BYTES_MAX];
    char name[LOG_NAME_BYTES_MAX];
    char path[OUTPUT_PATH_BYTES + LOG_NAME_BYTES_MAX];
    const struct log_snapshot_header header = {
        .server_id = w->new_data->server_id,
        .snapshot_uuid = random_id(),
        .era = ERA,
        .position = log_position_first(),
        .state_time_ms = w->time_ms,
        .taken_ms = now_ms(),
        .core = core,
    };
    log_core_directory_name(ERA, core, folder);
    log_snapshot_file_name(log_snapshot_lsn(&header), name);
    snprintf(path, sizeof path, "%s/%s", w->folder.partial, folder);
    snprintf(file->path, sizeof file->path, "%s/%s/%s", w->folder.partial, folder, name);
    if (!output_make_folder(path))
        return false;
    file->fd = output_create(file->path);
    if (file->fd < 0)
        return false;
    log_snapshot_encode_header(&file->encoder, &header, file->block);
    return put(w, file, LOG_BLOCK_BYTES);
}

static bool finish_file(struct writing *w, uint32_t core)
{
    struct core_file *file = &w->files[core];
    char folder[LOG_NAME_BYTES_MAX];
    char path[OUTPUT_PATH_BYTES + LOG_NAME_BYTES_MAX];
    if (file->entry_count > 0 && !put_page(w, file))
        return false;
    log_snapshot_encode_footer(&file->encoder, &file->footer, file->block);
    if (!put(w, file, LOG_BLOCK_BYTES))
        return false;
    const int fd = file->fd;
    file->fd = -1;
    log_core_directory_name(ERA, core, folder);
    snprintf(path, sizeof path, "%s/%s", w->folder.partial, folder);
    return output_close(fd, file->path) && output_sync_folder(path);
}

static bool put_entry(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                      uint32_t entry_bytes)
{
    struct writing *w = context;
    const uint64_t hash = checksum64_u64(walk_item_id(entry), 0);
    struct core_file *file = &w->files[hash % w->core_count];
    if (file->payload_bytes + entry_bytes > PAGE_BYTES && !put_page(w, file))
        return false;
    memcpy(file->block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES + file->payload_bytes, bytes, entry_bytes);
    file->payload_bytes += entry_bytes;
    file->entry_count++;
    file->footer.state_hash += stock_entry_hash(entry);
    if (entry->type == STOCK_ENTRY_ITEM)
        file->footer.item_count++;
    else if (entry->type == STOCK_ENTRY_BUYER)
        file->footer.buyer_count++;
    else
        file->footer.reservation_count++;
    progress_add(entry_bytes);
    return true;
}

/* ---- the directory ---- */

static bool write_manifest(struct writing *w)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    static struct log_manifest manifest;
    char path[OUTPUT_PATH_BYTES + LOG_NAME_BYTES_MAX];
    manifest = (struct log_manifest){
        .version = LOG_FORMAT_VERSION,
        .server_id = w->new_data->server_id,
        .era_count = 1,
        .eras = {{.number = ERA, .core_count = w->core_count}},
    };
    const size_t bytes = log_manifest_encode(&manifest, text);
    snprintf(path, sizeof path, "%s/MANIFEST", w->folder.partial);
    const int fd = output_create(path);
    if (fd < 0)
        return false;
    const bool is_good = output_write(fd, path, text, bytes);
    w->new_data->bytes += bytes;
    return output_close(fd, path) && is_good;
}

/* "era-000002" */
static void era_path(const struct writing *w, char *to)
{
    char folder[LOG_NAME_BYTES_MAX];
    log_core_directory_name(ERA, 0, folder);
    *strchr(folder, '/') = '\0';
    snprintf(to, OUTPUT_PATH_BYTES + LOG_NAME_BYTES_MAX, "%s/%s", w->folder.partial, folder);
}

static bool write_files(struct writing *w, struct stock *stock)
{
    char path[OUTPUT_PATH_BYTES + LOG_NAME_BYTES_MAX];
    const struct stock_counts counts = stock_counts(stock);
    era_path(w, path);
    bool is_good = output_make_folder(path);
    for (uint32_t core = 0; core < w->core_count && is_good; core++)
        is_good = begin_file(w, core);
    progress_begin("writing", counts.items * STOCK_ENTRY_BYTES_MAX +
                                  counts.buyers * STOCK_BUYER_ENTRY_BYTES +
                                  counts.reservations * STOCK_RESERVATION_ENTRY_BYTES);
    is_good = is_good && walk_state(stock, put_entry, w);
    progress_end();
    for (uint32_t core = 0; core < w->core_count && is_good; core++)
        is_good = finish_file(w, core);
    return is_good && output_sync_folder(path) && write_manifest(w);
}

/* As a server will read it. */
static enum exit_code read_back(const struct writing *w, uint64_t hash)
{
    struct state state;
    enum exit_code code = state_build_end(w->folder.partial, &state);
    if (code == EXIT_GOOD && stock_hash(state.stock) != hash) {
        tell("%s: what was written has another state hash than what was to be written: report this",
             w->folder.partial);
        code = EXIT_DAMAGED;
    }
    state_free(&state);
    return code;
}

static struct writing *create(struct new_data *new_data, const struct stock *stock)
{
    struct writing *w = allocate(1, sizeof *w);
    const size_t block_bytes = LOG_SNAPSHOT_BLOCK_HEADER_BYTES + PAGE_BYTES + LOG_BLOCK_BYTES;
    w->new_data = new_data;
    w->time_ms = stock_time_ms(stock);
    w->core_count = new_data->core_count;
    for (uint32_t core = 0; core < w->core_count; core++) {
        w->files[core].block = allocate_buffer(block_bytes);
        w->files[core].fd = -1;
    }
    new_data->server_id = random_id();
    new_data->bytes = 0;
    return w;
}

static void destroy(struct writing *w)
{
    for (uint32_t core = 0; core < w->core_count; core++) {
        free(w->files[core].block);
        if (w->files[core].fd >= 0)
            output_close(w->files[core].fd, w->files[core].path);
    }
    free(w);
}

enum exit_code new_data_make(struct new_data *new_data, struct stock **stock)
{
    struct writing *w = create(new_data, *stock);
    const uint64_t hash = stock_hash(*stock);
    enum exit_code code = EXIT_IO;
    if (output_folder_begin(&w->folder, new_data->path, new_data->input_path)) {
        if (write_files(w, *stock)) {
            stock_destroy(stock); /* two of them may be too much for the memory */
            code = read_back(w, hash);
        }
        if (code != EXIT_GOOD)
            output_folder_abandon(&w->folder);
        else if (!output_folder_finish(&w->folder))
            code = EXIT_IO;
    }
    stock_destroy(stock);
    destroy(w);
    return code;
}
