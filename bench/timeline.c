#include "bench/timeline.h"

#include "base/assert.h"
#include "bench/histogram.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Answers come late and out of order, so several intervals are open at once: each thread keeps its
 * own in a ring, from the oldest that is not yet written to the newest that had a click. When
 * nothing more can come to an interval, the thread says so (`first`); when all have, any of them
 * adds the parts up and writes the line. Until that is told (`written`) its owners leave it alone,
 * so nothing is ever read while it changes, and nobody waits. Histograms are made when the first
 * answer comes and used again, so a long run takes no more memory than its longest wait.
 *
 * Writing must not make the load late: one interval at a time, numbers without printf where there
 * are many, and files with so large a buffer that the kernel is rarely called. */

enum { FILE_BUFFER_BYTES = 1024 * 1024 };

#define NS_PER_MS UINT64_C(1000000)

static bool is_off(const struct timeline_part *part)
{
    return part->intervals == NULL || part->trouble[0] != 0;
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

static bool create_parts(struct timeline *timeline, uint32_t count, bool has_files)
{
    timeline->parts =
        aligned_alloc(alignof(struct timeline_part), count * sizeof timeline->parts[0]);
    if (timeline->parts == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct timeline_part *part = &timeline->parts[timeline->part_count++];
        *part = (struct timeline_part){.timeline = timeline};
        if (has_files) {
            part->intervals = calloc(TIMELINE_OPEN_MAX, sizeof part->intervals[0]);
            part->spares = calloc(TIMELINE_OPEN_MAX, sizeof part->spares[0]);
            if (part->intervals == NULL || part->spares == NULL) {
                return false;
            }
        }
    }
    return true;
}

bool timeline_open(struct timeline *timeline, const char *quantiles_path,
                   const char *histograms_path, uint64_t interval_ms, uint32_t part_count)
{
    memset(timeline, 0, sizeof *timeline);
    timeline->interval_ns = interval_ms * NS_PER_MS;
    pthread_mutex_init(&timeline->writing, NULL);
    bool has_files = quantiles_path != NULL || histograms_path != NULL;
    hf_assert(interval_ms > 0 || !has_files);
    if (!open_file(timeline, quantiles_path,
                   "start_ms,unix_ms,accepted,refused,lost,p50_us,p99_us,p99.9_us,max_us\n",
                   &timeline->quantiles_file) ||
        !open_file(timeline, histograms_path, "start_ms,unix_ms,count,buckets\n",
                   &timeline->histograms_file)) {
        return false;
    }
    if (!create_parts(timeline, part_count, has_files)) {
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

/* Its own numbers change in its own thread only. */
static uint64_t own(const atomic_uint_fast64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

static struct timeline_interval *place_of(const struct timeline_part *part, uint64_t number)
{
    return &part->intervals[number % TIMELINE_OPEN_MAX];
}

static struct timeline_interval *interval_of(const struct timeline_part *part, uint64_t planned_ns)
{
    uint64_t number = planned_ns / part->timeline->interval_ns;
    struct timeline_interval *interval = place_of(part, number);
    hf_assert(number >= own(&part->first) && interval->number_above == number + 1);
    return interval;
}

/* The places of intervals that are written are free again. */
static void reclaim(struct timeline_part *part)
{
    uint64_t written = atomic_load_explicit(&part->timeline->written, memory_order_acquire);
    for (; part->kept < written; part->kept++) {
        struct timeline_interval *interval = place_of(part, part->kept);
        if (interval->number_above != part->kept + 1) {
            continue; /* it had no click */
        }
        if (interval->latency != NULL) {
            memset(interval->latency, 0, sizeof *interval->latency);
            part->spares[part->spare_count++] = interval->latency;
        }
        *interval = (struct timeline_interval){0};
    }
}

/* False with trouble when there is no room. */
static bool begin_interval(struct timeline_part *part, uint64_t number)
{
    reclaim(part);
    if (number - part->kept >= TIMELINE_OPEN_MAX) {
        snprintf(part->trouble, sizeof part->trouble,
                 "the timeline ends at %" PRIu64
                 " ms: an answer is missing there, and %d intervals "
                 "later; a longer --interval takes fewer",
                 part->kept * part->timeline->interval_ns / NS_PER_MS, TIMELINE_OPEN_MAX);
        return false;
    }
    place_of(part, number)->number_above = number + 1;
    if (number >= own(&part->end)) {
        atomic_store_explicit(&part->end, number + 1, memory_order_release);
    }
    return true;
}

void timeline_sent(struct timeline_part *part, uint64_t planned_ns, uint32_t clicks)
{
    if (is_off(part)) {
        return;
    }
    uint64_t number = planned_ns / part->timeline->interval_ns;
    if (place_of(part, number)->number_above != number + 1 && !begin_interval(part, number)) {
        return;
    }
    interval_of(part, planned_ns)->waiting += clicks;
}

/* False with trouble when there is no memory. */
static bool give_histogram(struct timeline_part *part, struct timeline_interval *interval)
{
    if (part->spare_count > 0) {
        interval->latency = part->spares[--part->spare_count];
    } else {
        interval->latency = calloc(1, sizeof *interval->latency);
    }
    if (interval->latency == NULL) {
        snprintf(part->trouble, sizeof part->trouble, "out of memory for a timeline");
    }
    return interval->latency != NULL;
}

void timeline_answered(struct timeline_part *part, uint64_t planned_ns, uint64_t latency_ns,
                       uint32_t accepted, uint32_t refused)
{
    if (is_off(part)) {
        return;
    }
    struct timeline_interval *interval = interval_of(part, planned_ns);
    hf_assert(interval->waiting >= accepted + refused);
    if (interval->latency == NULL && !give_histogram(part, interval)) {
        return;
    }
    interval->waiting -= accepted + refused;
    interval->accepted += accepted;
    interval->refused += refused;
    histogram_record(interval->latency, latency_ns, accepted + refused);
}

void timeline_lost(struct timeline_part *part, uint64_t planned_ns, uint32_t clicks)
{
    if (is_off(part)) {
        return;
    }
    struct timeline_interval *interval = interval_of(part, planned_ns);
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

static void put_quantiles(FILE *file, const struct timeline_interval *sum)
{
    static const double fractions[] = {0.5, 0.99, 0.999, 1};
    fprintf(file, "%" PRIu64 ",%" PRIu64 ",%" PRIu64, sum->accepted, sum->refused, sum->lost);
    for (size_t i = 0; i < sizeof fractions / sizeof fractions[0]; i++) {
        putc_unlocked(',', file);
        if (sum->latency->count > 0) {
            put_us(file, histogram_quantile(sum->latency, fractions[i]));
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
    put_number(file, histogram->count);
    putc_unlocked(',', file);
    while (histogram_next(histogram, &bucket, &end, &count)) {
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

static void put_start(const struct timeline *timeline, FILE *file, uint64_t number)
{
    uint64_t start_ms = number * timeline->interval_ns / NS_PER_MS;
    fprintf(file, "%" PRIu64 ",%" PRIu64 ",", start_ms, timeline->unix_ms + start_ms);
}

/* Adds up an interval over all parts; its histogram is the timeline's. */
static struct timeline_interval merge(struct timeline *timeline, uint64_t number)
{
    struct timeline_interval sum = {.latency = &timeline->merged};
    memset(&timeline->merged, 0, sizeof timeline->merged);
    for (uint32_t i = 0; i < timeline->part_count; i++) {
        const struct timeline_interval *interval = place_of(&timeline->parts[i], number);
        if (interval->number_above != number + 1) {
            continue;
        }
        sum.accepted += interval->accepted;
        sum.refused += interval->refused;
        sum.lost += interval->lost;
        if (interval->latency != NULL) {
            histogram_add(sum.latency, interval->latency);
        }
    }
    return sum;
}

static void write_line(struct timeline *timeline)
{
    uint64_t number = own(&timeline->written);
    struct timeline_interval sum = merge(timeline, number);
    if (timeline->quantiles_file != NULL) {
        put_start(timeline, timeline->quantiles_file, number);
        put_quantiles(timeline->quantiles_file, &sum);
    }
    if (timeline->histograms_file != NULL) {
        put_start(timeline, timeline->histograms_file, number);
        put_buckets(timeline->histograms_file, sum.latency);
    }
    atomic_store_explicit(&timeline->written, number + 1, memory_order_release);
}

/* Behind the last interval that had a click. */
static uint64_t last_end(const struct timeline *timeline)
{
    uint64_t end = 0;
    for (uint32_t i = 0; i < timeline->part_count; i++) {
        uint64_t of_part = atomic_load_explicit(&timeline->parts[i].end, memory_order_acquire);
        end = of_part > end ? of_part : end;
    }
    return end;
}

/* Is nothing more to come to the next line? Acquires what the parts have of it. */
static bool has_line(const struct timeline *timeline)
{
    uint64_t number = own(&timeline->written);
    for (uint32_t i = 0; i < timeline->part_count; i++) {
        if (atomic_load_explicit(&timeline->parts[i].first, memory_order_acquire) <= number) {
            return false;
        }
    }
    return number < last_end(timeline);
}

static bool try_line(struct timeline *timeline)
{
    if (pthread_mutex_trylock(&timeline->writing) != 0) {
        return false; /* somebody does it */
    }
    bool has = has_line(timeline);
    if (has) {
        write_line(timeline);
    }
    pthread_mutex_unlock(&timeline->writing);
    return has;
}

/* Past all intervals up to here that were sent and answered; but not to one whose place an older
 * one still has, as reclaim() would change it. */
static void advance(struct timeline_part *part, uint64_t reached_ns)
{
    uint64_t number = own(&part->first);
    while ((number + 1) * part->timeline->interval_ns <= reached_ns &&
           number - part->kept < TIMELINE_OPEN_MAX) {
        const struct timeline_interval *interval = place_of(part, number);
        if (interval->number_above == number + 1 && interval->waiting > 0) {
            break;
        }
        number++;
    }
    atomic_store_explicit(&part->first, number, memory_order_release);
}

bool timeline_is_due(const struct timeline_part *part, uint64_t now_ns)
{
    return !is_off(part) && now_ns >= part->look_ns;
}

void timeline_write(struct timeline_part *part, uint64_t now_ns, uint64_t reached_ns)
{
    if (is_off(part)) {
        return;
    }
    reclaim(part);
    advance(part, reached_ns);
    if (!try_line(part->timeline)) {
        part->look_ns = now_ns + part->timeline->interval_ns;
    }
}

void timeline_end(struct timeline_part *part)
{
    if (!is_off(part)) {
        atomic_store_explicit(&part->first, UINT64_MAX, memory_order_release);
    }
}

/* ---- the end ------------------------------------------------------------------------------- */

static void close_file(struct timeline *timeline, FILE *file, const char *what)
{
    if (file == NULL) {
        return;
    }
    bool good = ferror(file) == 0;
    good = fclose(file) == 0 && good;
    if (!good && timeline->trouble[0] == 0) {
        snprintf(timeline->trouble, sizeof timeline->trouble, "cannot write the %s: %s", what,
                 strerror(errno));
    }
}

static void empty_part(struct timeline_part *part)
{
    for (uint32_t i = 0; part->intervals != NULL && i < TIMELINE_OPEN_MAX; i++) {
        free(part->intervals[i].latency);
    }
    for (uint32_t i = 0; i < part->spare_count; i++) {
        free(part->spares[i]);
    }
    free(part->intervals);
    free(part->spares);
    part->intervals = NULL;
    part->spares = NULL;
    part->spare_count = 0;
}

bool timeline_finish(struct timeline *timeline)
{
    bool has_files = timeline->quantiles_file != NULL || timeline->histograms_file != NULL;
    for (uint32_t i = 0; i < timeline->part_count && timeline->trouble[0] == 0; i++) {
        memcpy(timeline->trouble, timeline->parts[i].trouble, sizeof timeline->trouble);
    }
    while (has_files && timeline->trouble[0] == 0 && own(&timeline->written) < last_end(timeline)) {
        write_line(timeline);
    }
    close_file(timeline, timeline->quantiles_file, "timeline");
    close_file(timeline, timeline->histograms_file, "histograms");
    timeline->quantiles_file = NULL;
    timeline->histograms_file = NULL;
    for (uint32_t i = 0; i < timeline->part_count; i++) {
        empty_part(&timeline->parts[i]);
    }
    return timeline->trouble[0] == 0;
}

bool timeline_close(struct timeline *timeline)
{
    timeline_finish(timeline);
    free(timeline->parts);
    timeline->parts = NULL;
    timeline->part_count = 0;
    return timeline->trouble[0] == 0;
}
