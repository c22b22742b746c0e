#include "pass.h"

#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Trouble is believed when it is found twice at one place; this often it is looked for. */
enum { RUN_COUNT_MAX = 10 };

struct running {
    const struct pass *pass;
    struct pass_end *result;
};

static const char *take_group(void *context, const struct log_group *group,
                              uint64_t *refused_lsn_out)
{
    const struct running *running = context;
    const char *wrong = running->pass->group == NULL
                            ? NULL
                            : running->pass->group(running->pass->context, group, refused_lsn_out);
    running->result->is_refused = wrong != NULL;
    return wrong;
}

static bool is_enough(const struct pass *pass)
{
    return pass->is_enough != NULL && *pass->is_enough;
}

/* ---- endings ---- */

/* The folders of an era are made before the manifest names them, and nobody but the server puts
 * anything where a segment is to be. */
static void end_unlisted(const struct data_log *log, struct log_end *end)
{
    const int error = log->list_error;
    const bool is_damage = error == -ENOENT || error == -ENXIO;
    *end = (struct log_end){.status = is_damage ? LOG_DAMAGED : LOG_IO,
                            .next_lsn = 1,
                            .next_group_number = 1,
                            .io_error = error};
    if (error == -ENXIO)
        snprintf(end->reason, sizeof end->reason, "%s in it is no regular file", log->list_wrong);
    else
        snprintf(end->reason, sizeof end->reason, "the log cannot be listed: %s", strerror(-error));
}

static void end_gone(struct pass_end *result)
{
    result->is_gone = true;
    result->end.status = LOG_IO;
    result->end.io_error = -ESTALE;
    snprintf(result->end.reason, sizeof result->end.reason,
             "a server removed this part of the log while it was being read");
}

/* What is good of a log that grew. */
static void end_alive(struct pass_end *result)
{
    result->is_live = true;
    result->end.status = LOG_GOOD;
    result->end.reason[0] = '\0';
}

/* ---- running ---- */

static struct log_source source_of(const struct data *data, struct data_log *log,
                                   const struct log_position *start)
{
    return (struct log_source){
        .segments = log->segments,
        .segment_count = log->segment_count,
        .read = data_read_segment,
        .read_context = log,
        .server_id = data->manifest.server_id,
        .era = log->era,
        .core = log->core,
        .start = start,
        .closed = log->closed,
    };
}

/* Reads from the position on. Returns the number of groups that were handed out. */
static uint64_t run_once(struct data *data, struct data_log *log, const struct pass *pass,
                         struct pass_end *result)
{
    struct log_reader reader;
    struct running running = {.pass = pass, .result = result};
    const struct log_position start = result->position;
    const struct log_source source =
        source_of(data, log, start.segment_number == 0 ? NULL : &start);
    const uint64_t groups_before = result->end.group_count;
    const uint64_t records_before = result->end.record_count;
    if (log->list_error != 0) {
        end_unlisted(log, &result->end);
        return 0;
    }
    log_reader_begin(&reader, &source, take_group, &running, data->buffer, &result->end);
    while (log_reader_step(&reader)) {
        if (result->end.group_count > 0)
            result->position = log_end_position(&result->end);
        result->is_stopped = is_enough(pass);
        if (result->is_stopped)
            break;
    }
    data_close_segment(log);
    const uint64_t group_count = result->end.group_count;
    result->end.group_count += groups_before;
    result->end.record_count += records_before;
    return group_count;
}

/* Is the file there that reading from this position begins with? */
static bool has_segment_of(const struct data_log *log, const struct log_position *position)
{
    const uint64_t number = position->segment_number == 0 ? 1 : position->segment_number;
    for (uint32_t i = 0; i < log->segment_count; i++)
        if (log_segment_file_number(log->segments[i].name) == number)
            return true;
    return false;
}

static bool is_settled(const struct pass_end *result)
{
    const enum log_status status = result->end.status;
    return result->is_stopped || result->is_refused || (status != LOG_DAMAGED && status != LOG_IO);
}

/* Once more, on what is there now. True when it has come to an end. */
static bool run_again(struct data *data, struct data_log *log, const struct pass *pass,
                      struct pass_end *result)
{
    const struct log_end before = result->end;
    const bool was_there = has_segment_of(log, &result->position);
    data_list(data, log);
    if (was_there && !has_segment_of(log, &result->position)) {
        end_gone(result);
        return true;
    }
    const uint64_t group_count = run_once(data, log, pass, result);
    if (is_settled(result))
        return true;
    if (group_count > 0 && log->closed == NULL) {
        end_alive(result);
        return true;
    }
    return result->end.status == before.status &&
           result->end.segment_index == before.segment_index && result->end.offset == before.offset;
}

void pass_run(struct data *data, struct data_log *log, const struct pass *pass,
              struct pass_end *end_out)
{
    *end_out = (struct pass_end){
        .position = pass->start == NULL ? log_position_first() : *pass->start,
    };
    (void)run_once(data, log, pass, end_out);
    for (int i = 1; i < RUN_COUNT_MAX && !is_settled(end_out); i++)
        if (run_again(data, log, pass, end_out))
            break;
}

/* ---- telling ---- */

enum exit_code pass_exit_code(enum log_status status)
{
    switch (status) {
    case LOG_GOOD:
        return EXIT_GOOD;
    case LOG_TORN_TAIL:
        return EXIT_TORN;
    case LOG_DAMAGED:
        return EXIT_DAMAGED;
    case LOG_IO:
        return EXIT_IO;
    case LOG_VERSION:
        return EXIT_VERSION;
    }
    return EXIT_DAMAGED;
}

void pass_end_path(const struct data_log *log, const struct log_end *end, char *to)
{
    if (end->segment_index < log->segment_count)
        data_segment_path(log, end->segment_index, to);
    else
        snprintf(to, DATA_FILE_PATH_BYTES, "%s", log->path);
}

static const char *advice(const struct log_end *end)
{
    switch (end->status) {
    case LOG_GOOD:
        break;
    case LOG_TORN_TAIL:
        return "it was never acknowledged; the server cuts it off when it starts (if one is "
               "running here, this is what it is writing now)";
    case LOG_DAMAGED:
        return "records from there on cannot be trusted; stop the server, keep a copy, bring the "
               "file back from a good one, or see `holdfast-log repair`";
    case LOG_IO:
        return end->io_error == -ESTALE ? "run this again"
                                        : "check the rights of this user, then the disk";
    case LOG_VERSION:
        return "use the holdfast-log that came with the server that wrote it";
    }
    return "";
}

void pass_tell_end(const struct data_log *log, const struct log_end *end)
{
    char path[DATA_FILE_PATH_BYTES];
    if (end->status == LOG_GOOD)
        return;
    pass_end_path(log, end, path);
    tell("%s: offset %" PRIu64 ", LSN %" PRIu64 " and later: %s: %s; %s", path, end->offset,
         end->next_lsn, log_status_text(end->status), end->reason, advice(end));
}
