#ifndef HF_BENCH_MICRO_SPAN_H
#define HF_BENCH_MICRO_SPAN_H
/* How long something takes, by the clock and in processor time of the process. */

#include <stdint.h>

enum { SPAN_COUNT_MAX = 101 };

struct span {
    double wall_s, processor_s;
};

/* Now; for span_end(). */
struct span span_begin(void);

/* Since `begin`. */
struct span span_end(struct span begin);

void span_add(struct span *sum, struct span span);

/* One line: the median of the spans, by the clock and in processor time, in all and for each of the
 * units that a span was about. At most SPAN_COUNT_MAX spans. */
void span_print(const char *what, const char *unit, uint64_t unit_count, const struct span *spans,
                uint64_t span_count);

#endif
