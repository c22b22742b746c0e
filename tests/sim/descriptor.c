/* The descriptors of the simulated process. */

#include "base/assert.h"
#include "io_sim.h"
#include "private.h"

enum { FIRST_FD = 3 };

static struct {
    struct sim_descriptor *table;
    uint32_t count;
    uint32_t room;
    uint32_t open_count;
    uint32_t first; /* all before it are closed */
} descriptors;

void sim_descriptors_begin(void)
{
    descriptors.count = 0;
    descriptors.open_count = 0;
    descriptors.first = 0;
}

int sim_descriptor_add(enum sim_descriptor_kind kind, void *object)
{
    descriptors.table = sim_array_room(descriptors.table, sizeof *descriptors.table,
                                       descriptors.count, &descriptors.room);
    descriptors.table[descriptors.count] = (struct sim_descriptor){.kind = kind, .object = object};
    descriptors.open_count++;
    return FIRST_FD + (int)descriptors.count++;
}

struct sim_descriptor *sim_descriptor(int fd)
{
    hf_assert(fd >= FIRST_FD && (uint32_t)(fd - FIRST_FD) < descriptors.count);
    struct sim_descriptor *descriptor = &descriptors.table[fd - FIRST_FD];
    hf_assert(descriptor->kind != SIM_DESCRIPTOR_CLOSED);
    return descriptor;
}

struct sim_descriptor *sim_descriptor_of(int fd, enum sim_descriptor_kind kind)
{
    struct sim_descriptor *descriptor = sim_descriptor(fd);
    hf_assert(descriptor->kind == kind);
    return descriptor;
}

void sim_descriptor_close(int fd)
{
    sim_descriptor(fd)->kind = SIM_DESCRIPTOR_CLOSED;
    if (--descriptors.open_count == 0)
        descriptors.first = descriptors.count;
}

int sim_descriptor_next(int from_fd)
{
    uint32_t first = descriptors.first;
    if (from_fd > FIRST_FD + (int)first)
        first = (uint32_t)(from_fd - FIRST_FD);
    for (uint32_t i = first; i < descriptors.count; i++)
        if (descriptors.table[i].kind != SIM_DESCRIPTOR_CLOSED)
            return FIRST_FD + (int)i;
    return -1;
}

uint32_t sim_io_open_descriptors(void)
{
    return descriptors.open_count;
}
