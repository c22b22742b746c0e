#include "text.h"

#include "progress.h"

#include "stock/stock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    progress_clear();
    fflush(stdout); /* so that the line stands where it belongs when both go to one place */
    fputs("holdfast-log: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

const char *text_time(uint64_t ms, char *to)
{
    struct tm utc;
    const time_t seconds = (time_t)(ms / 1000);
    char date[24];
    if (ms == 0)
        snprintf(to, TEXT_TIME_BYTES, "-");
    else if (gmtime_r(&seconds, &utc) == NULL ||
             strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S", &utc) == 0)
        snprintf(to, TEXT_TIME_BYTES, "%" PRIu64 "ms", ms); /* beyond any calendar */
    else
        snprintf(to, TEXT_TIME_BYTES, "%s.%03uZ", date, (unsigned)(ms % 1000));
    return to;
}

const char *text_id(struct id128 id, char *to)
{
    snprintf(to, TEXT_ID_BYTES, "%016" PRIx64 "%016" PRIx64, id.high, id.low);
    return to;
}

/* Length of the sequence that a byte begins; 0 for one that begins none. */
static size_t sequence_bytes(uint8_t first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xc2 && first < 0xe0)
        return 2;
    if (first >= 0xe0 && first < 0xf0)
        return 3;
    return first >= 0xf0 && first < 0xf5 ? 4 : 0;
}

/* Neither longer than it has to be nor beyond what Unicode has, surrogates included. */
static bool is_second_byte(uint8_t first, uint8_t second)
{
    const uint8_t least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const uint8_t most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    return second >= least && second <= most;
}

bool text_is_utf8(const char *text, size_t bytes)
{
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *const end = at + bytes;
    while (at < end) {
        const size_t length = sequence_bytes(*at);
        if (length == 0 || length > (size_t)(end - at))
            return false;
        if (length > 1 && !is_second_byte(at[0], at[1]))
            return false;
        for (size_t i = 2; i < length; i++)
            if (at[i] < 0x80 || at[i] > 0xbf)
                return false;
        at += length;
    }
    return true;
}

const char *text_hex(const char *from, size_t bytes, char *to)
{
    for (size_t i = 0; i < bytes; i++)
        snprintf(to + 2 * i, 3, "%02x", (uint8_t)from[i]);
    to[2 * bytes] = '\0';
    return to;
}

const char *text_reservation_state(int state)
{
    switch (state) {
    case STOCK_STATE_HELD:
        return "held";
    case STOCK_STATE_CONFIRMED:
        return "confirmed";
    case STOCK_STATE_CANCELLED:
        return "cancelled";
    case STOCK_STATE_EXPIRED:
        return "expired";
    default:
        return "?";
    }
}
