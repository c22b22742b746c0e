#ifndef HF_REPLAY_LOG_REPAIR_REPORT_H
#define HF_REPLAY_LOG_REPAIR_REPORT_H
/* What `repair` has to tell. Its lists may be as long as a log, so they are kept in temporary files
 * until they are printed; of each the first few are kept for people. */

#include "item_counts.h"
#include "mend.h"
#include "new_data.h"
#include "salvage.h"

#include <stdbool.h>
#include <stdio.h>

/* One list. */
struct report_list {
    const char *name;
    FILE *json; /* entries with commas between; NULL: none yet */
    uint64_t count;
    char *text; /* of the first ones */
    size_t text_bytes;
    FILE *text_to;
};

enum report_list_index {
    REPORT_HOLES,
    REPORT_DROPPED,
    REPORT_LOST_HOLDS,
    REPORT_MADE,
    REPORT_UNCERTAIN,
    REPORT_ITEMS,
    REPORT_LIST_COUNT,
};

/* Of an item: what is counted (counters of item_counts.h). */
enum report_counter {
    REPORT_ITEM_ALL,
    REPORT_ITEM_DROPPED,
    REPORT_ITEM_LOST_HOLDS,
    REPORT_ITEM_MADE,
    REPORT_ITEM_UNCERTAIN,
};

/* Of a log. */
struct report_log {
    uint64_t taken_count;
    uint64_t dropped_count;
    uint64_t last_lsn;
    bool has_hole;    /* in which records are missing */
    uint64_t hole_ms; /* what was open then may have changed in the last of them */
};

struct repair_report {
    const char *beside; /* the path beside which temporary files are made */
    const struct plan *plan;
    struct report_log *logs; /* in the order of data->logs */
    struct report_list lists[REPORT_LIST_COUNT];
    struct item_counts items;
    bool is_lost;    /* something is */
    bool has_failed; /* a list could not be written, which was told */
    uint64_t lost_lsn_count;
    bool has_unknown_end; /* and nobody knows how many more */
    /* of what was made */
    struct stock_counts counts;
    uint64_t state_hash;
};

void repair_report_begin(struct repair_report *report, const struct plan *plan, const char *beside);
void repair_report_end(struct repair_report *report);

/* ---- findings ---- */

void repair_report_hole(struct repair_report *report, const struct data_log *log,
                        const struct salvage_hole *hole);
void repair_report_dropped(struct repair_report *report, const struct data_log *log, uint64_t lsn,
                           const struct stock_record *record, const char *reason);
void repair_report_lost_holds(struct repair_report *report, uint64_t item_id, uint64_t first,
                              uint64_t last);
void repair_report_made(struct repair_report *report, const struct stock_record *record);

/* When all was read: looks for holds that may have ended in a hole, and sums the items up. The
 * state is settled. */
void repair_report_state(struct repair_report *report, struct stock *stock);

/* ---- printing ---- */

void repair_report_print(struct repair_report *report, const struct new_data *made);
void repair_report_write_json(struct repair_report *report, const struct new_data *made, FILE *to);

#endif
