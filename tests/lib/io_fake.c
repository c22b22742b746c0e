/* Nodes are files and folders by their full path. Each has its content now and its content as of
 * the last sync; the name has the same two states, and the sync of a folder makes the names in it
 * durable. What is simpler than on a real disk: a power cut keeps nothing unsynced at all, but for
 * the write that was cut in the middle; and a file that loses its name is empty at once. */

#include "io_fake.h"

#include "base/assert.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

enum { NODES_MAX = 256, DESCRIPTORS_MAX = 256, PATH_BYTES_MAX = 512, BLOCK_BYTES = 4096 };

struct content {
    uint8_t *data;
    uint64_t bytes;
};

struct node {
    char name[PATH_BYTES_MAX];        /* empty: it has none now */
    char synced_name[PATH_BYTES_MAX]; /* the one it has after a power cut */
    bool is_folder;
    bool is_locked;
    struct content now;
    struct content synced;
};

struct io {
    struct io_op *head; /* started, in order */
    struct io_op *tail;
};

static struct {
    struct node nodes[NODES_MAX];
    struct node *descriptors[DESCRIPTORS_MAX];
    uint64_t change_count;
    uint64_t fault_at;
    enum io_fake_fault fault;
    int fault_error;
    char failed[PATH_BYTES_MAX + 16];
    bool is_cut;
    uint64_t capacity_bytes;
    uint64_t random_state;
    uint64_t time_ns;
} disk;

/* ---- nodes ---- */

static struct node *find(const char *path)
{
    for (int i = 0; i < NODES_MAX; i++)
        if (strcmp(disk.nodes[i].name, path) == 0)
            return &disk.nodes[i];
    return NULL;
}

static struct node *add(const char *path, bool is_folder)
{
    for (int i = 0; i < NODES_MAX; i++) {
        struct node *node = &disk.nodes[i];
        if (node->name[0] != '\0' || node->synced_name[0] != '\0')
            continue;
        hf_assert(strlen(path) < sizeof node->name);
        snprintf(node->name, sizeof node->name, "%s", path);
        node->is_folder = is_folder;
        return node;
    }
    hf_assert(!"the fake disk has room for more files");
    return NULL;
}

/* The name within `folder` of a path directly in it, or NULL. */
static const char *name_in(const char *folder, const char *path)
{
    size_t bytes = strlen(folder);
    if (strncmp(path, folder, bytes) != 0 || path[bytes] != '/')
        return NULL;
    return strchr(path + bytes + 1, '/') == NULL ? path + bytes + 1 : NULL;
}

static bool has_parent(const char *path)
{
    char parent[PATH_BYTES_MAX];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    hf_assert(slash != NULL);
    if (slash == parent)
        return true;
    *slash = '\0';
    struct node *node = find(parent);
    return node != NULL && node->is_folder;
}

static bool has_children(const char *path)
{
    for (int i = 0; i < NODES_MAX; i++)
        if (disk.nodes[i].name[0] != '\0' && name_in(path, disk.nodes[i].name) != NULL)
            return true;
    return false;
}

static void resize(struct content *content, uint64_t bytes)
{
    if (bytes <= content->bytes)
        return;
    content->data = realloc(content->data, bytes);
    hf_assert(content->data != NULL);
    memset(content->data + content->bytes, 0, bytes - content->bytes);
    content->bytes = bytes;
}

static void put(struct content *content, const void *from, uint64_t bytes, uint64_t offset)
{
    resize(content, offset + bytes);
    memcpy(content->data + offset, from, bytes);
}

static void copy(struct content *to, const struct content *from)
{
    free(to->data);
    to->data = NULL;
    to->bytes = 0;
    if (from->bytes > 0)
        put(to, from->data, from->bytes, 0);
}

static void sync_node(struct node *folder)
{
    copy(&folder->synced, &folder->now);
    for (int i = 0; folder->is_folder && i < NODES_MAX; i++) {
        struct node *node = &disk.nodes[i];
        if (name_in(folder->name, node->name) != NULL ||
            name_in(folder->name, node->synced_name) != NULL)
            memcpy(node->synced_name, node->name, sizeof node->name);
    }
}

/* A file that has no name any more takes no room. */
static uint64_t used_bytes(void)
{
    uint64_t bytes = 0;
    for (int i = 0; i < NODES_MAX; i++)
        bytes += disk.nodes[i].now.bytes;
    return bytes;
}

static bool has_room(const struct node *node, uint64_t bytes)
{
    if (bytes <= node->now.bytes)
        return true;
    uint64_t used = used_bytes() - node->now.bytes;
    return used <= disk.capacity_bytes && bytes <= disk.capacity_bytes - used;
}

static void remove_name(struct node *node)
{
    node->name[0] = '\0';
    free(node->now.data);
    node->now = (struct content){0};
}

static struct node *node_of(int fd)
{
    hf_assert(fd >= 0 && fd < DESCRIPTORS_MAX && disk.descriptors[fd] != NULL);
    return disk.descriptors[fd];
}

/* ---- faults ---- */

void io_fake_format(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        free(disk.nodes[i].now.data);
        free(disk.nodes[i].synced.data);
    }
    memset(&disk, 0, sizeof disk);
    /* Contents of megabytes come and go: keep their memory instead of mapping it anew each time. */
    (void)mallopt(M_MMAP_THRESHOLD, 1 << 30);
    (void)mallopt(M_TRIM_THRESHOLD, 1 << 30);
    disk.capacity_bytes = UINT64_MAX;
    disk.random_state = 88172645463325252u;
    disk.time_ns = 1000000000u;
}

void io_fake_fail_at(uint64_t at, enum io_fake_fault fault, int error)
{
    disk.change_count = 0;
    disk.fault_at = at;
    disk.fault = fault;
    disk.fault_error = error;
    disk.failed[0] = '\0';
}

void io_fake_set_capacity(uint64_t bytes)
{
    disk.capacity_bytes = bytes;
}

uint64_t io_fake_change_count(void)
{
    return disk.change_count;
}

/* What is in a folder that is gone is gone too. */
static void remove_orphans(void)
{
    bool is_done = false;
    while (!is_done) {
        is_done = true;
        for (int i = 0; i < NODES_MAX; i++) {
            struct node *node = &disk.nodes[i];
            if (node->name[0] == '\0' || has_parent(node->name))
                continue;
            node->name[0] = '\0';
            node->synced_name[0] = '\0';
            is_done = false;
        }
    }
}

void io_fake_power_cut(void)
{
    for (int i = 0; i < NODES_MAX; i++) {
        struct node *node = &disk.nodes[i];
        memcpy(node->name, node->synced_name, sizeof node->name);
        copy(&node->now, &node->synced);
        node->is_locked = false;
    }
    remove_orphans();
    memset(disk.descriptors, 0, sizeof disk.descriptors);
    disk.fault_at = 0;
    disk.is_cut = false;
}

const char *io_fake_failed(void)
{
    return disk.failed;
}

/* Counts a change; true when it is the one that fails, or the power is gone. */
static bool change_fails(const char *operation, const char *path)
{
    disk.change_count++;
    if (disk.change_count != disk.fault_at)
        return disk.is_cut;
    snprintf(disk.failed, sizeof disk.failed, "%s %s", operation, path);
    disk.is_cut = disk.fault == IO_FAKE_CUT;
    return true;
}

static int32_t write_to(struct node *node, const void *buffer, uint32_t bytes, uint64_t offset,
                        bool is_durable)
{
    bool was_cut = disk.is_cut;
    if (change_fails("write", node->name)) {
        if (disk.fault == IO_FAKE_ERROR || was_cut)
            return -disk.fault_error;
        if (disk.fault == IO_FAKE_UNSYNCED) {
            put(&node->now, buffer, bytes, offset);
            return -disk.fault_error;
        }
        put(&node->now, buffer, bytes / 2, offset);
        put(&node->synced, buffer, bytes / 2, offset);
        return disk.fault == IO_FAKE_SHORT ? (int32_t)(bytes / 2) : -disk.fault_error;
    }
    if (!has_room(node, offset + bytes))
        return -ENOSPC;
    put(&node->now, buffer, bytes, offset);
    if (is_durable)
        put(&node->synced, buffer, bytes, offset);
    return (int32_t)bytes;
}

/* ---- life and turn ---- */

enum request_kind {
    REQUEST_OPEN,
    REQUEST_READ,
    REQUEST_WRITE,
    REQUEST_SYNC,
    REQUEST_ALLOCATE,
    REQUEST_RENAME,
    REQUEST_REMOVE,
};

struct request {
    struct io_op *next;
    union {
        void *buffer;       /* of what is read */
        const void *source; /* of what is written */
        const char *path;
    };
    union {
        uint64_t offset;
        uint64_t file_bytes;
        const char *to_path;
    };
    uint8_t kind;
    bool is_durable;
    int32_t fd;
    union {
        uint32_t bytes;
        uint32_t flags;
    };
};

_Static_assert(sizeof(struct request) <= sizeof((struct io_op){0}.parts),
               "a request lives in its operation");

static struct request *request_of(struct io_op *op)
{
    return (struct request *)(void *)op->parts;
}

enum io_status io_create(const struct io_options *options, struct io **io_out, char *message_out)
{
    (void)options;
    message_out[0] = '\0';
    *io_out = calloc(1, sizeof **io_out);
    return *io_out == NULL ? IO_NO_MEMORY : IO_OK;
}

void io_start(struct io *io)
{
    (void)io;
}

void io_destroy(struct io **io)
{
    free(*io);
    *io = NULL;
}

static void start(struct io *io, struct io_op *op, const struct request *request)
{
    hf_assert(!op->is_pending);
    op->is_pending = true;
    *request_of(op) = *request;
    if (io->head == NULL)
        io->head = op;
    else
        request_of(io->tail)->next = op;
    io->tail = op;
}

/* Up to the end of the file. */
static int32_t read_from(int fd, void *buffer, uint32_t bytes, uint64_t offset)
{
    const struct content *now = &node_of(fd)->now;
    uint64_t left = offset < now->bytes ? now->bytes - offset : 0;
    uint32_t part = left < bytes ? (uint32_t)left : bytes;
    if (part > 0)
        memcpy(buffer, now->data + offset, part);
    return (int32_t)part;
}

static int32_t perform(struct io *io, const struct request *request)
{
    switch ((enum request_kind)request->kind) {
    case REQUEST_OPEN:
        return io_file_open_now(io, request->path, request->flags);
    case REQUEST_READ:
        return read_from(request->fd, request->buffer, request->bytes, request->offset);
    case REQUEST_WRITE:
        return write_to(node_of(request->fd), request->source, request->bytes, request->offset,
                        request->is_durable);
    case REQUEST_SYNC:
        return io_file_sync_now(io, request->fd);
    case REQUEST_ALLOCATE:
        return io_file_allocate_now(io, request->fd, request->file_bytes);
    case REQUEST_RENAME:
        return io_file_rename_now(io, request->path, request->to_path);
    case REQUEST_REMOVE:
        return io_file_remove_now(io, request->path);
    }
    hf_assert(!"a request has a kind");
    return 0;
}

void io_turn(struct io *io, uint64_t wake_at_ns)
{
    (void)wake_at_ns;
    struct io_op *op = io->head;
    io->head = NULL;
    disk.time_ns += 1000000u;
    while (op != NULL) {
        struct request request = *request_of(op);
        op->is_pending = false;
        op->done(op, perform(io, &request));
        op = request.next;
    }
}

struct clock_reading io_clock(struct io *io)
{
    (void)io;
    return (struct clock_reading){.monotonic_ns = disk.time_ns,
                                  .wall_ns = 1767225600000000000u + disk.time_ns};
}

/* ---- files ---- */

void io_close(struct io *io, int fd)
{
    (void)io;
    node_of(fd)->is_locked = false;
    disk.descriptors[fd] = NULL;
}

void io_file_open(struct io *io, struct io_op *op, const char *path, uint32_t flags)
{
    start(io, op, &(struct request){.kind = REQUEST_OPEN, .path = path, .flags = flags});
}

void io_file_read(struct io *io, struct io_op *op, int fd, void *buffer, uint32_t bytes,
                  uint64_t offset)
{
    start(io, op,
          &(struct request){
              .kind = REQUEST_READ, .fd = fd, .buffer = buffer, .bytes = bytes, .offset = offset});
}

void io_file_write(struct io *io, struct io_op *op, int fd, const void *buffer, uint32_t bytes,
                   uint64_t offset, bool is_durable)
{
    hf_assert(bytes % BLOCK_BYTES == 0 && offset % BLOCK_BYTES == 0); /* the file is direct */
    start(io, op,
          &(struct request){.kind = REQUEST_WRITE,
                            .fd = fd,
                            .source = buffer,
                            .bytes = bytes,
                            .offset = offset,
                            .is_durable = is_durable});
}

void io_file_sync(struct io *io, struct io_op *op, int fd)
{
    start(io, op, &(struct request){.kind = REQUEST_SYNC, .fd = fd});
}

void io_file_allocate(struct io *io, struct io_op *op, int fd, uint64_t bytes)
{
    hf_assert(bytes > 0);
    start(io, op, &(struct request){.kind = REQUEST_ALLOCATE, .fd = fd, .file_bytes = bytes});
}

void io_file_rename(struct io *io, struct io_op *op, const char *from, const char *to)
{
    start(io, op, &(struct request){.kind = REQUEST_RENAME, .path = from, .to_path = to});
}

void io_file_remove(struct io *io, struct io_op *op, const char *path)
{
    start(io, op, &(struct request){.kind = REQUEST_REMOVE, .path = path});
}

int io_file_open_now(struct io *io, const char *path, uint32_t flags)
{
    (void)io;
    struct node *node = find(path);
    if (flags & IO_FILE_CREATE) {
        if (node != NULL)
            return -EEXIST;
        if (!has_parent(path))
            return -ENOENT;
        if (change_fails("open", path))
            return -disk.fault_error;
        node = add(path, false);
    }
    if (node == NULL)
        return -ENOENT;
    if (node->is_folder != (bool)(flags & IO_FILE_DIRECTORY))
        return node->is_folder ? -ENXIO : -ENOTDIR;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++) {
        if (disk.descriptors[fd] != NULL)
            continue;
        disk.descriptors[fd] = node;
        return fd;
    }
    return -EMFILE;
}

int io_file_read_now(struct io *io, int fd, void *buffer, size_t bytes, uint64_t offset)
{
    (void)io;
    const struct content *now = &node_of(fd)->now;
    if (offset + bytes > now->bytes)
        return -ENODATA;
    if (bytes > 0)
        memcpy(buffer, now->data + offset, bytes);
    return 0;
}

int io_file_write_now(struct io *io, int fd, const void *buffer, size_t bytes, uint64_t offset)
{
    (void)io;
    int32_t result = write_to(node_of(fd), buffer, (uint32_t)bytes, offset, false);
    return result < 0 ? result : (size_t)result == bytes ? 0 : -ENOSPC;
}

int io_file_sync_now(struct io *io, int fd)
{
    (void)io;
    if (change_fails("sync", node_of(fd)->name))
        return -disk.fault_error;
    sync_node(node_of(fd));
    return 0;
}

int64_t io_file_size(struct io *io, int fd)
{
    (void)io;
    return (int64_t)node_of(fd)->now.bytes;
}

int io_file_allocate_now(struct io *io, int fd, uint64_t bytes)
{
    (void)io;
    if (change_fails("allocate", node_of(fd)->name))
        return -disk.fault_error;
    if (!has_room(node_of(fd), bytes))
        return -ENOSPC;
    resize(&node_of(fd)->now, bytes);
    return 0;
}

int io_file_rename_now(struct io *io, const char *from, const char *to)
{
    (void)io;
    struct node *node = find(from);
    struct node *old = find(to);
    if (change_fails("rename", from))
        return -disk.fault_error;
    if (node == NULL)
        return -ENOENT;
    if (old == node)
        return 0;
    if (old != NULL)
        remove_name(old);
    snprintf(node->name, sizeof node->name, "%s", to);
    return 0;
}

int io_file_remove_now(struct io *io, const char *path)
{
    (void)io;
    struct node *node = find(path);
    if (node == NULL)
        return -ENOENT;
    if (node->is_folder)
        return -EISDIR;
    if (change_fails("remove", path))
        return -disk.fault_error;
    remove_name(node);
    return 0;
}

int io_directory_create(struct io *io, const char *path)
{
    (void)io;
    if (find(path) != NULL)
        return find(path)->is_folder ? 0 : -ENOTDIR;
    if (!has_parent(path))
        return -ENOENT;
    if (change_fails("folder", path))
        return -disk.fault_error;
    add(path, true);
    return 0;
}

int io_directory_remove(struct io *io, const char *path)
{
    (void)io;
    struct node *node = find(path);
    if (node == NULL)
        return -ENOENT;
    if (!node->is_folder)
        return -ENOTDIR;
    if (has_children(path))
        return -ENOTEMPTY;
    if (change_fails("remove", path))
        return -disk.fault_error;
    remove_name(node);
    return 0;
}

/* "/" has no node: what is in it is made durable one by one. */
int io_directory_sync(struct io *io, const char *path)
{
    (void)io;
    static struct node root = {.is_folder = true};
    struct node *node = strcmp(path, "/") == 0 ? &root : find(path);
    if (node == NULL)
        return -ENOENT;
    if (change_fails("sync", path))
        return -disk.fault_error;
    sync_node(node);
    return 0;
}

int io_directory_list(struct io *io, const char *path,
                      void (*entry)(void *context, const char *name), void *context)
{
    (void)io;
    struct node *folder = find(path);
    if (folder == NULL)
        return -ENOENT;
    if (!folder->is_folder)
        return -ENOTDIR;
    for (int i = 0; i < NODES_MAX; i++) {
        const char *name = name_in(path, disk.nodes[i].name);
        if (name != NULL)
            entry(context, name);
    }
    return 0;
}

int io_file_lock(struct io *io, int fd)
{
    (void)io;
    if (node_of(fd)->is_locked)
        return -EWOULDBLOCK;
    node_of(fd)->is_locked = true;
    return 0;
}

void io_random(struct io *io, void *buffer, size_t bytes)
{
    (void)io;
    for (size_t i = 0; i < bytes; i++) {
        disk.random_state ^= disk.random_state << 13;
        disk.random_state ^= disk.random_state >> 7;
        disk.random_state ^= disk.random_state << 17;
        ((uint8_t *)buffer)[i] = (uint8_t)disk.random_state;
    }
}
