#ifndef HF_REPLAY_LOG_OPTIONS_H
#define HF_REPLAY_LOG_OPTIONS_H
/* The command line: one table of commands, one of options, from which it is parsed and the help is
 * printed. */

#include "exit_code.h"
#include "id_list.h"
#include "moment.h"

#include <stdbool.h>
#include <stdint.h>

enum command {
    COMMAND_INFO,
    COMMAND_CAT,
    COMMAND_VERIFY,
    COMMAND_STATS,
    COMMAND_HASH,
    COMMAND_REPLAY,
    COMMAND_REPAIR,
    COMMAND_DIFF,
    COMMAND_EXPORT,
    COMMAND_COUNT,
};

struct options {
    enum command command;
    const char *path;
    const char *other_path; /* diff: the second directory */
    bool is_json;
    bool is_csv;
    bool is_following;
    bool is_exclusive;
    bool has_core;
    bool has_limit;
    uint32_t core;
    uint64_t era; /* 0 = not named */
    uint64_t from_lsn;
    uint64_t to_lsn;
    uint64_t since_ms;
    uint64_t until_ms;
    struct id_list items;
    struct id_list buyers;
    struct id_list reservations;
    uint32_t types; /* bits by enum stock_record_type */
    uint64_t limit;
    uint32_t top_count;
    uint64_t bucket_ms;   /* 0 = as wide as fits */
    struct moment moment; /* --at, --to */
    uint32_t core_count;  /* 0 = as many as there are */
    const char *output;
    const char *report;
    const char *items_file;
    const char *reservations_file;
};

/* True: run the command. False: help was printed or something is wrong, and told; end with
 * `*exit_out`. options_free() in any case. */
bool options_parse(struct options *options, int argc, char **argv, enum exit_code *exit_out);
void options_free(struct options *options);

#endif
