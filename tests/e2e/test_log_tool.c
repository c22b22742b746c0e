/* holdfast-log beside a server that works: while it writes, takes snapshots, and removes and reuses
 * segments, every command comes to an end and says that all is well; what is followed has every
 * record once; and what is made of a running server's directory is a server again.
 *
 *     e2e_log_tool CORES            HOLDFAST_CLICKS=800000
 *
 * holdfast-bench makes the load. */
#include "check.h"
#include "fixture.h"
#include "log_tool.h"
#include "raw_client.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CORES_MAX = 64, LOOP_COUNT_MIN = 3 };

static struct fixture fixture;
static uint32_t core_count;
static char output[1 << 16]; /* of the last run of the tool */

/* ---- running ---- */

/* `holdfast-log ARGUMENTS`, in which the data directory stands already. Its exit code. */
__attribute__((format(printf, 1, 2))) static int tool(const char *format, ...)
{
    char arguments[3000];
    va_list list;
    va_start(list, format);
    vsnprintf(arguments, sizeof arguments, format, list);
    va_end(list);
    return log_tool_run(arguments, output, sizeof output);
}

/* "state_hash":"..." of what was printed: the last one, before which those of snapshots may stand.
 */
static uint64_t printed_hash(void)
{
    static const char key[] = "\"state_hash\":\"";
    const char *last = NULL;
    for (const char *at = output; (at = strstr(at, key)) != NULL; at += strlen(key))
        last = at + strlen(key);
    check_must(last != NULL, "no state hash in: %.500s", output);
    return strtoull(last, NULL, 16);
}

static pid_t start_load(uint64_t clicks, uint64_t seed)
{
    char server[64];
    char requests[32];
    char seed_text[32];
    snprintf(server, sizeof server, "127.0.0.1:%u", fixture.server.port);
    snprintf(requests, sizeof requests, "%" PRIu64, clicks);
    snprintf(seed_text, sizeof seed_text, "%" PRIu64, seed);
    fflush(stdout);
    const pid_t child = fork();
    check_must(child >= 0, "no process");
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen("/dev/null", "we", stdout) == NULL)
        _exit(126);
    execl(HOLDFAST_BIN_DIR "/holdfast-bench", "holdfast-bench", "--server", server, "--scenario",
          "flash", "--units", "100M", "--buyer-limit", "0", "--items", "50", "--first-item",
          seed_text, "--connections", "8", "--pipeline", "4", "--batch", "64", "--pay-share", "0.4",
          "--cancel-share", "0.2", "--hold-time", "2s", "--no-progress", "--seed", seed_text,
          "--requests", requests, (char *)NULL);
    _exit(127);
}

static bool has_ended(pid_t child, int *code_out)
{
    int status;
    const pid_t ended = waitpid(child, &status, WNOHANG);
    check_must(ended >= 0, "the load is lost");
    *code_out = ended == 0 ? 0 : WIFEXITED(status) ? WEXITSTATUS(status) : 255;
    return ended != 0;
}

/* ---- while a server works ---- */

/* A torn tail is the write that is in flight. */
static void run_all_commands(uint32_t round)
{
    const char *data = fixture.data;
    int code = tool("verify --json '%s'", data);
    check(code == 0 || code == 2, "verify: %d: %.500s", code, output);
    code = tool("info --json '%s'", data);
    check(code == 0, "info: %d: %.500s", code, output);
    code = tool("hash --json '%s'", data);
    check(code == 0, "hash: %d: %.500s", code, output);
    /* What is printed while it is read can't be read again from the start. */
    code = tool("stats --json '%s'", data);
    check(code == 0 || (code == 4 && strstr(output, "removed this part") != NULL),
          "stats: %d: %.500s", code, output);
    code = tool("cat --limit 1000 '%s'", data);
    check(code == 0 || (code == 4 && strstr(output, "removed this part") != NULL),
          "cat: %d: %.500s", code, output);
    code = tool("replay --json -o '%s/made-%" PRIu32 "' '%s'", fixture.scratch, round, data);
    check(code == 0, "replay: %d: %.500s", code, output);
    const uint64_t hash = printed_hash();
    code = tool("verify --json '%s/made-%" PRIu32 "'", fixture.scratch, round);
    check(code == 0 && printed_hash() == hash, "verify of what was made: %d: %.500s", code, output);
    code = tool("export --json -o '%s/csv-%" PRIu32 "' '%s'", fixture.scratch, round, data);
    check(code == 0, "export: %d: %.500s", code, output);
    char path[SCRATCH_PATH_BYTES + 64];
    snprintf(path, sizeof path, "%s/made-%" PRIu32, fixture.scratch, round);
    scratch_remove(path);
    snprintf(path, sizeof path, "%s/csv-%" PRIu32, fixture.scratch, round);
    scratch_remove(path);
}

static uint64_t server_hash(void)
{
    static struct raw_client client;
    raw_open(&client, fixture.server.port, -1);
    const uint64_t hash = raw_stat_sum(&client, true).state_hash;
    raw_close(&client);
    return hash;
}

static void read_beside_a_server(uint64_t clicks)
{
    uint32_t round = 0;
    int code = 0;
    check_situation("every_command_reads_what_a_server_writes_and_removes");
    pid_t load = start_load(clicks, 1000);
    bool is_over = false;
    while (!is_over || round < LOOP_COUNT_MIN) {
        run_all_commands(round++);
        is_over = is_over || has_ended(load, &code);
    }
    check(code == 0, "holdfast-bench ended with %d", code);
    check_note("%" PRIu32 " rounds of all commands during %" PRIu64 " clicks", round, clicks);
}

static void compare_with_the_server(void)
{
    check_situation("the_tool_and_a_server_at_rest_have_the_same_state");
    check_sleep_ms(4000); /* the last holds expire */
    const uint64_t hash = server_hash();
    int code = tool("hash --json '%s'", fixture.data);
    check(code == 0 && printed_hash() == hash, "hash: %d: %.500s", code, output);
    code = tool("verify --json '%s'", fixture.data);
    check(code == 0 && printed_hash() == hash, "verify: %d: %.500s", code, output);
    code = tool("repair --json -o '%s/repaired' '%s'", fixture.scratch, fixture.data);
    check(code == 0, "repair of what is not damaged: %d: %.500s", code, output);
}

/* ---- a server on what was made ---- */

static void start_on(const char *name)
{
    struct server_process server;
    char data[SCRATCH_PATH_BYTES + 64];
    snprintf(data, sizeof data, "%s/%s", fixture.scratch, name);
    int code = tool("hash --json '%s'", data);
    check_must(code == 0, "hash: %d: %.500s", code, output);
    const uint64_t hash = printed_hash();
    const struct server_options options = {.data = data, .cores = core_count};
    server_start(&server, &options, fixture.scratch);
    uint64_t started = 0;
    check(server_state_hash_at_start(&server, &started) && started == hash,
          "a server on %s starts with %016" PRIx64 ", not %016" PRIx64, name, started, hash);
    server_stop(&server);
    code = tool("verify --json '%s'", data);
    check(code == 0, "verify behind the server: %d: %.500s", code, output);
}

static void start_on_what_was_made(void)
{
    check_situation("a_server_starts_on_what_was_made");
    const int code = tool("replay --to=-2s -o '%s/replayed' '%s'", fixture.scratch, fixture.data);
    check_must(code == 0, "replay: %d: %.500s", code, output);
    start_on("replayed");
    start_on("repaired");
}

/* ---- following ---- */

struct followed {
    uint64_t last_lsn[CORES_MAX];
    bool is_broken;
};

/* Reads what `cat --follow --csv` prints; each log's LSNs have to follow each other. */
_Noreturn static void read_followed(struct followed *followed, FILE *from)
{
    char *line = NULL;
    size_t line_bytes = 0;
    while (getline(&line, &line_bytes, from) > 0) {
        char *rest;
        const uint64_t era = strtoull(line, &rest, 10);
        if (era == 0 || *rest != ',')
            continue; /* the header */
        const uint64_t core = strtoull(rest + 1, &rest, 10);
        const uint64_t lsn = strtoull(rest + 1, &rest, 10);
        if (core >= CORES_MAX || lsn != followed->last_lsn[core] + 1) {
            fprintf(stderr, "LSN %" PRIu64 " of core %" PRIu64 " comes behind LSN %" PRIu64 "\n",
                    lsn, core, core < CORES_MAX ? followed->last_lsn[core] : 0);
            followed->is_broken = true;
            _exit(1);
        }
        followed->last_lsn[core] = lsn;
    }
    _exit(0);
}

static pid_t start_reader(struct followed *followed, const int ends[2])
{
    const pid_t child = fork();
    check_must(child >= 0, "no process");
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(ends[1]); /* else it would wait for itself */
    read_followed(followed, fdopen(ends[0], "re"));
}

static pid_t start_follower(const int ends[2])
{
    const pid_t child = fork();
    check_must(child >= 0, "no process");
    if (child != 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(ends[1], STDOUT_FILENO);
    execl(HOLDFAST_BIN_DIR "/holdfast-log", "holdfast-log", "cat", "--follow", "--csv",
          fixture.data, (char *)NULL);
    _exit(127);
}

static bool has_all(const struct followed *followed)
{
    if (tool("info --json '%s'", fixture.data) != 0)
        return false;
    const char *at = output;
    for (uint32_t core = 0; core < core_count; core++) {
        at = strstr(at, "\"last_lsn\":");
        if (at == NULL)
            return false;
        at += strlen("\"last_lsn\":");
        if (strtoull(at, NULL, 10) != followed->last_lsn[core])
            return false;
    }
    return true;
}

static void follow_a_server(uint64_t clicks)
{
    int ends[2];
    int code = 0;
    check_situation("following_prints_every_record_once");
    struct followed *followed =
        mmap(NULL, sizeof *followed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    check_must(followed != MAP_FAILED && pipe2(ends, O_CLOEXEC) == 0, "no memory or pipe");
    fflush(stdout);
    const pid_t reader = start_reader(followed, ends);
    const pid_t follower = start_follower(ends);
    close(ends[0]);
    close(ends[1]);
    const pid_t load = start_load(clicks, 5000);
    while (!has_ended(load, &code))
        check_sleep_ms(100);
    check(code == 0, "holdfast-bench ended with %d", code);
    check_sleep_ms(4000); /* the last holds expire */
    for (int i = 0; i < 300 && !has_all(followed); i++)
        check_sleep_ms(200);
    check(has_all(followed), "not all records came");
    kill(follower, SIGINT);
    int status = 0;
    check(waitpid(follower, &status, 0) == follower && WIFEXITED(status) &&
              WEXITSTATUS(status) == 0,
          "cat --follow ended with status %d", status);
    check(waitpid(reader, &status, 0) == reader && !followed->is_broken, "records are missing");
    uint64_t sum = 0;
    for (uint32_t core = 0; core < core_count; core++)
        sum += followed->last_lsn[core];
    check(sum > clicks, "only %" PRIu64 " records", sum);
    check_note("%" PRIu64 " records followed", sum);
    munmap(followed, sizeof *followed);
}

int main(int argc, char **argv)
{
    static const char *const removing[] = {"--segment-size",
                                           "8MiB",
                                           "--snapshot-after",
                                           "8MiB",
                                           "--snapshot-every",
                                           "1s",
                                           "--max-reservations",
                                           "4M",
                                           "--max-buyers",
                                           "4M",
                                           "--retention",
                                           "3s",
                                           NULL};
    static const char *const keeping[] = {"--segment-size",
                                          "8MiB",
                                          "--snapshot-after",
                                          "0",
                                          "--snapshot-every",
                                          "0",
                                          "--max-reservations",
                                          "4M",
                                          "--max-buyers",
                                          "4M",
                                          NULL};
    core_count = fixture_core_count(argc, argv);
    const uint64_t clicks = fixture_size("HOLDFAST_CLICKS", 800000, 40000);
    fixture_init(&fixture, "log-tool", core_count, removing);
    fixture_start(&fixture);
    read_beside_a_server(clicks);
    compare_with_the_server();
    start_on_what_was_made();
    server_stop(&fixture.server);
    scratch_remove(fixture.data);
    fixture.options.more = keeping;
    fixture_start(&fixture);
    follow_a_server(clicks);
    return fixture_finish(&fixture);
}
