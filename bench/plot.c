#include "bench/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* gnuplot reads script and data from a pipe and writes the drawing to its standard output: so no
 * path stands in a script. That output is in memory and copied to the file from there, as gnuplot
 * ends well on a full disk too. */

__attribute__((format(printf, 2, 3))) static bool fail(struct plot *plot, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(plot->trouble, sizeof plot->trouble, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- gnuplot ------------------------------------------------------------------------------- */

/* Starts it with these as its input and output; 0 or errno. */
static int start(int in_fd, int out_fd, const char *argument, pid_t *pid_out)
{
    char *const argv[] = {(char *)"gnuplot", (char *)argument, NULL};
    posix_spawn_file_actions_t actions;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) {
        return error;
    }
    error = posix_spawn_file_actions_adddup2(&actions, in_fd, STDIN_FILENO);
    error = error != 0 ? error : posix_spawn_file_actions_adddup2(&actions, out_fd, STDOUT_FILENO);
    error = error != 0 ? error : posix_spawnp(pid_out, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static bool wait_good(pid_t pid)
{
    int status = 0;
    while (waitpid(pid, &status, 0) < 0) {
        if (errno != EINTR) {
            return false;
        }
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool find_gnuplot(struct plot *plot)
{
    int nothing_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    pid_t pid = -1;
    int error = nothing_fd >= 0 ? start(nothing_fd, nothing_fd, "--version", &pid) : errno;
    if (nothing_fd >= 0) {
        close(nothing_fd);
    }
    if (error != 0 || !wait_good(pid)) {
        return fail(plot,
                    "--plot: gnuplot cannot be started%s%s; in Debian it is in the package "
                    "gnuplot-nox",
                    error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    }
    return true;
}

static void write_head(FILE *script, const struct bench_options *options, const char *x_label)
{
    fprintf(script,
            "set terminal svg size 960,540 dynamic noenhanced font 'sans-serif,14' "
            "background rgb 'white'\n"
            "set datafile separator ','\n"
            "set title 'holdfast-bench: %s, %s, %llu connections x %llu frames of %llu'\n"
            "set xlabel '%s'\n"
            "set ylabel 'latency of clicks, us'\n"
            "set logscale y\nset grid\nset key left top\nset format y '%%.0f'\n",
            options->scenario_name, options->dist_name, (unsigned long long)options->connections,
            (unsigned long long)options->pipeline, (unsigned long long)options->batch, x_label);
}

/* Lines of some columns over the first one. */
static void write_lines(FILE *script, const char *x, const int *columns, int count)
{
    static const char *const names[] = {"p50", "p99", "p99.9", "max"};
    for (int i = 0; i < count; i++) {
        fprintf(script, "%s$data using %s:%d with linespoints pointsize 0.4 title '%s'",
                i == 0 ? "plot " : ", ", x, columns[i], names[i]);
    }
    fputc('\n', script);
}

/* Starts a gnuplot, and gives the file that its script is written to. NULL with trouble. */
static FILE *begin(struct plot *plot, pid_t *pid_out)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
        fail(plot, "--plot: %s", strerror(errno));
        return NULL;
    }
    int error = start(ends[0], plot->drawn_fd, NULL, pid_out);
    close(ends[0]);
    FILE *script = error == 0 ? fdopen(ends[1], "w") : NULL;
    if (script == NULL) {
        fail(plot, "--plot: %s", strerror(error != 0 ? error : errno));
        close(ends[1]);
        return NULL;
    }
    signal(SIGPIPE, SIG_IGN); /* a gnuplot that ends early is told by its exit code */
    return script;
}

static bool copy(int from_fd, int to_fd)
{
    char piece[16 * 1024];
    ssize_t read_bytes;
    off_t at = 0;
    while ((read_bytes = pread(from_fd, piece, sizeof piece, at)) > 0) {
        ssize_t written_bytes = write(to_fd, piece, (size_t)read_bytes);
        if (written_bytes < 0) {
            return false;
        }
        at += written_bytes;
    }
    return read_bytes == 0;
}

static bool end(struct plot *plot, const struct bench_options *options, FILE *script, pid_t pid)
{
    bool good = fclose(script) == 0;
    good = wait_good(pid) && good;
    if (!good) {
        return fail(plot, "--plot: gnuplot could not draw it");
    }
    return copy(plot->drawn_fd, plot->svg_fd) ||
           fail(plot, "cannot write '%.128s': %s", options->plot, strerror(errno));
}

/* ---- drawings ------------------------------------------------------------------------------ */

bool plot_ramp(struct plot *plot, const struct bench_options *options,
               const struct figures *medians, uint32_t rates)
{
    static const int columns[] = {2, 4, 5, 7};
    pid_t pid = -1;
    if (plot->svg_fd < 0) {
        return true;
    }
    FILE *script = begin(plot, &pid);
    if (script == NULL) {
        return false;
    }
    write_head(script, options, "clicks a second");
    fprintf(script, "set xrange [%.0f:%.0f]\n", (double)options_rate_at(options, 0) * 0.95,
            (double)options_rate_at(options, rates - 1) * 1.05);
    fputs("$data << END\n", script);
    for (uint32_t i = 0; i < rates; i++) {
        fprintf(script, "%llu", (unsigned long long)options_rate_at(options, i));
        for (int q = 0; q < FIGURES_QUANTILES; q++) {
            double us = medians[i].clicks_us[q];
            if (isnan(us)) {
                fputc(',', script);
            } else {
                fprintf(script, ",%.3f", us);
            }
        }
        fputc('\n', script);
    }
    fputs("END\n", script);
    write_lines(script, "1", columns, 4);
    return end(plot, options, script, pid);
}

bool plot_time(struct plot *plot, const struct bench_options *options)
{
    static const int columns[] = {6, 7, 8, 9};
    pid_t pid = -1;
    char line[512];
    if (plot->svg_fd < 0) {
        return true;
    }
    const char *path = plot_timeline_path(plot, options);
    FILE *timeline = fopen(path, "re");
    if (timeline == NULL) {
        return fail(plot, "--plot: cannot read '%.128s': %s", path, strerror(errno));
    }
    FILE *script = begin(plot, &pid);
    bool good = script != NULL;
    if (good) {
        write_head(script, options, "seconds since the run began");
        double last_ms = 0;
        fputs("$data << END\n", script);
        for (bool is_head = true; fgets(line, sizeof line, timeline) != NULL; is_head = false) {
            fputs(is_head ? "" : line, script);
            last_ms = is_head ? 0 : strtod(line, NULL);
        }
        /* also of a single interval */
        fprintf(script, "END\nset xrange [0:%.3f]\n", fmax(last_ms / 1e3, 0.1));
        write_lines(script, "($1/1000)", columns, 4);
        good = end(plot, options, script, pid);
    }
    fclose(timeline);
    return good;
}

/* ---- open and close ------------------------------------------------------------------------ */

/* A file in memory: it is gone with this process. */
static bool open_timeline(struct plot *plot)
{
    int fd = memfd_create("timeline", MFD_CLOEXEC);
    plot->timeline = fd >= 0 ? fdopen(fd, "r") : NULL;
    if (plot->timeline == NULL) {
        return fail(plot, "--plot: %s", strerror(errno));
    }
    snprintf(plot->timeline_path, sizeof plot->timeline_path, "/proc/self/fd/%d", fd);
    return true;
}

bool plot_open(struct plot *plot, const struct bench_options *options)
{
    memset(plot, 0, sizeof *plot);
    plot->svg_fd = -1;
    plot->drawn_fd = -1;
    if (options->plot == NULL) {
        return true;
    }
    if (!find_gnuplot(plot)) {
        return false;
    }
    plot->svg_fd = open(options->plot, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (plot->svg_fd < 0) {
        return fail(plot, "cannot write '%.128s': %s", options->plot, strerror(errno));
    }
    plot->drawn_fd = memfd_create("drawing", MFD_CLOEXEC);
    if (plot->drawn_fd < 0) {
        return fail(plot, "--plot: %s", strerror(errno));
    }
    return options->ramp.step > 0 || options->timeline != NULL || open_timeline(plot);
}

const char *plot_timeline_path(const struct plot *plot, const struct bench_options *options)
{
    return plot->timeline != NULL ? plot->timeline_path : options->timeline;
}

void plot_close(struct plot *plot)
{
    if (plot->svg_fd >= 0) {
        close(plot->svg_fd);
        plot->svg_fd = -1;
    }
    if (plot->drawn_fd >= 0) {
        close(plot->drawn_fd);
        plot->drawn_fd = -1;
    }
    if (plot->timeline != NULL) {
        fclose(plot->timeline);
        plot->timeline = NULL;
    }
}
