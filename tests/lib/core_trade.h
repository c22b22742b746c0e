#ifndef HF_TESTS_CORE_TRADE_H
#define HF_TESTS_CORE_TRADE_H
/* Trade with the cores of core_play.h in large frames, and their snapshots. What is asked follows
 * from numbers alone: reservation n is of item 1 + n % TRADE_ITEMS and buyer 1 + n % TRADE_BUYERS.
 */

#include "core_play.h"

#include "holdfast/v1/snapshot.pb-c.h"
#include "log/snapshot.h"
#include "stock/load.h"
#include "wal/log_files.h"

enum { TRADE_ITEMS = 40, TRADE_BUYERS = 97, TRADE_STOCK = 1 << 30 };

/* ---- requests ---- */

static inline void trade_make_items(struct play *play, struct play_client *client)
{
    for (uint64_t item_id = 1; item_id <= TRADE_ITEMS; item_id++)
        play_create(play, client, item_id, TRADE_STOCK);
}

/* Of the reservations first, first + step, ...: so many of them. */
struct trade_rows {
    uint8_t type; /* FRAME_RESERVE_BATCH ... FRAME_GET_BATCH */
    uint32_t first, step, count;
    uint64_t hold_ms;      /* of the first reservation; 0 = the item's, for all of them */
    uint64_t hold_step_ms; /* so much longer is each one held than the one before */
    uint64_t expires_ms;   /* of an extension */
};

static inline void trade_send(struct play_client *client, const struct trade_rows *rows)
{
    static uint64_t item_ids[FRAME_ROW_COUNT_MAX], ids[FRAME_ROW_COUNT_MAX];
    static uint64_t buyer_ids[FRAME_ROW_COUNT_MAX], hold_ms[FRAME_ROW_COUNT_MAX];
    uint64_t expires_ms = rows->expires_ms;
    uint32_t quantity = rows->type == FRAME_RESERVE_BATCH;
    for (uint32_t i = 0; i < rows->count; i++) {
        uint32_t number = rows->first + i * rows->step;
        item_ids[i] = 1 + number % TRADE_ITEMS;
        ids[i] = 1 + (uint64_t)number;
        buyer_ids[i] = 1 + number % TRADE_BUYERS;
        hold_ms[i] = rows->hold_ms + i * rows->hold_step_ms;
    }
#define TRADE_SEND(Message, name, ...)                                                             \
    do {                                                                                           \
        const Message request = {                                                                  \
            .base = PROTOBUF_C_MESSAGE_INIT(&holdfast__v1__##name##_request__descriptor),          \
            .n_item_id = rows->count,                                                              \
            .item_id = item_ids,                                                                   \
            .n_reservation_id_low = rows->count,                                                   \
            .reservation_id_low = ids,                                                             \
            .row_count = rows->count __VA_ARGS__};                                                 \
        play_send(client, rows->type, rows->first, &request.base);                                 \
    } while (0)
#define TRADE_COLUMN(name, count, values) , .n_##name = (count), .name = (values)
    switch (rows->type) {
    case FRAME_RESERVE_BATCH:
        TRADE_SEND(Holdfast__V1__ReserveBatchRequest, reserve_batch,
                   TRADE_COLUMN(buyer_id, rows->count, buyer_ids)
                       TRADE_COLUMN(quantity, 1, &quantity)
                           TRADE_COLUMN(hold_ms, rows->count, hold_ms));
        break;
    case FRAME_CONFIRM_BATCH:
        TRADE_SEND(Holdfast__V1__ConfirmBatchRequest, confirm_batch, );
        break;
    case FRAME_CANCEL_BATCH:
        TRADE_SEND(Holdfast__V1__CancelBatchRequest, cancel_batch, );
        break;
    case FRAME_EXTEND_BATCH:
        TRADE_SEND(Holdfast__V1__ExtendBatchRequest, extend_batch,
                   TRADE_COLUMN(expires_ms, 1, &expires_ms));
        break;
    default:
        TRADE_SEND(Holdfast__V1__GetBatchRequest, get_batch, );
        break;
    }
#undef TRADE_COLUMN
#undef TRADE_SEND
}

/* All rows of the next reply have this result. */
static inline void trade_receive(struct play *play, struct play_client *client, uint8_t type,
                                 int result)
{
    const Holdfast__V1__ReservationBatchResponse *answer =
        play_receive(play, client, type + FRAME_REPLY);
    for (size_t i = 0; i < answer->n_result; i++)
        cr_assert_eq((int)answer->result[i], result, "row %zu of type %u: result %d", i, type,
                     (int)answer->result[i]);
}

static inline void trade_ask(struct play *play, struct play_client *client,
                             const struct trade_rows *rows)
{
    trade_send(client, rows);
    trade_receive(play, client, rows->type, HOLDFAST__V1__RESULT__RESULT_OK);
}

/* Reservations first to first + count - 1, of which each fifth is paid, and each fifth is
 * cancelled; some of the others hold for a moment only. */
static inline void trade(struct play *play, struct play_client *client, uint32_t first,
                         uint32_t count)
{
    const uint32_t batch = play->options.batch_rows_max;
    for (uint32_t done = 0; done < count; done += batch) {
        uint32_t rows = count - done < batch ? count - done : batch;
        trade_ask(
            play, client,
            &(struct trade_rows){
                .type = FRAME_RESERVE_BATCH, .first = first + done, .step = 1, .count = rows});
        uint32_t fifth = rows / 5;
        if (fifth == 0)
            continue;
        trade_ask(
            play, client,
            &(struct trade_rows){
                .type = FRAME_CONFIRM_BATCH, .first = first + done, .step = 5, .count = fifth});
        trade_ask(
            play, client,
            &(struct trade_rows){
                .type = FRAME_CANCEL_BATCH, .first = first + done + 1, .step = 5, .count = fifth});
    }
}

/* ---- snapshots ---- */

static inline void trade_send_snapshot(struct play_client *client, uint32_t core)
{
    Holdfast__V1__SnapshotRequest request = HOLDFAST__V1__SNAPSHOT_REQUEST__INIT;
    request.core = core;
    play_send(client, FRAME_SNAPSHOT, 60, &request.base);
}

static inline Holdfast__V1__SnapshotResponse
trade_snapshot(struct play *play, struct play_client *client, uint32_t core)
{
    trade_send_snapshot(client, core);
    const Holdfast__V1__SnapshotResponse *answer =
        play_receive(play, client, FRAME_SNAPSHOT + FRAME_REPLY);
    cr_assert_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_OK);
    cr_assert_eq(answer->core, core);
    return *answer;
}

static inline Holdfast__V1__StatResponse trade_stat(struct play *play, struct play_client *client,
                                                    uint32_t core)
{
    Holdfast__V1__StatRequest request = HOLDFAST__V1__STAT_REQUEST__INIT;
    request.core = core;
    request.state_hash = true;
    play_send(client, FRAME_STAT, 61, &request.base);
    const Holdfast__V1__StatResponse *answer = play_receive(play, client, FRAME_STAT + FRAME_REPLY);
    return *answer;
}

/* Of all cores, while nothing is asked of them. */
static inline uint64_t trade_hash(struct play *play)
{
    return server_hash(play->server);
}

/* "era-N/core-N/snapshot-LSN" of the newest era; valid until the fourth call after this one. */
static inline const char *trade_snapshot_path(struct play *play, uint32_t core, uint64_t lsn)
{
    static char paths[4][DATA_DIRECTORY_PATH_BYTES + LOG_NAME_BYTES_MAX];
    static unsigned next;
    char *path = paths[next++ % 4];
    char folder[DATA_DIRECTORY_PATH_BYTES], name[LOG_NAME_BYTES_MAX];
    data_directory_core_path(&play->directory, play->directory.manifest.era_count - 1, core,
                             folder);
    log_snapshot_file_name(lsn, name);
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

/* ---- a log replayed, for comparison ---- */

struct trade_replay {
    struct stock *stock;
    uint64_t last_lsn;
};

static inline const char *trade_replay_group(void *context, const struct log_group *group,
                                             uint64_t *refused_lsn_out)
{
    struct trade_replay *replay = context;
    struct stock_record record;
    uint64_t lsn = group->first_lsn;
    for (const uint8_t *bytes = group->records; bytes != NULL && lsn <= replay->last_lsn;
         bytes = log_record_next(group, bytes), lsn++) {
        *refused_lsn_out = lsn;
        const char *wrong = stock_record_decode(bytes, log_record_bytes(bytes), &record);
        if (wrong == NULL)
            wrong = stock_check(replay->stock, &record);
        if (wrong != NULL)
            return wrong;
        stock_commit(replay->stock, &record);
    }
    return NULL;
}

/* What the first records of a core's log, up to this LSN, make of nothing: its hash. The log is
 * there from its first segment on, and its core may be running. */
static inline uint64_t trade_replayed_hash(struct play *play, uint32_t core, uint64_t last_lsn)
{
    char message[DATA_DIRECTORY_MESSAGE_BYTES] = "";
    enum data_directory_status status;
    struct log_end end;
    bool was_torn;
    const struct log_position first = log_position_first();
    const struct stock_options options = {
        .item_count_max = play->options.item_count_max,
        .reservation_count_max = play->options.reservation_count_max,
        .buyer_count_max = play->options.buyer_count_max,
        .retention_ms = play->options.retention_ms,
        .hash_key = 99,
    };
    struct trade_replay replay = {.stock = stock_create(&options), .last_lsn = last_lsn};
    stock_load_begin(replay.stock);
    struct log_files *files = log_files_open(
        &play->directory, play->io, play->directory.manifest.era_count - 1, core, message, &status);
    cr_assert_not_null(files, "%s", message);
    cr_assert_eq(log_files_begin_log(files, &first, trade_replay_group, &replay),
                 DATA_DIRECTORY_OK);
    while (log_files_read_log(files)) {
    }
    cr_assert_eq(log_files_end_log(files, &end, &was_torn), DATA_DIRECTORY_OK, "%s", message);
    cr_assert_gt(end.next_lsn, last_lsn);
    log_files_close(&files);
    uint64_t hash = stock_hash(replay.stock);
    stock_destroy(&replay.stock);
    return hash;
}

#endif
