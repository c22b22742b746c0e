#ifndef HF_TESTS_READ_WHOLE_LOG_H
#define HF_TESTS_READ_WHOLE_LOG_H
/* Reads one log as a start does, in one go: from the newest snapshot whose header can be read, or
 * from its beginning. */

#include "wal/log_files.h"

static inline enum data_directory_status read_whole_log(const struct data_directory *directory,
                                                        struct io *io, uint32_t era_index,
                                                        uint32_t core, log_group_fn group,
                                                        void *context, struct log_end *end_out,
                                                        bool *was_torn_out, char *message_out)
{
    enum data_directory_status status;
    struct log_files *files = log_files_open(directory, io, era_index, core, message_out, &status);
    if (files == NULL)
        return status;
    struct log_position start;
    status = log_files_newest_position(files, &start);
    if (status == DATA_DIRECTORY_OK)
        status = log_files_begin_log(files, &start, group, context);
    while (status == DATA_DIRECTORY_OK && log_files_read_log(files)) {
    }
    if (status == DATA_DIRECTORY_OK)
        status = log_files_end_log(files, end_out, was_torn_out);
    log_files_close(&files);
    return status;
}

#endif
