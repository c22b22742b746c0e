#include "bench/load_state.h"
#include "bench/process.h"

#include <stddef.h>
#include <string.h>

/* What is counted, and from when on. A run begins with its warm-up, if it has one: what is answered
 * and sent in that time is counted too, so that the progress line has something to show, and thrown
 * away at its end but for how many rows it was. CPU time is read at the same moment, so it is that
 * of what counts; the server's by the first thread, for all.
 *
 * Whether an answer comes from outside standstills is known some milliseconds later, when all
 * watchers have come back, each standstill being theirs to tell. Until then its latency waits. */

const char *load_kind_name(enum load_kind kind)
{
    static const char *const names[LOAD_KINDS] = {
        [LOAD_ACCEPTED] = "accepted", [LOAD_REPEATED] = "repeated", [LOAD_REFUSED] = "refused",
        [LOAD_CONFIRM] = "confirm",   [LOAD_CANCEL] = "cancel",
    };
    return names[kind];
}

void load_add_clicks(struct histogram *sum, const struct load_times *times)
{
    histogram_add(sum, &times->kinds[LOAD_ACCEPTED]);
    histogram_add(sum, &times->kinds[LOAD_REPEATED]);
    histogram_add(sum, &times->kinds[LOAD_REFUSED]);
}

void load_count_begin(struct load *load, uint64_t now_ns)
{
    struct load_team *team = load->team;
    struct load_result *result = load->result;
    uint64_t warmup_rows = result->answered;
    memset(result, 0, offsetof(struct load_result, warmup_rows));
    result->warmup_rows = warmup_rows;
    undecided_clear(&load->undecided);
    load->counting = true;
    load->counting_since_ns = now_ns;
    load->own_cpu_before_ns = process_thread_cpu_ns();
    load->own_wait_before_ns = process_thread_wait_ns();
    if (load->number == 0) {
        standstill_watch_count_from(&team->watch, now_ns);
        uint64_t pid = team->options->server_pid;
        team->server_cpu_known = pid != 0 && process_cpu_ns(pid, &team->server_cpu_before_ns);
    }
}

void load_count_end(struct load *load)
{
    struct load_result *result = load->result;
    result->own_cpu_ns = process_thread_cpu_ns() - load->own_cpu_before_ns;
    result->own_wait_ns = process_thread_wait_ns() - load->own_wait_before_ns;
    result->busiest = (struct load_busy){
        .cpu_ns = result->own_cpu_ns,
        .wait_ns = result->own_wait_ns,
        .elapsed_ns = result->elapsed_ns,
    };
}

/* ---- threads together ---------------------------------------------------------------------- */

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void add_times(struct load_times *sum, const struct load_times *times)
{
    for (int kind = 0; kind < LOAD_KINDS; kind++) {
        histogram_add(&sum->kinds[kind], &times->kinds[kind]);
    }
}

static void add_pace(struct load_pace *sum, const struct load_pace *pace)
{
    histogram_add(&sum->own_delay, &pace->own_delay);
    sum->late += pace->late;
    sum->waited += pace->waited;
    sum->behind_ns = larger(sum->behind_ns, pace->behind_ns);
}

/* One without answers was not busy. */
static double busy_share(const struct load_busy *busy)
{
    return busy->elapsed_ns > 0 ? (double)(busy->cpu_ns + busy->wait_ns) / (double)busy->elapsed_ns
                                : 0;
}

void load_count_add(struct load_result *sum, const struct load_result *result)
{
    for (int op = 0; op < WIRE_OPS; op++) {
        for (int i = 0; i < WIRE_RESULTS; i++) {
            sum->results[op][i] += result->results[op][i];
        }
        sum->lost[op] += result->lost[op];
    }
    sum->answered += result->answered;
    sum->resent += result->resent;
    sum->frames += result->frames;
    add_times(&sum->latency, &result->latency);
    add_times(&sum->service, &result->service);
    add_times(&sum->outside, &result->outside);
    add_pace(&sum->pace, &result->pace);
    for (int phase = 0; phase < PHASES; phase++) {
        histogram_add(&sum->phases[phase], &result->phases[phase]);
    }
    sum->elapsed_ns = larger(sum->elapsed_ns, result->elapsed_ns);
    sum->clicks_elapsed_ns = larger(sum->clicks_elapsed_ns, result->clicks_elapsed_ns);
    sum->own_cpu_ns += result->own_cpu_ns;
    sum->own_wait_ns += result->own_wait_ns;
    if (busy_share(&result->busiest) > busy_share(&sum->busiest)) {
        sum->busiest = result->busiest;
    }
    sum->warmup_rows += result->warmup_rows;
}

/* ---- answers ------------------------------------------------------------------------------- */

static enum load_kind kind_of(enum wire_op op, uint32_t result)
{
    if (op == WIRE_RESERVE) {
        switch (result) {
        case HOLDFAST__V1__RESULT__RESULT_OK:
            return LOAD_ACCEPTED;
        case HOLDFAST__V1__RESULT__RESULT_DUPLICATE:
            return LOAD_REPEATED;
        default:
            return LOAD_REFUSED;
        }
    }
    return op == WIRE_CONFIRM ? LOAD_CONFIRM : LOAD_CANCEL;
}

/* Those that were answered before, by what is known. */
static void decide_outside(struct load *load, uint64_t until_ns)
{
    struct standstill_watch *watch = &load->team->watch;
    undecided_decide(&load->undecided, standstill_watch_acquire(watch), until_ns,
                     &load->result->outside);
    standstill_watch_release(watch);
}

void load_count_outside(struct load *load)
{
    uint64_t known_ns = standstill_watch_known_until(&load->team->watch);
    if (undecided_next_ns(&load->undecided) < known_ns) {
        decide_outside(load, known_ns);
    }
}

void load_count_rest_outside(struct load *load)
{
    uint64_t now_ns = monotonic_ns();
    while (undecided_next_ns(&load->undecided) < now_ns) {
        sleep_until(monotonic_ns() + STANDSTILL_NS_MIN);
        load_count_outside(load);
    }
}

/* Without room all are decided now. */
static void keep_undecided(struct load *load, const struct slot *slot, uint64_t now_ns,
                           const uint32_t *counts)
{
    if (undecided_is_full(&load->undecided)) {
        decide_outside(load, UINT64_MAX);
    }
    undecided_add(&load->undecided, slot->planned_ns, now_ns, counts);
}

static void note_rows(struct load *load, const struct connection *c, uint32_t slot_number,
                      const struct wire_reply *reply, uint64_t now_ns)
{
    const struct slot *slot = &c->slots[slot_number];
    const uint64_t *rows = load_slot_rows(load, c, slot_number);
    for (uint32_t i = 0; i < slot->row_count; i++) {
        struct wire_row_reply row = wire_reply_row(reply, i);
        workload_answered(load->part, c->core, (enum wire_op)slot->op, rows[i], &row, now_ns);
    }
}

void load_count_rows(struct load *load, struct connection *c, uint32_t slot_number,
                     const struct wire_reply *reply, uint64_t now_ns)
{
    const struct slot *slot = &c->slots[slot_number];
    struct load_result *result = load->result;
    uint32_t counts[LOAD_KINDS] = {0};
    for (uint32_t i = 0; i < slot->row_count; i++) {
        uint32_t row_result = wire_reply_result(reply, i);
        result->results[slot->op][row_result]++;
        counts[kind_of((enum wire_op)slot->op, row_result)]++;
    }
    if (workload_keeps(load->part->workload)) {
        note_rows(load, c, slot_number, reply, now_ns);
    }
    for (int kind = 0; kind < LOAD_KINDS; kind++) {
        if (counts[kind] == 0) {
            continue;
        }
        histogram_record(&result->latency.kinds[kind], now_ns - slot->planned_ns, counts[kind]);
        histogram_record(&result->service.kinds[kind], now_ns - slot->sent_ns, counts[kind]);
    }
    if (undecided_is_used(&load->undecided)) {
        keep_undecided(load, slot, now_ns, counts);
    }
    result->answered += slot->row_count;
    result->elapsed_ns = now_ns - load->counting_since_ns;
    if (slot->op == WIRE_RESERVE) {
        timeline_answered(load->timeline, slot->planned_ns - load->started_ns,
                          now_ns - slot->planned_ns, counts[LOAD_ACCEPTED] + counts[LOAD_REPEATED],
                          counts[LOAD_REFUSED]);
        if (load->phases != NULL) {
            histogram_record(&result->phases[phases_of(load->phases, slot->planned_ns)],
                             now_ns - slot->planned_ns, slot->row_count);
        }
        result->clicks_elapsed_ns = result->elapsed_ns;
    }
    load->quiet_since_ns = now_ns;
}

void load_count_lost(struct load *load, struct connection *c)
{
    for (uint32_t i = 0; i < load->options->pipeline; i++) {
        struct slot *slot = &c->slots[i];
        if (slot->row_count > 0) {
            load->result->lost[slot->op] += slot->row_count;
            if (slot->op == WIRE_RESERVE) {
                timeline_lost(load->timeline, slot->planned_ns - load->started_ns, slot->row_count);
            }
            load_release_slot(load, c, i);
        }
    }
}
