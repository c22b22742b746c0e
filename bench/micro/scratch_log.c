#include "bench/micro/scratch_log.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OP_COUNT_MAX = 64,
    SEGMENT_BYTES = 64 << 20, /* as holdfastd's by default */
    DESCRIPTORS_MAX = 16,
    EXIT_TROUBLE = 2,
};

static _Noreturn void die(const char *what, const char *why)
{
    fprintf(stderr, "%s: %s\n", what, why);
    exit(EXIT_TROUBLE);
}

static void make_folder(struct scratch_log *log, const char *below)
{
    int bytes = snprintf(log->folder, sizeof log->folder, "%s/scratch-log-XXXXXX", below);
    if (bytes < 0 || (size_t)bytes >= sizeof log->folder || mkdtemp(log->folder) == NULL)
        die(below, "no directory can be made there");
}

static void open_wal(struct scratch_log *log)
{
    static const struct log_end empty = {.status = LOG_GOOD, .next_lsn = 1, .next_group_number = 1};
    static const struct wal_options options = {.durability = WAL_SYNC,
                                               .segment_bytes = SEGMENT_BYTES,
                                               .group_bytes_max = LOG_GROUP_BYTES_MAX};
    char message[DATA_DIRECTORY_MESSAGE_BYTES];
    log->wal = wal_open(log->io, &log->directory, &options, &empty, message);
    if (log->wal == NULL)
        die(log->folder, message);
}

void scratch_log_open(struct scratch_log *log, const char *below)
{
    char message[256];
    char path[PATH_MAX + 8];
    if (io_create(&(struct io_options){.op_count_max = OP_COUNT_MAX}, &log->io, message) != IO_OK)
        die("io_uring", message);
    io_start(log->io);
    make_folder(log, below);
    snprintf(path, sizeof path, "%s/data", log->folder);
    if (data_directory_open(&log->directory, log->io, path, 1) != DATA_DIRECTORY_OK ||
        data_directory_begin_era(&log->directory) != DATA_DIRECTORY_OK)
        die(path, log->directory.message);
    open_wal(log);
}

void scratch_log_turn(struct scratch_log *log)
{
    wal_write(log->wal, io_clock(log->io).wall_ns / 1000000);
    io_turn(log->io, UINT64_MAX);
    if (wal_failure(log->wal) != NULL)
        die(log->folder, wal_failure(log->wal));
    if (wal_lacks_space(log->wal))
        die(log->folder, "the disk has no room for the log");
}

void scratch_log_drain(struct scratch_log *log)
{
    while (wal_durable_lsn(log->wal) < wal_last_lsn(log->wal))
        scratch_log_turn(log);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)type;
    (void)place;
    return remove(path);
}

void scratch_log_close(struct scratch_log *log)
{
    scratch_log_drain(log);
    wal_stop(log->wal);
    while (!wal_is_idle(log->wal))
        scratch_log_turn(log);
    wal_close(&log->wal);
    data_directory_close(&log->directory);
    io_destroy(&log->io);
    nftw(log->folder, remove_entry, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
}
