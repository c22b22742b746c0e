#include "expect.h"

#include "base/assert.h"

#include <string.h>

/* A log as a reader meets it: from a place on, which a snapshot stands on, or from its beginning.
 * What is before that place in its segment is durable; what is in segments before is not looked at.
 */

struct view {
    const struct data_builder_log *log;
    bool is_closed;
    const struct data_builder_snapshot *start;   /* NULL: the beginning */
    const struct data_builder_snapshot *durable; /* what is before it was durable; NULL: nothing */
};

static uint64_t number_of(uint32_t segment_index)
{
    return segment_index + 1;
}

/* The place is behind this one. */
static bool is_behind(const struct log_position *place, uint32_t segment_index, uint64_t offset)
{
    return place->segment_number > number_of(segment_index) ||
           (place->segment_number == number_of(segment_index) && place->offset > offset);
}

static bool is_durable(const struct view *view, uint32_t segment_index, uint64_t offset)
{
    return view->durable != NULL && is_behind(&view->durable->position, segment_index, offset);
}

static bool is_used(const struct view *view, uint32_t segment_index)
{
    return segment_index < view->log->log.used_count;
}

static bool is_last_used(const struct view *view, uint32_t segment_index)
{
    return segment_index + 1 == view->log->log.used_count;
}

static bool has_groups(const struct view *view, uint32_t segment_index)
{
    for (uint32_t i = 0; i < view->log->group_count; i++)
        if (view->log->groups[i].segment_index == segment_index)
            return true;
    return false;
}

/* The group that has this place, or NULL. */
static const struct data_builder_group *group_at(const struct view *view, uint32_t segment_index,
                                                 uint64_t offset)
{
    for (uint32_t i = 0; i < view->log->group_count; i++) {
        const struct data_builder_group *group = &view->log->groups[i];
        if (group->segment_index == segment_index && offset >= group->offset &&
            offset < group->offset + group->bytes)
            return group;
    }
    return NULL;
}

static bool is_last(const struct view *view, const struct data_builder_group *group)
{
    return group == &view->log->groups[view->log->group_count - 1];
}

static bool is_in_padding(const struct data_builder_group *group, uint64_t offset)
{
    return offset >= group->offset + LOG_GROUP_HEADER_BYTES + group->payload_bytes;
}

/* Nothing of ours is behind it: may it be the write in flight? */
static enum verdict torn(const struct view *view, uint32_t segment_index, uint64_t offset)
{
    return view->is_closed || is_durable(view, segment_index, offset) ? VERDICT_DAMAGED
                                                                      : VERDICT_TORN;
}

static bool is_looked_at(const struct view *view, uint32_t segment_index)
{
    return view->start == NULL || number_of(segment_index) >= view->start->position.segment_number;
}

static enum verdict verdict_of_flip(const struct view *view, uint32_t segment_index,
                                    uint64_t offset)
{
    const struct data_builder_group *group = group_at(view, segment_index, offset);
    if (!is_looked_at(view, segment_index))
        return VERDICT_GOOD;
    if (!is_used(view, segment_index))
        return offset < LOG_BLOCK_BYTES ? torn(view, segment_index, 0) : VERDICT_DAMAGED;
    if (offset < LOG_BLOCK_BYTES)
        return has_groups(view, segment_index) || !is_last_used(view, segment_index)
                   ? VERDICT_DAMAGED
                   : torn(view, segment_index, 0);
    if (group == NULL)
        return is_last_used(view, segment_index) ? torn(view, segment_index, offset)
                                                 : VERDICT_DAMAGED;
    if (!is_last(view, group) || is_in_padding(group, offset))
        return VERDICT_DAMAGED;
    return torn(view, segment_index, group->offset);
}

/* A file that is used has the size that its header says. An empty file looks unused. */
static enum verdict verdict_of_cut(const struct view *view, uint32_t segment_index,
                                   uint64_t byte_count)
{
    if (!is_looked_at(view, segment_index) || !is_used(view, segment_index))
        return VERDICT_GOOD;
    if (byte_count > 0 || !is_last_used(view, segment_index))
        return VERDICT_DAMAGED;
    const bool has_snapshot =
        view->durable != NULL && view->durable->position.segment_number >= number_of(segment_index);
    return view->is_closed || has_snapshot ? VERDICT_DAMAGED : VERDICT_GOOD;
}

/* ---- the state ---- */

static const struct data_builder_era *newest_era(const struct data_builder *builder)
{
    return &builder->eras[builder->era_count - 1];
}

static uint64_t hash_behind(const struct data_builder_log *log, uint32_t group_count)
{
    return group_count == 0 ? log->begin_hash : log->groups[group_count - 1].part_hash;
}

uint64_t expect_whole_hash(const struct data_builder *builder)
{
    uint64_t sum = 0;
    for (uint32_t core = 0; core < newest_era(builder)->core_count; core++) {
        const struct data_builder_log *log = &newest_era(builder)->logs[core];
        sum += hash_behind(log, log->group_count);
    }
    return sum;
}

/* Without the groups of this log that end behind this place. */
static uint64_t hash_without(const struct data_builder *builder, const struct data_builder_log *log,
                             uint32_t segment_index, uint64_t offset)
{
    uint32_t count = 0;
    while (count < log->group_count &&
           (log->groups[count].segment_index < segment_index ||
            (log->groups[count].segment_index == segment_index &&
             log->groups[count].offset + log->groups[count].bytes <= offset)))
        count++;
    return expect_whole_hash(builder) - hash_behind(log, log->group_count) +
           hash_behind(log, count);
}

/* ---- what is read ---- */

static const struct data_builder_log *log_of(const struct data_builder *builder,
                                             const struct flip_file *file)
{
    return &builder->eras[file->era_index].logs[file->core];
}

static bool is_newest(const struct data_builder *builder, const struct flip_file *file)
{
    return file->era_index + 1 == builder->era_count;
}

static const struct data_builder_snapshot *newest_snapshot(const struct data_builder_log *log)
{
    return log->snapshot_count == 0 ? NULL : &log->snapshots[log->snapshot_count - 1];
}

/* A server, and `repair`, begin with the newest snapshot. */
static struct view server_view(const struct data_builder *builder, const struct flip_file *file)
{
    const struct data_builder_log *log = log_of(builder, file);
    return (struct view){
        .log = log,
        .is_closed = !is_newest(builder, file),
        .start = newest_snapshot(log),
        .durable = newest_snapshot(log),
    };
}

/* `verify` begins with the first segment, or with the oldest snapshot when that is gone. */
static struct view verify_view(const struct data_builder *builder, const struct flip_file *file)
{
    struct view view = server_view(builder, file);
    view.start = view.log->removed_count == 0 ? NULL : &view.log->snapshots[0];
    return view;
}

/* An era is read at a start when some core of the next one has no snapshot. */
static bool is_era_read(const struct data_builder *builder, uint32_t era_index)
{
    if (era_index + 1 == builder->era_count)
        return true;
    const struct data_builder_era *next = &builder->eras[era_index + 1];
    bool is_needed = false;
    for (uint32_t core = 0; core < next->core_count; core++)
        is_needed |= next->logs[core].snapshot_count == 0;
    return is_needed && is_era_read(builder, era_index + 1);
}

/* ---- what is lost ---- */

/* Offsets of a segment's header whose loss nothing makes up for: the uuid is part of each seed. */
static bool is_uuid(uint64_t offset)
{
    return offset >= 40 && offset < 56;
}

static bool is_before_start(const struct view *view, const struct data_builder_group *group)
{
    return view->start != NULL && group->last_lsn <= view->start->lsn;
}

static uint64_t records_of(const struct view *view, const struct data_builder_group *group)
{
    return is_before_start(view, group) ? 0 : group->last_lsn - group->first_lsn + 1;
}

/* Of the groups in a segment that end behind this place. */
static uint64_t records_behind(const struct view *view, uint32_t segment_index, uint64_t offset)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < view->log->group_count; i++) {
        const struct data_builder_group *group = &view->log->groups[i];
        if (group->segment_index == segment_index && group->offset + group->bytes > offset)
            sum += records_of(view, group);
    }
    return sum;
}

static void expect_lost_by_flip(const struct view *view, uint32_t segment_index, uint64_t offset,
                                struct expectation *expectation)
{
    const struct data_builder_group *group = group_at(view, segment_index, offset);
    const bool is_open_end =
        !view->is_closed && (!is_used(view, segment_index) || is_last_used(view, segment_index));
    const bool is_header = offset < LOG_BLOCK_BYTES;
    uint64_t lost = 0;
    /* that may have been a group */
    bool is_garbage = !is_used(view, segment_index) || (!is_header && group == NULL);
    if (!is_garbage && is_header && is_uuid(offset))
        lost = records_behind(view, segment_index, 0);
    else if (!is_garbage && !is_header && !is_in_padding(group, offset))
        lost = records_of(view, group);
    if (lost > 0 && is_open_end && (group == NULL || is_last(view, group)))
        is_garbage = true; /* nobody knows that it was so many */
    expectation->has_unknown_end = is_open_end && is_garbage;
    expectation->lost_count = expectation->has_unknown_end ? 0 : lost;
}

static void expect_lost_by_cut(const struct view *view, uint32_t segment_index, uint64_t byte_count,
                               struct expectation *expectation)
{
    const uint64_t whole_blocks = byte_count - byte_count % LOG_BLOCK_BYTES;
    const uint64_t lost =
        records_behind(view, segment_index, byte_count < LOG_BLOCK_BYTES ? 0 : whole_blocks);
    const bool is_open_end = !view->is_closed && is_last_used(view, segment_index);
    expectation->lost_count = is_open_end ? 0 : lost;
    expectation->has_unknown_end = is_open_end;
}

/* ---- all of it ---- */

static struct expectation whole(const struct data_builder *builder)
{
    return (struct expectation){.state_hash = expect_whole_hash(builder)};
}

/* A server does without a bad snapshot when there is another one, or the log's beginning. */
static struct expectation without_snapshot(const struct data_builder *builder,
                                           const struct flip_file *file)
{
    struct expectation expectation = whole(builder);
    expectation.verify = VERDICT_DAMAGED;
    hf_assert(log_of(builder, file)->snapshot_count > 1 ||
              log_of(builder, file)->removed_count == 0);
    return expectation;
}

static struct expectation without_manifest(const struct data_builder *builder)
{
    struct expectation expectation = whole(builder);
    expectation.verify = expectation.server = VERDICT_DAMAGED;
    return expectation;
}

struct expectation expect_flip(const struct data_builder *builder, const struct flip_file *file,
                               uint64_t offset)
{
    struct expectation expectation = whole(builder);
    if (file->kind == FLIP_MANIFEST)
        return without_manifest(builder);
    if (file->kind == FLIP_SNAPSHOT)
        return without_snapshot(builder, file);
    if (file->kind == FLIP_NOTHING)
        return expectation;
    const struct view verify = verify_view(builder, file);
    const struct view server = server_view(builder, file);
    expectation.verify = verdict_of_flip(&verify, file->index, offset);
    if (is_era_read(builder, file->era_index))
        expectation.server = verdict_of_flip(&server, file->index, offset);
    if (expectation.server == VERDICT_TORN && is_used(&server, file->index))
        expectation.state_hash = hash_without(builder, server.log, file->index, offset);
    if (expectation.server == VERDICT_DAMAGED)
        expect_lost_by_flip(&server, file->index, offset, &expectation);
    return expectation;
}

struct expectation expect_cut(const struct data_builder *builder, const struct flip_file *file,
                              uint64_t byte_count)
{
    struct expectation expectation = whole(builder);
    if (file->kind == FLIP_MANIFEST)
        return without_manifest(builder);
    if (file->kind == FLIP_SNAPSHOT)
        return without_snapshot(builder, file);
    if (file->kind == FLIP_NOTHING)
        return expectation;
    const struct view verify = verify_view(builder, file);
    const struct view server = server_view(builder, file);
    expectation.verify = verdict_of_cut(&verify, file->index, byte_count);
    if (is_era_read(builder, file->era_index))
        expectation.server = verdict_of_cut(&server, file->index, byte_count);
    if (expectation.server == VERDICT_GOOD && byte_count == 0 && is_last_used(&server, file->index))
        expectation.state_hash = hash_without(builder, server.log, file->index, 0);
    if (expectation.server == VERDICT_DAMAGED)
        expect_lost_by_cut(&server, file->index, byte_count, &expectation);
    return expectation;
}
