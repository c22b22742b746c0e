#include "commands.h"

#include "json.h"
#include "new_data.h"
#include "output.h"
#include "state.h"
#include "summary.h"
#include "text.h"
#include "walk.h"

#include <inttypes.h>
#include <stdio.h>

/* What was put into the new directory. */
struct result {
    const struct state *state;
    struct new_data new_data;
    struct stock_counts counts;
    uint64_t state_hash;
    uint64_t state_time_ms;
};

static void print_json(const struct result *result)
{
    const struct state *state = result->state;
    char id[TEXT_ID_BYTES];
    json_t *object = json_new_object();
    json_t *logs = json_new_array();
    for (uint32_t i = 0; i < state->plan.data->log_count; i++) {
        if (!state->plan.sources[i].is_read)
            continue;
        json_t *log = json_new_object();
        json_add_u64(log, "era", state->plan.data->logs[i].era);
        json_add_u64(log, "core", state->plan.data->logs[i].core);
        json_add_u64(log, "lsn", state->plan.sources[i].last_lsn);
        json_add_u64(log, "last_time_ms", state->plan.sources[i].last_time_ms);
        json_append(logs, log);
    }
    json_add_text(object, "input", state->plan.data->path);
    json_add_text(object, "output", result->new_data.path);
    json_add_text(object, "server_id", text_id(result->new_data.server_id, id));
    json_add_u64(object, "cores", result->new_data.core_count);
    json_add_u64(object, "bytes", result->new_data.bytes);
    json_add(object, "logs", logs);
    json_add(object, "state", summary_json_counts(&result->counts));
    json_add_u64(object, "state_time_ms", result->state_time_ms);
    json_add_hash(object, "state_hash", result->state_hash);
    json_print(object, stdout);
}

static void print(const struct result *result)
{
    const struct state *state = result->state;
    char id[TEXT_ID_BYTES];
    char time[TEXT_TIME_BYTES];
    for (uint32_t i = 0; i < state->plan.data->log_count; i++) {
        const struct data_log *log = &state->plan.data->logs[i];
        const struct source *source = &state->plan.sources[i];
        if (source->is_read)
            printf("era %-6" PRIu64 " core %-4" PRIu32 " up to LSN %-12" PRIu64 " %s\n", log->era,
                   log->core, source->last_lsn, text_time(source->last_time_ms, time));
    }
    printf("\n%-16s%s\n", "made", result->new_data.path);
    printf("%-16s%s\n", "server", text_id(result->new_data.server_id, id));
    printf("%-16s%" PRIu32 "\n", "cores", result->new_data.core_count);
    summary_print_counts(&result->counts);
    printf("%-16s%s\n", "state time", text_time(result->state_time_ms, time));
    printf("%-16s%016" PRIx64 "\n", "state hash", result->state_hash);
}

static enum exit_code make(const struct options *options, struct state *state)
{
    const struct log_manifest *manifest = &state->plan.data->manifest;
    struct result result = {
        .state = state,
        .new_data = {.path = options->output,
                     .input_path = options->path,
                     .core_count = options->core_count != 0
                                       ? options->core_count
                                       : manifest->eras[manifest->era_count - 1].core_count},
        .counts = stock_counts(state->stock),
        .state_hash = stock_hash(state->stock),
        .state_time_ms = stock_time_ms(state->stock),
    };
    if (!walk_settle(state->stock))
        return EXIT_IO;
    const enum exit_code code = new_data_make(&result.new_data, &state->stock);
    if (code == EXIT_GOOD && options->is_json)
        print_json(&result);
    else if (code == EXIT_GOOD)
        print(&result);
    return code;
}

enum exit_code command_replay(const struct options *options)
{
    struct state state;
    const struct point point = point_of(options);
    if (!output_may_be_made(options->output, options->path))
        return EXIT_IO;
    enum exit_code code = state_build(options->path, &point, false, &state);
    if (code == EXIT_GOOD)
        code = make(options, &state);
    state_free(&state);
    return code;
}
