#include "log_script.h"

#include "base/bytes.h"
#include "base/checksum.h"

#include <errno.h>

/* The tape: a byte that says how many files there are and whether the log is closed, one with the
 * size of each, then commands of one byte and what they need, until it ends. */

enum command {
    COMMAND_GROUP,      /* the next group, in a new segment if it needs one */
    COMMAND_SEGMENT,    /* the next segment's header */
    COMMAND_START,      /* a start of the server: the epoch rises */
    COMMAND_POKE,       /* bytes anywhere */
    COMMAND_FLIP,       /* a bit anywhere */
    COMMAND_COPY,       /* a block over another one */
    COMMAND_CLEAR,      /* zeros from a place for a length */
    COMMAND_CUT,        /* a file's size */
    COMMAND_RENAME,     /* a file's number */
    COMMAND_REPAIR,     /* checksums of the group or the segment header at a block */
    COMMAND_REFUSE,     /* a record, by its LSN */
    COMMAND_FAIL,       /* a read, by its number */
    COMMAND_GROUP_LIE,  /* the next group, with fields as the tape says */
    COMMAND_HEADER_LIE, /* the next segment's header, likewise */
    COMMAND_START_HERE, /* reading starts where the writing is now */
    COMMAND_START_LIE,  /* likewise, with fields as the tape says */
    COMMAND_REMOVE,     /* the first file that is left */
    COMMAND_END_LIE,    /* where the log ends if it is closed */
    COMMAND_COUNT,
};

static const struct id128 server_id = {0x1111111111111111, 0x2222222222222222};
enum { ERA = 1, CORE = 3 };

/* ---- places ---- */

static uint8_t *place(struct log_script *script, struct fuzz_tape *tape, uint32_t *left_out)
{
    uint8_t *file = script->bytes[fuzz_take_u8(tape) % script->file_count];
    uint32_t offset = fuzz_take_u16(tape) % sizeof script->bytes[0];
    *left_out = (uint32_t)sizeof script->bytes[0] - offset;
    return file + offset;
}

/* A byte names a file and a block in it. */
static uint8_t *block_place(struct log_script *script, struct fuzz_tape *tape, uint32_t *file_out,
                            uint32_t *offset_out)
{
    uint8_t which = fuzz_take_u8(tape);
    *file_out = which % script->file_count;
    *offset_out = which / 16 % SCRIPT_BLOCK_COUNT_MAX * LOG_BLOCK_BYTES;
    return script->bytes[*file_out] + *offset_out;
}

/* ---- writing what is right, but for lies ---- */

/* Field number `index` is a lie when its bit is set. */
static uint64_t lie(struct fuzz_tape *tape, uint16_t lies, int index, uint64_t truth)
{
    if (!(lies >> index & 1))
        return truth;
    uint8_t how = fuzz_take_u8(tape);
    return how < 4 ? truth + how - 2 : how < 8 ? how - 4u : fuzz_take_number(tape);
}

static void write_segment(struct log_script *script, struct fuzz_tape *tape, uint16_t lies)
{
    if (script->used_count == script->file_count)
        return;
    const uint32_t index = script->used_count++;
    struct log_segment_header header = {
        .server_id = server_id,
        .segment_uuid = {.high = 0xabcdef0000000000 + index, .low = 0x1234567890},
    };
    header.server_id.low = lie(tape, lies, 0, header.server_id.low);
    header.segment_uuid.low = lie(tape, lies, 1, header.segment_uuid.low);
    header.era = lie(tape, lies, 2, ERA);
    header.core = (uint32_t)lie(tape, lies, 3, CORE);
    header.segment_number = lie(tape, lies, 4, index + 1);
    header.segment_bytes = lie(tape, lies, 5, script->segments[index].bytes);
    header.first_lsn = lie(tape, lies, 6, script->next_lsn);
    header.chain = lie(tape, lies, 7, script->chain);
    log_segment_header_encode(&header, script->bytes[index]);
    script->offset = LOG_BLOCK_BYTES;
}

static uint32_t make_records(struct log_script *script, struct fuzz_tape *tape, uint8_t *to,
                             uint32_t *record_count_out)
{
    uint8_t shape = fuzz_take_u8(tape);
    uint32_t record_count = 1 + shape % 32;
    uint32_t record_bytes = LOG_RECORD_BYTES_MIN << shape / 32 % 6;
    for (uint32_t i = 0; i < record_count; i++) {
        uint8_t *record = to + i * record_bytes;
        memset(record, (int)(script->next_lsn + i), record_bytes);
        bytes_put_u16(record, (uint16_t)record_bytes);
    }
    *record_count_out = record_count;
    return record_count * record_bytes;
}

static uint64_t seed_of(struct log_script *script, uint32_t index, uint64_t offset)
{
    const uint8_t *block = script->bytes[index];
    const struct id128 uuid = {.high = bytes_get_u64(block + 40), .low = bytes_get_u64(block + 48)};
    return log_group_seed(uuid, offset);
}

static uint64_t payload_checksum(const uint8_t *group, uint64_t payload_bytes, uint64_t room,
                                 uint64_t seed)
{
    uint64_t bytes = payload_bytes < room ? payload_bytes : room;
    return checksum64(group + LOG_GROUP_HEADER_BYTES, bytes, seed);
}

/* Takes the next segment into use when the group needs it. False when there is no room at all. */
static bool make_room(struct log_script *script, struct fuzz_tape *tape, uint32_t group_bytes)
{
    if (script->used_count == 0 ||
        script->offset + group_bytes > script->segments[script->used_count - 1].bytes) {
        if (script->used_count == script->file_count)
            return false;
        write_segment(script, tape, 0);
    }
    return script->offset + group_bytes <= script->segments[script->used_count - 1].bytes;
}

static void write_group(struct log_script *script, struct fuzz_tape *tape, uint16_t lies)
{
    static uint8_t records[32 * LOG_RECORD_BYTES_MAX];
    uint32_t record_count;
    const uint32_t payload_bytes = make_records(script, tape, records, &record_count);
    if (!make_room(script, tape, log_group_bytes(payload_bytes)))
        return;
    const uint32_t index = script->used_count - 1;
    const uint64_t seed = seed_of(script, index, script->offset);
    uint8_t *to = script->bytes[index] + script->offset;
    memcpy(to + LOG_GROUP_HEADER_BYTES, records, payload_bytes);
    script->time_ms += 5;
    struct log_group_header header = {0};
    header.group_number = lie(tape, lies, 0, script->next_group_number);
    header.first_lsn = lie(tape, lies, 1, script->next_lsn);
    header.chain = lie(tape, lies, 2, script->chain);
    header.durable_group = lie(tape, lies, 3, script->next_group_number - 1);
    header.epoch = lie(tape, lies, 4, script->epoch);
    header.time_ms = lie(tape, lies, 5, script->time_ms);
    header.record_count = (uint32_t)lie(tape, lies, 6, record_count);
    header.payload_bytes = (uint32_t)lie(tape, lies, 7, payload_bytes);
    const uint64_t room = sizeof script->bytes[0] - script->offset - LOG_GROUP_HEADER_BYTES;
    header.payload_checksum =
        lie(tape, lies, 8, payload_checksum(to, header.payload_bytes, room, seed));
    script->chain = log_group_header_encode(&header, seed, to);
    script->offset += log_group_bytes(payload_bytes);
    script->last_epoch = header.epoch;
    script->last_time_ms = header.time_ms;
    script->next_group_number++;
    script->next_lsn += record_count;
    script->record_count += record_count;
    script->group_count++;
}

/* ---- where reading starts and ends ---- */

/* Behind the last group, or behind the header of a segment that has none. A lie that no log can
 * have is not told: the reader asks for a possible place. */
static void set_start(struct log_script *script, struct fuzz_tape *tape, uint16_t lies)
{
    struct log_position start = {0};
    start.segment_number = lie(tape, lies, 0, script->used_count);
    start.offset = lie(tape, lies, 1, script->offset / LOG_BLOCK_BYTES) * LOG_BLOCK_BYTES;
    start.next_lsn = lie(tape, lies, 2, script->next_lsn);
    start.next_group_number = lie(tape, lies, 3, script->next_group_number);
    start.chain = lie(tape, lies, 4, script->chain);
    start.epoch = lie(tape, lies, 5, script->last_epoch);
    start.time_ms = lie(tape, lies, 6, script->last_time_ms);
    if (!log_position_is_possible(&start))
        return;
    script->start = start;
    script->has_start = true;
}

static void remove_first(struct log_script *script)
{
    if (script->removed_count < script->file_count)
        script->removed_count++;
}

static void set_closed_end(struct log_script *script, struct fuzz_tape *tape)
{
    uint8_t lies = fuzz_take_u8(tape);
    script->closed.next_lsn = lie(tape, lies, 0, script->next_lsn);
    script->closed.chain = lie(tape, lies, 1, script->chain);
    script->is_closed_lie = true;
}

/* ---- spoiling ---- */

static void repair(struct log_script *script, struct fuzz_tape *tape)
{
    uint32_t index, offset;
    uint8_t *block = block_place(script, tape, &index, &offset);
    if (offset == 0) {
        bytes_put_u64(block + 8, checksum64(block + 16, LOG_BLOCK_BYTES - 16, 0));
        return;
    }
    const uint64_t seed = seed_of(script, index, offset);
    const uint64_t room = sizeof script->bytes[0] - offset - LOG_GROUP_HEADER_BYTES;
    bytes_put_u64(block + 16, payload_checksum(block, bytes_get_u32(block + 76), room, seed));
    bytes_put_u64(block + 8, checksum64(block + 16, LOG_GROUP_HEADER_BYTES - 16, seed));
}

static void poke(struct log_script *script, struct fuzz_tape *tape)
{
    uint32_t left;
    size_t bytes;
    uint8_t *to = place(script, tape, &left);
    size_t wanted = fuzz_take_u8(tape);
    const uint8_t *from = fuzz_take_bytes(tape, wanted < left ? wanted : left, &bytes);
    if (bytes > 0)
        memcpy(to, from, bytes);
}

static void flip(struct log_script *script, struct fuzz_tape *tape)
{
    uint32_t left;
    uint8_t *to = place(script, tape, &left);
    *to = (uint8_t)(*to ^ 1 << fuzz_take_u8(tape) % 8);
}

static void copy(struct log_script *script, struct fuzz_tape *tape)
{
    uint32_t index, offset;
    uint8_t *to = block_place(script, tape, &index, &offset);
    const uint8_t *from = block_place(script, tape, &index, &offset);
    memmove(to, from, LOG_BLOCK_BYTES);
}

static void clear(struct log_script *script, struct fuzz_tape *tape)
{
    uint32_t left;
    uint8_t *to = place(script, tape, &left);
    uint32_t bytes = fuzz_take_u16(tape);
    memset(to, 0, bytes < left ? bytes : left);
}

static void cut(struct log_script *script, struct fuzz_tape *tape)
{
    uint32_t index = fuzz_take_u8(tape) % script->file_count;
    script->segments[index].bytes = fuzz_take_u16(tape) % (sizeof script->bytes[0] + 1);
}

static void set_name(struct log_script *script, uint32_t index, uint64_t number)
{
    log_segment_file_name(number, script->names[index]);
    script->segments[index].name = script->names[index];
}

static void rename_file(struct log_script *script, struct fuzz_tape *tape)
{
    uint32_t index = fuzz_take_u8(tape) % script->file_count;
    set_name(script, index, 1 + fuzz_take_u8(tape) % SCRIPT_NUMBER_MAX);
}

static void spoil(struct log_script *script, struct fuzz_tape *tape, enum command command)
{
    script->is_spoiled = true;
    switch (command) {
    case COMMAND_POKE:
        poke(script, tape);
        break;
    case COMMAND_FLIP:
        flip(script, tape);
        break;
    case COMMAND_COPY:
        copy(script, tape);
        break;
    case COMMAND_CLEAR:
        clear(script, tape);
        break;
    case COMMAND_CUT:
        cut(script, tape);
        break;
    case COMMAND_RENAME:
        rename_file(script, tape);
        break;
    case COMMAND_REPAIR:
        repair(script, tape);
        break;
    case COMMAND_REFUSE:
        script->refused_lsn = fuzz_take_u8(tape);
        break;
    case COMMAND_FAIL:
        script->failing_read = fuzz_take_u8(tape);
        break;
    case COMMAND_GROUP_LIE:
        write_group(script, tape, fuzz_take_u16(tape));
        break;
    case COMMAND_START_LIE:
        set_start(script, tape, fuzz_take_u8(tape));
        break;
    case COMMAND_END_LIE:
        set_closed_end(script, tape);
        break;
    default:
        hf_assert(command == COMMAND_HEADER_LIE);
        write_segment(script, tape, fuzz_take_u8(tape));
        break;
    }
}

/* ---- all ---- */

static void begin(struct log_script *script, struct fuzz_tape *tape)
{
    uint8_t shape = fuzz_take_u8(tape);
    memset(script, 0, sizeof *script);
    script->file_count = shape % (SCRIPT_FILE_COUNT_MAX + 1);
    script->is_closed = shape >= 0x80;
    script->next_lsn = 1;
    script->next_group_number = 1;
    script->epoch = 1;
    script->time_ms = 1700000000000;
    for (uint32_t i = 0; i < script->file_count; i++) {
        uint32_t block_count = 2 + fuzz_take_u8(tape) % (SCRIPT_BLOCK_COUNT_MAX - 1);
        set_name(script, i, i + 1);
        script->segments[i].bytes = block_count * LOG_BLOCK_BYTES;
    }
}

void log_script_play(struct log_script *script, struct fuzz_tape *tape)
{
    begin(script, tape);
    while (fuzz_left(tape) > 0 && script->file_count > 0) {
        enum command command = (enum command)(fuzz_take_u8(tape) % COMMAND_COUNT);
        if (command == COMMAND_GROUP)
            write_group(script, tape, 0);
        else if (command == COMMAND_SEGMENT)
            write_segment(script, tape, 0);
        else if (command == COMMAND_START)
            script->epoch++;
        else if (command == COMMAND_START_HERE)
            set_start(script, tape, 0);
        else if (command == COMMAND_REMOVE)
            remove_first(script);
        else
            spoil(script, tape, command);
    }
    if (!script->is_closed_lie)
        script->closed = (struct log_closed_end){script->next_lsn, script->chain};
    uint64_t kept_number = script->has_start ? script->start.segment_number : 1;
    if (script->removed_count > 0 && script->removed_count >= kept_number)
        script->is_spoiled = true;
}

static int read_script(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                       uint32_t bytes)
{
    struct log_script *script = context;
    segment_index += script->removed_count;
    hf_assert(segment_index < script->file_count);
    hf_assert(bytes > 0 && offset + bytes <= script->segments[segment_index].bytes);
    if (++script->read_count == script->failing_read)
        return -EIO;
    memcpy(buffer, script->bytes[segment_index] + offset, bytes);
    return 0;
}

struct log_source log_script_source(struct log_script *script)
{
    script->read_count = 0;
    return (struct log_source){
        .segments = script->segments + script->removed_count,
        .segment_count = script->file_count - script->removed_count,
        .read = read_script,
        .read_context = script,
        .server_id = server_id,
        .era = ERA,
        .core = CORE,
        .start = script->has_start ? &script->start : NULL,
        .closed = script->is_closed ? &script->closed : NULL,
    };
}
