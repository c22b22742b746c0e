#include "log_builder.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "log/manifest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void log_builder_init(struct log_builder *builder, uint64_t segment_bytes)
{
    *builder = (struct log_builder){
        .server_id = {.high = 0x1111111111111111, .low = 0x2222222222222222},
        .era = 1,
        .segment_bytes = segment_bytes,
        .epoch = 1,
        .time_ms = 1700000000000,
        .next_lsn = 1,
        .next_group_number = 1,
        .payload = malloc(LOG_GROUP_BYTES_MAX),
    };
    hf_assert(builder->payload != NULL);
}

void log_builder_deinit(struct log_builder *builder)
{
    for (uint32_t i = 0; i < builder->segment_count; i++) {
        free(builder->bytes[i]);
        free((void *)(uintptr_t)builder->segments[i].name);
    }
    free(builder->payload);
}

void log_builder_record(struct log_builder *builder, const void *record, uint32_t record_bytes)
{
    hf_assert(bytes_get_u16(record) == record_bytes);
    hf_assert(log_group_bytes(builder->payload_bytes + record_bytes) <= LOG_GROUP_BYTES_MAX);
    memcpy(builder->payload + builder->payload_bytes, record, record_bytes);
    builder->payload_bytes += record_bytes;
    builder->record_count++;
}

void log_builder_plain_record(uint64_t lsn, uint32_t record_bytes, uint8_t *to)
{
    bytes_put_u16(to, (uint16_t)record_bytes);
    for (uint32_t i = 2; i < record_bytes; i++)
        to[i] = (uint8_t)(lsn * 31 + i);
}

void log_builder_add_plain(struct log_builder *builder, uint32_t record_bytes)
{
    uint8_t record[LOG_RECORD_BYTES_MAX];
    log_builder_plain_record(builder->next_lsn + builder->record_count, record_bytes, record);
    log_builder_record(builder, record, record_bytes);
}

void log_builder_add_unused(struct log_builder *builder)
{
    const uint32_t index = builder->segment_count++;
    hf_assert(index < LOG_BUILDER_SEGMENT_COUNT_MAX);
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(index + 1, name);
    builder->bytes[index] = calloc(1, builder->segment_bytes);
    builder->segments[index].name = strdup(name);
    builder->segments[index].bytes = builder->segment_bytes;
    hf_assert(builder->bytes[index] != NULL && builder->segments[index].name != NULL);
}

void log_builder_next_segment(struct log_builder *builder)
{
    if (builder->used_count == builder->segment_count)
        log_builder_add_unused(builder);
    const uint32_t index = builder->used_count++;
    const struct log_segment_header header = {
        .server_id = builder->server_id,
        .segment_uuid = {.high = 0xabcdef0000000000 + index,
                         .low = 0x1234567890 + builder->core + ((builder->era - 1) << 40)},
        .era = builder->era,
        .segment_number = builder->used_count,
        .segment_bytes = builder->segment_bytes,
        .first_lsn = builder->next_lsn,
        .chain = builder->chain,
        .core = builder->core,
    };
    log_segment_header_encode(&header, builder->bytes[index]);
    builder->offset = LOG_BLOCK_BYTES;
}

void log_builder_close_group(struct log_builder *builder)
{
    const uint32_t group_bytes = log_group_bytes(builder->payload_bytes);
    hf_assert(builder->record_count > 0);
    hf_assert(LOG_BLOCK_BYTES + group_bytes <= builder->segment_bytes);
    if (builder->used_count == 0 || group_bytes > builder->segment_bytes - builder->offset)
        log_builder_next_segment(builder);

    uint8_t *to = builder->bytes[builder->used_count - 1] + builder->offset;
    struct log_segment_header segment;
    hf_assert(log_segment_header_decode(builder->bytes[builder->used_count - 1], &segment) == NULL);
    const uint64_t seed = log_group_seed(segment.segment_uuid, builder->offset);
    const struct log_group_header header = {
        .payload_checksum = checksum64(builder->payload, builder->payload_bytes, seed),
        .group_number = builder->next_group_number,
        .first_lsn = builder->next_lsn,
        .chain = builder->chain,
        .durable_group = builder->next_group_number - 1,
        .epoch = builder->epoch,
        .time_ms = builder->time_ms,
        .record_count = builder->record_count,
        .payload_bytes = builder->payload_bytes,
    };
    builder->chain = log_group_header_encode(&header, seed, to);
    memcpy(to + LOG_GROUP_HEADER_BYTES, builder->payload, builder->payload_bytes);
    builder->offset += group_bytes;
    builder->last_epoch = builder->epoch;
    builder->last_time_ms = builder->time_ms;
    builder->next_group_number++;
    builder->next_lsn += builder->record_count;
    builder->payload_bytes = 0;
    builder->record_count = 0;
}

static int read_memory(void *context, uint32_t segment_index, uint64_t offset, void *buffer,
                       uint32_t bytes)
{
    const struct log_builder *builder = context;
    hf_assert(segment_index < builder->segment_count);
    hf_assert(offset + bytes <= builder->segments[segment_index].bytes);
    memcpy(buffer, builder->bytes[segment_index] + offset, bytes);
    return 0;
}

struct log_position log_builder_position(const struct log_builder *builder)
{
    return (struct log_position){
        .segment_number = builder->used_count,
        .offset = builder->offset,
        .next_lsn = builder->next_lsn,
        .next_group_number = builder->next_group_number,
        .chain = builder->chain,
        .epoch = builder->last_epoch,
        .time_ms = builder->last_time_ms,
    };
}

struct log_closed_end log_builder_end(const struct log_builder *builder)
{
    return (struct log_closed_end){.next_lsn = builder->next_lsn, .chain = builder->chain};
}

struct log_source log_builder_source(struct log_builder *builder)
{
    return (struct log_source){
        .segments = builder->segments,
        .segment_count = builder->segment_count,
        .read = read_memory,
        .read_context = builder,
        .server_id = builder->server_id,
        .era = builder->era,
        .core = builder->core,
    };
}

void log_builder_save(const struct log_builder *builder, const char *directory)
{
    for (uint32_t i = 0; i < builder->segment_count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", directory, builder->segments[i].name);
        FILE *file = fopen(path, "we");
        hf_assert(file != NULL);
        hf_assert(fwrite(builder->bytes[i], 1, builder->segments[i].bytes, file) ==
                  builder->segments[i].bytes);
        hf_assert(fclose(file) == 0);
    }
}
