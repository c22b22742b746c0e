#ifndef HF_IO_H
#define HF_IO_H
/* Everything asynchronous, and every touch of the outside: sockets, files, clocks, wake-ups. Two
 * implementations stand behind this header and the linker chooses: io_ring.c and ahead_ring.c
 * (io_uring, the only files that include liburing) with the plain system calls of file_now.c and
 * socket_now.c, and the simulator of the tests.
 *
 * One struct io per core, used by its thread only, except io_wake(). An operation lives in its
 * owner, which keeps it and the buffers it names untouched until its `done` ran. `done` runs inside
 * io_turn() and nowhere else, never inside the call that started the operation. Results are >= 0 or
 * a negative errno, and negative errno stays inside engine/io and its callers' translation. */

#include "base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct io;
struct io_op;

/* `result`: bytes, descriptor or 0, or a negative errno. The operation may be started anew from
 * here. */
typedef void (*io_done_fn)(struct io_op *op, int32_t result);

struct io_op {
    io_done_fn done;
    void *context;     /* the owner's */
    uint64_t parts[5]; /* the implementation's */
    bool is_pending;
};

/* ---- life ---- */

struct io_options {
    uint32_t op_count_max; /* operations pending at once; sizes the rings */
};

enum io_status {
    IO_OK = 0,
    IO_NO_MEMORY,
    IO_BLOCKED,     /* io_uring is forbidden here (EPERM, ENOSYS): container profile or sysctl */
    IO_UNSUPPORTED, /* the kernel is too old for what is asked */
};

/* May run in another thread than the one that will use it. `message_out` (room for 256 bytes) gets
 * one line that says what is wrong and what to do. */
enum io_status io_create(const struct io_options *options, struct io **io_out, char *message_out);

/* First call of the thread that will use it. */
void io_start(struct io *io);

/* No operation is pending any more, or the process is about to end. Closes nothing that the caller
 * opened. */
void io_destroy(struct io **io);

/* ---- the turn ---- */

/* Starts what was prepared and not started yet, waits until something completes or the monotonic
 * clock reaches `wake_at_ns` (0: do not wait; UINT64_MAX: as long as it takes), and runs the `done`
 * of all that completed. May return earlier, with nothing done: after a signal, or woken twice. One
 * system call in the usual case. */
void io_turn(struct io *io, uint64_t wake_at_ns);

/* Both clocks, read now. */
struct clock_reading io_clock(struct io *io);

/* Makes io_turn() of `target` return soon. `self` is the caller's own, or NULL when the calling
 * thread has none. With `self` it may leave only with the caller's next io_turn(). The only
 * function for foreign threads. */
void io_wake(struct io *self, struct io *target);

/* ---- sockets ---- */

/* A listening TCP socket, non-blocking, SO_REUSEPORT when `is_shared`, TCP_NODELAY inherited by
 * what it accepts. `host` is a numeric address or a name; `port` in decimal, "0" lets the system
 * choose. Returns the descriptor or a negative errno (-EADDRINUSE, -EADDRNOTAVAIL, -EACCES; -EINVAL
 * for a name that does not resolve). Blocking. */
int io_listen(struct io *io, const char *host, const char *port, bool is_shared);

/* The port that a listening socket really has. */
uint16_t io_listen_port(struct io *io, int listen_fd);

/* Result: a connected descriptor. */
void io_accept(struct io *io, struct io_op *op, int listen_fd);

/* Result: bytes received, 0 at the end of the stream. */
void io_recv(struct io *io, struct io_op *op, int fd, void *buffer, uint32_t bytes);

/* Result: bytes sent, at least 1. May be fewer than asked; the caller goes on. */
void io_send(struct io *io, struct io_op *op, int fd, const void *buffer, uint32_t bytes);

/* Ends our direction only: the peer gets what was sent, then the end of the stream. */
void io_shutdown_send(struct io *io, int fd);

/* Ends both directions, so that pending operations on the socket complete soon. */
void io_shutdown(struct io *io, int fd);

/* No operation on it is pending. For sockets and files. Does not wait, but for one case: the space
 * of a file that has no name any more is given back here, which takes as long as a removal. So
 * files are closed before they are removed or replaced. */
void io_close(struct io *io, int fd);

/* ---- files: asynchronous ----
 *
 * For use while serving: the loop is never held up. The kernel carries them out, on threads of its
 * own where it might have to wait; they run side by side and end in any order, so what needs
 * another one's effect is started from its `done`. Paths are like buffers: the owner's, and left
 * alone until `done` ran.
 *
 * What may have changed the disk is never tried again: an interruption (-EINTR) is passed on, and
 * the owner can't know whether it has happened. */

enum {
    IO_FILE_READ = 1 << 0,   /* read only; without it read and write */
    IO_FILE_CREATE = 1 << 1, /* must not exist yet */
    IO_FILE_DIRECT = 1 << 2, /* around the page cache; falls back where the file system can't */
    IO_FILE_DIRECTORY = 1 << 3,
};

/* Result: a descriptor. Never waits and follows no link at the path's end: what is neither a
 * regular file nor, with IO_FILE_DIRECTORY, a directory is -ENXIO (-ENOTDIR). */
void io_file_open(struct io *io, struct io_op *op, const char *path, uint32_t flags);

/* Result: bytes read, 0 at the end of the file; may be fewer than asked before the end too. Buffer,
 * bytes and offset as for io_file_write(). */
void io_file_read(struct io *io, struct io_op *op, int fd, void *buffer, uint32_t bytes,
                  uint64_t offset);

/* Writes at an offset; buffer, bytes and offset are multiples of 4096 for files opened with
 * IO_FILE_DIRECT. With `is_durable` the data, and what is needed to find it again, are on disk when
 * it completes, and the write starts now, since somebody waits for it: one system call. Result:
 * bytes written; fewer than asked is a failure the caller must treat as such (design P3). */
void io_file_write(struct io *io, struct io_op *op, int fd, const void *buffer, uint32_t bytes,
                   uint64_t offset, bool is_durable);

/* fsync, of a file or a directory. What it covers had completed when it was started. */
void io_file_sync(struct io *io, struct io_op *op, int fd);

/* Reserves the space up to `bytes` (1 or more), so that running out of it shows now: -ENOSPC. Makes
 * the file as large as that if it is smaller. Nothing else is under way on the descriptor. */
void io_file_allocate(struct io *io, struct io_op *op, int fd, uint64_t bytes);

/* Replaces what has the name `to`. Within one file system. */
void io_file_rename(struct io *io, struct io_op *op, const char *from, const char *to);

/* The file's space comes back now, or with its last descriptor: see io_close(). */
void io_file_remove(struct io *io, struct io_op *op, const char *path);

/* ---- files: blocking, for start, stop and rare events ----
 *
 * Those with _now at their end do what the asynchronous form does; of the others there is none. */

/* Descriptor or negative errno. */
int io_file_open_now(struct io *io, const char *path, uint32_t flags);
/* Exactly `bytes`, or a negative errno (-ENODATA at the end of the file). */
int io_file_read_now(struct io *io, int fd, void *buffer, size_t bytes, uint64_t offset);
int io_file_write_now(struct io *io, int fd, const void *buffer, size_t bytes, uint64_t offset);
int io_file_sync_now(struct io *io, int fd);
/* Size in bytes or negative errno. */
int64_t io_file_size(struct io *io, int fd);
int io_file_allocate_now(struct io *io, int fd, uint64_t bytes);
int io_file_rename_now(struct io *io, const char *from, const char *to);
int io_file_remove_now(struct io *io, const char *path);
int io_directory_create(struct io *io, const char *path); /* 0 when it is there already */
int io_directory_remove(struct io *io, const char *path); /* -ENOTEMPTY when anything is in it */
/* Makes names created in, renamed in or removed from the directory durable. */
int io_directory_sync(struct io *io, const char *path);
/* Calls `entry` for every name but "." and "..", in no order. 0 or negative errno. */
int io_directory_list(struct io *io, const char *path,
                      void (*entry)(void *context, const char *name), void *context);
/* Takes an exclusive lock on a file or a directory that ends with the descriptor or the process. 0,
 * -EWOULDBLOCK when another has it. */
int io_file_lock(struct io *io, int fd);
/* Fills the buffer with random bytes for ids and hash keys. */
void io_random(struct io *io, void *buffer, size_t bytes);

/* ---- files: reading ahead ----
 *
 * io_file_read_now() for reads that follow each other to the end of a file: while the caller works
 * on what it has, the disk brings what is next, some MiB of it. A read that does not begin where
 * the one before has ended is as good, only slower. Nobody writes to the file meanwhile. */

struct io_ahead;

/* For one file at a time, used by the thread that uses `io`, which outlives it. NULL when the
 * system refuses it: then io_file_read_now() does the same. */
struct io_ahead *io_ahead_create(struct io *io);

/* As io_file_read_now(). What is read ahead ends at `end`, which is the file's, or where reading
 * will end. Address, offset, length and `end` are multiples of 4096 where the file was opened with
 * IO_FILE_DIRECT. */
int io_ahead_read(struct io_ahead *ahead, int fd, void *buffer, size_t bytes, uint64_t offset,
                  uint64_t end);

/* Before the descriptor is closed, or the file is written to: forgets what was read ahead. */
void io_ahead_stop(struct io_ahead *ahead);

/* Stops it. NULL is allowed. */
void io_ahead_destroy(struct io_ahead **ahead);

#endif
