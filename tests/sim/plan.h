#ifndef HF_SIM_PLAN_H
#define HF_SIM_PLAN_H
/* What one run will be like: everything that is chosen once, from the seed. Swarm testing: each
 * seed switches most features off and draws the ranges of the others anew, so that in some run the
 * tables are tiny and in another all holds expire at once, which a mean of everything never
 * reaches. */

#include "core/core.h"
#include "disk.h"
#include "network.h"
#include "world.h"

#include <stddef.h>
#include <stdint.h>

/* Both included. */
struct sim_range {
    uint64_t low, high;
};

/* What clients ask. */
enum sim_ask {
    SIM_ASK_RESERVE,
    SIM_ASK_CONFIRM,
    SIM_ASK_CANCEL,
    SIM_ASK_EXTEND,
    SIM_ASK_GET,
    SIM_ASK_ITEM_CREATE,
    SIM_ASK_ITEM_UPDATE,
    SIM_ASK_ITEM_GET,
    SIM_ASK_ITEM_LIST,
    SIM_ASK_STAT,
    SIM_ASK_PING,
    SIM_ASK_SNAPSHOT,
    SIM_ASK_SNAPSHOT_READ, /* of the one that the client was told of last */
    SIM_ASK_COUNT,
};

/* How a life of the server ends. */
enum sim_ending {
    SIM_ENDING_KILL,      /* kill -9 */
    SIM_ENDING_POWER,     /* loss of power */
    SIM_ENDING_DISK_FAIL, /* an operation on the disk fails */
    SIM_ENDING_DISK_FULL,
    SIM_ENDING_STOP, /* asked to */
    SIM_ENDING_COUNT,
};

enum {
    SIM_ITEMS_MAX = 64,
    SIM_CLIENTS_MAX = 8,
    SIM_BAD_CLIENTS_MAX = 2,
    SIM_FLOOD_CLIENTS_MAX = 12,
    SIM_FLOOD_FRAMES_MAX = 2000,
    SIM_ROWS_MAX = 64,
};

#define SIM_ARCHIVE_PATH "/archive" /* where the plan has one */

struct sim_plan {
    uint64_t seed;

    /* the server */
    struct server_options server; /* core_count: of the first start */
    uint32_t core_count_max;
    uint32_t core_change_permille; /* of starts */
    uint32_t memory_fail_permille; /* of starts: an allocation is refused */

    /* its lives */
    bool opens_calmly; /* the first one has no fault until all items are on sale */
    uint32_t life_count;
    uint32_t call_count; /* rows of all clients: after so many the faults end */
    struct sim_range life_us, down_us;
    struct sim_range life_calls; /* after so many a life is over before its time */
    uint32_t ending_weights[SIM_ENDING_COUNT];
    struct sim_range crash_operations; /* of the engine, from its start to the crash */
    uint32_t flip_permille;            /* of starts, before which a bit is turned around */
    uint32_t clock_step_permille;      /* of lives, and of the times between them */
    uint64_t clock_step_ms_max;
    uint32_t pause_permille; /* of lives: nobody asks anything for so long */
    struct sim_range pause_ms;

    /* its machine */
    struct sim_range turn_us; /* what a turn takes */
    uint32_t stall_permille;  /* of turns: the core gets no time for so long */
    struct sim_range stall_us;
    struct sim_disk_options disk;
    struct sim_network_options network;

    /* the clients */
    uint32_t client_count, bad_client_count, flood_client_count;
    uint32_t flood_frames; /* of one burst, at most */
    uint32_t in_flight_max;
    uint32_t rows_max;
    struct sim_range think_us;
    uint32_t ask_weights[SIM_ASK_COUNT];
    uint32_t wants_core_permille;
    uint32_t drop_permille; /* of requests whose connection broke: not repeated */
    uint32_t
        close_permille; /* of turns of a client: closes its connection, whatever is in flight */

    /* what they ask for */
    uint32_t item_count;
    uint32_t hot_permille; /* of rows: the first item */
    uint32_t buyer_count;
    uint32_t unlimited_permille; /* of items */
    struct sim_range stock;
    uint32_t limit_permille;  /* of items: limits per buyer */
    uint32_t window_permille; /* of items: opens or closes meanwhile */
    struct sim_range hold_ms;
    uint32_t quantity_max;
    uint32_t repeat_permille;   /* of Reserve: an id that was used before, same content */
    uint32_t conflict_permille; /* the same, other content */
    uint32_t unknown_permille;  /* of rows: an item or a reservation that nobody made */
    uint32_t invalid_permille;  /* of rows: a field out of range */
};

/* Draws the plan of the world's seed. After sim_world_begin(). */
void plan_draw(uint64_t seed, struct sim_plan *plan_out);

/* Writes the plan as one line. */
void plan_print(const struct sim_plan *plan, char *to, size_t to_bytes);

/* A number from low to high (both included) in which each power of two is as likely as the next. */
uint64_t sim_spread(enum sim_chance chance, uint64_t low, uint64_t high);

/* One of `count` indexes, by weight. Not all are 0. */
uint32_t sim_choose(enum sim_chance chance, const uint32_t *weights, uint32_t count);

uint64_t sim_in_range(enum sim_chance chance, struct sim_range range);

#endif
