/* holdfast-log: looks at a data directory without a server, and makes new ones of it. Nothing in
 * what it reads is changed. */

#include "commands.h"
#include "text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static enum exit_code run(const struct options *options)
{
    static enum exit_code (*const commands[COMMAND_COUNT])(const struct options *options) = {
        [COMMAND_INFO] = command_info,     [COMMAND_CAT] = command_cat,
        [COMMAND_VERIFY] = command_verify, [COMMAND_STATS] = command_stats,
        [COMMAND_HASH] = command_hash,     [COMMAND_REPLAY] = command_replay,
        [COMMAND_REPAIR] = command_repair, [COMMAND_DIFF] = command_diff,
        [COMMAND_EXPORT] = command_export,
    };
    return commands[options->command](options);
}

/* Output that did not arrive is a failure, whatever else was found. */
static enum exit_code finish(enum exit_code code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    tell("the output cannot be written: %s", strerror(errno));
    return EXIT_IO;
}

int main(int argc, char **argv)
{
    struct options options;
    enum exit_code code = EXIT_GOOD;
    if (options_parse(&options, argc, argv, &code))
        code = run(&options);
    options_free(&options);
    return finish(code);
}
