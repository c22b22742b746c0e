#include "options.h"

#include "text.h"

#include "base/units.h"
#include "log/manifest.h"
#include "stock/record.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The command comes first, so it is known which options go with it: only those are parsed. An
 * option may stand in the table twice, for commands to which it means different things. */

/* ---- commands ---- */

#define ONE(command)   (1u << COMMAND_##command)
#define ALL_COMMANDS   ((1u << COMMAND_COUNT) - 1)
#define ONE_LOG        (ONE(CAT) | ONE(STATS) | ONE(HASH) | ONE(REPLAY) | ONE(EXPORT))
#define MAKE_DIRECTORY (ONE(REPLAY) | ONE(REPAIR))

static const struct {
    const char *name;
    const char *operands;
    const char *help;
    const char *notes; /* of its own help */
} commands[COMMAND_COUNT] = {
    [COMMAND_INFO] = {"info", "DIR", "what is in the directory: server, eras, logs, state",
                      "Reads what a server would read when it starts: of each log the newest good "
                      "snapshot\nand what is behind it.\n"},
    [COMMAND_CAT] = {"cat", "DIR", "every record, one line each, log by log in order of LSN",
                     "Prints the records for which all named filters hold; of one filter any value "
                     "will do.\nAll bounds are inclusive. LSNs are numbered in each log anew, so "
                     "--from and --to need one\nlog: name it with --core and --era where there are "
                     "several. A log begins with its\nfirst segment, or with its oldest snapshot "
                     "when the first segment is gone.\n"},
    [COMMAND_VERIFY] = {"verify", "DIR",
                        "read and replay everything, check it, print the state's hash",
                        "Reads all that is there: each log from its first segment on, or from its "
                        "oldest good\nsnapshot; each snapshot, also whether the log gives the same "
                        "state at that place.\n"},
    [COMMAND_STATS] = {"stats", "DIR", "what the records tell: types, items, outcomes, over time",
                       NULL},
    [COMMAND_HASH] = {"hash", "DIR", "the state's hash, at the end or at an LSN or time",
                      "An LSN is that of one log: name it with --core where there are several. The "
                      "others are\nread to the time of that record. Bounds are inclusive.\n"},
    [COMMAND_REPLAY] = {"replay", "DIR", "a new data directory with the state of a point in time",
                        "Makes NEWDIR, with the state of the end or of the point that --to names. "
                        "An LSN is that of\none log: name it with --core where there are several. "
                        "The others are read to the time\nof that record. Bounds are inclusive, "
                        "unless --exclusive says otherwise. NEWDIR belongs\nto a new server id: "
                        "start holdfastd on it with --data.\n"},
    [COMMAND_REPAIR] = {"repair", "DIR", "a new data directory with what damage has left",
                        "Makes NEWDIR with all that can still be proved, and tells what is lost. "
                        "docs/log-format.md\nsays what is taken and what is not. The report goes "
                        "to stdout, as JSON with --json, and\nas JSON to the file that --report "
                        "names.\n"},
    [COMMAND_DIFF] = {"diff", "DIR DIR", "what is different between the states of two directories",
                      NULL},
    [COMMAND_EXPORT] = {"export", "DIR", "the items and reservations as CSV",
                        "Writes items.csv and reservations.csv into a new folder, or the files "
                        "that are named.\nRFC 4180, with a header line, in no particular order.\n"},
};

/* ---- options ---- */

/* False: the text is not what the option takes. */
typedef bool (*option_parse_fn)(struct options *options, const char *text);

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool parse_json(struct options *options, const char *text)
{
    (void)text;
    options->is_json = true;
    return true;
}

static bool parse_csv(struct options *options, const char *text)
{
    (void)text;
    options->is_csv = true;
    return true;
}

static bool parse_follow(struct options *options, const char *text)
{
    (void)text;
    options->is_following = true;
    return true;
}

static bool parse_exclusive(struct options *options, const char *text)
{
    (void)text;
    options->is_exclusive = true;
    return true;
}

static bool parse_up_to(const char *text, uint64_t least, uint64_t most, uint64_t *number_out)
{
    return moment_parse_number(text, number_out) && *number_out >= least && *number_out <= most;
}

static bool parse_core(struct options *options, const char *text)
{
    uint64_t core = 0;
    options->has_core = true;
    if (!parse_up_to(text, 0, LOG_CORE_COUNT_MAX - 1, &core))
        return false;
    options->core = (uint32_t)core;
    return true;
}

static bool parse_era(struct options *options, const char *text)
{
    return parse_up_to(text, 1, UINT64_MAX, &options->era);
}

static bool parse_cores(struct options *options, const char *text)
{
    uint64_t count = 0;
    if (!parse_up_to(text, 1, LOG_CORE_COUNT_MAX, &count))
        return false;
    options->core_count = (uint32_t)count;
    return true;
}

static bool parse_from(struct options *options, const char *text)
{
    return parse_up_to(text, 1, UINT64_MAX, &options->from_lsn);
}

static bool parse_to(struct options *options, const char *text)
{
    return parse_up_to(text, 1, UINT64_MAX - 1, &options->to_lsn);
}

static bool parse_since(struct options *options, const char *text)
{
    return moment_parse_time(text, now_ms(), &options->since_ms);
}

static bool parse_until(struct options *options, const char *text)
{
    return moment_parse_time(text, now_ms(), &options->until_ms);
}

static bool parse_moment(struct options *options, const char *text)
{
    return moment_parse(text, now_ms(), &options->moment) && options->moment.value < UINT64_MAX;
}

static bool parse_items(struct options *options, const char *text)
{
    return id_list_parse_numbers(&options->items, text);
}

static bool parse_buyers(struct options *options, const char *text)
{
    return id_list_parse_numbers(&options->buyers, text);
}

static bool parse_reservations(struct options *options, const char *text)
{
    return id_list_parse_hex(&options->reservations, text);
}

/* The type of this name, with any case; 0 when there is none. */
static int type_of_name(const char *name, size_t bytes)
{
    for (int type = STOCK_RECORD_ITEM_CREATED; type <= STOCK_RECORD_FORGOTTEN; type++) {
        const char *type_name = stock_record_type_name(type);
        if (strlen(type_name) == bytes && strncasecmp(type_name, name, bytes) == 0)
            return type;
    }
    return 0;
}

static bool parse_types(struct options *options, const char *text)
{
    for (;;) {
        const size_t bytes = strcspn(text, ",");
        const int type = type_of_name(text, bytes);
        if (type == 0)
            return false;
        options->types |= 1u << type;
        if (text[bytes] == '\0')
            return true;
        text += bytes + 1;
    }
}

static bool parse_limit(struct options *options, const char *text)
{
    options->has_limit = true;
    return parse_up_to(text, 0, UINT64_MAX, &options->limit);
}

static bool parse_top(struct options *options, const char *text)
{
    uint64_t count = 0;
    if (!parse_up_to(text, 0, 1000000, &count))
        return false;
    options->top_count = (uint32_t)count;
    return true;
}

static bool parse_bucket(struct options *options, const char *text)
{
    return units_parse_duration_ms(text, &options->bucket_ms) && options->bucket_ms > 0;
}

static bool parse_output(struct options *options, const char *text)
{
    options->output = text;
    return *text != '\0';
}

static bool parse_report(struct options *options, const char *text)
{
    options->report = text;
    return *text != '\0';
}

static bool parse_items_file(struct options *options, const char *text)
{
    options->items_file = text;
    return *text != '\0';
}

static bool parse_reservations_file(struct options *options, const char *text)
{
    options->reservations_file = text;
    return *text != '\0';
}

#define PATH_HELP "a path"
#define ID_HELP   "a number, or several with commas"

static const struct {
    const char *name;
    const char *argument; /* NULL: takes none */
    uint32_t commands;
    option_parse_fn parse;
    const char *takes; /* what a wrong value should have been */
    const char *help;
} option_table[] = {
    {"core", "N", ONE_LOG, parse_core, "the number of a core", "the logs of this core only"},
    {"era", "N", ONE_LOG, parse_era, "the number of an era", "the logs of this era only"},
    {"from", "LSN", ONE(CAT), parse_from, "an LSN", "from this LSN on"},
    {"to", "LSN", ONE(CAT), parse_to, "an LSN", "up to this LSN"},
    {"since", "TIME", ONE(CAT) | ONE(STATS), parse_since, MOMENT_TIME_HELP,
     "records of this time or later"},
    {"until", "TIME", ONE(CAT) | ONE(STATS), parse_until, MOMENT_TIME_HELP,
     "records of this time or earlier"},
    {"item", "ID,...", ONE(CAT), parse_items, ID_HELP, "records of these items; repeatable"},
    {"buyer", "ID,...", ONE(CAT), parse_buyers, ID_HELP, "records of these buyers; repeatable"},
    {"reservation", "HEX,...", ONE(CAT), parse_reservations,
     "32 hex digits, or several with commas", "records of these reservations; repeatable"},
    {"type", "NAME,...", ONE(CAT), parse_types, "a type such as HELD or EXPIRED, or several",
     "records of these types; repeatable"},
    {"limit", "N", ONE(CAT), parse_limit, "a number", "stop behind so many records"},
    {"limit", "N", ONE(DIFF), parse_limit, "a number",
     "name so many differences, 20 by default; 0 = none"},
    {"follow", NULL, ONE(CAT), parse_follow, NULL,
     "go on with what a running server writes, until interrupted"},
    {"csv", NULL, ONE(CAT), parse_csv, NULL, "CSV (RFC 4180) with a header line"},
    {"top", "N", ONE(STATS), parse_top, "a number", "show so many items; default 10"},
    {"bucket", "SPAN", ONE(STATS), parse_bucket, "a span such as 1s, 15m or 1h",
     "width of a row of the chart over time; default: what fits"},
    {"at", "LSN|TIME", ONE(HASH) | ONE(EXPORT), parse_moment, MOMENT_HELP,
     "of the state at this point"},
    {"to", "LSN|TIME", ONE(REPLAY), parse_moment, MOMENT_HELP,
     "the state at this point; default: at the end"},
    {"exclusive", NULL, ONE(HASH) | ONE(REPLAY) | ONE(EXPORT), parse_exclusive, NULL,
     "the state before that LSN or time"},
    {"output", "NEWDIR", MAKE_DIRECTORY, parse_output, PATH_HELP,
     "or -o: the directory to make; it must not exist"},
    {"output", "NEWDIR", ONE(EXPORT), parse_output, PATH_HELP,
     "or -o: a folder to make, for items.csv and reservations.csv"},
    {"cores", "N", MAKE_DIRECTORY, parse_cores, "a number of cores",
     "for so many cores; default: as the newest era has"},
    {"report", "FILE", ONE(REPAIR), parse_report, PATH_HELP, "write the report there, as JSON"},
    {"items", "FILE", ONE(EXPORT), parse_items_file, PATH_HELP, "write the items there"},
    {"reservations", "FILE", ONE(EXPORT), parse_reservations_file, PATH_HELP,
     "write the reservations there"},
    {"json", NULL, ALL_COMMANDS, parse_json, NULL, "JSON: one object, or one per line for cat"},
};
enum { OPTION_COUNT = sizeof option_table / sizeof option_table[0] };

/* Values of getopt_long() for options that are not in the table, and for the first one that is. */
enum { VALUE_HELP = 256, VALUE_VERSION, VALUE_TABLE };

/* ---- help ---- */

static void print_option(size_t option)
{
    char text[32];
    const char *argument = option_table[option].argument;
    snprintf(text, sizeof text, "--%s%s%s", option_table[option].name, argument ? " " : "",
             argument ? argument : "");
    printf("  %-22s %s\n", text, option_table[option].help);
}

static void print_exit_codes(void)
{
    puts("\n"
         "exit codes\n"
         "  0  good; also with a torn tail, which was never acknowledged and is told on stderr\n"
         "  1  wrong usage\n"
         "  2  verify: a log has a torn tail, which the server cuts off when it starts\n"
         "  3  damaged; verify: anything, also what a server would do without\n"
         "  4  cannot be read, or the output not written\n"
         "  5  written by another version of the format\n"
         "  10 diff: the states are different\n"
         "  11 repair: NEWDIR is made, and something is lost: the report tells what\n"
         "\n"
         "TIME is UTC: 2026-01-31T12:00:00.250Z, also shorter; Unix milliseconds, as\n"
         "1769860800000ms where an LSN may stand; -15m for so long ago; now.");
}

static void print_command_help(enum command command)
{
    printf("usage: holdfast-log %s [OPTION]... %s\n\n%s\n", commands[command].name,
           commands[command].operands, commands[command].help);
    if (commands[command].notes != NULL)
        printf("\n%s", commands[command].notes);
    puts("\noptions");
    for (size_t option = 0; option < OPTION_COUNT; option++)
        if ((option_table[option].commands & 1u << command) != 0)
            print_option(option);
    print_exit_codes();
}

static void print_help(void)
{
    puts("usage: holdfast-log COMMAND [OPTION]... DIR\n"
         "\n"
         "Looks at a holdfastd data directory. Nothing in it is changed, so a server may run on "
         "it:\n"
         "then what counts is what it had on disk when it was read, and a torn tail may be the\n"
         "write that is in flight.\n"
         "\n"
         "commands");
    for (enum command command = 0; command < COMMAND_COUNT; command++)
        printf("  %-8s %-8s %s\n", commands[command].name, commands[command].operands,
               commands[command].help);
    puts("\n'holdfast-log COMMAND --help' tells the options of a command; --version the version.");
    print_exit_codes();
}

/* ---- parsing ---- */

static bool fail(enum exit_code *exit_out)
{
    fputs("Try 'holdfast-log --help'.\n", stderr);
    *exit_out = EXIT_USAGE;
    return false;
}

static enum command find_command(const char *name)
{
    for (enum command command = 0; command < COMMAND_COUNT; command++)
        if (strcmp(name, commands[command].name) == 0)
            return command;
    return COMMAND_COUNT;
}

/* The long options that go with the command. */
static void fill_long_options(enum command command, struct option *long_options)
{
    size_t count = 0;
    for (size_t i = 0; i < OPTION_COUNT; i++)
        if ((option_table[i].commands & 1u << command) != 0)
            long_options[count++] = (struct option){
                .name = option_table[i].name,
                .has_arg = option_table[i].argument != NULL ? required_argument : no_argument,
                .val = VALUE_TABLE + (int)i,
            };
    long_options[count++] = (struct option){.name = "help", .val = VALUE_HELP};
    long_options[count++] = (struct option){.name = "version", .val = VALUE_VERSION};
    long_options[count] = (struct option){.name = NULL};
}

/* -o, where --output goes with the command. */
static int value_of_output(const struct option *long_options)
{
    for (; long_options->name != NULL; long_options++)
        if (strcmp(long_options->name, "output") == 0)
            return long_options->val;
    return '?';
}

static bool set_option(struct options *options, int value, const char *argument)
{
    const size_t i = (size_t)(value - VALUE_TABLE);
    if (option_table[i].parse(options, argument))
        return true;
    tell("--%s: '%s' is not %s", option_table[i].name, argument, option_table[i].takes);
    return false;
}

enum outcome { OUTCOME_GO_ON, OUTCOME_PRINTED, OUTCOME_WRONG };

static enum outcome read_options(struct options *options, int argc, char **argv)
{
    struct option long_options[OPTION_COUNT + 3];
    fill_long_options(options->command, long_options);
    optind = 2; /* behind the command */
    for (int value; (value = getopt_long(argc, argv, "o:", long_options, NULL)) != -1;) {
        if (value == 'o')
            value = value_of_output(long_options);
        if (value == '?')
            return OUTCOME_WRONG; /* getopt_long() has said what; or -o has no place here */
        if (value == VALUE_HELP) {
            print_command_help(options->command);
            return OUTCOME_PRINTED;
        }
        if (value == VALUE_VERSION) {
            puts("holdfast-log " HOLDFAST_VERSION);
            return OUTCOME_PRINTED;
        }
        if (!set_option(options, value, optarg))
            return OUTCOME_WRONG;
    }
    return OUTCOME_GO_ON;
}

static bool read_operands(struct options *options, int count, char **operands)
{
    const int wanted = options->command == COMMAND_DIFF ? 2 : 1;
    if (count != wanted) {
        tell("%s needs %s, %d arguments given", commands[options->command].name,
             wanted == 1 ? "a data directory" : "two data directories", count);
        return false;
    }
    options->path = operands[0];
    options->other_path = wanted == 2 ? operands[1] : NULL;
    return true;
}

/* What the options must be together. */
static bool options_fit(const struct options *options)
{
    const bool has_files = options->items_file != NULL || options->reservations_file != NULL;
    if ((MAKE_DIRECTORY & 1u << options->command) != 0 && options->output == NULL) {
        tell("which directory is to be made? --output NEWDIR is needed");
        return false;
    }
    if (options->command == COMMAND_EXPORT && (options->output != NULL) == has_files) {
        tell("name a folder with --output, or files with --items and --reservations");
        return false;
    }
    if (options->is_json && options->is_csv) {
        tell("--json and --csv: only one of them");
        return false;
    }
    if (options->is_exclusive && options->moment.kind == MOMENT_NONE) {
        tell("--exclusive of what? It goes with %s",
             options->command == COMMAND_REPLAY ? "--to" : "--at");
        return false;
    }
    return true;
}

/* Without a command there are only these two. */
static bool parse_no_command(const char *word, enum exit_code *exit_out)
{
    *exit_out = EXIT_GOOD;
    if (word != NULL && strcmp(word, "--help") == 0) {
        print_help();
        return false;
    }
    if (word != NULL && strcmp(word, "--version") == 0) {
        puts("holdfast-log " HOLDFAST_VERSION);
        return false;
    }
    if (word == NULL)
        tell("a command and a data directory are needed");
    else
        tell("'%s' is no command", word);
    return fail(exit_out);
}

bool options_parse(struct options *options, int argc, char **argv, enum exit_code *exit_out)
{
    *options = (struct options){
        .to_lsn = UINT64_MAX - 1,
        .until_ms = UINT64_MAX,
        .limit = UINT64_MAX,
        .top_count = 10,
    };
    const char *word = argc > 1 ? argv[1] : NULL;
    options->command = word == NULL ? COMMAND_COUNT : find_command(word);
    if (options->command == COMMAND_COUNT)
        return parse_no_command(word, exit_out);
    switch (read_options(options, argc, argv)) {
    case OUTCOME_PRINTED:
        *exit_out = EXIT_GOOD;
        return false;
    case OUTCOME_WRONG:
        return fail(exit_out);
    case OUTCOME_GO_ON:
        break;
    }
    if (!read_operands(options, argc - optind, argv + optind) || !options_fit(options))
        return fail(exit_out);
    return true;
}

void options_free(struct options *options)
{
    id_list_free(&options->items);
    id_list_free(&options->buyers);
    id_list_free(&options->reservations);
}
