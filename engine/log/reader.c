#include "log/reader.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "log/manifest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One pass from the first segment to the end. Bytes come in large pieces through a window: the
 * caller's buffer holds a piece of one segment, and a group that is not wholly inside is read anew
 * from its start, which always fits.
 *
 * What decides between a torn tail and damage is one fact about the writer (format.h): one write at
 * most is in flight, and a segment's header counts as a write. So whatever is bad and has something
 * of ours behind it, a group header in the same segment or anything in a later file, had been
 * acknowledged; and when there is nothing of ours behind it, it may be the write in flight. Where
 * the bytes verify but say the wrong thing (a number, the chain), no torn write explains that, and
 * it is damage wherever it stands. So is a file of the wrong size: the size was synced before the
 * header was written. */

struct reader {
    const struct log_source *source;
    log_record_fn record;
    void *record_context;
    struct log_end *end;
    uint8_t *buffer; /* LOG_GROUP_BYTES_MAX */
    /* what the buffer holds; nothing while window_bytes is 0 */
    uint32_t window_segment;
    uint32_t window_bytes;
    uint64_t window_offset;
};

/* ---- endings ---- */

/* All of these return false, "stop". In a closed log nothing was in flight: what would be torn is
 * damage. */

__attribute__((format(printf, 5, 6))) static bool stop(struct reader *r, enum log_status status,
                                                       uint32_t segment_index, uint64_t offset,
                                                       const char *format, ...)
{
    const bool is_torn = status == LOG_TORN_TAIL;
    r->end->status = is_torn && r->source->is_closed ? LOG_DAMAGED : status;
    r->end->segment_index = segment_index;
    r->end->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(r->end->reason, sizeof r->end->reason, format, arguments);
    va_end(arguments);
    return false;
}

/* Ends with everything before the current end good: its place is left as it is. */
static bool stop_torn(struct reader *r, const char *wrong)
{
    return stop(r, LOG_TORN_TAIL, r->end->segment_index, r->end->offset, "%s", wrong);
}

static bool stop_io(struct reader *r, uint32_t segment_index, uint64_t offset, int error)
{
    r->end->io_error = error;
    return stop(r, LOG_IO, segment_index, offset, "cannot be read: %s", strerror(-error));
}

/* ---- the window ---- */

/* The bytes at `offset` of a segment, valid until the next call, or NULL after stop_io(). They are
 * inside the file and at most LOG_GROUP_BYTES_MAX. */
static const uint8_t *load(struct reader *r, uint32_t segment_index, uint64_t offset,
                           uint32_t bytes)
{
    const bool is_inside = r->window_bytes > 0 && r->window_segment == segment_index &&
                           offset >= r->window_offset &&
                           offset + bytes <= r->window_offset + r->window_bytes;
    if (!is_inside) {
        const uint64_t rest = r->source->segments[segment_index].bytes - offset;
        const uint32_t window_bytes =
            rest < LOG_GROUP_BYTES_MAX ? (uint32_t)rest : LOG_GROUP_BYTES_MAX;
        r->window_bytes = 0;
        const int error = r->source->read(r->source->read_context, segment_index, offset, r->buffer,
                                          window_bytes);
        if (error != 0) {
            stop_io(r, segment_index, offset, error);
            return NULL;
        }
        r->window_segment = segment_index;
        r->window_offset = offset;
        r->window_bytes = window_bytes;
    }
    return r->buffer + (offset - r->window_offset);
}

/* ---- what stands behind a place ---- */

enum rest {
    REST_ZERO,    /* nothing was ever written there */
    REST_GARBAGE, /* something, but nothing that verifies */
    REST_GROUP,   /* a valid group header */
    REST_IO,      /* stopped */
};

/* Looks at a segment from a block boundary to the end of the file. With a `segment_uuid` it looks
 * for a group's header at every block; without one no group can be recognised. */
static enum rest scan_rest(struct reader *r, uint32_t segment_index, uint64_t offset,
                           const struct id128 *segment_uuid, struct log_group_header *group_out,
                           uint64_t *group_offset_out)
{
    const uint64_t end = r->source->segments[segment_index].bytes;
    enum rest rest = REST_ZERO;
    while (offset < end) {
        const uint64_t left = end - offset;
        const uint32_t block_bytes = left < LOG_BLOCK_BYTES ? (uint32_t)left : LOG_BLOCK_BYTES;
        const uint8_t *block = load(r, segment_index, offset, block_bytes);
        uint64_t checksum;
        if (block == NULL)
            return REST_IO;
        if (!log_bytes_are_zero(block, block_bytes)) {
            rest = REST_GARBAGE;
            /* whoever looks for groups has seen that the file has the size that its header says */
            hf_assert(segment_uuid == NULL || block_bytes == LOG_BLOCK_BYTES);
            if (segment_uuid != NULL &&
                log_group_header_decode(block, log_group_seed(*segment_uuid, offset), group_out,
                                        &checksum) == NULL) {
                *group_offset_out = offset;
                return REST_GROUP;
            }
        }
        offset += block_bytes;
    }
    return rest;
}

/* Files from `segment_index` on must be untouched. False after a stop: `wrong` is what is bad at
 * the place before them. */
static bool require_unused(struct reader *r, uint32_t segment_index, uint32_t bad_index,
                           uint64_t bad_offset, const char *wrong)
{
    for (; segment_index < r->source->segment_count; segment_index++) {
        const enum rest rest = scan_rest(r, segment_index, 0, NULL, NULL, NULL);
        if (rest == REST_IO)
            return false;
        if (rest != REST_ZERO)
            return stop(r, LOG_DAMAGED, bad_index, bad_offset, "%s, and %s behind it is in use",
                        wrong, r->source->segments[segment_index].name);
    }
    return true;
}

/* ---- groups ---- */

static bool is_whole(const struct reader *r, uint32_t segment_index)
{
    return r->source->segments[segment_index].bytes == r->end->segment.segment_bytes;
}

static bool stop_wrong_size(struct reader *r, uint32_t segment_index)
{
    const uint64_t bytes = r->source->segments[segment_index].bytes;
    const uint64_t segment_bytes = r->end->segment.segment_bytes;
    return stop(r, LOG_DAMAGED, segment_index, bytes < segment_bytes ? bytes : segment_bytes,
                "the file has %" PRIu64 " bytes, its header says %" PRIu64, bytes, segment_bytes);
}

/* The bytes at `offset` are no group: torn tail or damage? */
static bool stop_bad_group(struct reader *r, uint32_t segment_index, uint64_t offset,
                           const char *wrong)
{
    struct log_group_header group;
    uint64_t group_offset;
    if (!is_whole(r, segment_index))
        return stop_wrong_size(r, segment_index);
    const enum rest rest = scan_rest(r, segment_index, offset + LOG_BLOCK_BYTES,
                                     &r->end->segment.segment_uuid, &group, &group_offset);
    if (rest == REST_IO)
        return false;
    if (rest == REST_GROUP)
        return stop(r, LOG_DAMAGED, segment_index, offset,
                    "%s, and group %" PRIu64 " stands behind it at offset %" PRIu64, wrong,
                    group.group_number, group_offset);
    if (!require_unused(r, segment_index + 1, segment_index, offset, wrong))
        return false;
    return stop_torn(r, wrong);
}

/* NULL, or what does not go on from the group before. */
static const char *group_does_not_follow(const struct log_end *end,
                                         const struct log_group_header *group)
{
    if (group->group_number != end->next_group_number)
        return "the group's number does not follow the one before";
    if (group->first_lsn != end->next_lsn)
        return "the group's first LSN does not follow the one before";
    if (group->chain != end->chain)
        return "the group was not written behind the one before it (chain)";
    if (group->epoch < end->epoch)
        return "the group is of an earlier epoch than the one before";
    return NULL;
}

/* Records fill the payload exactly: lengths are possible and there are as many as the header says.
 */
static const char *payload_framing_wrong(const uint8_t *payload,
                                         const struct log_group_header *group)
{
    uint32_t at = 0;
    uint32_t count = 0;
    while (at < group->payload_bytes) {
        if (group->payload_bytes - at < LOG_RECORD_BYTES_MIN)
            return "a record is cut by the end of its group";
        const uint32_t record_bytes = bytes_get_u16(payload + at);
        if (record_bytes % 8 != 0 || record_bytes < LOG_RECORD_BYTES_MIN ||
            record_bytes > LOG_RECORD_BYTES_MAX)
            return "a record has an impossible length";
        if (record_bytes > group->payload_bytes - at)
            return "a record is cut by the end of its group";
        at += record_bytes;
        count++;
    }
    if (count != group->record_count)
        return "the group has another number of records than its header says";
    return NULL;
}

static bool deliver_records(struct reader *r, uint32_t segment_index, uint64_t offset,
                            const uint8_t *payload, const struct log_group_header *group)
{
    uint32_t at = 0;
    while (at < group->payload_bytes) {
        const uint32_t record_bytes = bytes_get_u16(payload + at);
        const char *refused = NULL;
        if (r->record != NULL)
            refused = r->record(r->record_context, r->end->next_lsn, group->time_ms, payload + at,
                                record_bytes);
        if (refused != NULL)
            return stop(r, LOG_DAMAGED, segment_index, offset,
                        "the record with LSN %" PRIu64 ": %s", r->end->next_lsn, refused);
        at += record_bytes;
        r->end->next_lsn++;
        r->end->record_count++;
    }
    return true;
}

/* Reads the group at `offset`, checks everything about it, then hands out its records. */
static bool read_group(struct reader *r, uint32_t segment_index, uint64_t offset, uint64_t limit)
{
    const uint64_t seed = log_group_seed(r->end->segment.segment_uuid, offset);
    struct log_group_header group;
    uint64_t header_checksum;

    const uint8_t *from = load(r, segment_index, offset, LOG_GROUP_HEADER_BYTES);
    hf_assert(from != NULL); /* the caller has looked at it */
    const char *wrong = log_group_header_decode(from, seed, &group, &header_checksum);
    if (wrong != NULL)
        return stop_bad_group(r, segment_index, offset, wrong);
    wrong = group_does_not_follow(r->end, &group);
    if (wrong != NULL)
        return stop(r, LOG_DAMAGED, segment_index, offset, "%s", wrong);

    const uint32_t group_bytes = log_group_bytes(group.payload_bytes);
    if (group_bytes > limit - offset) {
        if (!is_whole(r, segment_index))
            return stop_wrong_size(r, segment_index);
        return stop(r, LOG_DAMAGED, segment_index, offset, "the group is longer than its segment");
    }
    from = load(r, segment_index, offset, group_bytes);
    if (from == NULL)
        return false;
    const uint8_t *payload = from + LOG_GROUP_HEADER_BYTES;
    if (checksum64(payload, group.payload_bytes, seed) != group.payload_checksum)
        return stop_bad_group(r, segment_index, offset, "the checksum of the records is wrong");
    if (!log_bytes_are_zero(payload + group.payload_bytes,
                            group_bytes - LOG_GROUP_HEADER_BYTES - group.payload_bytes))
        return stop(r, LOG_DAMAGED, segment_index, offset,
                    "the padding behind the group's records is not zero");
    wrong = payload_framing_wrong(payload, &group);
    if (wrong != NULL)
        return stop(r, LOG_DAMAGED, segment_index, offset, "%s", wrong);
    if (!deliver_records(r, segment_index, offset, payload, &group))
        return false;

    r->end->offset = offset + group_bytes;
    r->end->next_group_number++;
    r->end->group_count++;
    r->end->chain = header_checksum;
    r->end->epoch = group.epoch;
    r->end->time_ms = group.time_ms;
    return true;
}

/* True at a block in which no group starts, because nothing was written there. */
static bool is_unwritten(const uint8_t *block)
{
    return log_bytes_are_zero(block, LOG_GROUP_HEADER_BYTES);
}

/* All groups of a segment whose header was good. */
static bool read_groups(struct reader *r, uint32_t segment_index)
{
    const uint64_t file_bytes = r->source->segments[segment_index].bytes;
    const uint64_t limit =
        file_bytes < r->end->segment.segment_bytes ? file_bytes : r->end->segment.segment_bytes;
    uint64_t offset = LOG_BLOCK_BYTES;
    while (limit - offset >= LOG_GROUP_HEADER_BYTES) {
        const uint8_t *block = load(r, segment_index, offset, LOG_GROUP_HEADER_BYTES);
        if (block == NULL)
            return false;
        if (is_unwritten(block))
            break;
        if (!read_group(r, segment_index, offset, limit))
            return false;
        offset = r->end->offset;
    }
    if (!is_whole(r, segment_index))
        return stop_wrong_size(r, segment_index);
    switch (scan_rest(r, segment_index, offset, NULL, NULL, NULL)) {
    case REST_ZERO:
        return true;
    case REST_IO:
        return false;
    default:
        return stop_bad_group(r, segment_index, offset,
                              "there is no group, but there are bytes behind the place");
    }
}

/* ---- segments ---- */

/* A file that starts with a block of zeros: it and all later ones must be unused. */
static bool finish_at_unused(struct reader *r, uint32_t segment_index)
{
    const enum rest rest = scan_rest(r, segment_index, 0, NULL, NULL, NULL);
    static const char WRONG[] = "the segment has no header";
    if (rest == REST_IO)
        return false;
    if (rest != REST_ZERO)
        return stop(r, LOG_DAMAGED, segment_index, 0, "%s, but it was in use", WRONG);
    (void)require_unused(r, segment_index + 1, segment_index, 0, WRONG);
    return false; /* the good end, or stopped */
}

/* A header that is neither zero nor valid: it may be the write in flight when the segment was taken
 * into use. Then the file has its full size, is empty but for this block, and is the last in use.
 */
static bool stop_bad_segment_header(struct reader *r, uint32_t segment_index, const char *wrong)
{
    const uint64_t file_bytes = r->source->segments[segment_index].bytes;
    if (file_bytes % LOG_BLOCK_BYTES != 0 || file_bytes <= LOG_BLOCK_BYTES)
        return stop(r, LOG_DAMAGED, segment_index, 0, "%s, and the file was cut", wrong);
    switch (scan_rest(r, segment_index, LOG_BLOCK_BYTES, NULL, NULL, NULL)) {
    case REST_ZERO:
        break;
    case REST_IO:
        return false;
    default:
        return stop(r, LOG_DAMAGED, segment_index, 0, "%s, and the segment was in use", wrong);
    }
    if (!require_unused(r, segment_index + 1, segment_index, 0, wrong))
        return false;
    return stop(r, LOG_TORN_TAIL, r->end->segment_index, r->end->offset, "in %s behind it: %s",
                r->source->segments[segment_index].name, wrong);
}

/* NULL, or why this valid header is not the one that belongs here. */
static const char *segment_does_not_follow(const struct reader *r,
                                           const struct log_segment_header *segment)
{
    const struct log_source *source = r->source;
    if (!id128_equal(segment->server_id, source->server_id))
        return "the segment belongs to another server";
    if (segment->era != source->era)
        return "the segment belongs to another era";
    if (segment->core != source->core)
        return "the segment belongs to another core";
    if (segment->segment_number != r->end->segment_used_count + 1)
        return "the segment's number does not follow: a segment is missing";
    if (segment->first_lsn != r->end->next_lsn)
        return "the segment's first LSN does not follow: groups are missing before it";
    if (segment->chain != r->end->chain)
        return "the segment was not written behind the group before it (chain)";
    return NULL;
}

static bool open_segment(struct reader *r, uint32_t segment_index)
{
    const uint64_t file_bytes = r->source->segments[segment_index].bytes;
    const uint32_t block_bytes =
        file_bytes < LOG_BLOCK_BYTES ? (uint32_t)file_bytes : LOG_BLOCK_BYTES;
    struct log_segment_header segment;

    if (block_bytes == 0)
        return finish_at_unused(r, segment_index);
    const uint8_t *block = load(r, segment_index, 0, block_bytes);
    if (block == NULL)
        return false;
    if (log_bytes_are_zero(block, block_bytes))
        return finish_at_unused(r, segment_index);
    if (block_bytes < LOG_BLOCK_BYTES)
        return stop_bad_segment_header(r, segment_index, "the segment header is incomplete");
    const char *wrong = log_segment_header_decode(block, &segment);
    if (wrong != NULL && segment.version != 0 && segment.version != LOG_FORMAT_VERSION)
        return stop(r, LOG_VERSION, segment_index, 0,
                    "written by version %" PRIu32 " of the format, this program reads version %d",
                    segment.version, LOG_FORMAT_VERSION);
    if (wrong != NULL && segment.version == LOG_FORMAT_VERSION)
        return stop(r, LOG_DAMAGED, segment_index, 0, "%s", wrong);
    if (wrong != NULL)
        return stop_bad_segment_header(r, segment_index, wrong);
    wrong = segment_does_not_follow(r, &segment);
    if (wrong != NULL)
        return stop(r, LOG_DAMAGED, segment_index, 0, "%s", wrong);

    r->end->segment = segment;
    r->end->segment_used_count++;
    r->end->segment_index = segment_index;
    r->end->offset = LOG_BLOCK_BYTES;
    return true;
}

/* Files are numbered from 1 without a gap, also where nothing is in them yet: behind a gap there
 * may have been anything. Returns how many files stand before the first gap. */
static uint32_t count_before_gap(const struct log_source *source)
{
    uint32_t count = 0;
    while (count < source->segment_count &&
           log_segment_file_number(source->segments[count].name) == count + 1u)
        count++;
    return count;
}

static void stop_at_gap(struct reader *r, uint32_t segment_index)
{
    char missing[LOG_NAME_BYTES_MAX];
    log_segment_file_name(segment_index + 1u, missing);
    stop(r, LOG_DAMAGED, segment_index, 0, "%s is missing before it", missing);
}

static void read_segments(struct reader *r, uint32_t segment_count)
{
    for (uint32_t i = 0; i < segment_count; i++)
        if (!open_segment(r, i) || !read_groups(r, i))
            return;
}

void log_read(const struct log_source *source, log_record_fn record, void *record_context,
              uint8_t *buffer, struct log_end *end_out)
{
    struct reader r = {
        .source = source,
        .record = record,
        .record_context = record_context,
        .end = end_out,
        .buffer = buffer,
    };
    *end_out = (struct log_end){.status = LOG_GOOD, .next_lsn = 1, .next_group_number = 1};
    const uint32_t before_gap_count = count_before_gap(source);
    read_segments(&r, before_gap_count);
    const bool is_sound = end_out->status == LOG_GOOD || end_out->status == LOG_TORN_TAIL;
    if (is_sound && before_gap_count < source->segment_count)
        stop_at_gap(&r, before_gap_count);
}

const char *log_status_text(enum log_status status)
{
    switch (status) {
    case LOG_GOOD:
        return "good";
    case LOG_TORN_TAIL:
        return "torn tail";
    case LOG_DAMAGED:
        return "damaged";
    case LOG_VERSION:
        return "other version";
    case LOG_IO:
        return "unreadable";
    }
    return "?";
}
