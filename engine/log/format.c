#include "log/format.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "log/private.h"

#include <stdbool.h>
#include <string.h>

/* Encoding and decoding of the two headers; the layouts are drawn in format.h. A decoder trusts
 * nothing before the checksum is right, and then still checks that the numbers are possible: a
 * right checksum only says that some writer meant it. Reserved bytes must be zero, so that a later
 * version cannot use them without saying so in its version number. */

static const char SEGMENT_MAGIC[8] = {'H', 'F', 'S', 'E', 'G', 'M', 'N', 'T'};
static const char GROUP_MAGIC[8] = {'H', 'F', 'G', 'R', 'O', 'U', 'P', '1'};

enum {
    CHECKSUM_OFFSET = 8,
    CHECKED_OFFSET = 16, /* the checksum covers everything from here on */
    SEGMENT_RESERVED_OFFSET = 96,
    GROUP_RESERVED_OFFSET = 80,
};

_Static_assert(LOG_GROUP_BYTES_MAX % LOG_BLOCK_BYTES == 0, "the largest group is whole blocks");
_Static_assert(LOG_GROUP_HEADER_BYTES % LOG_RECORD_BYTES_MIN == 0, "records start aligned");

bool log_bytes_are_zero(const uint8_t *from, size_t from_bytes)
{
    /* each byte equals the next one and the first is zero; memcmp makes it as fast as memory */
    return from_bytes == 0 || (from[0] == 0 && memcmp(from, from + 1, from_bytes - 1) == 0);
}

/* ---- positions ---- */

/* Before the first group nothing has a number, a chain, an epoch or a time. */
static bool is_before_all_groups(const struct log_position *position)
{
    return position->next_lsn == 1 && position->next_group_number == 1 && position->chain == 0 &&
           position->epoch == 0 && position->time_ms == 0;
}

bool log_position_is_possible(const struct log_position *position)
{
    if (position->segment_number == 0)
        return position->offset == 0 && is_before_all_groups(position);
    if (position->segment_number > LOG_SEGMENT_NUMBER_MAX)
        return false;
    if (position->offset < LOG_BLOCK_BYTES || position->offset % LOG_BLOCK_BYTES != 0)
        return false;
    if (is_before_all_groups(position))
        return position->offset == LOG_BLOCK_BYTES;
    return position->next_group_number > 1 && position->next_lsn >= position->next_group_number &&
           position->epoch > 0;
}

/* ---- segment header ---- */

void log_segment_header_encode(const struct log_segment_header *header, uint8_t *block)
{
    memset(block, 0, LOG_BLOCK_BYTES);
    memcpy(block, SEGMENT_MAGIC, sizeof SEGMENT_MAGIC);
    bytes_put_u32(block + 16, LOG_FORMAT_VERSION);
    bytes_put_u32(block + 20, header->core);
    put_id128(block + 24, header->server_id);
    put_id128(block + 40, header->segment_uuid);
    bytes_put_u64(block + 56, header->era);
    bytes_put_u64(block + 64, header->segment_number);
    bytes_put_u64(block + 72, header->segment_bytes);
    bytes_put_u64(block + 80, header->first_lsn);
    bytes_put_u64(block + 88, header->chain);
    bytes_put_u64(block + CHECKSUM_OFFSET,
                  checksum64(block + CHECKED_OFFSET, LOG_BLOCK_BYTES - CHECKED_OFFSET, 0));
}

static const char *segment_header_impossible(const struct log_segment_header *header)
{
    if (header->era == 0 || header->segment_number == 0 || header->first_lsn == 0)
        return "the segment header has a zero where numbers start at 1";
    if (header->segment_bytes % LOG_BLOCK_BYTES != 0 || header->segment_bytes <= LOG_BLOCK_BYTES)
        return "the segment header has an impossible segment size";
    return NULL;
}

const char *log_segment_header_decode(const uint8_t *block, struct log_segment_header *header_out)
{
    memset(header_out, 0, sizeof *header_out);
    if (memcmp(block, SEGMENT_MAGIC, sizeof SEGMENT_MAGIC) != 0)
        return "this is no segment header";
    if (bytes_get_u64(block + CHECKSUM_OFFSET) !=
        checksum64(block + CHECKED_OFFSET, LOG_BLOCK_BYTES - CHECKED_OFFSET, 0))
        return "the segment header's checksum is wrong";
    header_out->version = bytes_get_u32(block + 16);
    if (header_out->version != LOG_FORMAT_VERSION)
        return "the segment is of another version of the format";
    if (!log_bytes_are_zero(block + SEGMENT_RESERVED_OFFSET,
                            LOG_BLOCK_BYTES - SEGMENT_RESERVED_OFFSET))
        return "the segment header has unknown bytes in it";
    header_out->core = bytes_get_u32(block + 20);
    header_out->server_id = get_id128(block + 24);
    header_out->segment_uuid = get_id128(block + 40);
    header_out->era = bytes_get_u64(block + 56);
    header_out->segment_number = bytes_get_u64(block + 64);
    header_out->segment_bytes = bytes_get_u64(block + 72);
    header_out->first_lsn = bytes_get_u64(block + 80);
    header_out->chain = bytes_get_u64(block + 88);
    return segment_header_impossible(header_out);
}

/* ---- group header ---- */

uint64_t log_group_seed(struct id128 segment_uuid, uint64_t offset)
{
    return segment_uuid.high ^ segment_uuid.low ^ offset;
}

uint64_t log_group_header_encode(const struct log_group_header *header, uint64_t seed, uint8_t *to)
{
    memset(to, 0, LOG_GROUP_HEADER_BYTES);
    memcpy(to, GROUP_MAGIC, sizeof GROUP_MAGIC);
    bytes_put_u64(to + 16, header->payload_checksum);
    bytes_put_u64(to + 24, header->group_number);
    bytes_put_u64(to + 32, header->first_lsn);
    bytes_put_u64(to + 40, header->chain);
    bytes_put_u64(to + 48, header->durable_group);
    bytes_put_u64(to + 56, header->epoch);
    bytes_put_u64(to + 64, header->time_ms);
    bytes_put_u32(to + 72, header->record_count);
    bytes_put_u32(to + 76, header->payload_bytes);
    const uint64_t header_checksum =
        checksum64(to + CHECKED_OFFSET, LOG_GROUP_HEADER_BYTES - CHECKED_OFFSET, seed);
    bytes_put_u64(to + CHECKSUM_OFFSET, header_checksum);
    return header_checksum;
}

static const char *group_header_impossible(const struct log_group_header *header)
{
    if (header->group_number == 0 || header->first_lsn == 0 || header->epoch == 0)
        return "the group header has a zero where numbers start at 1";
    if (header->group_number == UINT64_MAX || header->first_lsn > UINT64_MAX - header->record_count)
        return "the group header has numbers behind which nothing can follow";
    if (header->durable_group >= header->group_number)
        return "the group header calls a group durable that was not written yet";
    if (header->record_count == 0)
        return "the group header counts no records";
    if (header->payload_bytes > LOG_GROUP_BYTES_MAX - LOG_GROUP_HEADER_BYTES)
        return "the group header has an impossible payload size";
    if (header->payload_bytes < (uint64_t)header->record_count * LOG_RECORD_BYTES_MIN ||
        header->payload_bytes > (uint64_t)header->record_count * LOG_RECORD_BYTES_MAX)
        return "the group header's payload size and record count do not fit each other";
    return NULL;
}

const char *log_group_header_decode(const uint8_t *from, uint64_t seed,
                                    struct log_group_header *header_out,
                                    uint64_t *header_checksum_out)
{
    if (memcmp(from, GROUP_MAGIC, sizeof GROUP_MAGIC) != 0)
        return "this is no group header";
    const uint64_t header_checksum = bytes_get_u64(from + CHECKSUM_OFFSET);
    if (header_checksum !=
        checksum64(from + CHECKED_OFFSET, LOG_GROUP_HEADER_BYTES - CHECKED_OFFSET, seed))
        return "the group header's checksum is wrong";
    *header_checksum_out = header_checksum;
    *header_out = (struct log_group_header){
        .payload_checksum = bytes_get_u64(from + 16),
        .group_number = bytes_get_u64(from + 24),
        .first_lsn = bytes_get_u64(from + 32),
        .chain = bytes_get_u64(from + 40),
        .durable_group = bytes_get_u64(from + 48),
        .epoch = bytes_get_u64(from + 56),
        .time_ms = bytes_get_u64(from + 64),
        .record_count = bytes_get_u32(from + 72),
        .payload_bytes = bytes_get_u32(from + 76),
    };
    if (!log_bytes_are_zero(from + GROUP_RESERVED_OFFSET,
                            LOG_GROUP_HEADER_BYTES - GROUP_RESERVED_OFFSET))
        return "the group header has unknown bytes in it";
    return group_header_impossible(header_out);
}
