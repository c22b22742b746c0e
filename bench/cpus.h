#ifndef HF_BENCH_CPUS_H
#define HF_BENCH_CPUS_H
/* Which CPUs this program runs on. */

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

/* Numbers and ranges with commas between: "1", "0,2-3". False when it is no such list, or names a
 * CPU that no cpu_set_t has room for. */
bool cpus_parse(const char *text, cpu_set_t *cpus_out);

/* Runs on these alone from now on, with all threads yet to come. NULL, or what was wrong; static
 * text. */
const char *cpus_use(const cpu_set_t *cpus);

/* Runs the calling thread on a single one of the CPUs that it may use: the one at this place among
 * them, behind the last the first again. NULL, or what was wrong. */
const char *cpus_pin(uint32_t place);

#endif
