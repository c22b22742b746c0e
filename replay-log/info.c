#include "commands.h"

#include "allocate.h"
#include "state.h"
#include "summary.h"
#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

static void fill(struct summary *summary, const struct state *state)
{
    *summary = (struct summary){.data = state->plan.data};
    summary->logs = allocate(state->plan.data->log_count, sizeof summary->logs[0]);
    for (uint32_t i = 0; i < state->plan.data->log_count; i++) {
        const struct source *source = &state->plan.sources[i];
        summary->logs[i] = (struct log_summary){
            .is_read = source->is_read,
            .is_live = source->end.is_live,
            .end = source->end.end,
            .first_lsn = source->snapshot == NULL ? 1 : source->snapshot->lsn + 1,
            .first_time_ms = source->first_time_ms,
            .last_time_ms = source->last_time_ms,
        };
    }
    summary->has_state = state->stock != NULL;
    if (!summary->has_state)
        return;
    summary->counts = stock_counts(state->stock);
    summary->state_hash = stock_hash(state->stock);
}

static void print(const struct summary *summary)
{
    const struct log_manifest *manifest = &summary->data->manifest;
    char id[TEXT_ID_BYTES];
    printf("%-16s%s\n", "data directory", summary->data->path);
    printf("%-16s%" PRIu32 "\n", "format", manifest->version);
    printf("%-16s%s\n", "server", text_id(manifest->server_id, id));
    printf("%-16s%" PRIu32 ", %" PRIu32 " cores now\n\n", "eras", manifest->era_count,
           manifest->eras[manifest->era_count - 1].core_count);
    summary_print_files(summary);
    putchar('\n');
    if (summary->has_state)
        summary_print_counts(&summary->counts);
    summary_print_hash(summary);
}

enum exit_code command_info(const struct options *options)
{
    struct state state;
    struct summary summary;
    const enum exit_code code = state_build_end(options->path, &state);
    if (state.plan.data != NULL) {
        fill(&summary, &state);
        if (options->is_json)
            summary_print_json(&summary);
        else
            print(&summary);
        free(summary.logs);
    }
    state_free(&state);
    return code;
}
