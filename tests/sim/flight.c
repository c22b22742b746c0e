/* Operations on the disk that are under way. What one is given is copied when it begins, it takes
 * effect when its time is over, and it may be overtaken by later ones. A crash meets it in the
 * middle. */

#include "flight.h"

#include "base/assert.h"
#include "private.h"
#include "tree.h"
#include "world.h"

#include <inttypes.h>
#include <string.h>

struct flight {
    struct flight *next;
    uint64_t number;
    sim_token token;
    struct sim_request request;
    struct sim_node *node;
    uint8_t *data;    /* of a write; NULL: zeros */
    uint64_t covered; /* by a sync: the last write, or the count of changes */
};

static struct {
    struct flight *first; /* in order of their beginning */
    uint64_t count;       /* that ever began */
} flights;

/* ---- life ---- */

static void free_flight(struct flight *flight)
{
    sim_node_release(flight->node);
    sim_free(flight->data);
    sim_free(flight);
}

static void drop_all(void)
{
    while (flights.first != NULL) {
        struct flight *flight = flights.first;
        flights.first = flight->next;
        free_flight(flight);
    }
}

void sim_flights_begin(void)
{
    drop_all();
    flights.count = 0;
}

/* ---- the end ---- */

static bool is_zero(const uint8_t *data, uint32_t bytes)
{
    return bytes == 0 || (data[0] == 0 && memcmp(data, data + 1, bytes - 1) == 0);
}

/* What was given to the disk is left alone until it is done. */
static void check_buffer(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    bool is_same = flight->data == NULL
                       ? is_zero(request->source, request->bytes)
                       : memcmp(request->source, flight->data, request->bytes) == 0;
    if (!is_same)
        sim_fail("io", "a buffer was changed while it was being written to %s at %" PRIu64,
                 flight->node->path, request->offset);
}

static int32_t perform(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    if (request->kind == SIM_REQUEST_SYNC)
        return sim_disk_sync_end(flight->node, flight->covered, request->verdict);
    hf_assert(request->kind == SIM_REQUEST_WRITE);
    check_buffer(flight);
    return (int32_t)sim_disk_write(flight->node, request->source, request->bytes, request->offset,
                                   request->is_durable, request->verdict);
}

static void flight_ends(void *context, uint64_t number)
{
    struct flight **link = &flights.first;
    (void)context;
    while (*link != NULL && (*link)->number != number)
        link = &(*link)->next;
    struct flight *flight = *link;
    if (flight == NULL)
        return; /* a crash came first */
    *link = flight->next;
    sim_io_complete(flight->token, perform(flight));
    free_flight(flight);
}

/* ---- the beginning ---- */

static uint8_t *copy_of(const void *source, uint32_t bytes)
{
    if (is_zero(source, bytes))
        return NULL;
    uint8_t *copy = sim_alloc(bytes);
    memcpy(copy, source, bytes);
    return copy;
}

void sim_flight_begin(const struct sim_request *request, sim_token token)
{
    struct flight **link = &flights.first;
    struct flight *flight = sim_alloc(sizeof *flight);
    *flight = (struct flight){
        .number = ++flights.count,
        .token = token,
        .request = *request,
        .node = sim_node_acquire(sim_descriptor(request->fd)->object),
    };
    if (request->kind == SIM_REQUEST_WRITE)
        flight->data = copy_of(request->source, request->bytes);
    if (request->kind == SIM_REQUEST_SYNC)
        flight->covered = sim_disk_sync_begin(flight->node);
    while (*link != NULL)
        link = &(*link)->next;
    *link = flight;
    sim_at(sim_now_ns() + sim_disk_duration_ns(), flight_ends, NULL, flight->number);
}

/* ---- crashes ---- */

/* Each sector of a write in flight on its own, after a loss of power. */
static void write_some_sectors(const struct flight *flight, uint32_t permille)
{
    for (uint32_t at = 0; at < flight->request.bytes; at += SIM_SECTOR_BYTES) {
        uint32_t left = flight->request.bytes - at;
        if (!sim_happens(SIM_CHANCE_DISK, permille))
            continue;
        sim_content_write(&flight->node->content, flight->request.offset + at,
                          flight->data == NULL ? NULL : flight->data + at,
                          left < SIM_SECTOR_BYTES ? left : SIM_SECTOR_BYTES, SIM_REACH_MEDIUM);
    }
}

static void write_prefix(const struct flight *flight, uint32_t bytes, enum sim_reach reach)
{
    sim_content_write(&flight->node->content, flight->request.offset, flight->data, bytes, reach);
}

/* Of a sector that was being written when the power went: rather few, where headers are. */
static uint32_t torn_bytes(void)
{
    uint64_t bytes_max = sim_between(SIM_CHANCE_DISK, 1, SIM_SECTOR_BYTES - 1);
    return (uint32_t)sim_between(SIM_CHANCE_DISK, 1, bytes_max);
}

static void crash_in_write(const struct flight *flight, enum sim_crash crash)
{
    enum { NOTHING, WHOLE, PREFIX, ONE_MISSING, FEW, HALF, MOST, TORN };
    uint64_t mode = sim_between(SIM_CHANCE_DISK, 0, crash == SIM_CRASH_KILL ? PREFIX : TORN);
    uint32_t part =
        (uint32_t)sim_between(SIM_CHANCE_DISK, 0, (flight->request.bytes - 1) / SIM_SECTOR_BYTES) *
        SIM_SECTOR_BYTES;
    enum sim_reach reach = crash == SIM_CRASH_KILL ? SIM_REACH_NOW : SIM_REACH_MEDIUM;
    sim_trace("crash in write %s %" PRIu64 "+%u: mode %u, %u bytes", flight->node->path,
              flight->request.offset, flight->request.bytes, (unsigned)mode, part);
    if (flight->request.verdict.is_fault || mode == NOTHING)
        return;
    if (sim_disk_reserve(flight->node, flight->request.offset + flight->request.bytes) != 0)
        return;
    switch (mode) {
    case WHOLE:
        write_prefix(flight, flight->request.bytes, reach);
        break;
    case PREFIX:
        write_prefix(flight, part, reach);
        break;
    case ONE_MISSING:
        write_prefix(flight, part, reach);
        part += SIM_SECTOR_BYTES;
        if (part < flight->request.bytes)
            sim_content_write(&flight->node->content, flight->request.offset + part,
                              flight->data == NULL ? NULL : flight->data + part,
                              flight->request.bytes - part, reach);
        break;
    case FEW:
        write_some_sectors(flight, 100);
        break;
    case HALF:
        write_some_sectors(flight, 500);
        break;
    case MOST:
        write_some_sectors(flight, 900);
        break;
    default:
        write_prefix(flight, part + torn_bytes(), reach);
        break;
    }
}

/* A sync in flight has been made, or nothing of it. */
static void crash_in_sync(const struct flight *flight)
{
    bool is_made = sim_happens(SIM_CHANCE_DISK, 500) && !flight->request.verdict.is_fault;
    if (flight->node->is_folder) {
        if (is_made)
            sim_node_sync_names(flight->node, flight->covered);
    } else {
        sim_content_sync_end(&flight->node->content, flight->covered,
                             is_made ? SIM_REACH_MEDIUM : SIM_REACH_NOW);
    }
}

void sim_flights_crash(enum sim_crash crash)
{
    for (const struct flight *flight = flights.first; flight != NULL; flight = flight->next)
        if (flight->request.kind == SIM_REQUEST_WRITE)
            crash_in_write(flight, crash);
        else
            crash_in_sync(flight);
    drop_all();
}
