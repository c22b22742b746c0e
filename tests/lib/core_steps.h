#ifndef HF_TESTS_CORE_STEPS_H
#define HF_TESTS_CORE_STEPS_H
/* Takes the cores of a server from step to step, by one thread, as main.c does with many. */

#include "core/core.h"

#include <stdio.h>

enum { STEPS_TURNS_MAX = 1000000 };

/* Turns each core until it has come so far. The first refusal is told. */
static inline enum server_status steps_reach(struct server *server, uint32_t core_count,
                                             enum core_status wanted, char *message)
{
    for (uint32_t i = 0; i < core_count; i++) {
        struct core *core = server_core(server, i);
        enum core_status status = CORE_RUNNING;
        for (uint32_t turn = 0; status == CORE_RUNNING && turn < STEPS_TURNS_MAX; turn++)
            status = core_turn(core);
        if (status == wanted)
            continue;
        snprintf(message, SERVER_MESSAGE_BYTES, "%s", core_refusal(core)->message);
        return core_refusal(core)->status;
    }
    return SERVER_OK;
}

static inline enum server_status steps_load(struct server *server, uint32_t core_count,
                                            char *message)
{
    uint16_t port;
    enum server_status status = server_bind(server, "127.0.0.1", "0", &port, message);
    for (uint32_t i = 0; i < core_count && status == SERVER_OK; i++)
        core_start(server_core(server, i));
    return status == SERVER_OK ? steps_reach(server, core_count, CORE_LOADED, message) : status;
}

static inline enum server_status steps_open(struct server *server, uint32_t core_count,
                                            char *message)
{
    server_open_logs(server);
    return steps_reach(server, core_count, CORE_OPENED, message);
}

#endif
