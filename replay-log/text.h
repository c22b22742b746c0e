#ifndef HF_REPLAY_LOG_TEXT_H
#define HF_REPLAY_LOG_TEXT_H
/* How things are written for people and for programs. */

#include "base/id.h"

#include <stdint.h>

/* One line on stderr, behind the program's name. */
__attribute__((format(printf, 1, 2))) void tell(const char *format, ...);

/* "2026-01-31T12:00:00.123Z", or "-" for 0, which stands for "none" wherever times are printed. */
enum { TEXT_TIME_BYTES = 40 };
const char *text_time(uint64_t ms, char *to);

/* 32 hexadecimal digits. */
enum { TEXT_ID_BYTES = 33 };
const char *text_id(struct id128 id, char *to);

#endif
