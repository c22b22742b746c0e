#include "address.h"

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PORT_DEFAULT = 7411 };

static bool parse_port(const char *text, uint16_t *port_out)
{
    uint32_t port = 0;
    if (*text == '\0' || strlen(text) > 5)
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        port = port * 10 + (uint32_t)(*text - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return false;
    *port_out = (uint16_t)port;
    return true;
}

static bool copy_host(const char *from, size_t bytes, char host_out[ADDRESS_HOST_BYTES])
{
    if (bytes == 0 || bytes >= ADDRESS_HOST_BYTES)
        return false;
    memcpy(host_out, from, bytes);
    host_out[bytes] = '\0';
    return true;
}

bool address_split(const char *text, char host_out[ADDRESS_HOST_BYTES], uint16_t *port_out)
{
    *port_out = PORT_DEFAULT;
    if (*text == '[') {
        const char *end = strchr(text, ']');
        if (!end || !copy_host(text + 1, (size_t)(end - text - 1), host_out))
            return false;
        return end[1] == '\0' || (end[1] == ':' && parse_port(end + 2, port_out));
    }
    const char *colon = strchr(text, ':');
    if (!colon || strchr(colon + 1, ':')) /* no port, or a v6 address without brackets */
        return copy_host(text, strlen(text), host_out);
    return copy_host(text, (size_t)(colon - text), host_out) && parse_port(colon + 1, port_out);
}

static void format_address(struct address *address)
{
    char host[48];
    char port[8];
    if (getnameinfo((const struct sockaddr *)&address->storage, address->length, host, sizeof host,
                    port, sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(address->text, sizeof address->text, "?");
    else if (address->storage.ss_family == AF_INET6)
        snprintf(address->text, sizeof address->text, "[%s]:%s", host, port);
    else
        snprintf(address->text, sizeof address->text, "%s:%s", host, port);
}

hf_error address_resolve(const char *text, struct address_list *list_out)
{
    char host[ADDRESS_HOST_BYTES];
    uint16_t port;
    if (!text || !address_split(text, host, &port))
        return HF_ERROR_ARGUMENT;
    char port_text[8];
    snprintf(port_text, sizeof port_text, "%u", port);
    struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    struct addrinfo *found;
    if (getaddrinfo(host, port_text, &hints, &found) != 0)
        return HF_ERROR_RESOLVE;
    list_out->count = 0;
    for (struct addrinfo *info = found; info; info = info->ai_next) {
        if (list_out->count == ADDRESS_COUNT_MAX)
            break;
        struct address *address = &list_out->addresses[list_out->count++];
        memset(address, 0, sizeof *address);
        memcpy(&address->storage, info->ai_addr, info->ai_addrlen);
        address->length = info->ai_addrlen;
        format_address(address);
    }
    freeaddrinfo(found);
    return list_out->count ? HF_ERROR_NONE : HF_ERROR_RESOLVE;
}
