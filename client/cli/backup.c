#include "backup_copy.h"
#include "backup_directory.h"
#include "commands.h"
#include "output.h"
#include "progress.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* backup: first each core takes a snapshot of now, all at the same time; then a thread for each
 * core copies its file into the directory. All files are read at the same time because the server
 * keeps a snapshot only while it is being read. The first failure stops all threads, and what was
 * made is removed. Nothing is made before the snapshots are there, which can take minutes: until
 * then a signal simply ends the program. */

enum {
    PATIENCE_MS = 30 * 1000, /* with a server that does not give the next piece */
    PIECE_TIMEOUT_MS = 1000, /* then it is asked again, unless a signal came */
    BUSY_PAUSE_MS = 5,       /* another backup is reading from the same core */
    PROGRESS_MS = 200,
};

/* How a call has ended. */
struct call_end {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
};

struct backup;

struct transfer {
    struct backup *backup;
    pthread_t thread;
    struct backup_source source;
    struct backup_copy copy;
};

struct backup {
    hf_client *client;
    const struct options *options;
    struct backup_directory directory;
    hf_server_info server;
    hf_snapshot_reply snapshots;
    struct transfer *transfers; /* one per core */
    struct progress progress;
    bool is_finished; /* the directory is there, whole and synced */

    pthread_mutex_t mutex; /* of all below */
    pthread_cond_t changed;
    uint32_t done_count; /* transfers that have ended */
    uint64_t bytes;      /* as far as is known */
    uint64_t bytes_done;
    bool is_stopping;
    int exit_code; /* of the first failure */
    char failure[BACKUP_MESSAGE_BYTES];
};

/* ---- failures ---- */

/* Any thread. The first one counts. */
__attribute__((format(printf, 3, 4))) static void stop(struct backup *backup, int exit_code,
                                                       const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    pthread_mutex_lock(&backup->mutex);
    if (!backup->is_stopping) {
        backup->is_stopping = true;
        backup->exit_code = exit_code;
        vsnprintf(backup->failure, sizeof backup->failure, format, arguments);
    }
    pthread_mutex_unlock(&backup->mutex);
    va_end(arguments);
}

/* What the server did not do. That it is unknown whether a snapshot was taken makes no difference:
 * there is no backup. */
static void stop_by_server(struct backup *backup, const char *what, uint32_t core,
                           const struct call_end *end)
{
    if (end->outcome == HF_REFUSED) {
        const struct refusal refusal = {.command = COMMAND_BACKUP, .result = end->result};
        char text[REFUSAL_TEXT_BYTES];
        refusal_format(&refusal, text);
        stop(backup, EXIT_REFUSED, "%s of core %u: %s", what, core, text);
        return;
    }
    char trouble[200];
    hf_trouble(backup->client, trouble, sizeof trouble);
    stop(backup, EXIT_NOT_SENT,
         "%s of core %u: %s%s%s%s; run the backup again when the server can be reached", what, core,
         hf_error_text(end->error), trouble[0] ? " (" : "", trouble, trouble[0] ? ")" : "");
}

static bool is_stopping(struct backup *backup)
{
    pthread_mutex_lock(&backup->mutex);
    bool stops = backup->is_stopping;
    pthread_mutex_unlock(&backup->mutex);
    return stops;
}

/* ---- one core ---- */

static void pause_ms(uint32_t ms)
{
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&pause, NULL);
}

/* Neither given nor refused for good. */
static bool may_be_asked_again(const hf_snapshot_piece *piece)
{
    return piece->result == HF_RESULT_OVERLOADED || piece->error == HF_ERROR_DEADLINE;
}

/* Reads the next piece. False when the server did not give it. */
static bool read_piece(struct transfer *transfer, uint8_t *data, hf_snapshot_piece *piece)
{
    struct backup *backup = transfer->backup;
    const struct backup_source *source = &transfer->source;
    uint32_t patience_ms = backup->options->timeout_ms;
    if (patience_ms > PATIENCE_MS)
        patience_ms = PATIENCE_MS;
    uint64_t until_ms = progress_now_ms() + patience_ms;
    for (;;) {
        hf_snapshot_read(backup->client, source->core, source->lsn, transfer->copy.taken,
                         PIECE_TIMEOUT_MS, data, piece);
        if (!may_be_asked_again(piece) || progress_now_ms() >= until_ms || is_stopping(backup))
            return piece->outcome == HF_APPLIED;
        pause_ms(BUSY_PAUSE_MS);
    }
}

static void note_progress(struct backup *backup, const hf_snapshot_piece *piece, bool is_first)
{
    pthread_mutex_lock(&backup->mutex);
    backup->bytes += is_first ? piece->file_bytes : 0;
    backup->bytes_done += piece->bytes;
    pthread_mutex_unlock(&backup->mutex);
}

/* False when the copy came to its end, good or bad. */
static bool copy_piece(struct transfer *transfer)
{
    uint8_t data[HF_SNAPSHOT_PIECE_BYTES];
    struct backup *backup = transfer->backup;
    struct backup_copy *copy = &transfer->copy;
    hf_snapshot_piece piece;
    if (is_stopping(backup))
        return false;
    if (!read_piece(transfer, data, &piece)) {
        const struct call_end end = {piece.outcome, piece.result, piece.error};
        stop_by_server(backup, "reading the snapshot", copy->source.core, &end);
        return false;
    }
    note_progress(backup, &piece, copy->taken == 0);
    enum backup_status status = backup_copy_take(copy, data, piece.bytes, piece.file_bytes);
    if (status == BACKUP_OK && copy->is_whole)
        status = backup_copy_sync(copy);
    if (status != BACKUP_OK)
        stop(backup, status == BACKUP_DAMAGED ? EXIT_DAMAGED : EXIT_USAGE, "%s", copy->message);
    return status == BACKUP_OK && !copy->is_whole;
}

static void *run_transfer(void *context)
{
    struct transfer *transfer = context;
    struct backup *backup = transfer->backup;
    while (copy_piece(transfer))
        continue;
    pthread_mutex_lock(&backup->mutex);
    backup->done_count++;
    pthread_cond_signal(&backup->changed);
    pthread_mutex_unlock(&backup->mutex);
    return NULL;
}

/* ---- signals ---- */

static atomic_int signal_number;

static void note_signal(int number)
{
    signal_number = number;
}

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { SIGNAL_COUNT = sizeof signals / sizeof signals[0] };

/* From now on they end the backup and not the program, the first time. */
static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = note_signal, .sa_flags = (int)SA_RESETHAND};
    for (int i = 0; i < SIGNAL_COUNT; i++)
        sigaction(signals[i], &action, NULL);
}

/* Threads leave them to the main one. */
static void block_signals(sigset_t *before_out)
{
    sigset_t set;
    sigemptyset(&set);
    for (int i = 0; i < SIGNAL_COUNT; i++)
        sigaddset(&set, signals[i]);
    pthread_sigmask(SIG_BLOCK, &set, before_out);
}

/* ---- all cores ---- */

static bool take_snapshots(struct backup *backup)
{
    hf_server_info *server = &backup->server;
    hf_snapshot_reply *snapshots = &backup->snapshots;
    struct call_end end;
    if (hf_get_server_info(backup->client, backup->options->timeout_ms, server) != HF_APPLIED) {
        end = (struct call_end){server->outcome, server->result, server->error};
        stop_by_server(backup, "asking for a snapshot", 0, &end);
        return false;
    }
    progress_begin(&backup->progress, "taking snapshots");
    if (hf_snapshot(backup->client, HF_ALL_CORES, backup->options->timeout_ms, snapshots) ==
        HF_APPLIED)
        return true;
    uint32_t core = 0;
    while (core + 1 < snapshots->core_count && snapshots->cores[core].outcome == HF_APPLIED)
        core++;
    end = (struct call_end){snapshots->outcome, snapshots->result, snapshots->error};
    stop_by_server(backup, "taking a snapshot", core, &end);
    return false;
}

/* The copies of as many cores as could be opened. */
static uint32_t open_copies(struct backup *backup)
{
    for (uint32_t core = 0; core < backup->snapshots.core_count; core++) {
        struct transfer *transfer = &backup->transfers[core];
        hf_id server_id = id_of_bytes(backup->server.server_id);
        transfer->backup = backup;
        transfer->source = (struct backup_source){.server_id = {server_id.high, server_id.low},
                                                  .core = core,
                                                  .lsn = backup->snapshots.cores[core].lsn};
        if (backup_copy_open(&transfer->copy, &backup->directory, &transfer->source) != BACKUP_OK) {
            stop(backup, EXIT_USAGE, "%s", transfer->copy.message);
            return core + 1;
        }
    }
    return backup->snapshots.core_count;
}

static uint32_t start_threads(struct backup *backup)
{
    sigset_t before;
    uint32_t count = 0;
    block_signals(&before);
    while (count < backup->snapshots.core_count && !is_stopping(backup)) {
        struct transfer *transfer = &backup->transfers[count];
        if (pthread_create(&transfer->thread, NULL, run_transfer, transfer) == 0)
            count++;
        else
            stop(backup, EXIT_USAGE, "the system refuses to start a thread");
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return count;
}

/* Waits for the threads, shows how far they are, and hears signals. */
static void watch(struct backup *backup, uint32_t thread_count)
{
    progress_count(&backup->progress, backup->snapshots.core_count);
    pthread_mutex_lock(&backup->mutex);
    while (backup->done_count < thread_count) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += PROGRESS_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000;
        until.tv_nsec %= 1000000000;
        pthread_cond_timedwait(&backup->changed, &backup->mutex, &until);
        progress_show(&backup->progress, backup->bytes_done, backup->bytes, backup->done_count);
        backup->is_stopping |= signal_number != 0;
    }
    pthread_mutex_unlock(&backup->mutex);
}

/* What a snapshot says of itself is what the server said of it. */
static void compare(struct backup *backup, const struct transfer *transfer)
{
    const struct log_snapshot_footer *footer = &transfer->copy.footer;
    const hf_core_snapshot *told = &backup->snapshots.cores[transfer->source.core];
    if (footer->item_count != told->items || footer->reservation_count != told->reservations ||
        footer->buyer_count != told->buyers || footer->state_hash != told->state_hash)
        stop(backup, EXIT_DAMAGED,
             "the snapshot of core %u at LSN %llu is not the one that the server took: another "
             "number of entries or another state hash",
             told->core, (unsigned long long)told->lsn);
}

static void copy_all(struct backup *backup)
{
    uint32_t open_count = open_copies(backup);
    uint32_t thread_count = start_threads(backup);
    watch(backup, thread_count);
    for (uint32_t i = 0; i < thread_count; i++)
        pthread_join(backup->transfers[i].thread, NULL);
    for (uint32_t i = 0; i < open_count; i++)
        backup_copy_close(&backup->transfers[i].copy);
    for (uint32_t i = 0; i < thread_count && !is_stopping(backup); i++)
        compare(backup, &backup->transfers[i]);
}

/* Leaves a whole directory, or nothing. */
static void fill_directory(struct backup *backup)
{
    struct backup_directory *directory = &backup->directory;
    catch_signals();
    if (!backup_directory_create(directory, backup->snapshots.core_count)) {
        stop(backup, EXIT_USAGE, "%s", directory->message);
        return;
    }
    copy_all(backup);
    if (signal_number == 0 && !is_stopping(backup)) {
        backup->is_finished = backup_directory_finish(directory);
        if (!backup->is_finished)
            stop(backup, EXIT_USAGE, "%s", directory->message);
    }
    backup_directory_abandon(directory);
}

/* ---- what it came to ---- */

static void print_success(const struct backup *backup, uint64_t took_ms)
{
    struct log_snapshot_footer sum = {0};
    const struct id128 *id = &backup->directory.server_id;
    char text[HF_ID_TEXT_BYTES];
    struct output output;
    for (uint32_t i = 0; i < backup->snapshots.core_count; i++) {
        const struct log_snapshot_footer *footer = &backup->transfers[i].copy.footer;
        sum.item_count += footer->item_count;
        sum.reservation_count += footer->reservation_count;
        sum.buyer_count += footer->buyer_count;
        sum.state_hash += footer->state_hash;
    }
    output_init(&output, backup->options->given[OPTION_JSON]);
    if (output.is_json)
        output_text(&output, "outcome", hf_outcome_name(HF_APPLIED));
    output_text(&output, "directory", backup->directory.path);
    hf_id_format((hf_id){id->high, id->low}, text);
    output_text(&output, "server_id", text);
    hf_id_format(id_of_bytes(backup->server.server_id), text);
    output_text(&output, "copy_of", text);
    output_number(&output, "cores", backup->snapshots.core_count);
    output_number(&output, "items", sum.item_count);
    output_number(&output, "reservations", sum.reservation_count);
    output_number(&output, "buyers", sum.buyer_count);
    output_number(&output, "bytes", backup->bytes);
    output_hex(&output, "state_hash", sum.state_hash);
    output_duration(&output, "took_ms", took_ms);
    output_flush(&output);
}

static void print_failure(const struct backup *backup)
{
    bool is_there = backup->directory.is_there;
    fprintf(stderr, "holdfast: %s%s\n", is_there ? "" : "no backup was made: ", backup->failure);
    if (!backup->options->given[OPTION_JSON])
        return;
    struct output output;
    hf_outcome outcome = backup->exit_code == EXIT_REFUSED ? HF_REFUSED : HF_NOT_SENT;
    output_init(&output, true);
    output_text(&output, "outcome", hf_outcome_name(outcome));
    if (is_there)
        output_text(&output, "directory", backup->directory.path);
    output_text(&output, "error", backup->failure);
    output_flush(&output);
}

/* As if it had not been caught, now that nothing is left behind. */
static _Noreturn void end_by_signal(void)
{
    fprintf(stderr, "holdfast: interrupted: no backup was made, and nothing was left behind\n");
    signal(signal_number, SIG_DFL);
    raise(signal_number);
    abort(); /* it ends every program */
}

static int run(struct backup *backup)
{
    uint64_t began_ms = progress_now_ms();
    if (!backup_directory_init(&backup->directory, backup->options->operand))
        stop(backup, EXIT_USAGE, "%s", backup->directory.message);
    else if (take_snapshots(backup))
        fill_directory(backup);
    progress_end(&backup->progress);
    if (backup->is_finished) {
        print_success(backup, progress_now_ms() - began_ms);
        return EXIT_APPLIED;
    }
    if (signal_number != 0 && !backup->directory.is_there)
        end_by_signal();
    print_failure(backup);
    return backup->exit_code;
}

int run_backup(hf_client *client, const struct options *options)
{
    struct backup *backup = calloc(1, sizeof *backup);
    struct transfer *transfers = calloc(HF_CORE_COUNT_MAX, sizeof *transfers);
    int exit_code = EXIT_NOT_SENT;
    if (backup && transfers) {
        backup->client = client;
        backup->options = options;
        backup->transfers = transfers;
        pthread_mutex_init(&backup->mutex, NULL);
        pthread_cond_init(&backup->changed, NULL);
        exit_code = run(backup);
        pthread_cond_destroy(&backup->changed);
        pthread_mutex_destroy(&backup->mutex);
    } else {
        fprintf(stderr, "holdfast: out of memory\n");
    }
    free(transfers);
    free(backup);
    return exit_code;
}
