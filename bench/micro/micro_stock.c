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
#include "bench/micro/number.h"
#include "bench/micro/sale.h"
#include "bench/micro/span.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAGE_BYTES = 1 << 20,      /* of what is saved */
    SLICE_BYTES = 1 << 16,     /* of a step */
    ROWS = 64,                 /* requests that are prepared together */
    LAST_PART = 10,            /* one tenth of the holds are the last of them */
    ENTRY_BYTES_MAX = 88 + 32, /* of a reservation when saved, its buyer included */
};

enum micro_case { CASE_COMMIT, CASE_REPLAY, CASE_SAVE, CASE_LOAD, CASE_COUNT };
static const char *const case_names[CASE_COUNT] = {"commit", "replay", "save", "load"};

struct options {
    struct sale_options sale;
    uint64_t run_count;
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

/* ---- commit ---- */

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

/* Requests about the reservations from `first` to `end`, as in the turns of a core: rows are
 * prepared together, and each is decided and committed. With a page between the turns a save goes
 * on. */
static struct span serve(struct stock *stock, const struct sale *sale, enum stock_op op,
                         uint64_t first, uint64_t end, struct stock_page *page)
{
    struct span begin = span_begin();
    for (; first < end; first += ROWS) {
        struct stock_request rows[ROWS];
        uint64_t left = end - first;
        uint32_t count = left < ROWS ? (uint32_t)left : ROWS;
        for (uint32_t i = 0; i < count; i++)
            rows[i] = sale_request(sale, op, first + i);
        stock_prepare(stock, rows, count);
        for (uint32_t i = 0; i < count; i++) {
            struct stock_reply reply;
            struct stock_record record;
            stock_decide(stock, &rows[i], sale_time_ms(first), &reply, &record);
            hf_assert(reply.code == STOCK_OK);
            stock_commit(stock, &record);
        }
        if (page != NULL)
            save_a_bit(stock, page);
    }
    return span_end(begin);
}

/* The last of the holds meet tables that are nearly full, and nothing of what they need is in a
 * cache if the sale is large. */
static void measure_commit(const struct sale *sale, uint64_t run_count)
{
    uint64_t count = sale->options.reservation_count;
    uint64_t last_count = (count + LAST_PART - 1) / LAST_PART;
    struct span reserved[SPAN_COUNT_MAX] = {{0, 0}};
    struct span reserved_last[SPAN_COUNT_MAX] = {{0, 0}};
    struct span confirmed[SPAN_COUNT_MAX] = {{0, 0}};
    for (uint64_t run = 0; run < run_count; run++) {
        struct stock *stock = sale_open_stock_with_items(sale, run);
        reserved[run] = serve(stock, sale, STOCK_OP_RESERVE, 0, count - last_count, NULL);
        reserved_last[run] = serve(stock, sale, STOCK_OP_RESERVE, count - last_count, count, NULL);
        span_add(&reserved[run], reserved_last[run]);
        confirmed[run] = serve(stock, sale, STOCK_OP_CONFIRM, 0, count, NULL);
        stock_destroy(&stock);
    }
    span_print("reserve", "requests", count, reserved, run_count);
    span_print("reserve, last tenth", "requests", last_count, reserved_last, run_count);
    span_print("confirm", "requests", count, confirmed, run_count);
}

static void measure_commit_while_saving(const struct sale *sale, uint64_t run_count)
{
    uint64_t count = sale->options.reservation_count;
    struct span spans[SPAN_COUNT_MAX] = {{0, 0}};
    struct stock_page page = {.to = sale_map(PAGE_BYTES)};
    for (uint64_t run = 0; run < run_count; run++) {
        struct stock *stock = sale_open_stock_with_items(sale, run);
        serve(stock, sale, STOCK_OP_RESERVE, 0, count, NULL);
        spans[run] = serve(stock, sale, STOCK_OP_CONFIRM, 0, count, &page);
        stock_destroy(&stock);
    }
    span_print("confirm while saving", "requests", count, spans, run_count);
    memory_unmap(page.to, PAGE_BYTES);
}

/* ---- replay ---- */

static void measure_replay(const struct sale *sale, uint64_t run_count)
{
    struct span spans[SPAN_COUNT_MAX] = {{0, 0}};
    for (uint64_t run = 0; run < run_count; run++) {
        struct stock *stock = sale_open_stock(sale, run);
        struct span begin = span_begin();
        sale_replay(sale, stock);
        spans[run] = span_end(begin);
        stock_destroy(&stock);
    }
    span_print("replay", "records", sale->record_count, spans, run_count);
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

static struct saved saved_open(const struct sale_options *options)
{
    struct saved saved = {.memory_bytes = options->reservation_count * ENTRY_BYTES_MAX +
                                          options->item_count * STOCK_ENTRY_BYTES_MAX};
    saved.memory_bytes += saved.memory_bytes / 1000 + 2 * PAGE_BYTES;
    saved.memory_bytes -= saved.memory_bytes % PAGE_BYTES;
    saved.memory = sale_map(saved.memory_bytes);
    saved.pages = sale_map(saved.memory_bytes / PAGE_BYTES * sizeof *saved.pages);
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
    struct stock *stock = sale_open_stock(sale, hash_key);
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

static void measure_save_and_load(const struct sale *sale, const struct options *options)
{
    uint64_t count = sale->options.reservation_count;
    struct span spans[SPAN_COUNT_MAX] = {{0, 0}};
    struct saved saved = saved_open(&sale->options);
    struct stock *stock = sale_open_stock(sale, 0);
    sale_replay(sale, stock);
    for (uint64_t run = 0; run < options->run_count; run++)
        spans[run] = save(stock, &saved);
    hf_assert(stock_hash(stock) == saved.sums.state_hash);
    stock_destroy(&stock);
    if (options->is_wanted[CASE_SAVE])
        span_print("save", "reservations", count, spans, options->run_count);
    if (!options->is_wanted[CASE_LOAD])
        return;
    for (uint64_t run = 0; run < options->run_count; run++)
        spans[run] = load(sale, &saved, run);
    span_print("load", "reservations", count, spans, options->run_count);
}

/* ---- options ---- */

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
            is_good = number_parse(optarg, STOCK_TABLE_COUNT_MAX, &options->sale.reservation_count);
            break;
        case 'i':
            is_good = number_parse(optarg, STOCK_TABLE_COUNT_MAX, &options->sale.item_count);
            break;
        case 'n':
            is_good = number_parse(optarg, SPAN_COUNT_MAX, &options->run_count);
            break;
        case 'b':
            options->sale.has_buyers = true;
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
    struct options options = {.sale = {.reservation_count = 1000000, .item_count = 1000},
                              .run_count = 3};
    struct sale sale;
    if (!parse(argc, argv, &options)) {
        fputs("Try 'micro-stock --help'.\n", stderr);
        return 2;
    }
    sale_make(&sale, &options.sale);
    if (options.is_wanted[CASE_COMMIT]) {
        measure_commit(&sale, options.run_count);
        measure_commit_while_saving(&sale, options.run_count);
    }
    if (options.is_wanted[CASE_REPLAY])
        measure_replay(&sale, options.run_count);
    if (options.is_wanted[CASE_SAVE] || options.is_wanted[CASE_LOAD])
        measure_save_and_load(&sale, &options);
    return 0;
}
