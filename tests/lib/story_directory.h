#ifndef HF_TESTS_STORY_DIRECTORY_H
#define HF_TESTS_STORY_DIRECTORY_H
/* A directory with a story in it (data_story.h), on disk, and the truth about it. */

#include "data_story.h"
#include "test_directory.h"

#include "base/bytes.h"
#include "base/checksum.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct data_builder story;
static struct test_directory directory; /* has "data" in it */
static char data_path[1100];

/* Builds the story with `tell`; nothing is on disk yet. */
static inline void story_begin(void (*tell)(struct data_builder *builder))
{
    test_directory_make(&directory);
    snprintf(data_path, sizeof data_path, "%s/data", directory.path);
    tell(&story);
}

static inline void story_save(void)
{
    data_builder_save(&story, data_path);
}

static inline void story_end(void)
{
    data_builder_end(&story);
    test_directory_remove(&directory);
}

static inline void story_whole(void)
{
    story_begin(data_story_whole);
    story_save();
}

static inline void story_late(void)
{
    story_begin(data_story_late);
    story_save();
}

/* "DIRECTORY/data/era-000002/core-001/NAME"; valid until the fourth call after this one. */
static inline const char *story_file(uint32_t era, uint32_t core, const char *name)
{
    static char below[256];
    char folder[LOG_NAME_BYTES_MAX];
    log_core_directory_name(era, core, folder);
    snprintf(below, sizeof below, "data/%s/%s", folder, name);
    return test_directory_file(&directory, below);
}

static inline const char *story_segment(uint32_t era, uint32_t core, uint64_t number)
{
    char name[LOG_NAME_BYTES_MAX];
    log_segment_file_name(number, name);
    return story_file(era, core, name);
}

static inline const char *story_snapshot(uint32_t era, uint32_t core, uint32_t index)
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(story.eras[era - 1].logs[core].snapshots[index].lsn, name);
    return story_file(era, core, name);
}

/* One byte of a file is another one. */
static inline void story_spoil(const char *path, uint64_t offset)
{
    FILE *file = fopen(path, "r+be");
    cr_assert(file != NULL, "%s", path);
    cr_assert(fseek(file, (long)offset, SEEK_SET) == 0);
    const int byte = fgetc(file);
    cr_assert(fseek(file, (long)offset, SEEK_SET) == 0 && fputc(byte ^ 1, file) != EOF);
    cr_assert(fclose(file) == 0);
}

static inline uint64_t story_hash(void)
{
    uint64_t sum = 0;
    const struct data_builder_era *era = &story.eras[story.era_count - 1];
    for (uint32_t core = 0; core < era->core_count; core++)
        sum += data_builder_part_hash(&story, core);
    return sum;
}

/* ---- every record, in order ---- */

struct story_record {
    uint32_t era; /* from 1 */
    uint32_t core;
    uint64_t lsn;
    struct stock_record record;
};

/* Calls `take` for each record of the story, eras and cores in order, until it says false; then the
 * next log comes. */
typedef bool (*story_record_fn)(void *context, const struct story_record *record);

static inline void story_walk_log(uint32_t era, uint32_t core, story_record_fn take, void *context)
{
    const struct data_builder_log *log = &story.eras[era - 1].logs[core];
    struct story_record record = {.era = era, .core = core};
    for (uint32_t i = 0; i < log->group_count; i++) {
        const struct data_builder_group *group = &log->groups[i];
        const uint8_t *at =
            log->log.bytes[group->segment_index] + group->offset + LOG_GROUP_HEADER_BYTES;
        for (uint32_t done = 0; done < group->payload_bytes; done += bytes_get_u16(at + done)) {
            record.lsn++;
            cr_assert(stock_record_decode(at + done, bytes_get_u16(at + done), &record.record) ==
                      NULL);
            if (!take(context, &record))
                return;
        }
    }
}

static inline void story_walk(story_record_fn take, void *context)
{
    for (uint32_t era = 1; era <= story.era_count; era++)
        for (uint32_t core = 0; core < story.eras[era - 1].core_count; core++)
            story_walk_log(era, core, take, context);
}

/* Whether a record is part of a state. */
typedef bool (*story_wanted_fn)(const void *context, const struct story_record *record);

struct story_replay {
    struct stock *stock;
    story_wanted_fn is_wanted;
    const void *context;
};

static inline bool story_replay_record(void *context, const struct story_record *record)
{
    const struct story_replay *replay = context;
    struct stock_record copy = record->record;
    if (!replay->is_wanted(replay->context, record))
        return false;
    const char *wrong = stock_check(replay->stock, &copy);
    cr_assert(wrong == NULL, "%s", wrong);
    stock_commit(replay->stock, &copy);
    return true;
}

/* The hash of the state that those records of each log give which come before the first one that is
 * not wanted. */
static inline uint64_t story_hash_of(story_wanted_fn is_wanted, const void *context)
{
    const struct stock_options options = {
        .item_count_max = DATA_BUILDER_ITEM_COUNT_MAX,
        .reservation_count_max = DATA_BUILDER_HOLD_COUNT_MAX,
        .buyer_count_max = DATA_BUILDER_HOLD_COUNT_MAX,
    };
    struct story_replay replay = {stock_create(&options), is_wanted, context};
    story_walk(story_replay_record, &replay);
    const uint64_t hash = stock_hash(replay.stock);
    stock_destroy(&replay.stock);
    return hash;
}

#endif
