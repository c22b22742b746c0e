#ifndef HF_TESTS_SERVER_INSIDE_H
#define HF_TESTS_SERVER_INSIDE_H
/* A whole server inside of the test's own process, with a thread for each core, as main.c makes it.
 * So its sizes may be far below what holdfastd takes, and it can be loaded many times a second. One
 * at a time. */

#include "core/core.h"

/* Up to the loading, in this thread, and no further: the data directory stays as it is, but for a
 * torn tail. `message_out` has SERVER_MESSAGE_BYTES. */
struct server_inside_loaded {
    enum server_status status;
    struct server_totals totals; /* when it is SERVER_OK */
    bool needs_past;
};
struct server_inside_loaded
server_inside_load(const char *data, const struct server_options *options, char *message_out);

/* Starts, or the test ends. Returns the port. */
uint16_t server_inside_start(const char *data, const struct server_options *options);
void server_inside_stop(void);

#endif
