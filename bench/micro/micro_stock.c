/* What the state costs by itself, in one thread and without disk or network: committing, replaying
 * a log, saving and loading. A made-up sale is written as a log into memory; replaying it gives the
 * state that is saved, and what was saved is loaded again. Hashes are compared on the way.
 *
 * Of each case the median of the runs is printed, by the clock and in processor time. */

#include "stock/load.h"
#include "stock/save.h"
#include "stock/stock.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/units.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    RUN_COUNT_MAX = 101,
    GROUP_RECORDS = 400,       /* of the log */
    PAGE_BYTES = 1 << 20,      /* of what is saved */
    SLICE_BYTES = 1 << 16,     /* of a step */
    ENDED_PERCENT = 30,        /* reservations that end in the log */
    ENDED_BACK_MAX = 1000000,  /* among so many that were made last */
    HELD_PER_MS = 1000,        /* how fast the sale goes */
    ROWS = 64,                 /* requests that are prepared together */
    RECORD_BYTES_MAX = 80 * 2, /* of a reservation in the log, its end included */
    ENTRY_BYTES_MAX = 88 + 32, /* of a reservation when saved, its buyer included */
};
#define HOLD_MS  900000
#define START_MS 1700000000000ull

enum micro_case { CASE_COMMIT, CASE_REPLAY, CASE_SAVE, CASE_LOAD, CASE_COUNT };
static const char *const case_names[CASE_COUNT] = {"commit", "replay", "save", "load"};

struct options {
    uint64_t reservation_count;
    uint64_t item_count;
    uint64_t run_count;
    bool has_buyers;
    bool is_wanted[CASE_COUNT];
};

static const char help[] =
    "Usage: micro-stock [OPTION]... [CASE]...\n"
    "Measures the engine's state; all cases by default:\n"
    "  commit   requests decided and committed, and while a save goes on between them\n"
    "  replay   the records of a log, until it serves\n"
    "  save     the state in slices\n"
    "  load     what was saved, until it serves\n\n"
    "  --reservations N  [1M]\n"
    "  --items N         among which they are spread [1000]\n"
    "  --buyers          each with a buyer; without it all are anonymous\n"
    "  --runs N          the median is printed [3]\n"
    "  --help            print this and exit\n";

/* ---- time ---- */

struct span {
    double wall_s, processor_s;
};

static double clock_s(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static struct span span_begin(void)
{
    return (struct span){clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct span span_end(struct span begin)
{
    struct span end = span_begin();
    return (struct span){end.wall_s - begin.wall_s, end.processor_s - begin.processor_s};
}

static int compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

static double median(double *values, uint64_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count / 2];
}

static void print_result(const char *what, const char *unit, uint64_t unit_count,
                         const struct span *spans, uint64_t run_count)
{
    double wall_s[RUN_COUNT_MAX] = {0};
    double processor_s[RUN_COUNT_MAX] = {0};
    for (uint64_t i = 0; i < run_count; i++) {
        wall_s[i] = spans[i].wall_s;
        processor_s[i] = spans[i].processor_s;
    }
    double seconds = median(wall_s, run_count);
    double count = (double)unit_count;
    printf("%-22s %10" PRIu64 " %-13s %8.3f s %8.2f M/s %7.1f ns, %.1f ns of processor time\n",
           what, unit_count, unit, seconds, count / seconds / 1e6, seconds / count * 1e9,
           median(processor_s, run_count) / count * 1e9);
    fflush(stdout);
}

/* ---- a sale, as a log ---- */

struct sale {
    struct options options;
    uint8_t *log;
    uint64_t log_room;
    uint64_t log_bytes;
    uint64_t record_count;
    uint32_t *sequences;      /* of each reservation, in its item */
    uint32_t *next_sequences; /* of each item */
    uint8_t *has_ended;
    uint64_t random;
};

static uint64_t mixed(uint64_t number)
{
    number = (number ^ number >> 31) * 0x9E3779B97F4A7C15u;
    number = (number ^ number >> 29) * 0xBF58476D1CE4E5B9u;
    return number ^ number >> 32;
}

static uint64_t item_of(const struct sale *sale, uint64_t reservation)
{
    return mixed(reservation) % sale->options.item_count;
}

static uint64_t made_ms(uint64_t reservation)
{
    return START_MS + reservation / HELD_PER_MS;
}

static struct stock_record hold_record(const struct sale *sale, enum stock_record_type type,
                                       uint64_t reservation, uint64_t time_ms)
{
    uint64_t buyer_id = 1 + mixed(reservation + 7) % sale->options.reservation_count;
    return (struct stock_record){
        .type = (uint8_t)type,
        .time_ms = time_ms,
        .hold = {.item_id = 1 + item_of(sale, reservation),
                 .reservation_id = {mixed(reservation), reservation + 1},
                 .buyer_id = sale->options.has_buyers ? buyer_id : 0,
                 .sequence = sale->sequences[reservation],
                 .expires_ms = made_ms(reservation) + HOLD_MS,
                 .user_data = reservation,
                 .quantity = 2,
                 .quantity_confirmed = type == STOCK_RECORD_CONFIRMED ? 2 : 0},
    };
}

static struct stock_record item_record(uint64_t item)
{
    return (struct stock_record){
        .type = STOCK_RECORD_ITEM_CREATED,
        .time_ms = START_MS,
        .item = {.item_id = 1 + item, .stock = STOCK_UNLIMITED, .hold_ms = HOLD_MS},
    };
}

static void append(struct sale *sale, const struct stock_record *record)
{
    hf_assert(sale->log_bytes + STOCK_RECORD_BYTES_MAX <= sale->log_room);
    sale->log_bytes += stock_record_encode(record, sale->log + sale->log_bytes);
    sale->record_count++;
}

static uint64_t next_random(struct sale *sale)
{
    return mixed(++sale->random);
}

/* Ends one of those that were made up to this one, if the dice fall on one that is open. */
static void maybe_end(struct sale *sale, uint64_t reservation)
{
    static const enum stock_record_type types[] = {STOCK_RECORD_CONFIRMED, STOCK_RECORD_CONFIRMED,
                                                   STOCK_RECORD_CANCELLED, STOCK_RECORD_EXPIRED};
    uint64_t back_max = reservation + 1 < ENDED_BACK_MAX ? reservation + 1 : ENDED_BACK_MAX;
    uint64_t ended = reservation - next_random(sale) % back_max;
    if (next_random(sale) % 100 >= ENDED_PERCENT || sale->has_ended[ended])
        return;
    enum stock_record_type type = types[next_random(sale) % 4];
    uint64_t time_ms = made_ms(reservation);
    if (type == STOCK_RECORD_EXPIRED)
        time_ms = made_ms(ended) + HOLD_MS;
    struct stock_record record = hold_record(sale, type, ended, time_ms);
    append(sale, &record);
    sale->has_ended[ended] = 1;
}

static void *must_map(size_t bytes)
{
    void *memory = memory_map(bytes);
    hf_assert(memory != NULL);
    return memory;
}

static void sale_make(struct sale *sale, const struct options *options)
{
    *sale = (struct sale){.options = *options};
    hf_assert(options->item_count > 0);
    sale->log_room = options->reservation_count * RECORD_BYTES_MAX +
                     (options->item_count + 1) * STOCK_RECORD_BYTES_MAX;
    sale->log = must_map(sale->log_room);
    sale->sequences = must_map(options->reservation_count * sizeof *sale->sequences);
    sale->next_sequences = must_map(options->item_count * sizeof *sale->next_sequences);
    sale->has_ended = must_map(options->reservation_count);
    for (uint64_t item = 0; item < options->item_count; item++) {
        struct stock_record record = item_record(item);
        append(sale, &record);
    }
    for (uint64_t i = 0; i < options->reservation_count; i++) {
        sale->sequences[i] = ++sale->next_sequences[item_of(sale, i)];
        struct stock_record record = hold_record(sale, STOCK_RECORD_HELD, i, made_ms(i));
        append(sale, &record);
        maybe_end(sale, i);
    }
}

static struct stock *open_stock(const struct options *options, uint64_t hash_key)
{
    const struct stock_options tables = {
        .item_count_max = (uint32_t)options->item_count,
        .reservation_count_max = (uint32_t)options->reservation_count,
        .buyer_count_max = (uint32_t)options->reservation_count,
        .retention_ms = 24ull * 3600 * 1000,
        .hash_key = hash_key,
    };
    struct stock *stock = stock_create(&tables);
    hf_assert(stock != NULL);
    return stock;
}

/* ---- commit ---- */

static void make_items(struct stock *stock, const struct sale *sale)
{
    for (uint64_t item = 0; item < sale->options.item_count; item++) {
        struct stock_record record = item_record(item);
        hf_assert(stock_check(stock, &record) == NULL);
        stock_commit(stock, &record);
    }
}

static struct stock_request request_about(const struct sale *sale, enum stock_op op,
                                          uint64_t reservation)
{
    struct stock_record held = hold_record(sale, STOCK_RECORD_HELD, reservation, 0);
    return (struct stock_request){
        .op = (uint8_t)op,
        .item_id = held.hold.item_id,
        .reservation_id = held.hold.reservation_id,
        .buyer_id = held.hold.buyer_id,
        .quantity = held.hold.quantity,
    };
}

/* A save that begins anew whenever it is complete; what it writes is written over. */
static void save_a_bit(struct stock *stock, struct stock_page *page)
{
    if (!stock_is_saving(stock))
        stock_save_begin(stock, page);
    *page = (struct stock_page){.to = page->to, .bytes_max = PAGE_BYTES};
    struct stock_saved saved;
    if (stock_save_step(stock, ROWS * STOCK_RESERVATION_ENTRY_BYTES))
        stock_save_end(stock, &saved);
}

/* Requests as in the turns of a core: rows are prepared together, and each is decided and
 * committed. With a page between the turns a save goes on. */
static struct span serve(struct stock *stock, const struct sale *sale, enum stock_op op,
                         struct stock_page *page)
{
    struct span begin = span_begin();
    for (uint64_t first = 0; first < sale->options.reservation_count; first += ROWS) {
        struct stock_request rows[ROWS];
        uint64_t left = sale->options.reservation_count - first;
        uint32_t count = left < ROWS ? (uint32_t)left : ROWS;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = request_about(sale, op, first + i);
        stock_prepare(stock, rows, count);
        for (uint32_t i = 0; i < count; i++) {
            struct stock_reply reply;
            struct stock_record record;
            stock_decide(stock, &rows[i], made_ms(first), &reply, &record);
            hf_assert(reply.code == STOCK_OK);
            stock_commit(stock, &record);
        }
        if (page != NULL)
            save_a_bit(stock, page);
    }
    return span_end(begin);
}

static void measure_commit(const struct sale *sale)
{
    uint64_t count = sale->options.reservation_count;
    uint64_t run_count = sale->options.run_count;
    struct span reserved[RUN_COUNT_MAX] = {{0, 0}};
    struct span confirmed[RUN_COUNT_MAX] = {{0, 0}};
    struct span saving[RUN_COUNT_MAX] = {{0, 0}};
    struct stock_page page = {.to = must_map(PAGE_BYTES)};
    for (uint64_t run = 0; run < 2 * run_count; run++) {
        struct stock *stock = open_stock(&sale->options, run);
        make_items(stock, sale);
        reserved[run / 2] = serve(stock, sale, STOCK_OP_RESERVE, NULL);
        if (run % 2 == 0)
            confirmed[run / 2] = serve(stock, sale, STOCK_OP_CONFIRM, NULL);
        else
            saving[run / 2] = serve(stock, sale, STOCK_OP_CONFIRM, &page);
        stock_destroy(&stock);
    }
    print_result("reserve", "requests", count, reserved, run_count);
    print_result("confirm", "requests", count, confirmed, run_count);
    print_result("confirm while saving", "requests", count, saving, run_count);
    memory_unmap(page.to, PAGE_BYTES);
}

/* ---- replay ---- */

static uint64_t group_bytes(const uint8_t *log, uint64_t bytes_left, uint32_t *count_out)
{
    uint64_t bytes = 0;
    for (*count_out = 0; *count_out < GROUP_RECORDS && bytes < bytes_left; ++*count_out)
        bytes += log[bytes];
    return bytes;
}

static struct stock *replay(const struct sale *sale, uint64_t hash_key, struct span *span_out)
{
    const struct stock_wanted all = {.is_wanted = NULL};
    struct stock *stock = open_stock(&sale->options, hash_key);
    struct span begin = span_begin();
    stock_load_begin(stock);
    for (uint64_t at = 0; at < sale->log_bytes;) {
        struct stock_records group = {.from = sale->log + at};
        group.bytes = (uint32_t)group_bytes(group.from, sale->log_bytes - at, &group.count);
        struct stock_replayed replayed;
        const char *problem = stock_replay(stock, &group, all, &replayed);
        hf_assert(problem == NULL);
        at += group.bytes;
    }
    hf_assert(stock_load_end(stock));
    *span_out = span_end(begin);
    return stock;
}

static void measure_replay(const struct sale *sale)
{
    struct span spans[RUN_COUNT_MAX] = {{0, 0}};
    for (uint64_t run = 0; run < sale->options.run_count; run++) {
        struct stock *stock = replay(sale, run, &spans[run]);
        stock_destroy(&stock);
    }
    print_result("replay", "records", sale->record_count, spans, sale->options.run_count);
}

/* ---- save and load ---- */

/* What was saved: pages of PAGE_BYTES, which need not be full. */
struct saved {
    uint8_t *memory;
    uint64_t memory_bytes;
    struct stock_page *pages;
    uint32_t page_count;
    struct stock_saved sums;
};

static struct saved saved_open(const struct options *options)
{
    struct saved saved = {.memory_bytes = options->reservation_count * ENTRY_BYTES_MAX +
                                          options->item_count * STOCK_ENTRY_BYTES_MAX};
    saved.memory_bytes += saved.memory_bytes / 1000 + 2 * PAGE_BYTES;
    saved.memory_bytes -= saved.memory_bytes % PAGE_BYTES;
    saved.memory = must_map(saved.memory_bytes);
    saved.pages = must_map(saved.memory_bytes / PAGE_BYTES * sizeof *saved.pages);
    return saved;
}

static struct stock_page next_page(struct saved *saved)
{
    hf_assert((saved->page_count + 1ull) * PAGE_BYTES <= saved->memory_bytes);
    return (struct stock_page){
        .to = saved->memory + (uint64_t)saved->page_count * PAGE_BYTES,
        .bytes_max = PAGE_BYTES,
    };
}

static struct span save(struct stock *stock, struct saved *saved)
{
    saved->page_count = 0;
    struct stock_page page = next_page(saved);
    struct span begin = span_begin();
    stock_save_begin(stock, &page);
    bool is_complete = false;
    while (!is_complete) {
        uint32_t target = page.bytes + SLICE_BYTES;
        is_complete = stock_save_step(stock, target < PAGE_BYTES ? target : PAGE_BYTES);
        if (is_complete || page.bytes + STOCK_ENTRY_BYTES_MAX > PAGE_BYTES) {
            saved->pages[saved->page_count++] = page;
            page = next_page(saved);
        }
    }
    stock_save_end(stock, &saved->sums);
    return span_end(begin);
}

static struct span load(const struct sale *sale, const struct saved *saved, uint64_t hash_key)
{
    const struct stock_wanted all = {.is_wanted = NULL};
    struct stock *stock = open_stock(&sale->options, hash_key);
    uint32_t refused_index;
    struct span begin = span_begin();
    stock_load_begin(stock);
    hf_assert(stock_load_snapshot_begin(stock, all));
    for (uint32_t i = 0; i < saved->page_count; i++) {
        const struct stock_page *page = &saved->pages[i];
        hf_assert(stock_load_entries(stock, page->to, page->bytes, page->entry_count,
                                     &refused_index) == NULL);
    }
    hf_assert(stock_load_snapshot_end(stock, &saved->sums) == NULL);
    hf_assert(stock_load_end(stock));
    struct span span = span_end(begin);
    hf_assert(stock_hash(stock) == saved->sums.state_hash);
    stock_destroy(&stock);
    return span;
}

static void measure_save_and_load(const struct sale *sale)
{
    const struct options *options = &sale->options;
    struct span spans[RUN_COUNT_MAX] = {{0, 0}};
    struct saved saved = saved_open(options);
    struct stock *stock = replay(sale, 0, &spans[0]);
    for (uint64_t run = 0; run < options->run_count; run++)
        spans[run] = save(stock, &saved);
    hf_assert(stock_hash(stock) == saved.sums.state_hash);
    stock_destroy(&stock);
    if (options->is_wanted[CASE_SAVE])
        print_result("save", "reservations", options->reservation_count, spans, options->run_count);
    if (!options->is_wanted[CASE_LOAD])
        return;
    for (uint64_t run = 0; run < options->run_count; run++)
        spans[run] = load(sale, &saved, run);
    print_result("load", "reservations", options->reservation_count, spans, options->run_count);
}

/* ---- options ---- */

static bool parse_number(const char *text, uint64_t max, uint64_t *value_out)
{
    if (units_parse_count(text, value_out) && *value_out >= 1 && *value_out <= max)
        return true;
    fprintf(stderr, "micro-stock: %s: not a number from 1 to %" PRIu64 "\n", text, max);
    return false;
}

static bool parse_case(const char *text, struct options *options)
{
    for (int i = 0; i < CASE_COUNT; i++) {
        if (strcmp(text, case_names[i]) == 0) {
            options->is_wanted[i] = true;
            return true;
        }
    }
    fprintf(stderr, "micro-stock: %s: no such case\n", text);
    return false;
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"reservations", required_argument, NULL, 'r'},
        {"items", required_argument, NULL, 'i'},
        {"runs", required_argument, NULL, 'n'},
        {"buyers", no_argument, NULL, 'b'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    bool is_good = true;
    while (is_good && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 'r':
            is_good = parse_number(optarg, STOCK_TABLE_COUNT_MAX, &options->reservation_count);
            break;
        case 'i':
            is_good = parse_number(optarg, STOCK_TABLE_COUNT_MAX, &options->item_count);
            break;
        case 'n':
            is_good = parse_number(optarg, RUN_COUNT_MAX, &options->run_count);
            break;
        case 'b':
            options->has_buyers = true;
            break;
        case 'h':
            fputs(help, stdout);
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
    struct options options = {.reservation_count = 1000000, .item_count = 1000, .run_count = 3};
    struct sale sale;
    if (!parse(argc, argv, &options)) {
        fputs("Try 'micro-stock --help'.\n", stderr);
        return 2;
    }
    sale_make(&sale, &options);
    if (options.is_wanted[CASE_COMMIT])
        measure_commit(&sale);
    if (options.is_wanted[CASE_REPLAY])
        measure_replay(&sale);
    if (options.is_wanted[CASE_SAVE] || options.is_wanted[CASE_LOAD])
        measure_save_and_load(&sale);
    return 0;
}
