#include "base/standard_files.h"

#include <fcntl.h>
#include <unistd.h>

/* The lowest descriptor that is free is the one that is opened. */
void standard_files_open(void)
{
    int fd = STDIN_FILENO;
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = open("/dev/null", O_RDWR);
    if (fd >= 0)
        close(fd);
}
