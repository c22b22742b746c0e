#include "commands.h"

#include "json.h"
#include "state.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>

static json_t *json_log(const struct data_log *log, const struct source *source)
{
    json_t *object = json_new_object();
    json_add_u64(object, "era", log->era);
    json_add_u64(object, "core", log->core);
    json_add_u64(object, "lsn", source->last_lsn);
    return object;
}

static void print_json(const struct state *state)
{
    json_t *object = json_new_object();
    json_t *logs = json_new_array();
    for (uint32_t i = 0; i < state->plan.data->log_count; i++)
        if (state->plan.sources[i].is_read)
            json_append(logs, json_log(&state->plan.data->logs[i], &state->plan.sources[i]));
    json_add_hash(object, "state_hash", stock_hash(state->stock));
    json_add_u64(object, "state_time_ms", stock_time_ms(state->stock));
    json_add(object, "logs", logs);
    json_print(object, stdout);
}

static void print(const struct state *state)
{
    char time[TEXT_TIME_BYTES];
    for (uint32_t i = 0; i < state->plan.data->log_count; i++) {
        const struct data_log *log = &state->plan.data->logs[i];
        if (state->plan.sources[i].is_read)
            printf("era %-6" PRIu64 " core %-4" PRIu32 " up to LSN %" PRIu64 "\n", log->era,
                   log->core, state->plan.sources[i].last_lsn);
    }
    printf("%-16s%s\n", "state time", text_time(stock_time_ms(state->stock), time));
    printf("%-16s%016" PRIx64 "\n", "state hash", stock_hash(state->stock));
}

enum exit_code command_hash(const struct options *options)
{
    struct state state;
    const struct point point = point_of(options);
    const enum exit_code code = state_build(options->path, &point, false, &state);
    if (code == EXIT_GOOD && options->is_json)
        print_json(&state);
    else if (code == EXIT_GOOD)
        print(&state);
    state_free(&state);
    return code;
}
