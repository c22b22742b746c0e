/* holdfast-log: looks at the log of a data directory without a server. Reads only. Options are in
 * one table, from which both getopt_long() and --help are fed. */

#include "commands.h"
#include "text.h"

#include "log/manifest.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPTION_CORE = 256, OPTION_JSON, OPTION_HELP, OPTION_VERSION };

static const struct {
    const char *name;
    int value;
    const char *argument; /* NULL = none */
    const char *help;
} OPTIONS[] = {
    {"core", OPTION_CORE, "N", "cat: this core's logs only, of all eras"},
    {"json", OPTION_JSON, NULL, "JSON: one object, or one per line for cat"},
    {"help", OPTION_HELP, NULL, "print this and exit"},
    {"version", OPTION_VERSION, NULL, "print the version and exit"},
};
enum { OPTION_COUNT = sizeof OPTIONS / sizeof OPTIONS[0] };

static const struct {
    const char *name;
    enum exit_code (*run)(const struct command_options *options);
    const char *help;
} COMMANDS[] = {
    {"info", command_info, "what is in the directory: server, eras, logs, state"},
    {"cat", command_cat, "every record, one line each, log by log in order of LSN"},
    {"verify", command_verify, "read and replay everything, check it, print the state's hash"},
};
enum { COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0] };

static void print_help(void)
{
    puts("Usage: holdfast-log COMMAND [OPTION]... DIR\n"
         "Looks at the log in a holdfastd data directory. Nothing in it is changed, so a server "
         "may\n"
         "run on it: then the log is read as far as it had come, and a torn tail may be the write\n"
         "that is in flight.\n"
         "\n"
         "Commands:");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        printf("  %-10s  %s\n", COMMANDS[i].name, COMMANDS[i].help);
    puts("\nOptions:");
    for (size_t i = 0; i < OPTION_COUNT; i++)
        printf("  --%-7s %-2s %s\n", OPTIONS[i].name,
               OPTIONS[i].argument != NULL ? OPTIONS[i].argument : "", OPTIONS[i].help);
    puts("\nExit codes:\n"
         "  0  good\n"
         "  1  wrong usage\n"
         "  2  verify: a log has a torn tail, which the server cuts off when it starts; info and\n"
         "     cat say so and return 0\n"
         "  3  damaged: the server refuses to start on it\n"
         "  4  cannot be read, or the output not written\n"
         "  5  written by another version of the format\n"
         "\n"
         "Times are UTC. docs/log-format.md describes the files and what each finding means.");
}

static int usage(void)
{
    fputs("Try 'holdfast-log --help'.\n", stderr);
    return EXIT_USAGE;
}

static bool parse_core(const char *text, int *core_out)
{
    char *end;
    errno = 0;
    const long core = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || core < 0 || core >= LOG_CORE_COUNT_MAX)
        return false;
    *core_out = (int)core;
    return true;
}

/* What was printed has arrived. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && ferror(stdout) == 0)
        return code;
    tell("the output cannot be written: %s", strerror(errno));
    return EXIT_IO;
}

static int run(const char *command, const struct command_options *options)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (strcmp(command, COMMANDS[i].name) == 0)
            return finish((int)COMMANDS[i].run(options));
    tell("'%s' is no command", command);
    return usage();
}

int main(int argc, char **argv)
{
    struct option long_options[OPTION_COUNT + 1] = {0};
    struct command_options options = {.core = CORE_ALL};
    for (size_t i = 0; i < OPTION_COUNT; i++)
        long_options[i] = (struct option){
            .name = OPTIONS[i].name,
            .has_arg = OPTIONS[i].argument != NULL ? required_argument : no_argument,
            .val = OPTIONS[i].value,
        };

    for (int value; (value = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        switch (value) {
        case OPTION_CORE:
            if (!parse_core(optarg, &options.core)) {
                tell("--core %s: not a core; it is a number from 0 to %d", optarg,
                     LOG_CORE_COUNT_MAX - 1);
                return usage();
            }
            break;
        case OPTION_JSON:
            options.is_json = true;
            break;
        case OPTION_HELP:
            print_help();
            return finish(EXIT_GOOD);
        case OPTION_VERSION:
            puts("holdfast-log " HOLDFAST_VERSION);
            return finish(EXIT_GOOD);
        default: /* getopt_long() has said what */
            return usage();
        }
    }
    if (argc - optind != 2) {
        tell("a command and a data directory are needed, %d arguments given", argc - optind);
        return usage();
    }
    const char *command = argv[optind];
    options.path = argv[optind + 1];
    if (options.core != CORE_ALL && strcmp(command, "cat") != 0) {
        tell("--core goes with cat only");
        return usage();
    }
    return run(command, &options);
}
