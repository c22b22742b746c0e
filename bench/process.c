#include "bench/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A file's beginning, with a zero behind it. */
static bool read_text(const char *path, char *text, size_t text_bytes)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t n = read(fd, text, text_bytes - 1);
    close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = 0;
    return true;
}

bool process_cpu_ns(uint64_t pid, uint64_t *cpu_ns_out)
{
    char path[64];
    char text[1024];
    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    if (!read_text(path, text, sizeof text)) {
        return false;
    }
    /* The name in brackets may hold anything: fields are counted from the last bracket. utime and
     * stime are the 12th and 13th after it. */
    const char *fields = strrchr(text, ')');
    unsigned long long user_ticks;
    unsigned long long system_ticks;
    if (fields == NULL ||
        sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user_ticks,
               &system_ticks) != 2) {
        return false;
    }
    *cpu_ns_out = (user_ticks + system_ticks) * (1000000000ull / (uint64_t)sysconf(_SC_CLK_TCK));
    return true;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec used;
    clock_gettime(clock, &used);
    return (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec;
}

uint64_t process_own_cpu_ns(void)
{
    return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t process_thread_cpu_ns(void)
{
    return clock_ns(CLOCK_THREAD_CPUTIME_ID);
}

#define SCHEDSTAT "/proc/thread-self/schedstat"

uint64_t process_thread_wait_ns(void)
{
    char text[128];
    unsigned long long waited_ns = 0;
    if (!read_text(SCHEDSTAT, text, sizeof text) || sscanf(text, "%*u %llu", &waited_ns) != 1) {
        return 0;
    }
    return waited_ns;
}

bool process_counts_waiting(void)
{
    return access(SCHEDSTAT, R_OK) == 0;
}
