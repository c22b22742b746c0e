#include "bench/cpus.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A number at `*text`, which then points behind it. False when there is none or it is too large. */
static bool parse_number(const char **text, unsigned long *number_out)
{
    if (**text < '0' || **text > '9') {
        return false; /* strtoul() would take blanks and signs */
    }
    char *end;
    *number_out = strtoul(*text, &end, 10);
    *text = end;
    return *number_out < CPU_SETSIZE;
}

bool cpus_parse(const char *text, cpu_set_t *cpus_out)
{
    CPU_ZERO(cpus_out);
    for (;;) {
        unsigned long first;
        if (!parse_number(&text, &first)) {
            return false;
        }
        unsigned long last = first;
        if (*text == '-') {
            text++;
            if (!parse_number(&text, &last) || last < first) {
                return false;
            }
        }
        for (unsigned long cpu = first; cpu <= last; cpu++) {
            CPU_SET(cpu, cpus_out);
        }
        if (*text == 0) {
            return true;
        }
        if (*text++ != ',') {
            return false;
        }
    }
}

const char *cpus_use(const cpu_set_t *cpus)
{
    if (sched_setaffinity(0, sizeof *cpus, cpus) == 0) {
        return NULL;
    }
    return errno == EINVAL ? "this program may run on none of these CPUs" : strerror(errno);
}

const char *cpus_pin(uint32_t place)
{
    cpu_set_t allowed;
    cpu_set_t one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return strerror(errno);
    }
    uint32_t left = place % (uint32_t)CPU_COUNT(&allowed);
    int cpu = 0;
    while (!CPU_ISSET(cpu, &allowed) || left-- > 0) {
        cpu++;
    }
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    return sched_setaffinity(0, sizeof one, &one) == 0 ? NULL : strerror(errno);
}
