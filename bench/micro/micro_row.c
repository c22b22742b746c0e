/* micro-row: what each step on the way of a row costs by itself, in one thread. The order is that
 * of a core's turn:
 *
 *     decode   a frame verified, its message decoded, its columns made rows
 *     hash     the row's three keys, as the tables need them
 *     prepare  hashed, and what deciding needs read ahead
 *     decide   prepared and decided
 *     commit   prepared, decided and committed
 *     append   the record encoded into the open group, and the group closed with its checksums
 *     encode   the reply put into columns, the columns into a message, that into a frame
 *     timers   a deadline set, found due and taken away
 *     replay   the record checked and committed again
 *
 * Each case makes its input first; its function measured_...() is all that is timed. So callgrind
 * can count the instructions of the same: bench/micro/run does, and takes from decide and commit
 * what the step before costs. */

#include "bench/micro/number.h"
#include "bench/micro/sale.h"
#include "bench/micro/scratch_log.h"
#include "bench/micro/span.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/memory.h"
#include "core/columns.h"
#include "stock/record.h"
#include "timer/timer.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    FRAME_ROWS = 256,
    PREPARED_ROWS = 64, /* together, as in a core */
    ARENA_BYTES = 8 * FRAME_BODY_BYTES_MAX,
    REQUEST_ROW_BYTES_MAX = 64,
    REQUEST_FIXED_BYTES_MAX = 256,
    HOLD_MS = 900000,
    HASH_KEY = 1, /* any */
    ROW_COUNT_MAX = 1 << 26,
};

/* Kept apart, so that callgrind can tell them from what surrounds them. */
#define MEASURED static __attribute__((noinline)) struct span

struct bench {
    struct sale sale;
    uint64_t row_count; /* of the sale's holds */
    const char *directory;
    struct message_arena arena;
    struct reply_columns *columns;
    uint64_t hash_key;
    uint64_t sum; /* of what is worked out, so that it is */
};

/* ---- decode ---- */

struct frames {
    uint8_t *bytes;
    size_t used;
    uint32_t frame_rows;
};

static size_t encode_single(const struct stock_request *row, uint64_t request_id, uint8_t *to)
{
    Holdfast__V1__ReserveRequest message = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    message.item_id = row->item_id;
    message.reservation_id_high = row->reservation_id.high;
    message.reservation_id_low = row->reservation_id.low;
    message.buyer_id = row->buyer_id;
    message.quantity = row->quantity;
    return message_encode_frame(&message.base, FRAME_RESERVE, request_id, to,
                                REQUEST_FIXED_BYTES_MAX);
}

static size_t encode_batch(const struct stock_request *rows, uint32_t row_count,
                           uint64_t request_id, uint8_t *to)
{
    uint64_t item_id[FRAME_ROWS], high[FRAME_ROWS], low[FRAME_ROWS], buyer_id[FRAME_ROWS];
    uint32_t quantity = rows[0].quantity;
    for (uint32_t i = 0; i < row_count; i++) {
        item_id[i] = rows[i].item_id;
        high[i] = rows[i].reservation_id.high;
        low[i] = rows[i].reservation_id.low;
        buyer_id[i] = rows[i].buyer_id;
    }
    Holdfast__V1__ReserveBatchRequest message = HOLDFAST__V1__RESERVE_BATCH_REQUEST__INIT;
    message.row_count = row_count;
    message.item_id = item_id;
    message.reservation_id_high = high;
    message.reservation_id_low = low;
    message.buyer_id = buyer_id;
    message.n_item_id = message.n_reservation_id_high = message.n_reservation_id_low =
        message.n_buyer_id = row_count;
    message.quantity = &quantity;
    message.n_quantity = 1;
    return message_encode_frame(&message.base, FRAME_RESERVE_BATCH, request_id, to,
                                REQUEST_FIXED_BYTES_MAX + row_count * REQUEST_ROW_BYTES_MAX);
}

/* How many of the bench's rows are left behind `first`, `count_max` at most. */
static uint32_t rows_left(const struct bench *bench, uint64_t first, uint32_t count_max)
{
    uint64_t left = bench->row_count - first;
    return left < count_max ? (uint32_t)left : count_max;
}

static void make_requests(const struct bench *bench, uint64_t first, uint32_t count,
                          struct stock_request *rows)
{
    for (uint32_t i = 0; i < count; i++)
        rows[i] = sale_request(&bench->sale, STOCK_OP_RESERVE, first + i);
}

static size_t frames_bytes_max(const struct bench *bench, uint32_t frame_rows)
{
    uint64_t frame_count = bench->row_count / frame_rows + 1;
    return frame_count * (REQUEST_FIXED_BYTES_MAX + (uint64_t)frame_rows * REQUEST_ROW_BYTES_MAX);
}

static struct frames make_frames(const struct bench *bench, uint32_t frame_rows)
{
    struct frames frames = {.bytes = sale_map(frames_bytes_max(bench, frame_rows)),
                            .frame_rows = frame_rows};
    struct stock_request rows[FRAME_ROWS];
    for (uint64_t first = 0; first < bench->row_count; first += frame_rows) {
        uint32_t count = rows_left(bench, first, frame_rows);
        uint8_t *to = frames.bytes + frames.used;
        make_requests(bench, first, count, rows);
        frames.used +=
            frame_rows == 1 ? encode_single(rows, first, to) : encode_batch(rows, count, first, to);
    }
    return frames;
}

MEASURED measured_decode(struct bench *bench, const struct frames *frames)
{
    struct span begin = span_begin();
    union job_row rows[FRAME_ROWS];
    for (size_t at = 0; at < frames->used;) {
        struct frame_header header;
        struct request_columns columns;
        size_t frame_bytes;
        enum frame_status frame_status =
            frame_parse(frames->bytes + at, frames->used - at, FRAME_BODY_BYTES_MAX, true, &header,
                        &frame_bytes);
        hf_assert(frame_status == FRAME_OK);
        enum columns_status status =
            columns_decode(&bench->arena, header.type, frames->bytes + at + FRAME_HEADER_BYTES,
                           header.body_bytes, FRAME_ROWS, &columns);
        hf_assert(status == COLUMNS_OK);
        columns_to_rows(&columns, rows);
        bench->sum += rows[columns.row_count - 1].request.reservation_id.low;
        at += frame_bytes;
    }
    return span_end(begin);
}

static struct span decode(struct bench *bench, uint32_t frame_rows)
{
    struct frames frames = make_frames(bench, frame_rows);
    struct span span = measured_decode(bench, &frames);
    memory_unmap(frames.bytes, frames_bytes_max(bench, frame_rows));
    return span;
}

static struct span decode_batch(struct bench *bench)
{
    return decode(bench, FRAME_ROWS);
}

static struct span decode_single(struct bench *bench)
{
    return decode(bench, 1);
}

/* ---- hash, prepare, decide, commit ---- */

static struct stock_request *make_all_requests(const struct bench *bench)
{
    struct stock_request *rows = sale_map(bench->row_count * sizeof *rows);
    for (uint64_t i = 0; i < bench->row_count; i++)
        rows[i] = sale_request(&bench->sale, STOCK_OP_RESERVE, i);
    return rows;
}

/* As the tables' hashes are made (engine/stock/lookup.c), which the room keeps to itself. */
MEASURED measured_hash(struct bench *bench, const struct stock_request *rows)
{
    struct span begin = span_begin();
    for (uint64_t i = 0; i < bench->row_count; i++) {
        const struct stock_request *row = &rows[i];
        const uint64_t reservation[] = {row->item_id, row->reservation_id.high,
                                        row->reservation_id.low};
        const uint64_t buyer[] = {row->item_id, row->buyer_id};
        bench->sum += checksum64_u64(row->item_id, bench->hash_key);
        bench->sum += checksum64(reservation, sizeof reservation, bench->hash_key);
        bench->sum += checksum64(buyer, sizeof buyer, bench->hash_key);
    }
    return span_end(begin);
}

static struct span hash(struct bench *bench)
{
    struct stock_request *rows = make_all_requests(bench);
    struct span span = measured_hash(bench, rows);
    memory_unmap(rows, bench->row_count * sizeof *rows);
    return span;
}

MEASURED measured_prepare(struct bench *bench, struct stock *stock, struct stock_request *rows)
{
    struct span begin = span_begin();
    for (uint64_t first = 0; first < bench->row_count; first += PREPARED_ROWS)
        stock_prepare(stock, rows + first, rows_left(bench, first, PREPARED_ROWS));
    return span_end(begin);
}

/* Nothing is committed, so each row is the first one that its item sees. */
MEASURED measured_decide(struct bench *bench, struct stock *stock, struct stock_request *rows)
{
    struct span begin = span_begin();
    for (uint64_t first = 0; first < bench->row_count; first += PREPARED_ROWS) {
        uint32_t count = rows_left(bench, first, PREPARED_ROWS);
        stock_prepare(stock, rows + first, count);
        for (uint32_t i = 0; i < count; i++) {
            struct stock_reply reply;
            struct stock_record record;
            stock_decide(stock, &rows[first + i], sale_time_ms(first), &reply, &record);
            bench->sum += record.hold.sequence;
        }
    }
    return span_end(begin);
}

MEASURED measured_commit(struct bench *bench, struct stock *stock, struct stock_request *rows)
{
    struct span begin = span_begin();
    for (uint64_t first = 0; first < bench->row_count; first += PREPARED_ROWS) {
        uint32_t count = rows_left(bench, first, PREPARED_ROWS);
        stock_prepare(stock, rows + first, count);
        for (uint32_t i = 0; i < count; i++) {
            struct stock_reply reply;
            struct stock_record record;
            stock_decide(stock, &rows[first + i], sale_time_ms(first), &reply, &record);
            stock_commit(stock, &record);
        }
    }
    return span_end(begin);
}

typedef struct span (*state_fn)(struct bench *bench, struct stock *stock,
                                struct stock_request *rows);

/* On a state that has the items and no holds yet. */
static struct span on_state(struct bench *bench, state_fn measured)
{
    struct stock *stock = sale_open_stock_with_items(&bench->sale, bench->hash_key);
    struct stock_request *rows = make_all_requests(bench);
    struct span span = measured(bench, stock, rows);
    memory_unmap(rows, bench->row_count * sizeof *rows);
    stock_destroy(&stock);
    return span;
}

static struct span prepare(struct bench *bench)
{
    return on_state(bench, measured_prepare);
}

static struct span decide(struct bench *bench)
{
    return on_state(bench, measured_decide);
}

static struct span commit(struct bench *bench)
{
    return on_state(bench, measured_commit);
}

/* ---- append ---- */

MEASURED measured_append(struct scratch_log *log, const struct stock_record *records,
                         uint64_t record_count)
{
    struct span begin = span_begin();
    for (uint64_t i = 0; i < record_count; i++)
        wal_append(log->wal, stock_record_encode(&records[i], wal_next(log->wal)));
    wal_write(log->wal, records[0].time_ms);
    return span_end(begin);
}

/* The sale's holds, as its log has them. */
static struct stock_record *make_records(const struct bench *bench)
{
    struct stock_record *records = sale_map(bench->row_count * sizeof *records);
    const uint8_t *from = bench->sale.log;
    for (uint64_t count = 0; count < bench->row_count; from += from[0]) {
        const char *problem = stock_record_decode(from, from[0], &records[count]);
        hf_assert(problem == NULL);
        count += records[count].type == STOCK_RECORD_HELD;
    }
    return records;
}

/* What the disk does is waited for between the groups. */
static struct span append(struct bench *bench)
{
    static struct scratch_log log_memory;
    struct scratch_log *log = &log_memory;
    struct stock_record *records = make_records(bench);
    struct span sum = {0, 0};
    scratch_log_open(log, bench->directory);
    for (uint64_t first = 0; first < bench->row_count;) {
        uint32_t count = rows_left(bench, first, wal_room(log->wal));
        if (count > 0)
            span_add(&sum, measured_append(log, records + first, count));
        first += count;
        scratch_log_turn(log);
        scratch_log_drain(log);
    }
    scratch_log_close(log);
    memory_unmap(records, bench->row_count * sizeof *records);
    return sum;
}

/* ---- encode ---- */

MEASURED measured_encode(struct bench *bench, const union job_row *rows, uint32_t frame_rows,
                         uint8_t *to)
{
    struct span begin = span_begin();
    for (uint64_t first = 0; first < bench->row_count; first += frame_rows) {
        const struct job job = {
            .request_id = first,
            .row_count = rows_left(bench, first, frame_rows),
            .frame_type = frame_rows == 1 ? FRAME_RESERVE : FRAME_RESERVE_BATCH,
        };
        bench->sum += columns_encode_reply(bench->columns, &job, rows + first, to);
    }
    return span_end(begin);
}

/* The answers to holds of items without a limit. */
static union job_row *make_replies(const struct bench *bench)
{
    union job_row *rows = sale_map(bench->row_count * sizeof *rows);
    for (uint64_t i = 0; i < bench->row_count; i++)
        rows[i].reply = (struct stock_reply){
            .code = STOCK_OK,
            .state = STOCK_STATE_HELD,
            .quantity = 1,
            .sequence = bench->sale.sequences[i],
            .expires_ms = sale_time_ms(0) + HOLD_MS,
            .available = STOCK_UNLIMITED,
        };
    return rows;
}

static struct span encode(struct bench *bench, uint32_t frame_rows)
{
    const struct job largest = {.row_count = frame_rows, .frame_type = FRAME_RESERVE_BATCH};
    size_t frame_bytes = columns_reply_bytes_max(&largest);
    uint8_t *to = sale_map(frame_bytes);
    union job_row *rows = make_replies(bench);
    struct span span = measured_encode(bench, rows, frame_rows, to);
    memory_unmap(rows, bench->row_count * sizeof *rows);
    memory_unmap(to, frame_bytes);
    return span;
}

static struct span encode_replies_batch(struct bench *bench)
{
    return encode(bench, FRAME_ROWS);
}

static struct span encode_replies_single(struct bench *bench)
{
    return encode(bench, 1);
}

/* ---- timers, replay ---- */

MEASURED measured_timers(struct bench *bench, struct timer *timer)
{
    struct span begin = span_begin();
    for (uint32_t slot = 0; slot < bench->row_count; slot++)
        timer_insert(timer, slot, sale_time_ms(slot) + HOLD_MS, HOLD_MS);
    uint64_t end_ms = sale_time_ms(bench->row_count) + HOLD_MS;
    uint32_t slot;
    while ((slot = timer_due(timer, end_ms)) != TIMER_SLOT_NONE)
        timer_cancel(timer, slot);
    return span_end(begin);
}

static struct span timers(struct bench *bench)
{
    struct timer *timer = timer_open((uint32_t)bench->row_count);
    hf_assert(timer != NULL);
    struct span span = measured_timers(bench, timer);
    timer_close(&timer);
    return span;
}

MEASURED measured_replay(struct bench *bench, struct stock *stock)
{
    struct span begin = span_begin();
    sale_replay(&bench->sale, stock);
    return span_end(begin);
}

static struct span replay(struct bench *bench)
{
    struct stock *stock = sale_open_stock(&bench->sale, bench->hash_key);
    struct span span = measured_replay(bench, stock);
    stock_destroy(&stock);
    return span;
}

/* ---- cases ---- */

static const struct micro_case {
    const char *name;
    struct span (*run)(struct bench *bench);
    bool is_of_records; /* of the sale's log, instead of its holds */
} cases[] = {
    {"decode-256", decode_batch, false},
    {"decode-1", decode_single, false},
    {"hash", hash, false},
    {"prepare", prepare, false},
    {"decide", decide, false},
    {"commit", commit, false},
    {"append", append, false},
    {"encode-256", encode_replies_batch, false},
    {"encode-1", encode_replies_single, false},
    {"timers", timers, false},
    {"replay", replay, true},
};
enum { CASE_COUNT = sizeof cases / sizeof *cases };

struct options {
    uint64_t row_count;
    uint64_t item_count;
    uint64_t run_count;
    const char *directory;
    bool is_wanted[CASE_COUNT];
};

static void measure(struct bench *bench, const struct micro_case *micro_case, uint64_t run_count)
{
    struct span spans[SPAN_COUNT_MAX];
    for (uint64_t run = 0; run < run_count; run++)
        spans[run] = micro_case->run(bench);
    if (micro_case->is_of_records)
        span_print(micro_case->name, "records", bench->sale.record_count, spans, run_count);
    else
        span_print(micro_case->name, "rows", bench->row_count, spans, run_count);
}

static void bench_make(struct bench *bench, const struct options *options)
{
    const struct sale_options sale = {.reservation_count = options->row_count,
                                      .item_count = options->item_count,
                                      .has_buyers = true};
    sale_make(&bench->sale, &sale);
    bench->row_count = options->row_count;
    bench->hash_key = HASH_KEY;
    bench->directory = options->directory;
    bench->columns = sale_map(sizeof *bench->columns);
    message_arena_init(&bench->arena, sale_map(ARENA_BYTES), ARENA_BYTES);
}

/* ---- options ---- */

static void print_help(void)
{
    fputs("Usage: micro-row [OPTION]... [CASE]...\n"
          "Measures the steps on the way of a row; all cases by default:",
          stdout);
    for (int i = 0; i < CASE_COUNT; i++)
        printf(" %s", cases[i].name);
    fputs("\n\n"
          "  --rows N          [256k]\n"
          "  --items N         among which they are spread [1000]\n"
          "  --runs N          the median is printed [3]\n"
          "  --directory PATH  where append makes its log [.]\n"
          "  --help            print this and exit\n",
          stdout);
}

static bool parse_case(const char *text, struct options *options)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        if (strcmp(text, cases[i].name) == 0) {
            options->is_wanted[i] = true;
            return true;
        }
    }
    fprintf(stderr, "micro-row: %s: no such case\n", text);
    return false;
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"rows", required_argument, NULL, 'r'}, {"items", required_argument, NULL, 'i'},
        {"runs", required_argument, NULL, 'n'}, {"directory", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},       {NULL, 0, NULL, 0},
    };
    int option;
    bool is_good = true;
    while (is_good && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 'r':
            is_good = number_parse(optarg, ROW_COUNT_MAX, &options->row_count);
            break;
        case 'i':
            is_good = number_parse(optarg, ROW_COUNT_MAX, &options->item_count);
            break;
        case 'n':
            is_good = number_parse(optarg, SPAN_COUNT_MAX, &options->run_count);
            break;
        case 'd':
            options->directory = optarg;
            break;
        case 'h':
            print_help();
            exit(0);
        default:
            is_good = false;
            break;
        }
    }
    bool is_all = optind == argc;
    for (int i = 0; i < CASE_COUNT; i++)
        options->is_wanted[i] = is_all;
    for (; is_good && optind < argc; optind++)
        is_good = parse_case(argv[optind], options);
    return is_good;
}

int main(int argc, char **argv)
{
    static struct bench bench;
    struct options options = {
        .row_count = 256000, .item_count = 1000, .run_count = 3, .directory = "."};
    if (!parse(argc, argv, &options)) {
        fputs("Try 'micro-row --help'.\n", stderr);
        return 1;
    }
    bench_make(&bench, &options);
    for (int i = 0; i < CASE_COUNT; i++)
        if (options.is_wanted[i])
            measure(&bench, &cases[i], options.run_count);
    return 0;
}
