#include "server_process.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 48, START_TIMEOUT_MS = 60000, STOP_TIMEOUT_MS = 60000 };

static const char *server_program(void)
{
    const char *other = getenv("HOLDFAST_SERVER");
    return other != NULL ? other : HOLDFAST_BIN_DIR "/holdfastd";
}

bool server_is_built(void)
{
    return access(server_program(), X_OK) == 0;
}

/* ------------------------------------------------------------------------------------------------
 * In the child, between fork and exec
 * ---------------------------------------------------------------------------------------------- */

/* io_uring_setup(2) answers EPERM; everything else goes through. */
static void block_io_uring(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(126);
}

static void become(uid_t uid)
{
    if (setgroups(0, NULL) != 0 || setgid(uid) != 0 || setuid(uid) != 0)
        _exit(126);
}

_Noreturn static void run_server(const struct server_options *options, char *const *arguments,
                                 int stdout_fd, const char *stderr_path, pid_t parent)
{
    const int stderr_fd = open(stderr_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    const int stdin_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    /* Opened as the caller: another user may not be let into the folders above it. */
    const int program_fd = open(arguments[0], O_RDONLY | O_CLOEXEC);
    if (stderr_fd < 0 || stdin_fd < 0 || program_fd < 0)
        _exit(126);
    dup2(stdin_fd, STDIN_FILENO);
    dup2(stdout_fd, STDOUT_FILENO);
    dup2(stderr_fd, STDERR_FILENO);
    if (options->standard_files_closed) {
        close(STDIN_FILENO);
        close(STDERR_FILENO);
    }
    setenv("ASAN_OPTIONS", "exitcode=99:abort_on_error=0", 0);
    setenv("UBSAN_OPTIONS", "exitcode=99:print_stacktrace=1", 0);
    setenv("TSAN_OPTIONS", "exitcode=99", 0);
    if (options->uid != 0)
        become(options->uid);
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* after setuid, which clears it */
    if (getppid() != parent)
        _exit(126);
    if (options->io_uring_blocked)
        block_io_uring();
    fexecve(program_fd, arguments, environ);
    _exit(127);
}

/* ------------------------------------------------------------------------------------------------
 * Start
 * ---------------------------------------------------------------------------------------------- */

static void add_argument(char **arguments, size_t *count, const char *text)
{
    check_must(*count < ARGUMENTS_MAX, "too many arguments");
    arguments[(*count)++] = strdup(text);
}

static size_t build_arguments(const struct server_options *options, char **arguments)
{
    size_t count = 0;
    add_argument(arguments, &count, server_program());
    if (options->data != NULL) {
        add_argument(arguments, &count, "--data");
        add_argument(arguments, &count, options->data);
    }
    add_argument(arguments, &count, "--listen");
    add_argument(arguments, &count, options->listen != NULL ? options->listen : "127.0.0.1:0");
    if (options->cores != 0) {
        char cores[16];
        snprintf(cores, sizeof cores, "%" PRIu32, options->cores);
        add_argument(arguments, &count, "--cores");
        add_argument(arguments, &count, cores);
    }
    for (size_t i = 0; options->more != NULL && options->more[i] != NULL; i++)
        add_argument(arguments, &count, options->more[i]);
    arguments[count] = NULL;
    return count;
}

void server_spawn(struct server_process *server, const struct server_options *options,
                  const char *scratch)
{
    static unsigned start_count;
    char *arguments[ARGUMENTS_MAX + 1];
    int pipe_fds[2];

    *server = (struct server_process){.stdout_fd = -1};
    snprintf(server->stderr_path, sizeof server->stderr_path, "%s/stderr-%03u", scratch,
             ++start_count);
    const size_t count = build_arguments(options, arguments);
    check_must(pipe2(pipe_fds, O_CLOEXEC) == 0, "pipe: %s", strerror(errno));
    fflush(stdout);
    const pid_t parent = getpid();
    server->pid = fork();
    check_must(server->pid >= 0, "fork: %s", strerror(errno));
    if (server->pid == 0)
        run_server(options, arguments, pipe_fds[1], server->stderr_path, parent);
    close(pipe_fds[1]);
    server->stdout_fd = pipe_fds[0];
    for (size_t i = 0; i < count; i++)
        free(arguments[i]);
}

static void note_exit(struct server_process *server, int status)
{
    server->exit_code =
        WIFEXITED(status) ? WEXITSTATUS(status) : SERVER_EXIT_SIGNAL + WTERMSIG(status);
    server->pid = 0;
    close(server->stdout_fd);
    server->stdout_fd = -1;
}

/* Reads up to a newline. False at the end of the file or when nothing comes for so long. */
static bool read_line(int fd, char *line, size_t line_bytes, int timeout_ms)
{
    size_t used = 0;
    while (used + 1 < line_bytes) {
        if (!check_wait_readable(fd, timeout_ms) || read(fd, line + used, 1) != 1)
            return false;
        if (line[used] == '\n') {
            line[used] = '\0';
            return true;
        }
        used++;
    }
    return false;
}

bool server_wait_ready(struct server_process *server, int timeout_ms)
{
    char line[256];
    if (read_line(server->stdout_fd, line, sizeof line, timeout_ms)) {
        unsigned port = 0;
        check(sscanf(line, "holdfastd ready on 127.0.0.1:%u", &port) == 1 && port < 65536,
              "ready line: \"%s\"", line);
        server->port = (uint16_t)port;
        return true;
    }
    enum { EXIT_GRACE_MS = 2000 };
    if (!server_wait_exit(server, EXIT_GRACE_MS)) {
        check(false, "neither ready nor ended within %d ms", timeout_ms);
        server_kill(server);
    }
    return false;
}

bool server_try_start(struct server_process *server, const struct server_options *options,
                      const char *scratch, int timeout_ms)
{
    server_spawn(server, options, scratch);
    return server_wait_ready(server, timeout_ms);
}

/* A port that a server had before may meanwhile be the local one of somebody's connection. */
static bool is_port_taken(const struct server_process *server, const struct server_options *options)
{
    enum { EXIT_CANNOT_LISTEN = 8 };
    return options->listen != NULL && server->exit_code == EXIT_CANNOT_LISTEN;
}

void server_start(struct server_process *server, const struct server_options *options,
                  const char *scratch)
{
    enum { TRIES_MAX = 100, PAUSE_MS = 100 };
    for (int i = 0; i < TRIES_MAX; i++) {
        if (server_try_start(server, options, scratch, START_TIMEOUT_MS))
            return;
        if (!is_port_taken(server, options))
            break;
        check_sleep_ms(PAUSE_MS);
    }
    char *said = server_stderr(server);
    check_must(false, "holdfastd did not start, exit code %d, stderr:\n%s", server->exit_code,
               said);
}

/* ------------------------------------------------------------------------------------------------
 * Stop
 * ---------------------------------------------------------------------------------------------- */

void server_signal(const struct server_process *server, int signal_number)
{
    check_must(server->pid > 0, "the server does not run");
    kill(server->pid, signal_number);
}

bool server_wait_exit(struct server_process *server, int timeout_ms)
{
    if (server->pid == 0)
        return true;
    const int pid_fd = (int)syscall(SYS_pidfd_open, server->pid, 0);
    check_must(pid_fd >= 0, "pidfd_open: %s", strerror(errno));
    const bool has_ended = check_wait_readable(pid_fd, timeout_ms);
    close(pid_fd);
    if (!has_ended)
        return false;
    int status = 0;
    waitpid(server->pid, &status, 0);
    note_exit(server, status);
    return true;
}

void server_stop(struct server_process *server)
{
    server_signal(server, SIGTERM);
    if (!server_wait_exit(server, STOP_TIMEOUT_MS)) {
        check(false, "still running %d ms after SIGTERM", STOP_TIMEOUT_MS);
        server_kill(server);
        return;
    }
    if (server->exit_code != SERVER_EXIT_OK) {
        char *said = server_stderr(server);
        check(false, "exit code %d after SIGTERM, stderr:\n%s", server->exit_code, said);
        free(said);
    }
}

void server_kill(struct server_process *server)
{
    if (server->pid == 0)
        return;
    kill(server->pid, SIGKILL);
    int status = 0;
    waitpid(server->pid, &status, 0);
    note_exit(server, status);
}

/* ------------------------------------------------------------------------------------------------
 * What it said
 * ---------------------------------------------------------------------------------------------- */

char *server_stderr(const struct server_process *server)
{
    enum { STDERR_BYTES_MAX = 1 << 20 };
    char *text = calloc(1, STDERR_BYTES_MAX + 1);
    FILE *file = fopen(server->stderr_path, "r");
    check_must(text != NULL && file != NULL, "%s: %s", server->stderr_path, strerror(errno));
    const size_t used = fread(text, 1, STDERR_BYTES_MAX, file);
    text[used] = '\0';
    fclose(file);
    return text;
}

bool server_said(const struct server_process *server, const char *text)
{
    char *said = server_stderr(server);
    const bool found = strcasestr(said, text) != NULL;
    free(said);
    return found;
}

static bool find_state_hash(const struct server_process *server, bool at_stop, uint64_t *hash_out)
{
    char *said = server_stderr(server);
    bool found = false;
    for (char *at = strstr(said, "state hash "); at != NULL && !found;
         at = strstr(at + 1, "state hash ")) {
        unsigned long long hash;
        int length = 0;
        if (sscanf(at, "state hash %16llx%n", &hash, &length) != 1 || length == 0)
            continue;
        const bool is_at_stop = strncmp(at + length, " at stop", 8) == 0;
        if (is_at_stop == at_stop) {
            *hash_out = hash;
            found = true;
        }
    }
    free(said);
    return found;
}

bool server_state_hash_at_start(const struct server_process *server, uint64_t *hash_out)
{
    return find_state_hash(server, false, hash_out);
}

bool server_state_hash_at_stop(const struct server_process *server, uint64_t *hash_out)
{
    return find_state_hash(server, true, hash_out);
}
