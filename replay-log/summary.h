#ifndef HF_REPLAY_LOG_SUMMARY_H
#define HF_REPLAY_LOG_SUMMARY_H
/* What `info` and `verify` have to say of a directory: its logs, its snapshots, its state. */

#include "data.h"

#include "stock/stock.h"

#include <jansson.h>

/* Of one log, or what was read of it. */
struct log_summary {
    bool is_read;
    bool is_live;           /* it grew while it was read */
    struct log_end end;     /* the worst that was met; counts are of all that was read */
    uint64_t first_lsn;     /* that reading would begin with */
    uint64_t first_time_ms; /* of records; 0 when there are none */
    uint64_t last_time_ms;
};

struct summary {
    struct data *data;
    struct log_summary *logs; /* in the order of data->logs */
    bool has_state;
    struct stock_counts counts;
    uint64_t state_hash;
};

uint64_t summary_record_count(const struct summary *summary);

/* A table of the logs, and of the snapshots if there are any. */
void summary_print_files(const struct summary *summary);
void summary_print_counts(const struct stock_counts *counts);
void summary_print_hash(const struct summary *summary);

/* The whole of it as one line of JSON on stdout. */
void summary_print_json(const struct summary *summary);

json_t *summary_json_counts(const struct stock_counts *counts);

#endif
