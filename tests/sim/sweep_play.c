#include "sweep_play.h"

#include "history.h"
#include "life.h"
#include "memory.h"
#include "network.h"
#include "sweep_client.h"
#include "sweep_story.h"
#include "world.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum {
    ROWS_MAX = 4,
    BLOCK_BYTES = 4096,
    SEGMENT_BYTES = 6 * BLOCK_BYTES, /* a header and five groups */
    GRACE_MS = 1000,
    STARTS_MAX = 8, /* in a row that do not come to serve */
};

/* ---- kinds ---- */

enum what { WHAT_MEMORY, WHAT_DISK, WHAT_CRASH };

static const struct {
    const char *name;
    enum what what;
    /* of the disk */
    enum sim_disk_fault fault;
    int error;
    bool is_for_ever;
    /* crashes */
    enum sim_crash first, then;
    enum sweep_story_name story;
} kinds[SWEEP_KIND_COUNT] = {
    [SWEEP_MEMORY_ONCE] = {.name = "memory-once", .what = WHAT_MEMORY},
    [SWEEP_MEMORY_EVER] = {.name = "memory-ever", .what = WHAT_MEMORY, .is_for_ever = true},
    [SWEEP_DISK_ERROR_ONCE] = {.name = "disk-error-once",
                               .what = WHAT_DISK,
                               .fault = SIM_DISK_ERROR,
                               .error = EIO},
    [SWEEP_DISK_ERROR_EVER] = {.name = "disk-error-ever",
                               .what = WHAT_DISK,
                               .fault = SIM_DISK_ERROR,
                               .error = EIO,
                               .is_for_ever = true},
    [SWEEP_DISK_FULL_ONCE] = {.name = "disk-full-once",
                              .what = WHAT_DISK,
                              .fault = SIM_DISK_ERROR,
                              .error = ENOSPC},
    [SWEEP_DISK_FULL_EVER] = {.name = "disk-full-ever",
                              .what = WHAT_DISK,
                              .fault = SIM_DISK_ERROR,
                              .error = ENOSPC,
                              .is_for_ever = true},
    [SWEEP_DISK_INTERRUPTED_ONCE] = {.name = "disk-interrupted-once",
                                     .what = WHAT_DISK,
                                     .fault = SIM_DISK_ERROR,
                                     .error = EINTR},
    [SWEEP_DISK_INTERRUPTED_EVER] = {.name = "disk-interrupted-ever",
                                     .what = WHAT_DISK,
                                     .fault = SIM_DISK_ERROR,
                                     .error = EINTR,
                                     .is_for_ever = true},
    [SWEEP_DISK_SHORT_ONCE] = {.name = "disk-short-once",
                               .what = WHAT_DISK,
                               .fault = SIM_DISK_SHORT,
                               .error = EIO},
    [SWEEP_DISK_SHORT_EVER] = {.name = "disk-short-ever",
                               .what = WHAT_DISK,
                               .fault = SIM_DISK_SHORT,
                               .error = EIO,
                               .is_for_ever = true},
    [SWEEP_DISK_UNSYNCED_ONCE] = {.name = "disk-unsynced-once",
                                  .what = WHAT_DISK,
                                  .fault = SIM_DISK_UNSYNCED,
                                  .error = EIO},
    [SWEEP_DISK_UNSYNCED_EVER] = {.name = "disk-unsynced-ever",
                                  .what = WHAT_DISK,
                                  .fault = SIM_DISK_UNSYNCED,
                                  .error = EIO,
                                  .is_for_ever = true},
    [SWEEP_CRASH_KILL] = {.name = "crash-kill",
                          .what = WHAT_CRASH,
                          .first = SIM_CRASH_KILL,
                          .then = SIM_CRASH_KILL},
    [SWEEP_CRASH_POWER] = {.name = "crash-power",
                           .what = WHAT_CRASH,
                           .first = SIM_CRASH_POWER,
                           .then = SIM_CRASH_POWER},
    [SWEEP_CRASH_KILL_POWER] = {.name = "crash-kill-power",
                                .what = WHAT_CRASH,
                                .first = SIM_CRASH_KILL,
                                .then = SIM_CRASH_POWER},
    [SWEEP_SNAPSHOT_KILL] = {.name = "snapshot-kill",
                             .what = WHAT_CRASH,
                             .first = SIM_CRASH_KILL,
                             .then = SIM_CRASH_POWER,
                             .story = SWEEP_STORY_SNAPSHOT},
    [SWEEP_SNAPSHOT_POWER] = {.name = "snapshot-power",
                              .what = WHAT_CRASH,
                              .first = SIM_CRASH_POWER,
                              .then = SIM_CRASH_POWER,
                              .story = SWEEP_STORY_SNAPSHOT},
    [SWEEP_ROTATION_KILL] = {.name = "rotation-kill",
                             .what = WHAT_CRASH,
                             .first = SIM_CRASH_KILL,
                             .then = SIM_CRASH_POWER,
                             .story = SWEEP_STORY_ROTATION},
    [SWEEP_ROTATION_POWER] = {.name = "rotation-power",
                              .what = WHAT_CRASH,
                              .first = SIM_CRASH_POWER,
                              .then = SIM_CRASH_POWER,
                              .story = SWEEP_STORY_ROTATION},
    [SWEEP_REMOVAL_KILL] = {.name = "removal-kill",
                            .what = WHAT_CRASH,
                            .first = SIM_CRASH_KILL,
                            .then = SIM_CRASH_POWER,
                            .story = SWEEP_STORY_REMOVAL},
    [SWEEP_REMOVAL_POWER] = {.name = "removal-power",
                             .what = WHAT_CRASH,
                             .first = SIM_CRASH_POWER,
                             .then = SIM_CRASH_POWER,
                             .story = SWEEP_STORY_REMOVAL},
    [SWEEP_ARCHIVE_KILL] = {.name = "archive-kill",
                            .what = WHAT_CRASH,
                            .first = SIM_CRASH_KILL,
                            .then = SIM_CRASH_POWER,
                            .story = SWEEP_STORY_ARCHIVE},
    [SWEEP_ARCHIVE_POWER] = {.name = "archive-power",
                             .what = WHAT_CRASH,
                             .first = SIM_CRASH_POWER,
                             .then = SIM_CRASH_POWER,
                             .story = SWEEP_STORY_ARCHIVE},
    [SWEEP_STOP_KILL] = {.name = "stop-kill",
                         .what = WHAT_CRASH,
                         .first = SIM_CRASH_KILL,
                         .then = SIM_CRASH_POWER,
                         .story = SWEEP_STORY_STOP},
    [SWEEP_STOP_POWER] = {.name = "stop-power",
                          .what = WHAT_CRASH,
                          .first = SIM_CRASH_POWER,
                          .then = SIM_CRASH_POWER,
                          .story = SWEEP_STORY_STOP},
    [SWEEP_LOAD_LOG_KILL] = {.name = "load-log-kill",
                             .what = WHAT_CRASH,
                             .first = SIM_CRASH_KILL,
                             .then = SIM_CRASH_POWER,
                             .story = SWEEP_STORY_LOAD_LOG},
    [SWEEP_LOAD_LOG_POWER] = {.name = "load-log-power",
                              .what = WHAT_CRASH,
                              .first = SIM_CRASH_POWER,
                              .then = SIM_CRASH_POWER,
                              .story = SWEEP_STORY_LOAD_LOG},
    [SWEEP_LOAD_SNAPSHOT_KILL] = {.name = "load-snapshot-kill",
                                  .what = WHAT_CRASH,
                                  .first = SIM_CRASH_KILL,
                                  .then = SIM_CRASH_POWER,
                                  .story = SWEEP_STORY_LOAD_SNAPSHOT},
    [SWEEP_LOAD_SNAPSHOT_POWER] = {.name = "load-snapshot-power",
                                   .what = WHAT_CRASH,
                                   .first = SIM_CRASH_POWER,
                                   .then = SIM_CRASH_POWER,
                                   .story = SWEEP_STORY_LOAD_SNAPSHOT},
    [SWEEP_LOAD_OLDER_KILL] = {.name = "load-older-kill",
                               .what = WHAT_CRASH,
                               .first = SIM_CRASH_KILL,
                               .then = SIM_CRASH_POWER,
                               .story = SWEEP_STORY_LOAD_OLDER},
    [SWEEP_LOAD_OLDER_POWER] = {.name = "load-older-power",
                                .what = WHAT_CRASH,
                                .first = SIM_CRASH_POWER,
                                .then = SIM_CRASH_POWER,
                                .story = SWEEP_STORY_LOAD_OLDER},
    [SWEEP_ERAS_KILL] = {.name = "eras-kill",
                         .what = WHAT_CRASH,
                         .first = SIM_CRASH_KILL,
                         .then = SIM_CRASH_POWER,
                         .story = SWEEP_STORY_ERAS},
    [SWEEP_ERAS_POWER] = {.name = "eras-power",
                          .what = WHAT_CRASH,
                          .first = SIM_CRASH_POWER,
                          .then = SIM_CRASH_POWER,
                          .story = SWEEP_STORY_ERAS},
    [SWEEP_ERAS_ARCHIVE_KILL] = {.name = "eras-archive-kill",
                                 .what = WHAT_CRASH,
                                 .first = SIM_CRASH_KILL,
                                 .then = SIM_CRASH_POWER,
                                 .story = SWEEP_STORY_ERAS_ARCHIVE},
    [SWEEP_ERAS_ARCHIVE_POWER] = {.name = "eras-archive-power",
                                  .what = WHAT_CRASH,
                                  .first = SIM_CRASH_POWER,
                                  .then = SIM_CRASH_POWER,
                                  .story = SWEEP_STORY_ERAS_ARCHIVE},
    [SWEEP_ERAS_AGAIN_KILL] = {.name = "eras-again-kill",
                               .what = WHAT_CRASH,
                               .first = SIM_CRASH_KILL,
                               .then = SIM_CRASH_POWER,
                               .story = SWEEP_STORY_ERAS_AGAIN},
    [SWEEP_ERAS_AGAIN_POWER] = {.name = "eras-again-power",
                                .what = WHAT_CRASH,
                                .first = SIM_CRASH_POWER,
                                .then = SIM_CRASH_POWER,
                                .story = SWEEP_STORY_ERAS_AGAIN},
    [SWEEP_LOAD_SNAPSHOT_ERROR] = {.name = "load-snapshot-error",
                                   .what = WHAT_DISK,
                                   .fault = SIM_DISK_ERROR,
                                   .error = EIO,
                                   .is_for_ever = true,
                                   .story = SWEEP_STORY_LOAD_SNAPSHOT},
};

const char *sweep_kind_name(enum sweep_kind kind)
{
    return kinds[kind].name;
}

bool sweep_kind_is_crash(enum sweep_kind kind)
{
    return kinds[kind].what == WHAT_CRASH;
}

/* ---- what goes wrong ---- */

static struct {
    const struct sweep_point *point;
    const struct sweep_story *story;
    struct server_options options;
    bool is_begun;        /* what may go wrong does from now on */
    uint64_t from;        /* events before that */
    bool had_gone_wrong;  /* before this start */
    bool is_healed;       /* it went wrong, and does no more */
    bool is_second_armed; /* the crash in the recovery was ordered */
    struct sweep_result result;
} play;

static uint64_t event_count(void)
{
    switch (kinds[play.point->kind].what) {
    case WHAT_MEMORY:
        return sim_memory_allocation_count();
    case WHAT_DISK:
        return sim_disk_operation_count();
    default:
        return sim_operation_count();
    }
}

static bool has_gone_wrong(void)
{
    return play.is_begun && play.point->at > 0 && event_count() >= play.from + play.point->at;
}

/* Something goes wrong in the life that was started last, and so may end it. What went wrong once,
 * in a life before, must have left nothing behind. */
static bool is_wrong_now(void)
{
    return has_gone_wrong() && !play.is_healed &&
           (kinds[play.point->kind].is_for_ever || !play.had_gone_wrong);
}

/* Before each start, and in a life that is under way when it begins: the machine forgets its orders
 * when a server has ended. */
static void order_fault(void)
{
    const struct sweep_point *point = play.point;
    const enum sweep_kind kind = point->kind;
    const bool is_for_ever = kinds[kind].is_for_ever;
    if (play.is_healed && point->then > 0 && !play.is_second_armed) {
        play.is_second_armed = true;
        sim_crash_at_operation(point->then);
    }
    if (!play.is_begun || play.is_healed || point->at == 0 || (has_gone_wrong() && !is_for_ever))
        return;
    const uint64_t n = has_gone_wrong() ? 1 : play.from + point->at - event_count();
    if (kinds[kind].what == WHAT_MEMORY)
        sim_memory_fail_at(n, is_for_ever);
    else if (kinds[kind].what == WHAT_DISK)
        sim_disk_fail_at(n, kinds[kind].fault, kinds[kind].error, is_for_ever);
    else
        sim_crash_at_operation(n);
}

/* ---- the server's lives ---- */

/* Behind a process that did not stop as it was asked to. Which kind of end follows a failed disk
 * must make no difference, so it is the one at every second point. */
static void bury(void)
{
    const enum sweep_kind kind = play.point->kind;
    const bool is_crash = sweep_kind_is_crash(kind);
    const enum sim_crash crash = play.is_healed ? kinds[kind].then : kinds[kind].first;
    if (life_state() == LIFE_FAILED && !is_wrong_now())
        sim_fail("failure", "the server has failed, and nothing is wrong");
    if (is_crash)
        life_end(crash);
    else
        life_end(play.point->at % 2 == 0 ? SIM_CRASH_POWER : SIM_CRASH_KILL);
    if (is_crash)
        play.is_healed = true;
    if (play.story->is_recounted)
        play.options.core_count = 3 - play.options.core_count;
}

/* A start is refused by what goes wrong and by nothing else, and says so. */
static void take_refusal(const struct life_refusal *refusal)
{
    if (!is_wrong_now())
        sim_fail("start", "refused, and nothing is wrong: %s", refusal->message);
    if (refusal->message[0] == '\0')
        sim_fail("start", "refused without a word");
    if (refusal->status == SERVER_DAMAGED)
        sim_fail("start", "a failing machine is called damage: %s", refusal->message);
    play.is_healed = true;
    life_end(SIM_CRASH_KILL);
}

void sweep_start(void)
{
    for (uint32_t attempt = 0; attempt < STARTS_MAX; attempt++) {
        struct life_refusal refusal;
        const bool is_recovery = play.is_healed && !play.is_second_armed;
        play.had_gone_wrong = has_gone_wrong();
        order_fault();
        const uint64_t before = sim_operation_count();
        const enum life_state state = life_start(&play.options, &refusal);
        if (is_recovery && play.result.recovery_operations == 0)
            play.result.recovery_operations = sim_operation_count() - before;
        if (state == LIFE_SERVING)
            return;
        if (state == LIFE_REFUSED)
            take_refusal(&refusal);
        else
            bury();
    }
    sim_fail("start", "%d starts in a row came to nothing", STARTS_MAX);
}

static void revive(void)
{
    if (life_state() != LIFE_DOWN)
        bury();
    life_run(sim_now_ns() + 2 * SIM_MS);
    sweep_start();
}

void sweep_let_pass_ms(uint64_t ms)
{
    const uint64_t until_ns = sim_now_ns() + ms * SIM_MS;
    while (sim_now_ns() < until_ns) {
        if (life_run(until_ns) == LIFE_SERVING)
            continue;
        sweep_client_leave();
        revive();
    }
}

void sweep_stop(void)
{
    const uint64_t until_ns = sim_now_ns() + 60 * SIM_SECOND;
    life_ask_stop();
    if (life_state() == LIFE_SERVING && life_run(until_ns) == LIFE_SERVING)
        sim_fail("stop", "the server does not stop");
    sweep_client_leave();
    if (life_state() != LIFE_DOWN)
        bury();
}

void sweep_kill(void)
{
    sweep_client_leave();
    if (life_state() == LIFE_SERVING)
        life_end(SIM_CRASH_KILL);
    else if (life_state() != LIFE_DOWN)
        bury();
}

void sweep_set_core_count(uint32_t core_count)
{
    play.options.core_count = core_count;
}

uint32_t sweep_core_count(void)
{
    return play.options.core_count;
}

/* ---- all of it ---- */

static void set_up(void)
{
    const struct sim_disk_options disk = {
        .write_ns_min = 30 * SIM_US, .write_ns_max = 60 * SIM_US, .capacity_bytes = UINT64_MAX};
    const struct sim_network_options network = {.delay_ns_min = 5 * SIM_US,
                                                .delay_ns_max = 20 * SIM_US,
                                                .piece_bytes_max = UINT32_MAX,
                                                .buffer_bytes_max = 1 << 20};
    const struct life_pace pace = {.turn_ns_min = 1 * SIM_US, .turn_ns_max = 3 * SIM_US};
    play.options = (struct server_options){
        .core_count = play.point->core_count,
        .item_count_max = 16,
        .reservation_count_max = 256,
        .buyer_count_max = 64,
        .connection_count_max = 4,
        .batch_rows_max = ROWS_MAX,
        .retention_ms = SWEEP_RETENTION_MS,
        .segment_bytes = SEGMENT_BYTES,
        .snapshot_log_bytes = play.story->snapshot_log_bytes,
        .snapshot_every_ms = play.story->snapshot_every_ms,
        .archive_path = play.story->archive_path,
        .durability = WAL_SYNC,
        .version = "sweep",
    };
    const struct history_options history = {
        .tables = {.item_count_max = play.options.item_count_max,
                   .reservation_count_max = play.options.reservation_count_max,
                   .buyer_count_max = play.options.buyer_count_max,
                   .retention_ms = SWEEP_RETENTION_MS},
        .is_sync = true,
        .directory = LIFE_PATH,
        .archive = play.story->archive_path,
    };
    sim_world_begin(play.point->seed);
    sim_disk_set_options(&disk);
    sim_network_set_options(&network);
    life_begin(&pace);
    history_begin(&history);
    sweep_client_begin(revive);
}

static void begin_what_goes_wrong(void)
{
    play.is_begun = true;
    play.from = event_count();
    if (life_state() == LIFE_SERVING)
        order_fault();
}

void sweep_play(const struct sweep_point *point, struct sweep_result *result_out)
{
    memset(&play, 0, sizeof play);
    play.point = point;
    play.story = &sweep_stories[kinds[point->kind].story];
    set_up();
    if (play.story->before != NULL)
        play.story->before();
    const struct history_counts before = history_counts();
    begin_what_goes_wrong();
    play.story->during();
    play.result.events = event_count() - play.from;
    if (point->at == 0 && play.story->check != NULL)
        play.story->check(&before);
    if (play.story->after != NULL)
        play.story->after();
    history_end(life_latest_ms(), GRACE_MS);
    play.result.trace_hash = sim_trace_hash();
    *result_out = play.result;
}
