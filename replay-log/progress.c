#include "progress.h"

#include "output.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { DRAW_EVERY_MS = 200, BAR_COLUMNS = 24 };

static struct {
    bool is_shown;
    bool is_drawn; /* the line stands there */
    const char *what;
    uint64_t bytes;
    uint64_t bytes_done;
    uint64_t begun_ms;
    uint64_t drawn_ms;
} line;

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(const char *what, uint64_t bytes)
{
    progress_end();
    line.is_shown = isatty(STDERR_FILENO) != 0;
    line.what = what;
    line.bytes = bytes;
    line.bytes_done = 0;
    line.begun_ms = line.drawn_ms = now_ms();
}

/* "reading  [############            ]  52 %  512 of 987 MiB  820 MiB/s  1 s left" */
static void draw(uint64_t now)
{
    char bar[BAR_COLUMNS + 1];
    const double spent_s = (double)(now - line.begun_ms) / 1000;
    const uint64_t done = line.bytes_done;
    /* More than was expected comes when a log grows, or is read again from some place on. */
    const uint64_t all = line.bytes > done ? line.bytes : done;
    const double part = all == 0 ? 1 : (double)done / (double)all;
    const double left_s = part > 0 ? spent_s * (1 - part) / part : 0;
    memset(bar, ' ', BAR_COLUMNS);
    memset(bar, '#', (size_t)(part * BAR_COLUMNS));
    bar[BAR_COLUMNS] = '\0';
    fprintf(stderr,
            "\r%s  [%s] %3d %%  %" PRIu64 " of %" PRIu64 " MiB  %.0f MiB/s  %.0f s left\x1b[K",
            line.what, bar, (int)(part * 100), done >> 20, all >> 20,
            (double)done / 1048576 / spent_s, left_s);
    fflush(stderr);
    line.drawn_ms = now;
    line.is_drawn = true;
}

void progress_add(uint64_t bytes)
{
    output_heed_signals();
    if (!line.is_shown)
        return;
    line.bytes_done += bytes;
    const uint64_t now = now_ms();
    if (now - line.drawn_ms >= DRAW_EVERY_MS)
        draw(now);
}

void progress_clear(void)
{
    if (!line.is_drawn)
        return;
    fputs("\r\x1b[K", stderr);
    fflush(stderr);
    line.is_drawn = false;
}

void progress_end(void)
{
    progress_clear();
    line.is_shown = false;
}
