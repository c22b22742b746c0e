#include "scratch.h"

#include "check.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *position)
{
    (void)info;
    (void)kind;
    (void)position;
    return remove(path);
}

void scratch_remove(const char *path)
{
    enum { DESCRIPTORS_MAX = 16 };
    nftw(path, remove_entry, DESCRIPTORS_MAX, FTW_DEPTH | FTW_PHYS);
}

void scratch_make(const char *name, char *path_out)
{
    check_must(mkdir(HOLDFAST_SCRATCH_DIR, 0777) == 0 || errno == EEXIST, "%s: %s",
               HOLDFAST_SCRATCH_DIR, strerror(errno));
    snprintf(path_out, SCRATCH_PATH_BYTES, "%s/%s.%d", HOLDFAST_SCRATCH_DIR, name, (int)getpid());
    scratch_remove(path_out);
    check_must(mkdir(path_out, 0777) == 0, "%s: %s", path_out, strerror(errno));
}

void scratch_copy(const char *from, const char *to)
{
    const pid_t pid = fork();
    if (pid == 0) {
        execlp("cp", "cp", "-a", from, to, (char *)NULL);
        _exit(127);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    check_must(status == 0, "cp -a %s %s: status %d", from, to, status);
}
