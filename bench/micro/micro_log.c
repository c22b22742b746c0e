/* micro-log: how many records a core's log writer makes durable by itself, without clients and
 * without state.
 *
 * As many records as are in flight under a load (connections x pipeline x rows of a frame) are
 * appended without waiting; then as many are appended as have become durable, as clients would that
 * wait for their answers. Exit codes: 0 done, 1 usage, 2 trouble. */

#include "bench/micro/number.h"
#include "bench/micro/scratch_log.h"

#include "stock/record.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { EXIT_USAGE = 1, SECONDS_MAX = 3600 };
#define NS_PER_S 1000000000ull

struct options {
    uint64_t in_flight;
    uint64_t seconds;
    const char *directory;
};

static const char help[] =
    "Usage: micro-log [OPTION]...\n"
    "Measures the log writer of one core by itself, with durability sync.\n\n"
    "  --in-flight N     records that are not durable yet at any time [16k]\n"
    "  --seconds N       [4]\n"
    "  --directory PATH  on the file system that is to be measured [.]\n"
    "  --help            print this and exit\n";

static void append(struct wal *wal)
{
    const struct stock_record record = {
        .type = STOCK_RECORD_HELD,
        .time_ms = 1700000000000,
        .hold = {.item_id = 1,
                 .reservation_id = {1, 1},
                 .buyer_id = 1,
                 .sequence = wal_last_lsn(wal) + 1,
                 .expires_ms = 1700000900000,
                 .quantity = 1},
    };
    wal_append(wal, stock_record_encode(&record, wal_next(wal)));
}

static void run(struct scratch_log *log, const struct options *options)
{
    struct wal *wal = log->wal;
    uint64_t began_ns = io_clock(log->io).monotonic_ns;
    uint64_t end_ns = began_ns + options->seconds * NS_PER_S;
    uint64_t now_ns;
    do {
        while (wal_last_lsn(wal) - wal_durable_lsn(wal) < options->in_flight && wal_room(wal) > 0)
            append(wal);
        scratch_log_turn(log);
        now_ns = io_clock(log->io).monotonic_ns;
    } while (now_ns < end_ns);

    struct wal_counts counts = wal_counts(wal);
    double seconds = (double)(now_ns - began_ns) / 1e9;
    double groups = counts.groups > 0 ? (double)counts.groups : 1;
    printf("%.0f records a second, %.1f MB/s, groups of %.0f records, %.0f us each\n",
           (double)wal_durable_lsn(wal) / seconds, (double)counts.bytes / seconds / 1e6,
           (double)wal_durable_lsn(wal) / groups, (double)counts.flush_ns / groups / 1e3);
}

static bool parse(int argc, char **argv, struct options *options)
{
    static const struct option longs[] = {
        {"in-flight", required_argument, NULL, 'n'},
        {"seconds", required_argument, NULL, 's'},
        {"directory", required_argument, NULL, 'd'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    int option;
    bool is_good = true;
    while (is_good && (option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 'n':
            is_good = number_parse(optarg, 1 << 30, &options->in_flight);
            break;
        case 's':
            is_good = number_parse(optarg, SECONDS_MAX, &options->seconds);
            break;
        case 'd':
            options->directory = optarg;
            break;
        case 'h':
            fputs(help, stdout);
            exit(0);
        default:
            is_good = false;
            break;
        }
    }
    return is_good && optind == argc;
}

int main(int argc, char **argv)
{
    static struct scratch_log log;
    struct options options = {.in_flight = 16000, .seconds = 4, .directory = "."};
    if (!parse(argc, argv, &options)) {
        fputs("Try 'micro-log --help'.\n", stderr);
        return EXIT_USAGE;
    }
    scratch_log_open(&log, options.directory);
    run(&log, &options);
    scratch_log_close(&log);
    return 0;
}
