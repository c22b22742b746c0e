#ifndef HF_SIM_SNAPSHOT_FILE_H
#define HF_SIM_SNAPSHOT_FILE_H
/* A snapshot's file taken apart, written from docs/log-format.md and not from the engine's code: of
 * engine/log and engine/stock only names and types are used. So it does not share their mistakes.
 */

#include "log/format.h"
#include "stock/record.h"

#include <stdbool.h>
#include <stdint.h>

/* What the file says of itself. */
struct snapshot_file {
    struct id128 server_id;
    uint64_t era;
    uint32_t core;
    struct log_position position;
    uint64_t state_time_ms;
    uint64_t taken_ms;
    uint64_t item_count, reservation_count, buyer_count;
    uint64_t state_hash;
    uint32_t block_count; /* of entries */
};

/* And what its entries say: the sum of their hashes as the document defines it, and how many there
 * are. They are handed out one by one. */
struct snapshot_content {
    uint64_t item_count, reservation_count, buyer_count;
    uint64_t state_hash;
    uint64_t latest_ms; /* of all times in them but deadlines and windows */
};

enum snapshot_entry_kind {
    SNAPSHOT_ENTRY_ITEM = 16,
    SNAPSHOT_ENTRY_BUYER = 17,
    SNAPSHOT_ENTRY_RESERVATION = 18,
};

struct snapshot_entry {
    enum snapshot_entry_kind kind;
    uint64_t item_id;
    uint64_t sequence; /* of a reservation, as are the others */
    uint64_t set_ms;   /* when its deadline was set, or when it ended */
};

typedef void (*snapshot_entry_fn)(void *context, const struct snapshot_entry *entry);

/* NULL, or what is wrong with the file (text in static memory). `entry` may be NULL. */
const char *snapshot_file_read(const uint8_t *file, uint64_t file_bytes,
                               struct snapshot_file *file_out, struct snapshot_content *content_out,
                               snapshot_entry_fn entry, void *context);

#endif
