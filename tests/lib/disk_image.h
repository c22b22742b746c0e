#ifndef HF_TESTS_DISK_IMAGE_H
#define HF_TESTS_DISK_IMAGE_H
/* A small machine's disk: an ext4 file system in a file, behind a loop device, whose power can be
 * cut. Needs root. The mounts are made in a mount namespace of the program's own and the loop
 * device lets go of the file by itself, so nothing is left behind however the program ends. */

#include "scratch.h"

#include <stdbool.h>
#include <stdint.h>

/* Enters a mount namespace of its own. Once, before anything else; false, with the reason (256
 * bytes), where that can't be done: the test is skipped. */
bool disk_image_enter(char *reason_out);

/* A tmpfs of this size at `path`, which is made. */
void disk_image_mount_memory(const char *path, uint64_t bytes);
/* Another size, and what is in use of it now. */
void disk_image_resize_memory(const char *path, uint64_t bytes);
uint64_t disk_image_memory_used(const char *path);
/* Nothing on it can be changed, or again everything. Nobody may have a file on it open for writing.
 */
void disk_image_set_memory_read_only(const char *path, bool is_read_only);
void disk_image_unmount_memory(const char *path);

struct disk_image {
    char file[SCRATCH_PATH_BYTES + 64];
    char mounted[SCRATCH_PATH_BYTES + 64]; /* where */
};

/* Makes an empty ext4 file system in FOLDER/image and mounts it at FOLDER/disk. Of the file only
 * what was written takes room. */
void disk_image_make(struct disk_image *image, const char *folder, uint64_t bytes);

/* Unmounts, and removes the file. */
void disk_image_remove(struct disk_image *image);

void disk_image_mount(struct disk_image *image);
void disk_image_unmount(struct disk_image *image);

/* What of the unwritten reaches the disk before the power goes. */
enum disk_image_cut {
    DISK_IMAGE_CUT_ALL = 0,     /* everything */
    DISK_IMAGE_CUT_JOURNAL = 1, /* names and sizes, but no content */
    DISK_IMAGE_CUT_NOTHING = 2,
};

/* From now on nothing reaches the disk, and whoever tries is told EIO. Unmount it and mount it
 * again to see what the next start of the machine would. */
void disk_image_cut(struct disk_image *image, enum disk_image_cut cut);

#endif
