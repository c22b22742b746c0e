#include "bench/micro/span.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double clock_s(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

struct span span_begin(void)
{
    return (struct span){clock_s(CLOCK_MONOTONIC), clock_s(CLOCK_PROCESS_CPUTIME_ID)};
}

struct span span_end(struct span begin)
{
    struct span end = span_begin();
    return (struct span){end.wall_s - begin.wall_s, end.processor_s - begin.processor_s};
}

void span_add(struct span *sum, struct span span)
{
    sum->wall_s += span.wall_s;
    sum->processor_s += span.processor_s;
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

static struct span span_median(const struct span *spans, uint64_t span_count)
{
    double wall_s[SPAN_COUNT_MAX] = {0};
    double processor_s[SPAN_COUNT_MAX] = {0};
    hf_assert(span_count > 0 && span_count <= SPAN_COUNT_MAX);
    for (uint64_t i = 0; i < span_count; i++) {
        wall_s[i] = spans[i].wall_s;
        processor_s[i] = spans[i].processor_s;
    }
    return (struct span){median(wall_s, span_count), median(processor_s, span_count)};
}

void span_print(const char *what, const char *unit, uint64_t unit_count, const struct span *spans,
                uint64_t span_count)
{
    struct span median = span_median(spans, span_count);
    double count = (double)unit_count;
    printf("%-22s %10" PRIu64 " %-13s %8.3f s %8.2f M/s %7.1f ns, %.1f ns of processor time\n",
           what, unit_count, unit, median.wall_s, count / median.wall_s / 1e6,
           median.wall_s / count * 1e9, median.processor_s / count * 1e9);
    fflush(stdout);
}
