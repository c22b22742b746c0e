#ifndef HF_TESTS_LOG_TOOL_H
#define HF_TESTS_LOG_TOOL_H
/* Reads a data directory's log the way an operator would: with holdfast-log. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_tool_record {
    const char *type; /* "HELD", valid during the call */
    uint64_t time_ms;
    uint64_t item_id;
    uint64_t sequence;
    uint64_t expires_ms;
    uint32_t quantity;
    uint32_t quantity_confirmed;
};

typedef void (*log_tool_record_fn)(void *context, const struct log_tool_record *record);

/* False when holdfast-log has not been built: the caller says that it could not look. */
bool log_tool_is_built(void);

/* Runs `holdfast-log ARGUMENTS`, as the shell takes them, and keeps the first bytes of what it
 * prints, stderr included. Returns its exit code. */
int log_tool_run(const char *arguments, char *output, size_t output_bytes);

/* Calls `record` for each record that `holdfast-log cat --json` prints; the test fails when a line
 * can't be understood or the program does not end well. Returns the number of records. */
uint64_t log_tool_cat(const char *data, log_tool_record_fn record, void *context);

/* Runs `holdfast-log verify --json` and gives the state hash that it came to. False, with a failed
 * check, when it found anything wrong. */
bool log_tool_verify(const char *data, uint64_t *state_hash_out);

#endif
