#ifndef HF_BENCH_PLOT_H
#define HF_BENCH_PLOT_H
/* Drawings of latency as SVG, by gnuplot. */

#include "bench/figures.h"
#include "bench/options.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct plot {
    int svg_fd;     /* -1 = none */
    int drawn_fd;   /* what gnuplot draws, in memory; -1 = none */
    FILE *timeline; /* in memory, when nobody asked for the file; or NULL */
    char timeline_path[64];
    char trouble[256];
};

/* Looks whether there is a gnuplot and opens the file, when --plot was given. False with `trouble`;
 * closing is fine then too. */
bool plot_open(struct plot *plot, const struct bench_options *options);

/* Where the timeline has to be written for a plot over time; NULL when none is drawn. */
const char *plot_timeline_path(const struct plot *plot, const struct bench_options *options);

/* Latency over the rates of the ramp; so many of them were played, with a median each. False with
 * `trouble`, as below. */
bool plot_ramp(struct plot *plot, const struct bench_options *options,
               const struct figures *medians, uint32_t rates);

/* Latency over time, from the timeline, which is complete. */
bool plot_time(struct plot *plot, const struct bench_options *options);

void plot_close(struct plot *plot);

#endif
