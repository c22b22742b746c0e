#ifndef HF_TESTS_FIXTURE_H
#define HF_TESTS_FIXTURE_H
/* What every end-to-end program needs: a scratch folder with a data directory in it and a server on
 * that. The folder is removed after success and kept, with a line that tells where, after a
 * failure. */

#include "scratch.h"
#include "server_process.h"

struct fixture {
    char scratch[SCRATCH_PATH_BYTES];
    char data[SCRATCH_PATH_BYTES + 64];
    struct server_options options; /* `data` and `cores` are set */
    struct server_process server;
};

/* Reads "PROGRAM CORES"; anything else ends the program with a usage line, and so does (as skipped)
 * a holdfastd that has not been built. */
uint32_t fixture_core_count(int argc, char **argv);

/* `more` are further arguments of the server up to a NULL, or NULL. One fixture at a time. */
void fixture_init(struct fixture *fixture, const char *name, uint32_t core_count,
                  const char *const *more);
void fixture_start(struct fixture *fixture);

/* Stops the server, ends the last situation, cleans up, and returns the exit code. */
int fixture_finish(struct fixture *fixture);

/* A number from the environment, or the default for this build. */
uint64_t fixture_size(const char *variable, uint64_t release, uint64_t sanitized);

#endif
