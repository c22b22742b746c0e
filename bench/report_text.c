#include "bench/report_parts.h"
#include "bench/warnings.h"

#include <math.h>
#include <stdio.h>

/* 1234567 as 1,234,567, in one of a few static buffers so that one printf can have several. */
static const char *grouped(uint64_t value)
{
    static char buffers[8][32];
    static unsigned next;
    char *buffer = buffers[next++ % 8];
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    char *to = buffer;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = 0;
    return buffer;
}

void report_text_head(const struct bench_options *o, const struct run *run)
{
    printf("%s: %s items (%s) on %u core%s, %s buyers, seed %llu\n", o->scenario_name,
           grouped(run->items.count), o->dist_name, run->target.core_count,
           run->target.core_count == 1 ? "" : "s", grouped(o->buyers), (unsigned long long)o->seed);
    printf("%s connections, each %s frame%s of %s row%s in flight", grouped(o->connections),
           grouped(o->pipeline), o->pipeline == 1 ? "" : "s", grouped(o->batch),
           o->batch == 1 ? "" : "s");
    printf("; %s thread%s", grouped(o->threads), o->threads == 1 ? "" : "s");
    printf("%s%s\n", o->cpus != NULL ? " on CPUs " : "", o->cpus != NULL ? o->cpus : "");
    if (o->ramp.step > 0) {
        printf("open loop, from %s to %s clicks a second by %s, %s; ", grouped(o->ramp.first),
               grouped(o->ramp.last), grouped(o->ramp.step), o->arrival_name);
    } else if (o->rate > 0) {
        printf("open loop, %s clicks a second, %s; ", grouped(o->rate), o->arrival_name);
    } else {
        printf("closed loop; ");
    }
    if (o->requests > 0) {
        printf("%s clicks; ", grouped(o->requests));
    }
    if (o->duration_ms > 0) {
        printf("%.3g s; ", (double)o->duration_ms / 1e3);
    }
    if (o->warmup_ms > 0) {
        printf("warm-up %.3g s; ", (double)o->warmup_ms / 1e3);
    }
    if (o->hold_ms > 0) {
        printf("held for %.3g s; ", (double)o->hold_ms / 1e3);
    }
    printf("pay %.3g %%, cancel %.3g %%, repeat %.3g %%\n", 100 * o->pay_share,
           100 * o->cancel_share, 100 * o->repeat_share);
}

void report_text_place(const struct report_place *place, const struct run *run)
{
    const struct machine *machine = &place->machine;
    const struct data_disk *disk = &place->disk;
    printf("machine      %s, %u CPU%s, %.1f GiB of memory, %s\n", machine->cpu, machine->cpus,
           machine->cpus == 1 ? "" : "s", (double)machine->memory_bytes / (1 << 30),
           machine->kernel);
    printf("server       holdfastd %s%s%s\n", run->target.server_version,
           disk->server_command[0] != 0 ? ": " : "", disk->server_command);
    if (disk->directory[0] != 0) {
        printf("disk         %s", disk->directory);
        if (disk->file_system[0] != 0) {
            printf(", %s on %s", disk->file_system, disk->device);
        }
        if (disk->flush_us > 0) {
            printf(", 4 KiB durable in %.0f us, median of %d", disk->flush_us, DATA_DISK_FLUSHES);
        }
        printf("\n");
    }
    if (disk->unknown[0] != 0) {
        printf("not known    %s\n", disk->unknown);
    }
}

static void print_answers(const struct bench_options *o, const struct load_result *load,
                          const struct figures *figures)
{
    if (o->warmup_ms > 0) {
        printf("%-10s %14s rows answered in it, in no figure below\n", "warm-up",
               grouped(load->warmup_rows));
    }
    for (int op = 0; op < WIRE_OPS; op++) {
        uint64_t answered = load_answered(load, (enum wire_op)op);
        if (answered == 0 && load->lost[op] == 0) {
            continue;
        }
        printf("%-10s %14s answered", wire_op_name((enum wire_op)op), grouped(answered));
        if (op == WIRE_RESERVE) {
            printf(" in %.3f s, %s a second", (double)load->clicks_elapsed_ns / 1e9,
                   grouped((uint64_t)figures->per_second));
        }
        printf("\n");
        for (uint32_t i = 0; i < WIRE_RESULTS; i++) {
            if (load->results[op][i] > 0) {
                printf("  %-22s %s\n", wire_result_name(i), grouped(load->results[op][i]));
            }
        }
        if (load->lost[op] > 0) {
            printf("  %-22s %s\n", "(answer lost)", grouped(load->lost[op]));
        }
    }
}

/* Nothing when there is nothing to tell. */
static void print_quantiles(const char *name, const double *us)
{
    if (isnan(us[0])) {
        return;
    }
    printf("  %-10s", name);
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        printf(" %12.1f", us[i]);
    }
    printf("\n");
}

static void print_quantile_names(const char *what)
{
    printf("%-12s", what);
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        printf(" %12s", figures_quantiles[i].name);
    }
    printf("\n");
}

static void print_kinds(const double (*us)[FIGURES_QUANTILES])
{
    for (int kind = 0; kind < LOAD_KINDS; kind++) {
        print_quantiles(load_kind_name((enum load_kind)kind), us[kind]);
    }
}

static void print_times(const char *what, const double (*us)[FIGURES_QUANTILES])
{
    printf("\n");
    print_quantile_names(what);
    print_kinds(us);
}

static void print_outside(const struct figures *figures)
{
    printf("latency outside standstills: of what was neither planned nor waited for in one\n");
    print_quantile_names("outside, us");
    print_kinds(figures->outside_us);
}

/* What a host does to its machine, and the latencies without it. */
static void print_standstills(const struct bench_options *o, const struct load_result *load,
                              const struct figures *figures)
{
    const struct standstill_summary *still = &load->standstills;
    if (!still->known) {
        printf("\nstood still  not known: this kernel does not count how long a thread waits\n");
        return;
    }
    printf("\nstood still  %.2f %% of the time: %s standstill%s of %u CPU%s",
           100 * figures->stood_still, grouped(still->count), still->count == 1 ? "" : "s",
           still->cpus, still->cpus == 1 ? "" : "s");
    if (still->count > 0) {
        printf(", median %.1f ms, at most %.1f ms", (double)still->median_ns / 1e6,
               (double)still->longest_ns / 1e6);
    }
    printf("\n");
    if (still->count > 0 && o->rate > 0) {
        print_outside(figures);
    }
}

static void print_latencies(const struct bench_options *o, const struct load_result *load,
                            const struct figures *figures)
{
    print_times("latency, us", figures->latency_us);
    if (o->rate > 0) {
        const struct load_pace *pace = &load->pace;
        double own_delay_us[FIGURES_QUANTILES];
        figures_quantiles_us(own_delay_us, &pace->own_delay);
        print_times("service, us", figures->service_us);
        print_quantiles("own delay", own_delay_us);
        printf("\n%s of %s frames waited for room\n", grouped(pace->waited),
               grouped(pace->own_delay.count));
    }
}

static void print_costs(const struct bench_options *o, const struct load_result *load,
                        const struct figures *figures)
{
    if (load->answered == 0) {
        return;
    }
    printf("\nCPU time     ");
    if (!isnan(figures->server_cpu_us)) {
        printf("server %.3f us a row, ", figures->server_cpu_us);
    }
    printf("load generator %.3f us a row, %.0f %% of a core", figures->own_cpu_us,
           100.0 * (double)load->own_cpu_ns / (double)load->elapsed_ns);
    if (o->threads > 1) {
        printf(", the busiest of its %s threads %.0f %%", grouped(o->threads),
               100.0 * (double)load->busiest.cpu_ns / (double)load->busiest.elapsed_ns);
    }
    printf("\n");
}

static void print_storm(const struct bench_options *o, const struct run *run)
{
    const struct storm *storm = &run->storm;
    static const char *const names[PHASES] = {
        [PHASE_BEFORE] = "before", [PHASE_DURING] = "during", [PHASE_AFTER] = "after"};
    double us[PHASES][FIGURES_QUANTILES];
    printf("\nstorm        %s holds of %s item%s, made in %.3f s, ", grouped(storm->holds),
           grouped(o->items), o->items == 1 ? "" : "s", (double)storm->fill_ns / 1e9);
    if (storm->spread_ms == 0) {
        printf("all of the same deadline\n");
    } else {
        printf("their deadlines %s ms apart\n", grouped(storm->spread_ms));
    }
    if (storm->is_back) {
        printf("back         first units %.1f ms after the deadline, all after %.1f ms; seen by %s "
               "questions, at most %.1f ms apart\n",
               (double)storm->first_back_ns / 1e6, (double)storm->all_back_ns / 1e6,
               grouped(storm->asked), (double)storm->gap_ns_max / 1e6);
    }
    print_quantile_names("others, us");
    for (int phase = 0; phase < PHASES; phase++) {
        figures_quantiles_us(us[phase], &run->load.phases[phase]);
        print_quantiles(names[phase], us[phase]);
    }
}

static void print_interruptions(const struct load_result *load)
{
    for (uint32_t i = 0; i < load->interruption_count; i++) {
        const struct load_interruption *at = &load->interruptions[i];
        printf("interrupted  %.3f s after the start, %s rows answered until then; ",
               (double)at->began_ns / 1e9, grouped(at->answered_rows));
        if (at->all_came_back) {
            printf("all connections back after %.0f ms\n", (double)at->lasted_ns / 1e6);
        } else {
            printf("not all connections came back\n");
        }
    }
    if (load->resent > 0) {
        printf("sent again   %s rows, under the same ids\n", grouped(load->resent));
    }
}

static void print_verify(const struct verify_result *verify)
{
    if (!verify->done) {
        printf("verify       not done: %s\n", verify->trouble);
        return;
    }
    printf("read back    %s reservations: %s confirmed, %s held, %s cancelled, %s expired, %s not "
           "there\n",
           grouped(verify->reservations_read),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CONFIRMED]),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_HELD]),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_CANCELLED]),
           grouped(verify->states[HOLDFAST__V1__RESERVATION_STATE__RESERVATION_STATE_EXPIRED]),
           grouped(verify->states[0]));
    printf("books        stock %s, available %s, held %s, sold %s\n", grouped(verify->stock),
           grouped(verify->available), grouped(verify->held), grouped(verify->sold));
    if (verify->failure_count == 0) {
        printf("verify       good: the books balance, nobody is over the limit, every success was "
               "found again\n");
        return;
    }
    printf("verify       FAILED, %s faults\n", grouped(verify->failure_count));
    for (uint64_t i = 0; i < verify->failure_count && i < VERIFY_FAILURES_TOLD; i++) {
        printf("  %s\n", verify->failures[i]);
    }
}

void report_text_run(const struct bench_options *options, const struct run *run)
{
    const struct load_result *load = &run->load;
    struct figures figures;
    figures_take(&figures, load);
    printf("\n");
    print_answers(options, load, &figures);
    if (run->workload.ledger != NULL) {
        printf("%-10s %14s different reservations\n", "accepted",
               grouped(workload_accepted(&run->workload)));
    }
    if (run->expiries.known) {
        printf("%-10s %14s holds meanwhile, none later than %llu ms since the server's start\n",
               "expired", grouped(run->expiries.count),
               (unsigned long long)run->expiries.late_ms_max);
    }
    print_latencies(options, load, &figures);
    print_standstills(options, load, &figures);
    if (options->scenario == SCENARIO_STORM) {
        print_storm(options, run);
    }
    print_costs(options, load, &figures);
    print_interruptions(load);
    if (run->verified) {
        print_verify(&run->verify);
    }
    char warnings[WARNINGS_MAX][WARNING_BYTES];
    int warning_count = warnings_find(load, warnings);
    for (int i = 0; i < warning_count; i++) {
        printf("warning      %s\n", warnings[i]);
    }
    if (load->trouble[0] != 0) {
        printf("trouble      %s\n", load->trouble);
    }
}

void report_text_median(const struct bench_options *options, const struct figures *median,
                        uint32_t runs)
{
    printf("\nmedian of %u runs\n%-10s %14s answered a second\n", runs, wire_op_name(WIRE_RESERVE),
           grouped((uint64_t)median->per_second));
    print_times("latency, us", median->latency_us);
    if (options->rate > 0) {
        print_times("service, us", median->service_us);
    }
    if (!isnan(median->stood_still)) {
        printf("\nstood still  %.2f %% of the time\n", 100 * median->stood_still);
    }
    if (median->stood_still > 0 && options->rate > 0) {
        print_outside(median);
    }
    printf("\nCPU time     ");
    if (!isnan(median->server_cpu_us)) {
        printf("server %.3f us a row, ", median->server_cpu_us);
    }
    printf("load generator %.3f us a row\n", median->own_cpu_us);
}

void report_text_ramp(uint64_t rate, const struct figures *median, bool with_head)
{
    if (with_head) {
        printf("\nlatency of clicks over the rate, us\n");
        printf("%12s", "rate");
        print_quantile_names("    answered");
    }
    printf("%12s %11s", grouped(rate), grouped((uint64_t)median->per_second));
    for (int i = 0; i < FIGURES_QUANTILES; i++) {
        printf(" %12.1f", median->clicks_us[i]);
    }
    printf("\n");
}
