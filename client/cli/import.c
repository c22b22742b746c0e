#include "catalogue.h"
#include "commands.h"

#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* item import: first the whole file is read and every problem in it told, then the server is asked
 * about every item whether it would create it, and only when it would create them all are they
 * created. Items that are there with the same settings count as created, so running it again after
 * a failure goes on where it stopped. */

enum { FILE_BYTES_MAX = 256 * 1024 * 1024 };

struct answer {
    hf_outcome outcome;
    hf_result result;
    hf_error error;
    hf_field invalid_field;
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
    *answer = (struct answer){reply->outcome, reply->result, reply->error, reply->invalid_field,
                              reply->is_repeat};
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
        start_item(client, &request, &pass->answers[i], options->timeout_ms);
        if (i % 1024 == 0)
            show_progress(pass, i, catalogue->item_count);
    }
    while (hf_drain(client, options->timeout_ms) == HF_ERROR_DEADLINE)
        continue;
    show_progress(pass, catalogue->item_count, catalogue->item_count);
}

/* Tells the first items that were not applied. Returns the worst outcome's exit code. */
static int tell_refusals(const char *path, const struct catalogue *catalogue,
                         const struct answer *answers)
{
    uint32_t told = 0;
    int exit_code = EXIT_APPLIED;
    for (uint32_t i = 0; i < catalogue->item_count; i++) {
        const struct answer *answer = &answers[i];
        if (answer->outcome == HF_APPLIED)
            continue;
        if (exit_code_of(answer->outcome) > exit_code)
            exit_code = exit_code_of(answer->outcome);
        if (told++ >= CATALOGUE_PROBLEM_COUNT_MAX)
            continue;
        bool has_field = answer->invalid_field != HF_FIELD_NONE;
        fprintf(stderr, "%s:%u:1: %s: %s%s%s\n", path, catalogue->items[i].line,
                catalogue->items[i].settings.sku,
                answer->outcome == HF_REFUSED ? hf_result_text(answer->result)
                                              : hf_error_text(answer->error),
                has_field ? ": " : "", has_field ? hf_field_name(answer->invalid_field) : "");
    }
    if (told > CATALOGUE_PROBLEM_COUNT_MAX)
        fprintf(stderr, "%s: and %u more\n", path, told - CATALOGUE_PROBLEM_COUNT_MAX);
    return exit_code;
}

static void print_summary(const struct options *options, const struct catalogue *catalogue,
                          const struct answer *answers)
{
    uint32_t repeats = 0;
    for (uint32_t i = 0; i < catalogue->item_count; i++)
        repeats += answers[i].is_repeat;
    bool validate_only = options->given[OPTION_VALIDATE_ONLY];
    struct output output;
    output_init(&output, options->given[OPTION_JSON]);
    output_number(&output, "items", catalogue->item_count);
    output_number(&output, "created", validate_only ? 0 : catalogue->item_count - repeats);
    output_number(&output, "were_there", repeats);
    output_flush(&output);
}

static int import_items(hf_client *client, const struct options *options,
                        const struct catalogue *catalogue, struct answer *answers)
{
    bool is_terminal = isatty(STDERR_FILENO) == 1;
    struct pass checking = {"checking", true, is_terminal, answers};
    run_pass(client, options, catalogue, &checking);
    int exit_code = tell_refusals(options->file, catalogue, answers);
    if (exit_code != EXIT_APPLIED) {
        fprintf(stderr, "holdfast: nothing was created\n");
        return exit_code == EXIT_UNKNOWN ? EXIT_NOT_SENT : exit_code; /* checking does nothing */
    }
    if (!options->given[OPTION_VALIDATE_ONLY]) {
        struct pass creating = {"creating", false, is_terminal, answers};
        run_pass(client, options, catalogue, &creating);
        exit_code = tell_refusals(options->file, catalogue, answers);
    }
    if (exit_code != EXIT_APPLIED) {
        fprintf(stderr, "holdfast: not all were created; running it again goes on\n");
        return exit_code;
    }
    print_summary(options, catalogue, answers);
    return EXIT_APPLIED;
}

static int import_catalogue(hf_client *client, const struct options *options,
                            struct catalogue *catalogue)
{
    if (catalogue->problem_count > 0) {
        tell_problems(options->file, catalogue);
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
    char *text = read_file(options->file, &bytes);
    if (!text)
        return EXIT_BAD_INPUT;
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
    }
    free(text);
    return exit_code;
}
