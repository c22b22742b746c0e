#include "group.h"

#include "base/bytes.h"
#include "base/checksum.h"

enum { HEADER_SEGMENT_UUID = 40 }; /* log/format.h */

struct id128 group_segment_uuid(const uint8_t *block)
{
    const uint8_t *from = block + HEADER_SEGMENT_UUID;
    return (struct id128){.high = bytes_get_u64(from), .low = bytes_get_u64(from + 8)};
}

const char *group_look_at_header(const uint8_t *from, uint64_t seed, struct group_look *look_out)
{
    look_out->bytes = 0;
    const char *wrong = log_group_header_decode(from, seed, &look_out->header, &look_out->checksum);
    if (wrong == NULL)
        look_out->bytes = log_group_bytes(look_out->header.payload_bytes);
    return wrong;
}

/* Records fill their group: lengths are possible, and there are as many as the header says. */
static bool is_framed(const uint8_t *records, const struct log_group_header *header)
{
    uint32_t left = header->payload_bytes;
    uint32_t count = 0;
    while (left >= LOG_RECORD_BYTES_MIN) {
        const uint32_t bytes = log_record_bytes(records);
        if (bytes % 8 != 0 || bytes < LOG_RECORD_BYTES_MIN || bytes > LOG_RECORD_BYTES_MAX ||
            bytes > left)
            return false;
        records += bytes;
        left -= bytes;
        count++;
    }
    return left == 0 && count == header->record_count;
}

const char *group_look_at_records(const uint8_t *from, uint64_t seed, const struct group_look *look)
{
    const struct log_group_header *header = &look->header;
    const uint8_t *records = from + LOG_GROUP_HEADER_BYTES;
    if (checksum64(records, header->payload_bytes, seed) != header->payload_checksum)
        return "the checksum of the records is wrong";
    return is_framed(records, header) ? NULL : "the records do not fill their group";
}

struct log_group group_of(const uint8_t *from, const struct group_look *look)
{
    return (struct log_group){
        .first_lsn = look->header.first_lsn,
        .group_number = look->header.group_number,
        .time_ms = look->header.time_ms,
        .epoch = look->header.epoch,
        .records = from + LOG_GROUP_HEADER_BYTES,
        .records_bytes = look->header.payload_bytes,
        .record_count = look->header.record_count,
    };
}

bool group_is_next(const struct group_look *look, const struct log_position *at)
{
    return look->header.group_number == at->next_group_number &&
           look->header.first_lsn == at->next_lsn && look->header.chain == at->chain &&
           look->header.epoch >= at->epoch;
}

void group_go_behind(const struct group_look *look, uint64_t offset, struct log_position *at)
{
    at->offset = offset + look->bytes;
    at->next_lsn = look->header.first_lsn + look->header.record_count;
    at->next_group_number = look->header.group_number + 1;
    at->chain = look->checksum;
    at->epoch = look->header.epoch;
    at->time_ms = look->header.time_ms;
}
