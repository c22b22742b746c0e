#ifndef HF_SIM_LIFE_H
#define HF_SIM_LIFE_H
/* The life of the simulated server's process: it is started as engine/main.c does, its cores are
 * turned when their ios are ready, and it ends by a crash, by itself, or because it was asked to.
 * One at a time. */

#include "core/core.h"
#include "disk.h"

#include <stdbool.h>
#include <stdint.h>

#define LIFE_PATH "/data" /* the data directory, on the simulated disk */

enum life_state {
    LIFE_DOWN,     /* no process; or it stopped as it was asked to */
    LIFE_STARTING, /* while life_start() runs: clients are told LOADING */
    LIFE_SERVING,  /* or stopping */
    LIFE_CRASHED,  /* the crash that was ordered came; life_end() is due */
    LIFE_REFUSED,  /* the start was refused; life_end() is due */
    LIFE_FAILED,   /* a core has failed; life_end() is due */
};

/* Why a start was refused, in the server's own terms. */
struct life_refusal {
    enum server_status status; /* SERVER_IO_ERROR and the like; the directory's are translated */
    char message[SERVER_MESSAGE_BYTES];
};

/* How the cores' turns are spread over time. */
struct life_pace {
    uint64_t turn_ns_min, turn_ns_max;
    uint32_t stall_permille;
    uint64_t stall_ns_min, stall_ns_max;
};

/* A new run: nothing lives. */
void life_begin(const struct life_pace *pace);

/* Starts a server: LIFE_SERVING, LIFE_CRASHED or LIFE_REFUSED. The history hears of it. */
enum life_state life_start(const struct server_options *options, struct life_refusal *refusal_out);

/* Lets the world and the cores run until `until_ns`, or until the process has ended in whatever
 * way. With no process only the world goes on. */
enum life_state life_run(uint64_t until_ns);

/* Asks the server to stop; life_run() ends with LIFE_DOWN when it has. */
void life_ask_stop(void);
bool life_is_stopping(void);

/* Number of the process that was begun last, from 1; whether it came to serve or not. */
uint64_t life_number(void);

/* Was the process of this number ever asked to stop? One that was does not wait for ever until its
 * clients have read all answers. */
bool life_was_asked_to_stop(uint64_t number);

/* The end of the process that serves, crashed, failed or was refused: everything of it is gone, and
 * the disk has what this kind of end leaves. */
void life_end(enum sim_crash crash);

enum life_state life_state(void);

/* Some core of the server that serves has no next segment of its log, for want of room. */
bool life_lacks_room(void);

/* The latest engine time that a core has read; 0 when none serves. */
uint64_t life_now_ms(void);

/* No core will decide anything at an earlier engine time than this from now on; 0 when none serves.
 * Each core carries its own clock on, so they differ a little while they are steered. */
uint64_t life_not_before_ms(void);

/* The latest that any core of this run has read. */
uint64_t life_latest_ms(void);

/* Counted over the run. */
struct life_counts {
    uint64_t starts; /* that came to serve */
    uint64_t kills, powers;
    uint64_t stops;    /* clean */
    uint64_t failures; /* ended by themselves */
    uint64_t turns;
};
struct life_counts life_counts(void);

#endif
