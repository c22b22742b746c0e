#include "filter.h"

#include "record_print.h"
#include "replay.h"
#include "snapshots.h"
#include "text.h"

#include <inttypes.h>

bool filter_has_log(const struct options *options, const struct data_log *log)
{
    return (!options->has_core || options->core == log->core) &&
           (options->era == 0 || options->era == log->era);
}

static bool has_hold(const struct options *options, const struct stock_record *record)
{
    const bool asks = options->buyers.count > 0 || options->reservations.count > 0;
    if (!asks || stock_record_is_of_item(record))
        return !asks;
    const struct id128 buyer = {.low = record->hold.buyer_id};
    return (options->buyers.count == 0 || id_list_has(&options->buyers, buyer)) &&
           (options->reservations.count == 0 ||
            id_list_has(&options->reservations, record->hold.reservation_id));
}

bool filter_has_record(const struct options *options, uint64_t lsn,
                       const struct stock_record *record)
{
    const struct id128 item = {.low = stock_record_item_id(record)};
    return lsn >= options->from_lsn && lsn <= options->to_lsn &&
           record->time_ms >= options->since_ms && record->time_ms <= options->until_ms &&
           (options->types == 0 || (options->types & 1u << record->type) != 0) &&
           (options->items.count == 0 || id_list_has(&options->items, item)) &&
           has_hold(options, record);
}

bool filter_fits(const struct options *options, const struct data *data)
{
    const bool has_lsn = options->from_lsn > 0 || options->to_lsn < UINT64_MAX - 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < data->log_count; i++)
        count += filter_has_log(options, &data->logs[i]);
    if (count == 0 && options->has_core)
        tell("%s: no era has a core %u%s; `holdfast-log info` shows what there is", data->path,
             options->core, options->era != 0 ? ", or not the one that is named" : "");
    else if (count == 0)
        tell("%s: there is no era %" PRIu64 "; `holdfast-log info` shows what there is", data->path,
             options->era);
    else if (has_lsn && count > 1)
        tell("LSNs of which log? --from and --to need one: name it with --core, and --era where "
             "there are several");
    return count == 1 || (count > 1 && !has_lsn);
}

uint64_t filter_bytes(const struct options *options, const struct data *data)
{
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < data->log_count; i++)
        if (filter_has_log(options, &data->logs[i]))
            bytes += data->logs[i].segments_bytes;
    return bytes;
}

const struct log_position *filter_start(const struct data_log *log)
{
    const struct data_snapshot *oldest = snapshot_oldest(log);
    return data_log_has_first_segment(log) || oldest == NULL ? NULL : &oldest->header.position;
}
