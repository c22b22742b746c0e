#ifndef HF_TESTS_LOG_PROGRAM_H
#define HF_TESTS_LOG_PROGRAM_H
/* holdfast-log as the shell sees it: runs it and keeps what it prints. HOLDFAST_LOG_PROGRAM comes
 * from the build. */

#include <criterion/criterion.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOG_PROGRAM_OUTPUT_BYTES_MAX = 4 << 20 };

static char output[LOG_PROGRAM_OUTPUT_BYTES_MAX]; /* of the last run, stdout and stderr */
static uint64_t output_limit_bytes;               /* of files that it may write; 0 = any */

static inline void log_program_exec(const char *const *arguments, int output_fd)
{
    const char *all[32] = {HOLDFAST_LOG_PROGRAM};
    for (size_t i = 0; arguments[i] != NULL && i < 30; i++)
        all[i + 1] = arguments[i];
    if (output_limit_bytes != 0) {
        const struct rlimit limit = {output_limit_bytes, output_limit_bytes};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
    }
    dup2(output_fd, STDOUT_FILENO);
    dup2(output_fd, STDERR_FILENO);
    execv(HOLDFAST_LOG_PROGRAM, (char *const *)(uintptr_t)all);
    _exit(127);
}

/* Starts it; its output comes through `*fd_out`. */
static inline pid_t log_program_start(const char *const *arguments, int *fd_out)
{
    int ends[2];
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        log_program_exec(arguments, ends[1]);
    close(ends[1]);
    *fd_out = ends[0];
    return child;
}

static inline int log_program_run(const char *const *arguments)
{
    int fd;
    int status;
    const pid_t child = log_program_start(arguments, &fd);
    size_t bytes = 0;
    for (ssize_t now; (now = read(fd, output + bytes, sizeof output - 1 - bytes)) > 0;)
        bytes += (size_t)now;
    output[bytes] = '\0';
    close(fd);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "%.2000s", output);
    return WEXITSTATUS(status);
}

/* run("verify", "--json", path): its exit code. */
#define run(...) log_program_run((const char *const[]){__VA_ARGS__, NULL})

static inline void expect_output(const char *part)
{
    cr_expect(strstr(output, part) != NULL, "\"%s\" is not in:\n%s", part, output);
}

static inline void expect_no_output(const char *part)
{
    cr_expect(strstr(output, part) == NULL, "\"%s\" is in:\n%s", part, output);
}

static inline uint32_t line_count(void)
{
    uint32_t count = 0;
    for (const char *at = output; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    return count;
}

/* The JSON that was printed behind lines of stderr, which are not JSON. */
static inline json_t *output_json(void)
{
    const char *begin = output[0] == '{' ? output : strstr(output, "\n{");
    cr_assert(begin != NULL, "no JSON in:\n%s", output);
    json_error_t error;
    json_t *object = json_loads(begin, JSON_DISABLE_EOF_CHECK, &error);
    cr_assert(object != NULL, "%s in:\n%s", error.text, output);
    return object;
}

/* "a.b.0.c" of JSON. */
static inline const json_t *json_at(const json_t *object, const char *path)
{
    char word[64];
    while (*path != '\0' && object != NULL) {
        const size_t bytes = strcspn(path, ".");
        memcpy(word, path, bytes);
        word[bytes] = '\0';
        path += bytes + (path[bytes] == '.');
        object = json_is_array(object) ? json_array_get(object, (size_t)strtoul(word, NULL, 10))
                                       : json_object_get(object, word);
    }
    return object;
}

static inline int64_t json_number(const json_t *object, const char *path)
{
    const json_t *value = json_at(object, path);
    cr_assert(json_is_integer(value), "%s is no number in:\n%s", path, output);
    return json_integer_value(value);
}

static inline const char *json_text(const json_t *object, const char *path)
{
    const json_t *value = json_at(object, path);
    cr_assert(json_is_string(value), "%s is no text in:\n%s", path, output);
    return json_string_value(value);
}

#endif
