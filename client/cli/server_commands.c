#include "commands.h"
#include "output.h"

#include <stdio.h>

/* ping and stat, and what all commands share. */

int exit_code_of(hf_outcome outcome)
{
    static const int codes[] = {
        [HF_APPLIED] = EXIT_APPLIED,
        [HF_REFUSED] = EXIT_REFUSED,
        [HF_NOT_SENT] = EXIT_NOT_SENT,
        [HF_UNKNOWN] = EXIT_UNKNOWN,
    };
    return codes[outcome];
}

int tell_failure(hf_client *client, hf_outcome outcome, hf_result result, hf_error error)
{
    char trouble[200];
    hf_trouble(client, trouble, sizeof trouble);
    if (outcome == HF_REFUSED)
        fprintf(stderr, "holdfast: refused: %s\n", hf_result_text(result));
    else
        fprintf(stderr, "holdfast: %s: %s%s%s%s\n",
                outcome == HF_UNKNOWN ? "unknown whether it was done" : "not sent",
                hf_error_text(error), trouble[0] ? " (" : "", trouble, trouble[0] ? ")" : "");
    return exit_code_of(outcome);
}

int tell_refusal(const struct refusal *refusal)
{
    char text[REFUSAL_TEXT_BYTES];
    refusal_format(refusal, text);
    fprintf(stderr, "holdfast: refused: %s\n", text);
    return EXIT_REFUSED;
}

bool moment_on_server(hf_client *client, const struct moment *moment, uint64_t *ms_out,
                      int *exit_out)
{
    hf_ping_reply ping = {.now_ms = 0};
    if (moment->is_relative && hf_ping(client, 0, 0, &ping) != HF_APPLIED) {
        /* nothing was asked for yet that could have been done */
        *exit_out = tell_failure(client, HF_NOT_SENT, ping.result, ping.error);
        return false;
    }
    *ms_out = moment_at(moment, ping.now_ms);
    return true;
}

static uint64_t half(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

hf_id id_of_bytes(const uint8_t bytes[HF_SERVER_ID_BYTES])
{
    return (hf_id){half(bytes), half(bytes + 8)};
}

int run_ping(hf_client *client, const struct options *options)
{
    hf_server_info info;
    if (hf_get_server_info(client, 0, &info) != HF_APPLIED)
        return tell_failure(client, info.outcome, info.result, info.error);
    /* now that the connections stand, the time is that of the way alone */
    hf_ping_reply ping;
    if (hf_ping(client, options->core, 0, &ping) != HF_APPLIED)
        return tell_failure(client, ping.outcome, ping.result, ping.error);
    char id[HF_ID_TEXT_BYTES];
    hf_id_format(id_of_bytes(info.server_id), id);
    struct output output;
    output_init(&output, options->given[OPTION_JSON]);
    output_text(&output, "server_id", id);
    output_text(&output, "server_version", info.server_version);
    output_number(&output, "cores", info.core_count);
    output_moment(&output, "now_ms", ping.now_ms);
    output_number(&output, "round_trip_us", ping.round_trip_us);
    output_flush(&output);
    return EXIT_APPLIED;
}

/* How far a server is that is not ready: "1024 of 4096 MiB (25 %)" to people. */
static void print_loading(const struct options *options, const hf_stat *stat)
{
    struct output output;
    output_init(&output, options->given[OPTION_JSON]);
    output_number(&output, "cores", stat->core_count);
    output_moment(&output, "now_ms", stat->now_ms);
    if (output.is_json) {
        output_bool(&output, "loading", true);
        output_number(&output, "load_bytes", stat->load_bytes);
        output_number(&output, "load_bytes_done", stat->load_bytes_done);
    } else {
        char text[96];
        uint64_t percent =
            stat->load_bytes > 0 ? stat->load_bytes_done * 100 / stat->load_bytes : 0;
        snprintf(text, sizeof text, "%llu of %llu MiB (%llu %%)",
                 (unsigned long long)stat->load_bytes_done >> 20,
                 (unsigned long long)stat->load_bytes >> 20, (unsigned long long)percent);
        output_text(&output, "loading", text);
    }
    output_moment(&output, "load_ready_ms", stat->load_ready_ms);
    output_flush(&output);
}

int run_stat(hf_client *client, const struct options *options)
{
    hf_stat stat;
    uint32_t core = options->given[OPTION_CORE] ? options->core : HF_ALL_CORES;
    bool with_hash = options->given[OPTION_STATE_HASH];
    hf_outcome outcome = hf_get_stat(client, core, with_hash, 0, &stat);
    if (outcome == HF_REFUSED && stat.result == HF_RESULT_LOADING)
        print_loading(options, &stat);
    if (outcome != HF_APPLIED)
        return tell_failure(client, stat.outcome, stat.result, stat.error);
    struct output output;
    output_init(&output, options->given[OPTION_JSON]);
    if (core != HF_ALL_CORES)
        output_number(&output, "core", stat.core);
    output_number(&output, "cores", stat.core_count);
    output_moment(&output, "now_ms", stat.now_ms);
    if (output.is_json)
        output_bool(&output, "loading", false);
    output_duration(&output, "uptime_ms", stat.uptime_ms);
    output_number(&output, "items", stat.items);
    output_number(&output, "reservations", stat.reservations);
    output_number(&output, "held", stat.held);
    output_number(&output, "confirmed", stat.confirmed);
    output_number(&output, "cancelled", stat.cancelled);
    output_number(&output, "expired", stat.expired);
    output_number(&output, "buyers", stat.buyers);
    output_number(&output, "units_held", stat.units_held);
    output_number(&output, "units_sold", stat.units_sold);
    output_number(&output, "connections", stat.connections);
    output_number(&output, "frames", stat.frames);
    output_number(&output, "rows", stat.rows);
    output_number(&output, "rows_accepted", stat.rows_accepted);
    output_number(&output, "rows_refused", stat.rows_refused);
    output_number(&output, "rows_forwarded", stat.rows_forwarded);
    output_number(&output, "rows_filtered", stat.rows_filtered);
    output_number(&output, "rows_filter_missed", stat.rows_filter_missed);
    output_number(&output, "bad_frames", stat.bad_frames);
    output_number(&output, "log_groups", stat.log_groups);
    output_number(&output, "log_records", stat.log_records);
    output_number(&output, "log_bytes", stat.log_bytes);
    output_number(&output, "log_last_lsn", stat.log_last_lsn);
    output_number(&output, "log_durable_lsn", stat.log_durable_lsn);
    output_number(&output, "snapshots", stat.snapshots);
    output_number(&output, "snapshot_lsn", stat.snapshot_lsn);
    output_moment(&output, "snapshot_taken_ms", stat.snapshot_taken_ms);
    output_number(&output, "log_bytes_behind", stat.log_bytes_behind);
    output_bool(&output, "lacks_space", stat.lacks_space);
    output_number(&output, "expiries", stat.expiries);
    output_duration(&output, "expiry_late_max_ms", stat.expiry_late_ms_max);
    if (with_hash)
        output_hex(&output, "state_hash", stat.state_hash);
    output_flush(&output);
    return EXIT_APPLIED;
}
