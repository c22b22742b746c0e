#include "replay.h"

#include "text.h"

#include <inttypes.h>

/* How bad each end is, for the code of a whole directory: damage is said before all else. */
static int rank(enum exit_code code)
{
    static const int RANKS[] = {
        [EXIT_GOOD] = 0, [EXIT_TORN] = 1, [EXIT_VERSION] = 2, [EXIT_IO] = 3, [EXIT_DAMAGED] = 4,
    };
    return RANKS[code];
}

enum exit_code replay_survey(struct data *data)
{
    enum exit_code worst = EXIT_GOOD;
    for (uint32_t i = 0; i < data->log_count; i++) {
        data_survey(data, &data->logs[i]);
        const enum exit_code code = data_exit_code(data->logs[i].end.status);
        if (rank(code) > rank(worst))
            worst = code;
    }
    return worst;
}

static uint64_t count_of(const struct data *data, enum stock_record_type type)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < data->log_count; i++)
        count += data->logs[i].type_counts[type];
    return count;
}

/* Tables for as many as were ever made: more cannot live at once. Memory is only taken as it is
 * touched. */
static struct stock *create_stock(const struct data *data)
{
    const uint64_t item_count = count_of(data, STOCK_RECORD_ITEM_CREATED) + 1;
    const uint64_t hold_count = count_of(data, STOCK_RECORD_HELD) + 1;
    if (item_count > STOCK_TABLE_COUNT_MAX || hold_count > STOCK_TABLE_COUNT_MAX) {
        tell("%s: %" PRIu64 " items and %" PRIu64 " holds are more than this program's tables "
             "can hold (%u each)",
             data->path, item_count - 1, hold_count - 1, STOCK_TABLE_COUNT_MAX);
        return NULL;
    }
    const struct stock_options options = {
        .item_count_max = (uint32_t)item_count,
        .reservation_count_max = (uint32_t)hold_count,
        .buyer_count_max = (uint32_t)hold_count,
        .retention_ms = 0, /* forgetting is a record too */
    };
    struct stock *stock = stock_create(&options);
    if (stock == NULL)
        tell("out of memory for %" PRIu64 " items and %" PRIu64 " holds: use a larger machine",
             item_count - 1, hold_count - 1);
    return stock;
}

static const char *apply_record(void *context, uint64_t lsn, const uint8_t *bytes)
{
    struct stock *stock = context;
    struct stock_record record;
    const char *wrong = stock_record_decode(bytes, log_record_bytes(bytes), &record);
    if (wrong == NULL)
        wrong = stock_check(stock, &record);
    if (wrong != NULL)
        return wrong;
    record.lsn = lsn;
    stock_commit(stock, &record);
    return NULL;
}

enum exit_code replay_build(struct data *data, struct stock **stock_out)
{
    struct stock *stock = create_stock(data);
    if (stock == NULL)
        return EXIT_IO;
    for (uint32_t i = 0; i < data->log_count; i++) {
        struct data_log *log = &data->logs[i];
        struct log_end end;
        data_read(data, log, apply_record, stock, &end);
        if (end.status != LOG_GOOD && end.status != LOG_TORN_TAIL) {
            log->end = end;
            stock_destroy(&stock);
            return data_exit_code(end.status);
        }
    }
    *stock_out = stock;
    return EXIT_GOOD;
}
