#include "commands.h"

#include <stdio.h>

/* holdfast: the client library on the command line. One command, one connection, one answer. */

static int run(hf_client *client, const struct options *options)
{
    static int (*const commands[COMMAND_COUNT])(hf_client *, const struct options *) = {
        [COMMAND_PING] = run_ping,
        [COMMAND_ITEM_CREATE] = run_item_create,
        [COMMAND_ITEM_SHOW] = run_item_show,
        [COMMAND_ITEM_LIST] = run_item_list,
        [COMMAND_ITEM_UPDATE] = run_item_update,
        [COMMAND_ITEM_IMPORT] = run_item_import,
        [COMMAND_RESERVE] = run_reserve,
        [COMMAND_CONFIRM] = run_confirm,
        [COMMAND_CANCEL] = run_cancel,
        [COMMAND_EXTEND] = run_extend,
        [COMMAND_SHOW] = run_show,
        [COMMAND_STAT] = run_stat,
        [COMMAND_SNAPSHOT] = run_snapshot,
        [COMMAND_BACKUP] = run_backup,
    };
    return commands[options->command](client, options);
}

static hf_error open_client(const struct options *options, hf_client **client_out)
{
    hf_options client_options;
    hf_options_init(&client_options);
    client_options.server = options->server;
    client_options.client_name = "holdfast " HOLDFAST_VERSION;
    client_options.deadline_ms = options->timeout_ms;
    client_options.in_flight_max = 1024;
    client_options.fail_fast = true;
    return hf_open(&client_options, client_out);
}

int main(int argc, char **argv)
{
    struct options options;
    int exit_code;
    if (!options_parse(&options, argc, argv, &exit_code))
        return exit_code;

    hf_client *client;
    hf_error error = open_client(&options, &client);
    if (error == HF_ERROR_ARGUMENT) {
        fprintf(stderr, "holdfast: --server: '%s' is not an address such as 127.0.0.1:7411\n",
                options.server);
        return EXIT_USAGE;
    }
    if (error != HF_ERROR_NONE) {
        fprintf(stderr, "holdfast: %s: %s\n", options.server, hf_error_text(error));
        return EXIT_NOT_SENT;
    }
    exit_code = run(client, &options);
    hf_close(client);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        perror("holdfast: writing the output");
        return EXIT_USAGE;
    }
    return exit_code;
}
