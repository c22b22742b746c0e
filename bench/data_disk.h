#ifndef HF_BENCH_DATA_DISK_H
#define HF_BENCH_DATA_DISK_H
/* Where a server on this machine keeps its data, and how long that disk takes to make a write
 * durable: what every acknowledgement waits for. */

#include <limits.h>
#include <stdint.h>

enum { DATA_DISK_FLUSHES = 33 };

/* Texts are empty when they are not known. */
struct data_disk {
    char server_command[1024];
    char directory[PATH_MAX];
    char file_system[64]; /* "ext4" */
    char device[128];     /* "/dev/vda1" */
    double flush_us;      /* median of 4 KiB written durably; 0 = not known, see `unknown` */
    char unknown[256];    /* why something of the above is not known */
};

/* Reads the server's command line, and measures the disk with DATA_DISK_FLUSHES writes to a file
 * without a name beside its data directory, which is gone afterwards whatever happens. `pid` may
 * be 0: then nothing is known. */
void data_disk_learn(struct data_disk *disk_out, uint64_t pid);

#endif
