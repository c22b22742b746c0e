#include "snapshot_file.h"

#include "base/bytes.h"
#include "base/checksum.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    BLOCK_BYTES = 4096,
    BLOCK_HEADER_BYTES = 64,
    BLOCK_BYTES_MAX = 4 << 20,
    FOOTER_BYTES = 56,
    ITEM_BYTES = 88, /* and the SKU */
    BUYER_BYTES = 32,
    RESERVATION_BYTES = 88,
    SKU_BYTES_MAX = 64,
    FORMAT_VERSION = 1,
    KIND_ENTRIES = 1,
    KIND_FOOTER = 2,
    VALUES_MAX = 16,
};

/* One file on its way. */
struct reading {
    const uint8_t *file;
    uint64_t file_bytes;
    uint64_t at;
    uint64_t seed; /* without the offset */
    uint64_t chain;
    uint64_t entries_bytes, entry_count;
    struct snapshot_file *said;
    struct snapshot_content *content;
    snapshot_entry_fn entry;
    void *context;
};

/* ---- saying what is wrong ---- */

__attribute__((format(printf, 1, 2))) static const char *wrong(const char *format, ...)
{
    static char text[256];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}

static bool are_zero(const uint8_t *bytes, uint64_t from, uint64_t end)
{
    for (uint64_t i = from; i < end; i++)
        if (bytes[i] != 0)
            return false;
    return true;
}

static struct id128 id_at(const uint8_t *bytes)
{
    return (struct id128){.high = bytes_get_u64(bytes), .low = bytes_get_u64(bytes + 8)};
}

/* ---- entries ---- */

/* "each as eight bytes, one behind the other", and perhaps a SKU behind them. */
static uint64_t hash_of(const uint64_t *values, uint32_t value_count, const uint8_t *sku,
                        uint32_t sku_bytes, uint64_t seed)
{
    uint8_t bytes[VALUES_MAX * 8 + SKU_BYTES_MAX];
    for (uint32_t i = 0; i < value_count; i++)
        bytes_put_u64(bytes + (size_t)i * 8, values[i]);
    if (sku_bytes > 0)
        memcpy(bytes + (size_t)value_count * 8, sku, sku_bytes);
    return checksum64(bytes, (size_t)value_count * 8 + sku_bytes, seed);
}

static void see_time(struct reading *reading, uint64_t time_ms)
{
    if (time_ms > reading->content->latest_ms)
        reading->content->latest_ms = time_ms;
}

static const char *read_item(struct reading *reading, const uint8_t *from, uint32_t bytes,
                             struct snapshot_entry *entry)
{
    const uint32_t sku_bytes = from[4];
    if (sku_bytes > SKU_BYTES_MAX || bytes != (ITEM_BYTES + sku_bytes + 7) / 8 * 8 ||
        !are_zero(from, 5, 8) || !are_zero(from, ITEM_BYTES + sku_bytes, bytes) || from[3] > 1)
        return wrong("an item of an impossible form");
    const uint64_t values[] = {
        bytes_get_u64(from + 16),
        bytes_get_u64(from + 24),
        bytes_get_u32(from + 32),
        bytes_get_u32(from + 36),
        bytes_get_u64(from + 40),
        bytes_get_u64(from + 48),
        bytes_get_u64(from + 56),
        from[3],
        bytes_get_u64(from + 64),
        bytes_get_u64(from + 72),
        bytes_get_u64(from + 80),
        bytes_get_u64(from + 8),
        sku_bytes,
    };
    reading->content->item_count++;
    reading->content->state_hash +=
        hash_of(values, sizeof values / sizeof *values, from + ITEM_BYTES, sku_bytes, 1);
    see_time(reading, bytes_get_u64(from + 8));
    entry->item_id = values[0];
    return NULL;
}

static const char *read_buyer(struct reading *reading, const uint8_t *from, uint32_t bytes,
                              struct snapshot_entry *entry)
{
    if (bytes != BUYER_BYTES || from[3] != 0)
        return wrong("a buyer of an impossible form");
    const uint64_t values[] = {
        bytes_get_u64(from + 8),  bytes_get_u64(from + 16), bytes_get_u32(from + 24),
        bytes_get_u32(from + 28), bytes_get_u32(from + 4),
    };
    if (values[1] == 0 || values[2] + values[3] == 0)
        return wrong("a buyer who is nobody, or has nothing");
    reading->content->buyer_count++;
    reading->content->state_hash += hash_of(values, sizeof values / sizeof *values, NULL, 0, 3);
    entry->item_id = values[0];
    return NULL;
}

static const char *read_reservation(struct reading *reading, const uint8_t *from, uint32_t bytes,
                                    struct snapshot_entry *entry)
{
    if (bytes != RESERVATION_BYTES || from[3] < 1 || from[3] > 4 || !are_zero(from, 76, 80))
        return wrong("a reservation of an impossible form");
    const uint64_t values[] = {
        bytes_get_u64(from + 16), bytes_get_u64(from + 24),
        bytes_get_u64(from + 32), bytes_get_u64(from + 40),
        bytes_get_u64(from + 64), bytes_get_u32(from + 4),
        bytes_get_u32(from + 72), from[3],
        bytes_get_u64(from + 48), bytes_get_u64(from + 8),
        bytes_get_u64(from + 56),
    };
    reading->content->reservation_count++;
    reading->content->state_hash += hash_of(values, sizeof values / sizeof *values, NULL, 0, 2);
    entry->item_id = values[0];
    entry->sequence = values[8];
    entry->set_ms = bytes_get_u64(from + 80);
    see_time(reading, bytes_get_u64(from + 8));
    see_time(reading, entry->set_ms);
    return NULL;
}

static const char *read_entry(struct reading *reading, const uint8_t *from, uint32_t bytes)
{
    struct snapshot_entry entry = {.kind = from[2]};
    const char *fault;
    switch (from[2]) {
    case SNAPSHOT_ENTRY_ITEM:
        fault =
            bytes < ITEM_BYTES ? wrong("a short item") : read_item(reading, from, bytes, &entry);
        break;
    case SNAPSHOT_ENTRY_BUYER:
        fault = read_buyer(reading, from, bytes, &entry);
        break;
    case SNAPSHOT_ENTRY_RESERVATION:
        fault = read_reservation(reading, from, bytes, &entry);
        break;
    default:
        return wrong("an entry of the unknown type %u", from[2]);
    }
    if (fault == NULL && reading->entry != NULL)
        reading->entry(reading->context, &entry);
    return fault;
}

static const char *read_entries(struct reading *reading, const uint8_t *payload,
                                uint32_t payload_bytes, uint32_t entry_count)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < payload_bytes; count++) {
        const uint32_t left = payload_bytes - at;
        const uint32_t bytes = left < 8 ? 0 : bytes_get_u16(payload + at);
        if (bytes < 8 || bytes % 8 != 0 || bytes > left)
            return wrong("an entry of %" PRIu32 " bytes, with %" PRIu32 " left", bytes, left);
        const char *fault = read_entry(reading, payload + at, bytes);
        if (fault != NULL)
            return fault;
        at += bytes;
    }
    reading->entries_bytes += payload_bytes;
    reading->entry_count += count;
    reading->said->block_count++;
    return count == entry_count ? NULL : wrong("another number of entries than the block says");
}

/* ---- blocks ---- */

static const char *read_footer(struct reading *reading, const uint8_t *payload)
{
    struct snapshot_file *said = reading->said;
    said->item_count = bytes_get_u64(payload);
    said->reservation_count = bytes_get_u64(payload + 8);
    said->buyer_count = bytes_get_u64(payload + 16);
    said->state_hash = bytes_get_u64(payload + 24);
    if (bytes_get_u64(payload + 32) != said->block_count ||
        bytes_get_u64(payload + 40) != reading->entry_count ||
        bytes_get_u64(payload + 48) != reading->entries_bytes)
        return wrong("the footer counts something else than there is");
    return reading->at == reading->file_bytes ? NULL : wrong("something is behind the footer");
}

/* Sets `is_last_out` at the footer. */
static const char *read_block(struct reading *reading, bool *is_last_out)
{
    const uint8_t *block = reading->file + reading->at;
    const uint64_t left = reading->file_bytes - reading->at;
    const uint64_t seed = reading->seed ^ reading->at;
    if (left < BLOCK_BYTES)
        return wrong("the file ends without a footer");
    if (memcmp(block, "HFSNAPBK", 8) != 0)
        return wrong("no block at %" PRIu64, reading->at);
    const uint64_t checksum = bytes_get_u64(block + 8);
    if (checksum != checksum64(block + 16, BLOCK_HEADER_BYTES - 16, seed))
        return wrong("the checksum of the block's header at %" PRIu64 " is wrong", reading->at);
    const uint32_t payload_bytes = bytes_get_u32(block + 40);
    const uint64_t bytes = ((uint64_t)BLOCK_HEADER_BYTES + payload_bytes + BLOCK_BYTES - 1) /
                           BLOCK_BYTES * BLOCK_BYTES;
    if (bytes > BLOCK_BYTES_MAX || bytes > left)
        return wrong("the block at %" PRIu64 " is too long", reading->at);
    if (bytes_get_u64(block + 16) != checksum64(block + BLOCK_HEADER_BYTES, payload_bytes, seed))
        return wrong("the checksum of the block's payload at %" PRIu64 " is wrong", reading->at);
    if (bytes_get_u64(block + 24) != reading->said->block_count + 1 ||
        bytes_get_u64(block + 32) != reading->chain)
        return wrong("the block at %" PRIu64 " does not follow the one before", reading->at);
    if (!are_zero(block, 52, BLOCK_HEADER_BYTES) ||
        !are_zero(block, BLOCK_HEADER_BYTES + payload_bytes, bytes))
        return wrong("bytes of the block at %" PRIu64 " that are zero are not", reading->at);
    const uint32_t kind = bytes_get_u32(block + 48);
    const uint32_t entry_count = bytes_get_u32(block + 44);
    *is_last_out = kind == KIND_FOOTER;
    reading->chain = checksum;
    reading->at += bytes;
    if (kind == KIND_FOOTER && payload_bytes == FOOTER_BYTES && entry_count == 0)
        return read_footer(reading, block + BLOCK_HEADER_BYTES);
    if (kind != KIND_ENTRIES || entry_count == 0)
        return wrong("a block of kind %" PRIu32 " with %" PRIu32 " entries", kind, entry_count);
    return read_entries(reading, block + BLOCK_HEADER_BYTES, payload_bytes, entry_count);
}

/* ---- the header ---- */

static const char *read_header(struct reading *reading)
{
    const uint8_t *header = reading->file;
    struct snapshot_file *said = reading->said;
    if (reading->file_bytes < BLOCK_BYTES || reading->file_bytes % BLOCK_BYTES != 0)
        return wrong("the file is not whole blocks");
    if (memcmp(header, "HFSNAPSH", 8) != 0)
        return wrong("it does not begin as a snapshot");
    if (bytes_get_u64(header + 8) != checksum64(header + 16, BLOCK_BYTES - 16, 0))
        return wrong("the checksum of its header is wrong");
    if (bytes_get_u32(header + 16) != FORMAT_VERSION || !are_zero(header, 136, BLOCK_BYTES))
        return wrong("its header is of another version, or has unknown bytes in it");
    said->core = bytes_get_u32(header + 20);
    said->server_id = id_at(header + 24);
    said->era = bytes_get_u64(header + 56);
    said->position = (struct log_position){
        .segment_number = bytes_get_u64(header + 64),
        .offset = bytes_get_u64(header + 72),
        .next_lsn = bytes_get_u64(header + 80),
        .next_group_number = bytes_get_u64(header + 88),
        .chain = bytes_get_u64(header + 96),
        .epoch = bytes_get_u64(header + 104),
        .time_ms = bytes_get_u64(header + 112),
    };
    said->state_time_ms = bytes_get_u64(header + 120);
    said->taken_ms = bytes_get_u64(header + 128);
    reading->seed = bytes_get_u64(header + 40) ^ bytes_get_u64(header + 48);
    reading->chain = bytes_get_u64(header + 8);
    reading->at = BLOCK_BYTES;
    return NULL;
}

const char *snapshot_file_read(const uint8_t *file, uint64_t file_bytes,
                               struct snapshot_file *file_out, struct snapshot_content *content_out,
                               snapshot_entry_fn entry, void *context)
{
    struct reading reading = {
        .file = file,
        .file_bytes = file_bytes,
        .said = file_out,
        .content = content_out,
        .entry = entry,
        .context = context,
    };
    bool is_last = false;
    memset(file_out, 0, sizeof *file_out);
    memset(content_out, 0, sizeof *content_out);
    const char *fault = read_header(&reading);
    while (fault == NULL && !is_last)
        fault = read_block(&reading, &is_last);
    return fault;
}
