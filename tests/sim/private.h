#ifndef HF_SIM_PRIVATE_H
#define HF_SIM_PRIVATE_H
/* What the parts of the simulated machine ask of each other. Programs see the other headers. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__SANITIZE_ADDRESS__)
#define SIM_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_ADDRESS_SANITIZER 1
#endif
#endif

/* ---- a new world: each part forgets the one before (called by sim_world_begin()) ---- */

void sim_memory_begin(void);
void sim_disk_begin(void);
void sim_network_begin(void);
void sim_io_begin(void);

/* ---- engine and simulator (world.c) ---- */

/* Engine code runs now, and nothing of the simulator's. */
bool sim_engine_is_running(void);

/* Around callbacks into the checkers from within an io call: what they allocate is theirs. */
bool sim_engine_suspend(void);
void sim_engine_resume(bool was_running);

/* Prints the command that repeats the run, async-signal-safe. */
void sim_print_repeat_command(void);

/* ---- memory of the simulator itself: never NULL, never counted (memory.c) ---- */

void *sim_alloc(size_t bytes); /* zeroed */
void *sim_grow(void *memory, size_t bytes);
void sim_free(void *memory);

/* Makes room for one more in an array that grows by doubling. */
void *sim_array_room(void *array, size_t element_bytes, uint32_t count, uint32_t *room);

/* Counts an allocation of the engine; false when it is one that fails. */
bool sim_memory_may_allocate(void);

/* ---- descriptors (descriptor.c) ---- */

enum sim_descriptor_kind {
    SIM_DESCRIPTOR_CLOSED,
    SIM_DESCRIPTOR_FILE,
    SIM_DESCRIPTOR_FOLDER,
    SIM_DESCRIPTOR_LISTENER,
    SIM_DESCRIPTOR_SOCKET,
};

struct sim_descriptor {
    enum sim_descriptor_kind kind;
    bool is_direct;
    bool is_read_only;
    uint32_t pending_count; /* operations on it */
    void *object;           /* struct sim_node, struct listener, struct sim_link */
};

/* Numbers are not given out a second time, so that what is used or closed once too often is always
 * found. */
int sim_descriptor_add(enum sim_descriptor_kind kind, void *object);

/* Asserts that it is open. Valid until the next sim_descriptor_add(). */
struct sim_descriptor *sim_descriptor(int fd);
struct sim_descriptor *sim_descriptor_of(int fd, enum sim_descriptor_kind kind);

void sim_descriptor_close(int fd);

/* The lowest open descriptor from `from_fd` on, or -1. */
int sim_descriptor_next(int from_fd);

void sim_descriptors_begin(void);

/* ---- operations (io_sim.c) ---- */

/* Names an operation that is under way; stale ones are no mistake. */
typedef uint64_t sim_token;
void sim_io_complete(sim_token token, int32_t result);
bool sim_io_is_awaited(sim_token token);

enum sim_request_kind {
    SIM_REQUEST_ACCEPT,
    SIM_REQUEST_RECV,
    SIM_REQUEST_SEND,
    SIM_REQUEST_OPEN,
    SIM_REQUEST_READ,
    SIM_REQUEST_WRITE,
    SIM_REQUEST_SYNC,
    SIM_REQUEST_ALLOCATE,
    SIM_REQUEST_RENAME,
    SIM_REQUEST_REMOVE,
};

/* What is to happen to one operation on the disk, decided when it is asked for. */
struct sim_verdict {
    bool is_fault;
    int fault; /* enum sim_disk_fault */
    int error; /* negative */
};

struct sim_request {
    enum sim_request_kind kind;
    int fd; /* -1: none */
    const char *path;
    const char *to_path; /* renamed */
    uint32_t flags;      /* of an opening */
    void *buffer;        /* of what comes in */
    const void *source;  /* of what goes out */
    uint32_t bytes;
    uint64_t offset;
    uint64_t file_bytes; /* allocated */
    bool is_durable;
    struct sim_verdict verdict;
};

struct io;
struct io_op;
void sim_io_prepare(struct io *io, struct io_op *op, const struct sim_request *request);

/* ---- the disk, from the engine's side (disk.c) ---- */

struct sim_node;

/* Counts an operation on the disk. */
struct sim_verdict sim_disk_operation(const char *name, const char *path);

/* How long the next operation that takes its time will take. */
uint64_t sim_disk_duration_ns(void);

/* Effects, at once. Descriptor, bytes or 0, or negative errno. */
int sim_disk_open(const char *path, uint32_t flags, struct sim_verdict verdict);
/* Up to the end of the file. */
int64_t sim_disk_read_some(const struct sim_node *file, void *buffer, uint64_t bytes,
                           uint64_t offset, bool is_direct, struct sim_verdict verdict);
int64_t sim_disk_write(struct sim_node *file, const void *buffer, uint64_t bytes, uint64_t offset,
                       bool is_durable, struct sim_verdict verdict);
int sim_disk_sync(struct sim_node *node, struct sim_verdict verdict);
/* The same in two steps: covered is what was there at the first. */
uint64_t sim_disk_sync_begin(struct sim_node *node);
int sim_disk_sync_end(struct sim_node *node, uint64_t covered, struct sim_verdict verdict);

int sim_disk_allocate(struct sim_node *file, uint64_t bytes, struct sim_verdict verdict);
int sim_disk_rename(const char *from, const char *to, struct sim_verdict verdict);
int sim_disk_remove(const char *path, struct sim_verdict verdict);

/* Tells the observer that an operation on this path found no room. */
void sim_disk_lacks_room(const char *path);

/* Room for a file of so many bytes, whose size stays. 0 or -ENOSPC. */
int sim_disk_reserve(struct sim_node *file, uint64_t bytes);

/* ---- the network, from the engine's side (network.c) ---- */

int sim_network_listen(const char *port, bool is_shared);
uint16_t sim_network_listen_port(int fd);
void sim_network_accept(int fd, sim_token token);
void sim_network_recv(int fd, sim_token token, void *buffer, uint32_t bytes);
void sim_network_send(int fd, sim_token token, const void *buffer, uint32_t bytes);
void sim_network_shutdown(int fd, bool is_send_only);
void sim_network_close(int fd);

#endif
