#ifndef HF_BASE_UNITS_H
#define HF_BASE_UNITS_H
/* Numbers with units, as people write them in flags and files. Pure; any thread.
 *
 * All take the whole text or refuse it: no sign, no spaces, no leftover characters, no overflow. */

#include <stdbool.h>
#include <stdint.h>

/* "250ms", "15m", "1h30m", "24h", "7d": units ms, s, m, h, d, each once, the larger first. A number
 * without a unit is refused, but for "0". */
bool units_parse_duration_ms(const char *text, uint64_t *ms_out);

/* "4096", "64KiB", "64MiB", "1GiB", "1TiB"; a number alone is bytes. */
bool units_parse_bytes(const char *text, uint64_t *bytes_out);

/* "1000", "10k", "1M", "2G": powers of a thousand. */
bool units_parse_count(const char *text, uint64_t *count_out);

/* Writes "15m", "1h30m", "250ms" (at most 40 bytes, with terminator). */
enum { UNITS_TEXT_BYTES_MAX = 40 };
void units_format_duration_ms(uint64_t ms, char *to);

#endif
