#include "bench/warnings.h"

#include <stdbool.h>
#include <stdio.h>

int warnings_find(const struct load_result *load, char (*warnings_out)[WARNING_BYTES])
{
    const struct load_pace *pace = &load->pace;
    int count = 0;
    if (pace->late > 0) {
        double late_percent = 100.0 * (double)pace->late / (double)pace->own_delay.count;
        snprintf(warnings_out[count++], WARNING_BYTES,
                 "the load generator itself could not keep up: %llu of %llu frames (%.3g %%) left "
                 "more than %llu us after they were planned and had room, the worst %.0f us after; "
                 "latencies from p%.7g up may be its own and not the server's",
                 (unsigned long long)pace->late, (unsigned long long)pace->own_delay.count,
                 late_percent, LOAD_LATE_NS / 1000, (double)pace->own_delay.value_max / 1e3,
                 100 - late_percent);
    }
    bool is_closed_loop = pace->own_delay.count == 0;
    const struct load_busy *busiest = &load->busiest;
    double ran = (double)busiest->cpu_ns / (double)busiest->elapsed_ns;
    double waited = (double)busiest->wait_ns / (double)busiest->elapsed_ns;
    if (is_closed_loop && load->answered > 0 && ran + waited >= WARNINGS_BUSY_SHARE) {
        snprintf(warnings_out[count++], WARNING_BYTES,
                 "the load generator itself was the limit: its busiest thread ran %.0f %% of the "
                 "time and waited for a CPU another %.0f %%; the rate may be its own and not the "
                 "server's: give it CPUs that the server does not use (--cpus), more --threads, or "
                 "more rows to a frame (--batch)",
                 100 * ran, 100 * waited);
    }
    if (pace->behind_ns > LOAD_LATE_NS) {
        snprintf(
            warnings_out[count++], WARNING_BYTES,
            "the run broke off %.3f s behind its plan: the clicks of that time were never sent "
            "and are in no figure",
            (double)pace->behind_ns / 1e9);
    }
    const struct standstill_summary *still = &load->standstills;
    if (standstill_share(still) > WARNINGS_STOOD_STILL_SHARE) {
        snprintf(warnings_out[count++], WARNING_BYTES,
                 "the machine stood still for %.3g %% of the time, up to %.1f ms at once: whoever "
                 "hosts it stopped a CPU of the load or of the server; the rate is lower for that, "
                 "and latencies are higher, without the server's doing",
                 100 * standstill_share(still), (double)still->longest_ns / 1e6);
    }
    return count;
}
