#ifndef HF_SIM_CLIENTS_H
#define HF_SIM_CLIENTS_H
/* The clients of a run: each keeps a connection, has requests in flight, thinks, and when the
 * connection breaks it comes back and repeats what was not answered, or gives it up. All they ask
 * and hear is noted in the history. They run as events of the world. */

#include "plan.h"

/* A new run. Kept: `plan`. */
void clients_begin(const struct sim_plan *plan);

/* The server has been started anew. One whose log may lose items gets them again. */
void clients_hear_of_start(void);

/* All items of the sale are created; where the plan opens calmly, nothing else is asked before. */
bool clients_have_opened(void);

/* Nobody asks anything new before this time. */
void clients_be_quiet_until(uint64_t until_ns);

/* No new requests from now on, none is given up, and who has all his answers leaves. */
void clients_finish(void);

/* All once more, to read every item and the reservations of the run; then as clients_finish(). */
void clients_read_all(void);

/* All have left. */
bool clients_are_done(void);

/* What is still without an answer; one line for a finding. */
void clients_print_waiting(char *to, size_t to_bytes);

struct clients_counts {
    uint64_t rows;    /* asked, repeats included */
    uint64_t repeats; /* of them */
    uint64_t connections;
};
struct clients_counts clients_counts(void);

#endif
