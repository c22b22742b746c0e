#ifndef HF_SIM_FLIGHT_H
#define HF_SIM_FLIGHT_H
/* Operations on the disk that are under way (flight.c). */

#include "disk.h"
#include "private.h"

/* A new world, or the end of the one before: none is under way. */
void sim_flights_begin(void);

/* Begins an operation on the disk that takes its time; the token is completed with the result. */
void sim_flight_begin(const struct sim_request *request, sim_token token);

/* What is under way has happened, or in part, or not. */
void sim_flights_crash(enum sim_crash crash);

#endif
