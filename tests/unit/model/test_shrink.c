/* A failing run becomes short. The engine agrees with the model here, so the failures are made by a
 * hook that finds fault with what a run has come to, or dies of it. */

#include "generate.h"
#include "print.h"
#include "shrink.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OP_COUNT = 3000, SECONDS_MAX = 60 };

/* ---- what the hooks find fault with ---- */

static const char *three_expired(const struct run *run, const struct op *op)
{
    (void)op;
    return stock_counts(run->stock).expired >= 3 ? "three holds have expired" : NULL;
}

static const char *dies_of_a_cancel(const struct run *run, const struct op *op)
{
    (void)op;
    if (run->record.type == STOCK_RECORD_CANCELLED)
        abort();
    return NULL;
}

static const char *five_units_held(const struct run *run, const struct op *op)
{
    (void)op;
    return stock_counts(run->stock).units_held >= 5 ? "five units are held" : NULL;
}

static const char *never(const struct run *run, const struct op *op)
{
    (void)run;
    (void)op;
    return NULL;
}

/* ---- a run that fails ---- */

struct failing {
    uint64_t seed;
    struct run_options options;
    struct op ops[OP_COUNT];
    uint64_t op_count;
};

static bool is_cancelled(const struct run *run)
{
    return run->record.type == STOCK_RECORD_CANCELLED;
}

static bool has_three_expired(const struct run *run)
{
    return three_expired(run, NULL) != NULL;
}

static bool has_five_units_held(const struct run *run)
{
    return five_units_held(run, NULL) != NULL;
}

/* Draws runs until one comes to what is wanted late, and returns its operations. */
static struct failing *draw(bool (*is_wanted)(const struct run *run), run_hook_fn hook)
{
    struct failing *failing = calloc(1, sizeof *failing);
    cr_assert_not_null(failing);
    bool found = false;
    while (!found || failing->op_count < 100) {
        struct generator generator;
        struct run run;
        generator_begin(&generator, ++failing->seed);
        failing->options = generator.plan.run;
        failing->op_count = 0;
        found = false;
        cr_assert(run_begin(&run, &failing->options));
        while (!found && failing->op_count < OP_COUNT) {
            struct op *op = &failing->ops[failing->op_count];
            generator_next(&generator, &run, failing->ops, failing->op_count, op);
            failing->op_count++;
            cr_assert(run_step(&run, op), "seed %llu: %s", (unsigned long long)failing->seed,
                      run.finding.text);
            generator_note(&generator, &run);
            found = is_wanted(&run);
        }
        run_end(&run);
    }
    failing->options.hook = hook;
    return failing;
}

/* Each operation is needed: without it the list does not fail any more. */
static void expect_no_operation_is_idle(const struct failing *failing,
                                        const struct shrink_result *result)
{
    for (uint64_t without = 0; without < result->op_count; without++) {
        struct op ops[OP_COUNT];
        struct run_finding finding;
        uint64_t count = 0;
        for (uint64_t i = 0; i < result->op_count; i++) {
            if (i != without)
                ops[count++] = failing->ops[i];
        }
        cr_assert(shrink_try(&failing->options, ops, count, &finding));
        cr_expect_str_neq(finding.check, result->finding.check, "operation %llu is idle",
                          (unsigned long long)without);
    }
}

static uint64_t count_kind(const struct failing *failing, uint64_t op_count, enum op_kind kind)
{
    uint64_t count = 0;
    for (uint64_t i = 0; i < op_count; i++)
        count += failing->ops[i].kind == kind;
    return count;
}

/* ---- tests ---- */

Test(shrink, run_in_which_all_agree_is_left_as_it_is)
{
    struct failing *failing = draw(has_three_expired, never);
    uint64_t op_count = failing->op_count;
    struct shrink_result result = shrink(&failing->options, failing->ops, op_count, SECONDS_MAX);
    cr_expect_str_empty(result.finding.check);
    cr_expect_eq(result.op_count, op_count);
    free(failing);
}

Test(shrink, failure_that_needs_three_expired_holds_keeps_what_makes_them)
{
    struct failing *failing = draw(has_three_expired, three_expired);
    struct shrink_result result =
        shrink(&failing->options, failing->ops, failing->op_count, SECONDS_MAX);
    cr_expect_str_eq(result.finding.check, "hook");
    cr_expect_str_eq(result.finding.text, "three holds have expired");
    cr_expect_eq(result.finding.op_index, result.op_count - 1);
    /* an item, three holds, time, three expiries; perhaps more time or an item more */
    cr_expect_geq(result.op_count, 8);
    cr_expect_leq(result.op_count, 12, "%llu are left", (unsigned long long)result.op_count);
    cr_expect_geq(count_kind(failing, result.op_count, OP_CREATE), 1);
    cr_expect_geq(count_kind(failing, result.op_count, OP_TIME), 1);
    expect_no_operation_is_idle(failing, &result);
    free(failing);
}

Test(shrink, fields_become_as_simple_as_the_failure_allows)
{
    struct failing *failing = draw(has_five_units_held, five_units_held);
    struct shrink_result result =
        shrink(&failing->options, failing->ops, failing->op_count, SECONDS_MAX);
    cr_expect_str_eq(result.finding.check, "hook");
    uint64_t units = 0;
    for (uint64_t i = 0; i < result.op_count; i++) {
        const struct op *op = &failing->ops[i];
        cr_expect(op->kind == OP_CREATE || op->kind == OP_ASK);
        if (op->kind == OP_ASK) {
            units += op->request.quantity;
            cr_expect_eq(op->request.buyer_id, 0);
            cr_expect_eq(op->request.user_data, 0);
            cr_expect_leq(op->request.item_id, result.op_count);
            cr_expect_eq(op->request.reservation_id.high, 0);
            cr_expect_leq(op->request.reservation_id.low, result.op_count);
        }
    }
    cr_expect_eq(units, 5, "%llu units in %llu operations", (unsigned long long)units,
                 (unsigned long long)result.op_count);
    free(failing);
}

Test(shrink, run_that_dies_is_shortened_too)
{
    struct failing *failing = draw(is_cancelled, dies_of_a_cancel);
    struct shrink_result result =
        shrink(&failing->options, failing->ops, failing->op_count, SECONDS_MAX);
    cr_expect_str_eq(result.finding.check, "crash");
    cr_assert_eq(result.op_count, 3, "%llu are left", (unsigned long long)result.op_count);
    cr_expect_eq(failing->ops[0].kind, OP_CREATE);
    expect_no_operation_is_idle(failing, &result);
    free(failing);
}

/* Writes the test of a run to a file, as it would be pasted. */
static void print_to(const char *path, const struct failing *failing, uint64_t op_count,
                     const char *check)
{
    struct run_finding finding = {.text = "a text", .op_index = op_count - 1};
    snprintf(finding.check, sizeof finding.check, "%s", check);
    finding.item_id = failing->options.tables.item_count_max; /* as good as any */
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    print_test(file, failing->seed, &failing->options, failing->ops, op_count, &finding);
    cr_assert_eq(fclose(file), 0);
}

Test(shrink, printed_test_compiles_whatever_the_check)
{
    static const char *const checks[] = {"reply",  "record", "item",  "conservation", "counts",
                                         "due",    "hash",   "check", "replay",       "logs",
                                         "decode", "crash",  "save",  "load",         "restart"};
    struct failing *failing = draw(has_three_expired, never);
    for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++) {
        char path[200];
        char command[1000];
        snprintf(path, sizeof path, "%s/found_%s.c", MODEL_SCRATCH_DIR, checks[i]);
        print_to(path, failing, failing->op_count, checks[i]);
        snprintf(command, sizeof command, "%s -fsyntax-only %s %s", MODEL_COMPILER, MODEL_INCLUDES,
                 path);
        cr_expect_eq(system(command), 0, "seed %llu: %s", (unsigned long long)failing->seed,
                     command);
        remove(path);
    }
    free(failing);
}
