#ifndef HF_WAL_FOLDER_NAMES_H
#define HF_WAL_FOLDER_NAMES_H
/* Private to the room: the names in a folder, to be gone through while the folder changes. */

#include "log/manifest.h"
#include "wal/data_directory.h"

struct folder_names {
    char (*list)[LOG_NAME_BYTES_MAX];
    uint32_t count, room;
    bool is_out_of_memory;
};

/* In no order. Names too long to be ours are left out. On failure `message_out` (512 bytes) tells
 * why. The list is the caller's, to be freed in any case. Blocking. */
enum data_directory_status folder_names_list(struct io *io, const char *path,
                                             struct folder_names *names_out, char *message_out);
void folder_names_free(struct folder_names *names);

#endif
