#ifndef HF_BENCH_MACHINE_H
#define HF_BENCH_MACHINE_H
/* The machine that the load runs on, for the report. */

#include <stdint.h>

struct machine {
    char cpu[128]; /* "?" when /proc/cpuinfo does not tell */
    uint32_t cpus; /* online */
    uint64_t memory_bytes;
    char kernel[196]; /* "Linux 6.1.0 x86_64" */
};

void machine_learn(struct machine *machine_out);

#endif
