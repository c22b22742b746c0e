/* The command line of `holdfast`. The input is one argument a line.
 *
 * Promises:
 *   - It is understood or refused, without a look behind any argument, and help is given for what
 *     is asked for.
 *   - What is understood is a command with values that the client library takes.
 *   - The same arguments mean the same again. */

#include "arguments.h"

#include "cli/options.h"
#include "cli/value.h"

#include <getopt.h>

static FILE *nowhere;

/* What the parser prints is not looked at here. */
static bool parse(struct options *options, struct arguments *arguments, int *exit_out)
{
    FILE *normal_stdout = stdout;
    FILE *normal_stderr = stderr;
    if (nowhere == NULL)
        nowhere = fopen("/dev/null", "we");
    hf_assert(nowhere != NULL);
    optind = 0; /* as in a new process */
    stdout = nowhere;
    stderr = nowhere;
    bool is_command = options_parse(options, arguments->count, arguments->values, exit_out);
    stdout = normal_stdout;
    stderr = normal_stderr;
    return is_command;
}

static void check_command(const struct options *options)
{
    hf_assert(options->command < COMMAND_COUNT);
    hf_assert(options->server != NULL);
    hf_assert(!options->given[OPTION_SKU] || value_is_sku(options->sku));
    hf_assert(!options->given[OPTION_STOCK] || options->stock >= HF_UNLIMITED);
    hf_assert(!options->given[OPTION_HELP] && !options->given[OPTION_VERSION]);
    if (options->command >= COMMAND_RESERVE && options->command <= COMMAND_SHOW)
        hf_assert(options->item_id != 0);
    if (options->command == COMMAND_ITEM_IMPORT || options->command == COMMAND_BACKUP)
        hf_assert(options->operand != NULL);
    hf_assert(options->timeout_ms > 0);
}

static void check_again(struct arguments *arguments, const struct options *before)
{
    struct options options;
    int exit_code;
    hf_assert(parse(&options, arguments, &exit_code));
    hf_assert(options.command == before->command && options.item_id == before->item_id);
    hf_assert(memcmp(options.given, before->given, sizeof options.given) == 0);
    hf_assert(options.stock == before->stock && options.hold_ms == before->hold_ms);
    hf_assert(options.quantity == before->quantity && options.buyer_id == before->buyer_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static struct arguments arguments;
    struct options options;
    int exit_code = -1;
    arguments_take(&arguments, data, data_bytes);
    if (parse(&options, &arguments, &exit_code)) {
        check_command(&options);
        check_again(&arguments, &options);
    } else {
        hf_assert(exit_code == EXIT_APPLIED || exit_code == EXIT_USAGE);
    }
    arguments_free(&arguments);
    return 0;
}
