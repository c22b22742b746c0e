#ifndef HF_BENCH_MICRO_SALE_H
#define HF_BENCH_MICRO_SALE_H
/* A made-up sale: holds of many items in the order of their time, of which some end, written as a
 * log into memory. The same for the same options. Running out of memory ends the program. */

#include "stock/stock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sale_options {
    uint64_t reservation_count;
    uint64_t item_count; /* among which they are spread */
    bool has_buyers;     /* each with a buyer; else all are anonymous */
};

struct sale {
    struct sale_options options;
    uint8_t *log;
    uint64_t log_room;
    uint64_t log_bytes;
    uint64_t record_count;
    uint32_t *sequences;      /* of each reservation, in its item */
    uint32_t *next_sequences; /* of each item */
    uint8_t *has_ended;
    uint64_t random;
};

void sale_make(struct sale *sale, const struct sale_options *options);

/* When this reservation is made. */
uint64_t sale_time_ms(uint64_t reservation);

/* The request about a reservation that its buyer makes. */
struct stock_request sale_request(const struct sale *sale, enum stock_op op, uint64_t reservation);

/* A state that has room for the sale, its memory taken ahead; without and with its items. The
 * caller's. */
struct stock *sale_open_stock(const struct sale *sale, uint64_t hash_key);
struct stock *sale_open_stock_with_items(const struct sale *sale, uint64_t hash_key);

/* Reads the log into a state without items, until it serves. */
void sale_replay(const struct sale *sale, struct stock *stock);

/* Memory for as long as the program runs. */
void *sale_map(size_t bytes);

#endif
