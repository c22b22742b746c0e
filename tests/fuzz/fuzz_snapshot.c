/* Snapshot files: a small one is written as the tape says and spoiled; checksums are repaired
 * around the changes where the tape says so, which no fuzzer could. So whatever bytes there are,
 * some tape makes them.
 *
 * Promises:
 *   - The verdict, its place and the entries that are handed out are those of a slow and obvious
 *     reader, which is written from docs/log-format.md.
 *   - What was only written is whole, with every entry and the footer as it was given.
 *   - No byte outside the file is wanted, and never more than the largest block. */

#include "fuzz.h"

#include "base/bytes.h"
#include "base/checksum.h"
#include "log/snapshot.h"

#include <stdlib.h>

enum { BLOCK = LOG_BLOCK_BYTES, FILE_BYTES_MAX = 8 * BLOCK };

enum command {
    COMMAND_ENTRIES, /* a block of entries */
    COMMAND_FOOTER,  /* the footer, and the end of the writing */
    COMMAND_FLIP,    /* a bit anywhere */
    COMMAND_POKE,    /* a number of 8 bytes anywhere, small or any */
    COMMAND_COPY,    /* a block over another one */
    COMMAND_CUT,     /* the file's size */
    COMMAND_REPAIR,  /* checksums of the header or block at a place */
    COMMAND_OTHER,   /* another server, era, core or LSN is expected */
    COMMAND_COUNT,
};

struct script {
    uint8_t bytes[FILE_BYTES_MAX];
    struct log_snapshot_encoder encoder;
    struct log_snapshot_source source;
    struct log_snapshot_footer footer;
    uint64_t uuid_mix;
    uint64_t hash; /* of the entries that were written */
    bool has_footer;
    bool is_spoiled;
};

/* What was found, by either reader. */
struct result {
    enum log_snapshot_piece end;
    uint64_t offset;
    uint64_t entry_count;
    uint64_t hash;
    struct log_snapshot_footer footer;
};

static uint64_t mix(uint64_t hash, const uint8_t *entries, uint32_t entries_bytes)
{
    return checksum64(entries, entries_bytes, hash + 1);
}

/* ---- the script ---- */

static void begin(struct script *script, struct fuzz_tape *tape)
{
    uint8_t shape = fuzz_take_u8(tape);
    struct log_snapshot_header header = {
        .server_id = {1, 2},
        .snapshot_uuid = {3, fuzz_take_u8(tape)},
        .era = 1 + shape % 4,
        .position = log_position_first(),
        .state_time_ms = 5000,
        .taken_ms = 6000,
        .core = shape / 4 % 4,
    };
    if (shape >= 0x80)
        header.position = (struct log_position){
            .segment_number = 2,
            .offset = 2 * BLOCK,
            .next_lsn = 100,
            .next_group_number = 10,
            .chain = 7,
            .epoch = 1,
            .time_ms = 4000,
        };
    memset(script, 0, sizeof *script);
    script->uuid_mix = header.snapshot_uuid.high ^ header.snapshot_uuid.low;
    script->source = (struct log_snapshot_source){
        .server_id = header.server_id,
        .era = header.era,
        .core = header.core,
        .lsn = log_snapshot_lsn(&header),
    };
    log_snapshot_encode_header(&script->encoder, &header, script->bytes);
    script->source.file_bytes = script->encoder.offset;
}

static void write_entries(struct script *script, struct fuzz_tape *tape)
{
    uint8_t shape = fuzz_take_u8(tape);
    uint32_t entry_count = 1 + shape % 32;
    uint32_t entry_bytes = LOG_SNAPSHOT_ENTRY_BYTES_MIN << shape / 32 % 6;
    uint8_t *block = script->bytes + script->encoder.offset;
    uint8_t *entries = block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES;
    uint32_t payload_bytes = entry_count * entry_bytes;
    uint64_t room = sizeof script->bytes - script->encoder.offset;
    if (script->has_footer || LOG_SNAPSHOT_BLOCK_HEADER_BYTES + payload_bytes > room)
        return;
    for (uint32_t i = 0; i < entry_count; i++) {
        memset(entries + i * entry_bytes, (int)(script->encoder.entry_count + i), entry_bytes);
        bytes_put_u16(entries + i * entry_bytes, (uint16_t)entry_bytes);
    }
    script->hash = mix(script->hash, entries, payload_bytes);
    (void)log_snapshot_encode_entries(&script->encoder, block, payload_bytes, entry_count);
}

static void write_footer(struct script *script, struct fuzz_tape *tape)
{
    if (script->has_footer || script->encoder.offset == sizeof script->bytes)
        return;
    script->has_footer = true;
    script->footer = (struct log_snapshot_footer){
        .item_count = fuzz_take_number(tape),
        .reservation_count = 2,
        .buyer_count = 3,
        .state_hash = 4,
    };
    log_snapshot_encode_footer(&script->encoder, &script->footer,
                               script->bytes + script->encoder.offset);
}

static uint8_t *place(struct script *script, struct fuzz_tape *tape, uint32_t *left_out)
{
    uint32_t offset = fuzz_take_u16(tape) % sizeof script->bytes;
    *left_out = (uint32_t)sizeof script->bytes - offset;
    return script->bytes + offset;
}

static void poke(struct script *script, struct fuzz_tape *tape)
{
    uint32_t left;
    uint8_t number[8];
    uint8_t *to = place(script, tape, &left);
    bytes_put_u64(number, fuzz_take_number(tape));
    memcpy(to, number, left < sizeof number ? left : sizeof number);
}

static void copy(struct script *script, struct fuzz_tape *tape)
{
    uint8_t which = fuzz_take_u8(tape);
    memmove(script->bytes + which % 8 * BLOCK, script->bytes + which / 8 % 8 * BLOCK, BLOCK);
}

static void repair(struct script *script, struct fuzz_tape *tape)
{
    uint64_t offset = fuzz_take_u8(tape) % 8 * BLOCK;
    uint8_t *block = script->bytes + offset;
    uint64_t seed = script->uuid_mix ^ offset;
    uint64_t room = sizeof script->bytes - offset - 64;
    uint64_t payload_bytes = bytes_get_u32(block + 40);
    if (offset == 0) {
        bytes_put_u64(block + 8, checksum64(block + 16, BLOCK - 16, 0));
        return;
    }
    bytes_put_u64(block + 16,
                  checksum64(block + 64, payload_bytes < room ? payload_bytes : room, seed));
    bytes_put_u64(block + 8, checksum64(block + 16, 48, seed));
}

static void expect_other(struct script *script, struct fuzz_tape *tape)
{
    uint8_t which = fuzz_take_u8(tape);
    script->source.server_id.high ^= which & 1;
    script->source.era ^= which >> 1 & 1;
    script->source.core ^= which >> 2 & 1;
    script->source.lsn ^= which >> 3 & 1;
}

static void spoil(struct script *script, struct fuzz_tape *tape, enum command command)
{
    uint32_t left;
    script->is_spoiled = true;
    switch (command) {
    case COMMAND_FLIP: {
        uint8_t *byte = place(script, tape, &left);
        *byte = (uint8_t)(*byte ^ 1 << fuzz_take_u8(tape) % 8);
        break;
    }
    case COMMAND_POKE:
        poke(script, tape);
        break;
    case COMMAND_COPY:
        copy(script, tape);
        break;
    case COMMAND_CUT:
        script->source.file_bytes = fuzz_take_u16(tape) % (sizeof script->bytes + 1);
        break;
    case COMMAND_REPAIR:
        repair(script, tape);
        break;
    default:
        hf_assert(command == COMMAND_OTHER);
        expect_other(script, tape);
        break;
    }
}

static void play(struct script *script, struct fuzz_tape *tape)
{
    begin(script, tape);
    while (fuzz_left(tape) > 0) {
        enum command command = (enum command)(fuzz_take_u8(tape) % COMMAND_COUNT);
        if (command == COMMAND_ENTRIES)
            write_entries(script, tape);
        else if (command == COMMAND_FOOTER)
            write_footer(script, tape);
        else
            spoil(script, tape, command);
        if (command <= COMMAND_FOOTER)
            script->source.file_bytes = script->encoder.offset;
    }
}

/* ---- the reader ---- */

/* Each piece in memory of exactly its length. */
static struct result read_script(const struct script *script)
{
    struct result result = {.hash = 0};
    struct log_snapshot_reader reader;
    bool is_over = false;
    log_snapshot_reader_begin(&reader, &script->source);
    while (!is_over) {
        const uint8_t *from = script->bytes + reader.offset;
        uint32_t needed = log_snapshot_reader_needs(&reader, from, 0);
        needed = log_snapshot_reader_needs(&reader, from, needed);
        uint8_t *piece = malloc(needed > 0 ? needed : 1);
        hf_assert(piece != NULL);
        hf_assert(needed <= LOG_SNAPSHOT_BLOCK_BYTES_MAX);
        hf_assert(reader.offset + needed <= script->source.file_bytes);
        memcpy(piece, from, needed);
        result.end = log_snapshot_reader_take(&reader, piece, needed);
        if (result.end == LOG_SNAPSHOT_ENTRIES) {
            result.hash = mix(result.hash, reader.entries, reader.entries_bytes);
            result.entry_count += reader.entry_count;
        }
        is_over = result.end != LOG_SNAPSHOT_HEADER && result.end != LOG_SNAPSHOT_ENTRIES;
        free(piece);
    }
    hf_assert((reader.reason[0] == '\0') == (result.end == LOG_SNAPSHOT_WHOLE));
    result.offset = reader.offset;
    result.footer = reader.footer;
    return result;
}

/* ---- the slow and obvious one ---- */

/* The section "A snapshot" from top to bottom. Offsets are those of the tables there. */

static bool is_zero(const struct script *script, uint64_t from, uint64_t to)
{
    for (; from < to; from++)
        if (script->bytes[from] != 0)
            return false;
    return true;
}

static uint64_t u64_at(const struct script *script, uint64_t offset)
{
    return bytes_get_u64(script->bytes + offset);
}

static bool is_position(const struct script *script)
{
    uint64_t segment = u64_at(script, 64);
    uint64_t offset = u64_at(script, 72);
    uint64_t next_lsn = u64_at(script, 80);
    uint64_t next_group = u64_at(script, 88);
    bool is_first = next_lsn == 1 && next_group == 1 && is_zero(script, 96, 120);
    if (segment == 0)
        return offset == 0 && is_first;
    if (segment > 999999999999 || offset < 4096 || offset % 4096 != 0)
        return false;
    return is_first ? offset == 4096
                    : next_group > 1 && next_lsn >= next_group && u64_at(script, 104) > 0;
}

static enum log_snapshot_piece judge_header(const struct script *script)
{
    const struct log_snapshot_source *source = &script->source;
    if (source->file_bytes < 4096 || memcmp(script->bytes, "HFSNAPSH", 8) != 0 ||
        u64_at(script, 8) != checksum64(script->bytes + 16, 4080, 0) ||
        bytes_get_u32(script->bytes + 16) == 0)
        return LOG_SNAPSHOT_DAMAGED;
    if (bytes_get_u32(script->bytes + 16) != 1)
        return LOG_SNAPSHOT_VERSION;
    bool is_right = is_zero(script, 136, 4096) && is_position(script) && u64_at(script, 56) != 0 &&
                    bytes_get_u32(script->bytes + 20) == source->core &&
                    u64_at(script, 24) == source->server_id.high &&
                    u64_at(script, 32) == source->server_id.low &&
                    u64_at(script, 56) == source->era && u64_at(script, 80) - 1 == source->lsn &&
                    source->file_bytes % 4096 == 0;
    return is_right ? LOG_SNAPSHOT_HEADER : LOG_SNAPSHOT_DAMAGED;
}

static bool entries_fill(const uint8_t *payload, uint64_t payload_bytes, uint64_t entry_count)
{
    uint64_t at = 0;
    uint64_t count = 0;
    while (payload_bytes - at >= 8) {
        uint64_t entry_bytes = bytes_get_u16(payload + at);
        if (entry_bytes < 8 || entry_bytes > 256 || entry_bytes % 8 != 0 ||
            entry_bytes > payload_bytes - at)
            return false;
        at += entry_bytes;
        count++;
    }
    return at == payload_bytes && count == entry_count;
}

static bool is_possible(uint64_t kind, uint64_t payload_bytes, uint64_t entry_count)
{
    if (kind == 2)
        return payload_bytes == 56 && entry_count == 0;
    return kind == 1 && entry_count >= 1 && payload_bytes >= 8 * entry_count &&
           payload_bytes <= 256 * entry_count && payload_bytes + 64 <= 4 << 20;
}

/* A block that is whole and in its place, as long as `bytes_out` says. */
static bool is_block(const struct script *script, uint64_t offset, uint64_t number, uint64_t chain,
                     uint64_t *bytes_out)
{
    const uint8_t *at = script->bytes + offset;
    uint64_t uuid_mix = u64_at(script, 40) ^ u64_at(script, 48);
    if (script->source.file_bytes - offset < 64 || memcmp(at, "HFSNAPBK", 8) != 0 ||
        bytes_get_u64(at + 8) != checksum64(at + 16, 48, uuid_mix ^ offset) ||
        !is_zero(script, offset + 52, offset + 64))
        return false;
    uint64_t payload_bytes = bytes_get_u32(at + 40);
    uint64_t kind = bytes_get_u32(at + 48);
    uint64_t bytes = (64 + payload_bytes + 4095) / 4096 * 4096;
    *bytes_out = bytes;
    return is_possible(kind, payload_bytes, bytes_get_u32(at + 44)) &&
           bytes_get_u64(at + 24) == number && bytes_get_u64(at + 32) == chain &&
           bytes <= script->source.file_bytes - offset &&
           bytes_get_u64(at + 16) == checksum64(at + 64, payload_bytes, uuid_mix ^ offset) &&
           is_zero(script, offset + 64 + payload_bytes, offset + bytes) &&
           (kind == 2 || entries_fill(at + 64, payload_bytes, bytes_get_u32(at + 44)));
}

static struct result judge(const struct script *script)
{
    struct result result = {.end = judge_header(script)};
    uint64_t chain = u64_at(script, 8);
    uint64_t number = 1;
    uint64_t entries_bytes = 0;
    uint64_t bytes;
    if (result.end != LOG_SNAPSHOT_HEADER)
        return result;
    for (result.offset = 4096; is_block(script, result.offset, number, chain, &bytes);
         result.offset += bytes, number++) {
        const uint8_t *at = script->bytes + result.offset;
        if (bytes_get_u32(at + 48) == 2) {
            bool is_whole = bytes_get_u64(at + 96) == number - 1 &&
                            bytes_get_u64(at + 104) == result.entry_count &&
                            bytes_get_u64(at + 112) == entries_bytes &&
                            result.offset + 4096 == script->source.file_bytes;
            result.end = is_whole ? LOG_SNAPSHOT_WHOLE : LOG_SNAPSHOT_DAMAGED;
            result.offset += is_whole ? 4096 : 0;
            return result;
        }
        chain = bytes_get_u64(at + 8);
        result.hash = mix(result.hash, at + 64, bytes_get_u32(at + 40));
        result.entry_count += bytes_get_u32(at + 44);
        entries_bytes += bytes_get_u32(at + 40);
    }
    result.end = LOG_SNAPSHOT_DAMAGED;
    return result;
}

/* ---- checks ---- */

static void check_whole(const struct script *script, const struct result *result)
{
    hf_assert(result->end == LOG_SNAPSHOT_WHOLE);
    hf_assert(result->hash == script->hash);
    hf_assert(result->entry_count == script->encoder.entry_count);
    hf_assert(result->offset == script->encoder.offset);
    hf_assert(memcmp(&result->footer, &script->footer, sizeof script->footer) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static struct script script;
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    play(&script, &tape);
    const struct result result = read_script(&script);
    const struct result judged = judge(&script);
    hf_assert(result.end == judged.end);
    hf_assert(result.offset == judged.offset);
    hf_assert(result.entry_count == judged.entry_count);
    hf_assert(result.hash == judged.hash);
    if (!script.is_spoiled && script.has_footer)
        check_whole(&script, &result);
    return 0;
}
