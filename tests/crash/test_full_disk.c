/* A disk that fills up: the server ends with exit code 4 and a line that says so, and everything it
 * said yes to is there once the directory was copied to a larger place.
 *
 *     crash_full_disk CORES          needs root, for a small tmpfs in a mount namespace of its own
 */
#include "check.h"
#include "fixture.h"
#include "raw_client.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    ITEMS = 8,
    BATCH_ROWS = 512,
    ROWS_MAX = 4 << 20,
    SEGMENTS_EACH = 4, /* of 8 MiB, so many fit for each core */
};

static uint32_t acked_count; /* rows 1 .. acked_count were all accepted */

static void fill_batch(struct raw_row *rows, uint32_t first, uint8_t type)
{
    for (uint32_t i = 0; i < BATCH_ROWS; i++)
        rows[i] = (struct raw_row){
            .type = type,
            .item_id = 1 + (first + i) % ITEMS,
            .id_high = 1,
            .id_low = first + i + 1,
            .quantity = 1,
        };
}

/* Asks until the server is gone; returns the number of rows that it may have taken. */
static uint32_t run_until_full(uint16_t port)
{
    static struct raw_row rows[BATCH_ROWS];
    static struct raw_answer answers[BATCH_ROWS];
    struct raw_client client;
    struct raw_frame frame;
    raw_open(&client, port, -1);
    for (uint64_t item_id = 1; item_id <= ITEMS; item_id++)
        raw_item_make(&client, item_id, -1);
    uint32_t asked = 0;
    while (asked < ROWS_MAX) {
        fill_batch(rows, asked, FRAME_RESERVE);
        raw_put_batch(&client, RAW_SHORT, rows, BATCH_ROWS);
        asked += BATCH_ROWS;
        const enum raw_status status =
            raw_flush(&client) ? raw_receive(&client, &frame, RAW_TIMEOUT_MS) : RAW_CLOSED;
        check(status != RAW_TIMEOUT, "neither an answer nor the end");
        if (status != RAW_OK)
            break;
        check_must(raw_answers(&client, &frame, answers, BATCH_ROWS) == BATCH_ROWS,
                   "frame of type %u", frame.type);
        for (uint32_t i = 0; i < BATCH_ROWS; i++)
            check(answers[i].result == RESULT(OK), "%s", raw_result_name(answers[i].result));
        acked_count = asked;
    }
    raw_close(&client);
    return asked;
}

static void check_all_acked_are_there(struct raw_client *client, uint32_t asked)
{
    static struct raw_row rows[BATCH_ROWS];
    static struct raw_answer answers[BATCH_ROWS];
    uint64_t found = 0, held = 0;
    for (uint32_t first = 0; first < asked; first += BATCH_ROWS) {
        fill_batch(rows, first, FRAME_GET);
        raw_rows(client, RAW_SHORT, rows, BATCH_ROWS, answers);
        for (uint32_t i = 0; i < BATCH_ROWS; i++) {
            const bool is_there = answers[i].result == RESULT(OK);
            check(is_there || first >= acked_count, "acknowledged reservation %u: %s", first + i,
                  raw_result_name(answers[i].result));
            found += is_there;
        }
    }
    for (uint64_t item_id = 1; item_id <= ITEMS; item_id++)
        held += raw_item_get(client, item_id).held;
    check(held == found, "%" PRIu64 " units held, %" PRIu64 " reservations found", held, found);
    check_note("%u acknowledged, %" PRIu64 " found", acked_count, found);
}

int main(int argc, char **argv)
{
    static const char *const more[] = {"--segment-size", "8MiB", NULL};
    struct fixture fixture;
    const uint32_t core_count = fixture_core_count(argc, argv);
    fixture_init(&fixture, "full_disk", core_count, more);

    /* In a namespace of its own the mount is gone when this program is. */
    char mounted[SCRATCH_PATH_BYTES + 16], size[32], small[SCRATCH_PATH_BYTES + 32];
    snprintf(mounted, sizeof mounted, "%s/small", fixture.scratch);
    snprintf(small, sizeof small, "%s/data", mounted);
    snprintf(size, sizeof size, "size=%um", core_count * (SEGMENTS_EACH * 8 + 4));
    mkdir(mounted, 0777);
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("holdfast-test", mounted, "tmpfs", 0, size) != 0) {
        printf("skipped: no tmpfs can be mounted here: %s\n", strerror(errno));
        scratch_remove(fixture.scratch);
        return CHECK_SKIPPED;
    }

    check_situation("full_disk_ends_the_server_by_name");
    fixture.options.data = small;
    fixture_start(&fixture);
    const uint32_t asked = run_until_full(fixture.server.port);
    check_must(asked < ROWS_MAX, "the disk was never full");
    check_must(server_wait_exit(&fixture.server, 10000), "it still runs");
    char *said = server_stderr(&fixture.server);
    check(fixture.server.exit_code == SERVER_EXIT_IO, "exit code %d", fixture.server.exit_code);
    check(strcasestr(said, "no space left") != NULL, "the line does not say why:\n%s", said);
    check(acked_count > 0, "nothing was acknowledged");
    free(said);

    check_situation("what_was_acknowledged_is_there_in_a_larger_place");
    scratch_copy(small, fixture.data);
    fixture.options.data = fixture.data;
    fixture_start(&fixture);
    struct raw_client client;
    raw_open(&client, fixture.server.port, -1);
    check_all_acked_are_there(&client, asked);
    raw_item_make(&client, ITEMS + 1, 5); /* and it goes on */
    raw_close(&client);
    server_stop(&fixture.server);
    umount(mounted);
    return fixture_finish(&fixture);
}
