/* docs/log-format.md from top to bottom. Names of functions are headings there; offsets are those
 * of its tables. */
#include "damage_judge.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

enum { BLOCK = 4096, ERAS_MAX = 8, CORES_MAX = 4 };

struct era {
    uint64_t number;
    uint32_t cores;
    bool is_closed;
    uint64_t end_lsn[CORES_MAX];
    uint64_t end_chain[CORES_MAX];
};

struct manifest {
    uint64_t server_high, server_low;
    struct era eras[ERAS_MAX];
    uint32_t era_count;
};

/* A place in a log; segment 0 is the place before the first one. */
struct position {
    uint64_t segment, offset, next_lsn, next_group, chain, epoch, time;
};

struct log {
    const struct judge_directory *directory;
    const struct manifest *manifest;
    const struct era *era;
    uint32_t core;
};

/* ------------------------------------------------------------------------------------------------
 * Bytes
 * ---------------------------------------------------------------------------------------------- */

static uint64_t u64(const uint8_t *at)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | at[i];
    return value;
}

static uint32_t u32(const uint8_t *at)
{
    return (uint32_t)(u64(at) & UINT32_MAX);
}

static bool are_zero(const uint8_t *from, uint64_t bytes)
{
    for (uint64_t i = 0; i < bytes; i++)
        if (from[i] != 0)
            return false;
    return true;
}

static bool is_all_zero(const struct judge_file *file)
{
    return are_zero(file->bytes, file->size);
}

static uint64_t whole_blocks(uint64_t bytes)
{
    return (bytes + BLOCK - 1) / BLOCK * BLOCK;
}

static const struct judge_file *find(const struct judge_directory *directory, const char *name)
{
    for (uint32_t i = 0; i < directory->file_count; i++)
        if (!directory->files[i].is_gone && strcmp(directory->files[i].name, name) == 0)
            return &directory->files[i];
    return NULL;
}

/* ------------------------------------------------------------------------------------------------
 * Verdicts
 * ---------------------------------------------------------------------------------------------- */

/* Both return false. */
static bool is_bad(struct judgement *judgement, enum judge_verdict verdict, const char *file)
{
    judgement->verdict = verdict;
    snprintf(judgement->file, sizeof judgement->file, "%s", file);
    return false;
}

static bool is_damaged(struct judgement *judgement, const char *file, uint64_t offset)
{
    judgement->has_offset = true;
    judgement->offset = offset;
    return is_bad(judgement, JUDGE_DAMAGED, file);
}

/* ------------------------------------------------------------------------------------------------
 * MANIFEST
 * ---------------------------------------------------------------------------------------------- */

static bool read_era_line(struct manifest *manifest, const char *line)
{
    struct era era = {0};
    if (sscanf(line, "era %" SCNu64 " cores %" SCNu32, &era.number, &era.cores) != 2)
        return false;
    if (manifest->era_count > 0)
        manifest->eras[manifest->era_count - 1].is_closed = true;
    manifest->eras[manifest->era_count++] = era;
    return true;
}

static void read_end_line(struct manifest *manifest, const char *line)
{
    uint32_t core;
    uint64_t lsn, chain;
    if (sscanf(line, "end %" SCNu32 " lsn %" SCNu64 " chain %" SCNx64, &core, &lsn, &chain) != 3)
        return;
    struct era *era = &manifest->eras[manifest->era_count - 1];
    era->end_lsn[core] = lsn;
    era->end_chain[core] = chain;
}

/* The checksum first: what passes is what a server wrote. */
static bool judge_manifest(const struct judge_directory *directory, struct manifest *manifest,
                           struct judgement *judgement)
{
    const struct judge_file *file = find(directory, "MANIFEST");
    char text[8192];
    unsigned version;
    uint64_t checksum;
    if (file == NULL || file->size >= sizeof text)
        return is_bad(judgement, JUDGE_DAMAGED, "MANIFEST");
    memcpy(text, file->bytes, file->size);
    text[file->size] = '\0';
    const char *last = strstr(text, "\nchecksum ");
    char expected[32];
    if (last == NULL || strlen(text) != file->size ||
        sscanf(last + 1, "checksum %" SCNx64, &checksum) != 1)
        return is_bad(judgement, JUDGE_DAMAGED, "MANIFEST");
    size_t bytes = (size_t)(last + 1 - text);
    snprintf(expected, sizeof expected, "checksum %016" PRIx64 "\n",
             (uint64_t)XXH3_64bits(text, bytes));
    if (strcmp(last + 1, expected) != 0)
        return is_bad(judgement, JUDGE_DAMAGED, "MANIFEST");
    if (sscanf(text, "holdfast data directory\nformat %u\n", &version) != 1)
        return is_bad(judgement, JUDGE_DAMAGED, "MANIFEST");
    if (version != 1)
        return is_bad(judgement, JUDGE_VERSION, "MANIFEST");
    for (const char *line = text; line != NULL && line < last; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "server ", 7) == 0)
            sscanf(line, "server %16" SCNx64 "%16" SCNx64, &manifest->server_high,
                   &manifest->server_low);
        if (!read_era_line(manifest, line))
            read_end_line(manifest, line);
    }
    return true;
}

/* ------------------------------------------------------------------------------------------------
 * A snapshot
 * ---------------------------------------------------------------------------------------------- */

static void folder_of(const struct log *log, char *to)
{
    snprintf(to, JUDGE_NAME_BYTES / 2, "era-%06" PRIu64 "/core-%03u", log->era->number, log->core);
}

static bool is_whose(const struct log *log, const uint8_t *block)
{
    return u32(block + 20) == log->core && u64(block + 24) == log->manifest->server_high &&
           u64(block + 32) == log->manifest->server_low && u64(block + 56) == log->era->number;
}

/* Magic and checksum, which are the same in all versions. */
static bool is_header(const struct judge_file *file, const char *magic)
{
    return file->size >= BLOCK && memcmp(file->bytes, magic, 8) == 0 &&
           u64(file->bytes + 8) == XXH3_64bits(file->bytes + 16, BLOCK - 16) &&
           u32(file->bytes + 16) != 0;
}

struct blocks {
    uint64_t offset, number, chain, entry_count, entry_bytes;
    bool is_over; /* the footer was read */
};

/* One block of it; false when it is not what a server wrote. */
static bool judge_block(const struct judge_file *file, struct blocks *blocks)
{
    const uint8_t *at = file->bytes + blocks->offset;
    const uint64_t seed = u64(file->bytes + 40) ^ u64(file->bytes + 48) ^ blocks->offset,
                   left = file->size - blocks->offset;
    if (left < BLOCK || memcmp(at, "HFSNAPBK", 8) != 0 ||
        u64(at + 8) != XXH3_64bits_withSeed(at + 16, 48, seed))
        return false;
    const uint64_t payload_bytes = u32(at + 40), bytes = whole_blocks(64 + payload_bytes);
    if (u64(at + 24) != blocks->number + 1 || u64(at + 32) != blocks->chain || bytes > left ||
        u64(at + 16) != XXH3_64bits_withSeed(at + 64, payload_bytes, seed) ||
        !are_zero(at + 64 + payload_bytes, bytes - 64 - payload_bytes) || !are_zero(at + 52, 12))
        return false;
    blocks->is_over = u32(at + 48) == 2;
    if (blocks->is_over)
        return payload_bytes == 56 && u64(at + 64 + 32) == blocks->number &&
               u64(at + 64 + 40) == blocks->entry_count &&
               u64(at + 64 + 48) == blocks->entry_bytes && bytes == left;
    blocks->number++;
    blocks->chain = u64(at + 8);
    blocks->entry_count += u32(at + 44);
    blocks->entry_bytes += payload_bytes;
    blocks->offset += bytes;
    return true;
}

enum snapshot_verdict { SNAPSHOT_WHOLE, SNAPSHOT_UNUSABLE, SNAPSHOT_OTHER_VERSION };

static enum snapshot_verdict judge_snapshot(const struct log *log, const struct judge_file *file,
                                            uint64_t lsn, struct position *position_out)
{
    if (!is_header(file, "HFSNAPSH"))
        return SNAPSHOT_UNUSABLE;
    const uint8_t *head = file->bytes;
    if (u32(head + 16) != 1)
        return SNAPSHOT_OTHER_VERSION;
    if (!is_whose(log, head) || u64(head + 80) != lsn + 1 || file->size % BLOCK != 0)
        return SNAPSHOT_UNUSABLE;
    struct blocks blocks = {.offset = BLOCK, .chain = u64(head + 8)};
    while (!blocks.is_over)
        if (!judge_block(file, &blocks))
            return SNAPSHOT_UNUSABLE;
    *position_out = (struct position){
        .segment = u64(head + 64),
        .offset = u64(head + 72),
        .next_lsn = u64(head + 80),
        .next_group = u64(head + 88),
        .chain = u64(head + 96),
        .epoch = u64(head + 104),
        .time = u64(head + 112),
    };
    return SNAPSHOT_WHOLE;
}

/* The name of a snapshot in this folder: its LSN, or UINT64_MAX. */
static uint64_t snapshot_lsn(const struct log *log, const struct judge_file *file)
{
    char folder[JUDGE_NAME_BYTES];
    uint64_t lsn;
    folder_of(log, folder);
    const size_t bytes = strlen(folder);
    if (file->is_gone || strncmp(file->name, folder, bytes) != 0 ||
        sscanf(file->name + bytes, "/snapshot-%20" SCNu64, &lsn) != 1)
        return UINT64_MAX;
    return lsn;
}

/* The newest one below `below`. */
static const struct judge_file *newest_snapshot(const struct log *log, uint64_t below,
                                                uint64_t *lsn_out)
{
    const struct judge_file *newest = NULL;
    for (uint32_t i = 0; i < log->directory->file_count; i++) {
        const uint64_t lsn = snapshot_lsn(log, &log->directory->files[i]);
        if (lsn < below && (newest == NULL || lsn > *lsn_out)) {
            newest = &log->directory->files[i];
            *lsn_out = lsn;
        }
    }
    return newest;
}

/* From which one a start begins, if from any. False when that can't be: another version. */
static bool choose_snapshot(const struct log *log, bool *has_one_out, struct position *position_out,
                            struct judgement *judgement)
{
    uint64_t lsn = UINT64_MAX;
    *position_out = (struct position){.next_lsn = 1, .next_group = 1};
    *has_one_out = false;
    for (;;) {
        const struct judge_file *file = newest_snapshot(log, lsn, &lsn);
        if (file == NULL)
            return true;
        switch (judge_snapshot(log, file, lsn, position_out)) {
        case SNAPSHOT_WHOLE:
            *has_one_out = true;
            return true;
        case SNAPSHOT_OTHER_VERSION:
            return is_bad(judgement, JUDGE_VERSION, file->name);
        case SNAPSHOT_UNUSABLE:
            snprintf(judgement->struck[judgement->struck_count++], JUDGE_NAME_BYTES, "%s",
                     file->name);
            break;
        }
    }
}

/* ------------------------------------------------------------------------------------------------
 * Reading a log to its end
 * ---------------------------------------------------------------------------------------------- */

struct reading {
    const struct log *log;
    const struct judge_file *files[JUDGE_FILES_MAX]; /* from the position's segment on, in order */
    uint64_t numbers[JUDGE_FILES_MAX];
    uint32_t file_count;
    struct position start;
    struct position at; /* next_group 0: believed */
    bool is_before;     /* the start */
    struct judgement *judgement;
    bool is_over;
};

static uint64_t segment_number(const struct log *log, const struct judge_file *file)
{
    char folder[JUDGE_NAME_BYTES];
    uint64_t number;
    int bytes = 0;
    folder_of(log, folder);
    const size_t folder_bytes = strlen(folder);
    if (file->is_gone || strncmp(file->name, folder, folder_bytes) != 0 ||
        sscanf(file->name + folder_bytes, "/%12" SCNu64 ".log%n", &number, &bytes) != 1 ||
        bytes != 17)
        return 0;
    return number;
}

/* The file with the lowest number from this one on. */
static const struct judge_file *next_segment(const struct log *log, uint64_t from,
                                             uint64_t *number_out)
{
    const struct judge_file *next = NULL;
    for (uint32_t i = 0; i < log->directory->file_count; i++) {
        const struct judge_file *file = &log->directory->files[i];
        const uint64_t number = segment_number(log, file);
        if (number < from || (next != NULL && number > *number_out))
            continue;
        next = file;
        *number_out = number;
    }
    return next;
}

static void list_segments(struct reading *reading)
{
    uint64_t number = reading->start.segment == 0 ? 1 : reading->start.segment;
    const struct judge_file *file = next_segment(reading->log, number, &number);
    while (file != NULL) {
        reading->files[reading->file_count] = file;
        reading->numbers[reading->file_count++] = number;
        file = next_segment(reading->log, number + 1, &number);
    }
}

static bool damaged_at(struct reading *reading, uint32_t index, uint64_t offset)
{
    return is_damaged(reading->judgement, reading->files[index]->name, offset);
}

static bool are_later_files_zero(const struct reading *reading, uint32_t index)
{
    for (uint32_t i = index + 1; i < reading->file_count; i++)
        if (!is_all_zero(reading->files[i]))
            return false;
    return true;
}

/* What is bad may be the write that was in flight: nothing of ours is behind it. In a closed era
 * nothing was in flight any more. */
static bool torn(struct reading *reading, uint32_t index, uint64_t offset)
{
    if (reading->log->era->is_closed)
        return damaged_at(reading, index, offset);
    reading->judgement->is_torn = true;
    reading->is_over = true;
    return true;
}

static uint64_t group_seed(const struct judge_file *file, uint64_t offset)
{
    return u64(file->bytes + 40) ^ u64(file->bytes + 48) ^ offset;
}

static bool is_group(const struct judge_file *file, uint64_t offset)
{
    const uint8_t *at = file->bytes + offset;
    return offset + 128 <= file->size && memcmp(at, "HFGROUP1", 8) == 0 &&
           u64(at + 8) == XXH3_64bits_withSeed(at + 16, 112, group_seed(file, offset));
}

static bool bad_group(struct reading *reading, uint32_t index, uint64_t offset)
{
    const struct judge_file *file = reading->files[index];
    if (reading->is_before)
        return damaged_at(reading, index, offset);
    for (uint64_t later = offset + BLOCK; later < file->size; later += BLOCK)
        if (is_group(file, later))
            return damaged_at(reading, index, offset);
    return are_later_files_zero(reading, index) ? torn(reading, index, offset)
                                                : damaged_at(reading, index, offset);
}

static bool do_records_fill(const uint8_t *payload, uint64_t bytes, uint32_t count)
{
    uint64_t at = 0;
    for (; count > 0 && bytes - at >= 8; count--) {
        const uint64_t record = payload[at] | (uint64_t)payload[at + 1] << 8;
        if (record < 8 || record > 256 || record % 8 != 0 || record > bytes - at)
            return false;
        at += record;
    }
    return count == 0 && at == bytes;
}

static bool judge_group(struct reading *reading, uint32_t index, uint64_t offset)
{
    const struct judge_file *file = reading->files[index];
    const uint8_t *at = file->bytes + offset;
    struct position *here = &reading->at;
    if (!is_group(file, offset))
        return bad_group(reading, index, offset);
    const uint64_t payload_bytes = u32(at + 76), bytes = whole_blocks(128 + payload_bytes);
    if ((here->next_group != 0 && u64(at + 24) != here->next_group) ||
        u64(at + 32) != here->next_lsn || u64(at + 40) != here->chain ||
        u64(at + 56) < here->epoch || bytes > file->size - offset)
        return damaged_at(reading, index, offset);
    if (u64(at + 16) != XXH3_64bits_withSeed(at + 128, payload_bytes, group_seed(file, offset)))
        return bad_group(reading, index, offset);
    if (!are_zero(at + 128 + payload_bytes, bytes - 128 - payload_bytes) ||
        !do_records_fill(at + 128, payload_bytes, u32(at + 72)))
        return damaged_at(reading, index, offset);
    const uint32_t core = reading->log->core;
    const struct era *era = reading->log->era;
    if (era->is_closed && here->next_lsn + u32(at + 72) > era->end_lsn[core])
        return damaged_at(reading, index, offset);
    *here = (struct position){
        .segment = reading->numbers[index],
        .offset = offset + bytes,
        .next_lsn = here->next_lsn + u32(at + 72),
        .next_group = u64(at + 24) + 1,
        .chain = u64(at + 8),
        .epoch = u64(at + 56),
        .time = u64(at + 64),
    };
    return true;
}

/* From a position: what is there must be what the snapshot says. */
static bool judge_start(struct reading *reading, uint32_t index)
{
    const struct position *start = &reading->start;
    if (reading->at.offset == BLOCK) { /* no group tells these */
        reading->at.next_group = start->next_group;
        reading->at.epoch = start->epoch;
        reading->at.time = start->time;
    }
    reading->is_before = false;
    return memcmp(&reading->at, start, sizeof *start) == 0 ||
           damaged_at(reading, index, start->offset);
}

static bool judge_groups(struct reading *reading, uint32_t index)
{
    const struct judge_file *file = reading->files[index];
    for (;;) {
        const uint64_t offset = reading->at.offset;
        if (reading->is_before && offset >= reading->start.offset && !judge_start(reading, index))
            return false;
        if (offset == file->size || are_zero(file->bytes + offset, 128))
            break;
        if (!judge_group(reading, index, offset))
            return false;
        if (reading->is_over)
            return true;
    }
    if (reading->is_before)
        return damaged_at(reading, index, reading->at.offset);
    return are_zero(file->bytes + reading->at.offset, file->size - reading->at.offset) ||
           bad_group(reading, index, reading->at.offset);
}

/* The header of a segment just taken into use, or damage. The torn place is the end of the segment
 * before. */
static bool bad_header(struct reading *reading, uint32_t index)
{
    const struct judge_file *file = reading->files[index];
    const bool is_alone = !reading->is_before && file->size % BLOCK == 0 && file->size > BLOCK &&
                          are_zero(file->bytes + BLOCK, file->size - BLOCK) &&
                          are_later_files_zero(reading, index);
    if (!is_alone)
        return damaged_at(reading, index, 0);
    return index == 0 ? torn(reading, 0, 0) : torn(reading, index - 1, reading->at.offset);
}

static bool judge_segment(struct reading *reading, uint32_t index)
{
    const struct judge_file *file = reading->files[index];
    const uint64_t head = file->size < BLOCK ? file->size : BLOCK;
    if (are_zero(file->bytes, head)) {
        reading->is_over = true;
        return !reading->is_before && are_zero(file->bytes, file->size) &&
                       are_later_files_zero(reading, index)
                   ? true
                   : damaged_at(reading, index, 0);
    }
    if (!is_header(file, "HFSEGMNT"))
        return bad_header(reading, index);
    if (u32(file->bytes + 16) != 1) {
        reading->judgement->has_offset = true;
        reading->judgement->offset = 0;
        return is_bad(reading->judgement, JUDGE_VERSION, file->name);
    }
    if (!is_whose(reading->log, file->bytes) || u64(file->bytes + 64) != reading->numbers[index] ||
        (!reading->is_before && (u64(file->bytes + 80) != reading->at.next_lsn ||
                                 u64(file->bytes + 88) != reading->at.chain)))
        return damaged_at(reading, index, 0);
    if (reading->is_before) {
        reading->at =
            (struct position){.next_lsn = u64(file->bytes + 80), .chain = u64(file->bytes + 88)};
    }
    if (file->size != u64(file->bytes + 72)) /* wherever that is noticed */
        return is_bad(reading->judgement, JUDGE_DAMAGED, file->name);
    reading->at.segment = reading->numbers[index];
    reading->at.offset = BLOCK;
    return judge_groups(reading, index);
}

/* Missing: the file's name is told, whatever else. */
static bool missing(struct reading *reading, uint64_t number)
{
    char folder[JUDGE_NAME_BYTES / 2], name[JUDGE_NAME_BYTES];
    folder_of(reading->log, folder);
    snprintf(name, sizeof name, "%s/%012" PRIu64 ".log", folder, number);
    return is_bad(reading->judgement, JUDGE_DAMAGED, name);
}

static bool has_gap(const struct reading *reading, uint32_t index, uint64_t *number_out)
{
    const uint64_t first = reading->start.segment == 0 ? 1 : reading->start.segment;
    *number_out = first + index;
    return index < reading->file_count && reading->numbers[index] != first + index;
}

/* A log that ends where MANIFEST does not say, with all its files perhaps. */
static bool judge_closed_end(struct reading *reading)
{
    const struct era *era = reading->log->era;
    const uint32_t core = reading->log->core;
    char folder[JUDGE_NAME_BYTES / 2];
    if (!era->is_closed ||
        (reading->at.next_lsn == era->end_lsn[core] && reading->at.chain == era->end_chain[core]))
        return true;
    folder_of(reading->log, folder);
    return is_bad(reading->judgement, JUDGE_DAMAGED, folder);
}

static bool judge_log(const struct log *log, const struct position *start,
                      struct judgement *judgement)
{
    struct reading reading = {
        .log = log,
        .start = *start,
        .at = *start,
        .is_before = start->segment > 0,
        .judgement = judgement,
    };
    uint64_t number;
    list_segments(&reading);
    if (reading.is_before && (reading.file_count == 0 || reading.numbers[0] != start->segment))
        return missing(&reading, start->segment);
    for (uint32_t i = 0; i < reading.file_count && !reading.is_over; i++)
        if (has_gap(&reading, i, &number) ? !missing(&reading, number)
                                          : !judge_segment(&reading, i))
            return false;
    for (uint32_t i = 0; i < reading.file_count; i++)
        if (has_gap(&reading, i, &number))
            return missing(&reading, number);
    if (!judge_closed_end(&reading))
        return false;
    judgement->next_lsn = reading.at.next_lsn;
    return true;
}

/* ------------------------------------------------------------------------------------------------
 * The directory
 * ---------------------------------------------------------------------------------------------- */

/* From the newest era back to the one whose logs all begin with a snapshot; then from there on. */
struct judgement judge(const struct judge_directory *directory)
{
    static struct manifest manifest;
    struct judgement judgement = {.verdict = JUDGE_STARTS};
    struct position positions[ERAS_MAX][CORES_MAX];
    uint32_t first;
    bool is_enough = false;
    memset(&manifest, 0, sizeof manifest);
    if (!judge_manifest(directory, &manifest, &judgement))
        return judgement;
    for (first = manifest.era_count; first > 0 && !is_enough; first--) {
        is_enough = true;
        for (uint32_t core = 0; core < manifest.eras[first - 1].cores; core++) {
            const struct log log = {directory, &manifest, &manifest.eras[first - 1], core};
            bool has_one;
            if (!choose_snapshot(&log, &has_one, &positions[first - 1][core], &judgement))
                return judgement;
            is_enough &= has_one;
        }
    }
    if (!is_enough && manifest.eras[0].number > 1) {
        (void)is_bad(&judgement, JUDGE_DAMAGED, "");
        return judgement;
    }
    for (uint32_t era = first; era < manifest.era_count; era++)
        for (uint32_t core = 0; core < manifest.eras[era].cores; core++) {
            const struct log log = {directory, &manifest, &manifest.eras[era], core};
            if (!judge_log(&log, &positions[era][core], &judgement))
                return judgement;
        }
    return judgement;
}
