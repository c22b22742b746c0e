#ifndef HF_REPLAY_LOG_RECORD_PRINT_H
#define HF_REPLAY_LOG_RECORD_PRINT_H
/* A record as one line, for people and for programs. */

#include "data.h"

#include "stock/record.h"

#include <stdio.h>

enum record_format {
    RECORD_TEXT,
    RECORD_JSON,
    RECORD_CSV,
};

/* What stands before the first record: the names of the columns of CSV. */
void record_print_header(enum record_format format, FILE *to);

void record_print(enum record_format format, const struct data_log *log, uint64_t lsn,
                  const struct stock_record *record, FILE *to);

/* The fields of JSON, without braces and line end. */
void record_print_json_fields(const struct data_log *log, uint64_t lsn,
                              const struct stock_record *record, FILE *to);

#endif
