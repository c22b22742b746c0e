#include "disk_image.h"

#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

/* of the kernel's fs/ext4/ext4.h, and of other file systems */
#define IOCTL_SHUTDOWN _IOR('X', 125, uint32_t)

bool disk_image_enter(char *reason_out)
{
    enum { REASON_BYTES = 256 };
    if (geteuid() != 0)
        snprintf(reason_out, REASON_BYTES, "only root can mount");
    else if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0)
        snprintf(reason_out, REASON_BYTES, "no mount namespace: %s", strerror(errno));
    else if (access("/dev/loop-control", R_OK | W_OK) != 0)
        snprintf(reason_out, REASON_BYTES, "no loop devices: %s", strerror(errno));
    else
        return true;
    return false;
}

/* What a process had open in its ring is let go of some time after its end. */
static void unmount(const char *path)
{
    enum { BUSY_MS_MAX = 10000 };
    const double give_up_ms = check_now_ms() + BUSY_MS_MAX;
    while (umount(path) != 0) {
        check_must(errno == EBUSY && check_now_ms() < give_up_ms, "unmounting %s: %s", path,
                   strerror(errno));
        check_sleep_ms(1);
    }
}

/* ------------------------------------------------------------------------------------------------
 * Memory
 * ---------------------------------------------------------------------------------------------- */

static void mount_memory(const char *path, uint64_t bytes, unsigned long flags)
{
    char size[64];
    snprintf(size, sizeof size, "size=%" PRIu64 ",mode=0777", bytes);
    check_must(mount("holdfast-test", path, "tmpfs", flags, size) == 0, "tmpfs at %s: %s", path,
               strerror(errno));
}

void disk_image_mount_memory(const char *path, uint64_t bytes)
{
    check_must(mkdir(path, 0777) == 0 || errno == EEXIST, "%s: %s", path, strerror(errno));
    mount_memory(path, bytes, 0);
}

void disk_image_resize_memory(const char *path, uint64_t bytes)
{
    mount_memory(path, bytes, MS_REMOUNT);
}

uint64_t disk_image_memory_used(const char *path)
{
    struct statvfs status;
    check_must(statvfs(path, &status) == 0, "%s: %s", path, strerror(errno));
    return (uint64_t)(status.f_blocks - status.f_bfree) * status.f_frsize;
}

void disk_image_set_memory_read_only(const char *path, bool is_read_only)
{
    const unsigned long flags = MS_REMOUNT | (is_read_only ? MS_RDONLY : 0);
    check_must(mount("holdfast-test", path, "tmpfs", flags, NULL) == 0, "tmpfs at %s: %s", path,
               strerror(errno));
}

void disk_image_unmount_memory(const char *path)
{
    unmount(path);
}

/* ------------------------------------------------------------------------------------------------
 * Images
 * ---------------------------------------------------------------------------------------------- */

static void make_file_system(const char *file)
{
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("mkfs.ext4", "mkfs.ext4", "-q", "-F", "-m", "0", "-E",
               "lazy_itable_init=1,lazy_journal_init=1,nodiscard", file, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    check_must(status == 0, "mkfs.ext4 %s: status %d", file, status);
}

void disk_image_make(struct disk_image *image, const char *folder, uint64_t bytes)
{
    snprintf(image->file, sizeof image->file, "%s/image", folder);
    snprintf(image->mounted, sizeof image->mounted, "%s/disk", folder);
    const int fd = open(image->file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    check_must(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0, "%s: %s", image->file, strerror(errno));
    close(fd);
    make_file_system(image->file);
    check_must(mkdir(image->mounted, 0777) == 0 || errno == EEXIST, "%s: %s", image->mounted,
               strerror(errno));
    disk_image_mount(image);
}

void disk_image_remove(struct disk_image *image)
{
    disk_image_unmount(image);
    check(unlink(image->file) == 0, "%s: %s", image->file, strerror(errno));
}

/* Somebody else may take the device that is free between asking for it and taking it. */
static int attach(const char *file, char *device, size_t device_bytes)
{
    const int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    const int file_fd = open(file, O_RDWR | O_CLOEXEC);
    check_must(control >= 0 && file_fd >= 0, "%s: %s", file, strerror(errno));
    const struct loop_config config = {
        .fd = (uint32_t)file_fd,
        .block_size = 4096,
        .info = {.lo_flags = LO_FLAGS_AUTOCLEAR},
    };
    int fd = -1;
    for (int attempt = 0; attempt < 100 && fd < 0; attempt++) {
        const int number = ioctl(control, LOOP_CTL_GET_FREE);
        snprintf(device, device_bytes, "/dev/loop%d", number);
        fd = number < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &config) != 0) {
            close(fd);
            fd = -1;
            check_sleep_ms(10);
        }
    }
    check_must(fd >= 0, "no loop device: %s", strerror(errno));
    close(file_fd);
    close(control);
    return fd;
}

/* With the device's last user, which is the mount, the file is let go of. */
void disk_image_mount(struct disk_image *image)
{
    char device[64];
    const int fd = attach(image->file, device, sizeof device);
    check_must(mount(device, image->mounted, "ext4", 0, "discard") == 0, "%s at %s: %s", device,
               image->mounted, strerror(errno));
    close(fd);
}

void disk_image_unmount(struct disk_image *image)
{
    unmount(image->mounted);
}

void disk_image_cut(struct disk_image *image, enum disk_image_cut cut)
{
    uint32_t flag = cut;
    const int fd = open(image->mounted, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    check_must(fd >= 0 && ioctl(fd, IOCTL_SHUTDOWN, &flag) == 0, "%s: %s", image->mounted,
               strerror(errno));
    close(fd);
}
