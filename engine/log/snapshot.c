#include "log/snapshot.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "log/private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Encoding and reading of snapshot files; the layouts are drawn in snapshot.h. The reader trusts
 * nothing before its checksum is right, no length least of all, and then still checks that the
 * numbers are possible. A block's checksums are bound to the file by its uuid, to their place by
 * the offset and to all blocks before by the chain; so whatever is missing, twice, in another order
 * or from another snapshot is found at the first block that is not the one that belongs there. */

static const char HEADER_MAGIC[8] = {'H', 'F', 'S', 'N', 'A', 'P', 'S', 'H'};
static const char BLOCK_MAGIC[8] = {'H', 'F', 'S', 'N', 'A', 'P', 'B', 'K'};

enum {
    CHECKSUM_OFFSET = 8,
    CHECKED_OFFSET = 16, /* the checksums of both headers cover everything from here on */
    HEADER_RESERVED_OFFSET = 136,
    BLOCK_RESERVED_OFFSET = 52,
    FOOTER_PAYLOAD_BYTES = 56,
};

enum block_kind { BLOCK_ENTRIES = 1, BLOCK_FOOTER = 2 };

_Static_assert(LOG_SNAPSHOT_BLOCK_BYTES_MAX % LOG_BLOCK_BYTES == 0, "the largest is whole blocks");
_Static_assert(LOG_SNAPSHOT_BLOCK_HEADER_BYTES % 8 == 0, "entries start aligned");
_Static_assert(LOG_SNAPSHOT_PAYLOAD_BYTES_MAX % 8 == 0, "entries can fill the largest block");
_Static_assert(LOG_SNAPSHOT_BLOCK_HEADER_BYTES + FOOTER_PAYLOAD_BYTES <= LOG_BLOCK_BYTES,
               "the footer is one block of the disk");
_Static_assert(LOG_SNAPSHOT_ENTRY_BYTES_MAX <= UINT16_MAX, "a length fits its field");

struct block_header {
    uint64_t payload_checksum;
    uint64_t number;
    uint64_t chain;
    uint32_t payload_bytes;
    uint32_t entry_count;
    uint32_t kind;
};

static uint64_t block_seed(struct id128 snapshot_uuid, uint64_t offset)
{
    return snapshot_uuid.high ^ snapshot_uuid.low ^ offset;
}

/* Header, payload and padding. */
static uint32_t block_bytes(uint32_t payload_bytes)
{
    return (LOG_SNAPSHOT_BLOCK_HEADER_BYTES + payload_bytes + LOG_BLOCK_BYTES - 1) /
           LOG_BLOCK_BYTES * LOG_BLOCK_BYTES;
}

/* How many entries fill the payload exactly; 0 when a length is impossible. */
static uint32_t count_entries(const uint8_t *payload, uint32_t payload_bytes)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < payload_bytes; count++) {
        if (payload_bytes - at < LOG_SNAPSHOT_ENTRY_BYTES_MIN)
            return 0;
        const uint32_t entry_bytes = bytes_get_u16(payload + at);
        if (entry_bytes % 8 != 0 || entry_bytes < LOG_SNAPSHOT_ENTRY_BYTES_MIN ||
            entry_bytes > LOG_SNAPSHOT_ENTRY_BYTES_MAX || entry_bytes > payload_bytes - at)
            return 0;
        at += entry_bytes;
    }
    return count;
}

/* ---- writing ---- */

static void put_position(uint8_t *to, const struct log_position *position)
{
    bytes_put_u64(to, position->segment_number);
    bytes_put_u64(to + 8, position->offset);
    bytes_put_u64(to + 16, position->next_lsn);
    bytes_put_u64(to + 24, position->next_group_number);
    bytes_put_u64(to + 32, position->chain);
    bytes_put_u64(to + 40, position->epoch);
    bytes_put_u64(to + 48, position->time_ms);
}

void log_snapshot_encode_header(struct log_snapshot_encoder *encoder,
                                const struct log_snapshot_header *header, uint8_t *block)
{
    hf_assert(log_position_is_possible(&header->position));
    hf_assert(header->era > 0);
    memset(block, 0, LOG_BLOCK_BYTES);
    memcpy(block, HEADER_MAGIC, sizeof HEADER_MAGIC);
    bytes_put_u32(block + 16, LOG_FORMAT_VERSION);
    bytes_put_u32(block + 20, header->core);
    put_id128(block + 24, header->server_id);
    put_id128(block + 40, header->snapshot_uuid);
    bytes_put_u64(block + 56, header->era);
    put_position(block + 64, &header->position);
    bytes_put_u64(block + 120, header->state_time_ms);
    bytes_put_u64(block + 128, header->taken_ms);
    const uint64_t checksum =
        checksum64(block + CHECKED_OFFSET, LOG_BLOCK_BYTES - CHECKED_OFFSET, 0);
    bytes_put_u64(block + CHECKSUM_OFFSET, checksum);
    *encoder = (struct log_snapshot_encoder){
        .snapshot_uuid = header->snapshot_uuid,
        .offset = LOG_BLOCK_BYTES,
        .chain = checksum,
    };
}

/* The payload stands in the block already. Returns the bytes of the block. */
static uint32_t finish_block(struct log_snapshot_encoder *encoder, uint8_t *block,
                             enum block_kind kind, uint32_t payload_bytes, uint32_t entry_count)
{
    const uint64_t seed = block_seed(encoder->snapshot_uuid, encoder->offset);
    const uint32_t bytes = block_bytes(payload_bytes);
    const uint32_t end = LOG_SNAPSHOT_BLOCK_HEADER_BYTES + payload_bytes;
    memset(block, 0, LOG_SNAPSHOT_BLOCK_HEADER_BYTES);
    memset(block + end, 0, bytes - end);
    memcpy(block, BLOCK_MAGIC, sizeof BLOCK_MAGIC);
    bytes_put_u64(block + 16,
                  checksum64(block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES, payload_bytes, seed));
    bytes_put_u64(block + 24, encoder->block_count + 1);
    bytes_put_u64(block + 32, encoder->chain);
    bytes_put_u32(block + 40, payload_bytes);
    bytes_put_u32(block + 44, entry_count);
    bytes_put_u32(block + 48, kind);
    encoder->chain =
        checksum64(block + CHECKED_OFFSET, LOG_SNAPSHOT_BLOCK_HEADER_BYTES - CHECKED_OFFSET, seed);
    bytes_put_u64(block + CHECKSUM_OFFSET, encoder->chain);
    encoder->offset += bytes;
    return bytes;
}

uint32_t log_snapshot_encode_entries(struct log_snapshot_encoder *encoder, uint8_t *block,
                                     uint32_t payload_bytes, uint32_t entry_count)
{
    hf_assert(payload_bytes <= LOG_SNAPSHOT_PAYLOAD_BYTES_MAX);
    hf_assert(entry_count > 0);
    hf_assert(count_entries(block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES, payload_bytes) == entry_count);
    const uint32_t bytes = finish_block(encoder, block, BLOCK_ENTRIES, payload_bytes, entry_count);
    encoder->block_count++;
    encoder->entry_count += entry_count;
    encoder->entries_bytes += payload_bytes;
    return bytes;
}

void log_snapshot_encode_footer(struct log_snapshot_encoder *encoder,
                                struct log_snapshot_footer *footer, uint8_t *block)
{
    uint8_t *payload = block + LOG_SNAPSHOT_BLOCK_HEADER_BYTES;
    footer->block_count = encoder->block_count;
    footer->entry_count = encoder->entry_count;
    footer->entries_bytes = encoder->entries_bytes;
    bytes_put_u64(payload, footer->item_count);
    bytes_put_u64(payload + 8, footer->reservation_count);
    bytes_put_u64(payload + 16, footer->buyer_count);
    bytes_put_u64(payload + 24, footer->state_hash);
    bytes_put_u64(payload + 32, footer->block_count);
    bytes_put_u64(payload + 40, footer->entry_count);
    bytes_put_u64(payload + 48, footer->entries_bytes);
    (void)finish_block(encoder, block, BLOCK_FOOTER, FOOTER_PAYLOAD_BYTES, 0);
}

/* ---- decoding ---- */

static struct log_position get_position(const uint8_t *from)
{
    return (struct log_position){
        .segment_number = bytes_get_u64(from),
        .offset = bytes_get_u64(from + 8),
        .next_lsn = bytes_get_u64(from + 16),
        .next_group_number = bytes_get_u64(from + 24),
        .chain = bytes_get_u64(from + 32),
        .epoch = bytes_get_u64(from + 40),
        .time_ms = bytes_get_u64(from + 48),
    };
}

const char *log_snapshot_header_decode(const uint8_t *block, struct log_snapshot_header *header_out,
                                       uint64_t *checksum_out)
{
    memset(header_out, 0, sizeof *header_out);
    if (memcmp(block, HEADER_MAGIC, sizeof HEADER_MAGIC) != 0)
        return "this is no snapshot header";
    const uint64_t checksum = bytes_get_u64(block + CHECKSUM_OFFSET);
    if (checksum != checksum64(block + CHECKED_OFFSET, LOG_BLOCK_BYTES - CHECKED_OFFSET, 0))
        return "the snapshot header's checksum is wrong";
    *checksum_out = checksum;
    header_out->version = bytes_get_u32(block + 16);
    if (header_out->version != LOG_FORMAT_VERSION)
        return "the snapshot is of another version of the format";
    if (!log_bytes_are_zero(block + HEADER_RESERVED_OFFSET,
                            LOG_BLOCK_BYTES - HEADER_RESERVED_OFFSET))
        return "the snapshot header has unknown bytes in it";
    header_out->core = bytes_get_u32(block + 20);
    header_out->server_id = get_id128(block + 24);
    header_out->snapshot_uuid = get_id128(block + 40);
    header_out->era = bytes_get_u64(block + 56);
    header_out->position = get_position(block + 64);
    header_out->state_time_ms = bytes_get_u64(block + 120);
    header_out->taken_ms = bytes_get_u64(block + 128);
    if (header_out->era == 0 || !log_position_is_possible(&header_out->position))
        return "the snapshot header names a place that no log has";
    return NULL;
}

static const char *block_header_impossible(const struct block_header *header)
{
    const uint64_t entry_count = header->entry_count;
    if (header->kind == BLOCK_FOOTER) {
        if (header->payload_bytes != FOOTER_PAYLOAD_BYTES || entry_count != 0)
            return "the footer has another size than a footer";
        return NULL;
    }
    if (header->kind != BLOCK_ENTRIES)
        return "the block is of an unknown kind";
    if (entry_count == 0)
        return "the block header counts no entries";
    if (header->payload_bytes > LOG_SNAPSHOT_PAYLOAD_BYTES_MAX)
        return "the block header has an impossible payload size";
    if (header->payload_bytes < entry_count * LOG_SNAPSHOT_ENTRY_BYTES_MIN ||
        header->payload_bytes > entry_count * LOG_SNAPSHOT_ENTRY_BYTES_MAX)
        return "the block header's payload size and entry count do not fit each other";
    return NULL;
}

static const char *block_header_decode(const uint8_t *from, uint64_t seed,
                                       struct block_header *header_out, uint64_t *checksum_out)
{
    if (memcmp(from, BLOCK_MAGIC, sizeof BLOCK_MAGIC) != 0)
        return "this is no block header";
    *checksum_out = bytes_get_u64(from + CHECKSUM_OFFSET);
    if (*checksum_out !=
        checksum64(from + CHECKED_OFFSET, LOG_SNAPSHOT_BLOCK_HEADER_BYTES - CHECKED_OFFSET, seed))
        return "the block header's checksum is wrong";
    *header_out = (struct block_header){
        .payload_checksum = bytes_get_u64(from + 16),
        .number = bytes_get_u64(from + 24),
        .chain = bytes_get_u64(from + 32),
        .payload_bytes = bytes_get_u32(from + 40),
        .entry_count = bytes_get_u32(from + 44),
        .kind = bytes_get_u32(from + 48),
    };
    if (!log_bytes_are_zero(from + BLOCK_RESERVED_OFFSET,
                            LOG_SNAPSHOT_BLOCK_HEADER_BYTES - BLOCK_RESERVED_OFFSET))
        return "the block header has unknown bytes in it";
    return block_header_impossible(header_out);
}

static struct log_snapshot_footer get_footer(const uint8_t *from)
{
    return (struct log_snapshot_footer){
        .item_count = bytes_get_u64(from),
        .reservation_count = bytes_get_u64(from + 8),
        .buyer_count = bytes_get_u64(from + 16),
        .state_hash = bytes_get_u64(from + 24),
        .block_count = bytes_get_u64(from + 32),
        .entry_count = bytes_get_u64(from + 40),
        .entries_bytes = bytes_get_u64(from + 48),
    };
}

/* ---- reading ---- */

/* Both ends that are not good. */
__attribute__((format(printf, 3, 4))) static enum log_snapshot_piece
stop(struct log_snapshot_reader *reader, enum log_snapshot_piece piece, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reader->reason, sizeof reader->reason, format, arguments);
    va_end(arguments);
    reader->is_over = true;
    return piece;
}

static enum log_snapshot_piece stop_damaged(struct log_snapshot_reader *reader, const char *wrong)
{
    return stop(reader, LOG_SNAPSHOT_DAMAGED, "%s", wrong);
}

/* NULL, or why this valid header is not that of the file it is in. */
static const char *header_is_foreign(const struct log_snapshot_header *header,
                                     const struct log_snapshot_source *source)
{
    if (!id128_equal(header->server_id, source->server_id))
        return "the snapshot belongs to another server";
    if (header->era != source->era)
        return "the snapshot belongs to another era";
    if (header->core != source->core)
        return "the snapshot belongs to another core";
    if (log_snapshot_lsn(header) != source->lsn)
        return "the snapshot was made at another LSN than its name says";
    return NULL;
}

static enum log_snapshot_piece take_header(struct log_snapshot_reader *reader, const uint8_t *bytes,
                                           uint32_t bytes_count)
{
    struct log_snapshot_header *header = &reader->header;
    if (bytes_count < LOG_BLOCK_BYTES)
        return stop_damaged(reader, "the file was cut within its header");
    const char *wrong = log_snapshot_header_decode(bytes, header, &reader->chain);
    if (wrong != NULL && header->version != 0 && header->version != LOG_FORMAT_VERSION)
        return stop(reader, LOG_SNAPSHOT_VERSION,
                    "written by version %" PRIu32 " of the format, this program reads version %d",
                    header->version, LOG_FORMAT_VERSION);
    if (wrong == NULL)
        wrong = header_is_foreign(header, &reader->source);
    if (wrong == NULL && reader->source.file_bytes % LOG_BLOCK_BYTES != 0)
        wrong = "the file was cut: it does not end with a whole block";
    if (wrong != NULL)
        return stop_damaged(reader, wrong);
    reader->offset = LOG_BLOCK_BYTES;
    return LOG_SNAPSHOT_HEADER;
}

/* NULL, or what is wrong with the payload of a block whose header is right. */
static const char *payload_wrong(const uint8_t *payload, const struct block_header *header,
                                 uint64_t seed)
{
    const uint32_t padding_bytes = block_bytes(header->payload_bytes) -
                                   LOG_SNAPSHOT_BLOCK_HEADER_BYTES - header->payload_bytes;
    if (checksum64(payload, header->payload_bytes, seed) != header->payload_checksum)
        return "the checksum of the block's content is wrong";
    if (!log_bytes_are_zero(payload + header->payload_bytes, padding_bytes))
        return "the padding of the block is not zero";
    if (header->kind == BLOCK_ENTRIES &&
        count_entries(payload, header->payload_bytes) != header->entry_count)
        return "the block's entries do not fill it, or are not as many as its header says";
    return NULL;
}

static enum log_snapshot_piece take_entries(struct log_snapshot_reader *reader,
                                            const uint8_t *payload,
                                            const struct block_header *header)
{
    reader->seen.block_count++;
    reader->seen.entry_count += header->entry_count;
    reader->seen.entries_bytes += header->payload_bytes;
    reader->entries = payload;
    reader->entries_bytes = header->payload_bytes;
    reader->entry_count = header->entry_count;
    reader->offset += block_bytes(header->payload_bytes);
    return LOG_SNAPSHOT_ENTRIES;
}

static enum log_snapshot_piece take_footer(struct log_snapshot_reader *reader,
                                           const uint8_t *payload)
{
    const struct log_snapshot_footer footer = get_footer(payload);
    const struct log_snapshot_footer *seen = &reader->seen;
    if (footer.block_count != seen->block_count || footer.entry_count != seen->entry_count ||
        footer.entries_bytes != seen->entries_bytes)
        return stop_damaged(reader, "the footer counts other entries than there are");
    if (reader->offset + LOG_BLOCK_BYTES != reader->source.file_bytes)
        return stop_damaged(reader, "there are bytes behind the footer");
    reader->footer = footer;
    reader->offset += LOG_BLOCK_BYTES;
    reader->is_over = true;
    return LOG_SNAPSHOT_WHOLE;
}

static enum log_snapshot_piece take_block(struct log_snapshot_reader *reader, const uint8_t *bytes,
                                          uint32_t bytes_count)
{
    const uint64_t seed = block_seed(reader->header.snapshot_uuid, reader->offset);
    struct block_header header;
    uint64_t checksum;

    if (bytes_count == 0)
        return stop_damaged(reader, "the file was cut: it ends without a footer");
    const char *wrong = block_header_decode(bytes, seed, &header, &checksum);
    if (wrong == NULL && header.number != reader->seen.block_count + 1)
        wrong = "the block's number does not follow the one before";
    if (wrong == NULL && header.chain != reader->chain)
        wrong = "the block was not written behind the one before it (chain)";
    if (wrong == NULL && block_bytes(header.payload_bytes) > bytes_count)
        wrong = "the file was cut within a block";
    const uint8_t *payload = bytes + LOG_SNAPSHOT_BLOCK_HEADER_BYTES;
    if (wrong == NULL)
        wrong = payload_wrong(payload, &header, seed);
    if (wrong != NULL)
        return stop_damaged(reader, wrong);
    reader->chain = checksum;
    return header.kind == BLOCK_FOOTER ? take_footer(reader, payload)
                                       : take_entries(reader, payload, &header);
}

void log_snapshot_reader_begin(struct log_snapshot_reader *reader,
                               const struct log_snapshot_source *source)
{
    *reader = (struct log_snapshot_reader){.source = *source};
}

static uint64_t bytes_left(const struct log_snapshot_reader *reader)
{
    return reader->source.file_bytes - reader->offset;
}

uint32_t log_snapshot_reader_needs(const struct log_snapshot_reader *reader, const uint8_t *bytes,
                                   uint32_t bytes_count)
{
    const uint64_t left = bytes_left(reader);
    const uint32_t first_bytes = left < LOG_BLOCK_BYTES ? (uint32_t)left : LOG_BLOCK_BYTES;
    struct block_header header;
    uint64_t checksum;
    if (reader->offset == 0 || bytes_count < LOG_SNAPSHOT_BLOCK_HEADER_BYTES)
        return first_bytes;
    const uint64_t seed = block_seed(reader->header.snapshot_uuid, reader->offset);
    if (block_header_decode(bytes, seed, &header, &checksum) != NULL)
        return first_bytes; /* which is enough to say so */
    const uint32_t needed = block_bytes(header.payload_bytes);
    return left < needed ? (uint32_t)left : needed;
}

enum log_snapshot_piece log_snapshot_reader_take(struct log_snapshot_reader *reader,
                                                 const uint8_t *bytes, uint32_t bytes_count)
{
    hf_assert(!reader->is_over);
    hf_assert(bytes_count <= bytes_left(reader));
    hf_assert(bytes_count >= log_snapshot_reader_needs(reader, bytes, bytes_count));
    return reader->offset == 0 ? take_header(reader, bytes, bytes_count)
                               : take_block(reader, bytes, bytes_count);
}
