#ifndef HF_CLI_OPTIONS_H
#define HF_CLI_OPTIONS_H
/* The command line: one table of commands, one of options, which parse and print the help too. */

#include "moment.h"

#include <holdfast.h>

#include <stdbool.h>
#include <stdint.h>

enum exit_code {
    EXIT_APPLIED = 0,
    EXIT_USAGE = 1,
    EXIT_REFUSED = 2,
    EXIT_NOT_SENT = 3,
    EXIT_UNKNOWN = 4,
    EXIT_BAD_INPUT = 5,
    EXIT_DAMAGED = 6,
};

enum command {
    COMMAND_PING,
    COMMAND_ITEM_CREATE,
    COMMAND_ITEM_SHOW,
    COMMAND_ITEM_LIST,
    COMMAND_ITEM_UPDATE,
    COMMAND_ITEM_IMPORT,
    COMMAND_RESERVE,
    COMMAND_CONFIRM,
    COMMAND_CANCEL,
    COMMAND_EXTEND,
    COMMAND_SHOW,
    COMMAND_STAT,
    COMMAND_SNAPSHOT,
    COMMAND_BACKUP,
    COMMAND_COUNT,
};

enum cli_option {
    OPTION_SERVER,
    OPTION_TIMEOUT,
    OPTION_JSON,
    OPTION_ITEM,
    OPTION_SKU,
    OPTION_ID,
    OPTION_QUANTITY,
    OPTION_BUYER,
    OPTION_HOLD_TIME,
    OPTION_USER_DATA,
    OPTION_UNTIL,
    OPTION_STOCK,
    OPTION_BUYER_LIMIT,
    OPTION_HOLD_CAP,
    OPTION_OPENS_AT,
    OPTION_CLOSES_AT,
    OPTION_PAUSED,
    OPTION_VALIDATE_ONLY,
    OPTION_CORE,
    OPTION_STATE_HASH,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_COUNT,
};

struct options {
    enum command command;
    bool given[OPTION_COUNT];
    const char *operand; /* the file of item import, the directory of backup */
    const char *server;
    uint32_t timeout_ms;
    uint64_t item_id;
    const char *sku;
    hf_id id;
    uint32_t quantity;
    uint64_t buyer_id;
    uint64_t hold_ms;
    uint64_t user_data;
    struct moment until;
    int64_t stock;
    uint32_t buyer_limit;
    uint32_t hold_cap;
    struct moment opens_at;
    struct moment closes_at;
    bool paused;
    uint32_t core;
};

/* Without the dashes, such as "hold-time". */
const char *option_name(enum cli_option option);

/* True: run the command. False: help was printed or something is wrong, exit with `*exit_out`. */
bool options_parse(struct options *options, int argc, char **argv, int *exit_out);

#endif
