#include "bench/data_disk.h"

#include "bench/endpoint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* The server's log is written in blocks of 4 KiB, past the page cache, durable when the write
 * returns, over zeros that were written before. So is the file here: writing zeros first keeps the
 * file system's own journal out of the figure, as the server keeps it out of its path. */

enum { BLOCK_BYTES = 4096 };

__attribute__((format(printf, 2, 3))) static bool unknown(struct data_disk *disk,
                                                          const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(disk->unknown, sizeof disk->unknown, format, arguments);
    va_end(arguments);
    return false;
}

/* ---- the server's command line ------------------------------------------------------------- */

/* The arguments with a zero behind each, and one more at the end. Returns their bytes, 0 when they
 * can't be read. */
static size_t read_arguments(uint64_t pid, char *arguments, size_t room)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%llu/cmdline", (unsigned long long)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return 0;
    }
    ssize_t n = read(fd, arguments, room - 2);
    close(fd);
    if (n <= 0) {
        return 0;
    }
    arguments[n] = 0;
    arguments[n + 1] = 0;
    return (size_t)n;
}

/* The last one wins, as it does in the server. NULL when there is none. */
static const char *find_data(const char *arguments, size_t bytes)
{
    static const char name[] = "--data";
    const char *data = NULL;
    const char *end = arguments + bytes;
    for (const char *at = arguments; at < end; at += strlen(at) + 1) {
        if (strncmp(at, name, strlen(name)) != 0) {
            continue;
        }
        const char *behind = at + strlen(name);
        if (*behind == '=' || (*behind == 0 && behind + 1 < end)) {
            data = behind + 1;
        }
    }
    return data;
}

static bool find_directory(struct data_disk *disk, uint64_t pid)
{
    char arguments[8192];
    size_t bytes = read_arguments(pid, arguments, sizeof arguments);
    if (bytes == 0) {
        return unknown(disk, "the command line of process %llu cannot be read",
                       (unsigned long long)pid);
    }
    const char *data = find_data(arguments, bytes);
    char path[PATH_MAX];
    if (data == NULL) {
        unknown(disk, "the command line of process %llu has no --data", (unsigned long long)pid);
    } else if (data[0] == '/') {
        snprintf(path, sizeof path, "%s", data);
    } else {
        snprintf(path, sizeof path, "/proc/%llu/cwd/%s", (unsigned long long)pid, data);
    }
    if (data != NULL && realpath(path, disk->directory) == NULL) {
        disk->directory[0] = 0;
        unknown(disk, "the data directory of process %llu: %s", (unsigned long long)pid,
                strerror(errno));
    }
    for (size_t i = 0; i + 1 < bytes; i++) {
        if (arguments[i] == 0) {
            arguments[i] = ' ';
        }
    }
    snprintf(disk->server_command, sizeof disk->server_command, "%.1023s", arguments);
    return disk->directory[0] != 0;
}

/* ---- file system and device ---------------------------------------------------------------- */

/* A line of mountinfo is "36 35 98:0 /root /where options [tag ...] - type device options". */
static void find_mount(struct data_disk *disk, dev_t device)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[2048];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        unsigned major_number;
        unsigned minor_number;
        const char *behind = strstr(line, " - ");
        if (behind != NULL && sscanf(line, "%*u %*u %u:%u", &major_number, &minor_number) == 2 &&
            makedev(major_number, minor_number) == device &&
            sscanf(behind, " - %63s %127s", disk->file_system, disk->device) == 2) {
            break;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* ---- flush time ---------------------------------------------------------------------------- */

static int by_size(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;
    return (a > b) - (a < b);
}

static bool write_blocks(struct data_disk *disk, int fd, const void *block, uint64_t *took_ns_out)
{
    for (int i = 0; i < DATA_DISK_FLUSHES; i++) {
        uint64_t before_ns = monotonic_ns();
        ssize_t n = pwrite(fd, block, BLOCK_BYTES, (off_t)i * BLOCK_BYTES);
        took_ns_out[i] = monotonic_ns() - before_ns;
        if (n != BLOCK_BYTES) {
            return unknown(disk, "flush time: cannot write beside %.128s: %s", disk->directory,
                           n < 0 ? strerror(errno) : "cut short");
        }
    }
    return true;
}

static void measure_flush(struct data_disk *disk, dev_t device)
{
    char parent[PATH_MAX + 4];
    struct stat at;
    snprintf(parent, sizeof parent, "%s/..", disk->directory);
    if (stat(parent, &at) != 0 || at.st_dev != device) {
        unknown(disk, "flush time: %.128s is a file system of its own, nothing is beside it",
                disk->directory);
        return;
    }
    int fd = open(parent, O_TMPFILE | O_RDWR | O_DIRECT | O_DSYNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        unknown(disk, "flush time: no file for direct writing beside %.128s: %s", disk->directory,
                strerror(errno));
        return;
    }
    uint64_t took_ns[DATA_DISK_FLUSHES];
    void *block = aligned_alloc(BLOCK_BYTES, BLOCK_BYTES);
    if (block == NULL) {
        unknown(disk, "flush time: out of memory");
    } else {
        memset(block, 0, BLOCK_BYTES);
        bool good = write_blocks(disk, fd, block, took_ns); /* the blocks are made */
        good = good && write_blocks(disk, fd, block, took_ns);
        if (good) {
            qsort(took_ns, DATA_DISK_FLUSHES, sizeof took_ns[0], by_size);
            uint64_t median_ns = took_ns[DATA_DISK_FLUSHES / 2];
            disk->flush_us = (double)median_ns / 1e3;
        }
    }
    free(block);
    close(fd);
}

void data_disk_learn(struct data_disk *disk, uint64_t pid)
{
    memset(disk, 0, sizeof *disk);
    struct stat at;
    if (pid == 0) {
        unknown(disk, "the server's disk: --server-pid is missing");
    } else if (find_directory(disk, pid)) {
        if (stat(disk->directory, &at) != 0) {
            unknown(disk, "%.128s: %s", disk->directory, strerror(errno));
            return;
        }
        find_mount(disk, at.st_dev);
        measure_flush(disk, at.st_dev);
    }
}
