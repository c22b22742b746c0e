#ifndef HF_BENCH_ENDPOINT_H
#define HF_BENCH_ENDPOINT_H
/* Where the server listens: looked up once, connected to often. */

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct endpoint {
    struct sockaddr_storage address;
    socklen_t address_bytes;
};

/* NULL, or what is wrong with the name; static text. */
const char *endpoint_resolve(struct endpoint *endpoint_out, const char *host, const char *port);

/* A non-blocking TCP socket whose connect has begun, without Nagle's delay; or -1 with errno. */
int endpoint_connect_begin(const struct endpoint *endpoint);

/* CLOCK_MONOTONIC in nanoseconds. */
uint64_t monotonic_ns(void);
void sleep_until(uint64_t ns);

#endif
