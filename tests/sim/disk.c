/* The disk: how long operations take, what they do, what fails, and what a crash leaves. Those that
 * are under way are in flight.c. */

#include "disk.h"

#include "io/io.h"

#include "base/assert.h"
#include "content.h"
#include "flight.h"
#include "private.h"
#include "tree.h"
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES_MAX = 32 };

struct failed_operation {
    char name[NAME_BYTES_MAX];
    char path[SIM_PATH_BYTES_MAX];
    uint64_t operation;
};

static struct {
    struct sim_disk_options options;
    uint64_t operation_count;
    uint64_t fail_at; /* operation count, 0: never */
    enum sim_disk_fault fault;
    int fault_error; /* positive */
    bool is_failing_for_ever;
    struct failed_operation *failed; /* since the last order, the last one of each name and path */
    uint32_t failed_count, failed_room;
    sim_disk_observer_fn observer;
} disk;

/* ---- life ---- */

static void close_files(void)
{
    for (int fd = sim_descriptor_next(0); fd >= 0; fd = sim_descriptor_next(fd + 1)) {
        const struct sim_descriptor *descriptor = sim_descriptor(fd);
        if (descriptor->kind != SIM_DESCRIPTOR_FILE && descriptor->kind != SIM_DESCRIPTOR_FOLDER)
            continue;
        struct sim_node *node = descriptor->object;
        node->lock_fd = -1;
        node->open_count--;
        sim_descriptor_close(fd);
        sim_node_release(node);
    }
}

void sim_disk_begin(void)
{
    sim_flights_begin();
    close_files();
    sim_tree_begin();
    sim_free(disk.failed);
    memset(&disk, 0, sizeof disk);
    disk.options = (struct sim_disk_options){
        .write_ns_min = 50 * SIM_US,
        .write_ns_max = 200 * SIM_US,
        .capacity_bytes = UINT64_MAX,
    };
}

/* ---- options and faults ---- */

void sim_disk_set_options(const struct sim_disk_options *options)
{
    hf_assert(options->write_ns_min <= options->write_ns_max);
    disk.options = *options;
}

void sim_disk_fail_at(uint64_t n, enum sim_disk_fault fault, int error, bool for_ever)
{
    disk.fail_at = n == 0 ? 0 : disk.operation_count + n;
    disk.fault = fault;
    disk.fault_error = error;
    disk.is_failing_for_ever = for_ever;
    disk.failed_count = 0;
}

static struct failed_operation *find_failed(const char *name, const char *path)
{
    for (uint32_t i = 0; i < disk.failed_count; i++)
        if (strcmp(disk.failed[i].name, name) == 0 && strcmp(disk.failed[i].path, path) == 0)
            return &disk.failed[i];
    return NULL;
}

static void note_failed(const char *name, const char *path)
{
    struct failed_operation *failed = find_failed(name, path);
    if (failed == NULL) {
        disk.failed =
            sim_array_room(disk.failed, sizeof *disk.failed, disk.failed_count, &disk.failed_room);
        failed = &disk.failed[disk.failed_count++];
        (void)snprintf(failed->name, sizeof failed->name, "%s", name);
        (void)snprintf(failed->path, sizeof failed->path, "%s", path);
    }
    failed->operation = disk.operation_count;
}

bool sim_disk_has_failed(sim_disk_is_such_fn is_such)
{
    for (uint32_t i = 0; i < disk.failed_count; i++)
        if (is_such(disk.failed[i].name, disk.failed[i].path, disk.failed[i].operation))
            return true;
    return false;
}

uint64_t sim_disk_operation_count(void)
{
    return disk.operation_count;
}

void sim_disk_observe(sim_disk_observer_fn observer)
{
    disk.observer = observer;
}

struct sim_verdict sim_disk_operation(const char *name, const char *path)
{
    struct sim_verdict verdict = {0};
    uint64_t count = ++disk.operation_count;
    if (disk.fail_at == 0 || count < disk.fail_at ||
        (count > disk.fail_at && !disk.is_failing_for_ever))
        return verdict;
    sim_trace("disk fault %d, error %d: %s %s", (int)disk.fault, disk.fault_error, name, path);
    note_failed(name, path);
    verdict.is_fault = true;
    verdict.fault = (int)disk.fault;
    verdict.error = -disk.fault_error;
    return verdict;
}

uint64_t sim_disk_duration_ns(void)
{
    uint64_t ns =
        sim_between(SIM_CHANCE_DISK, disk.options.write_ns_min, disk.options.write_ns_max);
    bool is_slow = sim_happens(SIM_CHANCE_DISK, disk.options.slow_permille);
    uint64_t factor = sim_between(SIM_CHANCE_DISK, 2, 100);
    return is_slow ? ns * factor : ns;
}

/* ---- room ---- */

/* A file that was removed takes no room, even while a loss of power could bring it back. */
uint64_t sim_disk_used_bytes(void)
{
    uint64_t bytes = 0;
    for (const struct sim_node *node = sim_tree_first(); node != NULL; node = node->next)
        if (node->has_name || node->open_count > 0)
            bytes += node->content.allocated_bytes;
    return bytes;
}

static uint64_t whole_pages(uint64_t bytes)
{
    return (bytes + SIM_PAGE_BYTES - 1) / SIM_PAGE_BYTES * SIM_PAGE_BYTES;
}

static uint64_t free_bytes(void)
{
    uint64_t used = sim_disk_used_bytes();
    return used < disk.options.capacity_bytes ? disk.options.capacity_bytes - used : 0;
}

int sim_disk_reserve(struct sim_node *file, uint64_t bytes)
{
    struct sim_content *content = &file->content;
    uint64_t wanted_bytes = whole_pages(bytes);
    if (wanted_bytes <= content->allocated_bytes)
        return 0;
    if (wanted_bytes - content->allocated_bytes > free_bytes())
        return -ENOSPC;
    content->allocated_bytes = wanted_bytes;
    return 0;
}

/* ---- who watches ---- */

static void observe(const struct sim_disk_event *event)
{
    if (disk.observer == NULL)
        return;
    bool was_running = sim_engine_suspend();
    disk.observer(event);
    sim_engine_resume(was_running);
}

void sim_disk_lacks_room(const char *path)
{
    observe(&(struct sim_disk_event){.kind = SIM_DISK_NO_ROOM, .path = path});
}

static struct sim_node *find_file(const char *path)
{
    int error;
    struct sim_node *node = sim_tree_find(path, &error);
    return node == NULL || node->is_folder ? NULL : node;
}

/* ---- effects on names ---- */

static int open_folder(struct sim_node *node)
{
    if (!node->is_folder)
        return -ENOTDIR;
    node->open_count++;
    return sim_descriptor_add(SIM_DESCRIPTOR_FOLDER, sim_node_acquire(node));
}

static int open_file(struct sim_node *node, uint32_t flags)
{
    if (node->is_folder)
        return -ENXIO;
    node->open_count++;
    int fd = sim_descriptor_add(SIM_DESCRIPTOR_FILE, sim_node_acquire(node));
    struct sim_descriptor *descriptor = sim_descriptor(fd);
    descriptor->is_direct = flags & IO_FILE_DIRECT;
    descriptor->is_read_only = flags & IO_FILE_READ;
    return fd;
}

int sim_disk_open(const char *path, uint32_t flags, struct sim_verdict verdict)
{
    struct sim_node *node;
    int error = 0;
    if (verdict.is_fault)
        return verdict.error;
    if (flags & IO_FILE_CREATE)
        error = sim_tree_add(path, false, &node);
    else
        node = sim_tree_find(path, &error);
    if (error != 0)
        return error;
    return flags & IO_FILE_DIRECTORY ? open_folder(node) : open_file(node, flags);
}

int sim_disk_rename(const char *from, const char *to, struct sim_verdict verdict)
{
    if (verdict.is_fault)
        return verdict.error;
    sim_trace("disk rename %s %s", from, to);
    int error = sim_tree_rename(from, to);
    if (error == 0)
        observe(&(struct sim_disk_event){.kind = SIM_DISK_RENAMED, .path = from, .to_path = to});
    return error;
}

int sim_disk_remove(const char *path, struct sim_verdict verdict)
{
    if (verdict.is_fault)
        return verdict.error;
    sim_trace("disk remove %s", path);
    if (find_file(path) != NULL)
        observe(&(struct sim_disk_event){.kind = SIM_DISK_REMOVED, .path = path});
    return sim_tree_remove(path);
}

/* ---- effects on content ---- */

int sim_disk_allocate(struct sim_node *file, uint64_t bytes, struct sim_verdict verdict)
{
    if (verdict.is_fault)
        return verdict.error;
    int error = sim_disk_reserve(file, bytes);
    if (error == 0 && bytes > file->content.now_bytes)
        file->content.now_bytes = bytes;
    return error;
}

/* A part of a read, whole sectors, and never nothing: that would be the end of the file. */
static uint64_t part_read(uint64_t bytes)
{
    if (bytes <= SIM_SECTOR_BYTES)
        return bytes;
    return sim_between(SIM_CHANCE_FAULTS, 1, (bytes - 1) / SIM_SECTOR_BYTES) * SIM_SECTOR_BYTES;
}

int64_t sim_disk_read_some(const struct sim_node *file, void *buffer, uint64_t bytes,
                           uint64_t offset, bool is_direct, struct sim_verdict verdict)
{
    const struct sim_content *content = &file->content;
    if (verdict.is_fault && verdict.fault != SIM_DISK_SHORT)
        return verdict.error;
    if (offset >= content->now_bytes)
        return 0;
    if (bytes > content->now_bytes - offset)
        bytes = content->now_bytes - offset;
    if (verdict.is_fault)
        bytes = part_read(bytes);
    sim_content_read(content, offset, buffer, bytes, is_direct);
    return (int64_t)bytes;
}

/* A part of a write, whole sectors. */
static uint64_t part_of(uint64_t bytes)
{
    uint64_t sectors = sim_between(SIM_CHANCE_FAULTS, 0, (bytes - 1) / SIM_SECTOR_BYTES);
    return sectors * SIM_SECTOR_BYTES;
}

static int64_t write_part(struct sim_node *file, const uint8_t *data, uint64_t bytes,
                          uint64_t offset)
{
    uint64_t part = part_of(bytes);
    bool is_on_medium = sim_happens(SIM_CHANCE_FAULTS, 500);
    if (sim_disk_reserve(file, offset + part) != 0)
        return -ENOSPC;
    sim_content_write(&file->content, offset, data, part,
                      is_on_medium ? SIM_REACH_MEDIUM : SIM_REACH_NOW);
    return (int64_t)part;
}

static int64_t write_failing(struct sim_node *file, const uint8_t *data, uint64_t bytes,
                             uint64_t offset, struct sim_verdict verdict)
{
    switch ((enum sim_disk_fault)verdict.fault) {
    case SIM_DISK_SHORT:
        return write_part(file, data, bytes, offset);
    case SIM_DISK_UNSYNCED:
        if (sim_disk_reserve(file, offset + bytes) == 0)
            sim_content_write(&file->content, offset, data, bytes, SIM_REACH_LOST);
        return verdict.error;
    case SIM_DISK_ERROR:
        break;
    }
    return verdict.error;
}

/* What is within the room that there is, is written. */
static int64_t perform_write(struct sim_node *file, const uint8_t *data, uint64_t bytes,
                             uint64_t offset, bool is_durable, struct sim_verdict verdict)
{
    if (verdict.is_fault)
        return write_failing(file, data, bytes, offset, verdict);
    uint64_t fit_bytes = bytes;
    while (fit_bytes > 0 && sim_disk_reserve(file, offset + fit_bytes) != 0)
        fit_bytes = (fit_bytes - 1) / SIM_PAGE_BYTES * SIM_PAGE_BYTES;
    if (fit_bytes == 0 && bytes > 0)
        return -ENOSPC;
    sim_content_write(&file->content, offset, data, fit_bytes,
                      is_durable ? SIM_REACH_MEDIUM : SIM_REACH_NOW);
    return (int64_t)fit_bytes;
}

int64_t sim_disk_write(struct sim_node *file, const void *buffer, uint64_t bytes, uint64_t offset,
                       bool is_durable, struct sim_verdict verdict)
{
    int64_t result = perform_write(file, buffer, bytes, offset, is_durable, verdict);
    sim_trace("disk %s %s %" PRIu64 "+%" PRIu64 ": %" PRId64,
              is_durable ? "durable write" : "write", file->path, offset, bytes, result);
    if (is_durable && !verdict.is_fault && result == (int64_t)bytes)
        observe(&(struct sim_disk_event){.kind = SIM_DISK_WRITTEN,
                                         .path = file->path,
                                         .offset = offset,
                                         .data = buffer,
                                         .bytes = (uint32_t)bytes});
    return result;
}

uint64_t sim_disk_sync_begin(struct sim_node *node)
{
    if (node->is_folder)
        return sim_node_change_count(node);
    sim_content_sync_begin(&node->content);
    return sim_content_last_write();
}

int sim_disk_sync_end(struct sim_node *node, uint64_t covered, struct sim_verdict verdict)
{
    enum sim_reach reach = SIM_REACH_MEDIUM;
    if (verdict.is_fault && verdict.fault == SIM_DISK_ERROR)
        reach = SIM_REACH_NOW;
    if (verdict.is_fault && verdict.fault == SIM_DISK_UNSYNCED)
        reach = SIM_REACH_LOST;
    if (verdict.is_fault && verdict.fault == SIM_DISK_SHORT && covered > 0)
        covered = sim_between(SIM_CHANCE_FAULTS, 0, covered - 1);
    if (!node->is_folder)
        sim_content_sync_end(&node->content, covered, reach);
    else if (reach == SIM_REACH_MEDIUM)
        sim_node_sync_names(node, covered);
    int result = verdict.is_fault ? verdict.error : 0;
    sim_trace("disk sync %s: %d", node->path, result);
    if (result == 0)
        observe(&(struct sim_disk_event){.kind = SIM_DISK_SYNCED, .path = node->path});
    return result;
}

int sim_disk_sync(struct sim_node *node, struct sim_verdict verdict)
{
    uint64_t covered = sim_disk_sync_begin(node);
    return sim_disk_sync_end(node, covered, verdict);
}

/* ---- crashes ---- */

static void lose_power(void)
{
    uint64_t mode = sim_between(SIM_CHANCE_DISK, 0, SIM_SURVIVE_COUNT);
    sim_trace("power is lost: mode %u", (unsigned)mode);
    for (struct sim_node *node = sim_tree_first(); node != NULL; node = node->next) {
        uint64_t own_mode = sim_between(SIM_CHANCE_DISK, 0, SIM_SURVIVE_COUNT - 1);
        if (!node->is_folder) /* each file its own way, or all the same */
            sim_content_power_loss(
                &node->content, (enum sim_survival)(mode == SIM_SURVIVE_COUNT ? own_mode : mode));
    }
    sim_tree_power_loss();
}

void sim_disk_crash(enum sim_crash crash)
{
    hf_assert(!sim_engine_is_running());
    sim_trace(crash == SIM_CRASH_KILL ? "killed" : "power cut");
    sim_flights_crash(crash);
    close_files();
    if (crash == SIM_CRASH_POWER)
        lose_power();
}

/* ---- reading, for checkers ---- */

int64_t sim_disk_size(const char *path)
{
    const struct sim_node *file = find_file(path);
    return file == NULL ? -1 : (int64_t)file->content.now_bytes;
}

void sim_disk_read(const char *path, uint64_t offset, void *to, uint64_t bytes)
{
    const struct sim_node *file = find_file(path);
    hf_assert(file != NULL);
    hf_assert(offset <= file->content.now_bytes && bytes <= file->content.now_bytes - offset);
    sim_content_read(&file->content, offset, to, bytes, true);
}

bool sim_disk_is_synced(const char *path)
{
    const struct sim_node *file = find_file(path);
    return file != NULL && sim_content_is_synced(&file->content);
}

bool sim_disk_is_safe(const char *path)
{
    return sim_disk_is_synced(path) && sim_tree_is_on_medium(path);
}

bool sim_disk_is_zero(const char *path)
{
    const struct sim_node *file = find_file(path);
    return file != NULL && sim_content_is_zero(&file->content);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct sim_entry *)a)->name, ((const struct sim_entry *)b)->name);
}

void sim_disk_list(const char *path, void (*entry)(void *context, const char *name), void *context)
{
    int error;
    const struct sim_node *folder = sim_tree_find(path, &error);
    hf_assert(folder != NULL && folder->is_folder);
    uint32_t count = folder->now.count;
    if (count == 0)
        return;
    struct sim_entry *entries = sim_alloc(count * sizeof *entries);
    memcpy(entries, folder->now.entries, count * sizeof *entries);
    qsort(entries, count, sizeof *entries, by_name);
    for (uint32_t i = 0; i < count; i++)
        entry(context, entries[i].name);
    sim_free(entries);
}

void sim_disk_flip(const char *path, uint64_t offset, uint32_t bit)
{
    struct sim_node *file = find_file(path);
    hf_assert(file != NULL);
    sim_trace("bit %u of %s at %" PRIu64 " is flipped", bit, path, offset);
    sim_content_flip(&file->content, offset, bit);
}
