#ifndef HF_COMPARE_CLOSED_LOOP_H
#define HF_COMPARE_CLOSED_LOOP_H
/* The load of `holdfast-bench --scenario reserve` for other servers: connections with requests in
 * flight, one thread, epoll; an answer makes room for the next request, and requests that became
 * possible in one turn go out in one send, as a pipelining client does. How a request and its
 * answer look is told by a dialect. Trouble ends the program. */

#include "bench/endpoint.h"
#include "compare/options.h"

#include <stddef.h>
#include <stdint.h>

/* One unit of an item for a buyer, under an id that no other click has. Names and the time of
 * expiry are made here, so that the server need not. */
struct click {
    uint64_t item, buyer; /* both from 1 */
    uint64_t id_high, id_low;
    uint64_t expires_ms; /* since 1970 */
};

struct dialect {
    size_t greeting_bytes;    /* what the server says first on a connection, and nobody reads */
    size_t request_bytes_max; /* of a request with a whole batch */
    size_t answer_bytes_max;

    /* Writes a connection's request `number`, counted from 0, and returns its end. */
    char *(*put_request)(char *to, uint64_t number, const struct click *clicks, uint64_t count);

    /* The end of the answer to the connection's request `number`, or NULL when it is not all there.
     * Counts in `*accepted` the clicks that were. An answer that is none, or that is to another
     * request, is trouble. */
    const char *(*take_answer)(const char *text, const char *end, uint64_t number,
                               uint64_t *accepted);
};

/* Puts the load on the server, and prints one JSON object that tells how it went. */
void closed_loop_run(const struct load_options *options, const struct endpoint *endpoint,
                     const struct dialect *dialect);

#endif
