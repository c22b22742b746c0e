#include "bench/timeline.h"

#include "base/assert.h"
#include "bench/histogram.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Answers come late and out of order, so several intervals are open at once: they are kept in a
 * ring from the oldest that still waits for an answer to the newest that had a click. The oldest is
 * written as soon as nothing more can come to it. Histograms are made when the first answer comes
 * and used again, so a long run takes no more memory than its longest wait.
 *
 * Writing must not make the load late: one interval at a time, numbers without printf where there
 * are many, and files with so large a buffer that the kernel is rarely called. */

enum { FILE_BUFFER_BYTES = 1024 * 1024 };

#define NS_PER_MS UINT64_C(1000000)

static bool is_off(const struct timeline *timeline)
{
    return timeline->intervals == NULL || timeline->trouble[0] != 0;
}

/* ---- files --------------------------------------------------------------------------------- */

static bool open_file(struct timeline *timeline, const char *path, const char *head,
                      FILE **file_out)
{
    if (path == NULL) {
        return true;
    }
    *file_out = fopen(path, "we");
    if (*file_out == NULL) {
        snprintf(timeline->trouble, sizeof timeline->trouble, "cannot write '%.128s': %s", path,
                 strerror(errno));
        return false;
    }
    setvbuf(*file_out, NULL, _IOFBF, FILE_BUFFER_BYTES);
    fputs(head, *file_out);
    return true;
}

bool timeline_open(struct timeline *timeline, const char *quantiles_path,
                   const char *histograms_path, uint64_t interval_ms)
{
    *timeline = (struct timeline){.interval_ns = interval_ms * NS_PER_MS};
    if (quantiles_path == NULL && histograms_path == NULL) {
        return true;
    }
    hf_assert(interval_ms > 0);
    if (!open_file(timeline, quantiles_path,
                   "start_ms,unix_ms,accepted,refused,lost,p50_us,p99_us,p99.9_us,max_us\n",
                   &timeline->quantiles_file) ||
        !open_file(timeline, histograms_path, "start_ms,unix_ms,count,buckets\n",
                   &timeline->histograms_file)) {
        return false;
    }
    timeline->intervals = calloc(TIMELINE_OPEN_MAX, sizeof timeline->intervals[0]);
    timeline->spares = calloc(TIMELINE_OPEN_MAX, sizeof timeline->spares[0]);
    if (timeline->intervals == NULL || timeline->spares == NULL) {
        snprintf(timeline->trouble, sizeof timeline->trouble, "out of memory for a timeline");
        return false;
    }
    return true;
}

void timeline_begin(struct timeline *timeline, uint64_t unix_ms)
{
    timeline->unix_ms = unix_ms;
}

/* ---- what happens -------------------------------------------------------------------------- */

static struct timeline_interval *interval_at(const struct timeline *timeline, uint64_t number)
{
    return &timeline->intervals[number % TIMELINE_OPEN_MAX];
}

static struct timeline_interval *interval_of(const struct timeline *timeline, uint64_t planned_ns)
{
    uint64_t number = planned_ns / timeline->interval_ns;
    hf_assert(number >= timeline->first && number < timeline->end);
    return interval_at(timeline, number);
}

void timeline_sent(struct timeline *timeline, uint64_t planned_ns, uint32_t clicks)
{
    if (is_off(timeline)) {
        return;
    }
    uint64_t number = planned_ns / timeline->interval_ns;
    if (number - timeline->first >= TIMELINE_OPEN_MAX) {
        snprintf(timeline->trouble, sizeof timeline->trouble,
                 "the timeline ends at %" PRIu64
                 " ms: an answer is missing there, and %d intervals "
                 "later; a longer --interval takes fewer",
                 timeline->first * timeline->interval_ns / NS_PER_MS, TIMELINE_OPEN_MAX);
        return;
    }
    if (number >= timeline->end) {
        timeline->end = number + 1;
    }
    interval_of(timeline, planned_ns)->waiting += clicks;
}

/* False with trouble when there is no memory. */
static bool give_histogram(struct timeline *timeline, struct timeline_interval *interval)
{
    if (timeline->spare_count > 0) {
        interval->latency = timeline->spares[--timeline->spare_count];
    } else {
        interval->latency = calloc(1, sizeof *interval->latency);
    }
    if (interval->latency == NULL) {
        snprintf(timeline->trouble, sizeof timeline->trouble, "out of memory for a timeline");
    }
    return interval->latency != NULL;
}

void timeline_answered(struct timeline *timeline, uint64_t planned_ns, uint64_t latency_ns,
                       uint32_t accepted, uint32_t refused)
{
    if (is_off(timeline)) {
        return;
    }
    struct timeline_interval *interval = interval_of(timeline, planned_ns);
    hf_assert(interval->waiting >= accepted + refused);
    if (interval->latency == NULL && !give_histogram(timeline, interval)) {
        return;
    }
    interval->waiting -= accepted + refused;
    interval->accepted += accepted;
    interval->refused += refused;
    histogram_record(interval->latency, latency_ns, accepted + refused);
}

void timeline_lost(struct timeline *timeline, uint64_t planned_ns, uint32_t clicks)
{
    if (is_off(timeline)) {
        return;
    }
    struct timeline_interval *interval = interval_of(timeline, planned_ns);
    hf_assert(interval->waiting >= clicks);
    interval->waiting -= clicks;
    interval->lost += clicks;
}

/* ---- writing ------------------------------------------------------------------------------- */

static void put_number(FILE *file, uint64_t value)
{
    char digits[20];
    int count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (count > 0) {
        putc_unlocked(digits[--count], file);
    }
}

/* Nanoseconds as microseconds with three decimals. */
static void put_us(FILE *file, uint64_t ns)
{
    put_number(file, ns / 1000);
    putc_unlocked('.', file);
    putc_unlocked((char)('0' + ns / 100 % 10), file);
    putc_unlocked((char)('0' + ns / 10 % 10), file);
    putc_unlocked((char)('0' + ns % 10), file);
}

static void put_quantiles(FILE *file, const struct timeline_interval *interval)
{
    static const double fractions[] = {0.5, 0.99, 0.999, 1};
    fprintf(file, "%" PRIu64 ",%" PRIu64 ",%" PRIu64, interval->accepted, interval->refused,
            interval->lost);
    for (size_t i = 0; i < sizeof fractions / sizeof fractions[0]; i++) {
        putc_unlocked(',', file);
        if (interval->latency != NULL) {
            put_us(file, histogram_quantile(interval->latency, fractions[i]));
        }
    }
    putc_unlocked('\n', file);
}

static void put_buckets(FILE *file, const struct histogram *histogram)
{
    uint32_t bucket = 0;
    uint64_t end;
    uint64_t count;
    bool is_first = true;
    put_number(file, histogram != NULL ? histogram->count : 0);
    putc_unlocked(',', file);
    while (histogram != NULL && histogram_next(histogram, &bucket, &end, &count)) {
        if (!is_first) {
            putc_unlocked(' ', file);
        }
        is_first = false;
        put_us(file, end);
        putc_unlocked(':', file);
        put_number(file, count);
    }
    putc_unlocked('\n', file);
}

static void put_start(const struct timeline *timeline, FILE *file)
{
    uint64_t start_ms = timeline->first * timeline->interval_ns / NS_PER_MS;
    fprintf(file, "%" PRIu64 ",%" PRIu64 ",", start_ms, timeline->unix_ms + start_ms);
}

static void write_first(struct timeline *timeline)
{
    struct timeline_interval *interval = interval_at(timeline, timeline->first);
    if (timeline->quantiles_file != NULL) {
        put_start(timeline, timeline->quantiles_file);
        put_quantiles(timeline->quantiles_file, interval);
    }
    if (timeline->histograms_file != NULL) {
        put_start(timeline, timeline->histograms_file);
        put_buckets(timeline->histograms_file, interval->latency);
    }
    if (interval->latency != NULL) {
        memset(interval->latency, 0, sizeof *interval->latency);
        timeline->spares[timeline->spare_count++] = interval->latency;
    }
    *interval = (struct timeline_interval){0};
    timeline->first++;
}

bool timeline_is_due(const struct timeline *timeline, uint64_t now_ns)
{
    return !is_off(timeline) && now_ns >= timeline->look_ns;
}

void timeline_write(struct timeline *timeline, uint64_t now_ns, uint64_t reached_ns)
{
    if (is_off(timeline)) {
        return;
    }
    uint64_t after_ns = (timeline->first + 1) * timeline->interval_ns;
    if (timeline->first < timeline->end && after_ns <= reached_ns &&
        interval_at(timeline, timeline->first)->waiting == 0) {
        write_first(timeline);
    } else {
        timeline->look_ns = now_ns + timeline->interval_ns;
    }
}

/* ---- the end ------------------------------------------------------------------------------- */

static void close_file(struct timeline *timeline, FILE *file)
{
    if (file == NULL) {
        return;
    }
    bool good = ferror(file) == 0;
    good = fclose(file) == 0 && good;
    if (!good && timeline->trouble[0] == 0) {
        snprintf(timeline->trouble, sizeof timeline->trouble, "cannot write the timeline: %s",
                 strerror(errno));
    }
}

bool timeline_close(struct timeline *timeline)
{
    while (!is_off(timeline) && timeline->first < timeline->end) {
        write_first(timeline);
    }
    close_file(timeline, timeline->quantiles_file);
    close_file(timeline, timeline->histograms_file);
    for (uint32_t i = 0; timeline->intervals != NULL && i < TIMELINE_OPEN_MAX; i++) {
        free(timeline->intervals[i].latency);
    }
    for (uint32_t i = 0; i < timeline->spare_count; i++) {
        free(timeline->spares[i]);
    }
    free(timeline->intervals);
    free(timeline->spares);
    timeline->quantiles_file = NULL;
    timeline->histograms_file = NULL;
    timeline->intervals = NULL;
    timeline->spares = NULL;
    timeline->spare_count = 0;
    return timeline->trouble[0] == 0;
}
