#ifndef HF_CLI_VALUE_H
#define HF_CLI_VALUE_H
/* Values of options and CSV cells: one reader for each kind of value, with one sentence that tells
 * what it takes. */

#include <stdbool.h>
#include <stdint.h>

/* "1234" or "0x4d2". */
#define VALUE_U64_HELP "a number such as 1234 or 0x4d2"
bool value_parse_u64(const char *text, uint64_t *value_out);

/* "1000", "10k"; at most 4,294,967,295. */
#define VALUE_COUNT_HELP "a count such as 2, 1000 or 10k"
bool value_parse_count(const char *text, uint32_t *value_out);

/* A count, or "unlimited" or "-1". */
#define VALUE_STOCK_HELP "a count such as 1000 or 10k, or unlimited"
bool value_parse_stock(const char *text, int64_t *value_out);

#define VALUE_BOOL_HELP "yes or no"
bool value_parse_bool(const char *text, bool *value_out);

#define VALUE_DURATION_HELP       "a time span such as 500ms, 15m or 1h30m"
#define VALUE_MOMENT_HELP         "a time such as 2026-11-27T20:00:00Z, or +15m from now"
#define VALUE_MOMENT_OR_NONE_HELP VALUE_MOMENT_HELP ", or none"

/* Well-formed UTF-8, 1 to HF_SKU_BYTES_MAX bytes, without control characters. */
#define VALUE_SKU_HELP "1 to 64 bytes of UTF-8 without control characters"
bool value_is_sku(const char *text);

#endif
