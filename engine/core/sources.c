#include "core/sources.h"

#include "core/private.h"

#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const size_t list_bytes = SOURCES_COUNT_MAX * sizeof(struct source);

static const struct log_manifest *manifest_of(const struct sources *sources)
{
    return &sources->directory->manifest;
}

enum server_status sources_status_of(enum data_directory_status status)
{
    switch (status) {
    case DATA_DIRECTORY_OK:
        return SERVER_OK;
    case DATA_DIRECTORY_DAMAGED:
        return SERVER_DAMAGED;
    case DATA_DIRECTORY_VERSION:
        return SERVER_VERSION;
    case DATA_DIRECTORY_PERMISSION:
        return SERVER_PERMISSION;
    default:
        return SERVER_IO_ERROR;
    }
}

/* ---- life ---- */

bool sources_init(struct sources *sources, const struct data_directory *directory, struct io *io,
                  uint32_t core, uint32_t core_count, char *message_out)
{
    *sources = (struct sources){
        .directory = directory,
        .io = io,
        .core = core,
        .core_count = core_count,
        .message_out = message_out,
        .list = memory_map(list_bytes),
    };
    return sources->list != NULL;
}

static void close_all(struct sources *sources)
{
    for (uint32_t i = 0; i < sources->count; i++)
        log_files_close(&sources->list[i].files);
    sources->count = 0;
    sources->bytes = 0;
    memset(sources->snapshot_cores, 0, sizeof sources->snapshot_cores);
}

void sources_deinit(struct sources *sources)
{
    close_all(sources);
    memory_unmap(sources->list, list_bytes);
    sources->list = NULL;
}

uint64_t sources_bytes_read(const struct sources *sources)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < sources->count; i++)
        bytes += log_files_bytes_read(sources->list[i].files);
    return bytes;
}

/* ---- snapshots that can't be used ---- */

bool sources_is_good(const struct sources *sources, const struct source *source, uint64_t lsn)
{
    for (uint32_t i = 0; i < sources->bad_count; i++)
        if (sources->bads[i].era_index == source->era_index &&
            sources->bads[i].core == source->core && sources->bads[i].lsn == lsn)
            return false;
    return true;
}

static void note_unread(struct sources *sources, enum server_status status)
{
    if (status == SERVER_DAMAGED || sources->unread_status != SERVER_OK)
        return;
    sources->unread_status = status;
    memcpy(sources->unread_message, sources->message_out, sizeof sources->unread_message);
}

enum server_status sources_refusal(const struct sources *sources, enum server_status status)
{
    if (status != SERVER_DAMAGED || sources->unread_status == SERVER_OK)
        return status;
    memcpy(sources->message_out, sources->unread_message, sizeof sources->unread_message);
    return sources->unread_status;
}

static enum server_status strike_out(struct sources *sources, const struct source *source,
                                     uint64_t lsn, enum server_status status)
{
    char reason[SERVER_MESSAGE_BYTES];
    memcpy(reason, sources->message_out, sizeof reason);
    diag(DIAG_WARNING, "core %u: %s; starting from the snapshot before it, or from the log alone",
         sources->core, reason);
    note_unread(sources, status);
    if (sources->bad_count == SOURCES_BAD_MAX) {
        snprintf(sources->message_out, SERVER_MESSAGE_BYTES, "%.400s; so are %d others", reason,
                 SOURCES_BAD_MAX);
        return SERVER_DAMAGED;
    }
    sources->bads[sources->bad_count].era_index = source->era_index;
    sources->bads[sources->bad_count].core = source->core;
    sources->bads[sources->bad_count].lsn = lsn;
    sources->bad_count++;
    return SERVER_OK;
}

enum server_status sources_strike_out(struct sources *sources, const struct source *source,
                                      enum server_status status)
{
    return strike_out(sources, source, log_snapshot_lsn(&source->header), status);
}

/* ---- finding them ---- */

static enum data_directory_status read_header(struct source *source, uint64_t lsn)
{
    enum log_snapshot_piece piece;
    const struct log_snapshot_reader *reader;
    enum data_directory_status status = log_files_begin_snapshot(source->files, lsn);
    if (status == DATA_DIRECTORY_OK)
        status = log_files_read_snapshot(source->files, &piece, &reader);
    if (status == DATA_DIRECTORY_OK)
        source->header = reader->header;
    return status;
}

/* The newest snapshot that is not known to be bad, if there is one. */
static enum server_status choose_snapshot(struct sources *sources, struct source *source)
{
    for (uint32_t i = log_files_snapshot_count(source->files); i > 0; i--) {
        uint64_t lsn = log_files_snapshot_lsn(source->files, i - 1);
        if (!sources_is_good(sources, source, lsn))
            continue;
        enum data_directory_status status = read_header(source, lsn);
        source->has_snapshot = status == DATA_DIRECTORY_OK;
        if (status == DATA_DIRECTORY_OK || status == DATA_DIRECTORY_VERSION)
            return sources_status_of(status);
        enum server_status struck = strike_out(sources, source, lsn, sources_status_of(status));
        if (struck != SERVER_OK)
            return struck;
    }
    return SERVER_OK;
}

static void count_in(struct sources *sources, struct source *source)
{
    source->start = log_position_first();
    if (source->has_snapshot) {
        source->start = source->header.position;
        sources->snapshot_cores[source->era_index] |= 1ull << source->core;
        sources->bytes += log_files_snapshot_bytes(source->files);
    }
    sources->bytes += log_files_log_bytes(source->files, &source->start);
}

static enum server_status add(struct sources *sources, uint32_t era_index, uint32_t log_core)
{
    enum data_directory_status status;
    hf_assert(sources->count < SOURCES_COUNT_MAX);
    struct source *source = &sources->list[sources->count];
    *source = (struct source){.era_index = era_index, .core = log_core};
    source->files = log_files_open(sources->directory, sources->io, era_index, log_core,
                                   sources->message_out, &status);
    if (source->files == NULL)
        return sources_status_of(status);
    sources->count++;
    enum server_status chosen = choose_snapshot(sources, source);
    if (chosen == SERVER_OK)
        count_in(sources, source);
    return chosen;
}

/* `is_enough_out`: all logs of the era begin with a snapshot. */
static enum server_status add_era(struct sources *sources, uint32_t era_index, bool *is_enough_out)
{
    const struct log_manifest *manifest = manifest_of(sources);
    bool is_newest = era_index + 1 == manifest->era_count;
    uint32_t first = is_newest ? sources->core : 0;
    uint32_t end = is_newest ? sources->core + 1 : manifest->eras[era_index].core_count;
    *is_enough_out = true;
    for (uint32_t log_core = first; log_core < end; log_core++) {
        enum server_status status = add(sources, era_index, log_core);
        if (status != SERVER_OK)
            return status;
        *is_enough_out &= sources->list[sources->count - 1].has_snapshot;
    }
    return SERVER_OK;
}

/* They were found from the newest era back; they are read the other way round. */
static void reverse(struct sources *sources)
{
    for (uint32_t i = 0; i < sources->count / 2; i++) {
        struct source other = sources->list[i];
        sources->list[i] = sources->list[sources->count - 1 - i];
        sources->list[sources->count - 1 - i] = other;
    }
}

static enum server_status refuse_missing(struct sources *sources)
{
    snprintf(sources->message_out, SERVER_MESSAGE_BYTES,
             "%.250s: damaged: snapshots stand for what came before era %" PRIu64
             ", and some log of that era has none that can be used; bring one back from a copy of "
             "the directory",
             sources->directory->path, manifest_of(sources)->eras[0].number);
    return SERVER_DAMAGED;
}

enum server_status sources_find(struct sources *sources)
{
    bool is_enough = false;
    close_all(sources);
    for (uint32_t era = manifest_of(sources)->era_count; era > 0 && !is_enough; era--) {
        enum server_status status = add_era(sources, era - 1, &is_enough);
        if (status != SERVER_OK)
            return status;
    }
    if (!is_enough && log_manifest_needs_snapshots(manifest_of(sources)))
        return refuse_missing(sources);
    reverse(sources);
    return SERVER_OK;
}

/* ---- which items ---- */

static uint32_t owner_of(const struct sources *sources, uint32_t era_index, uint64_t hash)
{
    return (uint32_t)(hash % manifest_of(sources)->eras[era_index].core_count);
}

bool source_items_is_foreign(const struct source_items *items, uint64_t item_id)
{
    const struct source *source = items->source;
    return owner_of(items->sources, source->era_index, item_hash(item_id)) != source->core;
}

/* An item is this core's, and no later snapshot has what became of it. */
static bool is_wanted(const void *context, uint64_t item_id)
{
    const struct source_items *items = context;
    const struct sources *sources = items->sources;
    const uint32_t era_count = manifest_of(sources)->era_count;
    uint64_t hash = item_hash(item_id);
    if (source_items_is_foreign(items, item_id)) {
        *items->has_foreign = true;
        return false;
    }
    if (hash % sources->core_count != sources->core)
        return false;
    for (uint32_t era = items->source->era_index + 1; era < era_count; era++)
        if (sources->snapshot_cores[era] >> owner_of(sources, era, hash) & 1)
            return false;
    return true;
}

/* One core wrote what the one core of now reads, and nothing later stands for any of it. */
static bool is_all_wanted(const struct source_items *items)
{
    const struct log_manifest *manifest = manifest_of(items->sources);
    uint32_t era_index = items->source->era_index;
    return items->sources->core_count == 1 && manifest->eras[era_index].core_count == 1 &&
           era_index + 1 == manifest->era_count;
}

struct stock_wanted source_items_wanted(const struct source_items *items)
{
    return (struct stock_wanted){.is_wanted = is_all_wanted(items) ? NULL : is_wanted,
                                 .context = items};
}
