#include "fixture.h"

#include "check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { CORE_COUNT_MAX = 64 };

static struct fixture *current; /* for the last words */

uint32_t fixture_core_count(int argc, char **argv)
{
    const long cores = argc == 2 ? strtol(argv[1], NULL, 10) : 0;
    if (cores < 1 || cores > CORE_COUNT_MAX) {
        fprintf(stderr, "usage: %s CORES\n", argv[0]);
        exit(2);
    }
    if (!server_is_built()) {
        printf("skipped: holdfastd has not been built\n");
        exit(CHECK_SKIPPED);
    }
    return (uint32_t)cores;
}

static void tell_where_the_data_is(void)
{
    printf("the data directory is kept: %s\n", current->data);
}

void fixture_init(struct fixture *fixture, const char *name, uint32_t core_count,
                  const char *const *more)
{
    *fixture = (struct fixture){0};
    scratch_make(name, fixture->scratch);
    snprintf(fixture->data, sizeof fixture->data, "%s/data", fixture->scratch);
    fixture->options =
        (struct server_options){.data = fixture->data, .cores = core_count, .more = more};
    current = fixture;
    check_on_give_up(tell_where_the_data_is);
}

void fixture_start(struct fixture *fixture)
{
    server_start(&fixture->server, &fixture->options, fixture->scratch);
}

int fixture_finish(struct fixture *fixture)
{
    if (fixture->server.pid != 0)
        server_stop(&fixture->server);
    const int exit_code = check_finish();
    if (exit_code == 0)
        scratch_remove(fixture->scratch);
    else
        tell_where_the_data_is();
    return exit_code;
}

uint64_t fixture_size(const char *variable, uint64_t release, uint64_t sanitized)
{
    const char *text = getenv(variable);
    if (text != NULL && strtoull(text, NULL, 10) > 0)
        return strtoull(text, NULL, 10);
    return check_is_sanitized() ? sanitized : release;
}
