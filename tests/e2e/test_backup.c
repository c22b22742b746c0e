/* A backup of a server under full load: it holds all that was acknowledged before it was begun, its
 * books balance, and another server goes on from it, with another number of cores too.
 *
 *     e2e_backup CORES
 *
 * What is compared one by one was made by the load of tests/lib/crash_load.h, whose answers have
 * all come; the full load is holdfast-bench's, on items of its own. */
#include "check.h"
#include "crash_load.h"
#include "fixture.h"
#include "log_tool.h"
#include "raw_client.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    BACKUPS = 3,
    BENCH_ITEMS = 50,
    BENCH_FIRST_ITEM = 1000000,
    RESERVATIONS_PER_ROUND = 1 << 20,
    LOAD_MS = 300,
    BUSY_RECORDS = 20000, /* recorded before the first backup begins */
    PATIENCE_MS = 60000,
};

static struct {
    struct fixture fixture;
    struct server_process source; /* while the fixture's server is the one on the backup */
    pid_t bench;
} run;

static void start_bench(void)
{
    char server[64], first[32], items[32];
    snprintf(server, sizeof server, "127.0.0.1:%u", run.fixture.server.port);
    snprintf(first, sizeof first, "%u", BENCH_FIRST_ITEM);
    snprintf(items, sizeof items, "%u", BENCH_ITEMS);
    fflush(stdout);
    run.bench = fork();
    check_must(run.bench >= 0, "no process");
    if (run.bench > 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "we", stdout) == NULL)
        _exit(126);
    execl(HOLDFAST_BIN_DIR "/holdfast-bench", "holdfast-bench", "--server", server, "--scenario",
          "flash", "--units", "100M", "--buyer-limit", "0", "--items", items, "--first-item", first,
          "--connections", "8", "--pipeline", "4", "--batch", "64", "--pay-share", "0.4",
          "--cancel-share", "0.2", "--hold-time", "1s", "--no-progress", "--requests", "64M",
          (char *)NULL);
    _exit(127);
}

static void end_bench(void)
{
    int status = 0;
    check(waitpid(run.bench, &status, WNOHANG) == 0, "the load has ended: status %d", status);
    kill(run.bench, SIGKILL);
    waitpid(run.bench, &status, 0);
}

static uint64_t count_records(void)
{
    struct raw_client client;
    uint64_t records = 0;
    raw_open(&client, run.fixture.server.port, -1);
    for (uint32_t core = 0; core < client.core_count; core++)
        records += raw_stat_of(&client, core, false).log_last_lsn;
    raw_close(&client);
    return records;
}

static void wait_until_busy(void)
{
    const double give_up_ms = check_now_ms() + PATIENCE_MS;
    const uint64_t before = count_records();
    while (count_records() < before + BUSY_RECORDS && check_now_ms() < give_up_ms &&
           waitpid(run.bench, NULL, WNOHANG) == 0)
        check_sleep_ms(5);
    check_must(count_records() >= before + BUSY_RECORDS, "the load does not begin");
}

static void back_up(const char *to)
{
    char command[SCRATCH_PATH_BYTES + 256];
    snprintf(command, sizeof command,
             "'" HOLDFAST_BIN_DIR "/holdfast' --server 127.0.0.1:%u backup '%s' > '%s.txt' 2>&1",
             run.fixture.server.port, to, to);
    const uint64_t before = count_records();
    const double since_ms = check_now_ms();
    const int status = system(command);
    const double took_ms = check_now_ms() - since_ms;
    const uint64_t records = count_records() - before;
    check_must(status == 0, "%s: status %d", command, status);
    check(records > 0, "nothing was done meanwhile");
    check_note("a backup in %.0f ms, %" PRIu64 " records meanwhile", took_ms, records);
}

static void check_books(void)
{
    struct raw_client client;
    raw_open(&client, run.fixture.server.port, -1);
    for (uint64_t item_id = BENCH_FIRST_ITEM; item_id < BENCH_FIRST_ITEM + BENCH_ITEMS; item_id++) {
        const struct raw_item_answer item = raw_item_get(&client, item_id);
        check(item.result == RESULT(OK) && item.available >= 0 &&
                  item.stock == item.available + (int64_t)(item.held + item.sold),
              "item %" PRIu64 ": %s, available %" PRId64 " held %" PRIu64 " sold %" PRIu64
              " of %" PRId64,
              item_id, raw_result_name(item.result), item.available, item.held, item.sold,
              item.stock);
    }
    raw_close(&client);
}

/* While the first one goes on. */
static void check_backup(const char *data, uint32_t cores)
{
    const struct server_options options = run.fixture.options;
    uint64_t verified, at_start;
    (void)log_tool_verify(data, &verified);
    run.source = run.fixture.server;
    run.fixture.options.data = data;
    run.fixture.options.cores = cores;
    fixture_start(&run.fixture);
    check(server_state_hash_at_start(&run.fixture.server, &at_start) && at_start == verified,
          "state hash %016" PRIx64 ", holdfast-log finds %016" PRIx64, at_start, verified);
    crash_load_audit();
    check_books();
    server_stop(&run.fixture.server);
    run.fixture.options = options;
    run.fixture.server = run.source;
}

int main(int argc, char **argv)
{
    static const char *const MORE[] = {"--max-reservations", "8M", NULL};
    static char backups[BACKUPS][SCRATCH_PATH_BYTES + 32];
    const uint32_t cores = fixture_core_count(argc, argv);
    fixture_init(&run.fixture, "backup", cores, MORE);
    fixture_start(&run.fixture);
    crash_load_init(&(struct crash_load_options){.fixture = &run.fixture,
                                                 .seed = 1,
                                                 .rounds = 1,
                                                 .reservations_per_round = RESERVATIONS_PER_ROUND});
    crash_load_make_items();
    crash_load_begin_round(1);
    check_must(crash_load_run(LOAD_MS), "the server ended by itself");
    crash_load_settle_round();

    check_situation("backup_is_made_under_full_load");
    start_bench();
    wait_until_busy();
    for (uint32_t i = 0; i < BACKUPS; i++) {
        snprintf(backups[i], sizeof backups[i], "%s/backup-%u", run.fixture.scratch, i);
        back_up(backups[i]);
    }
    end_bench();

    check_situation("backup_has_all_that_was_acknowledged_before_and_its_books_balance");
    for (uint32_t i = 0; i < BACKUPS; i++)
        check_backup(backups[i], 1 + (cores + i - 1) % 4);

    check_situation("server_that_was_backed_up_has_it_all_too");
    crash_load_audit();
    check_books();
    crash_load_deinit();
    return fixture_finish(&run.fixture);
}
