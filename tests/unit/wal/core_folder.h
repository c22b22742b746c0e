#ifndef HF_TESTS_CORE_FOLDER_H
#define HF_TESTS_CORE_FOLDER_H
/* The log of one core on real files, below a scratch folder, and the files in its folder. */

#include "small_log.h"
#include "test_directory.h"

#include <stdio.h>
#include <unistd.h>

static struct test_directory scratch; /* has "data" in it */
static char data_path[2048];
static struct fixture fixture;

/* Returns an io for the fixture, which is not begun. */
static inline struct io *core_folder_begin(void)
{
    char message[256];
    struct io *io = NULL;
    test_directory_make(&scratch);
    snprintf(data_path, sizeof data_path, "%s/data", scratch.path);
    cr_assert_eq(io_create(&(struct io_options){.op_count_max = 16}, &io, message), IO_OK, "%s",
                 message);
    io_start(io);
    return io;
}

static inline void core_folder_end(void)
{
    io_destroy(&fixture.io);
    test_directory_remove(&scratch);
}

/* In the data directory, or in an archive; valid until the fourth call after this one. */
static inline const char *core_folder_file_in(const char *top, const char *name)
{
    static char paths[4][4096];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/era-000001/core-000/%s", top, name);
    return path;
}

static inline const char *core_folder_segment_in(const char *top, uint64_t number)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    return core_folder_file_in(top, name);
}

static inline const char *core_folder_file(const char *name)
{
    return core_folder_file_in(data_path, name);
}

static inline const char *core_folder_segment(uint64_t number)
{
    return core_folder_segment_in(data_path, number);
}

static inline const char *core_folder_snapshot(uint64_t lsn)
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(lsn, name);
    return core_folder_file(name);
}

static inline bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

#endif
