/* A snapshot is taken apart when it gets its name, by a reader of its own, and compared with the
 * state that the records make up to its LSN; later on its bytes have to stay as they were. What it
 * allows to be gone it allows from the moment at which a loss of power could not take it away any
 * more, and only together with a second one that can stand in for it. */
#include "witness_private.h"

#include "snapshot_file.h"
#include "world.h"

#include "base/assert.h"
#include "base/checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PINNED_SECONDS = 59 }; /* a minute of a clock that is being steered */

static struct {
    uint8_t *bytes;
    size_t room;
} file;

static void read_file(const char *path, uint64_t bytes)
{
    if (bytes > file.room) {
        free(file.bytes);
        file.bytes = malloc(bytes);
        hf_assert(file.bytes != NULL);
        file.room = bytes;
    }
    sim_disk_read(path, 0, file.bytes, bytes);
}

static uint64_t hash_of_block(uint64_t index)
{
    return checksum64(file.bytes + index * LOG_BLOCK_BYTES, LOG_BLOCK_BYTES, 0);
}

/* ---- the list ---- */

/* NULL when there was never one of this LSN. */
static struct snapshot *find(const struct log *log, uint64_t lsn)
{
    for (uint32_t i = 0; i < log->snapshot_count; i++)
        if (log->snapshots[i].lsn == lsn)
            return &log->snapshots[i];
    return NULL;
}

static struct snapshot *add(struct log *log, uint64_t lsn)
{
    struct snapshot *known = find(log, lsn);
    if (known != NULL) {
        const bool was_spoilt = known->is_spoilt;
        free(known->block_hashes);
        *known = (struct snapshot){.lsn = lsn, .replaces = true, .replaces_spoilt = was_spoilt};
        return known;
    }
    log->snapshots =
        book_room(log->snapshots, sizeof *log->snapshots, log->snapshot_count, &log->snapshot_room);
    uint32_t at = log->snapshot_count++;
    for (; at > 0 && log->snapshots[at - 1].lsn > lsn; at--)
        log->snapshots[at] = log->snapshots[at - 1];
    log->snapshots[at] = (struct snapshot){.lsn = lsn};
    return &log->snapshots[at];
}

static bool is_good(const struct snapshot *snapshot)
{
    return snapshot->is_there && snapshot->is_safe && !snapshot->is_spoilt;
}

/* Those that a restart can begin with, whatever happens. */
static uint32_t good_count(const struct log *log)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < log->snapshot_count; i++)
        count += is_good(&log->snapshots[i]);
    return count;
}

/* The log is needed from where the second newest one stands; with fewer than two, all of it that is
 * still there. That somebody spoils one makes no difference to the server before it has read it. */
static void find_needed(struct log *log)
{
    uint32_t newer_count = 0;
    for (uint32_t i = log->snapshot_count; i > 0; i--) {
        const struct snapshot *snapshot = &log->snapshots[i - 1];
        if (!snapshot->is_there || !snapshot->is_safe || newer_count++ == 0)
            continue;
        log->needed_from = snapshot->position.segment_number;
        return;
    }
    log->needed_from = log->gone_until;
}

/* A restart could do without any snapshot of this log. */
static bool is_whole(const struct log *log)
{
    const uint64_t first_era = witness.manifest.eras[0].number;
    return log->gone_until == 0 && (first_era == 1 || first_era < log->era);
}

static void path_of(const struct log *log, uint64_t lsn, char *to)
{
    char name[LOG_NAME_BYTES_MAX];
    log_snapshot_file_name(lsn, name);
    witness_file_path(log, name, to);
}

/* ---- what it must be ---- */

static bool is_segment_begun(const struct log *log, const struct log_position *position,
                             uint64_t chain)
{
    struct log_segment_header header;
    return position->offset == LOG_BLOCK_BYTES &&
           witness_read_segment_header(log, position->segment_number, &header) &&
           header.first_lsn == position->next_lsn && header.chain == chain;
}

/* NULL, or what is wrong with the place in the log. */
static const char *position_wrong(const struct log *log, const struct log_position *position)
{
    const uint64_t lsn = position->next_lsn - 1;
    if (lsn >= log->next_lsn)
        return "its log is not on the medium as far";
    const struct group *group = lsn == 0 ? NULL : witness_group_ending_at(log, lsn);
    if (lsn != 0 && group == NULL)
        return "no group ends there";
    const uint64_t number = group == NULL ? 0 : (uint64_t)(group - log->groups) + 1;
    const uint64_t chain = group == NULL ? 0 : group->header_checksum;
    if (position->next_group_number != number + 1 || position->chain != chain ||
        position->epoch != (group == NULL ? 0 : group->epoch) ||
        (group != NULL && position->time_ms != group->time_ms))
        return "the group before its place is another";
    if (group != NULL && position->segment_number == group->segment_number &&
        position->offset == group->offset + log_group_bytes(group->payload_bytes))
        return NULL;
    if (group == NULL && position->segment_number == 0 && position->offset == 0)
        return NULL;
    if (position->segment_number == (group == NULL ? 0 : group->segment_number) + 1 &&
        is_segment_begun(log, position, chain))
        return NULL;
    return "its place is not behind that group";
}

/* NULL, or what is wrong with the numbers and the hash. */
static const char *content_wrong(const struct snapshot_file *said,
                                 const struct snapshot_content *found,
                                 const struct check_saved *state)
{
    if (said->state_hash != found->state_hash || said->item_count != found->item_count ||
        said->reservation_count != found->reservation_count ||
        said->buyer_count != found->buyer_count)
        return "its footer says something else than its entries";
    if (found->item_count != state->item_count)
        return "the records until its LSN make another number of items";
    if (found->reservation_count != state->reservation_count)
        return "the records until its LSN make another number of reservations";
    if (found->buyer_count != state->buyer_count)
        return "the records until its LSN make another number of buyers";
    if (found->state_hash != state->state_hash)
        return "the records until its LSN make another state";
    if (said->state_time_ms < state->latest_ms || said->state_time_ms < found->latest_ms)
        return "a record of its state is later than it says";
    if (said->state_time_ms > witness.last_time_ms)
        return "it says a later time than any that was ever written";
    return NULL;
}

struct look {
    const struct log *log;
    const char *path;
};

static void see_entry(void *context, const struct snapshot_entry *entry)
{
    const struct look *look = context;
    uint64_t set_ms;
    if (entry->kind != SNAPSHOT_ENTRY_RESERVATION)
        return;
    if (!check_saved_set_ms(entry->item_id, entry->sequence, &set_ms) || set_ms != entry->set_ms)
        sim_fail("snapshot",
                 "%s: item %" PRIu64 " sequence %" PRIu64 ": its deadline was set, or it ended, at "
                 "%" PRIu64 " and not at %" PRIu64,
                 look->path, entry->item_id, entry->sequence, set_ms, entry->set_ms);
}

static void check_new(struct log *log, struct snapshot *snapshot, const char *path)
{
    const uint64_t bytes = (uint64_t)sim_disk_size(path);
    struct look look = {.log = log, .path = path};
    struct snapshot_file said;
    struct snapshot_content found;
    struct check_saved state;
    check_saved_state(log->era, log->core, witness_core_count_of(log->era), snapshot->lsn, &state);
    read_file(path, bytes);
    const char *wrong = snapshot_file_read(file.bytes, bytes, &said, &found, see_entry, &look);
    if (wrong == NULL && (said.era != log->era || said.core != log->core ||
                          said.position.next_lsn != snapshot->lsn + 1 ||
                          !id128_equal(said.server_id, witness.manifest.server_id)))
        wrong = "it is of another server, era, core or LSN";
    if (wrong == NULL)
        wrong = position_wrong(log, &said.position);
    if (wrong == NULL)
        wrong = content_wrong(&said, &found, &state);
    if (wrong != NULL)
        sim_fail("snapshot", "%s: it has its name, and %s", path, wrong);
    snapshot->position = said.position;
    snapshot->taken_ms = said.taken_ms;
    snapshot->content = (struct history_snapshot){
        .bytes = bytes,
        .item_count = said.item_count,
        .reservation_count = said.reservation_count,
        .buyer_count = said.buyer_count,
        .state_hash = said.state_hash,
    };
    snapshot->is_there = true;
    free(snapshot->block_hashes);
    snapshot->block_hashes = malloc(bytes / LOG_BLOCK_BYTES * sizeof *snapshot->block_hashes);
    hf_assert(snapshot->block_hashes != NULL);
    for (uint64_t i = 0; i < bytes / LOG_BLOCK_BYTES; i++)
        snapshot->block_hashes[i] = hash_of_block(i);
    book.counts.snapshots++;
}

/* ---- while the engine runs ---- */

void witness_snapshot_is_named(struct log *log, uint64_t lsn, const char *path)
{
    if (!sim_disk_is_synced(path))
        sim_fail("snapshot", "%s: it has its name before all of it is on the medium", path);
    check_new(log, add(log, lsn), path);
}

void witness_snapshots_are_safe(struct log *log)
{
    char path[WITNESS_PATH_BYTES];
    for (uint32_t i = 0; i < log->snapshot_count; i++) {
        struct snapshot *snapshot = &log->snapshots[i];
        path_of(log, snapshot->lsn, path);
        snapshot->is_safe = snapshot->is_there && sim_disk_is_safe(path);
        snapshot->was_safe |= snapshot->is_safe;
        snapshot->replaces &= !snapshot->is_safe;
    }
    find_needed(log);
}

static bool is_forgotten(const struct log *log)
{
    return log->era < witness.first_era_safe;
}

void witness_snapshot_goes(struct log *log, uint64_t lsn)
{
    struct snapshot *snapshot = find(log, lsn);
    if (snapshot == NULL)
        return;
    snapshot->is_there = false;
    find_needed(log);
    if (is_forgotten(log) || snapshot->is_spoilt)
        return;
    if (good_count(log) < (is_whole(log) ? 1 : 2))
        sim_fail("snapshot",
                 "era %" PRIu64 " core %" PRIu32 ": the snapshot of LSN %" PRIu64
                 " is removed, and %" PRIu32 " are left on the medium",
                 log->era, log->core, lsn, good_count(log));
    if (lsn == log->pinned_lsn && sim_now_ns() < log->pinned_until_ns)
        sim_fail("snapshot",
                 "core %" PRIu32 ": the snapshot of LSN %" PRIu64
                 " is removed, and a piece of it was read less than a minute ago",
                 log->core, lsn);
}

/* The copy in the archive can be read instead, whatever happens. */
static void check_archived(const struct log *log, uint64_t number, const char *path)
{
    char folder[LOG_NAME_BYTES_MAX];
    char name[LOG_NAME_BYTES_MAX];
    char copy_path[WITNESS_PATH_BYTES];
    const int64_t bytes = sim_disk_size(path);
    log_core_directory_name(log->era, log->core, folder);
    log_segment_file_name(number, name);
    snprintf(copy_path, sizeof copy_path, "%s/%s/%s", book.options.archive, folder, name);
    const char *wrong = sim_disk_size(copy_path) != bytes ? "it is not as long" : NULL;
    if (sim_disk_size(copy_path) < 0)
        wrong = "there is none";
    else if (!sim_disk_is_safe(copy_path))
        wrong = "a loss of power could take it away";
    for (int64_t at = 0; wrong == NULL && at < bytes; at += LOG_BLOCK_BYTES) {
        uint8_t ours[LOG_BLOCK_BYTES], copy[LOG_BLOCK_BYTES];
        sim_disk_read(path, (uint64_t)at, ours, sizeof ours);
        sim_disk_read(copy_path, (uint64_t)at, copy, sizeof copy);
        if (memcmp(ours, copy, sizeof ours) != 0)
            wrong = "it has another content";
    }
    if (wrong != NULL)
        sim_fail("archive", "%s goes, and of its copy in the archive %s", path, wrong);
}

void witness_segment_goes(struct log *log, uint64_t number, const char *path)
{
    if (sim_disk_is_zero(path))
        return; /* never used */
    if (number >= log->needed_from && !is_forgotten(log))
        sim_fail("durability",
                 "era %" PRIu64 " core %" PRIu32 ": segment %" PRIu64
                 " goes, and a restart may need the log from segment %" PRIu64 " on",
                 log->era, log->core, number, log->needed_from);
    if (book.options.archive != NULL && !witness_is_spoilt(log, number))
        check_archived(log, number, path);
    if (log->gone_until <= number)
        log->gone_until = number + 1;
    book.counts.segments_gone++;
}

/* Those that the server has no reason to doubt: it reads the newest one, and says when that is not
 * whole. */
static uint32_t trusted_count(const struct log *log)
{
    char path[WITNESS_PATH_BYTES];
    uint32_t count = 0;
    for (uint32_t i = 0; i < log->snapshot_count; i++) {
        const struct snapshot *snapshot = &log->snapshots[i];
        path_of(log, snapshot->lsn, path);
        count += snapshot->is_there && snapshot->is_safe && !sim_diag_has(path);
    }
    return count;
}

/* A core that has no item has nothing to lose, and may never do anything that makes a second one.
 */
static uint32_t needed_count(const struct log *log)
{
    const uint32_t count = log->snapshot_count;
    return count > 0 && log->snapshots[count - 1].content.item_count == 0 ? 1 : 2;
}

void witness_eras_go(void)
{
    const struct log_manifest *manifest = &witness.manifest;
    const struct log_manifest_era *newest = &manifest->eras[manifest->era_count - 1];
    for (uint32_t core = 0; core < newest->core_count; core++)
        if (trusted_count(witness_log(newest->number, core)) <
            needed_count(witness_log(newest->number, core)))
            sim_fail("durability",
                     "MANIFEST forgets the eras before era %" PRIu64 ", and core %" PRIu32
                     " of era %" PRIu64 " has %" PRIu32 " snapshots",
                     manifest->eras[0].number, core, newest->number,
                     trusted_count(witness_log(newest->number, core)));
    book.counts.eras_gone++;
}

/* ---- after the server's end ---- */

static bool is_unchanged(const struct snapshot *snapshot, const char *path)
{
    const uint64_t bytes = (uint64_t)sim_disk_size(path);
    bool is_same = bytes == snapshot->content.bytes;
    if (is_same)
        read_file(path, bytes);
    for (uint64_t i = 0; is_same && i < bytes / LOG_BLOCK_BYTES; i++)
        is_same = hash_of_block(i) == snapshot->block_hashes[i];
    return is_same;
}

static void check_unchanged(struct log *log, struct snapshot *snapshot, const char *path)
{
    if (snapshot->is_spoilt || is_unchanged(snapshot, path))
        return;
    if (!snapshot->replaces)
        sim_fail("snapshot", "%s: it is not what it was when it got its name", path);
    snapshot->is_spoilt = snapshot->replaces_spoilt;
    if (!snapshot->is_spoilt)
        check_new(log, snapshot, path);
}

static void look_at_file(void *context, const char *name)
{
    struct log *log = context;
    char path[WITNESS_PATH_BYTES];
    uint64_t lsn;
    if (!log_snapshot_file_lsn(name, &lsn))
        return;
    witness_file_path(log, name, path);
    struct snapshot *snapshot = find(log, lsn);
    if (snapshot == NULL) {
        check_new(log, add(log, lsn), path);
        return;
    }
    snapshot->is_there = true;
    check_unchanged(log, snapshot, path);
}

void witness_snapshots_look_again(struct log *log)
{
    char folder[WITNESS_PATH_BYTES];
    char path[WITNESS_PATH_BYTES];
    witness_folder_path(log, folder);
    for (uint32_t i = 0; i < log->snapshot_count; i++) {
        struct snapshot *snapshot = &log->snapshots[i];
        path_of(log, snapshot->lsn, path);
        if (is_good(snapshot) && sim_disk_size(path) < 0 && !is_forgotten(log))
            sim_fail("durability", "%s was on the medium and is lost", path);
        snapshot->is_there = false;
    }
    sim_disk_list(folder, look_at_file, log);
    witness_snapshots_are_safe(log);
}

/* ---- what clients were told ---- */

static const struct snapshot *find_newest_era(uint32_t core, uint64_t lsn, struct log **log_out)
{
    const struct log_manifest *manifest = &witness.manifest;
    hf_assert(manifest->era_count > 0);
    *log_out = witness_log(manifest->eras[manifest->era_count - 1].number, core);
    return find(*log_out, lsn);
}

void witness_check_told(uint32_t core, uint64_t lsn, const struct history_snapshot *told)
{
    struct log *log;
    const struct snapshot *snapshot = find_newest_era(core, lsn, &log);
    const char *wrong = NULL;
    if (snapshot == NULL)
        wrong = "there is none";
    else if (!snapshot->was_safe)
        wrong = "it has never been on the medium";
    else if (told->item_count != snapshot->content.item_count ||
             told->reservation_count != snapshot->content.reservation_count ||
             told->buyer_count != snapshot->content.buyer_count ||
             told->state_hash != snapshot->content.state_hash ||
             (told->bytes != 0 && told->bytes != snapshot->content.bytes))
        wrong = "there is something else in it";
    if (wrong != NULL)
        sim_fail("snapshot", "core %" PRIu32 " tells of its snapshot of LSN %" PRIu64 ", and %s",
                 core, lsn, wrong);
}

static bool is_any(const char *name, const char *path, uint64_t operation)
{
    (void)name;
    (void)path;
    (void)operation;
    return true;
}

static bool is_any_spoilt(void)
{
    for (uint32_t i = 0; i < witness.log_count; i++)
        for (uint32_t k = 0; k < witness.logs[i].snapshot_count; k++)
            if (witness.logs[i].snapshots[k].is_spoilt)
                return true;
    return false;
}

void witness_check_trusted(void)
{
    if (sim_diag_has("starting from the snapshot before it") && !is_any_spoilt() &&
        !sim_disk_has_failed(is_any))
        sim_fail("snapshot", "a start does without a snapshot, and nothing is wrong with any");
}

void witness_check_untaken(uint32_t core, uint32_t asked_event)
{
    struct log *log;
    (void)find_newest_era(core, 0, &log);
    if (log->trouble_at_event < asked_event && !sim_disk_has_failed(is_any))
        sim_fail("snapshot", "core %" PRIu32 " takes no snapshot, and nothing is in its way", core);
}

uint32_t witness_ask_piece(uint32_t core, uint64_t lsn, bool *is_there_out)
{
    struct log *log;
    const struct snapshot *snapshot = find_newest_era(core, lsn, &log);
    *is_there_out = snapshot != NULL && snapshot->is_there && snapshot->is_safe;
    log->pinned_until_ns = 0; /* another one may be read now */
    return ++log->piece_asks;
}

void witness_check_piece(uint32_t core, const struct history_piece_ask *ask,
                         const struct history_piece *piece)
{
    struct log *log;
    const struct snapshot *snapshot = find_newest_era(core, piece->lsn, &log);
    if (snapshot == NULL || piece->file_bytes != snapshot->content.bytes ||
        piece->data_bytes % LOG_BLOCK_BYTES != 0 ||
        (piece->data_bytes == 0) != (piece->offset >= piece->file_bytes) ||
        (piece->data_bytes > 0 && piece->offset + piece->data_bytes > piece->file_bytes))
        sim_fail("snapshot",
                 "core %" PRIu32 ": a piece of %" PRIu32 " bytes at %" PRIu64
                 " of its snapshot of LSN %" PRIu64 ", of %" PRIu64 " bytes",
                 core, piece->data_bytes, piece->offset, piece->lsn, piece->file_bytes);
    for (uint32_t at = 0; at < piece->data_bytes && !snapshot->is_spoilt; at += LOG_BLOCK_BYTES)
        if (checksum64(piece->data + at, LOG_BLOCK_BYTES, 0) !=
            snapshot->block_hashes[(piece->offset + at) / LOG_BLOCK_BYTES])
            sim_fail("snapshot",
                     "core %" PRIu32 ": what it gives of its snapshot of LSN %" PRIu64
                     " at %" PRIu64 " is not what is there",
                     core, piece->lsn, piece->offset + at);
    if (ask->number != log->piece_asks || piece->data_bytes == 0)
        return;
    log->pinned_lsn = piece->lsn;
    log->pinned_until_ns = ask->asked_ns + PINNED_SECONDS * SIM_SECOND;
}

void witness_check_unread(uint32_t core)
{
    if (!sim_disk_has_failed(is_any))
        sim_fail("snapshot",
                 "core %" PRIu32 " does not give a piece of a snapshot, and no disk has failed",
                 core);
}

void witness_check_unknown(uint32_t core, uint64_t lsn)
{
    struct log *log;
    const struct snapshot *snapshot = find_newest_era(core, lsn, &log);
    if (snapshot != NULL && snapshot->is_there && snapshot->is_safe)
        sim_fail("snapshot",
                 "core %" PRIu32 " knows nothing of its snapshot of LSN %" PRIu64
                 ", which is there",
                 core, lsn);
}

/* ---- when one is due ---- */

static const struct snapshot *newest_of(const struct log *log)
{
    for (uint32_t i = log->snapshot_count; i > 0; i--)
        if (is_good(&log->snapshots[i - 1]))
            return &log->snapshots[i - 1];
    return NULL;
}

static void check_is_taken(const struct log *log, const char *why)
{
    const struct snapshot *newest = newest_of(log);
    if (newest == NULL || newest->lsn != log->next_lsn - 1)
        sim_fail("snapshot",
                 "era %" PRIu64 " core %" PRIu32 ": %s, and its newest snapshot is of LSN %" PRIu64
                 ", with records up to %" PRIu64,
                 log->era, log->core, why, newest == NULL ? 0 : newest->lsn, log->next_lsn - 1);
}

void witness_check_stopped(void)
{
    const uint64_t era = witness.manifest.eras[witness.manifest.era_count - 1].number;
    for (uint32_t core = 0; core < witness_core_count(); core++)
        if (witness_log(era, core)->next_lsn > 1 || era > 1)
            check_is_taken(witness_log(era, core), "the server has stopped");
}

static uint64_t log_bytes_behind(const struct log *log, uint64_t lsn)
{
    uint64_t bytes = 0;
    for (uint32_t i = log->group_count; i > 0 && log->groups[i - 1].first_lsn > lsn; i--)
        bytes += log_group_bytes(log->groups[i - 1].payload_bytes);
    return bytes;
}

/* Something has changed since the newest one was begun, or since there is a server; the rest was
 * long enough for what begins and ends a snapshot. */
static void check_age(const struct log *log, const struct history_rest *rest)
{
    enum { TAKES_MS = 60 * 1000 };
    const struct snapshot *newest = newest_of(log);
    const uint64_t age_ms =
        newest == NULL ? rest->rested_ms : rest->engine_now_ms - newest->taken_ms;
    const bool is_changed = log->next_lsn - 1 != (newest == NULL ? 0 : newest->lsn);
    if (rest->every_ms > 0 && is_changed && age_ms > rest->every_ms + TAKES_MS)
        check_is_taken(log, "it was time for one");
}

void witness_check_rested(const struct history_rest *rest)
{
    const struct log_manifest *manifest = &witness.manifest;
    const uint64_t era = manifest->eras[manifest->era_count - 1].number;
    for (uint32_t core = 0; core < witness_core_count(); core++) {
        const struct log *log = witness_log(era, core);
        const struct snapshot *newest = newest_of(log);
        const uint64_t behind = log_bytes_behind(log, newest == NULL ? 0 : newest->lsn);
        check_age(log, rest);
        if (manifest->era_count > 1 && newest == NULL)
            sim_fail("snapshot", "core %" PRIu32 " has none, and past eras are still needed", core);
        if (rest->log_bytes > 0 && behind >= rest->log_bytes)
            sim_fail("snapshot",
                     "core %" PRIu32 ": %" PRIu64 " bytes of log behind its newest snapshot, which "
                     "is due after %" PRIu64,
                     core, behind, rest->log_bytes);
    }
}

/* ---- the rest ---- */

void witness_snapshot_is_spoilt(struct log *log, uint64_t lsn, bool is_spoilt)
{
    struct snapshot *snapshot = find(log, lsn);
    hf_assert(snapshot != NULL);
    snapshot->is_spoilt = is_spoilt;
}

void witness_snapshots_free(struct log *log)
{
    for (uint32_t i = 0; i < log->snapshot_count; i++)
        free(log->snapshots[i].block_hashes);
    free(log->snapshots);
    log->snapshots = NULL;
    log->snapshot_count = log->snapshot_room = 0;
}
