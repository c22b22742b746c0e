/* The log reader, step by step, over a log that a script wrote and spoiled (log_script.h).
 *
 * Promises:
 *   - The verdict, its place, and the records that are handed out are those of a slow and obvious
 *     judge (log_judge.h), which is written from docs/log-format.md.
 *   - What was only written and not spoiled is good, with every record.
 *   - Records come whole, with LSNs without gap from where reading starts. Reading twice is the
 *     same; without a callback for groups it is the same but for the refusal.
 *   - What is in the end of a good or torn log is enough to go on: after everything behind it is
 *     cleared, as the writer would, the log is good and ends at the same place.
 *   - No byte outside the files is asked for, and a step reads once and hands out one group at
 *     most. */

#include "log_judge.h"

static _Alignas(8) uint8_t buffer[LOG_GROUP_BYTES_MAX];

struct delivery {
    struct log_script *script;
    uint64_t last_lsn;
    uint64_t hash; /* of all that was handed out */
    uint64_t time_ms;
    uint64_t group_count; /* the refused one included */
};

static const char refusal[] = "refused by the fuzzer";

static void take_record(struct delivery *delivery, uint64_t lsn, const uint8_t *record)
{
    uint32_t record_bytes = log_record_bytes(record);
    hf_assert(lsn == delivery->last_lsn + 1);
    hf_assert(record_bytes >= LOG_RECORD_BYTES_MIN && record_bytes <= LOG_RECORD_BYTES_MAX);
    hf_assert(record_bytes % 8 == 0);
    delivery->last_lsn = lsn;
    delivery->hash = judge_mix(delivery->hash, record, record_bytes);
}

static const char *take_group(void *context, const struct log_group *group,
                              uint64_t *refused_lsn_out)
{
    struct delivery *delivery = context;
    uint64_t lsn = group->first_lsn;
    delivery->time_ms = group->time_ms;
    delivery->group_count++;
    for (const uint8_t *record = group->records; record != NULL;
         record = log_record_next(group, record), lsn++) {
        *refused_lsn_out = lsn;
        if (lsn == delivery->script->refused_lsn)
            return refusal;
        take_record(delivery, lsn, record);
    }
    hf_assert(lsn - group->first_lsn == group->record_count);
    return NULL;
}

/* Where reading starts. */
static struct log_position start_of(const struct log_script *script)
{
    return script->has_start ? script->start : log_position_first();
}

static void read_log(struct log_script *script, bool is_with_records, struct log_end *end,
                     struct delivery *delivery)
{
    const struct log_source source = log_script_source(script);
    struct log_reader reader;
    *delivery = (struct delivery){.script = script, .last_lsn = start_of(script).next_lsn - 1};
    memset(end, 0xa5, sizeof *end);
    log_reader_begin(&reader, &source, is_with_records ? take_group : NULL, delivery, buffer, end);
    for (bool is_more = true; is_more;) {
        uint32_t read_count = script->read_count;
        uint64_t group_count = delivery->group_count;
        is_more = log_reader_step(&reader);
        hf_assert(script->read_count - read_count <= 1);
        hf_assert(delivery->group_count - group_count <= 1);
        hf_assert(!is_more || end->status == LOG_GOOD);
    }
    hf_assert(!log_reader_step(&reader));
}

/* ---- checks ---- */

static void check_end(const struct log_script *script, const struct log_end *end)
{
    hf_assert(strcmp(log_status_text(end->status), "?") != 0);
    hf_assert((end->reason[0] == '\0') == (end->status == LOG_GOOD));
    hf_assert(memchr(end->reason, '\0', sizeof end->reason) != NULL);
    hf_assert((end->io_error != 0) == (end->status == LOG_IO));
    const uint32_t file_count = script->file_count - script->removed_count;
    const struct log_segment *segments = script->segments + script->removed_count;
    hf_assert(end->segment.segment_number <= SCRIPT_NUMBER_MAX);
    hf_assert(end->next_group_number == start_of(script).next_group_number + end->group_count);
    if (end->segment_index < file_count)
        hf_assert(end->offset <= segments[end->segment_index].bytes || end->status == LOG_DAMAGED);
    else
        hf_assert(end->segment_index == file_count &&
                  (file_count == 0 || end->status == LOG_DAMAGED));
}

static void check_judged(struct log_script *script, const struct log_end *end,
                         const struct delivery *delivery)
{
    struct judgement judgement;
    log_judge(script, &judgement);
    hf_assert(end->status == judgement.status);
    hf_assert(end->group_count == judgement.group_count);
    hf_assert(end->record_count == judgement.record_count);
    hf_assert(end->next_lsn == judgement.next_lsn);
    hf_assert(delivery->last_lsn == judgement.next_lsn - 1);
    hf_assert(delivery->hash == judgement.records_hash);
    hf_assert(end->segment_index == judgement.segment_index);
    hf_assert(end->offset == judgement.offset);
    hf_assert(end->segment.segment_number == judgement.segment_number);
}

static void check_same(const struct log_end *a, const struct log_end *b)
{
    hf_assert(a->status == b->status && a->io_error == b->io_error);
    hf_assert(a->segment_index == b->segment_index && a->offset == b->offset);
    hf_assert(a->segment.segment_number == b->segment.segment_number);
    hf_assert(a->next_lsn == b->next_lsn && a->next_group_number == b->next_group_number);
    hf_assert(a->chain == b->chain && a->epoch == b->epoch && a->time_ms == b->time_ms);
    hf_assert(a->group_count == b->group_count && a->record_count == b->record_count);
    hf_assert(strcmp(a->reason, b->reason) == 0);
}

/* Does what a writer does with the end, and reads again. */
static void check_healed(struct log_script *script, const struct log_end *end,
                         const struct delivery *delivery)
{
    struct log_end healed;
    struct delivery again;
    uint64_t offset = end->segment.segment_number == 0 ? 0 : end->offset;
    for (uint32_t i = script->removed_count + end->segment_index; i < script->file_count; i++) {
        memset(script->bytes[i] + offset, 0, sizeof script->bytes[i] - offset);
        offset = 0;
    }
    read_log(script, true, &healed, &again);
    hf_assert(healed.status == LOG_GOOD);
    hf_assert(again.hash == delivery->hash);
    hf_assert(healed.segment_index == end->segment_index && healed.offset == end->offset);
    hf_assert(healed.segment.segment_number == end->segment.segment_number);
    hf_assert(healed.next_lsn == end->next_lsn && healed.chain == end->chain);
    hf_assert(healed.group_count == end->group_count && healed.epoch == end->epoch);
    hf_assert(healed.time_ms == end->time_ms);
    const struct log_position position = log_end_position(&healed);
    hf_assert(log_position_is_possible(&position));
}

static void check_whole(const struct log_script *script, const struct log_end *end)
{
    const struct log_position start = start_of(script);
    hf_assert(end->status == LOG_GOOD);
    hf_assert(end->record_count == script->record_count - (start.next_lsn - 1));
    hf_assert(end->group_count == script->group_count - (start.next_group_number - 1));
    hf_assert(end->chain == script->chain);
    hf_assert(end->segment.segment_number == script->used_count);
    hf_assert(script->used_count == 0 || end->offset == script->offset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static struct log_script script;
    struct log_end end, again;
    struct delivery delivery, ignored;
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    log_script_play(&script, &tape);

    read_log(&script, true, &end, &delivery);
    check_end(&script, &end);
    if (!script.is_spoiled)
        check_whole(&script, &end);
    if (end.status != LOG_IO)
        check_judged(&script, &end, &delivery);
    if (script.refused_lsn == 0 || script.refused_lsn > delivery.last_lsn + 1) {
        read_log(&script, false, &again, &ignored);
        check_same(&end, &again);
    }
    script.failing_read = 0;
    if (end.status == LOG_TORN_TAIL || (end.status == LOG_GOOD && data_bytes % 4 == 0))
        check_healed(&script, &end, &delivery);
    return 0;
}
