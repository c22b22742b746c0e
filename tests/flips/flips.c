/* Every byte of every file of a small data directory is changed, and every file is cut to every
 * length: holdfast-log has to say of each what docs/log-format.md says, must never come to a wrong
 * state, and has to bring back all that can be proved.
 *
 *     flips whole|late flip|cut [--stride N] [--only FILE]
 *
 * The tool is called inside this program, not started anew: there are some hundred thousand cases.
 * What it prints goes nowhere. A new directory is only made and checked when the state that goes
 * into it has not been seen before. */

#include "data_story.h"
#include "expect.h"
#include "files.h"
#include "history.h"

#include "replay_log/commands.h"
#include "replay_log/repair.h"
#include "replay_log/state.h"
#include "replay_log/verify.h"

#include "base/assert.h"

#include <ftw.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FAILURE_COUNT_MAX = 20, SEEN_COUNT_MAX = 4096, PATH_BYTES = 1024, STATE_EVERY = 5 };

struct run {
    struct data_builder builder;
    struct history *history;
    struct flip_files files;
    char scratch[PATH_BYTES];
    char path[PATH_BYTES]; /* of the directory */
    bool is_cut;
    uint64_t stride;
    const char *only;
    FILE *report; /* what was stdout */

    uint64_t case_count;
    uint64_t counts[4]; /* by verdict */
    uint64_t lost_case_count;
    uint64_t failure_count;
    uint64_t seen[SEEN_COUNT_MAX]; /* hashes of states of which a directory was made */
    uint32_t seen_count;

    const struct flip_file *file; /* the present case */
    uint64_t place;
    struct expectation expected;
};

/* ---- telling ---- */

__attribute__((format(printf, 2, 3))) static void fail(struct run *run, const char *format, ...)
{
    va_list arguments;
    if (run->failure_count++ >= FAILURE_COUNT_MAX)
        return;
    fprintf(run->report, "%s, %s %" PRIu64 ": ", run->file->path + strlen(run->path) + 1,
            run->is_cut ? "cut at" : "changed at", run->place);
    va_start(arguments, format);
    vfprintf(run->report, format, arguments);
    va_end(arguments);
    fputc('\n', run->report);
    fflush(run->report);
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* ---- what is checked ---- */

static void check_verify(struct run *run)
{
    struct summary summary;
    const enum exit_code code = verify_directory(run->path, &summary);
    if ((int)code != (int)run->expected.verify)
        fail(run, "verify says %d, the document %d", code, run->expected.verify);
    if (run->expected.server == VERDICT_DAMAGED && summary.has_state)
        fail(run, "verify has a state where a server has none");
    if (run->expected.server != VERDICT_DAMAGED &&
        (!summary.has_state || summary.state_hash != run->expected.state_hash))
        fail(run, "verify has state hash %016" PRIx64 ", it is %016" PRIx64, summary.state_hash,
             run->expected.state_hash);
    verify_free(&summary);
}

static void check_state(struct run *run)
{
    const struct point end = {.is_exclusive = false};
    struct state state;
    const enum exit_code code = state_build(run->path, &end, true, &state);
    if (run->expected.server == VERDICT_DAMAGED && code != EXIT_DAMAGED)
        fail(run, "a state is built with code %d where a server refuses", code);
    if (run->expected.server != VERDICT_DAMAGED && code != EXIT_GOOD)
        fail(run, "no state is built where a server starts: code %d", code);
    if (code == EXIT_GOOD && stock_hash(state.stock) != run->expected.state_hash)
        fail(run, "the state has hash %016" PRIx64 ", it is %016" PRIx64, stock_hash(state.stock),
             run->expected.state_hash);
    state_free(&state);
}

static bool is_seen(struct run *run, uint64_t hash)
{
    for (uint32_t i = 0; i < run->seen_count; i++)
        if (run->seen[i] == hash)
            return true;
    hf_assert(run->seen_count < SEEN_COUNT_MAX);
    run->seen[run->seen_count++] = hash;
    return false;
}

/* What was made of the state is good, and has it. */
static void check_made(struct run *run, struct repair *repair, uint64_t hash)
{
    struct summary summary;
    const enum exit_code wanted = repair->report.is_lost ? EXIT_LOST : EXIT_GOOD;
    const enum exit_code code = repair_make(repair);
    if (code != wanted)
        fail(run, "repair ends with %d", code);
    const enum exit_code verified = verify_directory(repair->options->output, &summary);
    if (verified != EXIT_GOOD || !summary.has_state || summary.state_hash != hash)
        fail(run, "what repair has made is verified with %d", verified);
    verify_free(&summary);
    remove_tree(repair->options->output);
}

static void check_repair(struct run *run)
{
    const char *const output = "made";
    const struct options options = {
        .command = COMMAND_REPAIR, .path = run->path, .output = output, .is_json = true};
    const struct expectation *expected = &run->expected;
    struct repair repair;
    const enum exit_code code = repair_begin(&options, &repair);
    if (code != EXIT_GOOD) {
        fail(run, "repair refuses with %d", code);
        repair_end(&repair);
        return;
    }
    const uint64_t hash = stock_hash(repair.stock);
    const bool is_lost = expected->lost_count > 0 || expected->has_unknown_end;
    if (repair.report.lost_lsn_count != expected->lost_count ||
        repair.report.has_unknown_end != expected->has_unknown_end)
        fail(run, "repair says that %" PRIu64 " records%s are lost, it is %" PRIu64 "%s",
             repair.report.lost_lsn_count, repair.report.has_unknown_end ? " and more" : "",
             expected->lost_count, expected->has_unknown_end ? " and more" : "");
    if (!is_lost && (repair.report.is_lost || hash != expected->state_hash))
        fail(run, "repair loses something, and nothing is lost");
    run->lost_case_count += is_lost;
    if (!is_seen(run, hash)) {
        const char *wrong = history_contradicts(run->history, repair.stock);
        if (wrong != NULL)
            fail(run, "repair has made something up: %s", wrong);
        stock_assert_valid(repair.stock);
        check_made(run, &repair, hash);
    }
    repair_end(&repair);
}

static void check_case(struct run *run)
{
    run->case_count++;
    run->counts[run->expected.verify]++;
    check_verify(run);
    check_repair(run);
    if (run->case_count % STATE_EVERY == 0) /* verify has built the same one, mostly by parts */
        check_state(run);
}

/* ---- cases ---- */

static void try_place(struct run *run, struct flip_file *file, uint64_t place)
{
    run->file = file;
    run->place = place;
    if (run->is_cut) {
        run->expected = expect_cut(&run->builder, file, place);
        flip_cut(file, place);
        check_case(run);
        flip_cut_back(file);
    } else {
        run->expected = expect_flip(&run->builder, file, place);
        flip_byte(file, place);
        check_case(run);
        flip_byte_back(file, place);
    }
}

/* The state of what was not touched is right, before and after. */
static void check_whole(struct run *run)
{
    struct summary summary;
    run->file = &run->files.list[0];
    const enum exit_code code = verify_directory(run->path, &summary);
    if (code != EXIT_GOOD || !summary.has_state ||
        summary.state_hash != expect_whole_hash(&run->builder))
        fail(run, "the whole directory is verified with %d", code);
    verify_free(&summary);
}

static void try_all(struct run *run)
{
    uint64_t next = 0; /* of all bytes of all files: those at every stride */
    check_whole(run);
    for (uint32_t i = 0; i < run->files.count; i++) {
        struct flip_file *file = &run->files.list[i];
        if (run->only != NULL && strstr(file->path, run->only) == NULL)
            continue;
        for (; next < file->byte_count; next += run->stride)
            try_place(run, file, next);
        next -= file->byte_count;
    }
    check_whole(run);
}

/* ---- the program ---- */

static void set_up(struct run *run, const char *story)
{
    char program[PATH_BYTES / 2] = {0};
    hf_assert(readlink("/proc/self/exe", program, sizeof program - 1) > 0);
    *strrchr(program, '/') = '\0';
    snprintf(run->scratch, sizeof run->scratch, "%s/flips-XXXXXX", program);
    hf_assert(mkdtemp(run->scratch) != NULL);
    hf_assert(chdir(run->scratch) == 0);
    snprintf(run->path, sizeof run->path, "data");
    if (strcmp(story, "late") == 0)
        data_story_late(&run->builder);
    else
        data_story_whole(&run->builder);
    data_builder_save(&run->builder, run->path);
    flip_files_read(&run->files, &run->builder, run->path);
    flip_input_set(&run->files, run->path);
    run->history = history_create(&run->builder);
}

static void tear_down(struct run *run)
{
    history_destroy(&run->history);
    flip_files_free(&run->files);
    data_builder_end(&run->builder);
    hf_assert(chdir("/") == 0);
    remove_tree(run->scratch);
}

/* Only what is checked is shown. */
static FILE *silence(void)
{
    const int fd = dup(STDOUT_FILENO);
    hf_assert(fd >= 0);
    FILE *report = fdopen(fd, "we");
    hf_assert(report != NULL && freopen("/dev/null", "we", stdout) != NULL);
    if (getenv("FLIPS_VERBOSE") == NULL)
        hf_assert(freopen("/dev/null", "we", stderr) != NULL);
    return report;
}

static bool parse(struct run *run, int argc, char **argv)
{
    run->stride = 1;
    if (argc < 3 || (strcmp(argv[1], "whole") != 0 && strcmp(argv[1], "late") != 0) ||
        (strcmp(argv[2], "flip") != 0 && strcmp(argv[2], "cut") != 0))
        return false;
    run->is_cut = strcmp(argv[2], "cut") == 0;
    for (int i = 3; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--stride") == 0)
            run->stride = strtoull(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--only") == 0)
            run->only = argv[i + 1];
        else
            return false;
    }
    return run->stride > 0;
}

int main(int argc, char **argv)
{
    static struct run run;
    if (!parse(&run, argc, argv)) {
        fputs("usage: flips whole|late flip|cut [--stride N] [--only FILE]\n", stderr);
        return 2;
    }
    /* What is given back is used again, and not returned to the system. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    set_up(&run, argv[1]);
    run.report = silence();
    try_all(&run);
    fprintf(run.report,
            "%s %s: %" PRIu64 " cases, %" PRIu64 " good, %" PRIu64 " torn, %" PRIu64
            " damaged; in %" PRIu64 " something is lost; %" PRIu32 " states; %" PRIu64
            " failures\n",
            argv[1], argv[2], run.case_count, run.counts[VERDICT_GOOD], run.counts[VERDICT_TORN],
            run.counts[VERDICT_DAMAGED], run.lost_case_count, run.seen_count, run.failure_count);
    tear_down(&run);
    return run.failure_count == 0 ? 0 : 1;
}
