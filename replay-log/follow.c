#include "follow.h"

#include "group.h"
#include "input.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>

/* There is nothing to be judged: what does not verify is not there yet. A segment that was let go
 * while it is still read shows as a file that has lost its name. */

void follow_begin(struct follow *follow, const struct data *data, const struct data_log *log,
                  const struct log_position *at, uint8_t *buffer)
{
    *follow = (struct follow){.data = data, .log = log, .at = *at, .fd = -1, .buffer = buffer};
}

void follow_end(struct follow *follow)
{
    input_close(follow->fd);
    follow->fd = -1;
}

static void segment_path(const struct follow *follow, uint64_t number, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    snprintf(to, DATA_FILE_PATH_BYTES, "%s/%s", follow->log->path, name);
}

/* Descriptor of the segment of this number, if it is in use and this log's; or -1. */
static int open_segment(const struct follow *follow, uint64_t number,
                        struct log_segment_header *header_out)
{
    _Alignas(8) uint8_t block[LOG_BLOCK_BYTES];
    char path[DATA_FILE_PATH_BYTES];
    segment_path(follow, number, path);
    uint64_t file_bytes;
    const int fd = input_open(path, &file_bytes);
    if (fd < 0)
        return -1;
    if (input_read_at(fd, 0, block, sizeof block) == 0 &&
        log_segment_header_decode(block, header_out) == NULL &&
        id128_equal(header_out->server_id, follow->data->manifest.server_id) &&
        header_out->era == follow->log->era && header_out->core == follow->log->core &&
        header_out->segment_number == number)
        return fd;
    input_close(fd);
    return -1;
}

/* Into the segment behind this one, if the log goes on there. */
static bool enter_next(struct follow *follow)
{
    struct log_segment_header header;
    const int fd = open_segment(follow, follow->at.segment_number + 1, &header);
    if (fd < 0)
        return false;
    if (header.first_lsn != follow->at.next_lsn || header.chain != follow->at.chain) {
        input_close(fd);
        return false;
    }
    follow_end(follow);
    follow->fd = fd;
    follow->segment = header;
    follow->at.segment_number++;
    follow->at.offset = LOG_BLOCK_BYTES;
    return true;
}

static bool is_gone(const struct follow *follow)
{
    char path[DATA_FILE_PATH_BYTES];
    struct stat named;
    struct stat opened;
    segment_path(follow, follow->at.segment_number, path);
    return stat(path, &named) != 0 || fstat(follow->fd, &opened) != 0 ||
           named.st_ino != opened.st_ino || named.st_dev != opened.st_dev;
}

/* The group at the place, if it is there. */
static bool read_group(struct follow *follow, struct log_group *group_out)
{
    const uint64_t offset = follow->at.offset;
    const uint64_t seed = log_group_seed(follow->segment.segment_uuid, offset);
    struct group_look look;
    if (follow->segment.segment_bytes - offset < LOG_BLOCK_BYTES ||
        input_read_at(follow->fd, offset, follow->buffer, LOG_BLOCK_BYTES) != 0 ||
        group_look_at_header(follow->buffer, seed, &look) != NULL ||
        !group_is_next(&look, &follow->at) || look.bytes > follow->segment.segment_bytes - offset ||
        input_read_at(follow->fd, offset, follow->buffer, look.bytes) != 0 ||
        group_look_at_records(follow->buffer, seed, &look) != NULL)
        return false;
    *group_out = group_of(follow->buffer, &look);
    group_go_behind(&look, offset, &follow->at);
    return true;
}

enum follow_found follow_next(struct follow *follow, struct log_group *group_out)
{
    if (follow->fd < 0 && follow->at.segment_number > 0) {
        follow->fd = open_segment(follow, follow->at.segment_number, &follow->segment);
        if (follow->fd < 0)
            return FOLLOW_GONE;
    }
    if (follow->fd >= 0 && read_group(follow, group_out))
        return FOLLOW_GROUP;
    if (enter_next(follow) && read_group(follow, group_out))
        return FOLLOW_GROUP;
    return follow->fd >= 0 && is_gone(follow) ? FOLLOW_GONE : FOLLOW_NOTHING;
}
