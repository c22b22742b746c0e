#include "compare/closed_loop.h"
#include "compare/iproto.h"
#include "compare/talk.h"
#include "compare/trouble.h"

#include <endian.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

/* tarantool-load: the closed loop, put on a Tarantool that was started with reserve_tarantool.lua.
 *
 * A request is one call of a procedure there: of reserve() for one reservation, or of
 * reserve_batch() for several in one transaction.
 *
 * Prints one JSON object. Exit codes: 0 done, 1 usage, 2 trouble. */

enum {
    ID_BYTES = 16,
    ARGUMENTS = 5, /* of a click: item, buyer, id, quantity, expires */
    CLICK_BYTES_MAX = ARGUMENTS * IPROTO_VALUE_BYTES_MAX + ID_BYTES,
    ANSWER_HEAD_BYTES_MAX = 1024, /* room for an error at length */
    ANSWER_NUMBERS = 4,           /* for each: result, sequence, available, expires */
    RESULT_OK = 1,                /* of holdfast.v1.Result */
};

static const char *answer_of(const char *text, const char *end, uint64_t sync,
                             struct iproto_answer *answer_out)
{
    enum iproto_code code = iproto_answer_read(text, end, answer_out);
    if (code == IPROTO_SHORT) {
        return NULL;
    }
    if (code == IPROTO_BROKEN) {
        die("Tarantool sends what is no answer");
    }
    if (answer_out->error != NULL) {
        die("Tarantool says: %.*s", (int)answer_out->error_bytes, answer_out->error);
    }
    if (answer_out->sync != sync) {
        die("Tarantool answers request %" PRIu64 " of a connection before %" PRIu64
            ": it refused the later one",
            answer_out->sync, sync);
    }
    return answer_out->end;
}

static void create_items(int fd, const struct load_options *options)
{
    char request[IPROTO_CALL_BYTES_MAX + 3 * IPROTO_VALUE_BYTES_MAX];
    char reply[ANSWER_HEAD_BYTES_MAX];
    char *to = iproto_call_begin(request, 0, "create_items", 3);
    to = msgpack_put_uint(to, options->items);
    to = msgpack_put_uint(to, options->units);
    to = msgpack_put_uint(to, LOAD_BUYER_LIMIT);
    iproto_call_end(request, to);
    talk_send(fd, request, (size_t)(to - request));
    struct iproto_answer answer;
    size_t have = 0;
    do {
        if (have == sizeof reply) {
            die("a reply of Tarantool is longer than %zu bytes", sizeof reply);
        }
        have += talk_receive(fd, reply + have, sizeof reply - have);
    } while (answer_of(reply, reply + have, 0, &answer) == NULL);
}

/* ---- the dialect --------------------------------------------------------------------------- */

static char *put_click(char *to, const struct click *click)
{
    uint64_t id[2] = {htobe64(click->id_high), htobe64(click->id_low)};
    to = msgpack_put_uint(to, click->item);
    to = msgpack_put_uint(to, click->buyer);
    to = msgpack_put_string(to, id, sizeof id);
    to = msgpack_put_uint(to, 1);
    return msgpack_put_uint(to, click->expires_ms);
}

static char *put_request(char *to, uint64_t number, const struct click *click, uint64_t count)
{
    (void)count;
    char *end = iproto_call_begin(to, number, "reserve", ARGUMENTS);
    end = put_click(end, click);
    iproto_call_end(to, end);
    return end;
}

/* One argument: the clicks in a row. */
static char *put_batch(char *to, uint64_t number, const struct click *clicks, uint64_t count)
{
    char *end = iproto_call_begin(to, number, "reserve_batch", 1);
    end = msgpack_put_array(end, (uint32_t)count * ARGUMENTS);
    for (uint64_t i = 0; i < count; i++) {
        end = put_click(end, &clicks[i]);
    }
    iproto_call_end(to, end);
    return end;
}

/* Four numbers for each click, in one array. */
static void count_accepted(const char *at, const char *end, uint64_t *accepted)
{
    uint32_t numbers;
    at = msgpack_read_array(at, end, &numbers);
    for (uint32_t i = 0; i < numbers && at != NULL; i++) {
        uint64_t number;
        at = msgpack_read_uint(at, end, &number);
        *accepted += at != NULL && i % ANSWER_NUMBERS == 0 && number == RESULT_OK;
    }
    if (at == NULL) {
        die("Tarantool returns what the procedure does not");
    }
}

static const char *take_answer(const char *text, const char *end, uint64_t number,
                               uint64_t *accepted)
{
    struct iproto_answer answer;
    if (answer_of(text, end, number, &answer) == NULL) {
        return NULL;
    }
    count_accepted(answer.data, answer.end, accepted);
    return answer.end;
}

/* The array is the only value that the procedure returns. */
static const char *take_batch(const char *text, const char *end, uint64_t number,
                              uint64_t *accepted)
{
    struct iproto_answer answer;
    uint32_t values;
    if (answer_of(text, end, number, &answer) == NULL) {
        return NULL;
    }
    const char *first = msgpack_read_array(answer.data, answer.end, &values);
    if (first == NULL || values != 1) {
        die("Tarantool returns what the procedure does not");
    }
    count_accepted(first, answer.end, accepted);
    return answer.end;
}

int main(int argc, char **argv)
{
    struct load_options options;
    load_options_parse(&options, "3301", NULL, argc, argv);
    struct endpoint endpoint;
    const char *unknown = endpoint_resolve(&endpoint, options.host, options.port);
    if (unknown != NULL) {
        die("%s: %s", options.host, unknown);
    }
    int fd = talk_connect(&endpoint, IPROTO_GREETING_BYTES);
    create_items(fd, &options);
    close(fd);
    const struct dialect dialect = {
        .greeting_bytes = IPROTO_GREETING_BYTES,
        .request_bytes_max = IPROTO_CALL_BYTES_MAX + options.batch * CLICK_BYTES_MAX,
        .answer_bytes_max =
            ANSWER_HEAD_BYTES_MAX + options.batch * ANSWER_NUMBERS * IPROTO_VALUE_BYTES_MAX,
        .put_request = options.batch > 1 ? put_batch : put_request,
        .take_answer = options.batch > 1 ? take_batch : take_answer,
    };
    closed_loop_run(&options, &endpoint, &dialect);
    return 0;
}
