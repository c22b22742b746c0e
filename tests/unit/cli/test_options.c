#include "cli/options.h"
#include "cli/refusal.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <getopt.h>
#include <string.h>

/* The command line of the commands about snapshots; what is common to all is in the end-to-end
 * tests. */

enum { WORD_COUNT_MAX = 8 };

/* Words that one space parts. `exit_out` is set when there is nothing to run. */
static bool parse(struct options *options, const char *line, int *exit_out)
{
    static char text[256];
    static char name[] = "holdfast";
    char *words[WORD_COUNT_MAX + 1] = {name};
    int count = 1;
    snprintf(text, sizeof text, "%s", line);
    for (char *rest = text; rest && count < WORD_COUNT_MAX;)
        words[count++] = strsep(&rest, " ");
    optind = 0;
    *exit_out = -1;
    return options_parse(options, count, words, exit_out);
}

Test(options, snapshot_is_of_all_cores_or_of_one)
{
    struct options options;
    int exit_code;
    cr_assert(parse(&options, "snapshot", &exit_code));
    cr_expect_eq(options.command, COMMAND_SNAPSHOT);
    cr_expect_not(options.given[OPTION_CORE]);
    cr_assert(parse(&options, "snapshot --core 3 --json", &exit_code));
    cr_expect(options.given[OPTION_CORE] && options.core == 3 && options.given[OPTION_JSON]);
}

Test(options, what_is_answered_by_the_disk_has_ten_minutes)
{
    struct options options;
    int exit_code;
    cr_assert(parse(&options, "snapshot", &exit_code));
    cr_expect_eq(options.timeout_ms, 600000);
    cr_assert(parse(&options, "backup /b/shop", &exit_code));
    cr_expect_eq(options.timeout_ms, 600000);
    cr_assert(parse(&options, "backup /b/shop --timeout 1h", &exit_code));
    cr_expect_eq(options.timeout_ms, 3600000);
    cr_assert(parse(&options, "ping", &exit_code));
    cr_expect_eq(options.timeout_ms, 5000);
}

Test(options, backup_names_a_directory)
{
    struct options options;
    int exit_code;
    cr_assert(parse(&options, "backup /b/shop", &exit_code));
    cr_expect_eq(options.command, COMMAND_BACKUP);
    cr_expect_str_eq(options.operand, "/b/shop");
}

Test(options, wrong_use_is_told, .init = cr_redirect_stderr)
{
    struct options options;
    int exit_code;
    static const char *const lines[] = {
        "backup",       "backup /a /b",       "backup /a --core 1",
        "snapshot now", "snapshot --core 64", "snapshot --state-hash"};
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        cr_expect_not(parse(&options, lines[i], &exit_code), "%s", lines[i]);
        cr_expect_eq(exit_code, EXIT_USAGE, "%s", lines[i]);
    }
}

Test(refusal, of_a_snapshot_tells_where_to_look)
{
    char text[REFUSAL_TEXT_BYTES];
    refusal_format(&(struct refusal){.command = COMMAND_SNAPSHOT, .result = HF_RESULT_READ_ONLY},
                   text);
    cr_expect_str_eq(text,
                     "the server's disk has no room for it or fails, or the server keeps nothing "
                     "on disk (--durability off): its own log says which; make room, see to the "
                     "disk or start it otherwise, and try again");
    refusal_format(
        &(struct refusal){.command = COMMAND_BACKUP, .result = HF_RESULT_UNKNOWN_SNAPSHOT}, text);
    cr_expect(strstr(text, "run the backup again") && strstr(text, "--snapshot-after"), "%s", text);
    refusal_format(&(struct refusal){.command = COMMAND_BACKUP, .result = HF_RESULT_LOADING}, text);
    cr_expect_str_eq(text, hf_result_text(HF_RESULT_LOADING));
}
