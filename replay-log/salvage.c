#include "salvage.h"

#include "allocate.h"
#include "group.h"
#include "input.h"
#include "progress.h"
#include "window.h"

#include "base/bytes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    UNREADABLE_BYTE = 0xee,  /* stands for what the disk does not give; verifies nowhere */
    CAREFUL_BYTES = 4 << 20, /* behind such a block reading goes block by block */
    HEADER_SERVER_ID = 24,   /* offsets in a segment's header (log/format.h) */
    HEADER_ERA = 56,
    HEADER_CORE = 20,
};

/* Whether a group in a segment has to be of this log. */
enum trust {
    TRUST_FULL,  /* the segment says so */
    TRUST_CHAIN, /* only when it is chained to the last one */
    TRUST_NONE,  /* the segment is another log's, or not in use */
};

struct file {
    uint32_t index;
    uint64_t number; /* that its header says, or its name */
};

struct salvage {
    struct data *data;
    struct data_log *log;
    const struct salvage_handler *handler;
    struct log_position at;  /* behind the last group taken */
    uint64_t rejected_chain; /* of the last group that verified and was not taken */
    bool has_rejected;
    int error;

    /* the hole that is open */
    struct salvage_range *ranges;
    size_t range_count;
    size_t range_room;
    const char *first_reason; /* of the reader that stopped */

    /* the file that is read */
    struct window window;
    uint64_t careful_end;
    const char *name;
    struct id128 segment_uuid;
    enum trust trust;
    uint64_t limit;
    uint64_t cut_bytes;     /* that the file has too few */
    uint64_t gap_start;     /* behind what was last taken of it */
    uint64_t gap_dirty_end; /* behind the last block since then that is not all zero; 0: none */
    const char *gap_reason;
};

/* ---- holes ---- */

static struct salvage_range *add_range(struct salvage *s, const char *name, uint64_t offset,
                                       uint64_t bytes, const char *reason)
{
    s->ranges = with_room(s->ranges, s->range_count, &s->range_room, sizeof s->ranges[0]);
    struct salvage_range *range = &s->ranges[s->range_count++];
    *range = (struct salvage_range){.offset = offset, .bytes = bytes};
    snprintf(range->name, sizeof range->name, "%s", name);
    snprintf(range->reason, sizeof range->reason, "%s",
             s->first_reason != NULL ? s->first_reason : reason);
    s->first_reason = NULL;
    return range;
}

static void add_harmless_range(struct salvage *s, uint64_t offset, uint64_t bytes,
                               const char *reason)
{
    add_range(s, s->name, offset, bytes, reason)->is_harmless = true;
}

static bool is_harmless(const struct salvage *s)
{
    for (size_t i = 0; i < s->range_count; i++)
        if (!s->ranges[i].is_harmless)
            return false;
    return true;
}

static void close_hole(struct salvage *s, uint64_t last_lsn, uint64_t after_ms)
{
    const struct salvage_hole hole = {
        .first_lsn = s->at.next_lsn,
        .last_lsn = last_lsn,
        .before_ms = s->at.time_ms,
        .after_ms = after_ms,
        .ranges = s->ranges,
        .range_count = s->range_count,
    };
    if (s->range_count == 0 && last_lsn + 1 == s->at.next_lsn)
        return;
    s->handler->hole(s->handler->context, &hole);
    s->range_count = 0;
}

/* The bytes from the gap's start up to here are lost, if they are any. */
static void close_gap(struct salvage *s, uint64_t end)
{
    if (end > s->gap_start)
        add_range(s, s->name, s->gap_start, end - s->gap_start,
                  s->gap_reason != NULL ? s->gap_reason : "zeros stand in place of groups");
    s->gap_dirty_end = 0;
    s->gap_reason = NULL;
}

static void note_dirty(struct salvage *s, uint64_t offset, const char *reason)
{
    s->gap_dirty_end = offset + LOG_BLOCK_BYTES;
    if (s->gap_reason == NULL)
        s->gap_reason = reason;
}

/* ---- reading ---- */

/* Block by block, and what cannot be read is made up. */
static const uint8_t *load_carefully(struct salvage *s, uint64_t offset, uint32_t bytes)
{
    uint8_t *to = s->data->buffer;
    for (uint32_t done = 0; done < bytes; done += LOG_BLOCK_BYTES) {
        const uint32_t now = bytes - done < LOG_BLOCK_BYTES ? bytes - done : LOG_BLOCK_BYTES;
        const int error = input_read_at(s->window.fd, offset + done, to + done, now);
        if (error == 0)
            continue;
        memset(to + done, UNREADABLE_BYTE, now);
        note_dirty(s, offset + done, "it cannot be read");
    }
    return to;
}

static const uint8_t *load(struct salvage *s, uint64_t offset, uint32_t bytes)
{
    const uint8_t *at;
    if (offset >= s->careful_end && window_at(&s->window, offset, bytes, &at) == 0)
        return at;
    if (offset >= s->careful_end)
        s->careful_end = offset + CAREFUL_BYTES;
    return load_carefully(s, offset, bytes);
}

/* ---- groups ---- */

/* True when the group goes on from the last one, or from one that is lost. */
static bool belongs(const struct salvage *s, const struct group_look *look)
{
    const struct log_group_header *header = &look->header;
    const struct log_closed_end *closed = s->log->closed;
    if (closed != NULL && (header->first_lsn > closed->next_lsn ||
                           header->record_count > closed->next_lsn - header->first_lsn))
        return false;
    if (group_is_next(look, &s->at))
        return true;
    if (s->trust != TRUST_FULL || header->group_number <= s->at.next_group_number ||
        header->first_lsn <= s->at.next_lsn || header->epoch < s->at.epoch)
        return false;
    if (s->has_rejected && header->chain == s->rejected_chain)
        return false;
    return header->first_lsn - s->at.next_lsn >= header->group_number - s->at.next_group_number;
}

static void take(struct salvage *s, const uint8_t *from, const struct group_look *look,
                 uint64_t offset)
{
    const struct log_group group = group_of(from, look);
    const uint32_t end = LOG_GROUP_HEADER_BYTES + look->header.payload_bytes;
    const bool is_next = group.first_lsn == s->at.next_lsn;
    const bool is_padding_good = log_bytes_are_zero(from + end, look->bytes - end);
    close_gap(s, is_next && s->gap_dirty_end == 0 ? s->gap_start : offset);
    close_hole(s, group.first_lsn - 1, group.time_ms);
    s->handler->group(s->handler->context, &group);
    group_go_behind(look, offset, &s->at);
    s->has_rejected = false;
    s->gap_start = offset + look->bytes;
    if (!is_padding_good)
        add_harmless_range(s, offset + end, look->bytes - end,
                           "the padding behind the group's records is not zero");
}

/* Looks at the block at `offset`. Returns the bytes to go on by. */
static uint32_t look_at_block(struct salvage *s, uint64_t offset)
{
    const uint64_t seed = log_group_seed(s->segment_uuid, offset);
    struct group_look look;
    const uint8_t *from = load(s, offset, LOG_BLOCK_BYTES);
    const char *wrong = group_look_at_header(from, seed, &look);
    if (wrong != NULL) {
        if (!log_bytes_are_zero(from, LOG_BLOCK_BYTES))
            note_dirty(s, offset, wrong);
        return LOG_BLOCK_BYTES;
    }
    if (look.bytes > s->limit - offset) {
        note_dirty(s, offset, "the group is longer than its segment");
        return LOG_BLOCK_BYTES;
    }
    from = load(s, offset, look.bytes);
    wrong = group_look_at_records(from, seed, &look);
    if (wrong == NULL && belongs(s, &look)) {
        take(s, from, &look, offset);
        return look.bytes;
    }
    if (wrong == NULL) {
        wrong = "the group verifies and does not follow";
        s->has_rejected = true;
        s->rejected_chain = look.checksum;
    }
    note_dirty(s, offset, wrong);
    return LOG_BLOCK_BYTES;
}

/* ---- files ---- */

static struct id128 server_id_of(const uint8_t *block)
{
    const uint8_t *from = block + HEADER_SERVER_ID;
    return (struct id128){.high = bytes_get_u64(from), .low = bytes_get_u64(from + 8)};
}

/* What a header says of whose log the segment is, be it damaged in other places. */
static bool names_log(const struct salvage *s, const uint8_t *block)
{
    return id128_equal(server_id_of(block), s->data->manifest.server_id) &&
           bytes_get_u64(block + HEADER_ERA) == s->log->era &&
           bytes_get_u32(block + HEADER_CORE) == s->log->core;
}

/* NULL, or what is wrong with the header. Sets what is read by. */
static const char *read_header(struct salvage *s, uint64_t file_bytes)
{
    struct log_segment_header header;
    s->trust = TRUST_NONE;
    s->cut_bytes = 0;
    s->limit = file_bytes - file_bytes % LOG_BLOCK_BYTES;
    if (file_bytes < LOG_BLOCK_BYTES)
        return file_bytes == 0 ? NULL : "the segment header is incomplete";
    const uint8_t *block = load(s, 0, LOG_BLOCK_BYTES);
    const char *wrong = log_segment_header_decode(block, &header);
    const bool is_ours = names_log(s, block);
    s->segment_uuid = group_segment_uuid(block);
    if (wrong == NULL) {
        s->trust = is_ours ? TRUST_FULL : TRUST_NONE;
        if (header.segment_bytes < s->limit)
            s->limit = header.segment_bytes;
        if (header.segment_bytes > file_bytes)
            s->cut_bytes = header.segment_bytes - file_bytes;
        return is_ours ? NULL : "the segment belongs to another log";
    }
    if (log_bytes_are_zero(block, LOG_BLOCK_BYTES))
        return NULL;
    s->trust = is_ours ? TRUST_FULL : TRUST_CHAIN;
    return wrong;
}

/* Nothing of it can be taken. */
static void pass_file(struct salvage *s, uint64_t file_bytes, const char *reason)
{
    uint64_t dirty_end = 0;
    for (uint64_t offset = 0; offset < file_bytes; offset += LOG_BLOCK_BYTES) {
        const uint64_t left = file_bytes - offset;
        const uint32_t bytes = left < LOG_BLOCK_BYTES ? (uint32_t)left : LOG_BLOCK_BYTES;
        if (!log_bytes_are_zero(load(s, offset, bytes), bytes))
            dirty_end = offset + bytes;
    }
    if (dirty_end > 0)
        add_range(s, s->name, 0, dirty_end,
                  reason != NULL ? reason : "the segment has no header, but it was in use");
}

static void scan_file(struct salvage *s, uint64_t number, uint64_t file_bytes)
{
    const char *wrong = read_header(s, file_bytes);
    const bool is_begun = number == s->at.segment_number;
    uint64_t offset = is_begun ? s->at.offset : LOG_BLOCK_BYTES;
    if (s->trust == TRUST_NONE && is_begun) {
        add_range(s, s->name, 0, file_bytes, wrong != NULL ? wrong : "it was emptied");
        return;
    }
    if (s->trust == TRUST_NONE) {
        pass_file(s, file_bytes, wrong);
        return;
    }
    if (wrong != NULL)
        add_harmless_range(s, 0, LOG_BLOCK_BYTES, wrong);
    s->at.segment_number = number;
    s->gap_start = offset;
    while (offset + LOG_BLOCK_BYTES <= s->limit)
        offset += look_at_block(s, offset);
    if (s->gap_dirty_end > 0)
        close_gap(s, s->gap_dirty_end);
    if (s->cut_bytes > 0)
        add_range(s, s->name, file_bytes, s->cut_bytes, "the file was cut");
}

static void read_file(struct salvage *s, const struct file *file)
{
    char path[DATA_FILE_PATH_BYTES];
    char reason[DATA_REASON_BYTES];
    data_segment_path(s->log, file->index, path);
    s->name = s->log->segments[file->index].name;
    s->gap_dirty_end = 0;
    s->gap_reason = NULL;
    s->careful_end = 0;
    uint64_t file_bytes;
    const int fd = input_open(path, &file_bytes);
    if (fd < 0) {
        if (fd == -EACCES || fd == -EPERM)
            s->error = fd;
        snprintf(reason, sizeof reason, "it cannot be read: %s", strerror(-fd));
        add_range(s, s->name, 0, s->log->segments[file->index].bytes, reason);
        return;
    }
    window_set(&s->window, fd, file_bytes);
    scan_file(s, file->number, file_bytes);
    input_close(fd);
}

/* ---- all files ---- */

/* The number in its header, if that is a good one: a file may have been renamed. */
static uint64_t number_of(struct salvage *s, uint32_t index)
{
    _Alignas(8) uint8_t block[LOG_BLOCK_BYTES];
    struct log_segment_header header;
    if (s->log->segments[index].bytes >= sizeof block &&
        data_read_segment(s->log, index, 0, block, sizeof block) == 0 &&
        log_segment_header_decode(block, &header) == NULL && names_log(s, block))
        return header.segment_number;
    return log_segment_file_number(s->log->segments[index].name);
}

static int by_number(const void *a, const void *b)
{
    const struct file *left = a;
    const struct file *right = b;
    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return left->index < right->index ? -1 : 1;
}

static void note_missing(struct salvage *s, uint64_t number, uint64_t next_number)
{
    char name[LOG_NAME_BYTES_MAX];
    char reason[DATA_REASON_BYTES];
    log_segment_file_name(number, name);
    if (next_number - number == 1)
        snprintf(reason, sizeof reason, "it is missing");
    else
        snprintf(reason, sizeof reason, "it is missing, and %" PRIu64 " behind it",
                 next_number - number - 1);
    add_range(s, name, 0, 0, reason);
}

static void read_files(struct salvage *s, const struct file *files, uint32_t file_count)
{
    uint64_t expected = s->at.segment_number == 0 ? 1 : s->at.segment_number;
    for (uint32_t i = 0; i < file_count; i++) {
        if (files[i].number < expected && files[i].number < s->at.segment_number)
            continue; /* before the place */
        if (files[i].number > expected)
            note_missing(s, expected, files[i].number);
        if (files[i].number >= expected)
            expected = files[i].number + 1;
        read_file(s, &files[i]);
    }
}

int salvage_run(struct data *data, struct data_log *log, const struct log_position *at,
                const char *reason, const struct salvage_handler *handler)
{
    struct salvage s = {
        .data = data, .log = log, .handler = handler, .at = *at, .first_reason = reason};
    struct file *files = allocate((size_t)log->segment_count + 1, sizeof files[0]);
    for (uint32_t i = 0; i < log->segment_count; i++)
        files[i] = (struct file){.index = i, .number = number_of(&s, i)};
    data_close_segment(log);
    qsort(files, log->segment_count, sizeof files[0], by_number);
    window_init(&s.window);
    read_files(&s, files, log->segment_count);
    window_deinit(&s.window);
    uint64_t last_lsn = is_harmless(&s) ? s.at.next_lsn - 1 : UINT64_MAX;
    if (log->closed != NULL)
        last_lsn = log->closed->next_lsn - 1;
    close_hole(&s, last_lsn, 0);
    free(s.ranges);
    free(files);
    return s.error;
}
