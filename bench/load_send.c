#include "bench/load_state.h"

/* What goes out, and when. Paying and cancelling come first, when they are due. New clicks go out
 * in a closed loop as soon as a slot is free; in an open one each connection has a line in the
 * plan, which is awake while the connection is open and has a free slot, and gives them their
 * moments. A line that sleeps stays behind, and is worked off in its own order when it wakes. */

void load_release_slot(struct load *load, struct connection *c, uint32_t slot_number)
{
    if (c->free_count == 0) {
        /* the answer was there when the turn began, or earlier than could be seen */
        c->room_since_ns = load->turn_began_ns;
    }
    c->slots[slot_number].row_count = 0;
    c->free_slots[c->free_count++] = (uint16_t)slot_number;
    load->in_flight--;
}

static void put_frame(struct load *load, struct connection *c, uint32_t slot_number)
{
    const struct slot *slot = &c->slots[slot_number];
    const uint64_t *rows = load_slot_rows(load, c, slot_number);
    workload_rows(load->part->workload, c->core, rows, slot->row_count, load->item_ids,
                  load->buyer_ids);
    for (uint32_t i = 0; i < slot->row_count; i++) {
        load->id_lows[i] = rows[i] + 1;
    }
    struct wire_request request = {
        .op = (enum wire_op)slot->op,
        .row_count = slot->row_count,
        .reservation_id_high = load->part->workload->run_id,
        .hold_ms = load->options->hold_ms,
        .item_id = load->item_ids,
        .reservation_id_low = load->id_lows,
        .buyer_id = load->buyer_ids,
    };
    uint8_t *frame = connection_room(c, wire_request_bytes_max(slot->row_count));
    connection_added(c, wire_encode(&request, load->options->batch > 1, slot->request_id, frame));
    load->result->frames++;
}

/* The core has got all its clicks, as far as they are this thread's. */
static void end_lines(struct load *load, uint32_t core)
{
    for (uint32_t i = 0; i < load->connection_count; i++) {
        if (load->connections[i].core == core) {
            plan_end_line(&load->plan, load->connections[i].number);
        }
    }
}

/* New clicks: in a closed loop at once, in an open one when they are planned. */
static uint32_t take_clicks(struct load *load, const struct connection *c, uint64_t now_ns,
                            uint64_t *planned_ns_out, uint64_t *rows_out)
{
    uint32_t room = (uint32_t)load->options->batch;
    if (!load_is_open_loop(load)) {
        *planned_ns_out = now_ns;
        return workload_take_clicks(load->part, c->core, room, rows_out);
    }
    uint64_t next_ns = plan_line_next_ns(&load->plan, c->number);
    if (next_ns == PLAN_NEVER || load->started_ns + next_ns > now_ns) {
        return 0;
    }
    *planned_ns_out = load->started_ns + next_ns;
    uint32_t count = workload_take_clicks(load->part, c->core, room, rows_out);
    plan_advance(&load->plan, c->number);
    if (!workload_has_clicks(load->part, c->core)) {
        end_lines(load, c->core);
    }
    return count;
}

/* What to send next on this connection: paying and cancelling come first. Returns 0 when there is
 * nothing at this moment. */
static uint32_t take(struct load *load, const struct connection *c, uint64_t now_ns,
                     enum wire_op *op_out, uint64_t *planned_ns_out, uint64_t *rows_out)
{
    uint64_t due_ns;
    uint32_t count = workload_take_follows(
        load->part, c->core, now_ns, (uint32_t)load->options->batch, op_out, &due_ns, rows_out);
    if (count > 0) {
        *planned_ns_out = load_is_open_loop(load) ? due_ns : now_ns;
        return count;
    }
    *op_out = WIRE_RESERVE;
    return take_clicks(load, c, now_ns, planned_ns_out, rows_out);
}

static void note_pace(struct load *load, const struct connection *c, const struct slot *slot)
{
    if (!load_is_open_loop(load)) {
        return;
    }
    struct load_pace *pace = &load->result->pace;
    bool waited = c->room_since_ns > slot->planned_ns;
    uint64_t could_ns = waited ? c->room_since_ns : slot->planned_ns;
    uint64_t delay_ns = slot->sent_ns - could_ns;
    pace->waited += waited;
    pace->late += delay_ns > LOAD_LATE_NS;
    histogram_record(&pace->own_delay, delay_ns, 1);
}

/* New frames into all free slots, as far as there is work. */
static void fill(struct load *load, struct connection *c)
{
    while (c->free_count > 0 && !load->ending) {
        uint32_t slot_number = c->free_slots[c->free_count - 1];
        struct slot *slot = &c->slots[slot_number];
        uint64_t now_ns = monotonic_ns();
        uint64_t planned_ns;
        enum wire_op op;
        uint32_t count =
            take(load, c, now_ns, &op, &planned_ns, load_slot_rows(load, c, slot_number));
        if (count == 0) {
            break;
        }
        c->free_count--;
        *slot = (struct slot){
            .request_id = ++c->next_serial << LOAD_SLOT_BITS | slot_number,
            .planned_ns = planned_ns,
            .sent_ns = now_ns,
            .row_count = count,
            .op = (uint8_t)op,
        };
        note_pace(load, c, slot);
        if (op == WIRE_RESERVE) {
            timeline_sent(load->timeline, planned_ns - load->started_ns, count);
        }
        if (load->in_flight++ == 0) {
            load->quiet_since_ns = now_ns;
        }
        put_frame(load, c, slot_number);
    }
    if (c->free_count > 0) {
        plan_wake(&load->plan, c->number);
    } else {
        plan_sleep(&load->plan, c->number);
    }
}

bool load_send(struct load *load, struct connection *c)
{
    fill(load, c);
    return connection_flush(c);
}

void load_send_again(struct load *load, struct connection *c)
{
    for (uint32_t i = 0; i < load->options->pipeline; i++) {
        if (c->slots[i].row_count > 0) {
            load->result->resent += c->slots[i].row_count;
            put_frame(load, c, i);
        }
    }
}

/* Every core gets its share of the rate, as it gets of the clicks; and its connections share that.
 */
void load_begin_plan(struct load *load)
{
    const struct workload *workload = load->part->workload;
    uint32_t core_count = workload->stream_count;
    uint32_t connection_count = (uint32_t)load->options->connections; /* of all threads */
    double frames = (double)load->options->rate / (double)load->options->batch;
    for (uint32_t i = 0; i < load->connection_count; i++) {
        uint32_t core = load->connections[i].core;
        uint32_t sharers = (connection_count - core + core_count - 1) / core_count;
        double share = workload->streams[core].share;
        if (share > 0) {
            plan_begin_line(&load->plan, load->connections[i].number, frames * share / sharers);
        }
    }
}
