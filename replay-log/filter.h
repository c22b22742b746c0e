#ifndef HF_REPLAY_LOG_FILTER_H
#define HF_REPLAY_LOG_FILTER_H
/* Which logs and records the options of `cat` and `stats` name. All that are given have to hold. */

#include "data.h"
#include "options.h"

#include "stock/record.h"

bool filter_has_log(const struct options *options, const struct data_log *log);
bool filter_has_record(const struct options *options, uint64_t lsn,
                       const struct stock_record *record);

/* False, with a line on stderr, when the options name no log, or LSNs of several. */
bool filter_fits(const struct options *options, const struct data *data);

/* Of the segments of the logs that are named. */
uint64_t filter_bytes(const struct options *options, const struct data *data);

/* Where reading a log begins when all of it is wanted: NULL for its beginning. */
const struct log_position *filter_start(const struct data_log *log);

#endif
