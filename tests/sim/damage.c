/* The disk is surveyed: which logs there are, which snapshots of them are good. From that follows
 * what a start reads: the logs of the newest era, those of the era before when one of these has no
 * snapshot, and so on back; whether the number of cores changes or not. Every place on the disk
 * then is in a range of which one thing is true. */
#include "damage.h"

#include "disk.h"
#include "life.h"
#include "log/manifest.h"
#include "snapshot_file.h"
#include "world.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MANIFEST_PATH LIFE_PATH "/MANIFEST"

enum {
    LOGS_MAX = LOG_MANIFEST_ERA_COUNT_MAX * 4,
    FILES_MAX = 4096,
    RANGES_MAX = 8 * FILES_MAX,
};

/* ---- the survey ---- */

struct found_file {
    struct log_walk_file file;
    /* of a snapshot */
    bool is_good;
    uint64_t position_segment, position_offset;
};

struct found_log {
    uint64_t era;
    uint32_t core;
    uint32_t first_file, file_count;
    bool is_read; /* by a start */
};

static struct {
    struct log_manifest manifest;
    struct found_file files[FILES_MAX];
    uint32_t file_count;
    struct found_log logs[LOGS_MAX];
    uint32_t log_count;
} survey;

static void look_into_snapshot(struct found_file *found)
{
    struct snapshot_file said;
    struct snapshot_content content;
    uint8_t *bytes = malloc(found->file.bytes + 1);
    hf_assert(bytes != NULL);
    sim_disk_read(found->file.path, 0, bytes, found->file.bytes);
    found->is_good =
        snapshot_file_read(bytes, found->file.bytes, &said, &content, NULL, NULL) == NULL;
    if (found->is_good) {
        found->position_segment = said.position.segment_number;
        found->position_offset = said.position.offset;
    }
    free(bytes);
}

static void note_file(void *context, const struct log_walk_file *file)
{
    struct found_log *log = survey.log_count == 0 ? NULL : &survey.logs[survey.log_count - 1];
    (void)context;
    if (log == NULL || log->era != file->era || log->core != file->core) {
        hf_assert(survey.log_count < LOGS_MAX);
        log = &survey.logs[survey.log_count++];
        *log = (struct found_log){
            .era = file->era, .core = file->core, .first_file = survey.file_count};
    }
    hf_assert(survey.file_count < FILES_MAX);
    struct found_file *found = &survey.files[survey.file_count++];
    *found = (struct found_file){.file = *file};
    log->file_count++;
    if (file->kind == LOG_WALK_SNAPSHOT)
        look_into_snapshot(found);
}

static bool look_around(void)
{
    static char text[LOG_MANIFEST_BYTES_MAX];
    const int64_t bytes = sim_disk_size(MANIFEST_PATH);
    survey.file_count = survey.log_count = 0;
    if (bytes <= 0)
        return false;
    sim_disk_read(MANIFEST_PATH, 0, text, (uint64_t)bytes);
    if (log_manifest_decode(text, (size_t)bytes, &survey.manifest) != NULL)
        return false;
    log_walk(note_file, NULL);
    return true;
}

/* ---- what a start reads ---- */

/* The snapshot that reading begins with, or NULL. */
static struct found_file *start_of(const struct found_log *log)
{
    for (uint32_t i = log->file_count; i > 0; i--) {
        struct found_file *found = &survey.files[log->first_file + i - 1];
        if (found->file.kind == LOG_WALK_SNAPSHOT && found->is_good)
            return found;
    }
    return NULL;
}

/* From the place of its snapshot on, or from its beginning, nothing is missing. */
static bool can_be_read(const struct found_log *log)
{
    const struct found_file *start = start_of(log);
    uint64_t wanted = start == NULL || start->position_segment == 0 ? 1 : start->position_segment;
    bool has_any = false;
    for (uint32_t i = 0; i < log->file_count; i++) {
        const struct log_walk_file *file = &survey.files[log->first_file + i].file;
        if (file->kind != LOG_WALK_SEGMENT || file->number < wanted)
            continue;
        if (!has_any && file->number != wanted)
            return false;
        has_any = true;
    }
    return has_any || start == NULL;
}

static bool has_snapshot(uint64_t era, uint32_t core)
{
    for (uint32_t i = 0; i < survey.log_count; i++)
        if (survey.logs[i].era == era && survey.logs[i].core == core)
            return start_of(&survey.logs[i]) != NULL;
    return false;
}

static bool has_all_snapshots(const struct log_manifest_era *era)
{
    for (uint32_t core = 0; core < era->core_count; core++)
        if (!has_snapshot(era->number, core))
            return false;
    return true;
}

static void read_era(uint64_t era)
{
    for (uint32_t i = 0; i < survey.log_count; i++)
        if (survey.logs[i].era == era)
            survey.logs[i].is_read = true;
}

/* Notes which logs a start reads. False when it has to refuse them. */
static bool plan_start(void)
{
    const struct log_manifest *manifest = &survey.manifest;
    bool is_enough = false;
    for (uint32_t i = 0; i < survey.log_count; i++)
        survey.logs[i].is_read = false;
    for (uint32_t era = manifest->era_count; era > 0 && !is_enough; era--) {
        read_era(manifest->eras[era - 1].number);
        is_enough = has_all_snapshots(&manifest->eras[era - 1]);
    }
    for (uint32_t i = 0; i < survey.log_count; i++)
        if (survey.logs[i].is_read && !can_be_read(&survey.logs[i]))
            return false;
    return is_enough || manifest->eras[0].number == 1;
}

/* ---- ranges ---- */

enum place {
    PLACE_MANIFEST,
    PLACE_LOG,
    PLACE_BEHIND_LOG,
    PLACE_OLD_LOG, /* not read */
    PLACE_SNAPSHOT,
    PLACE_OLD_SNAPSHOT, /* not read */
    PLACE_OTHER,
    PLACE_COUNT,
};

struct range {
    enum place place;
    enum damage_outcome outcome;
    const struct log_walk_file *file; /* NULL: MANIFEST */
    uint64_t from, end;
};

static struct range ranges[RANGES_MAX];
static uint32_t range_count;

static void add_range(enum place place, enum damage_outcome outcome,
                      const struct log_walk_file *file, uint64_t from, uint64_t end)
{
    if (from >= end)
        return;
    hf_assert(range_count < RANGES_MAX);
    ranges[range_count++] =
        (struct range){.place = place, .outcome = outcome, .file = file, .from = from, .end = end};
}

/* What of a log is behind one of its files. */
struct behind {
    bool is_used;     /* some later file has a good header */
    bool is_not_zero; /* some later file is not all zero */
    bool is_torn;     /* something is behind the end of the log already */
};

static struct behind look_behind(const struct found_log *log, uint64_t number)
{
    struct behind behind = {0};
    for (uint32_t i = 0; i < log->file_count; i++) {
        const struct log_walk_file *file = &survey.files[log->first_file + i].file;
        if (file->kind != LOG_WALK_SEGMENT || file->number <= number)
            continue;
        behind.is_used |= file->is_used;
        behind.is_not_zero |= !file->is_zero;
    }
    return behind;
}

static bool is_zero_from(const struct log_walk_file *file, uint64_t from)
{
    uint8_t byte[4096];
    for (uint64_t at = from; at < file->bytes; at += sizeof byte) {
        const uint64_t left = file->bytes - at;
        const uint64_t bytes = left < sizeof byte ? left : sizeof byte;
        sim_disk_read(file->path, at, byte, bytes);
        for (uint64_t i = 0; i < bytes; i++)
            if (byte[i] != 0)
                return false;
    }
    return true;
}

/* Some file before is in use, and has something behind its end. */
static bool is_torn_before(const struct found_log *log, uint64_t number)
{
    for (uint32_t i = 0; i < log->file_count; i++) {
        const struct log_walk_file *file = &survey.files[log->first_file + i].file;
        if (file->kind == LOG_WALK_SEGMENT && file->number < number &&
            (file->is_used ? !is_zero_from(file, file->groups_end) : !file->is_zero))
            return true;
    }
    return false;
}

static void add_used(const struct found_log *log, const struct found_file *start,
                     const struct log_walk_file *file)
{
    const bool is_closed = log->era != survey.manifest.eras[survey.manifest.era_count - 1].number;
    const struct behind behind = look_behind(log, file->number);
    const bool is_followed = is_closed || behind.is_not_zero;
    const bool has_place = start != NULL && start->position_segment == file->number;
    const enum damage_outcome at_the_end = is_followed ? DAMAGE_REFUSED : DAMAGE_HEALED;
    if (is_followed || has_place || file->group_count > 0)
        add_range(PLACE_LOG, DAMAGE_REFUSED, file, 0, 4096);
    else
        add_range(PLACE_BEHIND_LOG, DAMAGE_HEALED, file, 0, 4096);
    if (file->group_count > 0)
        add_range(PLACE_LOG, DAMAGE_REFUSED, file, 4096, file->last_group_offset);
    if (file->group_count > 0 &&
        (is_followed || (has_place && start->position_offset >= file->groups_end)))
        add_range(PLACE_LOG, DAMAGE_REFUSED, file, file->last_group_offset, file->groups_end);
    add_range(is_followed ? PLACE_LOG : PLACE_BEHIND_LOG, at_the_end, file, file->groups_end,
              file->bytes);
}

/* Never used: its first block may be a header that was being written, and nothing else may be
 * anything. A file whose header was torn is left alone, and so are those behind a torn tail, which
 * would be called damage then. */
static void add_unused(const struct found_log *log, const struct log_walk_file *file)
{
    const bool is_closed = log->era != survey.manifest.eras[survey.manifest.era_count - 1].number;
    if (!file->is_zero || (!is_closed && is_torn_before(log, file->number)))
        return;
    add_range(is_closed ? PLACE_LOG : PLACE_BEHIND_LOG, is_closed ? DAMAGE_REFUSED : DAMAGE_HEALED,
              file, 0, 4096);
    add_range(PLACE_LOG, DAMAGE_REFUSED, file, 4096, file->bytes);
}

/* What comes of it when this snapshot is lost, and of another one as well. */
static enum damage_outcome outcome_without(struct found_file *snapshot, struct found_file *other)
{
    snapshot->is_good = false;
    if (other != NULL)
        other->is_good = false;
    const bool can_start = plan_start();
    snapshot->is_good = true;
    if (other != NULL)
        other->is_good = true;
    const bool could_start = plan_start();
    hf_assert(could_start);
    return can_start ? DAMAGE_TOLD : DAMAGE_REFUSED;
}

static void add_file(const struct found_log *log, struct found_file *found)
{
    struct found_file *start = start_of(log);
    const struct log_walk_file *file = &found->file;
    const uint64_t start_segment = start == NULL ? 0 : start->position_segment;
    switch (file->kind) {
    case LOG_WALK_SEGMENT:
        if (!log->is_read || file->number < start_segment)
            add_range(PLACE_OLD_LOG, DAMAGE_UNNOTICED, file, 0, file->bytes);
        else if (file->is_used)
            add_used(log, start, file);
        else
            add_unused(log, file);
        break;
    case LOG_WALK_SNAPSHOT:
        if (!found->is_good)
            break;
        if (log->is_read && found == start)
            add_range(PLACE_SNAPSHOT, outcome_without(found, NULL), file, 0, file->bytes);
        else
            add_range(PLACE_OLD_SNAPSHOT, DAMAGE_UNNOTICED, file, 0, file->bytes);
        break;
    case LOG_WALK_OTHER:
        add_range(PLACE_OTHER, DAMAGE_UNNOTICED, file, 0, file->bytes);
        break;
    }
}

static void add_all(void)
{
    const int64_t manifest_bytes = sim_disk_size(MANIFEST_PATH);
    range_count = 0;
    add_range(PLACE_MANIFEST, DAMAGE_REFUSED, NULL, 0, (uint64_t)manifest_bytes);
    for (uint32_t i = 0; i < survey.log_count; i++) {
        const struct found_log *log = &survey.logs[i];
        for (uint32_t file = 0; file < log->file_count; file++)
            add_file(log, &survey.files[log->first_file + file]);
    }
}

/* ---- choosing ---- */

static uint64_t draw(uint64_t low, uint64_t high)
{
    return sim_between(SIM_CHANCE_FAULTS, low, high);
}

static void choose_bit(struct damage *damage, const struct log_walk_file *file, uint64_t from,
                       uint64_t end)
{
    hf_assert(damage->bit_count < DAMAGE_BITS_MAX);
    struct damage_bit *bit = &damage->bits[damage->bit_count++];
    snprintf(bit->path, sizeof bit->path, "%s", file == NULL ? MANIFEST_PATH : file->path);
    bit->is_in_snapshot = file != NULL && file->kind == LOG_WALK_SNAPSHOT;
    bit->offset = draw(from, end - 1);
    bit->bit = (uint32_t)draw(0, 7);
}

/* Of a place that there is, any range by its length. */
static const struct range *choose_range(void)
{
    static const uint32_t weights[PLACE_COUNT] = {
        [PLACE_MANIFEST] = 1, [PLACE_LOG] = 6,          [PLACE_BEHIND_LOG] = 3, [PLACE_OLD_LOG] = 2,
        [PLACE_SNAPSHOT] = 6, [PLACE_OLD_SNAPSHOT] = 2, [PLACE_OTHER] = 1,
    };
    uint64_t bytes[PLACE_COUNT] = {0};
    uint64_t sum = 0;
    uint32_t place = 0;
    for (uint32_t i = 0; i < range_count; i++)
        bytes[ranges[i].place] += ranges[i].end - ranges[i].from;
    for (uint32_t i = 0; i < PLACE_COUNT; i++)
        sum += bytes[i] > 0 ? weights[i] : 0;
    uint64_t at = draw(1, sum);
    for (; bytes[place] == 0 || at > weights[place]; place++)
        at -= bytes[place] > 0 ? weights[place] : 0;
    at = draw(1, bytes[place]);
    uint32_t i = 0;
    for (;; i++) {
        const uint64_t length = ranges[i].end - ranges[i].from;
        if (ranges[i].place != (enum place)place)
            continue;
        if (at <= length)
            return &ranges[i];
        at -= length;
    }
}

static struct found_log *log_of(const struct log_walk_file *file)
{
    for (uint32_t i = 0; i < survey.log_count; i++)
        if (survey.logs[i].era == file->era && survey.logs[i].core == file->core)
            return &survey.logs[i];
    hf_assert(!"every file is of a log");
    return NULL;
}

/* The one before it as well, if there is one. */
static void spoil_both(struct damage *damage, const struct log_walk_file *file)
{
    const struct found_log *log = log_of(file);
    struct found_file *newest = start_of(log);
    newest->is_good = false;
    struct found_file *older = start_of(log);
    newest->is_good = true;
    if (older == NULL)
        return;
    damage->outcome = outcome_without(newest, older);
    choose_bit(damage, &older->file, 0, older->file.bytes);
}

const char *damage_outcome_name(enum damage_outcome outcome)
{
    static const char *const names[] = {
        [DAMAGE_UNNOTICED] = "unnoticed",
        [DAMAGE_HEALED] = "healed",
        [DAMAGE_TOLD] = "told",
        [DAMAGE_REFUSED] = "refused",
    };
    return names[outcome];
}

bool damage_choose(struct damage *damage_out)
{
    *damage_out = (struct damage){0};
    if (!look_around() || !plan_start())
        return false;
    add_all();
    const struct range *range = choose_range();
    const bool is_for_both = sim_happens(SIM_CHANCE_FAULTS, 250);
    damage_out->outcome = range->outcome;
    choose_bit(damage_out, range->file, range->from, range->end);
    if (range->place == PLACE_SNAPSHOT && is_for_both)
        spoil_both(damage_out, range->file);
    return true;
}
