/* Records from a log: any bytes, and events that are nearly right, against a small state.
 *
 * The first byte says how large the tables are. Then commands of one byte and what they need:
 *
 *      0 - 7   an event of type 1 - 8, made so that it is legal, with the fields that a mask names
 *              changed, encoded, with some of its bytes changed
 *      8       bytes as they are: a length and the bytes
 *      9       time goes on
 *      10      what is due is done
 *      11      everything is checked
 *
 * Promises:
 *   - decode, encode gives the same bytes. Bytes that are no record are refused.
 *   - stock_check() says the same as the model (stock_twins.h), whatever the hash key. What it lets
 *     pass can be committed, and every invariant holds after it.
 *   - In the end every hold that was let in expires and every id is forgotten. */

#include "stock_twins.h"

enum {
    KNOWN_COUNT_MAX = 64,
    COMMAND_RAW = 8,
    COMMAND_TIME,
    COMMAND_DUE,
    COMMAND_CHECK,
    COMMAND_COUNT
};

/* What was let in, so that legal events can be made about it. */
struct known {
    struct stock_item_settings items[KNOWN_COUNT_MAX];
    struct stock_hold_event holds[KNOWN_COUNT_MAX];
    uint32_t item_count;
    uint32_t hold_count;
    uint64_t next_id;
    uint64_t now_ms;
};

/* A changed field: near the truth, small, or anything. */
static uint64_t lie(struct fuzz_tape *tape, uint64_t truth)
{
    uint8_t how = fuzz_take_u8(tape);
    return how < 4 ? truth + how - 2 : how < 8 ? how - 4u : fuzz_take_number(tape);
}

static uint64_t field(struct fuzz_tape *tape, uint16_t lies, int index, uint64_t truth)
{
    return lies >> index & 1 ? lie(tape, truth) : truth;
}

static void make_item(struct known *known, struct fuzz_tape *tape, uint16_t lies,
                      struct stock_record *record)
{
    struct stock_item_settings *item = &record->item;
    bool is_new = record->type == STOCK_RECORD_ITEM_CREATED || known->item_count == 0;
    if (is_new)
        *item = (struct stock_item_settings){.item_id = known->item_count + 1,
                                             .stock = 10,
                                             .hold_ms = 1000,
                                             .sku_bytes = fuzz_take_u8(tape) % 16};
    else
        *item = known->items[fuzz_take_u8(tape) % known->item_count];
    if (is_new)
        memset(item->sku, 'x', item->sku_bytes);
    item->item_id = field(tape, lies, 0, item->item_id);
    item->stock = (int64_t)field(tape, lies, 1, (uint64_t)item->stock);
    item->buyer_limit = (uint32_t)field(tape, lies, 2, item->buyer_limit);
    item->hold_cap = (uint32_t)field(tape, lies, 3, item->hold_cap);
    item->hold_ms = field(tape, lies, 4, item->hold_ms);
    item->opens_at_ms = field(tape, lies, 5, item->opens_at_ms);
    item->closes_at_ms = field(tape, lies, 6, item->closes_at_ms);
    item->paused = field(tape, lies, 7, item->paused) & 1;
    item->sku_bytes = (uint8_t)(field(tape, lies, 8, item->sku_bytes) % (STOCK_SKU_BYTES_MAX + 1));
    if (lies >> 9 & 1)
        item->sku[0] = (char)fuzz_take_u8(tape);
}

static void make_new_hold(struct known *known, struct fuzz_tape *tape, const struct twins *twins,
                          struct stock_hold_event *hold)
{
    static const uint64_t hold_times_ms[] = {1, 1000, 900000, STOCK_HOLD_MS_MAX};
    struct stock_item_view view = {.next_sequence = 1};
    uint8_t choice = fuzz_take_u8(tape);
    uint64_t item_id =
        known->item_count == 0 ? 1 : known->items[choice % known->item_count].item_id;
    (void)stock_item_find(twins->live, item_id, &view);
    *hold = (struct stock_hold_event){
        .item_id = item_id,
        .reservation_id = {.high = 7, .low = ++known->next_id},
        .buyer_id = choice / 16 % 4,
        .sequence = view.next_sequence,
        .expires_ms = known->now_ms + hold_times_ms[choice / 64],
        .user_data = known->next_id * 3,
        .quantity = 1 + choice % 2,
    };
}

static void make_hold(struct known *known, struct fuzz_tape *tape, const struct twins *twins,
                      uint16_t lies, struct stock_record *record)
{
    struct stock_hold_event *hold = &record->hold;
    if (record->type == STOCK_RECORD_HELD || known->hold_count == 0)
        make_new_hold(known, tape, twins, hold);
    else
        *hold = known->holds[fuzz_take_u8(tape) % known->hold_count];
    if (record->type == STOCK_RECORD_CONFIRMED)
        hold->quantity_confirmed = hold->quantity;
    if (record->type == STOCK_RECORD_EXTENDED)
        hold->expires_ms++;
    bool is_late = record->type == STOCK_RECORD_EXPIRED && record->time_ms < hold->expires_ms;
    if (is_late)
        record->time_ms = hold->expires_ms;
    hold->item_id = field(tape, lies, 0, hold->item_id);
    hold->reservation_id.low = field(tape, lies, 1, hold->reservation_id.low);
    hold->reservation_id.high = field(tape, lies, 2, hold->reservation_id.high);
    hold->buyer_id = field(tape, lies, 3, hold->buyer_id);
    hold->sequence = field(tape, lies, 4, hold->sequence);
    hold->expires_ms = field(tape, lies, 5, hold->expires_ms);
    hold->user_data = field(tape, lies, 6, hold->user_data);
    hold->quantity = (uint32_t)field(tape, lies, 7, hold->quantity);
    hold->quantity_confirmed = (uint32_t)field(tape, lies, 8, hold->quantity_confirmed);
}

/* Notes what was let in. */
static void learn(struct known *known, const struct stock_record *record)
{
    switch (record->type) {
    case STOCK_RECORD_ITEM_CREATED:
        if (known->item_count < KNOWN_COUNT_MAX)
            known->items[known->item_count++] = record->item;
        return;
    case STOCK_RECORD_ITEM_UPDATED:
        for (uint32_t i = 0; i < known->item_count; i++)
            if (known->items[i].item_id == record->item.item_id)
                known->items[i] = record->item;
        return;
    case STOCK_RECORD_HELD:
        if (known->hold_count < KNOWN_COUNT_MAX)
            known->holds[known->hold_count++] = record->hold;
        return;
    default:
        for (uint32_t i = 0; i < known->hold_count; i++)
            if (id128_equal(known->holds[i].reservation_id, record->hold.reservation_id) &&
                known->holds[i].item_id == record->hold.item_id)
                known->holds[i] = record->hold;
        return;
    }
}

static void apply(struct twins *twins, struct known *known, const uint8_t *bytes, uint32_t count)
{
    struct stock_record record;
    if (twins_apply(twins, bytes, count) != NULL)
        return;
    hf_assert(stock_record_decode(bytes, count, &record) == NULL);
    learn(known, &record);
}

/* The mask: bits 0 - 9 fields, 10 the time, 11 bytes of the encoded record. */
static void apply_event(struct twins *twins, struct known *known, struct fuzz_tape *tape,
                        uint8_t type)
{
    static uint8_t bytes[STOCK_RECORD_BYTES_MAX];
    struct stock_record record = {.type = type, .time_ms = known->now_ms};
    uint16_t lies = fuzz_take_u16(tape);
    if (type <= STOCK_RECORD_ITEM_UPDATED)
        make_item(known, tape, lies, &record);
    else
        make_hold(known, tape, twins, lies, &record);
    record.time_ms = field(tape, lies, 10, record.time_ms);
    uint32_t count = stock_record_encode(&record, bytes);
    if (lies >> 11 & 1) {
        bytes[fuzz_take_u8(tape) % count] = fuzz_take_u8(tape);
        count = fuzz_take_u8(tape) % 4 == 0 ? fuzz_take_u8(tape) : count;
    }
    apply(twins, known, bytes, count);
}

/* From memory of its own length. */
static void apply_raw(struct twins *twins, struct known *known, struct fuzz_tape *tape)
{
    static uint8_t memory[STOCK_RECORD_BYTES_MAX];
    size_t count;
    size_t count_max = fuzz_take_u8(tape);
    const uint8_t *from = fuzz_take_bytes(tape, count_max, &count);
    uint8_t *bytes = memory + sizeof memory - count; /* nothing stands behind it */
    memcpy(bytes, from, count);
    apply(twins, known, bytes, (uint32_t)count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static struct known known;
    struct twins twins;
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    known = (struct known){.now_ms = 1700000000000};
    twins_open(&twins, fuzz_take_u8(&tape));
    while (fuzz_left(&tape) > 0) {
        uint8_t command = fuzz_take_u8(&tape) % COMMAND_COUNT;
        switch (command) {
        case COMMAND_RAW:
            apply_raw(&twins, &known, &tape);
            break;
        case COMMAND_TIME:
            known.now_ms += 7 * fuzz_take_number(&tape) % (1ull << 36);
            break;
        case COMMAND_DUE:
            twins_due(&twins, known.now_ms, 1 + fuzz_take_u8(&tape) % 8);
            break;
        case COMMAND_CHECK:
            twins_check(&twins);
            break;
        default:
            apply_event(&twins, &known, &tape, (uint8_t)(command + 1));
            break;
        }
    }
    if (data_bytes % 4 == 0)
        twins_check(&twins);
    twins_drain(&twins);
    if (data_bytes % 4 == 1)
        twins_check(&twins);
    twins_close(&twins);
    return 0;
}
