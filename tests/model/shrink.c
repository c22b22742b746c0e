#include "shrink.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRY_SECONDS_MAX = 60, PASS_COUNT_MAX = 8, VALIDATED_COUNT_MAX = 32 };

/* ---- one try ---- */

/* What the process that tries tells: shared memory. */
struct told {
    struct run_finding finding;
    uint64_t op_count;      /* begun so far */
    bool is_replaying_logs; /* the last of all checks has begun */
};

static void try_all(const struct run_options *options, const struct op *ops, uint64_t op_count,
                    struct told *told)
{
    struct run run;
    if (!run_begin(&run, options))
        return;
    bool agree = true;
    for (uint64_t i = 0; agree && i < op_count; i++) {
        told->op_count = i + 1;
        agree = run_step(&run, &ops[i]);
    }
    if (agree)
        agree = run_finish(&run);
    if (agree) {
        told->is_replaying_logs = true;
        agree = run_replay_logs(&run);
    }
    if (!agree)
        told->finding = run.finding;
    run_end(&run);
}

/* A process that is about to fail has nothing to say to people. */
static void be_quiet(void)
{
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nowhere >= 0) {
        dup2(nowhere, STDOUT_FILENO);
        dup2(nowhere, STDERR_FILENO);
    }
}

static void tell_crash(struct told *told)
{
    const char *check = told->is_replaying_logs ? "logs" : "crash";
    told->finding = (struct run_finding){.op_index = told->op_count > 0 ? told->op_count - 1 : 0};
    snprintf(told->finding.check, sizeof told->finding.check, "%s", check);
    snprintf(told->finding.text, sizeof told->finding.text, "the program dies");
}

bool shrink_try(const struct run_options *options, const struct op *ops, uint64_t op_count,
                struct run_finding *finding_out)
{
    struct told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (told == MAP_FAILED)
        return false;
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        be_quiet();
        alarm(TRY_SECONDS_MAX);
        try_all(options, ops, op_count, told);
        _exit(0);
    }
    bool done = pid > 0 && waitpid(pid, &status, 0) == pid;
    if (done && status != 0)
        tell_crash(told);
    *finding_out = told->finding;
    munmap(told, sizeof *told);
    return done;
}

/* ---- leaving out ---- */

struct shrinker {
    struct run_options *options;
    struct op *ops;
    struct op *candidate; /* room for as many */
    uint64_t op_count;
    struct run_finding finding;
    struct shrink_result result;
    time_t end_s;
};

static time_t now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

static bool has_time(const struct shrinker *shrinker)
{
    return now_s() < shrinker->end_s;
}

/* The same check fails. The invariants of a long list are looked at in its end only: that is where
 * it failed the last time. */
static bool still_fails(struct shrinker *shrinker, const struct run_options *options,
                        uint64_t op_count, struct run_finding *finding_out)
{
    struct run_options quick = *options;
    if (op_count > VALIDATED_COUNT_MAX)
        quick.validate_every = 0;
    shrinker->result.try_count++;
    return shrink_try(&quick, shrinker->candidate, op_count, finding_out) &&
           strcmp(finding_out->check, shrinker->finding.check) == 0;
}

/* Takes the candidate for the list; what comes after the operation that fails is not needed. */
static void accept(struct shrinker *shrinker, uint64_t op_count, const struct run_finding *finding)
{
    uint64_t needed = finding->op_index + 1;
    shrinker->op_count = needed < op_count ? needed : op_count;
    shrinker->finding = *finding;
    memcpy(shrinker->ops, shrinker->candidate, shrinker->op_count * sizeof shrinker->ops[0]);
}

static void copy_to_candidate(struct shrinker *shrinker)
{
    memcpy(shrinker->candidate, shrinker->ops, shrinker->op_count * sizeof shrinker->ops[0]);
}

static void try_candidate(struct shrinker *shrinker)
{
    struct run_finding finding;
    if (still_fails(shrinker, shrinker->options, shrinker->op_count, &finding))
        accept(shrinker, shrinker->op_count, &finding);
}

/* Leaves these operations out; `passed_ms` of their time passes all the same. */
static bool try_replaced(struct shrinker *shrinker, uint64_t at, uint64_t count, uint64_t passed_ms)
{
    struct run_finding finding;
    uint64_t rest = shrinker->op_count - at - count;
    struct op *candidate = shrinker->candidate;
    memcpy(candidate, shrinker->ops, at * sizeof candidate[0]);
    if (passed_ms != 0)
        candidate[at++] = (struct op){.kind = OP_TIME, .advance_ms = passed_ms};
    memcpy(candidate + at, shrinker->ops + shrinker->op_count - rest, rest * sizeof candidate[0]);
    if (!still_fails(shrinker, shrinker->options, at + rest, &finding))
        return false;
    accept(shrinker, at + rest, &finding);
    return true;
}

static uint64_t time_in(const struct shrinker *shrinker, uint64_t at, uint64_t count)
{
    uint64_t passed_ms = 0;
    for (uint64_t i = at; i < at + count; i++) {
        if (shrinker->ops[i].kind == OP_TIME)
            passed_ms += shrinker->ops[i].advance_ms;
    }
    return passed_ms;
}

/* Without its time too, or else with it: what comes later may name points in time. */
static bool try_without(struct shrinker *shrinker, uint64_t at, uint64_t count)
{
    uint64_t passed_ms = time_in(shrinker, at, count);
    if (try_replaced(shrinker, at, count, 0))
        return true;
    return passed_ms != 0 && count > 1 && try_replaced(shrinker, at, count, passed_ms);
}

/* Goes through the list from the end in pieces of this size. */
static bool leave_out(struct shrinker *shrinker, uint64_t piece)
{
    bool is_shorter = false;
    uint64_t end = shrinker->op_count;
    while (end > 0 && has_time(shrinker)) {
        uint64_t at = end > piece ? end - piece : 0;
        is_shorter |= try_without(shrinker, at, end - at);
        end = at < shrinker->op_count ? at : shrinker->op_count;
    }
    return is_shorter;
}

static void leave_out_most(struct shrinker *shrinker)
{
    for (uint64_t piece = shrinker->op_count / 2; piece > 2; piece /= 2)
        leave_out(shrinker, piece);
    bool is_shorter = true;
    while (is_shorter && has_time(shrinker)) {
        is_shorter = leave_out(shrinker, 2);
        is_shorter |= leave_out(shrinker, 1);
    }
}

/* ---- simple fields ---- */

struct field {
    uint8_t kind; /* enum op_kind */
    uint8_t bytes;
    uint16_t offset;
};

#define FIELD(kind, member)                                                                        \
    {                                                                                              \
        (kind), sizeof((struct op *)NULL)->member, offsetof(struct op, member)                     \
    }
#define FIELDS_OF_SETTINGS(kind, settings)                                                         \
    FIELD(kind, settings.stock), FIELD(kind, settings.buyer_limit),                                \
        FIELD(kind, settings.hold_cap), FIELD(kind, settings.hold_ms),                             \
        FIELD(kind, settings.opens_at_ms), FIELD(kind, settings.closes_at_ms),                     \
        FIELD(kind, settings.paused), FIELD(kind, settings.sku_bytes)

static const struct field fields[] = {
    FIELD(OP_ASK, request.user_data),
    FIELD(OP_ASK, request.buyer_id),
    FIELD(OP_ASK, request.hold_ms),
    FIELD(OP_ASK, request.expires_ms),
    FIELD(OP_ASK, request.quantity),
    FIELDS_OF_SETTINGS(OP_CREATE, settings),
    FIELDS_OF_SETTINGS(OP_UPDATE, settings),
    FIELD(OP_UPDATE, update_mask),
    FIELD(OP_TIME, advance_ms),
};

static uint64_t field_get(const struct op *op, const struct field *field)
{
    uint64_t value = 0; /* little-endian, like everything that this project runs on */
    memcpy(&value, (const uint8_t *)op + field->offset, field->bytes);
    return value;
}

static void field_set(struct op *op, const struct field *field, uint64_t value)
{
    memcpy((uint8_t *)op + field->offset, &value, field->bytes);
}

static bool try_value(struct shrinker *shrinker, uint64_t at, const struct field *field,
                      uint64_t value)
{
    struct run_finding finding;
    copy_to_candidate(shrinker);
    field_set(&shrinker->candidate[at], field, value);
    if (!still_fails(shrinker, shrinker->options, shrinker->op_count, &finding))
        return false;
    accept(shrinker, shrinker->op_count, &finding);
    return true;
}

/* Nothing or one; or else, if it is worth the time, the least that is found by halving what may be
 * too little. */
static bool simplify_field(struct shrinker *shrinker, uint64_t at, const struct field *field,
                           bool is_fine)
{
    uint64_t value = field_get(&shrinker->ops[at], field);
    uint64_t too_little = 1;
    if (value == 0 || try_value(shrinker, at, field, 0))
        return value != 0;
    if (value == 1 || try_value(shrinker, at, field, 1))
        return value != 1;
    bool is_simpler = false;
    while (is_fine && at < shrinker->op_count && value - too_little > 1 && has_time(shrinker)) {
        uint64_t middle = too_little + (value - too_little) / 2;
        if (try_value(shrinker, at, field, middle)) {
            value = middle;
            is_simpler = true;
        } else {
            too_little = middle;
        }
    }
    return is_simpler;
}

static bool simplify_fields(struct shrinker *shrinker, bool is_fine)
{
    bool is_simpler = false;
    for (uint64_t at = 0; at < shrinker->op_count && has_time(shrinker); at++) {
        for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
            if (at < shrinker->op_count && fields[i].kind == shrinker->ops[at].kind)
                is_simpler |= simplify_field(shrinker, at, &fields[i], is_fine);
        }
    }
    return is_simpler;
}

/* An item that is created with enough needs no update that gives it more. */
static void give_plenty(struct shrinker *shrinker)
{
    static const struct field stock = FIELD(OP_CREATE, settings.stock);
    enum { PLENTY = 1000 };
    for (uint64_t at = 0; at < shrinker->op_count && has_time(shrinker); at++) {
        if (shrinker->ops[at].kind == OP_CREATE)
            try_value(shrinker, at, &stock, PLENTY);
    }
}

/* No SKU at all, and nothing behind its end. */
static void leave_out_skus(struct shrinker *shrinker)
{
    for (uint64_t i = 0; i < shrinker->op_count && has_time(shrinker); i++) {
        struct stock_item_settings *settings = &shrinker->candidate[i].settings;
        if (shrinker->ops[i].kind != OP_CREATE && shrinker->ops[i].kind != OP_UPDATE)
            continue;
        copy_to_candidate(shrinker);
        settings->sku_bytes = 0;
        memset(settings->sku, 0, sizeof settings->sku);
        try_candidate(shrinker);
    }
}

/* ---- small names ---- */

static uint64_t *item_id_of(struct op *op)
{
    switch (op->kind) {
    case OP_ASK:
        return &op->request.item_id;
    case OP_CREATE:
    case OP_UPDATE:
        return &op->settings.item_id;
    case OP_OFFER:
        return op->record.type <= STOCK_RECORD_ITEM_UPDATED ? &op->record.item.item_id
                                                            : &op->record.hold.item_id;
    default:
        return NULL;
    }
}

static uint64_t *buyer_id_of(struct op *op)
{
    if (op->kind == OP_ASK)
        return &op->request.buyer_id;
    bool is_hold = op->kind == OP_OFFER && op->record.type >= STOCK_RECORD_HELD;
    return is_hold ? &op->record.hold.buyer_id : NULL;
}

static struct id128 *reservation_id_of(struct op *op)
{
    if (op->kind == OP_ASK)
        return &op->request.reservation_id;
    bool is_hold = op->kind == OP_OFFER && op->record.type >= STOCK_RECORD_HELD;
    return is_hold ? &op->record.hold.reservation_id : NULL;
}

static void rename_number(struct shrinker *shrinker, uint64_t *(*of)(struct op *op), uint64_t from,
                          uint64_t to)
{
    for (uint64_t i = 0; i < shrinker->op_count; i++) {
        uint64_t *id = of(&shrinker->candidate[i]);
        if (id != NULL && *id == from)
            *id = to;
    }
}

static void rename_reservation(struct shrinker *shrinker, struct id128 from, struct id128 to)
{
    for (uint64_t i = 0; i < shrinker->op_count; i++) {
        struct id128 *id = reservation_id_of(&shrinker->candidate[i]);
        if (id != NULL && id128_equal(*id, from))
            *id = to;
    }
}

static void try_small_number(struct shrinker *shrinker, uint64_t at, uint64_t *(*of)(struct op *op))
{
    const uint64_t *id = at < shrinker->op_count ? of(&shrinker->ops[at]) : NULL;
    if (id == NULL || *id <= shrinker->op_count)
        return;
    copy_to_candidate(shrinker);
    rename_number(shrinker, of, *id, at + 1);
    try_candidate(shrinker);
}

static void try_small_reservation(struct shrinker *shrinker, uint64_t at)
{
    const struct id128 *id = at < shrinker->op_count ? reservation_id_of(&shrinker->ops[at]) : NULL;
    if (id == NULL || (id->high == 0 && id->low <= shrinker->op_count))
        return;
    copy_to_candidate(shrinker);
    rename_reservation(shrinker, *id, (struct id128){0, at + 1});
    try_candidate(shrinker);
}

/* Ids with many digits become the number of the operation that has them first. */
static void simplify_names(struct shrinker *shrinker)
{
    for (uint64_t at = 0; at < shrinker->op_count && has_time(shrinker); at++) {
        try_small_number(shrinker, at, item_id_of);
        try_small_number(shrinker, at, buyer_id_of);
        try_small_reservation(shrinker, at);
    }
}

static void try_options(struct shrinker *shrinker, struct run_options candidate)
{
    struct run_finding finding;
    copy_to_candidate(shrinker);
    if (!still_fails(shrinker, &candidate, shrinker->op_count, &finding))
        return;
    *shrinker->options = candidate;
    accept(shrinker, shrinker->op_count, &finding);
}

/* The simplest hash key, and tables so large that they do not matter. */
static void simplify_options(struct shrinker *shrinker)
{
    struct run_options candidate = *shrinker->options;
    candidate.tables.hash_key = 1;
    try_options(shrinker, candidate);
    candidate = *shrinker->options;
    candidate.tables.item_count_max = 8;
    try_options(shrinker, candidate);
    candidate = *shrinker->options;
    candidate.tables.reservation_count_max = 64;
    try_options(shrinker, candidate);
    candidate = *shrinker->options;
    candidate.tables.buyer_count_max = 32;
    try_options(shrinker, candidate);
}

static void move_time(uint64_t *time_ms, uint64_t by_ms)
{
    if (*time_ms != 0)
        *time_ms += by_ms;
}

/* All that names a point in time names one that is as much earlier or later. */
static void move_op(struct op *op, uint64_t by_ms)
{
    if (op->kind == OP_ASK) {
        move_time(&op->request.expires_ms, by_ms);
    } else if (op->kind == OP_CREATE || op->kind == OP_UPDATE) {
        move_time(&op->settings.opens_at_ms, by_ms);
        move_time(&op->settings.closes_at_ms, by_ms);
    } else if (op->kind == OP_OFFER) {
        move_time(&op->record.time_ms, by_ms);
        if (op->record.type >= STOCK_RECORD_HELD)
            move_time(&op->record.hold.expires_ms, by_ms);
    }
}

/* The run begins at a round moment. */
static void simplify_start(struct shrinker *shrinker)
{
    struct run_options candidate = *shrinker->options;
    struct run_finding finding;
    candidate.start_ms = 1700000000000;
    uint64_t by_ms = candidate.start_ms - shrinker->options->start_ms;
    copy_to_candidate(shrinker);
    for (uint64_t i = 0; i < shrinker->op_count; i++)
        move_op(&shrinker->candidate[i], by_ms);
    if (!still_fails(shrinker, &candidate, shrinker->op_count, &finding))
        return;
    *shrinker->options = candidate;
    accept(shrinker, shrinker->op_count, &finding);
}

/* ---- all of it ---- */

/* What is simple may need less. */
static void simplify_all(struct shrinker *shrinker, bool is_fine)
{
    for (int pass = 0; pass < PASS_COUNT_MAX && simplify_fields(shrinker, is_fine); pass++)
        leave_out_most(shrinker);
}

/* What fails at once is found without comparing everything all the time, which takes long; for the
 * rest everything is compared after every operation. False when nothing fails. */
static bool try_first(struct shrinker *shrinker)
{
    struct run_options *options = shrinker->options;
    options->compare_every = 0;
    options->validate_every = 0;
    if (!shrink_try(options, shrinker->ops, shrinker->op_count, &shrinker->finding))
        return false;
    bool is_at_once = shrinker->finding.check[0] != '\0' &&
                      shrinker->finding.op_index < shrinker->op_count &&
                      strcmp(shrinker->finding.check, "crash") != 0;
    if (is_at_once)
        return true;
    options->compare_every = 1;
    options->validate_every = 1;
    return shrink_try(options, shrinker->ops, shrinker->op_count, &shrinker->finding) &&
           shrinker->finding.check[0] != '\0';
}

struct shrink_result shrink(struct run_options *options, struct op *ops, uint64_t op_count,
                            uint32_t seconds_max)
{
    struct shrinker shrinker = {
        .options = options,
        .ops = ops,
        .candidate = calloc(op_count, sizeof *ops),
        .op_count = op_count,
        .end_s = now_s() + seconds_max,
    };
    if (shrinker.candidate == NULL || !try_first(&shrinker))
        goto done;
    memcpy(shrinker.candidate, ops, op_count * sizeof *ops);
    accept(&shrinker, op_count, &shrinker.finding);
    simplify_options(&shrinker);
    simplify_start(&shrinker);
    leave_out_most(&shrinker);
    simplify_all(&shrinker, false);
    give_plenty(&shrinker);
    leave_out_skus(&shrinker);
    leave_out_most(&shrinker);
    simplify_names(&shrinker);
    simplify_options(&shrinker);
    simplify_all(&shrinker, true);
done:
    free(shrinker.candidate);
    shrinker.result.finding = shrinker.finding;
    shrinker.result.op_count = shrinker.op_count;
    return shrinker.result;
}
