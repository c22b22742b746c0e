#include "data_builder.h"

#include "base/assert.h"
#include "base/bytes.h"
#include "base/checksum.h"
#include "log/snapshot.h"
#include "stock/save.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PAGE_BYTES = 1 << 20 };

/* ---- life ---- */

void data_builder_begin(struct data_builder *builder, uint64_t segment_bytes)
{
    const struct stock_options options = {
        .item_count_max = DATA_BUILDER_ITEM_COUNT_MAX,
        .reservation_count_max = DATA_BUILDER_HOLD_COUNT_MAX,
        .buyer_count_max = DATA_BUILDER_HOLD_COUNT_MAX,
    };
    memset(builder, 0, sizeof *builder);
    builder->server_id = (struct id128){.high = 0x1111111111111111, .low = 0x2222222222222222};
    builder->segment_bytes = segment_bytes;
    builder->time_ms = 1769860800000; /* 2026-01-31T12:00:00.000Z */
    builder->stock = stock_create(&options);
    hf_assert(builder->stock != NULL);
}

void data_builder_end(struct data_builder *builder)
{
    for (uint32_t i = 0; i < builder->era_count; i++) {
        for (uint32_t core = 0; core < builder->eras[i].core_count; core++) {
            struct data_builder_log *log = &builder->eras[i].logs[core];
            log_builder_deinit(&log->log);
            for (uint32_t k = 0; k < log->snapshot_count; k++)
                free(log->snapshots[k].bytes);
        }
    }
    stock_destroy(&builder->stock);
}

static struct data_builder_era *newest_era(struct data_builder *builder)
{
    hf_assert(builder->era_count > 0);
    return &builder->eras[builder->era_count - 1];
}

struct data_builder_log *data_builder_log(struct data_builder *builder, uint32_t core)
{
    hf_assert(core < newest_era(builder)->core_count);
    return &newest_era(builder)->logs[core];
}

uint32_t data_builder_owner(const struct data_builder *builder, uint64_t item_id)
{
    const struct data_builder_era *era = &builder->eras[builder->era_count - 1];
    return (uint32_t)(checksum64_u64(item_id, 0) % era->core_count);
}

void data_builder_begin_era(struct data_builder *builder, uint32_t core_count)
{
    hf_assert(builder->era_count < DATA_BUILDER_ERA_COUNT_MAX);
    hf_assert(core_count <= DATA_BUILDER_CORE_COUNT_MAX);
    struct data_builder_era *era = &builder->eras[builder->era_count++];
    era->number = builder->era_count;
    era->core_count = core_count;
    for (uint32_t core = 0; core < core_count; core++) {
        struct log_builder *log = &era->logs[core].log;
        log_builder_init(log, builder->segment_bytes);
        log->server_id = builder->server_id;
        log->era = era->number;
        log->core = core;
        era->logs[core].begin_hash = data_builder_part_hash(builder, core);
    }
}

/* ---- entries ---- */

/* Calls `take` for each entry whose item belongs to the core. */
typedef void (*take_fn)(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                        uint32_t entry_bytes);

static uint64_t item_of(const struct stock_entry *entry)
{
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        return entry->item.settings.item_id;
    case STOCK_ENTRY_BUYER:
        return entry->buyer.item_id;
    default:
        return entry->reservation.hold.item_id;
    }
}

static void walk_part(const struct data_builder *builder, uint32_t core, take_fn take,
                      void *context)
{
    static uint8_t memory[PAGE_BYTES];
    struct stock_page page = {.to = memory, .bytes_max = sizeof memory};
    struct stock_saved saved;
    stock_save_begin(builder->stock, &page);
    hf_assert(stock_save_step(builder->stock, sizeof memory));
    stock_save_end(builder->stock, &saved);
    for (uint32_t at = 0; at < page.bytes; at += bytes_get_u16(memory + at)) {
        struct stock_entry entry;
        const uint32_t bytes = bytes_get_u16(memory + at);
        hf_assert(stock_entry_decode(memory + at, bytes, &entry) == NULL);
        if (data_builder_owner(builder, item_of(&entry)) == core)
            take(context, &entry, memory + at, bytes);
    }
}

static void add_hash(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                     uint32_t entry_bytes)
{
    uint64_t *sum = context;
    (void)bytes;
    (void)entry_bytes;
    *sum += stock_entry_hash(entry);
}

uint64_t data_builder_part_hash(const struct data_builder *builder, uint32_t core)
{
    uint64_t sum = 0;
    walk_part(builder, core, add_hash, &sum);
    return sum;
}

/* ---- records ---- */

static uint64_t item_of_record(const struct stock_record *record)
{
    const bool is_of_item =
        record->type == STOCK_RECORD_ITEM_CREATED || record->type == STOCK_RECORD_ITEM_UPDATED;
    return is_of_item ? record->item.item_id : record->hold.item_id;
}

void data_builder_record(struct data_builder *builder, struct stock_record record)
{
    uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct data_builder_log *log =
        data_builder_log(builder, data_builder_owner(builder, item_of_record(&record)));
    record.time_ms = builder->time_ms;
    hf_assert(stock_check(builder->stock, &record) == NULL);
    stock_commit(builder->stock, &record);
    log_builder_record(&log->log, bytes, stock_record_encode(&record, bytes));
}

void data_builder_close_group(struct data_builder *builder, uint32_t core)
{
    struct data_builder_log *log = data_builder_log(builder, core);
    hf_assert(log->group_count < DATA_BUILDER_GROUP_COUNT_MAX);
    struct data_builder_group *group = &log->groups[log->group_count++];
    const uint32_t payload_bytes = log->log.payload_bytes;
    log->log.time_ms = builder->time_ms;
    group->first_lsn = log->log.next_lsn;
    log_builder_close_group(&log->log);
    group->last_lsn = log->log.next_lsn - 1;
    group->payload_bytes = payload_bytes;
    group->bytes = log_group_bytes(payload_bytes);
    group->segment_index = log->log.used_count - 1;
    group->offset = log->log.offset - group->bytes;
    group->part_hash = data_builder_part_hash(builder, core);
}

void data_builder_close_groups(struct data_builder *builder)
{
    for (uint32_t core = 0; core < newest_era(builder)->core_count; core++)
        if (data_builder_log(builder, core)->log.record_count > 0)
            data_builder_close_group(builder, core);
}

/* ---- snapshots ---- */

struct block {
    uint8_t *bytes; /* LOG_SNAPSHOT_BLOCK_HEADER_BYTES, then entries */
    uint32_t payload_bytes;
    uint32_t entry_count;
    struct log_snapshot_footer footer;
};

static void add_entry(void *context, const struct stock_entry *entry, const uint8_t *bytes,
                      uint32_t entry_bytes)
{
    struct block *block = context;
    hf_assert(block->payload_bytes + entry_bytes <= PAGE_BYTES);
    memcpy(block->bytes + LOG_SNAPSHOT_BLOCK_HEADER_BYTES + block->payload_bytes, bytes,
           entry_bytes);
    block->payload_bytes += entry_bytes;
    block->entry_count++;
    block->footer.state_hash += stock_entry_hash(entry);
    block->footer.item_count += entry->type == STOCK_ENTRY_ITEM;
    block->footer.buyer_count += entry->type == STOCK_ENTRY_BUYER;
    block->footer.reservation_count += entry->type == STOCK_ENTRY_RESERVATION;
}

/* Half of the entries go into a block each, so that there is a chain. */
static void write_blocks(struct block *block, struct log_snapshot_encoder *encoder, uint8_t *to)
{
    const uint8_t *from = block->bytes + LOG_SNAPSHOT_BLOCK_HEADER_BYTES;
    for (uint32_t part = 0; part < 2; part++) {
        const uint32_t first_count = (block->entry_count + 1) / 2;
        const uint32_t count = part == 0 ? first_count : block->entry_count - first_count;
        uint8_t *at = to + encoder->offset;
        uint32_t bytes = 0;
        for (uint32_t i = 0; i < count; i++)
            bytes += bytes_get_u16(from + bytes);
        if (count == 0)
            continue;
        memcpy(at + LOG_SNAPSHOT_BLOCK_HEADER_BYTES, from, bytes);
        from += bytes;
        (void)log_snapshot_encode_entries(encoder, at, bytes, count);
    }
    log_snapshot_encode_footer(encoder, &block->footer, to + encoder->offset);
}

void data_builder_snapshot(struct data_builder *builder, uint32_t core)
{
    struct data_builder_log *log = data_builder_log(builder, core);
    hf_assert(log->snapshot_count < DATA_BUILDER_SNAPSHOT_COUNT_MAX);
    hf_assert(log->log.record_count == 0);
    struct data_builder_snapshot *snapshot = &log->snapshots[log->snapshot_count++];
    struct block block = {.bytes = calloc(1, LOG_SNAPSHOT_BLOCK_HEADER_BYTES + PAGE_BYTES)};
    struct log_snapshot_encoder encoder;
    snapshot->position = log_builder_position(&log->log);
    snapshot->lsn = snapshot->position.next_lsn - 1;
    snapshot->bytes = calloc(1, PAGE_BYTES + 16 * (size_t)LOG_BLOCK_BYTES);
    hf_assert(block.bytes != NULL && snapshot->bytes != NULL);
    const struct log_snapshot_header header = {
        .server_id = builder->server_id,
        .snapshot_uuid = {.high = 0x5555000000000000 + log->snapshot_count,
                          .low = log->log.era << 8 | core},
        .era = log->log.era,
        .position = snapshot->position,
        .state_time_ms = stock_time_ms(builder->stock),
        .taken_ms = builder->time_ms,
        .core = core,
    };
    log_snapshot_encode_header(&encoder, &header, snapshot->bytes);
    walk_part(builder, core, add_entry, &block);
    write_blocks(&block, &encoder, snapshot->bytes);
    snapshot->byte_count = encoder.offset;
    snapshot->part_hash = block.footer.state_hash;
    free(block.bytes);
}

/* ---- files ---- */

void data_builder_unused(struct data_builder *builder, uint32_t core)
{
    log_builder_add_unused(&data_builder_log(builder, core)->log);
}

void data_builder_remove_segments(struct data_builder *builder, uint32_t core, uint32_t count)
{
    data_builder_log(builder, core)->removed_count = count;
}

void data_builder_remove_eras(struct data_builder *builder)
{
    for (uint32_t i = 0; i + 1 < builder->era_count; i++)
        builder->eras[i].is_removed = true;
}

void data_builder_manifest(const struct data_builder *builder, struct log_manifest *manifest_out)
{
    *manifest_out =
        (struct log_manifest){.version = LOG_FORMAT_VERSION, .server_id = builder->server_id};
    for (uint32_t i = 0; i < builder->era_count; i++) {
        const struct data_builder_era *era = &builder->eras[i];
        if (era->is_removed)
            continue;
        struct log_manifest_era *to = &manifest_out->eras[manifest_out->era_count++];
        to->number = era->number;
        to->core_count = era->core_count;
        for (uint32_t core = 0; core < era->core_count && i + 1 < builder->era_count; core++)
            to->ends[core] = log_builder_end(&era->logs[core].log);
    }
}

static void write_file(const char *folder, const char *name, const void *bytes, size_t count)
{
    char path[4096];
    hf_assert((size_t)snprintf(path, sizeof path, "%s/%s", folder, name) < sizeof path);
    FILE *file = fopen(path, "wbe");
    hf_assert(file != NULL);
    hf_assert(fwrite(bytes, 1, count, file) == count);
    hf_assert(fclose(file) == 0);
}

static void save_log(const struct data_builder_log *log, const char *path)
{
    char folder[4096];
    char name[LOG_NAME_BYTES_MAX];
    log_core_directory_name(log->log.era, log->log.core, name);
    hf_assert((size_t)snprintf(folder, sizeof folder, "%s/%s", path, name) < sizeof folder);
    hf_assert(mkdir(folder, 0755) == 0);
    for (uint32_t i = log->removed_count; i < log->log.segment_count; i++)
        write_file(folder, log->log.segments[i].name, log->log.bytes[i],
                   log->log.segments[i].bytes);
    for (uint32_t i = 0; i < log->snapshot_count; i++) {
        log_snapshot_file_name(log->snapshots[i].lsn, name);
        write_file(folder, name, log->snapshots[i].bytes, log->snapshots[i].byte_count);
    }
    write_file(folder, LOG_SEGMENT_NEW_NAME, "nothing", 7);
    write_file(folder, LOG_SNAPSHOT_NEW_NAME, "nothing", 7);
    write_file(folder, "torn-1", "nothing", 7);
}

void data_builder_save(const struct data_builder *builder, const char *path)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    static struct log_manifest manifest;
    hf_assert(mkdir(path, 0755) == 0);
    for (uint32_t i = 0; i < builder->era_count; i++) {
        const struct data_builder_era *era = &builder->eras[i];
        char folder[4096];
        char name[LOG_NAME_BYTES_MAX];
        if (era->is_removed)
            continue;
        log_core_directory_name(era->number, 0, name);
        *strchr(name, '/') = '\0';
        hf_assert((size_t)snprintf(folder, sizeof folder, "%s/%s", path, name) < sizeof folder);
        hf_assert(mkdir(folder, 0755) == 0);
        for (uint32_t core = 0; core < era->core_count; core++)
            save_log(&era->logs[core], path);
    }
    data_builder_manifest(builder, &manifest);
    write_file(path, "MANIFEST", text, log_manifest_encode(&manifest, text));
}
