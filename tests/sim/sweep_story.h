#ifndef HF_SIM_SWEEP_STORY_H
#define HF_SIM_SWEEP_STORY_H
/* The stories that the sweeps play. The first is the whole life of a small sale: a new directory,
 * items, holds, confirms, cancels, extensions, expiries, forgetting, over several tiny segments; a
 * stop, a restart, another number of cores, more of all that, and a reading of everything at the
 * end. Each other one is about one thing that the engine does with its files; what may go wrong
 * does so while it does that. */

#include "history.h"

#include <stdbool.h>
#include <stdint.h>

enum { SWEEP_HOLD_MS = 40, SWEEP_RETENTION_MS = 150 };

enum sweep_story_name {
    SWEEP_STORY_LIFE,
    SWEEP_STORY_SNAPSHOT,      /* several are taken while people buy */
    SWEEP_STORY_ROTATION,      /* segments are filled and made */
    SWEEP_STORY_REMOVAL,       /* snapshots let segments go, which are used again or removed */
    SWEEP_STORY_ARCHIVE,       /* and go to the archive before */
    SWEEP_STORY_STOP,          /* the last snapshots */
    SWEEP_STORY_LOAD_LOG,      /* a start with the log alone */
    SWEEP_STORY_LOAD_SNAPSHOT, /* with the newest snapshot and the log behind it */
    SWEEP_STORY_LOAD_OLDER,    /* with the one before, because the newest is damaged */
    SWEEP_STORY_ERAS,          /* with another number of cores; and when past eras can go */
    SWEEP_STORY_ERAS_ARCHIVE,  /* into the archive */
    SWEEP_STORY_ERAS_AGAIN,    /* with yet another number of cores after the crash */
    SWEEP_STORY_COUNT,
};

struct sweep_story {
    void (*before)(void); /* nothing goes wrong in it; NULL: nothing is before */
    void (*during)(void);
    /* Was there what the story is about? Asked when nothing has gone wrong; the counts are those of
     * the beginning. */
    void (*check)(const struct history_counts *before);
    void (*after)(void);
    uint64_t snapshot_log_bytes;
    uint64_t snapshot_every_ms;
    const char *archive_path;
    bool is_recounted; /* the start behind a crash is with another number of cores */
};

extern const struct sweep_story sweep_stories[SWEEP_STORY_COUNT];

/* ---- what a story does with the server (sweep_play.c) ---- */

/* Until it serves. */
void sweep_start(void);
void sweep_stop(void);
void sweep_kill(void);
/* Everybody sleeps, and what is due runs. */
void sweep_let_pass_ms(uint64_t ms);
/* Of the next start. */
void sweep_set_core_count(uint32_t core_count);
uint32_t sweep_core_count(void);

#endif
