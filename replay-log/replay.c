#include "replay.h"

#include "stock/stock.h"

const char replay_misplaced[] = "its item belongs to another core";

/* ---- items ---- */

static uint32_t log_index(const struct data *data, uint32_t era_index, uint64_t item_id)
{
    uint32_t index = data_owner(data, era_index, item_id);
    for (uint32_t i = 0; i < era_index; i++)
        index += data_core_count(data, i);
    return index;
}

static bool is_wanted(const void *context, uint64_t item_id)
{
    struct wanting *wanting = *(struct wanting *const *)context;
    const struct data *data = wanting->data;
    const uint32_t era_index = wanting->log->era_index;
    if (data_owner(data, era_index, item_id) != wanting->log->core) {
        wanting->has_misplaced = true;
        return false;
    }
    if (wanting->has_snapshot == NULL)
        return true;
    for (uint32_t era = era_index + 1; era < data->manifest.era_count; era++)
        if (wanting->has_snapshot[log_index(data, era, item_id)])
            return false;
    return true;
}

struct stock_wanted wanting_of(struct wanting *wanting)
{
    wanting->self = wanting;
    return (struct stock_wanted){.is_wanted = is_wanted, .context = &wanting->self};
}

/* The first record that is not where its item belongs. Those before it are well-formed. */
static void find_misplaced(const struct replay *replay, const struct log_group *group,
                           uint64_t *refused_lsn_out)
{
    const struct wanting *wanting = &replay->wanting;
    const uint8_t *bytes = group->records;
    for (*refused_lsn_out = group->first_lsn; bytes != NULL;
         bytes = log_record_next(group, bytes), ++*refused_lsn_out) {
        struct stock_record record;
        if (stock_record_decode(bytes, log_record_bytes(bytes), &record) == NULL &&
            data_owner(wanting->data, wanting->log->era_index, stock_record_item_id(&record)) !=
                wanting->log->core)
            return;
    }
}

/* ---- groups ---- */

static bool is_before_time(const uint8_t *record, uint64_t time_end_ms)
{
    struct stock_record decoded;
    if (time_end_ms == UINT64_MAX)
        return true;
    /* What cannot be decoded is for the replay to refuse. */
    return stock_record_decode(record, log_record_bytes(record), &decoded) != NULL ||
           decoded.time_ms < time_end_ms;
}

struct stock_records replay_records(const struct log_group *group, const struct cut *cut)
{
    struct stock_records records = {.from = group->records};
    if (cut->time_end_ms == UINT64_MAX && group->first_lsn + group->record_count <= cut->lsn_end) {
        records.bytes = group->records_bytes;
        records.count = group->record_count;
        return records;
    }
    for (const uint8_t *record = group->records;
         record != NULL && group->first_lsn + records.count < cut->lsn_end &&
         is_before_time(record, cut->time_end_ms);
         record = log_record_next(group, record)) {
        records.bytes += log_record_bytes(record);
        records.count++;
    }
    return records;
}

static uint64_t time_of(const uint8_t *record)
{
    struct stock_record decoded;
    return stock_record_decode(record, log_record_bytes(record), &decoded) == NULL ? decoded.time_ms
                                                                                   : 0;
}

/* Those of the first and the last record. */
static void note_times(struct replay *replay, const struct stock_records *records)
{
    const uint8_t *last = records->from;
    if (records->count == 0)
        return;
    if (replay->first_time_ms == 0)
        replay->first_time_ms = time_of(last);
    for (uint32_t i = 1; i < records->count; i++)
        last += log_record_bytes(last);
    replay->last_time_ms = time_of(last);
}

static const char *decode(const struct stock_records *records, uint32_t *read_count_out)
{
    const uint8_t *record = records->from;
    const char *wrong = NULL;
    for (*read_count_out = 0; *read_count_out < records->count; ++*read_count_out) {
        struct stock_record decoded;
        wrong = stock_record_decode(record, log_record_bytes(record), &decoded);
        if (wrong != NULL)
            break;
        record += log_record_bytes(record);
    }
    return wrong;
}

static const char *put(struct replay *replay, const struct stock_records *records,
                       uint32_t *read_count_out)
{
    struct stock_replayed replayed;
    if (replay->stock == NULL)
        return decode(records, read_count_out);
    const char *wrong =
        stock_replay(replay->stock, records, wanting_of(&replay->wanting), &replayed);
    *read_count_out = replayed.read_count;
    replay->is_full = wrong == stock_check_full;
    return wrong;
}

const char *replay_group(void *context, const struct log_group *group, uint64_t *refused_lsn_out)
{
    struct replay *replay = context;
    const struct stock_records records = replay_records(group, &replay->cut);
    uint32_t read_count = 0;
    *refused_lsn_out = group->first_lsn;
    if (group->time_ms > STOCK_TIME_MS_MAX)
        return "the group's time is out of range";
    const char *wrong = put(replay, &records, &read_count);
    *refused_lsn_out += read_count;
    replay->record_count += read_count;
    replay->last_lsn = group->first_lsn + read_count - 1;
    replay->is_enough = records.count < group->record_count ||
                        group->first_lsn + group->record_count >= replay->cut.lsn_end;
    if (wrong == NULL)
        note_times(replay, &records);
    if (replay->wanting.has_misplaced) {
        find_misplaced(replay, group, refused_lsn_out);
        wrong = replay_misplaced;
    }
    return wrong;
}
