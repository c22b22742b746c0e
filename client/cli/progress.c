#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BAR_CHARACTERS = 30, LINE_BYTES = 160 };

uint64_t progress_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Over the line before, of which nothing stays. */
static void write_line(struct progress *progress, const char *line)
{
    int length = (int)strlen(line);
    if (!progress->is_shown)
        return;
    fprintf(stderr, "\r%-*s", progress->length, line);
    if (length < progress->length)
        fprintf(stderr, "\r%s", line);
    fflush(stderr);
    progress->length = length;
}

void progress_begin(struct progress *progress, const char *text)
{
    *progress = (struct progress){.is_shown = isatty(STDERR_FILENO) == 1};
    write_line(progress, text);
}

void progress_count(struct progress *progress, uint32_t core_count)
{
    progress->core_count = core_count;
    progress->began_ms = progress_now_ms();
}

static void draw_bar(uint64_t done, uint64_t all, char to[BAR_CHARACTERS + 1])
{
    uint64_t filled = all > 0 ? done * BAR_CHARACTERS / all : 0;
    if (filled > BAR_CHARACTERS)
        filled = BAR_CHARACTERS;
    memset(to, ' ', BAR_CHARACTERS);
    memset(to, '=', filled);
    if (filled < BAR_CHARACTERS)
        to[filled] = '>';
    to[BAR_CHARACTERS] = '\0';
}

void progress_show(struct progress *progress, uint64_t bytes_done, uint64_t bytes,
                   uint32_t cores_done)
{
    char bar[BAR_CHARACTERS + 1];
    char line[LINE_BYTES];
    uint64_t spent_ms = progress_now_ms() - progress->began_ms;
    double per_second = spent_ms > 0 ? (double)bytes_done * 1000 / (double)spent_ms : 0;
    draw_bar(bytes_done, bytes, bar);
    snprintf(line, sizeof line,
             "[%s] %" PRIu64 " of %" PRIu64 " MiB, %.0f MiB/s, %" PRIu32 " of %" PRIu32 " cores",
             bar, bytes_done >> 20, bytes >> 20, per_second / (1 << 20), cores_done,
             progress->core_count);
    write_line(progress, line);
}

void progress_end(struct progress *progress)
{
    write_line(progress, "");
    if (progress->is_shown)
        fprintf(stderr, "\r");
}
