#include "commands.h"

#include "allocate.h"
#include "filter.h"
#include "follow.h"
#include "pass.h"
#include "progress.h"
#include "record_print.h"
#include "text.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { IDLE_MS = 50, MANIFEST_EVERY_MS = 1000 };

struct printing {
    const struct options *options;
    const struct data_log *log;
    enum record_format format;
    uint64_t printed_count;
    bool is_enough; /* nothing more of this log is wanted */
};

static enum record_format format_of(const struct options *options)
{
    return options->is_json ? RECORD_JSON : options->is_csv ? RECORD_CSV : RECORD_TEXT;
}

static bool has_limit_reached(const struct printing *printing)
{
    return printing->printed_count >= printing->options->limit;
}

/* ---- records ---- */

static const char *print_group(void *context, const struct log_group *group,
                               uint64_t *refused_lsn_out)
{
    struct printing *printing = context;
    *refused_lsn_out = group->first_lsn;
    for (const uint8_t *bytes = group->records; bytes != NULL && !has_limit_reached(printing);
         bytes = log_record_next(group, bytes), ++*refused_lsn_out) {
        struct stock_record record;
        const char *wrong = stock_record_decode(bytes, log_record_bytes(bytes), &record);
        if (wrong != NULL)
            return wrong;
        if (!filter_has_record(printing->options, *refused_lsn_out, &record))
            continue;
        record_print(printing->format, printing->log, *refused_lsn_out, &record, stdout);
        printing->printed_count++;
    }
    printing->is_enough = has_limit_reached(printing) ||
                          group->first_lsn + group->record_count > printing->options->to_lsn;
    return NULL;
}

/* Prints one log as far as it can be trusted. A torn tail is told but is no failure here: it is
 * what a crash, or a write in flight, leaves. */
static enum exit_code print_log(struct printing *printing, struct data *data, struct data_log *log,
                                struct log_position *end_out)
{
    struct pass_end end;
    const struct pass pass = {
        .start = filter_start(log),
        .group = print_group,
        .context = printing,
        .is_enough = &printing->is_enough,
    };
    printing->log = log;
    printing->is_enough = false;
    pass_run(data, log, &pass, &end);
    *end_out = end.position;
    if (end.is_stopped)
        return EXIT_GOOD;
    pass_tell_end(log, &end.end);
    return end.end.status == LOG_TORN_TAIL ? EXIT_GOOD : pass_exit_code(end.end.status);
}

/* ---- following ---- */

/* The logs that are followed, and the directory as it was at each time that an era began. */
struct following {
    struct printing *printing;
    struct data *data[LOG_MANIFEST_ERA_COUNT_MAX];
    uint32_t data_count;
    struct follow *follows;
    uint32_t follow_count;
    uint64_t looked_ms;
};

static volatile sig_atomic_t is_interrupted;

static void interrupt(int signal_number)
{
    (void)signal_number;
    is_interrupted = 1;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void add_follow(struct following *f, const struct data *data, const struct data_log *log,
                       const struct log_position *at)
{
    if (data_log_is_newest(data, log))
        follow_begin(&f->follows[f->follow_count++], data, log, at, f->data[0]->buffer);
}

static uint64_t newest_era(const struct data *data)
{
    return data->manifest.eras[data->manifest.era_count - 1].number;
}

/* A server that was started with another number of cores has begun an era. */
static void look_for_era(struct following *f)
{
    const uint64_t now = now_ms();
    struct data *data;
    if (now - f->looked_ms < MANIFEST_EVERY_MS || f->data_count == LOG_MANIFEST_ERA_COUNT_MAX)
        return;
    f->looked_ms = now;
    if (data_open(f->data[0]->path, &data) != EXIT_GOOD)
        return;
    if (newest_era(data) == newest_era(f->data[f->data_count - 1])) {
        data_close(&data);
        return;
    }
    const struct log_position first = log_position_first();
    const struct data_log *log = data_era_logs(data, data->manifest.era_count - 1);
    f->data[f->data_count++] = data;
    for (uint32_t i = 0; i < f->follow_count; i++)
        follow_end(&f->follows[i]);
    f->follow_count = 0;
    for (uint32_t core = 0; core < data_core_count(data, data->manifest.era_count - 1); core++)
        if (filter_has_log(f->printing->options, &log[core]))
            add_follow(f, data, &log[core], &first);
}

/* Prints what there is of one log. */
static enum exit_code follow_log(struct printing *printing, struct follow *follow, bool *found_out)
{
    struct log_group group;
    uint64_t refused_lsn;
    enum follow_found found = FOLLOW_NOTHING;
    printing->log = follow->log;
    while (!printing->is_enough && (found = follow_next(follow, &group)) == FOLLOW_GROUP) {
        const char *wrong = print_group(printing, &group, &refused_lsn);
        *found_out = true;
        if (wrong == NULL)
            continue;
        tell("%s: damaged: the record with LSN %" PRIu64 ": %s", follow->log->path, refused_lsn,
             wrong);
        return EXIT_DAMAGED;
    }
    if (found != FOLLOW_GONE)
        return EXIT_GOOD;
    tell("%s: a server has removed the segment of LSN %" PRIu64
         " before it could be read: records are missing from here on; begin anew",
         follow->log->path, follow->at.next_lsn);
    return EXIT_IO;
}

static enum exit_code follow_all(struct following *f)
{
    const struct timespec idle = {.tv_nsec = IDLE_MS * 1000000l};
    enum exit_code code = EXIT_GOOD;
    signal(SIGINT, interrupt);
    signal(SIGTERM, interrupt);
    while (code == EXIT_GOOD && !is_interrupted && !f->printing->is_enough) {
        bool has_found = false;
        for (uint32_t i = 0; i < f->follow_count && code == EXIT_GOOD; i++)
            code = follow_log(f->printing, &f->follows[i], &has_found);
        if (fflush(stdout) != 0)
            return EXIT_IO;
        if (has_found || code != EXIT_GOOD)
            continue;
        look_for_era(f);
        nanosleep(&idle, NULL);
    }
    return code;
}

static void end_following(struct following *f)
{
    for (uint32_t i = 0; i < f->follow_count; i++)
        follow_end(&f->follows[i]);
    for (uint32_t i = 1; i < f->data_count; i++)
        data_close(&f->data[i]);
    free(f->follows);
}

/* ---- the command ---- */

static enum exit_code print_all(const struct options *options, struct data *data)
{
    struct printing printing = {.options = options, .format = format_of(options)};
    struct following following = {.printing = &printing, .data = {data}, .data_count = 1};
    enum exit_code code = EXIT_GOOD;
    following.follows = allocate(LOG_CORE_COUNT_MAX, sizeof following.follows[0]);
    record_print_header(printing.format, stdout);
    if (isatty(STDOUT_FILENO) == 0) /* where lines of the two would mix */
        progress_begin("reading", filter_bytes(options, data));
    for (uint32_t i = 0; i < data->log_count && !has_limit_reached(&printing); i++) {
        struct log_position end;
        if (!filter_has_log(options, &data->logs[i]))
            continue;
        const enum exit_code log_code = print_log(&printing, data, &data->logs[i], &end);
        if (code == EXIT_GOOD)
            code = log_code;
        add_follow(&following, data, &data->logs[i], &end);
    }
    progress_end();
    if (options->is_following && code == EXIT_GOOD)
        code = follow_all(&following);
    end_following(&following);
    return code;
}

enum exit_code command_cat(const struct options *options)
{
    struct data *data;
    enum exit_code code = data_open(options->path, &data);
    if (code != EXIT_GOOD)
        return code;
    code = filter_fits(options, data) ? print_all(options, data) : EXIT_USAGE;
    data_close(&data);
    return code;
}
