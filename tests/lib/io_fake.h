#ifndef HF_TESTS_IO_FAKE_H
#define HF_TESTS_IO_FAKE_H
/* io/io.h over files in memory, for tests: deterministic, single-threaded, no sockets. Operations
 * take effect and complete at the next io_turn(), in order. The disk remembers what was synced: a
 * power cut keeps that and nothing else.
 *
 * Every call that changes the disk counts, blocking ones when they are made and the others when
 * they complete, and the n-th can be told to fail. */

#include "io/io.h"

/* A disk outlives the io that uses it; one at a time. */
void io_fake_format(void);

enum io_fake_fault {
    IO_FAKE_ERROR,    /* the call returns -error and changes nothing */
    IO_FAKE_SHORT,    /* a write arrives up to the middle and says so; other calls fail */
    IO_FAKE_UNSYNCED, /* a write arrives, but nothing of it reaches the disk before the next sync,
                         and returns -error; other calls fail */
    IO_FAKE_CUT,      /* a write arrives up to the middle, then nothing changes any more: -error for
                         this and all later calls, until io_fake_power_cut() */
};

/* Calls are numbered from here: `at` = 1 is the next one. `at` = 0: no fault. */
void io_fake_fail_at(uint64_t at, enum io_fake_fault fault, int error);

/* From now on there is room for so many bytes; allocating or growing beyond it is -ENOSPC. */
void io_fake_set_capacity(uint64_t bytes);

/* Calls that changed the disk since io_fake_fail_at(). */
uint64_t io_fake_change_count(void);

/* What the fault has hit first: "sync /data/era-000001/core-000"; empty when it has hit nothing.
 * The operations are called open, write, sync, allocate, rename, remove and folder. */
const char *io_fake_failed(void);

/* Forgets all that was not synced, closes all descriptors, and ends the fault. With a torn write,
 * what arrived of it has reached the disk. */
void io_fake_power_cut(void);

#endif
