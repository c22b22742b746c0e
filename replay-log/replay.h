#ifndef HF_REPLAY_LOG_REPLAY_H
#define HF_REPLAY_LOG_REPLAY_H
/* The state that the logs give, rebuilt with the code that the server rebuilds it with. One state
 * for all cores: an item's records are in one log of an era, and no record refers to two items, so
 * the order of the logs within an era does not matter. */

#include "data.h"

#include "stock/stock.h"

/* Surveys all logs. Returns the code of the worst end. */
enum exit_code replay_survey(struct data *data);

/* Replays the surveyed logs, none of which is worse than torn. A record that is not legal in the
 * state makes its log's `end` damaged and is returned as EXIT_DAMAGED; so is a read that fails now,
 * as EXIT_IO. Else EXIT_GOOD, with the state, which the caller destroys. */
enum exit_code replay_build(struct data *data, struct stock **stock_out);

#endif
