/* What io/io.h does with sockets without the ring: plain system calls. Linked with io_ring.c. */

#include "io/io.h"

#include "base/assert.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

enum { LISTEN_BACKLOG = 4096 };

static int set_option(int fd, int level, int name)
{
    int on = 1;
    return setsockopt(fd, level, name, &on, sizeof on) == 0 ? 0 : -errno;
}

static int listen_at(const struct addrinfo *address, bool is_shared)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int error = set_option(fd, SOL_SOCKET, SO_REUSEADDR);
    if (error == 0 && is_shared)
        error = set_option(fd, SOL_SOCKET, SO_REUSEPORT);
    if (error == 0)
        error = set_option(fd, IPPROTO_TCP, TCP_NODELAY);
    if (error == 0 && bind(fd, address->ai_addr, address->ai_addrlen) != 0)
        error = -errno;
    if (error == 0 && listen(fd, LISTEN_BACKLOG) != 0)
        error = -errno;
    if (error == 0)
        return fd;
    close(fd);
    return error;
}

int io_listen(struct io *io, const char *host, const char *port, bool is_shared)
{
    (void)io;
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses = NULL;
    if (getaddrinfo(host, port, &hints, &addresses) != 0)
        return -EINVAL;
    int fd = -EINVAL;
    for (struct addrinfo *address = addresses; address != NULL && fd < 0;
         address = address->ai_next)
        fd = listen_at(address, is_shared);
    freeaddrinfo(addresses);
    return fd;
}

uint16_t io_listen_port(struct io *io, int listen_fd)
{
    (void)io;
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {0};
    socklen_t address_bytes = sizeof address;
    int failed = getsockname(listen_fd, &address.any, &address_bytes);
    hf_assert(failed == 0);
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}

void io_shutdown_send(struct io *io, int fd)
{
    (void)io;
    (void)shutdown(fd, SHUT_WR); /* ENOTCONN: the other side was faster */
}

void io_shutdown(struct io *io, int fd)
{
    (void)io;
    (void)shutdown(fd, SHUT_RDWR); /* ENOTCONN: the other side was faster */
}

void io_close(struct io *io, int fd)
{
    (void)io;
    (void)close(fd);
}
