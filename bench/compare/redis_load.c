#include "compare/closed_loop.h"
#include "compare/resp.h"
#include "compare/talk.h"
#include "compare/trouble.h"

#include <endian.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* redis-load: the closed loop, put on Redis.
 *
 * A request is one EVALSHA of reserve.lua for one or more reservations; all that the script needs
 * (names of keys and fields, the time of expiry) is made here, so that Redis need not.
 *
 * Prints one JSON object. Exit codes: 0 done, 1 usage, 2 trouble. */

enum {
    REQUEST_BYTES_MAX = 256, /* without clicks */
    CLICK_BYTES_MAX = 256,
    ANSWER_HEAD_BYTES_MAX = 256, /* room for an error's text */
    ANSWER_BYTES_MAX = 128,      /* of a click */
    ANSWER_NUMBERS = 4,          /* for each: result, sequence, available, expires */
    KEYS = 2,
    ARGUMENTS = 4,
    SCRIPT_BYTES_MAX = 8192,
    SHA_BYTES = 40,
    ID_BYTES = 17,
    RESULT_OK = 1, /* of holdfast.v1.Result */
};

static char script_sha[SHA_BYTES + 1];

/* ---- before the load ----------------------------------------------------------------------- */

/* The reply stays in `reply_out`, ended by a zero. */
static void ask(int fd, const char *request, size_t request_bytes, char *reply_out, size_t room)
{
    size_t have = 0;
    talk_send(fd, request, request_bytes);
    do {
        if (have == room - 1) {
            die("a reply of Redis is longer than %zu bytes", room - 1);
        }
        have += talk_receive(fd, reply_out + have, room - 1 - have);
    } while (resp_reply_end(reply_out, reply_out + have) == NULL);
    reply_out[have] = 0;
    if (reply_out[0] == '-') {
        die("Redis says: %s", reply_out + 1);
    }
}

static void load_script(int fd, const char *path)
{
    char script[SCRIPT_BYTES_MAX];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        die("%s: %s", path, strerror(errno));
    }
    size_t script_bytes = fread(script, 1, sizeof script, file);
    fclose(file);
    if (script_bytes == 0 || script_bytes == sizeof script) {
        die("%s: empty, or not below %zu bytes", path, sizeof script);
    }
    char request[SCRIPT_BYTES_MAX + REQUEST_BYTES_MAX];
    char *to = resp_put_array(request, 3);
    to = resp_put_bulk(to, "SCRIPT", 6);
    to = resp_put_bulk(to, "LOAD", 4);
    to = resp_put_bulk(to, script, script_bytes);
    char reply[REQUEST_BYTES_MAX];
    ask(fd, request, (size_t)(to - request), reply, sizeof reply);
    const char *sha = strchr(reply, '\n');
    if (sha == NULL || strlen(sha + 1) < SHA_BYTES) {
        die("Redis does not say the script's name: %s", reply);
    }
    memcpy(script_sha, sha + 1, SHA_BYTES);
}

/* What reserve.lua reads: units free, units per buyer, the last sequence number. */
static void create_items(int fd, const struct load_options *options)
{
    for (uint64_t item = 1; item <= options->items; item++) {
        char request[REQUEST_BYTES_MAX];
        char reply[REQUEST_BYTES_MAX];
        char *to = resp_put_array(request, 8);
        to = resp_put_bulk(to, "HSET", 4);
        to = resp_put_number(to, "i:", item);
        to = resp_put_bulk(to, "available", 9);
        to = resp_put_number(to, "", options->units);
        to = resp_put_bulk(to, "limit", 5);
        to = resp_put_number(to, "", LOAD_BUYER_LIMIT);
        to = resp_put_bulk(to, "sequence", 8);
        to = resp_put_number(to, "", 0);
        ask(fd, request, (size_t)(to - request), reply, sizeof reply);
    }
}

/* ---- the dialect --------------------------------------------------------------------------- */

/* The field of a reservation: an 'r' and the 16 bytes of its id. */
static char *put_reservation(char *to, const struct click *click)
{
    char field[ID_BYTES] = "r";
    uint64_t halves[2] = {htobe64(click->id_high), htobe64(click->id_low)};
    memcpy(field + 1, halves, sizeof halves);
    return resp_put_bulk(to, field, sizeof field);
}

static char *put_request(char *to, uint64_t number, const struct click *clicks, uint64_t count)
{
    (void)number; /* Redis answers in order */
    to = resp_put_array(to, 3 + count * (KEYS + ARGUMENTS));
    to = resp_put_bulk(to, "EVALSHA", 7);
    to = resp_put_bulk(to, script_sha, SHA_BYTES);
    to = resp_put_number(to, "", count * KEYS);
    for (uint64_t i = 0; i < count; i++) {
        to = resp_put_number(to, "i:", clicks[i].item);
        to = resp_put_number(to, "x:", clicks[i].item);
    }
    for (uint64_t i = 0; i < count; i++) {
        to = resp_put_number(to, "b", clicks[i].buyer);
        to = put_reservation(to, &clicks[i]);
        to = resp_put_number(to, "", 1);
        to = resp_put_number(to, "", clicks[i].expires_ms);
    }
    return to;
}

/* An array of four numbers for each click. */
static const char *take_answer(const char *text, const char *end, uint64_t number,
                               uint64_t *accepted)
{
    (void)number;
    const char *answer_end = resp_reply_end(text, end);
    if (answer_end == NULL) {
        return NULL;
    }
    if (text[0] != '*') {
        die("Redis says: %.*s", (int)(answer_end - text), text);
    }
    const char *line = resp_line_end(text, answer_end);
    for (int i = 0; line < answer_end; i++) {
        *accepted += i % ANSWER_NUMBERS == 0 && strtol(line + 1, NULL, 10) == RESULT_OK;
        line = resp_line_end(line, answer_end);
    }
    return answer_end;
}

int main(int argc, char **argv)
{
    struct load_options options;
    const char *script = "reserve.lua";
    load_options_parse(&options, "6379", &script, argc, argv);
    struct endpoint endpoint;
    const char *unknown = endpoint_resolve(&endpoint, options.host, options.port);
    if (unknown != NULL) {
        die("%s: %s", options.host, unknown);
    }
    int fd = talk_connect(&endpoint, 0);
    load_script(fd, script);
    create_items(fd, &options);
    close(fd);
    const struct dialect dialect = {
        .request_bytes_max = REQUEST_BYTES_MAX + options.batch * CLICK_BYTES_MAX,
        .answer_bytes_max = ANSWER_HEAD_BYTES_MAX + options.batch * ANSWER_BYTES_MAX,
        .put_request = put_request,
        .take_answer = take_answer,
    };
    closed_loop_run(&options, &endpoint, &dialect);
    return 0;
}
