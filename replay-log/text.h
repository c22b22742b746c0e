#ifndef HF_REPLAY_LOG_TEXT_H
#define HF_REPLAY_LOG_TEXT_H
/* How things are written for people and for programs. */

#include "base/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* One line on stderr, behind the program's name. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);

/* "2026-01-31T12:00:00.123Z", or "-" for 0, which stands for "none" wherever times are printed. */
enum { TEXT_TIME_BYTES = 40 };
const char *text_time(uint64_t ms, char *to);

/* What JSON and a spreadsheet take as text. */
bool text_is_utf8(const char *text, size_t bytes);

/* "6122ff" (two letters a byte, and a terminator). */
const char *text_hex(const char *from, size_t bytes, char *to);

/* "held", "confirmed" and so on. Static memory. */
const char *text_reservation_state(int state);

/* 32 hexadecimal digits. */
enum { TEXT_ID_BYTES = 33 };
const char *text_id(struct id128 id, char *to);

#endif
