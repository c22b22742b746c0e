#ifndef HF_CLI_COMMANDS_H
#define HF_CLI_COMMANDS_H
/* What each command does. All return an exit code. */

#include "options.h"
#include "refusal.h"

int run_ping(hf_client *client, const struct options *options);
int run_stat(hf_client *client, const struct options *options);
int run_snapshot(hf_client *client, const struct options *options);
int run_backup(hf_client *client, const struct options *options);

int run_item_create(hf_client *client, const struct options *options);
int run_item_show(hf_client *client, const struct options *options);
int run_item_list(hf_client *client, const struct options *options);
int run_item_update(hf_client *client, const struct options *options);
int run_item_import(hf_client *client, const struct options *options);

int run_reserve(hf_client *client, const struct options *options);
int run_confirm(hf_client *client, const struct options *options);
int run_cancel(hf_client *client, const struct options *options);
int run_extend(hf_client *client, const struct options *options);
int run_show(hf_client *client, const struct options *options);

/* Says on stderr what a request came to that was not answered, and returns the exit code. */
int tell_failure(hf_client *client, hf_outcome outcome, hf_result result, hf_error error);

/* The same for a refusal, in the words of the command line. */
int tell_refusal(const struct refusal *refusal);

/* The id that these bytes are. */
hf_id id_of_bytes(const uint8_t bytes[HF_SERVER_ID_BYTES]);

/* The exit code of an outcome. */
int exit_code_of(hf_outcome outcome);

/* A time on the server's clock. False when the server had to be asked and did not answer; then
 * `*exit_out` is set. */
bool moment_on_server(hf_client *client, const struct moment *moment, uint64_t *ms_out,
                      int *exit_out);

#endif
