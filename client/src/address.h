#ifndef HF_CLIENT_ADDRESS_H
#define HF_CLIENT_ADDRESS_H
/* "host:port" to socket addresses. */

#include "holdfast.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    ADDRESS_COUNT_MAX = 16,
    ADDRESS_TEXT_BYTES = 80,
    ADDRESS_HOST_BYTES = 256,
};

struct address {
    struct sockaddr_storage storage;
    socklen_t length;
    char text[ADDRESS_TEXT_BYTES]; /* "127.0.0.1:7411", for messages */
};

struct address_list {
    struct address addresses[ADDRESS_COUNT_MAX];
    uint32_t count;
};

/* Splits "host:port", "host", "[v6]:port", "[v6]" or "v6". False when it is none of these. */
bool address_split(const char *text, char host_out[ADDRESS_HOST_BYTES], uint16_t *port_out);

/* HF_ERROR_NONE with at least one address, HF_ERROR_ARGUMENT or HF_ERROR_RESOLVE. Blocks while the
 * system looks a name up. */
hf_error address_resolve(const char *text, struct address_list *list_out);

#endif
