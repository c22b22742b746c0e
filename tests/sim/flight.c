/* Operations on the disk that are under way. What one is given is copied when it begins, it takes
 * effect when its time is over, and it may be overtaken by later ones. A crash meets it in the
 * middle. */

#include "flight.h"

#include "base/assert.h"
#include "io/io.h"
#include "private.h"
#include "tree.h"
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

struct flight {
    struct flight *next;
    uint64_t number;
    sim_token token;
    struct sim_request request;
    struct sim_node *node; /* NULL: it goes by its paths */
    char *path;
    char *to_path;
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
    if (flight->node != NULL)
        sim_node_release(flight->node);
    sim_free(flight->path);
    sim_free(flight->to_path);
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

static void check_path(const char *given, const char *copy)
{
    if (copy != NULL && strcmp(given, copy) != 0)
        sim_fail("io", "the path %s was changed while an operation was using it", copy);
}

static int32_t end_write(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    check_buffer(flight);
    return (int32_t)sim_disk_write(flight->node, request->source, request->bytes, request->offset,
                                   request->is_durable, request->verdict);
}

/* With nobody to hear of it there is no buffer any more. */
static int32_t end_read(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    if (!sim_io_is_awaited(flight->token))
        return 0;
    int64_t result =
        sim_disk_read_some(flight->node, request->buffer, request->bytes, request->offset,
                           sim_descriptor(request->fd)->is_direct, request->verdict);
    sim_trace("disk read %s %" PRIu64 "+%u: %" PRId64, flight->node->path, request->offset,
              request->bytes, result);
    return (int32_t)result;
}

static int32_t end_open(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    int result = sim_disk_open(flight->path, request->flags, request->verdict);
    sim_trace("disk open %s: %d", flight->path, result);
    return result;
}

static int32_t end_allocate(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    int result = sim_disk_allocate(flight->node, request->file_bytes, request->verdict);
    sim_trace("disk allocate %s %" PRIu64 ": %d", flight->node->path, request->file_bytes, result);
    return result;
}

static int32_t perform(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    switch (request->kind) {
    case SIM_REQUEST_OPEN:
        return end_open(flight);
    case SIM_REQUEST_READ:
        return end_read(flight);
    case SIM_REQUEST_WRITE:
        return end_write(flight);
    case SIM_REQUEST_SYNC:
        return sim_disk_sync_end(flight->node, flight->covered, request->verdict);
    case SIM_REQUEST_ALLOCATE:
        return end_allocate(flight);
    case SIM_REQUEST_RENAME:
        return sim_disk_rename(flight->path, flight->to_path, request->verdict);
    case SIM_REQUEST_REMOVE:
        return sim_disk_remove(flight->path, request->verdict);
    case SIM_REQUEST_ACCEPT:
    case SIM_REQUEST_RECV:
    case SIM_REQUEST_SEND:
        break;
    }
    hf_assert(!"this is for the disk");
    return 0;
}

/* The file's, of a renaming the new one. */
static const char *path_of(const struct flight *flight)
{
    if (flight->node != NULL)
        return flight->node->path;
    return flight->to_path != NULL ? flight->to_path : flight->path;
}

/* Of a write only what there was room for was made. */
static bool is_cut(const struct flight *flight, int32_t result)
{
    const struct sim_request *request = &flight->request;
    return request->kind == SIM_REQUEST_WRITE && !request->verdict.is_fault && result >= 0 &&
           (uint32_t)result < request->bytes;
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
    if (sim_io_is_awaited(flight->token)) {
        check_path(flight->request.path, flight->path);
        check_path(flight->request.to_path, flight->to_path);
    }
    int32_t result = perform(flight);
    if (result == -ENOSPC || is_cut(flight, result))
        sim_disk_lacks_room(path_of(flight));
    sim_io_complete(flight->token, result);
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

static char *copy_of_path(const char *path)
{
    if (path == NULL)
        return NULL;
    char *copy = sim_alloc(strlen(path) + 1);
    memcpy(copy, path, strlen(path) + 1);
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
        .path = copy_of_path(request->path),
        .to_path = copy_of_path(request->to_path),
    };
    if (request->fd >= 0)
        flight->node = sim_node_acquire(sim_descriptor(request->fd)->object);
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

/* It has been done, or not, and a descriptor goes with the process. */
static void crash_in_change(const struct flight *flight)
{
    const struct sim_request *request = &flight->request;
    struct sim_node *node;
    bool is_made = sim_happens(SIM_CHANCE_DISK, 500) && !request->verdict.is_fault;
    sim_trace("crash in operation %d on %s: %s", (int)request->kind,
              flight->node != NULL ? flight->node->path : flight->path,
              is_made ? "it was made" : "it was not made");
    if (!is_made)
        return;
    if (request->kind == SIM_REQUEST_OPEN && request->flags & IO_FILE_CREATE)
        (void)sim_tree_add(flight->path, false, &node);
    else if (request->kind != SIM_REQUEST_OPEN)
        (void)perform(flight);
}

static void crash_in(const struct flight *flight, enum sim_crash crash)
{
    switch (flight->request.kind) {
    case SIM_REQUEST_READ:
        break;
    case SIM_REQUEST_WRITE:
        crash_in_write(flight, crash);
        break;
    case SIM_REQUEST_SYNC:
        crash_in_sync(flight);
        break;
    default:
        crash_in_change(flight);
        break;
    }
}

void sim_flights_crash(enum sim_crash crash)
{
    for (const struct flight *flight = flights.first; flight != NULL; flight = flight->next)
        crash_in(flight, crash);
    drop_all();
}
