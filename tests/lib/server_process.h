#ifndef HF_TESTS_SERVER_PROCESS_H
#define HF_TESTS_SERVER_PROCESS_H
/* holdfastd as a child process: start it, wait for its ready line, stop or kill it, read what it
 * said. A server never outlives the test: it gets SIGKILL when its parent ends. Start servers from
 * the main thread only, because that signal is tied to the thread. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What a sanitizer's finding makes of the exit code, so that it can't be taken for one of
 * holdfastd's own. */
enum { SERVER_EXIT_SANITIZER = 99, SERVER_EXIT_SIGNAL = 128 /* + signal number */ };

/* Exit codes of holdfastd. */
enum {
    SERVER_EXIT_OK = 0,
    SERVER_EXIT_USAGE = 1,
    SERVER_EXIT_NO_IO_URING = 2,
    SERVER_EXIT_DAMAGED = 3,
    SERVER_EXIT_IO = 4,
    SERVER_EXIT_IN_USE = 5,
    SERVER_EXIT_VERSION = 6,
    SERVER_EXIT_PERMISSION = 7,
    SERVER_EXIT_LISTEN = 8,
    SERVER_EXIT_MEMORY = 9,
};

struct server_options {
    const char *data;           /* --data; NULL leaves the option out */
    uint32_t cores;             /* --cores; 0 leaves the option out */
    const char *listen;         /* --listen; NULL = 127.0.0.1:0 */
    const char *const *more;    /* further arguments up to a NULL, or NULL */
    uid_t uid;                  /* run as this user; 0 = as the caller */
    bool io_uring_blocked;      /* io_uring_setup(2) fails with EPERM, as in Docker's profile */
    bool standard_files_closed; /* but standard output, which tells that it is ready */
};

struct server_process {
    pid_t pid; /* 0 when it does not run */
    uint16_t port;
    int stdout_fd;
    int exit_code; /* once it has ended: its own, or SERVER_EXIT_SIGNAL + signal */
    char stderr_path[1200];
};

/* True when the program under test has been built. */
bool server_is_built(void);

/* Starts and waits up to `timeout_ms` for the ready line. `scratch` is a folder for what it writes
 * to stderr. False when it ended instead (`exit_code` tells) or did not get ready in time (it is
 * killed then). */
bool server_try_start(struct server_process *server, const struct server_options *options,
                      const char *scratch, int timeout_ms);

/* The same without waiting: the server is spawned and its port not yet known. */
void server_spawn(struct server_process *server, const struct server_options *options,
                  const char *scratch);
bool server_wait_ready(struct server_process *server, int timeout_ms);

/* server_try_start(), or the test ends with the server's stderr. */
void server_start(struct server_process *server, const struct server_options *options,
                  const char *scratch);

void server_signal(const struct server_process *server, int signal_number);

/* Waits for the end; false when it has not come in time. */
bool server_wait_exit(struct server_process *server, int timeout_ms);

/* SIGTERM and a clean end with exit code 0, or a failed check. */
void server_stop(struct server_process *server);

/* SIGKILL, and waits. */
void server_kill(struct server_process *server);

/* All of stderr so far, to be freed by the caller. */
char *server_stderr(const struct server_process *server);
bool server_said(const struct server_process *server, const char *text);

/* The hash in the "state hash" line at start (or at stop). False when there is no such line. */
bool server_state_hash_at_start(const struct server_process *server, uint64_t *hash_out);
bool server_state_hash_at_stop(const struct server_process *server, uint64_t *hash_out);

#endif
