#ifndef HF_MODEL_SAVE_H
#define HF_MODEL_SAVE_H
/* The part of a run that saves, loads and restarts. */

#include "run.h"

/* Begins a save into pages of so many bytes, or what is near that and possible. */
void save_begin(struct run *run, uint32_t page_bytes);

/* Goes on by so many bytes with the save that is on, if one is. When it is complete, what was saved
 * must be the state of its beginning, and be so when it is loaded: in tables of other sizes, under
 * another retention, and spread over several stocks. False when something did not agree. */
bool save_step(struct run *run, uint32_t bytes);

/* Before each commit: turns the page when it has no room for what may be written ahead. */
void save_make_room(struct run *run);

/* Forgets the save, whether it is on or complete. */
void save_drop(struct run *run);

/* Completes the save that is on, or makes one; loads it into a new stock and replays what was
 * committed since. That must be the live state, and takes its place. */
bool save_restart(struct run *run);

/* Loads a snapshot of the present state with mistakes that follow from the seed. Engine and model
 * must refuse it both, or come to the same. */
bool save_spoil(struct run *run, uint64_t seed);

/* The mistakes, and how it is loaded. */
struct save_spoilt {
    struct stock_model_snapshot snapshot;
    struct stock_options tables;
    struct save_part {
        uint64_t divisor, rest; /* items whose id leaves this rest are wanted */
    } part;
};
bool save_is_of_part(const void *part, uint64_t item_id);
void save_spoil_snapshot(const struct stock_model *model, const struct stock_options *tables,
                         uint64_t seed, struct save_spoilt *spoilt_out);

#endif
