#include "summary.h"

#include "damage.h"

#include "stock/code.h"
#include "stock/record.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* The one table of what is told. Rates are per second of real time. */
static const struct {
    const char *name; /* in JSON; the text has spaces for underscores */
    size_t offset;
    bool has_rate;
} numbers[] = {
    {"runs", offsetof(struct run_result, runs), true},
    {"kills", offsetof(struct run_result, kills), true},
    {"power_losses", offsetof(struct run_result, powers), true},
    {"ended_by_itself", offsetof(struct run_result, failures), false},
    {"clean_stops", offsetof(struct run_result, stops), false},
    {"starts", offsetof(struct run_result, starts), false},
    {"starts_refused", offsetof(struct run_result, refusals), false},
    {"damages_unnoticed", offsetof(struct run_result, damages[DAMAGE_UNNOTICED]), false},
    {"damages_healed", offsetof(struct run_result, damages[DAMAGE_HEALED]), false},
    {"damages_told", offsetof(struct run_result, damages[DAMAGE_TOLD]), false},
    {"damages_refused", offsetof(struct run_result, damages[DAMAGE_REFUSED]), false},
    {"rows", offsetof(struct run_result, rows), true},
    {"rows_repeated", offsetof(struct run_result, repeats), false},
    {"answers", offsetof(struct run_result, answers), false},
    {"answers_lost", offsetof(struct run_result, unknown), false},
    {"connections", offsetof(struct run_result, connections), false},
    {"errors_told", offsetof(struct run_result, errors), false},
    {"rows_overloaded", offsetof(struct run_result, overloaded), false},
    {"io_operations", offsetof(struct run_result, operations), true},
    {"turns", offsetof(struct run_result, turns), true},
    {"snapshots", offsetof(struct run_result, snapshots), false},
    {"segments_released", offsetof(struct run_result, segments_gone), false},
    {"eras_released", offsetof(struct run_result, eras_gone), false},
    {"groups", offsetof(struct run_result, groups), false},
    {"segments", offsetof(struct run_result, segments), false},
    {"eras", offsetof(struct run_result, eras), false},
    {"torn_tails_healed", offsetof(struct run_result, torn), false},
    {"virtual_seconds", offsetof(struct run_result, virtual_ms), false},
};
enum { NUMBER_COUNT = sizeof numbers / sizeof numbers[0] };

static uint64_t number(const struct run_result *sum, int index)
{
    uint64_t value;
    memcpy(&value, (const char *)sum + numbers[index].offset, sizeof value);
    return strcmp(numbers[index].name, "virtual_seconds") == 0 ? value / 1000 : value;
}

static uint64_t crashes(const struct run_result *sum)
{
    return sum->kills + sum->powers + sum->failures;
}

static uint64_t record_count(const struct run_result *sum)
{
    uint64_t count = 0;
    for (int i = 0; i < RUN_RECORD_TYPES; i++)
        count += sum->records[i];
    return count;
}

static uint64_t rate(uint64_t count, uint64_t elapsed_ms)
{
    return elapsed_ms == 0 ? 0 : count * 1000 / elapsed_ms;
}

static void print_named(const char *name, uint64_t value)
{
    printf("  %-20s", name);
    printf(" %12" PRIu64, value);
}

void summary_print(const struct jobs_result *result)
{
    const struct run_result *sum = &result->sum;
    for (int i = 0; i < NUMBER_COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "%s", numbers[i].name);
        for (char *c = name; *c != '\0'; c++)
            if (*c == '_')
                *c = ' ';
        print_named(name, number(sum, i));
        if (numbers[i].has_rate)
            printf("  %" PRIu64 "/s", rate(number(sum, i), result->elapsed_ms));
        printf("\n");
    }
    printf("records on the disk\n");
    for (int i = 0; i < RUN_RECORD_TYPES; i++)
        if (sum->records[i] > 0) {
            print_named(stock_record_type_name(i), sum->records[i]);
            printf("\n");
        }
    printf("answers\n");
    for (int i = 0; i < RUN_CODES; i++)
        if (sum->codes[i] > 0) {
            print_named(stock_code_name(i), sum->codes[i]);
            printf("\n");
        }
    printf("%" PRIu64 " crashes in %" PRIu64 ".%01" PRIu64 " s, %" PRIu64
           "/s; trace hash %016" PRIx64 "\n",
           crashes(sum), result->elapsed_ms / 1000, result->elapsed_ms % 1000 / 100,
           rate(crashes(sum), result->elapsed_ms), sum->trace_hash);
}

void summary_print_json(const struct jobs_result *result)
{
    const struct run_result *sum = &result->sum;
    const char *comma = "";
    printf("{");
    for (int i = 0; i < NUMBER_COUNT; i++)
        printf("\"%s\": %" PRIu64 ", ", numbers[i].name, number(sum, i));
    printf("\"crashes\": %" PRIu64 ", \"records\": %" PRIu64 ", \"record_types\": {", crashes(sum),
           record_count(sum));
    for (int i = 0; i < RUN_RECORD_TYPES; i++)
        if (sum->records[i] > 0) {
            printf("%s\"%s\": %" PRIu64, comma, stock_record_type_name(i), sum->records[i]);
            comma = ", ";
        }
    comma = "";
    printf("}, \"codes\": {");
    for (int i = 0; i < RUN_CODES; i++)
        if (sum->codes[i] > 0) {
            printf("%s\"%s\": %" PRIu64, comma, stock_code_name(i), sum->codes[i]);
            comma = ", ";
        }
    printf("}, \"elapsed_ms\": %" PRIu64 ", \"trace_hash\": \"%016" PRIx64 "\", \"finding\": %s}\n",
           result->elapsed_ms, sum->trace_hash, result->has_finding ? "true" : "false");
}

void summary_progress(const struct run_result *sum, uint64_t elapsed_ms)
{
    fprintf(stderr,
            "\r%" PRIu64 " runs, %" PRIu64 " crashes, %" PRIu64 " rows in %" PRIu64 " s: %" PRIu64
            " crashes/s\033[K",
            sum->runs, crashes(sum), sum->rows, elapsed_ms / 1000, rate(crashes(sum), elapsed_ms));
}

void summary_progress_end(void)
{
    fprintf(stderr, "\r\033[K");
}
