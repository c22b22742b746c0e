/* What is refused unseen is not compared with any state, so it must not be an easy excuse: each
 * such answer needs a reason that can be seen from outside. */
#include "history_private.h"

#include "base/checksum.h"
#include "witness.h"
#include "world.h"

static void check_fact(bool is_true, uint32_t call_number, const char *check, const char *wrong)
{
    if (!is_true)
        sim_fail(check, "%s\n  was answered %s\n  %s", describe_call(call_number),
                 describe_reply(&book.calls[call_number].reply), wrong);
}

static uint32_t core_of(const struct book_call *call)
{
    const uint64_t item_id = book.items[call->item].item_id;
    return (uint32_t)(checksum64_u64(item_id, 0) % witness_core_count());
}

/* ---- READ_ONLY ---- */

/* What makes a record that others do not depend on. */
static bool can_wait(const struct history_call *asked)
{
    return asked->op == HISTORY_ITEM_CREATE ||
           (asked->op == HISTORY_ROW &&
            (asked->request.op == STOCK_OP_RESERVE || asked->request.op == STOCK_OP_EXTEND));
}

/* The hold that the call names, if it has been seen and is not forgotten. */
static const struct book_hold *find_hold(const struct book_call *call)
{
    const struct book_item *item = &book.items[call->item];
    if (call->asked.op != HISTORY_ROW)
        return NULL;
    for (uint32_t i = item->hold_count; i > 0; i--)
        if (id128_equal(item->holds[i - 1].id, call->asked.request.reservation_id) &&
            item->holds[i - 1].state != STOCK_STATE_NONE)
            return &item->holds[i - 1];
    return NULL;
}

/* A request that only reads makes a record when it meets a hold that is over. */
static bool may_make_a_record(const struct book_call *call)
{
    const struct book_hold *hold = find_hold(call);
    const bool is_open = hold != NULL && hold->state == STOCK_STATE_HELD;
    const bool is_over = is_open && hold->expires_ms <= call->to_ms;
    if (call->asked.op != HISTORY_ROW)
        return call->asked.op != HISTORY_ITEM_GET;
    switch (call->asked.request.op) {
    case STOCK_OP_RESERVE: /* known before it was asked: it would have got its first answer */
        return hold == NULL || hold->seen_event > call->asked_event || is_over;
    case STOCK_OP_GET:
        return is_over;
    default:
        return true;
    }
}

static void check_read_only(uint32_t call_number)
{
    const struct book_call *call = &book.calls[call_number];
    check_fact(!book.options.is_off, call_number, "full-disk", "and there is no log");
    if (call->life != book.life)
        return; /* its server is gone, and the answer was still on its way */
    const uint32_t core = core_of(call);
    check_fact(witness_lacked_room(core, call->asked_ns), call_number, "full-disk",
               "and the disk had room for the next segment");
    check_fact(may_make_a_record(call), call_number, "full-disk",
               "and there was nothing to be recorded");
    if (!can_wait(&call->asked) || !witness_was_low(core, call->asked_ns))
        witness_expect_full(core, call_number);
}

/* ---- the others ---- */

/* The one reason is a full queue to another core. */
static bool may_be_overloaded(const struct book_call *call)
{
    const bool is_of_life = call->life == book.life;
    return !is_of_life || witness_core_count() != 1;
}

void check_unseen(uint32_t call_number)
{
    const struct book_call *call = &book.calls[call_number];
    switch (call->reply.code) {
    case STOCK_LOADING:
        check_fact(!call->was_served, call_number, "answered",
                   "and all cores served when it was asked");
        break;
    case STOCK_READ_ONLY:
        check_read_only(call_number);
        break;
    case STOCK_OVERLOADED:
        check_fact(may_be_overloaded(call), call_number, "answered", "and nothing was in its way");
        break;
    default: /* no server has the other codes yet */
        check_fact(false, call_number, "answered", "and no server says so");
        break;
    }
}
