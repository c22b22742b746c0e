#include "check.h"

#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { PRINTED_MAX = 20 }; /* per situation: the first few failures tell the story */

static struct {
    char situation[128]; /* empty: none */
    unsigned situation_failures;
    unsigned situations;
    unsigned failures;
    double started_ms;
    void (*last_words)(void);
} run;

void check_failed(const char *file, int line, const char *condition, const char *format, ...)
{
    run.failures++;
    if (++run.situation_failures > PRINTED_MAX)
        return;
    printf("  %s:%d: (%s) is false: ", file, line, condition);
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

static void end_situation(void)
{
    if (run.situation[0] == '\0')
        return;
    if (run.situation_failures > PRINTED_MAX)
        printf("  and %u more\n", run.situation_failures - PRINTED_MAX);
    printf("%s %s (%.1f s)\n", run.situation_failures == 0 ? "ok  " : "FAIL", run.situation,
           (check_now_ms() - run.started_ms) / 1000);
    fflush(stdout);
    run.situation[0] = '\0';
}

void check_situation(const char *name)
{
    end_situation();
    snprintf(run.situation, sizeof run.situation, "%s", name);
    run.situation_failures = 0;
    run.started_ms = check_now_ms();
    run.situations++;
}

void check_note(const char *format, ...)
{
    printf("     ");
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    printf("\n");
    fflush(stdout);
}

int check_finish(void)
{
    end_situation();
    printf("%u situations, %u failures\n", run.situations, run.failures);
    return run.failures == 0 ? 0 : 1;
}

unsigned check_failures(void)
{
    return run.failures;
}

void check_on_give_up(void (*last_words)(void))
{
    run.last_words = last_words;
}

void check_give_up(void)
{
    if (run.last_words != NULL)
        run.last_words();
    exit(check_finish());
}

bool check_is_sanitized(void)
{
#ifdef HOLDFAST_SANITIZED
    return true;
#else
    return false;
#endif
}

double check_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

void check_sleep_ms(double ms)
{
    if (ms <= 0)
        return;
    const uint64_t ns = (uint64_t)(ms * 1e6);
    struct timespec pause = {.tv_sec = (time_t)(ns / 1000000000),
                             .tv_nsec = (long)(ns % 1000000000)};
    nanosleep(&pause, NULL);
}

bool check_wait_readable(int fd, int timeout_ms)
{
    enum { MOMENT_MS = 200 };
    struct pollfd wait = {.fd = fd, .events = POLLIN};
    for (int left_ms = timeout_ms;; left_ms -= MOMENT_MS) {
        const int ready = poll(&wait, 1, left_ms < MOMENT_MS ? left_ms : MOMENT_MS);
        if (ready > 0)
            return true;
        if (left_ms <= MOMENT_MS)
            return false;
    }
}
