#include "wal/folder_names.h"

#include "wal/trouble.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void note_name(void *context, const char *name)
{
    struct folder_names *names = context;
    size_t bytes = strlen(name) + 1;
    if (bytes > LOG_NAME_BYTES_MAX)
        return;
    if (names->count == names->room) {
        uint32_t room = names->room == 0 ? 64 : names->room * 2;
        void *larger = realloc(names->list, (size_t)room * LOG_NAME_BYTES_MAX);
        if (larger == NULL) {
            names->is_out_of_memory = true;
            return;
        }
        names->list = larger;
        names->room = room;
    }
    memcpy(names->list[names->count++], name, bytes);
}

enum data_directory_status folder_names_list(struct io *io, const char *path,
                                             struct folder_names *names_out, char *message_out)
{
    *names_out = (struct folder_names){0};
    int error = io_directory_list(io, path, note_name, names_out);
    if (error == 0 && names_out->is_out_of_memory)
        error = -ENOMEM;
    return error == 0 ? DATA_DIRECTORY_OK : trouble(message_out, path, "read this folder", error);
}

void folder_names_free(struct folder_names *names)
{
    free(names->list);
    names->list = NULL;
    names->count = names->room = 0;
}
