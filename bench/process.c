#include "bench/process.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

bool process_cpu_ns(uint64_t pid, uint64_t *cpu_ns_out)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%llu/stat", (unsigned long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    char text[1024];
    ssize_t n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0) {
        return false;
    }
    text[n] = 0;
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

uint64_t process_own_cpu_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000ull + (uint64_t)used.tv_nsec;
}
