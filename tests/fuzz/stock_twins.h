#ifndef HF_FUZZ_STOCK_TWINS_H
#define HF_FUZZ_STOCK_TWINS_H
/* One state three times, which have to stay the same:
 *
 *     live      decides, and commits what it has decided, as a server does
 *     replayed  gets each record as bytes: decode, check, commit, as a start does; its hash key is
 *               another one
 *     model     tests/lib/stock_model.h, slow and obvious
 *
 * Tables are tiny, so that full ones are met. Memory comes from memory_arena.c. */

#include "fuzz.h"

#include "stock/stock.h"
#include "stock_model.h"

struct twins {
    struct stock_options options;
    struct stock *live;
    struct stock *replayed;
    struct stock_model *model;
    uint64_t lsn;
};

/* Table sizes and retention as a byte says. */
void twins_open(struct twins *twins, uint8_t shape);
void twins_close(struct twins *twins);

/* A record from outside, to all three. NULL, or why it is refused: then by all three, and nothing
 * has changed. */
const char *twins_apply(struct twins *twins, const uint8_t *bytes, uint32_t bytes_count);

/* Does what the live one has decided: all three must take it. */
void twins_commit(struct twins *twins, struct stock_record *record);

/* Each asks all and compares the answers; what was decided is done. */
void twins_request(struct twins *twins, struct stock_request *rows, uint32_t row_count,
                   uint64_t now_ms);
void twins_item_create(struct twins *twins, const struct stock_item_settings *settings,
                       uint64_t now_ms);
void twins_item_update(struct twins *twins, const struct stock_item_settings *settings,
                       uint32_t update_mask, uint64_t now_ms);

/* Does what is due, `count_max` records at most. */
void twins_due(struct twins *twins, uint64_t now_ms, uint32_t count_max);

/* Every invariant, everywhere; hashes, counts. */
void twins_check(const struct twins *twins);

/* To the end of time: every hold ends, every id is forgotten. */
void twins_drain(struct twins *twins);

#endif
