#include "holdfast.h"

#define XXH_INLINE_ALL
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <xxhash.h>

hf_id hf_id_random(void)
{
    hf_id id = {0, 0};
    while ((id.high | id.low) == 0) {
        ssize_t got = getrandom(&id, sizeof id, 0);
        if (got != (ssize_t)sizeof id) {
            if (got < 0 && errno == EINTR) {
                id = (hf_id){0, 0};
                continue;
            }
            abort(); /* an id that is not random could name somebody else's reservation */
        }
    }
    return id;
}

static void format_u64(uint64_t value, char *text)
{
    for (int i = 15; i >= 0; i--) {
        text[i] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

void hf_id_format(hf_id id, char text_out[HF_ID_TEXT_BYTES])
{
    format_u64(id.high, text_out);
    format_u64(id.low, text_out + 16);
    text_out[32] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool hf_id_parse(const char *text, hf_id *id_out)
{
    uint64_t halves[2] = {0, 0};
    for (uint32_t i = 0; i < 32; i++) {
        int digit = hex_digit(text[i]);
        if (digit < 0)
            return false;
        halves[i / 16] = halves[i / 16] << 4 | (uint64_t)digit;
    }
    if (text[32] != '\0')
        return false;
    *id_out = (hf_id){halves[0], halves[1]};
    return true;
}

uint64_t hf_key64(const char *text)
{
    return XXH3_64bits(text, strlen(text));
}
