#include "value.h"

#include "base/units.h"

#include <holdfast.h>
#include <string.h>

static int digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 16;
}

bool value_parse_u64(const char *text, uint64_t *value_out)
{
    int base = 10;
    if (text[0] == '0' && text[1] == 'x') {
        base = 16;
        text += 2;
    }
    uint64_t value = 0;
    if (*text == '\0')
        return false;
    for (; *text; text++) {
        int digit = digit_value(*text);
        if (digit >= base || __builtin_mul_overflow(value, (uint64_t)base, &value) ||
            __builtin_add_overflow(value, (uint64_t)digit, &value))
            return false;
    }
    *value_out = value;
    return true;
}

bool value_parse_count(const char *text, uint32_t *value_out)
{
    uint64_t value;
    if (!units_parse_count(text, &value) || value > UINT32_MAX)
        return false;
    *value_out = (uint32_t)value;
    return true;
}

bool value_parse_stock(const char *text, int64_t *value_out)
{
    uint64_t value;
    if (strcmp(text, "unlimited") == 0 || strcmp(text, "-1") == 0) {
        *value_out = HF_UNLIMITED;
        return true;
    }
    if (!units_parse_count(text, &value) || value > INT64_MAX)
        return false;
    *value_out = (int64_t)value;
    return true;
}

bool value_parse_bool(const char *text, bool *value_out)
{
    static const char *const words[2][3] = {{"no", "false", "0"}, {"yes", "true", "1"}};
    for (int value = 0; value < 2; value++) {
        for (int i = 0; i < 3; i++) {
            if (strcmp(text, words[value][i]) == 0) {
                *value_out = value == 1;
                return true;
            }
        }
    }
    return false;
}

/* The length of the UTF-8 character at `at`, or 0 when it is none or a control character. The text
 * ends with a NUL, which is no byte of a character, so that reading stops there. */
static size_t character_bytes(const unsigned char *at)
{
    if (at[0] < 0x80)
        return at[0] >= 0x20 && at[0] != 0x7f;
    size_t bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    uint32_t value = at[0] & (0xffu >> (bytes + 1));
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < bytes; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | (at[i] & 0x3fu);
    }
    bool is_overlong = (bytes == 3 && value < 0x800) || (bytes == 4 && value < 0x10000);
    bool is_surrogate = value >= 0xd800 && value <= 0xdfff;
    bool is_control = value >= 0x80 && value < 0xa0;
    return is_overlong || is_surrogate || is_control || value > 0x10ffff ? 0 : bytes;
}

bool value_is_sku(const char *text)
{
    size_t length = strlen(text);
    if (length == 0 || length > HF_SKU_BYTES_MAX)
        return false;
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t bytes = character_bytes(at);
        if (bytes == 0)
            return false;
        at += bytes;
    }
    return true;
}
