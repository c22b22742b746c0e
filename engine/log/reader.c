#include "log/reader.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "log/manifest.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* One pass from the first segment to the end. Bytes come in large pieces through a window: the
 * caller's buffer holds a piece of one segment. Of a group that is not wholly inside the beginning
 * is moved to the front and the rest read behind it, which always fits; so a segment is read from
 * its start to its end, each byte once.
 *
 * What decides between a torn tail and damage is one fact about the writer (format.h): one write at
 * most is in flight, and a segment's header counts as a write. So whatever is bad and has something
 * of ours behind it, a group header in the same segment or anything in a later file, had been
 * acknowledged; and when there is nothing of ours behind it, it may be the write in flight. Where
 * the bytes verify but say the wrong thing (a number, the chain), no torn write explains that, and
 * it is damage wherever it stands. So is a file of the wrong size: the size was synced before the
 * header was written.
 *
 * Each step does what is next and says what comes after it:
 *
 *     SEGMENT -> GROUPS -> BEHIND_GROUPS -> SEGMENT ...    as long as all is well
 *     SEGMENT -> UNUSED_FILE -> LATER_FILES                no header: the good end
 *     SEGMENT -> BEHIND_BAD_HEADER -> LATER_FILES          a torn header, or damage
 *     GROUPS, BEHIND_GROUPS -> BEHIND_BAD_GROUP -> LATER_FILES      a torn group, or damage
 *
 * stop() and finish() lead to END from anywhere. */

enum phase {
    PHASE_SEGMENT,           /* open the next file */
    PHASE_GROUPS,            /* read the next group */
    PHASE_BEHIND_GROUPS,     /* is the rest of the segment zero? */
    PHASE_BEHIND_BAD_GROUP,  /* is there a group in the rest of the segment? */
    PHASE_BEHIND_BAD_HEADER, /* is the segment empty but for its header? */
    PHASE_UNUSED_FILE,       /* is the whole file zero, as its first block is? */
    PHASE_LATER_FILES,       /* are all files behind the bad place zero? */
    PHASE_END,
};

/* ---- endings ---- */

/* In a closed log nothing was in flight: what would be torn is damage. */
__attribute__((format(printf, 5, 6))) static void stop(struct log_reader *r, enum log_status status,
                                                       uint32_t segment_index, uint64_t offset,
                                                       const char *format, ...)
{
    const bool is_torn = status == LOG_TORN_TAIL;
    r->phase = PHASE_END;
    r->end->status = is_torn && r->source.closed != NULL ? LOG_DAMAGED : status;
    r->end->segment_index = segment_index;
    r->end->offset = offset;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(r->end->reason, sizeof r->end->reason, format, arguments);
    va_end(arguments);
}

static void stop_io(struct log_reader *r, uint64_t offset, int error)
{
    r->end->io_error = error;
    stop(r, LOG_IO, r->segment_index, offset, "cannot be read: %s", strerror(-error));
}

/* Behind a gap in the names there may have been anything. */
static void stop_at_gap(struct log_reader *r)
{
    char missing[LOG_NAME_BYTES_MAX];
    log_segment_file_name(r->missing_number, missing);
    stop(r, LOG_DAMAGED, r->file_count, 0, "%s is missing%s", missing,
         r->is_before_start ? ", and the snapshot stands on it" : " before it");
}

static void check_closed_end(struct log_reader *r)
{
    const struct log_closed_end *closed = r->source.closed;
    const struct log_end *end = r->end;
    if (end->next_lsn < closed->next_lsn)
        stop(r, LOG_DAMAGED, end->segment_index, end->offset,
             "%" PRIu64 " LSNs are missing: the log ends with LSN %" PRIu64
             ", and MANIFEST says LSN %" PRIu64,
             closed->next_lsn - end->next_lsn, end->next_lsn - 1, closed->next_lsn - 1);
    else if (end->next_lsn != closed->next_lsn || end->chain != closed->chain)
        stop(r, LOG_DAMAGED, end->segment_index, end->offset,
             "the log does not end with the group that MANIFEST names");
}

/* There is nothing more, and what there is, is good; or torn, which stop() was told. */
static void finish(struct log_reader *r)
{
    r->phase = PHASE_END;
    if (r->end->status == LOG_DAMAGED)
        return;
    if (r->file_count < r->source.segment_count)
        stop_at_gap(r);
    else if (r->source.closed != NULL)
        check_closed_end(r);
}

/* ---- the window ---- */

static uint64_t file_bytes(const struct log_reader *r)
{
    return r->source.segments[r->segment_index].bytes;
}

static bool window_has(const struct log_reader *r, uint64_t offset, uint32_t bytes)
{
    return r->window_bytes > 0 && r->window_segment == r->segment_index &&
           offset >= r->window_offset && offset + bytes <= r->window_offset + r->window_bytes;
}

/* Makes the window begin with `offset`, and returns how many bytes it has from there on. */
static uint32_t move_window(struct log_reader *r, uint64_t offset)
{
    uint32_t kept_bytes = 0;
    if (window_has(r, offset, 0)) {
        const uint32_t gone_bytes = (uint32_t)(offset - r->window_offset);
        kept_bytes = r->window_bytes - gone_bytes;
        memmove(r->buffer, r->buffer + gone_bytes, kept_bytes);
    }
    r->window_segment = r->segment_index;
    r->window_offset = offset;
    r->window_bytes = kept_bytes;
    return kept_bytes;
}

/* The `bytes` at `offset` of the file, valid until the next call, or NULL after stop_io(). They are
 * inside the file and at most LOG_GROUP_BYTES_MAX. */
static const uint8_t *load(struct log_reader *r, uint64_t offset, uint32_t bytes)
{
    if (!window_has(r, offset, bytes)) {
        const uint64_t rest = file_bytes(r) - offset;
        const uint32_t kept_bytes = move_window(r, offset);
        const uint32_t window_bytes =
            rest < LOG_GROUP_BYTES_MAX ? (uint32_t)rest : LOG_GROUP_BYTES_MAX;
        const int error =
            r->source.read(r->source.read_context, r->segment_index, offset + kept_bytes,
                           r->buffer + kept_bytes, window_bytes - kept_bytes);
        if (error != 0) {
            r->window_bytes = 0;
            stop_io(r, offset, error);
            return NULL;
        }
        r->window_bytes = window_bytes;
    }
    return r->buffer + (offset - r->window_offset);
}

/* ---- what stands behind a place ---- */

enum found {
    FOUND_NOTHING, /* to the end of the file */
    FOUND_SOMETHING,
    FOUND_UNDECIDED, /* go on; or stopped, and there is no going on */
};

/* From here on the file is searched. */
static void search_from(struct log_reader *r, enum phase phase, uint64_t offset)
{
    r->phase = phase;
    r->search_offset = offset;
}

/* The next piece of the file, as much as is in the window or one reading gives; NULL at the end of
 * the file, and after stop_io(). */
static const uint8_t *next_piece(struct log_reader *r, uint32_t *bytes_out)
{
    const uint64_t offset = r->search_offset;
    if (offset == file_bytes(r))
        return NULL;
    const uint8_t *piece = load(r, offset, 1);
    if (piece == NULL)
        return NULL;
    *bytes_out = (uint32_t)(r->window_offset + r->window_bytes - offset);
    r->search_offset += *bytes_out;
    return piece;
}

static enum found end_of_search(const struct log_reader *r)
{
    return r->phase == PHASE_END ? FOUND_UNDECIDED : FOUND_NOTHING;
}

/* Looks for a byte that is not zero. */
static enum found search_bytes(struct log_reader *r)
{
    uint32_t bytes;
    const uint8_t *piece = next_piece(r, &bytes);
    if (piece == NULL)
        return end_of_search(r);
    return log_bytes_are_zero(piece, bytes) ? FOUND_UNDECIDED : FOUND_SOMETHING;
}

/* Looks for a group's header, at every block: the file has the size that its header says. */
static enum found search_group(struct log_reader *r, struct log_group_header *group_out,
                               uint64_t *offset_out)
{
    const struct id128 segment_uuid = r->end->segment.segment_uuid;
    uint64_t offset = r->search_offset;
    uint32_t bytes;
    uint64_t checksum;
    const uint8_t *piece = next_piece(r, &bytes);
    if (piece == NULL)
        return end_of_search(r);
    hf_assert(bytes % LOG_BLOCK_BYTES == 0);
    for (; offset < r->search_offset; offset += LOG_BLOCK_BYTES, piece += LOG_BLOCK_BYTES)
        if (log_group_header_decode(piece, log_group_seed(segment_uuid, offset), group_out,
                                    &checksum) == NULL) {
            *offset_out = offset;
            return FOUND_SOMETHING;
        }
    return FOUND_UNDECIDED;
}

/* The files behind this one decide. Until then everything before the bad place is good. */
static void search_later_files(struct log_reader *r, enum log_status verdict)
{
    r->verdict = verdict;
    r->bad_index = r->segment_index++;
    search_from(r, PHASE_LATER_FILES, 0);
}

/* Nothing of ours is behind the bad place. */
static void conclude(struct log_reader *r)
{
    const struct log_end *end = r->end;
    if (r->verdict == LOG_TORN_TAIL && r->bad_offset == 0)
        stop(r, LOG_TORN_TAIL, end->segment_index, end->offset, "in %s behind it: %s",
             r->source.segments[r->bad_index].name, r->wrong);
    else if (r->verdict == LOG_TORN_TAIL)
        stop(r, LOG_TORN_TAIL, end->segment_index, end->offset, "%s", r->wrong);
    finish(r);
}

static void step_later_files(struct log_reader *r)
{
    if (r->segment_index == r->source.segment_count) {
        conclude(r);
        return;
    }
    const enum found found = search_bytes(r);
    if (found == FOUND_NOTHING) {
        r->segment_index++;
        r->search_offset = 0;
    } else if (found == FOUND_SOMETHING) {
        stop(r, LOG_DAMAGED, r->bad_index, r->bad_offset, "%s, and %s behind it is in use",
             r->wrong, r->source.segments[r->segment_index].name);
    }
}

/* ---- groups ---- */

static bool is_whole(const struct log_reader *r)
{
    return file_bytes(r) == r->end->segment.segment_bytes;
}

/* What the segment can hold: no more than its file, and no more than its header says. */
static uint64_t segment_limit(const struct log_reader *r)
{
    const uint64_t segment_bytes = r->end->segment.segment_bytes;
    return file_bytes(r) < segment_bytes ? file_bytes(r) : segment_bytes;
}

static void stop_wrong_size(struct log_reader *r)
{
    stop(r, LOG_DAMAGED, r->segment_index, segment_limit(r),
         "the file has %" PRIu64 " bytes, its header says %" PRIu64, file_bytes(r),
         r->end->segment.segment_bytes);
}

/* The bytes behind the last good group are no group: torn tail or damage? */
static void meet_bad_group(struct log_reader *r, const char *wrong)
{
    r->wrong = wrong;
    r->bad_offset = r->at.offset;
    if (!is_whole(r))
        stop_wrong_size(r);
    else if (r->is_before_start)
        stop(r, LOG_DAMAGED, r->segment_index, r->bad_offset, "%s", wrong);
    else
        search_from(r, PHASE_BEHIND_BAD_GROUP, r->bad_offset + LOG_BLOCK_BYTES);
}

static void step_behind_bad_group(struct log_reader *r)
{
    struct log_group_header group;
    uint64_t group_offset;
    const enum found found = search_group(r, &group, &group_offset);
    if (found == FOUND_NOTHING)
        search_later_files(r, LOG_TORN_TAIL);
    else if (found == FOUND_SOMETHING)
        stop(r, LOG_DAMAGED, r->segment_index, r->bad_offset,
             "%s, and group %" PRIu64 " stands behind it at offset %" PRIu64, r->wrong,
             group.group_number, group_offset);
}

static void step_behind_groups(struct log_reader *r)
{
    const enum found found = search_bytes(r);
    if (found == FOUND_NOTHING) {
        r->phase = PHASE_SEGMENT;
        r->segment_index++;
    } else if (found == FOUND_SOMETHING) {
        meet_bad_group(r, "there is no group, but there are bytes behind the place");
    }
}

/* True before the first group of a segment that is read from its middle: there is nothing to
 * compare its number with. Where reading starts it comes out whether it was the right one. */
static bool is_number_believed(const struct log_reader *r)
{
    return r->is_before_start && r->at.epoch == 0;
}

/* NULL, or what does not go on from the group before. */
static const char *group_does_not_follow(const struct log_reader *r,
                                         const struct log_group_header *group)
{
    if (group->group_number != r->at.next_group_number && !is_number_believed(r))
        return "the group's number does not follow the one before";
    if (group->first_lsn != r->at.next_lsn)
        return "the group's first LSN does not follow the one before";
    if (group->chain != r->at.chain)
        return "the group was not written behind the one before it (chain)";
    if (group->epoch < r->at.epoch)
        return "the group is of an earlier epoch than the one before";
    return NULL;
}

/* True when the group ends behind the end of its closed log. */
static bool is_behind_closed_end(const struct log_reader *r, const struct log_group_header *group)
{
    const struct log_closed_end *closed = r->source.closed;
    return closed != NULL && (group->first_lsn > closed->next_lsn ||
                              group->record_count > closed->next_lsn - group->first_lsn);
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
        const uint32_t record_bytes = log_record_bytes(payload + at);
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

/* False after a stop: a record was refused. */
static bool hand_out(struct log_reader *r, const uint8_t *payload,
                     const struct log_group_header *header)
{
    const struct log_group group = {
        .first_lsn = header->first_lsn,
        .group_number = header->group_number,
        .time_ms = header->time_ms,
        .epoch = header->epoch,
        .records = payload,
        .records_bytes = header->payload_bytes,
        .record_count = header->record_count,
    };
    uint64_t refused_lsn = 0;
    const char *refused = NULL;
    if (r->group != NULL)
        refused = r->group(r->group_context, &group, &refused_lsn);
    hf_assert(refused == NULL || refused_lsn - group.first_lsn < group.record_count);
    const uint64_t taken_count =
        refused == NULL ? group.record_count : refused_lsn - group.first_lsn;
    r->end->next_lsn += taken_count;
    r->end->record_count += taken_count;
    if (refused != NULL)
        stop(r, LOG_DAMAGED, r->segment_index, r->at.offset, "the record with LSN %" PRIu64 ": %s",
             refused_lsn, refused);
    return refused == NULL;
}

/* The group was good, and taken if it was handed out. */
static void go_behind(struct log_reader *r, const struct log_group_header *group,
                      uint64_t header_checksum)
{
    r->at.offset += log_group_bytes(group->payload_bytes);
    r->at.next_lsn = group->first_lsn + group->record_count;
    r->at.next_group_number = group->group_number + 1;
    r->at.chain = header_checksum;
    r->at.epoch = group->epoch;
    r->at.time_ms = group->time_ms;
    r->end->offset = r->at.offset;
    if (r->is_before_start)
        return;
    r->end->next_group_number = r->at.next_group_number;
    r->end->chain = r->at.chain;
    r->end->epoch = r->at.epoch;
    r->end->time_ms = r->at.time_ms;
    r->end->group_count++;
}

/* NULL, or what is wrong with a group that verifies. */
static const char *group_wrong(const struct log_reader *r, const uint8_t *payload,
                               const struct log_group_header *group)
{
    const uint32_t padding_bytes =
        log_group_bytes(group->payload_bytes) - LOG_GROUP_HEADER_BYTES - group->payload_bytes;
    if (is_behind_closed_end(r, group))
        return "the group stands behind the end of the log that MANIFEST names";
    if (!log_bytes_are_zero(payload + group->payload_bytes, padding_bytes))
        return "the padding behind the group's records is not zero";
    return payload_framing_wrong(payload, group);
}

/* Reads the group behind the last one, checks everything about it, then hands it out. */
static void read_group(struct log_reader *r, const uint8_t *from)
{
    const uint64_t offset = r->at.offset;
    const uint64_t seed = log_group_seed(r->end->segment.segment_uuid, offset);
    struct log_group_header group;
    uint64_t header_checksum;

    const char *wrong = log_group_header_decode(from, seed, &group, &header_checksum);
    if (wrong != NULL) {
        meet_bad_group(r, wrong);
        return;
    }
    wrong = group_does_not_follow(r, &group);
    if (wrong != NULL) {
        stop(r, LOG_DAMAGED, r->segment_index, offset, "%s", wrong);
        return;
    }
    const uint32_t group_bytes = log_group_bytes(group.payload_bytes);
    if (group_bytes > segment_limit(r) - offset) {
        if (!is_whole(r))
            stop_wrong_size(r);
        else
            stop(r, LOG_DAMAGED, r->segment_index, offset, "the group is longer than its segment");
        return;
    }
    from = load(r, offset, group_bytes);
    if (from == NULL)
        return;
    const uint8_t *payload = from + LOG_GROUP_HEADER_BYTES;
    if (checksum64(payload, group.payload_bytes, seed) != group.payload_checksum) {
        meet_bad_group(r, "the checksum of the records is wrong");
        return;
    }
    wrong = group_wrong(r, payload, &group);
    if (wrong != NULL) {
        stop(r, LOG_DAMAGED, r->segment_index, offset, "%s", wrong);
        return;
    }
    if (r->is_before_start || hand_out(r, payload, &group))
        go_behind(r, &group, header_checksum);
}

/* NULL, or what the log says otherwise than the snapshot, behind the same bytes. */
static const char *start_differs(const struct log_position *at, const struct log_position *start)
{
    if (at->offset != start->offset)
        return "no group ends where it stands";
    if (at->next_lsn != start->next_lsn)
        return "another LSN stands here";
    if (at->next_group_number != start->next_group_number)
        return "a group with another number stands here";
    if (at->chain != start->chain)
        return "another group stands before this place (chain)";
    if (at->epoch != start->epoch || at->time_ms != start->time_ms)
        return "a group of another epoch or time stands before this place";
    return NULL;
}

/* False after a stop. */
static bool reach_start(struct log_reader *r)
{
    const struct log_position *start = r->source.start;
    const char *wrong = start_differs(&r->at, start);
    r->is_before_start = wrong != NULL;
    if (wrong != NULL)
        stop(r, LOG_DAMAGED, r->segment_index, start->offset,
             "the snapshot was not made of this log: %s", wrong);
    return wrong == NULL;
}

/* No group starts at the place: nothing was written there, or the segment is full. */
static void end_groups(struct log_reader *r)
{
    if (!is_whole(r))
        stop_wrong_size(r);
    else if (r->is_before_start)
        stop(r, LOG_DAMAGED, r->segment_index, r->at.offset,
             "the log ends before offset %" PRIu64 ", where the snapshot stands",
             r->source.start->offset);
    else
        search_from(r, PHASE_BEHIND_GROUPS, r->at.offset);
}

static void step_groups(struct log_reader *r)
{
    if (r->is_before_start && r->at.offset >= r->source.start->offset && !reach_start(r))
        return;
    if (segment_limit(r) - r->at.offset < LOG_GROUP_HEADER_BYTES) {
        end_groups(r);
        return;
    }
    const uint8_t *from = load(r, r->at.offset, LOG_GROUP_HEADER_BYTES);
    if (from == NULL)
        return;
    if (log_bytes_are_zero(from, LOG_GROUP_HEADER_BYTES))
        end_groups(r);
    else
        read_group(r, from);
}

/* ---- segments ---- */

/* A file that starts with zeros: it and all later ones must be unused. */
static void meet_unused(struct log_reader *r)
{
    r->wrong = "the segment has no header";
    r->bad_offset = 0;
    if (r->is_before_start)
        stop(r, LOG_DAMAGED, r->segment_index, 0, "%s, and the snapshot stands on it", r->wrong);
    else
        search_from(r, PHASE_UNUSED_FILE, 0);
}

static void step_unused_file(struct log_reader *r)
{
    const enum found found = search_bytes(r);
    if (found == FOUND_NOTHING)
        search_later_files(r, LOG_GOOD);
    else if (found == FOUND_SOMETHING)
        stop(r, LOG_DAMAGED, r->segment_index, 0, "%s, but it was in use", r->wrong);
}

/* A header that is neither zero nor valid: it may be the write in flight when the segment was taken
 * into use. Then the file has its full size, is empty but for this block, and is the last in use.
 */
static void meet_bad_header(struct log_reader *r, const char *wrong)
{
    r->wrong = wrong;
    r->bad_offset = 0;
    if (r->is_before_start)
        stop(r, LOG_DAMAGED, r->segment_index, 0, "%s, and the snapshot stands on it", wrong);
    else if (file_bytes(r) % LOG_BLOCK_BYTES != 0 || file_bytes(r) <= LOG_BLOCK_BYTES)
        stop(r, LOG_DAMAGED, r->segment_index, 0, "%s, and the file was cut", wrong);
    else
        search_from(r, PHASE_BEHIND_BAD_HEADER, LOG_BLOCK_BYTES);
}

static void step_behind_bad_header(struct log_reader *r)
{
    const enum found found = search_bytes(r);
    if (found == FOUND_NOTHING)
        search_later_files(r, LOG_TORN_TAIL);
    else if (found == FOUND_SOMETHING)
        stop(r, LOG_DAMAGED, r->segment_index, 0, "%s, and the segment was in use", r->wrong);
}

/* NULL, or why this valid header is not the one that belongs here. Where reading starts, what was
 * before the segment is believed. */
static const char *segment_does_not_follow(const struct log_reader *r,
                                           const struct log_segment_header *segment)
{
    const struct log_source *source = &r->source;
    if (!id128_equal(segment->server_id, source->server_id))
        return "the segment belongs to another server";
    if (segment->era != source->era)
        return "the segment belongs to another era";
    if (segment->core != source->core)
        return "the segment belongs to another core";
    if (segment->segment_number != r->at.segment_number + 1)
        return "the segment's number does not follow: a segment is missing";
    if (segment->first_lsn != r->at.next_lsn && !r->is_before_start)
        return "the segment's first LSN does not follow: groups are missing before it";
    if (segment->chain != r->at.chain && !r->is_before_start)
        return "the segment was not written behind the group before it (chain)";
    return NULL;
}

/* Into the segment that the snapshot stands in. A segment without groups before that place cannot
 * tell the number, epoch and time of the last group, so the snapshot's are believed. */
static void enter_start_segment(struct log_reader *r, const struct log_segment_header *segment)
{
    r->at.next_lsn = segment->first_lsn;
    r->at.chain = segment->chain;
    if (r->source.start->offset > LOG_BLOCK_BYTES)
        r->at.epoch = 0; /* no group was read yet */
}

static void enter_segment(struct log_reader *r, const struct log_segment_header *segment)
{
    r->at.segment_number = segment->segment_number;
    r->at.offset = LOG_BLOCK_BYTES;
    if (r->is_before_start)
        enter_start_segment(r, segment);
    r->end->segment = *segment;
    r->end->segment_index = r->segment_index;
    r->end->offset = LOG_BLOCK_BYTES;
    r->phase = PHASE_GROUPS;
}

static void read_segment_header(struct log_reader *r, const uint8_t *block)
{
    struct log_segment_header segment;
    const char *wrong = log_segment_header_decode(block, &segment);
    if (wrong != NULL && segment.version == 0) {
        meet_bad_header(r, wrong);
        return;
    }
    if (segment.version != LOG_FORMAT_VERSION) {
        stop(r, LOG_VERSION, r->segment_index, 0,
             "written by version %" PRIu32 " of the format, this program reads version %d",
             segment.version, LOG_FORMAT_VERSION);
        return;
    }
    if (wrong == NULL)
        wrong = segment_does_not_follow(r, &segment);
    if (wrong != NULL)
        stop(r, LOG_DAMAGED, r->segment_index, 0, "%s", wrong);
    else
        enter_segment(r, &segment);
}

static void step_segment(struct log_reader *r)
{
    if (r->segment_index == r->file_count) {
        finish(r);
        return;
    }
    const uint32_t block_bytes =
        file_bytes(r) < LOG_BLOCK_BYTES ? (uint32_t)file_bytes(r) : LOG_BLOCK_BYTES;
    if (block_bytes == 0) {
        meet_unused(r);
        return;
    }
    const uint8_t *block = load(r, 0, block_bytes);
    if (block == NULL)
        return;
    if (log_bytes_are_zero(block, block_bytes))
        meet_unused(r);
    else if (block_bytes < LOG_BLOCK_BYTES)
        meet_bad_header(r, "the segment header is incomplete");
    else
        read_segment_header(r, block);
}

/* ---- all ---- */

static uint64_t file_number(const struct log_source *source, uint32_t index)
{
    return log_segment_file_number(source->segments[index].name);
}

/* Files are numbered without a gap, also where nothing is in them yet. Those before the one where
 * reading starts do not matter. */
static void find_files(struct log_reader *r, uint64_t first_number)
{
    const struct log_source *source = &r->source;
    uint32_t index = 0;
    while (index < source->segment_count && file_number(source, index) < first_number)
        index++;
    r->segment_index = index;
    r->missing_number = first_number;
    for (; index < source->segment_count && file_number(source, index) == r->missing_number;
         index++)
        r->missing_number++;
    r->file_count = index;
}

void log_reader_begin(struct log_reader *reader, const struct log_source *source,
                      log_group_fn group, void *group_context, uint8_t *buffer,
                      struct log_end *end_out)
{
    const struct log_position at = source->start == NULL ? log_position_first() : *source->start;
    hf_assert(log_position_is_possible(&at));
    *reader = (struct log_reader){
        .source = *source,
        .group = group,
        .group_context = group_context,
        .end = end_out,
        .buffer = buffer,
        .phase = PHASE_SEGMENT,
        .at = at,
        .is_before_start = at.segment_number > 0,
    };
    *end_out = (struct log_end){
        .status = LOG_GOOD,
        .next_lsn = at.next_lsn,
        .next_group_number = at.next_group_number,
        .chain = at.chain,
        .epoch = at.epoch,
        .time_ms = at.time_ms,
    };
    if (reader->is_before_start)
        reader->at.segment_number--; /* the one before it */
    find_files(reader, reader->at.segment_number + 1);
    if (reader->is_before_start && reader->segment_index == reader->file_count)
        stop_at_gap(reader);
}

bool log_reader_step(struct log_reader *reader)
{
    switch ((enum phase)reader->phase) {
    case PHASE_SEGMENT:
        step_segment(reader);
        break;
    case PHASE_GROUPS:
        step_groups(reader);
        break;
    case PHASE_BEHIND_GROUPS:
        step_behind_groups(reader);
        break;
    case PHASE_BEHIND_BAD_GROUP:
        step_behind_bad_group(reader);
        break;
    case PHASE_BEHIND_BAD_HEADER:
        step_behind_bad_header(reader);
        break;
    case PHASE_UNUSED_FILE:
        step_unused_file(reader);
        break;
    case PHASE_LATER_FILES:
        step_later_files(reader);
        break;
    case PHASE_END:
        break;
    }
    return reader->phase != PHASE_END;
}

void log_read(const struct log_source *source, log_group_fn group, void *group_context,
              uint8_t *buffer, struct log_end *end_out)
{
    struct log_reader reader;
    log_reader_begin(&reader, source, group, group_context, buffer, end_out);
    while (log_reader_step(&reader)) {
    }
}

struct log_position log_end_position(const struct log_end *end)
{
    hf_assert(end->status == LOG_GOOD || end->status == LOG_TORN_TAIL);
    return (struct log_position){
        .segment_number = end->segment.segment_number,
        .offset = end->offset,
        .next_lsn = end->next_lsn,
        .next_group_number = end->next_group_number,
        .chain = end->chain,
        .epoch = end->epoch,
        .time_ms = end->time_ms,
    };
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
