#ifndef HF_SIM_SWEEP_CLIENT_H
#define HF_SIM_SWEEP_CLIENT_H
/* The one client of a sweep's script: what it was told to ask it asks until it has the answer,
 * through whatever happens to the server meanwhile, under the same ids. The history hears of each
 * request and each answer. */

#include "client_frames.h"

/* A new run. `revive` brings the server back to serving. */
void sweep_client_begin(void (*revive)(void));

/* One row more for the next sweep_client_ask_all(): it shares a frame with the row before when both
 * ask the same and the frame is not full. */
void sweep_client_add(enum sim_ask ask, const struct history_call *call);

/* Sends all rows, several frames at a time, and returns when each has its answer. */
void sweep_client_ask_all(void);

/* The server is going or gone: forgets the connection. */
void sweep_client_leave(void);

#endif
