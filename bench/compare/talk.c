#include "compare/talk.h"

#include "compare/trouble.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

enum { PATIENCE_MS = 10000 };

static void wait_for(int fd, short events)
{
    struct pollfd wanted = {.fd = fd, .events = events};
    int count = poll(&wanted, 1, PATIENCE_MS);
    if (count != 1) {
        die("%s", count == 0 ? "the server does not answer" : strerror(errno));
    }
}

int talk_connect(const struct endpoint *endpoint, size_t greeting_bytes)
{
    char greeting[256];
    int fd = endpoint_connect_begin(endpoint);
    if (fd < 0) {
        die("cannot connect: %s", strerror(errno));
    }
    wait_for(fd, POLLOUT);
    int error = 0;
    socklen_t bytes = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &bytes) != 0 || error != 0) {
        die("cannot connect: %s", strerror(error));
    }
    while (greeting_bytes > 0) {
        size_t room = greeting_bytes < sizeof greeting ? greeting_bytes : sizeof greeting;
        greeting_bytes -= talk_receive(fd, greeting, room);
    }
    return fd;
}

void talk_send(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        wait_for(fd, POLLOUT);
        ssize_t n = send(fd, bytes, count, MSG_NOSIGNAL);
        if (n < 0) {
            die("cannot send: %s", strerror(errno));
        }
        bytes += n;
        count -= (size_t)n;
    }
}

size_t talk_receive(int fd, char *bytes_out, size_t room)
{
    wait_for(fd, POLLIN);
    ssize_t n = recv(fd, bytes_out, room, 0);
    if (n <= 0) {
        die("the server closed the connection");
    }
    return (size_t)n;
}
