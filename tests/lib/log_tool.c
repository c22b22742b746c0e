#include "log_tool.h"

#include "check.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define PROGRAM HOLDFAST_BIN_DIR "/holdfast-log"

bool log_tool_is_built(void)
{
    return access(PROGRAM, X_OK) == 0;
}

static FILE *run(const char *arguments, const char *data)
{
    char command[4096];
    fflush(stdout);
    snprintf(command, sizeof command, "'%s' %s '%s'", PROGRAM, arguments, data);
    FILE *output = popen(command, "re");
    check_must(output != NULL, "%s did not start", command);
    return output;
}

int log_tool_run(const char *arguments, char *output, size_t output_bytes)
{
    char command[4096];
    char rest[4096];
    fflush(stdout);
    snprintf(command, sizeof command, "'%s' %s 2>&1", PROGRAM, arguments);
    FILE *from = popen(command, "re");
    check_must(from != NULL, "%s did not start", command);
    const size_t bytes = fread(output, 1, output_bytes - 1, from);
    output[bytes] = '\0';
    while (fread(rest, 1, sizeof rest, from) > 0) {
    }
    const int status = pclose(from);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

/* Numbers over 2^53 are written as strings by careful programs. */
static uint64_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 0);
    return (uint64_t)json_integer_value(value);
}

uint64_t log_tool_cat(const char *data, log_tool_record_fn record, void *context)
{
    FILE *output = run("cat --json", data);
    char *line = NULL;
    size_t line_bytes = 0;
    uint64_t count = 0;
    while (getline(&line, &line_bytes, output) > 0) {
        json_error_t error;
        json_t *object = json_loads(line, 0, &error);
        const char *type = json_string_value(json_object_get(object, "type"));
        check_must(type != NULL, "line %" PRIu64 " of holdfast-log cat: %s", count + 1, line);
        const struct log_tool_record view = {
            .type = type,
            .time_ms = number(object, "time_ms"),
            .item_id = number(object, "item_id"),
            .sequence = number(object, "sequence"),
            .expires_ms = number(object, "expires_ms"),
            .quantity = (uint32_t)number(object, "quantity"),
            .quantity_confirmed = (uint32_t)number(object, "quantity_confirmed"),
        };
        record(context, &view);
        json_decref(object);
        count++;
    }
    free(line);
    const int status = pclose(output);
    check(status == 0, "holdfast-log cat ended with status %d", status);
    return count;
}

bool log_tool_verify(const char *data, uint64_t *state_hash_out)
{
    FILE *output = run("verify --json", data);
    json_error_t error;
    json_t *object = json_loadf(output, 0, &error);
    const int status = pclose(output);
    const char *hash = json_string_value(json_object_get(object, "state_hash"));
    const bool is_good = status == 0 && hash != NULL;
    check(is_good, "holdfast-log verify ended with status %d, state hash %s", status,
          hash != NULL ? hash : "none");
    *state_hash_out = hash != NULL ? strtoull(hash, NULL, 16) : 0;
    json_decref(object);
    return is_good;
}
