#ifndef HF_REPLAY_LOG_STATE_H
#define HF_REPLAY_LOG_STATE_H
/* The state that a directory gives, at its end or at some point, rebuilt with the code that the
 * server rebuilds it with and by its rules. One state for all cores: no record refers to two items,
 * so the order of the logs within an era does not matter. */

#include "plan.h"
#include "point.h"

#include "stock/stock.h"

struct state {
    struct plan plan; /* with what was read; without `data` when the directory cannot be opened */
    struct stock *stock; /* NULL: it could not be built */
    bool is_torn;        /* some log is */
};

/* Opens the directory and builds the state. What is wrong is told on stderr: also a torn tail and a
 * snapshot that has to be done without, which leave the code EXIT_GOOD; with `is_quiet` what is
 * wrong with snapshots and logs is in the plan only. On any other code there is no stock, and the
 * plan tells how far each log could be read. state_free() in any case. */
enum exit_code state_build(const char *path, const struct point *point, bool is_quiet,
                           struct state *state_out);

/* At the end, and not quiet. */
enum exit_code state_build_end(const char *path, struct state *state_out);

void state_free(struct state *state);

/* A directory is opened so often before it is said that a server changes it too fast. */
enum { STATE_OPEN_COUNT_MAX = 10 };

#endif
