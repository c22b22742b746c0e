#ifndef HF_COMPARE_TALK_H
#define HF_COMPARE_TALK_H
/* A conversation with the server in which one side waits for the other: for what comes before the
 * load. Trouble ends the program. */

#include "bench/endpoint.h"

/* A connected, non-blocking socket, behind the `greeting_bytes` that the server says first. */
int talk_connect(const struct endpoint *endpoint, size_t greeting_bytes);

/* Sends all of it. */
void talk_send(int fd, const char *bytes, size_t count);

/* Waits for more, and returns how many bytes came: at least 1. */
size_t talk_receive(int fd, char *bytes_out, size_t room);

#endif
