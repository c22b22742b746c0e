/* From the logs to the state, at start. The logs of past eras, in which the number of cores was
 * another one, are read by the main thread and each record goes to the core that owns its item now.
 * The log of the newest era is read by the core's own thread, all cores at the same time. */
#include "core/private.h"

#include "base/assert.h"
#include "base/diag.h"

#include <stdio.h>
#include <string.h>

static enum server_status status_of(enum data_directory_status status)
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

/* What one reading of a log is about. */
struct replay {
    struct server *server;
    struct core *core; /* the one whose log it is, or NULL: records go to their item's owner */
    bool is_table_full;
};

static uint64_t item_of(const struct stock_record *record)
{
    return record->type == STOCK_RECORD_ITEM_CREATED || record->type == STOCK_RECORD_ITEM_UPDATED
               ? record->item.item_id
               : record->hold.item_id;
}

static const char *replay_record(struct replay *replay, uint64_t lsn, const uint8_t *bytes)
{
    struct stock_record record;
    const char *fault = stock_record_decode(bytes, log_record_bytes(bytes), &record);
    if (fault != NULL)
        return fault;
    uint32_t owner = core_of_hash(replay->server->cores, item_hash(item_of(&record)));
    struct core *core = &replay->server->cores[owner];
    if (replay->core != NULL && replay->core != core)
        return "the record's item belongs to another core";
    /* LSNs of past eras mean nothing to the logs of this one; all of it is durable anyway. */
    record.lsn = replay->core != NULL ? lsn : 0;
    fault = stock_check(core->stock, &record);
    if (fault != NULL) {
        replay->is_table_full = fault == stock_check_full;
        return fault;
    }
    stock_commit(core->stock, &record);
    core->counts.records_replayed++;
    return NULL;
}

static const char *replay_group(void *context, const struct log_group *group,
                                uint64_t *refused_lsn_out)
{
    uint64_t *lsn = refused_lsn_out;
    *lsn = group->first_lsn;
    if (group->time_ms > STOCK_TIME_MS_MAX) /* the clock is to go on from there */
        return "the group's time is out of range";
    for (const uint8_t *bytes = group->records; bytes != NULL;
         bytes = log_record_next(group, bytes), ++*lsn) {
        const char *fault = replay_record(context, *lsn, bytes);
        if (fault != NULL)
            return fault;
    }
    return NULL;
}

/* Reads one log; `end_out` says where a writer goes on. */
static enum server_status read_log(struct server *server, struct core *core, struct io *io,
                                   uint32_t era_index, uint32_t log_core, struct log_end *end_out,
                                   char *message_out)
{
    struct replay replay = {.server = server, .core = core};
    bool was_torn;
    enum data_directory_status status =
        data_directory_read_log(server->directory, io, era_index, log_core, replay_group, &replay,
                                end_out, &was_torn, message_out);
    if (replay.is_table_full) {
        snprintf(message_out, SERVER_MESSAGE_BYTES,
                 "the log holds more than the tables: start with larger --max-items, "
                 "--max-reservations or --max-buyers");
        return SERVER_TOO_SMALL;
    }
    if (status == DATA_DIRECTORY_OK && was_torn)
        diag(DIAG_WARNING,
             "core %u: the last write had been cut short; it was never acknowledged and is "
             "removed, a copy is kept beside the log",
             log_core);
    return status_of(status);
}

enum server_status server_load_past_eras(struct server *server, char *message_out)
{
    const struct log_manifest *manifest = &server->directory->manifest;
    hf_assert(manifest->era_count > 0);
    for (uint32_t era = 0; era + 1 < manifest->era_count; era++)
        for (uint32_t core = 0; core < manifest->eras[era].core_count; core++) {
            struct log_end end;
            enum server_status status =
                read_log(server, NULL, server->directory->io, era, core, &end, message_out);
            if (status != SERVER_OK)
                return status;
            if (end.time_ms > server->cores[0].loaded_time_ms)
                server->cores[0].loaded_time_ms = end.time_ms;
        }
    return SERVER_OK;
}

enum server_status core_load(struct core *core, char *message_out)
{
    struct server *server = core->server;
    uint32_t newest_era = server->directory->manifest.era_count - 1;

    io_start(core->io);
    enum server_status status =
        read_log(server, core, core->io, newest_era, core->index, &core->loaded_end, message_out);
    if (status == SERVER_OK && core->loaded_end.time_ms > core->loaded_time_ms)
        core->loaded_time_ms = core->loaded_end.time_ms;
    return status;
}

/* Records of the largest frame, twice: while a part of a group is there, another frame still fits.
 */
static uint32_t group_bytes_max(uint32_t batch_rows_max)
{
    uint32_t bytes = log_group_bytes(2 * batch_rows_max * LOG_RECORD_BYTES_MAX);
    return bytes < LOG_GROUP_BYTES_MAX ? bytes : LOG_GROUP_BYTES_MAX;
}

enum server_status core_open(struct core *core, char *message_out)
{
    struct server *server = core->server;
    const struct wal_options options = {
        .durability = server->options.durability,
        .segment_bytes = server->options.segment_bytes,
        .group_bytes_max = group_bytes_max(server->options.batch_rows_max),
        .core = core->index,
    };
    core->wal = wal_open(core->io, server->directory, &options, &core->loaded_end, message_out);
    return core->wal == NULL ? SERVER_IO_ERROR : SERVER_OK;
}
