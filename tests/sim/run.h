#ifndef HF_SIM_RUN_H
#define HF_SIM_RUN_H
/* One run: everything that follows from one seed. */

#include <stdint.h>

enum { RUN_CODES = 32, RUN_RECORD_TYPES = 16 };

/* What happened in it. Numbers that can be added up over runs, all of 64 bits. */
struct run_result {
    uint64_t seed;       /* of the run; a sum means nothing */
    uint64_t trace_hash; /* mixed with the seed, so that a sum tells all runs apart */
    uint64_t runs;
    uint64_t kills, powers;
    uint64_t failures;   /* the server ended by itself: a disk that failed */
    uint64_t stops;      /* clean ones */
    uint64_t starts;     /* that came to serve */
    uint64_t refusals;   /* starts that were refused, and rightly so */
    uint64_t damages[4]; /* bits turned around, by enum damage_outcome */
    uint64_t operations; /* of the engine on disk, network and clocks */
    uint64_t turns;
    uint64_t virtual_ms;
    uint64_t rows, repeats, answers, unknown; /* unknown: no answer came */
    uint64_t codes[RUN_CODES];                /* answers by enum stock_code */
    uint64_t connections, errors;             /* errors: that bad clients were told of */
    uint64_t overloaded;                      /* rows of a flood that were refused so */
    uint64_t records[RUN_RECORD_TYPES];       /* that reached the disk, by type */
    uint64_t snapshots, segments_gone, eras_gone;
    uint64_t segments, groups, eras, torn; /* on the disk at the end */
};

/* Ends the process with a finding, or returns. */
void run_seed(uint64_t seed, struct run_result *result_out);

void run_result_add(struct run_result *sum, const struct run_result *added);

#endif
