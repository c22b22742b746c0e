#include "options.h"

#include "base/units.h"
#include "value.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TIMEOUT_MS = 5000 };

/* ---- commands ---- */

#define ONE(command)  (1u << COMMAND_##command)
#define ALL_COMMANDS  ((1u << COMMAND_COUNT) - 1)
#define HOLD_COMMANDS (ONE(RESERVE) | ONE(CONFIRM) | ONE(CANCEL) | ONE(EXTEND) | ONE(SHOW))
#define ITEM_COMMANDS (ONE(ITEM_CREATE) | ONE(ITEM_SHOW) | ONE(ITEM_UPDATE))
#define SET_COMMANDS  (ONE(ITEM_CREATE) | ONE(ITEM_UPDATE))

static const struct {
    const char *words[2];
    const char *operand;
    const char *help;
    enum cli_option
        needs[2]; /* OPTION_COUNT = nothing more; an item is needed by all in NEED_ITEM */
} commands[COMMAND_COUNT] = {
    [COMMAND_PING] = {{"ping"}, NULL, "is the server there, and which", {OPTION_COUNT}},
    [COMMAND_ITEM_CREATE] = {{"item", "create"},
                             NULL,
                             "put an item up for sale",
                             {OPTION_STOCK, OPTION_COUNT}},
    [COMMAND_ITEM_SHOW] = {{"item", "show"}, NULL, "an item and its counters", {OPTION_COUNT}},
    [COMMAND_ITEM_LIST] = {{"item", "list"}, NULL, "all items", {OPTION_COUNT}},
    [COMMAND_ITEM_UPDATE] = {{"item", "update"}, NULL, "change what is named", {OPTION_COUNT}},
    [COMMAND_ITEM_IMPORT] = {{"item", "import"},
                             "FILE.csv",
                             "create the items of a file, none if it is not good",
                             {OPTION_COUNT}},
    [COMMAND_RESERVE] = {{"reserve"}, NULL, "hold units for a buyer", {OPTION_COUNT}},
    [COMMAND_CONFIRM] = {{"confirm"}, NULL, "turn a hold into a sale", {OPTION_ID, OPTION_COUNT}},
    [COMMAND_CANCEL] = {{"cancel"}, NULL, "give a hold back", {OPTION_ID, OPTION_COUNT}},
    [COMMAND_EXTEND] = {{"extend"}, NULL, "keep a hold longer", {OPTION_ID, OPTION_UNTIL}},
    [COMMAND_SHOW] = {{"show"}, NULL, "what became of a hold", {OPTION_ID, OPTION_COUNT}},
    [COMMAND_STAT] = {{"stat"}, NULL, "the server's counters", {OPTION_COUNT}},
    [COMMAND_SNAPSHOT] = {{"snapshot"},
                          NULL,
                          "let the server write its state down, for a quick start",
                          {OPTION_COUNT}},
    [COMMAND_BACKUP] = {{"backup"},
                        "DIR",
                        "copy the state of now into a new data directory",
                        {OPTION_COUNT}},
};

/* These are answered when something is on disk. */
#define LONG_COMMANDS (ONE(SNAPSHOT) | ONE(BACKUP))

static const uint32_t need_item = HOLD_COMMANDS | ITEM_COMMANDS;

/* ---- options ---- */

typedef bool (*option_parse_fn)(struct options *options, const char *text);

static bool parse_server(struct options *options, const char *text)
{
    options->server = text;
    return *text != '\0';
}

static bool parse_timeout(struct options *options, const char *text)
{
    uint64_t ms;
    if (!units_parse_duration_ms(text, &ms) || ms == 0 || ms > UINT32_MAX)
        return false;
    options->timeout_ms = (uint32_t)ms;
    return true;
}

static bool parse_item(struct options *options, const char *text)
{
    return value_parse_u64(text, &options->item_id) && options->item_id != 0;
}

static bool parse_sku(struct options *options, const char *text)
{
    options->sku = text;
    return value_is_sku(text);
}

static bool parse_id(struct options *options, const char *text)
{
    return hf_id_parse(text, &options->id) && (options->id.high | options->id.low) != 0;
}

static bool parse_quantity(struct options *options, const char *text)
{
    return value_parse_count(text, &options->quantity) && options->quantity > 0;
}

static bool parse_buyer(struct options *options, const char *text)
{
    return value_parse_u64(text, &options->buyer_id);
}

static bool parse_hold_time(struct options *options, const char *text)
{
    return units_parse_duration_ms(text, &options->hold_ms);
}

static bool parse_user_data(struct options *options, const char *text)
{
    return value_parse_u64(text, &options->user_data);
}

static bool parse_until(struct options *options, const char *text)
{
    return moment_parse(text, &options->until) && options->until.ms > 0;
}

static bool parse_stock(struct options *options, const char *text)
{
    return value_parse_stock(text, &options->stock);
}

static bool parse_buyer_limit(struct options *options, const char *text)
{
    return value_parse_count(text, &options->buyer_limit);
}

static bool parse_hold_cap(struct options *options, const char *text)
{
    return value_parse_count(text, &options->hold_cap);
}

static bool parse_opens_at(struct options *options, const char *text)
{
    return moment_parse(text, &options->opens_at);
}

static bool parse_closes_at(struct options *options, const char *text)
{
    return moment_parse(text, &options->closes_at);
}

static bool parse_paused(struct options *options, const char *text)
{
    return value_parse_bool(text, &options->paused);
}

static bool parse_core(struct options *options, const char *text)
{
    return value_parse_count(text, &options->core) && options->core < HF_CORE_COUNT_MAX;
}

static const struct {
    const char *name;
    const char *argument; /* NULL: takes none */
    uint32_t commands;
    option_parse_fn parse;
    const char *takes; /* what a wrong value should have been */
    const char *help;
} option_table[OPTION_COUNT] = {
    [OPTION_SERVER] = {"server", "HOST:PORT", ALL_COMMANDS, parse_server, "an address",
                       "default: $HOLDFAST_SERVER, or 127.0.0.1:7411"},
    [OPTION_TIMEOUT] = {"timeout", "TIME", ALL_COMMANDS, parse_timeout, VALUE_DURATION_HELP,
                        "give up after so long; default 5s, of snapshot and backup 10m"},
    [OPTION_JSON] = {"json", NULL, ALL_COMMANDS, NULL, NULL,
                     "print JSON; 64-bit ids are strings in it"},
    [OPTION_ITEM] = {"item", "ID", HOLD_COMMANDS | ITEM_COMMANDS, parse_item,
                     VALUE_U64_HELP ", not 0", "the item, by its number"},
    [OPTION_SKU] = {"sku", "TEXT", HOLD_COMMANDS | ITEM_COMMANDS, parse_sku, VALUE_SKU_HELP,
                    "the item, by its SKU: the number is XXH3-64 of it"},
    [OPTION_ID] = {"id", "HEX", HOLD_COMMANDS, parse_id, "32 hex digits, not all 0",
                   "the hold; reserve makes a random one if not named"},
    [OPTION_QUANTITY] = {"quantity", "N", ONE(RESERVE) | ONE(CONFIRM), parse_quantity,
                         VALUE_COUNT_HELP,
                         "units; default 1 to reserve, all that is held to "
                         "confirm"},
    [OPTION_BUYER] = {"buyer", "ID", ONE(RESERVE), parse_buyer, VALUE_U64_HELP,
                      "who it is for; default 0 = anonymous, no limits per buyer"},
    [OPTION_HOLD_TIME] = {"hold-time", "TIME", ONE(RESERVE) | SET_COMMANDS, parse_hold_time,
                          VALUE_DURATION_HELP, "how long to hold; 0 = the item's, or 15m"},
    [OPTION_USER_DATA] = {"user-data", "N", ONE(RESERVE), parse_user_data, VALUE_U64_HELP,
                          "kept with the hold, told by show"},
    [OPTION_UNTIL] = {"until", "MOMENT", ONE(EXTEND), parse_until, VALUE_MOMENT_HELP,
                      "hold at least until then"},
    [OPTION_STOCK] = {"stock", "N", SET_COMMANDS, parse_stock, VALUE_STOCK_HELP,
                      "units for sale in all, or unlimited"},
    [OPTION_BUYER_LIMIT] = {"buyer-limit", "N", SET_COMMANDS, parse_buyer_limit, VALUE_COUNT_HELP,
                            "units per buyer over the whole sale; 0 = no limit"},
    [OPTION_HOLD_CAP] = {"hold-cap", "N", SET_COMMANDS, parse_hold_cap, VALUE_COUNT_HELP,
                         "open holds per buyer; 0 = no limit"},
    [OPTION_OPENS_AT] = {"opens-at", "MOMENT", SET_COMMANDS, parse_opens_at,
                         VALUE_MOMENT_OR_NONE_HELP, "when the sale opens"},
    [OPTION_CLOSES_AT] = {"closes-at", "MOMENT", SET_COMMANDS, parse_closes_at,
                          VALUE_MOMENT_OR_NONE_HELP, "when it closes"},
    [OPTION_PAUSED] = {"paused", "yes|no", SET_COMMANDS, parse_paused, VALUE_BOOL_HELP,
                       "yes: sell nothing until it is no again"},
    [OPTION_VALIDATE_ONLY] = {"validate-only", NULL, ONE(ITEM_CREATE) | ONE(ITEM_IMPORT), NULL,
                              NULL, "check everything, create nothing"},
    [OPTION_CORE] = {"core", "N", ONE(STAT) | ONE(PING) | ONE(SNAPSHOT), parse_core,
                     "the number of a core", "of one core only"},
    [OPTION_STATE_HASH] = {"state-hash", NULL, ONE(STAT), NULL, NULL,
                           "hash the whole state; the server waits meanwhile"},
    [OPTION_HELP] = {"help", NULL, ALL_COMMANDS, NULL, NULL, "print this"},
    [OPTION_VERSION] = {"version", NULL, ALL_COMMANDS, NULL, NULL, "print the version"},
};

/* ---- help ---- */

static void print_command(enum command command)
{
    char words[32];
    snprintf(words, sizeof words, "%s%s%s%s%s", commands[command].words[0],
             commands[command].words[1] ? " " : "",
             commands[command].words[1] ? commands[command].words[1] : "",
             commands[command].operand ? " " : "",
             commands[command].operand ? commands[command].operand : "");
    printf("  %-22s %s\n", words, commands[command].help);
}

static void print_option(enum cli_option option)
{
    char text[32];
    snprintf(text, sizeof text, "--%s%s%s", option_table[option].name,
             option_table[option].argument ? " " : "",
             option_table[option].argument ? option_table[option].argument : "");
    printf("  %-22s %s\n", text, option_table[option].help);
}

static void print_usage(enum command command)
{
    const char *second = commands[command].words[1];
    const char *operand = commands[command].operand;
    printf("usage: holdfast %s%s%s%s%s", commands[command].words[0], second ? " " : "",
           second ? second : "", operand ? " " : "", operand ? operand : "");
    if (need_item & 1u << command)
        printf(" --sku TEXT|--item ID");
    for (int i = 0; i < 2 && commands[command].needs[i] != OPTION_COUNT; i++) {
        enum cli_option needed = commands[command].needs[i];
        printf(" --%s %s", option_table[needed].name, option_table[needed].argument);
    }
    printf(" [OPTIONS]\n\n%s\n", commands[command].help);
}

static void print_values_help(void)
{
    printf("\n"
           "TIME is a span such as 500ms, 15m or 1h30m. MOMENT is a time in UTC such as\n"
           "2026-11-27T20:00:00Z, a span from now such as +15m on the server's clock, or, where\n"
           "there need not be one, none.\n");
}

static void print_file_help(void)
{
    printf("\n"
           "FILE.csv has a header line with the columns sku and stock, and if wanted item_id,\n"
           "buyer_limit, hold_cap, hold_time, opens_at, closes_at and paused. Nothing is created\n"
           "unless the whole file is good and the server would create each item by itself. How\n"
           "many places it has left is not asked: when its --max-items is reached on the way,\n"
           "those before are created. Running it again creates what is missing.\n");
}

static void print_backup_help(void)
{
    printf("\n"
           "DIR must not exist, or be empty. It gets everything that the server holds at this\n"
           "moment, as a data directory for a server of its own: holdfastd --data DIR opens it.\n"
           "It has a server id of its own, because what the server does from now on is not in\n"
           "it. The copy is written to DIR.partial, checked and synced, and then gets its name:\n"
           "DIR is whole or not there. The server goes on serving meanwhile. When the backup\n"
           "was interrupted, running it again begins anew.\n");
}

static void print_exit_codes(void)
{
    printf("\n"
           "exit codes\n"
           "  0  applied        1  usage, or output failed     2  refused\n"
           "  3  not sent       4  unknown: sent and not answered, repeat it with the same --id\n"
           "  5  bad input file 6  damaged: what the server sent of its state is not whole\n");
}

static void print_help(void)
{
    printf("usage: holdfast COMMAND [OPTIONS]\n\ncommands\n");
    for (enum command command = 0; command < COMMAND_COUNT; command++)
        print_command(command);
    printf("\noptions; 'holdfast COMMAND --help' tells which go with a command\n");
    for (enum cli_option option = 0; option < OPTION_COUNT; option++)
        print_option(option);
    print_values_help();
    print_file_help();
    print_backup_help();
    print_exit_codes();
}

static void print_command_help(enum command command)
{
    print_usage(command);
    printf("\noptions\n");
    for (enum cli_option option = 0; option < OPTION_COUNT; option++) {
        if (option_table[option].commands & 1u << command)
            print_option(option);
    }
    print_values_help();
    if (command == COMMAND_ITEM_IMPORT)
        print_file_help();
    if (command == COMMAND_BACKUP)
        print_backup_help();
    print_exit_codes();
}

const char *option_name(enum cli_option option)
{
    return option_table[option].name;
}

/* ---- parsing ---- */

static bool fail(int *exit_out)
{
    fprintf(stderr, "try 'holdfast --help'\n");
    *exit_out = EXIT_USAGE;
    return false;
}

static void default_options(struct options *options)
{
    memset(options, 0, sizeof *options);
    const char *server = getenv("HOLDFAST_SERVER");
    options->server = server && *server ? server : "127.0.0.1:7411";
}

static bool set_option(struct options *options, enum cli_option option, const char *argument)
{
    if (options->given[option]) {
        fprintf(stderr, "holdfast: --%s is given twice\n", option_table[option].name);
        return false;
    }
    options->given[option] = true;
    if (!option_table[option].parse || option_table[option].parse(options, argument))
        return true;
    fprintf(stderr, "holdfast: --%s: '%s' is not %s\n", option_table[option].name, argument,
            option_table[option].takes);
    return false;
}

static bool read_options(struct options *options, int argc, char **argv)
{
    struct option long_options[OPTION_COUNT + 1];
    memset(long_options, 0, sizeof long_options);
    for (int i = 0; i < OPTION_COUNT; i++) {
        long_options[i].name = option_table[i].name;
        long_options[i].has_arg = option_table[i].argument ? required_argument : no_argument;
        long_options[i].val = i;
    }
    int option;
    int index;
    bool is_good = true;
    opterr = 1;
    while ((option = getopt_long(argc, argv, "", long_options, &index)) != -1) {
        if (option == '?' || !set_option(options, (enum cli_option)option, optarg))
            is_good = false; /* getopt or set_option() said why */
    }
    return is_good;
}

/* The command of the words, and how many of them it takes; COMMAND_COUNT when there is none. */
static enum command find_command(char **words, int word_count, int *taken_out)
{
    for (enum command command = 0; command < COMMAND_COUNT; command++) {
        const char *second = commands[command].words[1];
        if (word_count < 1 || strcmp(words[0], commands[command].words[0]) != 0)
            continue;
        if (second && (word_count < 2 || strcmp(words[1], second) != 0))
            continue;
        *taken_out = second ? 2 : 1;
        return command;
    }
    return COMMAND_COUNT;
}

static bool read_command(struct options *options, char **words, int word_count)
{
    int taken = 0;
    options->command = find_command(words, word_count, &taken);
    if (options->command == COMMAND_COUNT) {
        if (word_count == 0)
            fprintf(stderr, "holdfast: a command is needed\n");
        else
            fprintf(stderr, "holdfast: there is no command '%s%s%s'\n", words[0],
                    word_count > 1 ? " " : "", word_count > 1 ? words[1] : "");
        return false;
    }
    const char *operand = commands[options->command].operand;
    if (operand && taken == word_count) {
        fprintf(stderr, "holdfast: %s is missing\n", operand);
        return false;
    }
    if (operand)
        options->operand = words[taken++];
    if (taken < word_count) {
        fprintf(stderr, "holdfast: '%s' is not expected here\n", words[taken]);
        return false;
    }
    return true;
}

static bool options_fit_command(const struct options *options)
{
    for (enum cli_option option = 0; option < OPTION_COUNT; option++) {
        bool fits = option_table[option].commands & 1u << options->command;
        if (options->given[option] && !fits) {
            fprintf(stderr, "holdfast: --%s does not go with this command\n",
                    option_table[option].name);
            return false;
        }
    }
    for (int i = 0; i < 2; i++) {
        enum cli_option needed = commands[options->command].needs[i];
        if (needed == OPTION_COUNT)
            break;
        if (!options->given[needed]) {
            fprintf(stderr, "holdfast: --%s is needed\n", option_table[needed].name);
            return false;
        }
    }
    bool has_item = options->given[OPTION_ITEM] || options->given[OPTION_SKU];
    if (need_item & 1u << options->command && !has_item) {
        fprintf(stderr, "holdfast: which item? --item or --sku is needed\n");
        return false;
    }
    /* an item is created with both; anything else names it by one of them */
    if (options->command != COMMAND_ITEM_CREATE && options->given[OPTION_ITEM] &&
        options->given[OPTION_SKU]) {
        fprintf(stderr, "holdfast: --item and --sku both name the item: give one of them\n");
        return false;
    }
    return true;
}

bool options_parse(struct options *options, int argc, char **argv, int *exit_out)
{
    default_options(options);
    bool is_good = read_options(options, argc, argv);
    if (options->given[OPTION_HELP] || options->given[OPTION_VERSION]) {
        int taken;
        enum command command = find_command(argv + optind, argc - optind, &taken);
        if (!options->given[OPTION_HELP])
            printf("holdfast %s\n", HOLDFAST_VERSION);
        else if (command == COMMAND_COUNT)
            print_help();
        else
            print_command_help(command);
        *exit_out = EXIT_APPLIED;
        return false;
    }
    if (!is_good || !read_command(options, argv + optind, argc - optind) ||
        !options_fit_command(options))
        return fail(exit_out);
    if (!options->given[OPTION_TIMEOUT])
        options->timeout_ms =
            LONG_COMMANDS & 1u << options->command ? HF_SNAPSHOT_DEADLINE_MS : TIMEOUT_MS;
    if (!options->given[OPTION_ITEM] && options->sku)
        options->item_id = hf_key64(options->sku);
    return true;
}
