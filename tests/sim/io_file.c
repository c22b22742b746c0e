/* The files of io/io.h over the simulated disk. Each call counts as an operation of the engine, and
 * of the disk; blocking ones take effect at once. */

#include "io/io.h"

#include "base/assert.h"
#include "private.h"
#include "tree.h"
#include "world.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static struct sim_verdict operation(const char *name, const char *path)
{
    sim_engine_operation(name);
    return sim_disk_operation(name, path);
}

static struct sim_node *file_of(int fd)
{
    return sim_descriptor_of(fd, SIM_DESCRIPTOR_FILE)->object;
}

static struct sim_node *node_of(int fd)
{
    const struct sim_descriptor *descriptor = sim_descriptor(fd);
    hf_assert(descriptor->kind == SIM_DESCRIPTOR_FILE || descriptor->kind == SIM_DESCRIPTOR_FOLDER);
    return descriptor->object;
}

/* What a direct access must look like. */
static void check_alignment(int fd, const void *buffer, uint64_t bytes, uint64_t offset)
{
    if (!sim_descriptor(fd)->is_direct)
        return;
    hf_assert((uintptr_t)buffer % SIM_PAGE_BYTES == 0);
    hf_assert(bytes % SIM_PAGE_BYTES == 0);
    hf_assert(offset % SIM_PAGE_BYTES == 0);
}

/* ---- asynchronous ---- */

void io_file_open(struct io *io, struct io_op *op, const char *path, uint32_t flags)
{
    struct sim_request request = {.kind = SIM_REQUEST_OPEN, .fd = -1, .path = path, .flags = flags};
    request.verdict = operation("io_file_open", path);
    sim_io_prepare(io, op, &request);
}

void io_file_read(struct io *io, struct io_op *op, int fd, void *buffer, uint32_t bytes,
                  uint64_t offset)
{
    struct sim_request request = {
        .kind = SIM_REQUEST_READ,
        .fd = fd,
        .buffer = buffer,
        .bytes = bytes,
        .offset = offset,
    };
    hf_assert(bytes > 0);
    check_alignment(fd, buffer, bytes, offset);
    request.verdict = operation("io_file_read", file_of(fd)->path);
    sim_io_prepare(io, op, &request);
}

void io_file_write(struct io *io, struct io_op *op, int fd, const void *buffer, uint32_t bytes,
                   uint64_t offset, bool is_durable)
{
    struct sim_request request = {
        .kind = SIM_REQUEST_WRITE,
        .fd = fd,
        .source = buffer,
        .bytes = bytes,
        .offset = offset,
        .is_durable = is_durable,
    };
    hf_assert(bytes > 0);
    hf_assert(!sim_descriptor(fd)->is_read_only);
    check_alignment(fd, buffer, bytes, offset);
    request.verdict = operation("io_file_write", file_of(fd)->path);
    sim_io_prepare(io, op, &request);
}

void io_file_sync(struct io *io, struct io_op *op, int fd)
{
    struct sim_request request = {.kind = SIM_REQUEST_SYNC, .fd = fd};
    request.verdict = operation("io_file_sync", node_of(fd)->path);
    sim_io_prepare(io, op, &request);
}

void io_file_allocate(struct io *io, struct io_op *op, int fd, uint64_t bytes)
{
    struct sim_request request = {.kind = SIM_REQUEST_ALLOCATE, .fd = fd, .file_bytes = bytes};
    hf_assert(bytes > 0);
    hf_assert(!sim_descriptor(fd)->is_read_only);
    hf_assert(sim_descriptor(fd)->pending_count == 0);
    request.verdict = operation("io_file_allocate", file_of(fd)->path);
    sim_io_prepare(io, op, &request);
}

void io_file_rename(struct io *io, struct io_op *op, const char *from, const char *to)
{
    struct sim_request request = {
        .kind = SIM_REQUEST_RENAME, .fd = -1, .path = from, .to_path = to};
    request.verdict = operation("io_file_rename", to);
    sim_io_prepare(io, op, &request);
}

void io_file_remove(struct io *io, struct io_op *op, const char *path)
{
    struct sim_request request = {.kind = SIM_REQUEST_REMOVE, .fd = -1, .path = path};
    request.verdict = operation("io_file_remove", path);
    sim_io_prepare(io, op, &request);
}

/* ---- opening and closing ---- */

int io_file_open_now(struct io *io, const char *path, uint32_t flags)
{
    (void)io;
    return sim_disk_open(path, flags, operation("io_file_open", path));
}

void io_close(struct io *io, int fd)
{
    (void)io;
    sim_engine_operation("io_close");
    const struct sim_descriptor *descriptor = sim_descriptor(fd);
    hf_assert(descriptor->pending_count == 0);
    if (descriptor->kind == SIM_DESCRIPTOR_LISTENER || descriptor->kind == SIM_DESCRIPTOR_SOCKET) {
        sim_network_close(fd);
        return;
    }
    struct sim_node *node = descriptor->object;
    if (node->lock_fd == fd)
        node->lock_fd = -1;
    node->open_count--;
    sim_descriptor_close(fd);
    sim_node_release(node);
}

int io_file_lock(struct io *io, int fd)
{
    (void)io;
    struct sim_node *node = node_of(fd);
    struct sim_verdict verdict = operation("io_file_lock", node->path);
    if (verdict.is_fault)
        return verdict.error;
    if (node->lock_fd >= 0 && node->lock_fd != fd)
        return -EWOULDBLOCK;
    node->lock_fd = fd;
    return 0;
}

/* ---- content ---- */

int io_file_read_now(struct io *io, int fd, void *buffer, size_t bytes, uint64_t offset)
{
    (void)io;
    const struct sim_node *file = file_of(fd);
    check_alignment(fd, buffer, bytes, offset);
    struct sim_verdict verdict = operation("io_file_read", file->path);
    if (verdict.is_fault)
        return verdict.error;
    if (offset > file->content.now_bytes || bytes > file->content.now_bytes - offset)
        return -ENODATA;
    sim_content_read(&file->content, offset, buffer, bytes, sim_descriptor(fd)->is_direct);
    return 0;
}

int io_file_write_now(struct io *io, int fd, const void *buffer, size_t bytes, uint64_t offset)
{
    (void)io;
    struct sim_node *file = file_of(fd);
    hf_assert(!sim_descriptor(fd)->is_read_only);
    check_alignment(fd, buffer, bytes, offset);
    struct sim_verdict verdict = operation("io_file_write_now", file->path);
    if (bytes == 0)
        return verdict.is_fault ? verdict.error : 0;
    int64_t result = sim_disk_write(file, buffer, bytes, offset, false, verdict);
    if (verdict.is_fault)
        return verdict.error;
    if (result < 0)
        return (int)result;
    return (size_t)result == bytes ? 0 : -ENOSPC;
}

int io_file_sync_now(struct io *io, int fd)
{
    (void)io;
    struct sim_node *node = node_of(fd);
    struct sim_verdict verdict = operation("io_file_sync_now", node->path);
    return sim_disk_sync(node, verdict);
}

int64_t io_file_size(struct io *io, int fd)
{
    (void)io;
    const struct sim_node *file = file_of(fd);
    struct sim_verdict verdict = operation("io_file_size", file->path);
    return verdict.is_fault ? verdict.error : (int64_t)file->content.now_bytes;
}

int io_file_allocate_now(struct io *io, int fd, uint64_t bytes)
{
    (void)io;
    struct sim_node *file = file_of(fd);
    return sim_disk_allocate(file, bytes, operation("io_file_allocate", file->path));
}

/* ---- names ---- */

int io_file_rename_now(struct io *io, const char *from, const char *to)
{
    (void)io;
    return sim_disk_rename(from, to, operation("io_file_rename", to));
}

int io_file_remove_now(struct io *io, const char *path)
{
    (void)io;
    return sim_disk_remove(path, operation("io_file_remove", path));
}

int io_directory_create(struct io *io, const char *path)
{
    struct sim_node *node;
    int error = 0;
    (void)io;
    struct sim_verdict verdict = operation("io_directory_create", path);
    if (verdict.is_fault)
        return verdict.error;
    int added = sim_tree_add(path, true, &node);
    if (added != -EEXIST)
        return added;
    node = sim_tree_find(path, &error);
    hf_assert(node != NULL);
    return node->is_folder ? 0 : -ENOTDIR;
}

int io_directory_remove(struct io *io, const char *path)
{
    (void)io;
    struct sim_verdict verdict = operation("io_directory_remove", path);
    return verdict.is_fault ? verdict.error : sim_tree_remove_folder(path);
}

static struct sim_node *find_folder(const char *path, int *error_out)
{
    struct sim_node *node = sim_tree_find(path, error_out);
    if (node == NULL || node->is_folder)
        return node;
    *error_out = -ENOTDIR;
    return NULL;
}

int io_directory_sync(struct io *io, const char *path)
{
    int error = 0;
    (void)io;
    struct sim_verdict verdict = operation("io_directory_sync", path);
    struct sim_node *folder = find_folder(path, &error);
    return folder == NULL ? error : sim_disk_sync(folder, verdict);
}

/* Taken beforehand, because the engine may change the folder meanwhile, or end; in static memory,
 * because then nobody would give it back. One listing at a time. */
static struct sim_entry *list;
static uint32_t list_room;

static void shuffle(struct sim_entry *entries, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint64_t other = sim_between(SIM_CHANCE_DISK, 0, i - 1);
        struct sim_entry entry = entries[i - 1];
        entries[i - 1] = entries[other];
        entries[other] = entry;
    }
}

int io_directory_list(struct io *io, const char *path,
                      void (*entry)(void *context, const char *name), void *context)
{
    int error = 0;
    (void)io;
    struct sim_verdict verdict = operation("io_directory_list", path);
    if (verdict.is_fault)
        return verdict.error;
    const struct sim_node *folder = find_folder(path, &error);
    if (folder == NULL)
        return error;
    uint32_t count = folder->now.count;
    if (count == 0)
        return 0;
    if (count > list_room) {
        list = sim_grow(list, count * sizeof *list);
        list_room = count;
    }
    memcpy(list, folder->now.entries, count * sizeof *list);
    shuffle(list, count);
    for (uint32_t i = 0; i < count; i++)
        entry(context, list[i].name);
    return 0;
}
