#ifndef HF_TESTS_READING_H
#define HF_TESTS_READING_H
/* What tests of the reader share: a log in memory, and what reading it hands out, compared with the
 * truth record by record. */

#include "log/reader.h"

#include "log_builder.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { RECORD_BYTES = 24, BLOCK = LOG_BLOCK_BYTES };

struct reading {
    struct log_builder builder;
    uint8_t *buffer; /* LOG_GROUP_BYTES_MAX */
    struct log_end end;
    uint64_t refused_lsn; /* 0 = none */
    uint64_t next_lsn;    /* that is to be handed out */
    uint64_t record_count;
    uint64_t group_count;
};

static inline void reading_set_up(struct reading *reading)
{
    reading->buffer = malloc(LOG_GROUP_BYTES_MAX);
    cr_assert_not_null(reading->buffer);
}

static inline void reading_tear_down(struct reading *reading)
{
    log_builder_deinit(&reading->builder);
    free(reading->buffer);
}

static inline void reading_see_record(struct reading *reading, uint64_t lsn, const uint8_t *record)
{
    uint8_t expected[LOG_RECORD_BYTES_MAX];
    log_builder_plain_record(lsn, RECORD_BYTES, expected);
    cr_assert_eq(lsn, reading->next_lsn);
    cr_assert_eq(log_record_bytes(record), RECORD_BYTES);
    cr_assert_eq(memcmp(record, expected, RECORD_BYTES), 0, "LSN %lu", (unsigned long)lsn);
    reading->next_lsn++;
    reading->record_count++;
}

static inline const char *reading_see_group(void *context, const struct log_group *group,
                                            uint64_t *refused_lsn_out)
{
    struct reading *reading = context;
    uint64_t lsn = group->first_lsn;
    cr_assert_geq(group->time_ms, 1700000000000);
    cr_assert_eq(group->records_bytes, group->record_count * RECORD_BYTES);
    cr_assert_eq((uintptr_t)group->records % 8, 0);
    for (const uint8_t *record = group->records; record != NULL;
         record = log_record_next(group, record), lsn++) {
        *refused_lsn_out = lsn;
        if (lsn == reading->refused_lsn)
            return "not wanted";
        reading_see_record(reading, lsn, record);
    }
    cr_assert_eq(lsn, group->first_lsn + group->record_count);
    reading->group_count++;
    return NULL;
}

/* Gets ready for reading this source, of the builder's segments. */
static inline void reading_expect(struct reading *reading, const struct log_source *source)
{
    reading->next_lsn = source->start == NULL ? 1 : source->start->next_lsn;
    reading->record_count = 0;
    reading->group_count = 0;
}

/* What the end says is what was handed out. */
static inline void reading_check(const struct reading *reading)
{
    const struct log_end *end = &reading->end;
    cr_assert_eq(end->record_count, reading->record_count);
    cr_assert_eq(end->group_count, reading->group_count);
    cr_assert_eq(end->next_lsn, reading->next_lsn);
    cr_assert_eq(end->status == LOG_GOOD, end->reason[0] == '\0', "%s", end->reason);
}

/* Reads the source and returns the number of records. */
static inline uint64_t reading_read(struct reading *reading, const struct log_source *source)
{
    reading_expect(reading, source);
    log_read(source, reading_see_group, reading, reading->buffer, &reading->end);
    reading_check(reading);
    return reading->record_count;
}

static inline void reading_add_group(struct reading *reading, uint32_t record_count)
{
    for (uint32_t i = 0; i < record_count; i++)
        log_builder_add_plain(&reading->builder, RECORD_BYTES);
    log_builder_close_group(&reading->builder);
}

#endif
