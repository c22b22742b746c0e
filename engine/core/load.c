/* One source after the other (core/sources.h): its snapshot block by block, then the log behind it
 * group by group. A snapshot that turns out to be damaged in the middle is struck out, and all
 * begins anew. */
#include "core/private.h"

#include "base/assert.h"
#include "base/diag.h"
#include "base/memory.h"
#include "core/sources.h"
#include "stock/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Of a turn: so many bytes or groups. */
    PIECE_BYTES = 1 << 20, /* of what is loaded, per turn */
    READ_BYTES = 4 << 20,  /* of what is read, zeros behind a log's end included */
    PIECE_GROUPS = 64,
    TELL_EVERY_MS = 1000,
};

enum step { STEP_FIND, STEP_SOURCE, STEP_SNAPSHOT, STEP_LOG, STEP_DONE };

struct load {
    enum step step;
    struct sources sources;
    uint32_t source_index; /* of the one being read */
    struct source_items items;
    bool has_foreign;           /* an item was met that does not belong there */
    struct stock_saved content; /* of the snapshot that was read last */
    struct log_end end;         /* of the log that was read last */
    bool is_table_full;
    uint64_t bytes_done; /* of sources read wholly, for the progress */
    uint64_t snapshot_bytes_done;
    uint64_t begun_ms, told_ms;
    char message[SERVER_MESSAGE_BYTES];
};

static const char foreign_item[] = "the item belongs to another core";

static struct source *present_source(const struct core *core)
{
    return &core->load->sources.list[core->load->source_index];
}

static void begin_items(struct core *core)
{
    struct load *load = core->load;
    load->has_foreign = false;
    load->items = (struct source_items){
        .sources = &load->sources,
        .source = present_source(core),
        .has_foreign = &load->has_foreign,
    };
}

/* ---- snapshots ---- */

static bool recreate_stock(struct core *core)
{
    stock_destroy(&core->stock);
    core->stock = stock_create(&core->stock_options);
    return core->stock != NULL;
}

/* Begins anew without this snapshot, for the reason that the message tells. */
static enum server_status do_without(struct core *core, enum server_status reason)
{
    struct load *load = core->load;
    enum server_status status = sources_strike_out(&load->sources, present_source(core), reason);
    if (status != SERVER_OK)
        return status;
    core->counts.entries_loaded = 0;
    core->counts.records_replayed = 0;
    core->loaded_time_ms = 0;
    load->step = STEP_FIND;
    if (recreate_stock(core))
        return SERVER_OK;
    snprintf(load->message, sizeof load->message, "no memory to begin loading anew");
    return SERVER_NO_MEMORY;
}

static enum server_status refuse_too_small(struct core *core)
{
    snprintf(core->load->message, SERVER_MESSAGE_BYTES,
             "the log holds more than the tables: start with larger --max-items, "
             "--max-reservations or --max-buyers");
    return SERVER_TOO_SMALL;
}

static enum server_status refuse_snapshot_content(struct core *core, const char *fault)
{
    char name[LOG_NAME_BYTES_MAX];
    const struct source *source = present_source(core);
    if (fault == stock_check_full)
        return refuse_too_small(core);
    log_snapshot_file_name(log_snapshot_lsn(&source->header), name);
    snprintf(core->load->message, SERVER_MESSAGE_BYTES,
             "%s of core %u in era %" PRIu64 ": damaged: %s", name, source->core,
             source->header.era, fault);
    return do_without(core, SERVER_DAMAGED);
}

static void note_time(struct core *core, uint64_t time_ms)
{
    if (time_ms > core->loaded_time_ms)
        core->loaded_time_ms = time_ms;
}

static enum server_status begin_log(struct core *core);

static enum server_status end_snapshot(struct core *core, const struct log_snapshot_footer *footer)
{
    struct load *load = core->load;
    const struct source *source = present_source(core);
    load->content = (struct stock_saved){
        .item_count = footer->item_count,
        .reservation_count = footer->reservation_count,
        .buyer_count = footer->buyer_count,
        .state_hash = footer->state_hash,
        .time_ms = source->header.state_time_ms,
    };
    const char *fault = stock_load_snapshot_end(core->stock, &load->content);
    if (fault != NULL)
        return refuse_snapshot_content(core, fault);
    load->bytes_done += log_files_snapshot_bytes(source->files);
    load->snapshot_bytes_done = 0;
    return begin_log(core);
}

static enum server_status take_piece(struct core *core, enum log_snapshot_piece piece,
                                     const struct log_snapshot_reader *reader)
{
    uint32_t refused_index;
    core->load->snapshot_bytes_done = reader->offset;
    if (piece == LOG_SNAPSHOT_WHOLE) {
        enum data_directory_status status = log_files_sync_snapshot(present_source(core)->files);
        return status == DATA_DIRECTORY_OK ? end_snapshot(core, &reader->footer)
                                           : sources_status_of(status);
    }
    hf_assert(piece == LOG_SNAPSHOT_ENTRIES);
    core->counts.entries_loaded += reader->entry_count;
    const char *fault = stock_load_entries(core->stock, reader->entries, reader->entries_bytes,
                                           reader->entry_count, &refused_index);
    if (fault == NULL && core->load->has_foreign)
        fault = foreign_item;
    return fault == NULL ? SERVER_OK : refuse_snapshot_content(core, fault);
}

static enum server_status read_snapshot(struct core *core)
{
    enum log_snapshot_piece piece;
    const struct log_snapshot_reader *reader;
    enum data_directory_status status =
        log_files_read_snapshot(present_source(core)->files, &piece, &reader);
    if (status == DATA_DIRECTORY_OK)
        return take_piece(core, piece, reader);
    if (status == DATA_DIRECTORY_VERSION)
        return SERVER_VERSION;
    return do_without(core, sources_status_of(status));
}

/* Its header was read when the plan was made. */
static enum server_status begin_snapshot(struct core *core)
{
    struct load *load = core->load;
    const struct source *source = present_source(core);
    begin_items(core);
    note_time(core, source->header.state_time_ms);
    note_time(core, source->header.position.time_ms);
    load->step = STEP_SNAPSHOT;
    if (stock_load_snapshot_begin(core->stock, source_items_wanted(&load->items)))
        return SERVER_OK;
    snprintf(load->message, sizeof load->message, "no memory to load a snapshot");
    return SERVER_NO_MEMORY;
}

/* ---- logs ---- */

/* Some record of the group is about an item that the log's core did not own: the first such. */
static const char *refuse_foreign(const struct core *core, const struct log_group *group,
                                  uint64_t *refused_lsn_out)
{
    *refused_lsn_out = group->first_lsn;
    for (const uint8_t *bytes = group->records; bytes != NULL;
         bytes = log_record_next(group, bytes), ++*refused_lsn_out) {
        struct stock_record record;
        const char *fault = stock_record_decode(bytes, log_record_bytes(bytes), &record);
        hf_assert(fault == NULL); /* it was replayed */
        if (source_items_is_foreign(&core->load->items, stock_record_item_id(&record)))
            break;
    }
    return foreign_item;
}

static const char *replay_group(void *context, const struct log_group *group,
                                uint64_t *refused_lsn_out)
{
    struct core *core = context;
    struct stock_replayed replayed;
    const struct stock_records records = {
        .from = group->records,
        .bytes = group->records_bytes,
        .count = group->record_count,
    };
    if (group->time_ms > STOCK_TIME_MS_MAX) { /* the clock is to go on from there */
        *refused_lsn_out = group->first_lsn;
        return "the group's time is out of range";
    }
    const char *fault =
        stock_replay(core->stock, &records, source_items_wanted(&core->load->items), &replayed);
    core->counts.records_replayed += replayed.committed_count;
    if (fault == NULL && core->load->has_foreign)
        return refuse_foreign(core, group, refused_lsn_out);
    if (fault != NULL)
        *refused_lsn_out = group->first_lsn + replayed.read_count;
    core->load->is_table_full = fault == stock_check_full;
    return fault;
}

static enum server_status begin_log(struct core *core)
{
    struct load *load = core->load;
    struct source *source = present_source(core);
    begin_items(core);
    load->step = STEP_LOG;
    return sources_status_of(
        log_files_begin_log(source->files, &source->start, replay_group, core));
}

static enum server_status end_log(struct core *core)
{
    struct load *load = core->load;
    struct source *source = present_source(core);
    bool was_torn;
    if (load->is_table_full)
        return refuse_too_small(core);
    enum data_directory_status status = log_files_end_log(source->files, &load->end, &was_torn);
    if (status != DATA_DIRECTORY_OK)
        return sources_status_of(status);
    if (was_torn)
        diag(DIAG_WARNING,
             "core %u: the last write had been cut short; it was never acknowledged and is "
             "removed, a copy is kept beside the log",
             source->core);
    note_time(core, load->end.time_ms);
    load->bytes_done += log_files_log_bytes(source->files, &source->start);
    load->source_index++;
    load->step = load->source_index == load->sources.count ? STEP_DONE : STEP_SOURCE;
    return SERVER_OK;
}

/* ---- progress ---- */

struct load_progress load_progress(const struct core *core)
{
    const struct load *load = core->load;
    struct load_progress progress = {0};
    if (load == NULL)
        return progress;
    progress.bytes = load->sources.bytes;
    progress.bytes_done = load->bytes_done + load->snapshot_bytes_done;
    if (load->step == STEP_LOG)
        progress.bytes_done += log_files_log_bytes_done(present_source(core)->files);
    return progress;
}

uint64_t load_ready_ms(const struct core *core)
{
    struct load_progress progress = load_progress(core);
    if (progress.bytes == 0 || progress.bytes_done == 0)
        return 0;
    uint64_t spent_ms = core->now_ms - core->load->begun_ms;
    uint64_t left = progress.bytes > progress.bytes_done ? progress.bytes - progress.bytes_done : 0;
    return core->now_ms + (uint64_t)((double)spent_ms * (double)left / (double)progress.bytes_done);
}

/* With many cores each tells less often, so that all together tell once per second. */
static void tell_progress(struct core *core)
{
    struct load *load = core->load;
    struct load_progress progress = load_progress(core);
    if (core->now_ms < load->told_ms + TELL_EVERY_MS * core->server->options.core_count)
        return;
    load->told_ms = core->now_ms;
    diag(DIAG_INFO,
         "core %u: loading: %" PRIu64 " of %" PRIu64 " MiB (%u %%), %" PRIu64
         " entries of snapshots, %" PRIu64 " records",
         core->index, progress.bytes_done >> 20, progress.bytes >> 20,
         progress.bytes == 0 ? 0 : (unsigned)(progress.bytes_done * 100 / progress.bytes),
         core->counts.entries_loaded, core->counts.records_replayed);
}

/* ---- all of it ---- */

static enum server_status find_sources(struct core *core)
{
    struct load *load = core->load;
    enum server_status status = sources_find(&load->sources);
    if (status != SERVER_OK)
        return status;
    load->source_index = 0;
    load->bytes_done = load->snapshot_bytes_done = 0;
    stock_load_begin(core->stock);
    load->step = STEP_SOURCE;
    return SERVER_OK;
}

static enum server_status step_on(struct core *core)
{
    struct load *load = core->load;
    switch (load->step) {
    case STEP_FIND:
        return find_sources(core);
    case STEP_SOURCE:
        return present_source(core)->has_snapshot ? begin_snapshot(core) : begin_log(core);
    case STEP_SNAPSHOT:
        return read_snapshot(core);
    case STEP_LOG:
        return log_files_read_log(present_source(core)->files) ? SERVER_OK : end_log(core);
    case STEP_DONE:
        break;
    }
    return SERVER_OK;
}

enum server_status load_continue(struct core *core, char *message_out)
{
    const struct load *load = core->load;
    uint64_t end_bytes = load_progress(core).bytes_done + PIECE_BYTES;
    uint64_t read_end_bytes = sources_bytes_read(&load->sources) + READ_BYTES;
    for (uint32_t i = 0; i < PIECE_GROUPS && load->step != STEP_DONE; i++) {
        enum server_status status = step_on(core);
        if (status != SERVER_OK) {
            status = sources_refusal(&load->sources, status);
            memcpy(message_out, load->message, SERVER_MESSAGE_BYTES);
            return status;
        }
        if (load_progress(core).bytes_done >= end_bytes ||
            sources_bytes_read(&load->sources) >= read_end_bytes)
            break;
    }
    tell_progress(core);
    return SERVER_OK;
}

bool load_is_done(const struct core *core)
{
    return core->load->step == STEP_DONE;
}

void load_begin(struct core *core)
{
    struct load *load = core->load;
    load->step = STEP_FIND;
    load->begun_ms = load->told_ms = core->now_ms;
}

/* What the next snapshot, and the letting go of old ones, go on with. */
static void note_snapshots(struct core *core)
{
    const struct load *load = core->load;
    const struct source *own = &load->sources.list[load->sources.count - 1];
    struct saving *saving = &core->saving;
    uint32_t count = log_files_snapshot_count(own->files);
    for (uint32_t i = 0; i < count && i < SAVING_FILE_COUNT_MAX; i++) {
        uint64_t lsn = log_files_snapshot_lsn(own->files, i);
        saving->file_lsns[saving->file_count++] = lsn;
        saving->good_count += sources_is_good(&load->sources, own, lsn);
    }
    saving->has_past = load->sources.count > 1;
    saving->has_newest = own->has_snapshot;
    saving->log_bytes_before = log_files_log_bytes_done(own->files);
    if (!own->has_snapshot)
        return;
    saving->newest = (struct saved){
        .lsn = log_snapshot_lsn(&own->header),
        .segment_number = own->header.position.segment_number,
        .taken_ms = own->header.taken_ms,
        .content = load->content,
    };
}

enum server_status load_end(struct core *core, char *message_out)
{
    if (!stock_load_end(core->stock)) {
        snprintf(message_out, SERVER_MESSAGE_BYTES, "no memory to put the deadlines in order");
        return SERVER_NO_MEMORY;
    }
    note_time(core, stock_time_ms(core->stock));
    core->loaded_end = core->load->end;
    core->loaded_hash = stock_hash(core->stock);
    note_snapshots(core);
    load_abandon(core);
    return SERVER_OK;
}

void load_abandon(struct core *core)
{
    struct load *load = core->load;
    if (load == NULL)
        return;
    sources_deinit(&load->sources);
    memory_unmap(load, sizeof *load);
    core->load = NULL;
}

bool load_create(struct core *core)
{
    const struct server *server = core->server;
    core->load = memory_map(sizeof *core->load);
    return core->load != NULL &&
           sources_init(&core->load->sources, server->directory, core->io, core->index,
                        server->options.core_count, core->load->message);
}
