#ifndef HF_BENCH_PROCESS_H
#define HF_BENCH_PROCESS_H
/* CPU time that processes have used. */

#include <stdbool.h>
#include <stdint.h>

/* User and system time of all threads, from /proc/PID/stat; as fine as the kernel's tick there, 10
 * ms. False when there is no such process. */
bool process_cpu_ns(uint64_t pid, uint64_t *cpu_ns_out);

/* Of this process, and of the calling thread. */
uint64_t process_own_cpu_ns(void);
uint64_t process_thread_cpu_ns(void);

/* For how long the calling thread was ready to run and had no CPU, in all. 0 when the kernel does
 * not count it. */
uint64_t process_thread_wait_ns(void);
bool process_counts_waiting(void);

#endif
