#ifndef HF_REPLAY_LOG_COMMANDS_H
#define HF_REPLAY_LOG_COMMANDS_H
/* What holdfast-log can do. Each prints to stdout, tells what is wrong on stderr and returns the
 * code for the shell. */

#include "data.h"

#include <stdbool.h>
#include <stdint.h>

enum { CORE_ALL = -1 };

struct command_options {
    const char *path;
    bool is_json;
    int core; /* CORE_ALL, or the one that `cat` is about */
};

enum exit_code command_info(const struct command_options *options);
enum exit_code command_cat(const struct command_options *options);
enum exit_code command_verify(const struct command_options *options);

#endif
