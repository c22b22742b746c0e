#ifndef HF_IO_PRIVATE_H
#define HF_IO_PRIVATE_H
/* What the two forms of opening a file have in common (file_now.c). Neither function waits. */

#include <stdint.h>

enum { IO_FILE_MODE = 0640 }; /* of a new file */

/* The flags of open(2) for those of io_file_open(). */
int io_open_mode(uint32_t flags);

/* Takes what open(2) gave, a descriptor or a negative errno, and returns what is handed out. Closes
 * what is no regular file. */
int io_open_end(int result, uint32_t flags);

#endif
