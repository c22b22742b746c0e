#include "catalogue.h"
#include "commands.h"

#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* item import: first the whole file is read and every problem in it told, then the server is asked
 * about every item whether it would create it, and only when it would create each are they created.
 * Each by itself: whether there is room for all of them shows only on the way. Items that are there
 * with the same settings count as created, so running it again goes on where it stopped. */

enum { FILE_BYTES_MAX = 256 * 1024 * 1024 };

struct answer {
    const hf_item_settings *wanted;
    hf_outcome outcome;
    hf_error error;
    struct refusal refusal;
    bool is_repeat;
};

/* One pass over all items. The answers are written by callbacks, read after hf_drain(). */
struct pass {
    const char *name;
    bool validate_only;
    bool shows_progress;
    struct answer *answers;
};

/* ---- the file ---- */

/* With room for one byte more. NULL with a message when it can't be read. */
static char *read_file(const char *path, size_t *bytes_out)
{
    FILE *file = fopen(path, "rb");
    size_t capacity = 1 << 16;
    size_t bytes = 0;
    char *text = file ? malloc(capacity + 1) : NULL;
    while (text) {
        bytes += fread(text + bytes, 1, capacity - bytes, file);
        if (bytes < capacity)
            break;
        capacity *= 2;
        char *larger = capacity <= FILE_BYTES_MAX ? realloc(text, capacity + 1) : NULL;
        if (!larger) {
            free(text);
            errno = EFBIG;
        }
        text = larger;
    }
    if (text && ferror(file)) {
        free(text);
        text = NULL;
    }
    if (!text)
        fprintf(stderr, "holdfast: %s: %s\n", path, strerrordesc_np(errno));
    if (file)
        fclose(file);
    *bytes_out = bytes;
    return text;
}

static void tell_problems(const char *path, const struct catalogue *catalogue)
{
    for (uint32_t i = 0; i < catalogue->problem_count && i < CATALOGUE_PROBLEM_COUNT_MAX; i++) {
        const struct catalogue_problem *problem = &catalogue->problems[i];
        fprintf(stderr, "%s:%u:%u: %s\n", path, problem->line, problem->column, problem->text);
    }
    if (catalogue->problem_count > CATALOGUE_PROBLEM_COUNT_MAX)
        fprintf(stderr, "%s: and %u more\n", path,
                catalogue->problem_count - CATALOGUE_PROBLEM_COUNT_MAX);
    fprintf(stderr, "holdfast: %s is not good, nothing was created\n", path);
}

/* ---- passes ---- */

static void take_answer(const hf_item_reply *reply, void *context)
{
    struct answer *answer = context;
    answer->outcome = reply->outcome;
    answer->error = reply->error;
    answer->is_repeat = reply->is_repeat;
    answer->refusal = (struct refusal){
        .command = COMMAND_ITEM_IMPORT,
        .result = reply->result,
        .invalid_field = reply->invalid_field,
        .differences =
            reply->has_item ? refusal_differences(answer->wanted, &reply->item.settings) : 0,
    };
}

static void show_progress(const struct pass *pass, uint32_t done, uint32_t count)
{
    if (pass->shows_progress)
        fprintf(stderr, "\r%s %u of %u%s", pass->name, done, count, done == count ? "\n" : "");
}

/* Starts one request, and waits for those before it when too many are under way. Every one of them
 * ends at its deadline at the latest. */
static void start_item(hf_client *client, const hf_item_create_request *request,
                       struct answer *answer, uint32_t timeout_ms)
{
    hf_error error;
    while ((error = hf_item_create_async(client, request, take_answer, answer)) == HF_ERROR_FULL)
        hf_drain(client, timeout_ms);
    if (error != HF_ERROR_NONE)
        *answer = (struct answer){.outcome = HF_NOT_SENT, .error = error};
}

static void run_pass(hf_client *client, const struct options *options,
                     const struct catalogue *catalogue, struct pass *pass)
{
    for (uint32_t i = 0; i < catalogue->item_count; i++) {
        hf_item_create_request request = {.settings = catalogue->items[i].settings,
                                          .validate_only = pass->validate_only};
        pass->answers[i] = (struct answer){.wanted = &catalogue->items[i].settings};
        start_item(client, &request, &pass->answers[i], options->timeout_ms);
        if (i % 1024 == 0)
            show_progress(pass, i, catalogue->item_count);
    }
    while (hf_drain(client, options->timeout_ms) == HF_ERROR_DEADLINE)
        continue;
    show_progress(pass, catalogue->item_count, catalogue->item_count);
}

/* Why an item was not created. */
static void format_answer(const struct answer *answer, char text_out[REFUSAL_TEXT_BYTES])
{
    if (answer->outcome == HF_REFUSED)
        refusal_format(&answer->refusal, text_out);
    else
        snprintf(text_out, REFUSAL_TEXT_BYTES, "%s", hf_error_text(answer->error));
}

/* Tells the first items that were not applied. Returns the worst outcome. */
static hf_outcome tell_refusals(const char *path, const struct catalogue *catalogue,
                                const struct answer *answers)
{
    uint32_t told = 0;
    hf_outcome worst = HF_APPLIED;
    for (uint32_t i = 0; i < catalogue->item_count; i++) {
        const struct answer *answer = &answers[i];
        if (answer->outcome == HF_APPLIED)
            continue;
        if (answer->outcome > worst)
            worst = answer->outcome;
        if (told++ >= CATALOGUE_PROBLEM_COUNT_MAX)
            continue;
        char text[REFUSAL_TEXT_BYTES];
        format_answer(answer, text);
        fprintf(stderr, "%s:%u:1: %s: %s\n", path, catalogue->items[i].line,
                catalogue->items[i].settings.sku, text);
    }
    if (told > CATALOGUE_PROBLEM_COUNT_MAX)
        fprintf(stderr, "%s: and %u more\n", path, told - CATALOGUE_PROBLEM_COUNT_MAX);
    return worst;
}

/* ---- what it came to ---- */

struct summary {
    hf_outcome outcome;
    uint32_t items;
    uint32_t created; /* or would be */
    uint32_t were_there;
    bool met_full_table;
};

static struct summary sum_up(const struct catalogue *catalogue, const struct answer *answers,
                             hf_outcome outcome)
{
    struct summary summary = {.outcome = outcome, .items = catalogue->item_count};
    for (uint32_t i = 0; i < catalogue->item_count; i++) {
        bool is_there = answers[i].outcome == HF_APPLIED;
        summary.were_there += is_there && answers[i].is_repeat;
        summary.created += is_there && !answers[i].is_repeat;
        summary.met_full_table |=
            answers[i].outcome == HF_REFUSED && answers[i].refusal.result == HF_RESULT_CAPACITY;
    }
    return summary;
}

/* `created_name` is "created" or "would_create". A failure is printed in JSON only: people are told
 * on stderr. */
static void print_summary(const struct options *options, const struct summary *summary,
                          const char *created_name)
{
    struct output output;
    output_init(&output, options->given[OPTION_JSON]);
    if (output.is_json)
        output_text(&output, "outcome", hf_outcome_name(summary->outcome));
    output_number(&output, "items", summary->items);
    output_number(&output, created_name, summary->created);
    output_number(&output, "were_there", summary->were_there);
    if (output.is_json || summary->outcome == HF_APPLIED)
        output_flush(&output);
    else
        output_drop(&output);
}

/* Nothing was created, whatever the reason. */
static void print_nothing(const struct options *options, hf_outcome outcome, uint32_t item_count)
{
    struct summary summary = {.outcome = outcome, .items = item_count};
    print_summary(options, &summary, "created");
}

static void tell_valid(const struct options *options, const struct summary *summary)
{
    if (options->given[OPTION_JSON])
        print_summary(options, summary, "would_create");
    else
        printf("valid: would create %u of %u items, %u are there already\n", summary->created,
               summary->items, summary->were_there);
}

/* A full table can't be seen beforehand: the server tells no number of free places. */
static void tell_incomplete(const struct summary *summary)
{
    fprintf(stderr, "holdfast: %s%u of %u items were created, %u were there before; ",
            summary->outcome == HF_UNKNOWN ? "at least " : "", summary->created, summary->items,
            summary->were_there);
    if (summary->met_full_table)
        fprintf(stderr, "then the server's --max-items was reached: raise it, and run this again "
                        "to create the others\n");
    else
        fprintf(stderr, "running this again goes on\n");
}

static int import_items(hf_client *client, const struct options *options,
                        const struct catalogue *catalogue, struct answer *answers)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    struct pass checking = {"checking", true, is_terminal, answers};
    run_pass(client, options, catalogue, &checking);
    hf_outcome outcome = tell_refusals(options->operand, catalogue, answers);
    if (outcome != HF_APPLIED) {
        fprintf(stderr, "holdfast: nothing was created\n");
        if (outcome == HF_UNKNOWN)
            outcome = HF_NOT_SENT; /* checking does nothing */
        print_nothing(options, outcome, catalogue->item_count);
        return exit_code_of(outcome);
    }
    if (options->given[OPTION_VALIDATE_ONLY]) {
        struct summary summary = sum_up(catalogue, answers, outcome);
        tell_valid(options, &summary);
        return EXIT_APPLIED;
    }
    struct pass creating = {"creating", false, is_terminal, answers};
    run_pass(client, options, catalogue, &creating);
    outcome = tell_refusals(options->operand, catalogue, answers);
    struct summary summary = sum_up(catalogue, answers, outcome);
    if (outcome != HF_APPLIED)
        tell_incomplete(&summary);
    print_summary(options, &summary, "created");
    return exit_code_of(outcome);
}

static int import_catalogue(hf_client *client, const struct options *options,
                            struct catalogue *catalogue)
{
    if (catalogue->problem_count > 0) {
        tell_problems(options->operand, catalogue);
        print_nothing(options, HF_NOT_SENT, catalogue->item_count);
        return EXIT_BAD_INPUT;
    }
    struct answer *answers = calloc((size_t)catalogue->item_count + 1, sizeof *answers);
    if (!answers) {
        fprintf(stderr, "holdfast: out of memory\n");
        return EXIT_NOT_SENT;
    }
    int exit_code = import_items(client, options, catalogue, answers);
    free(answers);
    return exit_code;
}

int run_item_import(hf_client *client, const struct options *options)
{
    size_t bytes;
    char *text = read_file(options->operand, &bytes);
    if (!text) {
        print_nothing(options, HF_NOT_SENT, 0);
        return EXIT_BAD_INPUT;
    }
    uint64_t now_ms;
    int exit_code;
    const struct moment now = {0, true};
    if (moment_on_server(client, &now, &now_ms, &exit_code)) {
        struct catalogue catalogue;
        if (catalogue_read(&catalogue, text, bytes, now_ms)) {
            exit_code = import_catalogue(client, options, &catalogue);
        } else {
            fprintf(stderr, "holdfast: out of memory\n");
            exit_code = EXIT_NOT_SENT;
        }
        catalogue_free(&catalogue);
    } else {
        print_nothing(options, HF_NOT_SENT, 0);
    }
    free(text);
    return exit_code;
}
