#include "commands.h"
#include "output.h"

#include <stdio.h>

/* snapshot: a line per core, and one for all of them. */

static void print_head(void)
{
    printf("%4s %14s %10s %14s %14s %14s  %-16s %9s\n", "CORE", "LSN", "ITEMS", "RESERVATIONS",
           "BUYERS", "BYTES", "STATE HASH", "TIME");
}

/* A file that is older than the server's start tells no size. */
static void print_counts(const hf_core_snapshot *snapshot)
{
    char bytes[24] = "-";
    if (snapshot->bytes > 0)
        snprintf(bytes, sizeof bytes, "%llu", (unsigned long long)snapshot->bytes);
    printf("%10llu %14llu %14llu %14s  %016llx %6llu ms\n", (unsigned long long)snapshot->items,
           (unsigned long long)snapshot->reservations, (unsigned long long)snapshot->buyers, bytes,
           (unsigned long long)snapshot->state_hash, (unsigned long long)snapshot->took_ms);
}

static void add(hf_core_snapshot *sum, const hf_core_snapshot *snapshot)
{
    sum->bytes += snapshot->bytes;
    sum->items += snapshot->items;
    sum->reservations += snapshot->reservations;
    sum->buyers += snapshot->buyers;
    sum->state_hash += snapshot->state_hash;
    if (snapshot->took_ms > sum->took_ms)
        sum->took_ms = snapshot->took_ms;
}

static void print_table(const hf_snapshot_reply *reply, const hf_core_snapshot *sum)
{
    print_head();
    for (uint32_t i = 0; i < reply->core_count; i++) {
        const hf_core_snapshot *snapshot = &reply->cores[i];
        if (snapshot->outcome != HF_APPLIED)
            continue;
        printf("%4u %14llu ", snapshot->core, (unsigned long long)snapshot->lsn);
        print_counts(snapshot);
    }
    if (reply->core_count > 1 && reply->outcome == HF_APPLIED) {
        printf("%4s %14s ", "all", "");
        print_counts(sum);
    }
}

static void output_counts(struct output *output, const hf_core_snapshot *snapshot)
{
    output_number(output, "items", snapshot->items);
    output_number(output, "reservations", snapshot->reservations);
    output_number(output, "buyers", snapshot->buyers);
    output_number(output, "bytes", snapshot->bytes);
    output_hex(output, "state_hash", snapshot->state_hash);
    output_number(output, "took_ms", snapshot->took_ms);
}

static json_t *json_of_core(const hf_core_snapshot *snapshot)
{
    struct output output;
    output_init(&output, true);
    output_number(&output, "core", snapshot->core);
    output_text(&output, "outcome", hf_outcome_name(snapshot->outcome));
    if (snapshot->result != HF_RESULT_NONE)
        output_text(&output, "result", hf_result_name(snapshot->result));
    if (snapshot->error != HF_ERROR_NONE)
        output_text(&output, "error", hf_error_name(snapshot->error));
    if (snapshot->outcome == HF_APPLIED) {
        output_number(&output, "lsn", snapshot->lsn);
        output_counts(&output, snapshot);
    }
    return output.object;
}

static void print_json(const hf_snapshot_reply *reply, const hf_core_snapshot *sum)
{
    struct output output;
    json_t *cores = json_array();
    for (uint32_t i = 0; i < reply->core_count; i++)
        json_array_append_new(cores, json_of_core(&reply->cores[i]));
    output_init(&output, true);
    output_text(&output, "outcome", hf_outcome_name(reply->outcome));
    json_object_set_new(output.object, "cores", cores);
    if (reply->outcome == HF_APPLIED)
        output_counts(&output, sum);
    output_flush(&output);
}

static struct refusal refusal_of(hf_result result)
{
    return (struct refusal){.command = COMMAND_SNAPSHOT, .result = result};
}

static void tell_core_failure(const hf_core_snapshot *snapshot)
{
    const struct refusal refusal = refusal_of(snapshot->result);
    char text[REFUSAL_TEXT_BYTES];
    refusal_format(&refusal, text);
    fprintf(stderr, "holdfast: core %u: %s\n", snapshot->core,
            snapshot->outcome == HF_REFUSED ? text : hf_error_text(snapshot->error));
}

/* A core at a time, where there are several that have an answer of their own. */
static int tell_failures(hf_client *client, const hf_snapshot_reply *reply)
{
    for (uint32_t i = 0; i < reply->core_count && reply->core_count > 1; i++) {
        if (reply->cores[i].outcome != HF_APPLIED)
            tell_core_failure(&reply->cores[i]);
    }
    const struct refusal refusal = refusal_of(reply->result);
    if (reply->outcome == HF_REFUSED)
        return tell_refusal(&refusal);
    return tell_failure(client, reply->outcome, reply->result, reply->error);
}

int run_snapshot(hf_client *client, const struct options *options)
{
    hf_snapshot_reply reply;
    hf_core_snapshot sum = {.core = HF_ALL_CORES};
    uint32_t core = options->given[OPTION_CORE] ? options->core : HF_ALL_CORES;
    hf_snapshot(client, core, options->timeout_ms, &reply);
    for (uint32_t i = 0; i < reply.core_count; i++)
        add(&sum, &reply.cores[i]);
    bool some_applied = false;
    for (uint32_t i = 0; i < reply.core_count; i++)
        some_applied |= reply.cores[i].outcome == HF_APPLIED;
    if (options->given[OPTION_JSON])
        print_json(&reply, &sum);
    else if (some_applied)
        print_table(&reply, &sum);
    return reply.outcome == HF_APPLIED ? EXIT_APPLIED : tell_failures(client, &reply);
}
