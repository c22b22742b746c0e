#ifndef HF_BENCH_CPUS_H
#define HF_BENCH_CPUS_H
/* Which CPUs this program runs on. */

#include <sched.h>
#include <stdbool.h>

/* Numbers and ranges with commas between: "1", "0,2-3". False when it is no such list, or names a
 * CPU that no cpu_set_t has room for. */
bool cpus_parse(const char *text, cpu_set_t *cpus_out);

/* Runs on these alone from now on, with all threads yet to come. NULL, or what was wrong; static
 * text. */
const char *cpus_use(const cpu_set_t *cpus);

#endif
