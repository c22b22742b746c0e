#ifndef HF_BENCH_VERIFY_H
#define HF_BENCH_VERIFY_H
/* The proof of the books after a run: everything is read back from the server and compared with
 * what it answered. */

#include "bench/load.h"
#include "bench/workload.h"

#include <stdbool.h>
#include <stdint.h>

enum { VERIFY_FAILURES_TOLD = 10, VERIFY_FAILURE_BYTES = 192 };

struct verify_result {
    bool done; /* false: the server could not be asked; see `trouble` */
    char trouble[256];
    uint64_t waited_ms; /* for unpaid holds to come back */
    uint64_t reservations_read;
    uint64_t states[6]; /* found, by Holdfast__V1__ReservationState; 0 = not there */
    /* over all items; unlimited ones count 0 units of stock and available */
    uint64_t stock, available, held, sold;
    uint64_t failure_count;
    char failures[VERIFY_FAILURES_TOLD][VERIFY_FAILURE_BYTES]; /* the first few */
};

/* Needs the workload's ledger. */
void verify_run(struct verify_result *result, const struct bench_options *options,
                const struct load_target *target, const struct workload *workload);

#endif
