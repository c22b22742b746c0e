/* While the disk has no room for the next segment and the one in use is nearly full: what can wait
 * is refused, what others wait for is done. Whether it is so is in the hand of the test. */
#include "core_play.h"

static struct play play;
static struct play_client client;
static bool is_low;

/* The linker puts it in the place of the log's own.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
bool __wrap_wal_is_low(const struct wal *wal);

bool __wrap_wal_is_low(const struct wal *wal)
{
    return wal != NULL && is_low;
}
/* NOLINTEND(bugprone-reserved-identifier) */

enum { ITEM = 1, STOCK = 10, HOLD_MS = 20 };

static uint32_t receive_result(uint8_t request_type, int64_t *available_out)
{
    const Holdfast__V1__ReservationResponse *answer =
        play_receive(&play, &client, request_type + FRAME_REPLY);
    *available_out = answer->available;
    return answer->result;
}

static void send_reserve(uint64_t id, uint64_t hold_ms)
{
    Holdfast__V1__ReserveRequest request = HOLDFAST__V1__RESERVE_REQUEST__INIT;
    request.item_id = ITEM;
    request.reservation_id_low = id;
    request.quantity = 1;
    request.hold_ms = hold_ms;
    play_send(&client, FRAME_RESERVE, id, &request.base);
}

static uint32_t reserve(uint64_t id, uint64_t hold_ms)
{
    int64_t available;
    send_reserve(id, hold_ms);
    return receive_result(FRAME_RESERVE, &available);
}

/* One hold, made while there was room. */
static void set_up(void)
{
    struct server_options options = play_options(1);
    is_low = false;
    play_start(&play, &options);
    play_connect(&play, &client, 0);
    play_create(&play, &client, ITEM, STOCK);
    cr_assert_eq(reserve(1, 0), HOLDFAST__V1__RESULT__RESULT_OK);
}

static void tear_down(void)
{
    is_low = false;
    play_disconnect(&client);
    play_end(&play);
}

TestSuite(low_room, .init = set_up, .fini = tear_down, .timeout = 60);

Test(low_room, refuses_new_holds_and_tells_what_is_free)
{
    int64_t available;
    is_low = true;
    send_reserve(2, 0);
    cr_expect_eq(receive_result(FRAME_RESERVE, &available), HOLDFAST__V1__RESULT__RESULT_READ_ONLY);
    cr_expect_eq(available, STOCK - 1);
    is_low = false;
    cr_expect_eq(reserve(2, 0), HOLDFAST__V1__RESULT__RESULT_OK);
}

Test(low_room, answers_a_repeated_hold_as_before)
{
    is_low = true;
    cr_expect_eq(reserve(1, 0), HOLDFAST__V1__RESULT__RESULT_DUPLICATE);
}

Test(low_room, lets_holds_be_paid)
{
    int64_t available;
    Holdfast__V1__ConfirmRequest request = HOLDFAST__V1__CONFIRM_REQUEST__INIT;
    is_low = true;
    request.item_id = ITEM;
    request.reservation_id_low = 1;
    play_send(&client, FRAME_CONFIRM, 3, &request.base);
    cr_expect_eq(receive_result(FRAME_CONFIRM, &available), HOLDFAST__V1__RESULT__RESULT_OK);
}

Test(low_room, lets_holds_be_cancelled)
{
    int64_t available;
    Holdfast__V1__CancelRequest request = HOLDFAST__V1__CANCEL_REQUEST__INIT;
    is_low = true;
    request.item_id = ITEM;
    request.reservation_id_low = 1;
    play_send(&client, FRAME_CANCEL, 3, &request.base);
    cr_expect_eq(receive_result(FRAME_CANCEL, &available), HOLDFAST__V1__RESULT__RESULT_OK);
    cr_expect_eq(available, STOCK);
}

Test(low_room, lets_holds_expire)
{
    cr_assert_eq(reserve(2, HOLD_MS), HOLDFAST__V1__RESULT__RESULT_OK);
    is_low = true;
    for (int turn = 0; stock_counts(play_core(&play, 0)->stock).expired == 0; turn++) {
        cr_assert_lt(turn, PLAY_TURNS_MAX);
        play_turn_all(&play);
    }
}

Test(low_room, refuses_new_items)
{
    is_low = true;
    play_send_create(&client, ITEM + 1, STOCK);
    const Holdfast__V1__ItemResponse *answer =
        play_receive(&play, &client, FRAME_ITEM_CREATE + FRAME_REPLY);
    cr_expect_eq(answer->result, HOLDFAST__V1__RESULT__RESULT_READ_ONLY);
}
