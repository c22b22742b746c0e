#include "log_judge.h"

#include "base/bytes.h"
#include "base/checksum.h"

/* The page "Reading a log to its end" from top to bottom. Offsets are those of the tables there. */

struct judge {
    const struct log_script *script;
    struct judgement *judgement;
    struct log_source source;
    bool is_before;       /* the place where reading starts */
    uint64_t next_number; /* of a segment */
    uint64_t next_lsn;
    uint64_t next_group; /* 0 = believed */
    uint64_t chain;
    uint64_t epoch;
    uint64_t time;
};

struct file {
    const uint8_t *bytes;
    uint64_t size;
};

uint64_t judge_mix(uint64_t hash, const uint8_t *record, uint32_t record_bytes)
{
    return checksum64(record, record_bytes, hash + 1);
}

static struct file file_at(const struct judge *judge, uint32_t index)
{
    return (struct file){judge->script->bytes[judge->script->removed_count + index],
                         judge->source.segments[index].bytes};
}

static bool is_zero(struct file file, uint64_t from, uint64_t to)
{
    static const uint8_t zeros[SCRIPT_BLOCK_COUNT_MAX * LOG_BLOCK_BYTES];
    if (to > file.size)
        to = file.size;
    return from >= to || memcmp(file.bytes + from, zeros, to - from) == 0;
}

static bool later_files_are_zero(const struct judge *judge, uint32_t index)
{
    for (index++; index < judge->source.segment_count; index++)
        if (!is_zero(file_at(judge, index), 0, UINT64_MAX))
            return false;
    return true;
}

/* All return false: the end. */

static bool damaged(struct judge *judge, uint32_t index, uint64_t offset)
{
    judge->judgement->status = LOG_DAMAGED;
    judge->judgement->segment_index = index;
    judge->judgement->offset = offset;
    return false;
}

/* The place of a torn tail is where the log ends, which was noted as it was read. */
static bool torn(struct judge *judge)
{
    judge->judgement->status = judge->source.closed != NULL ? LOG_DAMAGED : LOG_TORN_TAIL;
    return false;
}

/* ---- groups ---- */

static uint64_t said_size(struct file file)
{
    return bytes_get_u64(file.bytes + 72);
}

/* The file has not the size that its header says: that is where it goes wrong. */
static bool wrong_size(struct judge *judge, uint32_t index)
{
    struct file file = file_at(judge, index);
    return damaged(judge, index, file.size < said_size(file) ? file.size : said_size(file));
}

static uint64_t seed_at(struct file file, uint64_t offset)
{
    return bytes_get_u64(file.bytes + 40) ^ bytes_get_u64(file.bytes + 48) ^ offset;
}

/* A group header that verifies, with possible numbers. */
static bool is_group_header(struct file file, uint64_t offset)
{
    const uint8_t *at = file.bytes + offset;
    if (file.size - offset < 128 || memcmp(at, "HFGROUP1", 8) != 0 ||
        bytes_get_u64(at + 8) != checksum64(at + 16, 112, seed_at(file, offset)))
        return false;
    uint64_t record_count = bytes_get_u32(at + 72);
    uint64_t payload_bytes = bytes_get_u32(at + 76);
    return is_zero(file, offset + 80, offset + 128) && bytes_get_u64(at + 24) >= 1 &&
           bytes_get_u64(at + 32) >= 1 && bytes_get_u64(at + 56) >= 1 &&
           bytes_get_u64(at + 24) < UINT64_MAX &&
           bytes_get_u64(at + 32) <= UINT64_MAX - record_count &&
           bytes_get_u64(at + 48) < bytes_get_u64(at + 24) && record_count >= 1 &&
           payload_bytes >= 8 * record_count && payload_bytes <= 256 * record_count &&
           payload_bytes + 128 <= 4 << 20;
}

/* Bytes at `offset` are bad in a way that a write in flight may be. */
static bool bad_group(struct judge *judge, uint32_t index, uint64_t offset)
{
    struct file file = file_at(judge, index);
    if (file.size != said_size(file))
        return wrong_size(judge, index);
    if (judge->is_before)
        return damaged(judge, index, offset);
    for (uint64_t later = offset + 4096; later < file.size; later += 4096)
        if (is_group_header(file, later))
            return damaged(judge, index, offset);
    return later_files_are_zero(judge, index) ? torn(judge) : damaged(judge, index, offset);
}

static bool records_fill(const uint8_t *payload, uint64_t payload_bytes, uint64_t record_count)
{
    uint64_t at = 0;
    uint64_t count = 0;
    while (payload_bytes - at >= 8) {
        uint64_t record_bytes = bytes_get_u16(payload + at);
        if (record_bytes < 8 || record_bytes > 256 || record_bytes % 8 != 0 ||
            record_bytes > payload_bytes - at)
            return false;
        at += record_bytes;
        count++;
    }
    return at == payload_bytes && count == record_count;
}

static bool hand_out(struct judge *judge, uint32_t index, uint64_t offset, const uint8_t *payload,
                     uint64_t payload_bytes)
{
    for (uint64_t at = 0; at < payload_bytes; at += bytes_get_u16(payload + at)) {
        if (judge->next_lsn == judge->script->refused_lsn)
            return damaged(judge, index, offset);
        judge->judgement->records_hash =
            judge_mix(judge->judgement->records_hash, payload + at, bytes_get_u16(payload + at));
        judge->judgement->record_count++;
        judge->next_lsn++;
    }
    return true;
}

/* So many records more are more than a closed log has. */
static bool is_behind_end(const struct judge *judge, uint64_t record_count)
{
    const struct log_closed_end *closed = judge->source.closed;
    return closed != NULL && (judge->next_lsn > closed->next_lsn ||
                              closed->next_lsn - judge->next_lsn < record_count);
}

static bool group_follows(const struct judge *judge, const uint8_t *at)
{
    bool is_number_right = judge->next_group == 0 || bytes_get_u64(at + 24) == judge->next_group;
    return is_number_right && bytes_get_u64(at + 32) == judge->next_lsn &&
           bytes_get_u64(at + 40) == judge->chain && bytes_get_u64(at + 56) >= judge->epoch;
}

static bool judge_group(struct judge *judge, uint32_t index, uint64_t offset, uint64_t limit)
{
    struct file file = file_at(judge, index);
    const uint8_t *at = file.bytes + offset;
    if (!is_group_header(file, offset))
        return bad_group(judge, index, offset);
    if (!group_follows(judge, at))
        return damaged(judge, index, offset);
    uint64_t payload_bytes = bytes_get_u32(at + 76);
    uint64_t group_bytes = (128 + payload_bytes + 4095) / 4096 * 4096;
    if (offset + group_bytes > limit)
        return file.size != said_size(file) ? wrong_size(judge, index)
                                            : damaged(judge, index, offset);
    if (bytes_get_u64(at + 16) != checksum64(at + 128, payload_bytes, seed_at(file, offset)))
        return bad_group(judge, index, offset);
    if (is_behind_end(judge, bytes_get_u32(at + 72)) ||
        !is_zero(file, offset + 128 + payload_bytes, offset + group_bytes) ||
        !records_fill(at + 128, payload_bytes, bytes_get_u32(at + 72)))
        return damaged(judge, index, offset);
    if (judge->is_before)
        judge->next_lsn += bytes_get_u32(at + 72);
    else if (!hand_out(judge, index, offset, at + 128, payload_bytes))
        return false;
    else
        judge->judgement->group_count++;
    judge->next_group = bytes_get_u64(at + 24) + 1;
    judge->chain = bytes_get_u64(at + 8);
    judge->epoch = bytes_get_u64(at + 56);
    judge->time = bytes_get_u64(at + 64);
    judge->judgement->offset = offset + group_bytes;
    return true;
}

/* A group, or the segment's header, ends where reading starts, or behind that place. */
static bool judge_start(struct judge *judge, uint32_t index, uint64_t offset)
{
    const struct log_position *start = judge->source.start;
    if (offset == 4096) { /* believed, as no group tells it */
        judge->next_group = start->next_group_number;
        judge->epoch = start->epoch;
        judge->time = start->time_ms;
    }
    judge->is_before = false;
    return (offset == start->offset && judge->next_lsn == start->next_lsn &&
            judge->next_group == start->next_group_number && judge->chain == start->chain &&
            judge->epoch == start->epoch && judge->time == start->time_ms) ||
           damaged(judge, index, start->offset);
}

static bool judge_groups(struct judge *judge, uint32_t index)
{
    struct file file = file_at(judge, index);
    uint64_t limit = file.size < said_size(file) ? file.size : said_size(file);
    uint64_t offset = 4096;
    for (;; offset = judge->judgement->offset) {
        if (judge->is_before && offset >= judge->source.start->offset &&
            !judge_start(judge, index, offset))
            return false;
        if (limit - offset < 128 || is_zero(file, offset, offset + 128))
            break;
        if (!judge_group(judge, index, offset, limit))
            return false;
    }
    if (file.size != said_size(file))
        return wrong_size(judge, index);
    if (judge->is_before)
        return damaged(judge, index, offset);
    return is_zero(file, offset, file.size) || bad_group(judge, index, offset);
}

/* ---- segments ---- */

/* The first block is neither zero nor a header. */
static bool bad_header(struct judge *judge, uint32_t index)
{
    struct file file = file_at(judge, index);
    bool is_alone = !judge->is_before && file.size % 4096 == 0 && file.size > 4096 &&
                    is_zero(file, 4096, file.size) && later_files_are_zero(judge, index);
    return is_alone ? torn(judge) : damaged(judge, index, 0);
}

/* Of any version; they count from 1. */
static bool is_header(struct file file)
{
    return file.size >= 4096 && memcmp(file.bytes, "HFSEGMNT", 8) == 0 &&
           bytes_get_u64(file.bytes + 8) == checksum64(file.bytes + 16, 4080, 0) &&
           bytes_get_u32(file.bytes + 16) != 0;
}

static bool is_possible(struct file file)
{
    return is_zero(file, 96, 4096) && bytes_get_u64(file.bytes + 56) >= 1 &&
           bytes_get_u64(file.bytes + 64) >= 1 && bytes_get_u64(file.bytes + 80) >= 1 &&
           said_size(file) % 4096 == 0 && said_size(file) > 4096;
}

static bool follows(const struct judge *judge, struct file file)
{
    return bytes_get_u32(file.bytes + 20) == judge->source.core &&
           bytes_get_u64(file.bytes + 24) == judge->source.server_id.high &&
           bytes_get_u64(file.bytes + 32) == judge->source.server_id.low &&
           bytes_get_u64(file.bytes + 56) == judge->source.era &&
           bytes_get_u64(file.bytes + 64) == judge->next_number &&
           (judge->is_before || (bytes_get_u64(file.bytes + 80) == judge->next_lsn &&
                                 bytes_get_u64(file.bytes + 88) == judge->chain));
}

static bool judge_segment(struct judge *judge, uint32_t index)
{
    struct file file = file_at(judge, index);
    if (is_zero(file, 0, 4096)) {
        if (judge->is_before || !is_zero(file, 4096, file.size) ||
            !later_files_are_zero(judge, index))
            return damaged(judge, index, 0);
        return false;
    }
    if (!is_header(file))
        return bad_header(judge, index);
    if (bytes_get_u32(file.bytes + 16) != 1) {
        judge->judgement->status = LOG_VERSION;
        judge->judgement->segment_index = index;
        judge->judgement->offset = 0;
        return false;
    }
    if (!is_possible(file) || !follows(judge, file))
        return damaged(judge, index, 0);
    if (judge->is_before) {
        judge->next_lsn = bytes_get_u64(file.bytes + 80);
        judge->chain = bytes_get_u64(file.bytes + 88);
    }
    judge->judgement->segment_number = judge->next_number++;
    judge->judgement->segment_index = index;
    judge->judgement->offset = 4096;
    return judge_groups(judge, index);
}

/* The files in order, as far as there is no gap in their names, behind which `count_out` stands. */
static void judge_files(struct judge *judge, uint32_t *count_out)
{
    const struct log_source *source = &judge->source;
    uint32_t index = 0;
    while (index < source->segment_count &&
           log_segment_file_number(source->segments[index].name) < judge->next_number)
        index++;
    uint64_t number = judge->next_number;
    uint32_t count = index;
    for (; count < source->segment_count &&
           log_segment_file_number(source->segments[count].name) == number;
         count++)
        number++;
    *count_out = count;
    if (judge->is_before && index == count)
        (void)damaged(judge, count, 0);
    for (; index < count; index++)
        if (!judge_segment(judge, index))
            return;
}

void log_judge(struct log_script *script, struct judgement *judgement_out)
{
    struct judge judge = {
        .script = script,
        .judgement = judgement_out,
        .source = log_script_source(script),
        .next_number = 1,
        .next_lsn = 1,
        .next_group = 1,
    };
    const struct log_position *start = judge.source.start;
    const struct log_closed_end *closed = judge.source.closed;
    uint32_t count;
    *judgement_out = (struct judgement){.status = LOG_GOOD};
    if (start != NULL && start->segment_number > 0) {
        judge.is_before = true;
        judge.next_number = start->segment_number;
        judge.next_group = 0;
    }
    judge_files(&judge, &count);
    bool is_sound = judgement_out->status == LOG_GOOD || judgement_out->status == LOG_TORN_TAIL;
    if (is_sound && count < judge.source.segment_count)
        (void)damaged(&judge, count, 0);
    else if (is_sound && closed != NULL &&
             (judge.next_lsn != closed->next_lsn || judge.chain != closed->chain))
        judgement_out->status = LOG_DAMAGED;
    judgement_out->next_lsn = (start == NULL ? 1 : start->next_lsn) + judgement_out->record_count;
}
