#ifndef HF_TESTS_CHECK_H
#define HF_TESTS_CHECK_H
/* What the end-to-end and crash programs share: a program is a list of situations, each prints one
 * line, "ok" or "FAIL", and the exit code is 0, 1 or 77 (skipped). Single-threaded. */

#include <stdbool.h>
#include <stddef.h>

enum { CHECK_SKIPPED = 77 };

/* Notes a failure with file, line and the printf-style details, and goes on. */
#define check(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__);                             \
    } while (0)

/* The same, but there is no use in going on: ends the program. */
#define check_must(condition, ...)                                                                 \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            check_failed(__FILE__, __LINE__, #condition, __VA_ARGS__);                             \
            check_give_up();                                                                       \
        }                                                                                          \
    } while (0)

__attribute__((format(printf, 4, 5))) void
check_failed(const char *file, int line, const char *condition, const char *format, ...);
_Noreturn void check_give_up(void);

/* Starts the situation of this name; the next one, or check_finish(), ends it with its line. */
void check_situation(const char *name);

/* A line of figures or of what could not be looked at, for people. */
__attribute__((format(printf, 1, 2))) void check_note(const char *format, ...);

/* Ends the last situation, prints the sum and returns the exit code. */
int check_finish(void);

/* Failures so far, in all situations. */
unsigned check_failures(void);

/* Registers what shall happen when the program gives up, such as telling where the data is. */
void check_on_give_up(void (*last_words)(void));

/* True in builds with a sanitizer: sizes are smaller there and speed is reported, not asserted. */
bool check_is_sanitized(void);

/* Milliseconds of the monotonic clock. */
double check_now_ms(void);
void check_sleep_ms(double ms);

/* Waits until there is something to be read from `fd`, or its end; false when that takes longer.
 * Time for which this program and those it waits for were stopped counts as a moment. */
bool check_wait_readable(int fd, int timeout_ms);

#endif
