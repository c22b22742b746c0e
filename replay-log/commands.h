#ifndef HF_REPLAY_LOG_COMMANDS_H
#define HF_REPLAY_LOG_COMMANDS_H
/* What holdfast-log can do: a file for each. Each prints to stdout, tells what is wrong on stderr
 * and returns the code for the shell. */

#include "options.h"

enum exit_code command_info(const struct options *options);
enum exit_code command_cat(const struct options *options);
enum exit_code command_verify(const struct options *options);
enum exit_code command_stats(const struct options *options);
enum exit_code command_hash(const struct options *options);
enum exit_code command_replay(const struct options *options);
enum exit_code command_repair(const struct options *options);
enum exit_code command_diff(const struct options *options);
enum exit_code command_export(const struct options *options);

#endif
