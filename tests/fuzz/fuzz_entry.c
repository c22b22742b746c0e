/* Snapshots from outside: any bytes, and entries that are nearly true, against an empty state.
 *
 * The first two bytes say how large the tables are and how it is loaded. Then commands of one byte
 * and what they need:
 *
 *      0       an item
 *      1       a reservation, such as may be true; its item and its buyer have its units
 *      2       time goes on
 *      3       a lie: a field of an entry is changed
 *      4       an entry is left out
 *      5       an entry is there twice
 *      6       two entries change places
 *      7       bytes as they are, behind all entries: a length and the bytes
 *      8       a sum in the end of the snapshot is changed
 *
 * Promises:
 *   - The model of the rules (tests/lib/stock_model.h) says the same: true, no room, or refused;
 *     whatever the hash key, and in whatever pieces the entries come.
 *   - What is taken breaks no invariant, has the model's hash, counts and future, and can be saved:
 *     what is written then has the same hash, and is taken again. */

#include "fuzz.h"

#include "stock/load.h"
#include "stock/stock.h"
#include "stock_model.h"

enum {
    MADE_COUNT_MAX = 48,
    ITEM_COUNT_MAX = 6,
    CHANGE_COUNT_MAX = 12,
    RAW_BYTES_MAX = 200,
    PAGE_BYTES = (MADE_COUNT_MAX + 16) * STOCK_ENTRY_BYTES_MAX,
};
#define START_MS 1700000000000ull

enum command {
    COMMAND_ITEM,
    COMMAND_RESERVATION,
    COMMAND_TIME,
    COMMAND_LIE,
    COMMAND_LEAVE_OUT,
    COMMAND_DOUBLE,
    COMMAND_EXCHANGE,
    COMMAND_RAW,
    COMMAND_SUM,
    COMMAND_COUNT,
};

/* Items, buyers and reservations in three lists, so that they come in this order. */
struct script {
    struct stock_entry items[ITEM_COUNT_MAX];
    struct stock_entry buyers[MADE_COUNT_MAX];
    struct stock_entry reservations[MADE_COUNT_MAX];
    uint32_t item_count, buyer_count, reservation_count;
    uint64_t now_ms;
    struct change {
        enum command command;
        uint8_t a, b, place, how;
        uint64_t value;
    } changes[CHANGE_COUNT_MAX];
    uint32_t change_count;
    const uint8_t *raw;
    size_t raw_bytes;
};

/* ---- entries that are true ---- */

static void make_item(struct script *script, struct fuzz_tape *tape)
{
    uint8_t how = fuzz_take_u8(tape);
    if (script->item_count == ITEM_COUNT_MAX)
        return;
    struct stock_item_entry *item = &script->items[script->item_count].item;
    script->items[script->item_count++].type = STOCK_ENTRY_ITEM;
    *item = (struct stock_item_entry){
        .settings = {.item_id = script->item_count,
                     .stock = how % 2 == 0 ? STOCK_UNLIMITED : 200,
                     .hold_ms = 1000,
                     .paused = how / 2 % 2,
                     .sku_bytes = how / 4 % 16},
        .created_ms = START_MS,
        .sold = how / 64, /* as much is forgotten */
        .next_sequence = 1,
    };
    memset(item->settings.sku, 'x', item->settings.sku_bytes);
}

/* What this buyer has of this item, from now on if need be. */
static struct stock_buyer_entry *buyer_of(struct script *script, uint64_t item_id,
                                          uint64_t buyer_id)
{
    for (uint32_t i = 0; i < script->buyer_count; i++) {
        struct stock_buyer_entry *buyer = &script->buyers[i].buyer;
        if (buyer->item_id == item_id && buyer->buyer_id == buyer_id)
            return buyer;
    }
    struct stock_entry *entry = &script->buyers[script->buyer_count++];
    entry->type = STOCK_ENTRY_BUYER;
    entry->buyer = (struct stock_buyer_entry){.item_id = item_id, .buyer_id = buyer_id};
    return &entry->buyer;
}

/* Adds what the reservation holds or has bought to what its item and buyer have. */
static void count_units(struct script *script, struct stock_item_entry *item,
                        const struct stock_reservation_entry *reservation)
{
    const struct stock_hold_event *hold = &reservation->hold;
    bool is_held = reservation->state == STOCK_STATE_HELD;
    if (is_held)
        item->held += hold->quantity;
    else
        item->sold += hold->quantity_confirmed;
    if (hold->buyer_id == 0 || reservation->state > STOCK_STATE_CONFIRMED)
        return;
    struct stock_buyer_entry *buyer = buyer_of(script, hold->item_id, hold->buyer_id);
    buyer->units_held += is_held ? hold->quantity : 0;
    buyer->open_holds += is_held;
    buyer->units_sold += hold->quantity_confirmed;
}

static void make_reservation(struct script *script, struct fuzz_tape *tape)
{
    uint8_t which = fuzz_take_u8(tape);
    uint8_t times = fuzz_take_u8(tape);
    if (script->reservation_count == MADE_COUNT_MAX || script->item_count == 0)
        return;
    struct stock_item_entry *item = &script->items[which % 8 % script->item_count].item;
    struct stock_reservation_entry *reservation =
        &script->reservations[script->reservation_count].reservation;
    script->reservations[script->reservation_count++].type = STOCK_ENTRY_RESERVATION;
    uint64_t lasts_ms = 1 + times / 16 * 100;
    *reservation = (struct stock_reservation_entry){
        .hold = {.item_id = item->settings.item_id,
                 .reservation_id = {9, script->reservation_count},
                 .buyer_id = which / 8 % 4,
                 .sequence = item->next_sequence++,
                 .expires_ms = script->now_ms + lasts_ms,
                 .quantity = 1 + times % 4},
        .created_ms = script->now_ms,
        .set_ms = script->now_ms,
        .state = (uint8_t)(STOCK_STATE_HELD + which / 32 % 4),
    };
    if (reservation->state == STOCK_STATE_CONFIRMED)
        reservation->hold.quantity_confirmed = 1 + times % 4 / 2;
    if (reservation->state == STOCK_STATE_EXPIRED)
        reservation->set_ms += lasts_ms + times / 4 % 4;
    count_units(script, item, reservation);
}

/* ---- untruth ---- */

static void note_change(struct script *script, enum command command, struct fuzz_tape *tape)
{
    struct change change = {.command = command, .a = fuzz_take_u8(tape)};
    if (command == COMMAND_EXCHANGE)
        change.b = fuzz_take_u8(tape);
    if (command == COMMAND_LIE || command == COMMAND_SUM) {
        change.place = fuzz_take_u8(tape);
        change.how = fuzz_take_u8(tape);
        change.value = change.how < 8 ? 0 : fuzz_take_number(tape);
    }
    if (script->change_count < CHANGE_COUNT_MAX)
        script->changes[script->change_count++] = change;
}

/* Near the truth, small, or anything. */
static uint64_t lie(const struct change *change, uint64_t truth)
{
    if (change->how < 4)
        return truth + change->how - 2;
    return change->how < 8 ? change->how - 4u : change->value;
}

/* Any aligned eight or four bytes of an entry, or its type's fourth byte. */
static void change_field(struct stock_entry *entry, const struct change *change)
{
    uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
    uint32_t count = stock_entry_encode(entry, bytes);
    uint32_t place = change->place % 64 * 4 % count;
    uint32_t width = change->place / 64 % 2 == 0 && place + 8 <= count ? 8 : 4;
    if (place == 0) {
        place = 3;
        width = 1;
    }
    uint64_t value = 0; /* little-endian, like everything that this project runs on */
    memcpy(&value, bytes + place, width);
    value = lie(change, value);
    memcpy(bytes + place, &value, width);
    struct stock_entry changed = *entry;
    if (stock_entry_decode(bytes, count, &changed) == NULL)
        *entry = changed;
}

static void change_sum(struct stock_saved *saved, const struct change *change)
{
    uint64_t *const sums[] = {&saved->item_count, &saved->buyer_count, &saved->reservation_count,
                              &saved->state_hash, &saved->time_ms};
    uint64_t *sum = sums[change->place % 5];
    *sum = lie(change, *sum);
}

/* All entries in their order, and what was done to them. */
static uint32_t gather(const struct script *script, struct stock_entry *entries)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < script->item_count; i++)
        entries[count++] = script->items[i];
    for (uint32_t i = 0; i < script->buyer_count; i++)
        entries[count++] = script->buyers[i];
    for (uint32_t i = 0; i < script->reservation_count; i++)
        entries[count++] = script->reservations[i];
    for (uint32_t i = 0; i < script->change_count && count > 0; i++) {
        const struct change *change = &script->changes[i];
        struct stock_entry *a = &entries[change->a % count];
        struct stock_entry *b = &entries[change->b % count];
        struct stock_entry kept = *a;
        if (change->command == COMMAND_LIE)
            change_field(a, change);
        else if (change->command == COMMAND_LEAVE_OUT)
            *a = entries[--count];
        else if (change->command == COMMAND_DOUBLE)
            entries[count++] = kept;
        else if (change->command == COMMAND_EXCHANGE) {
            *a = *b;
            *b = kept;
        }
    }
    return count;
}

static void make_snapshot(const struct script *script, struct stock_model_snapshot *snapshot)
{
    static struct stock_entry entries[ITEM_COUNT_MAX + 2 * MADE_COUNT_MAX + CHANGE_COUNT_MAX];
    uint8_t bytes[STOCK_ENTRY_BYTES_MAX];
    uint32_t count = gather(script, entries);
    *snapshot = (struct stock_model_snapshot){.entry_count = count};
    for (uint32_t i = 0; i < count; i++)
        stock_model_snapshot_append(snapshot, bytes, stock_entry_encode(&entries[i], bytes));
    stock_model_snapshot_append(snapshot, script->raw, script->raw_bytes);
    snapshot->entry_count += script->raw_bytes > 0;
    snapshot->saved.time_ms = script->now_ms + 2000;
    (void)stock_model_snapshot_count_again(snapshot);
    for (uint32_t i = 0; i < script->change_count; i++) {
        if (script->changes[i].command == COMMAND_SUM)
            change_sum(&snapshot->saved, &script->changes[i]);
    }
}

static void run_script(struct fuzz_tape *tape, struct script *script)
{
    *script = (struct script){.now_ms = START_MS};
    while (fuzz_left(tape) > 0) {
        enum command command = fuzz_take_u8(tape) % COMMAND_COUNT;
        switch (command) {
        case COMMAND_ITEM:
            make_item(script, tape);
            break;
        case COMMAND_RESERVATION:
            make_reservation(script, tape);
            break;
        case COMMAND_TIME:
            script->now_ms += fuzz_take_number(tape) % (1ull << 36);
            break;
        case COMMAND_RAW:
            script->raw =
                fuzz_take_bytes(tape, fuzz_take_u8(tape) % RAW_BYTES_MAX, &script->raw_bytes);
            break;
        default:
            note_change(script, command, tape);
            break;
        }
    }
}

/* ---- loading ---- */

static bool is_even(const void *context, uint64_t item_id)
{
    (void)context;
    return item_id % 2 == 0;
}

/* As many whole entries as there are, up to `count`. */
static uint32_t piece_bytes(const uint8_t *from, size_t bytes_left, uint32_t count)
{
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count && bytes + 2 <= bytes_left; i++)
        bytes += from[bytes] | (uint32_t)from[bytes + 1] << 8;
    return bytes;
}

/* In pieces of so many entries; the last one has all that is left. */
static const char *load(struct stock *stock, const uint8_t *bytes, size_t bytes_count,
                        uint64_t entry_count, uint32_t piece, const struct stock_saved *saved,
                        struct stock_wanted wanted)
{
    uint32_t refused_index;
    stock_load_begin(stock);
    hf_assert(stock_load_snapshot_begin(stock, wanted));
    while (entry_count > piece) {
        uint32_t count = piece_bytes(bytes, bytes_count, piece);
        if (count > bytes_count)
            count = (uint32_t)bytes_count;
        const char *problem = stock_load_entries(stock, bytes, count, piece, &refused_index);
        if (problem != NULL)
            return problem;
        bytes += count;
        bytes_count -= count;
        entry_count -= piece;
    }
    const char *problem = stock_load_entries(stock, bytes, (uint32_t)bytes_count,
                                             (uint32_t)entry_count, &refused_index);
    return problem != NULL ? problem : stock_load_snapshot_end(stock, saved);
}

static struct stock *open_stock(struct stock_options options, uint64_t hash_key)
{
    options.hash_key = hash_key;
    struct stock *stock = stock_create(&options);
    hf_assert(stock != NULL);
    return stock;
}

static void check_same_counts(const struct stock *stock, const struct stock_model *model)
{
    struct stock_counts a = stock_counts(stock);
    struct stock_counts b = stock_model_counts(model);
    hf_assert(memcmp(&a, &b, sizeof a) == 0);
    hf_assert(stock_hash(stock) == stock_model_hash(model));
    hf_assert(stock_time_ms(stock) == stock_model_time_ms(model));
}

/* To the end of time. */
static void check_same_future(struct stock *stock, struct stock_model *model)
{
    for (;;) {
        struct stock_record record, expected;
        uint8_t bytes[STOCK_RECORD_BYTES_MAX];
        uint8_t expected_bytes[STOCK_RECORD_BYTES_MAX];
        hf_assert(stock_next_due_ms(stock) == stock_model_next_due_ms(model));
        bool is_due = stock_decide_due(stock, STOCK_TIME_MS_MAX, &record);
        hf_assert(stock_model_decide_due(model, STOCK_TIME_MS_MAX, &expected) == is_due);
        if (!is_due)
            return;
        uint32_t count = stock_record_encode(&record, bytes);
        hf_assert(stock_record_encode(&expected, expected_bytes) == count);
        hf_assert(memcmp(bytes, expected_bytes, count) == 0);
        hf_assert(stock_check(stock, &record) == NULL);
        stock_commit(stock, &record);
        hf_assert(stock_model_apply(model, &expected) == NULL);
    }
}

/* Saved and loaded once more it is the same. */
static void check_round(struct stock *stock, const struct stock_options *options)
{
    static uint8_t bytes[PAGE_BYTES];
    struct stock_page page = {.to = bytes, .bytes_max = sizeof bytes};
    struct stock_saved saved;
    uint64_t hash = stock_hash(stock);
    stock_save_begin(stock, &page);
    hf_assert(stock_save_step(stock, sizeof bytes));
    stock_save_end(stock, &saved);
    hf_assert(saved.state_hash == hash);
    struct stock *again = open_stock(*options, 5);
    hf_assert(load(again, bytes, page.bytes, page.entry_count, 7, &saved,
                   (struct stock_wanted){NULL, NULL}) == NULL);
    hf_assert(stock_load_end(again));
    stock_assert_valid(again);
    hf_assert(stock_hash(again) == hash);
    stock_destroy(&again);
}

static void check_taken(struct stock *stock, struct stock_model *model,
                        const struct stock_options *options)
{
    stock_model_load_end(model);
    hf_assert(stock_load_end(stock));
    stock_assert_valid(stock);
    check_same_counts(stock, model);
    check_round(stock, options);
    check_same_future(stock, model);
    stock_assert_valid(stock);
    check_same_counts(stock, model);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
    static const uint32_t counts[] = {1, 3, 16, MADE_COUNT_MAX};
    static const uint64_t retentions_ms[] = {0, 1, 1000, 24 * 3600 * 1000};
    static struct script script;
    struct fuzz_tape tape = fuzz_tape_of(data, data_bytes);
    uint8_t shape = fuzz_take_u8(&tape);
    uint8_t how = fuzz_take_u8(&tape);
    const struct stock_options options = {
        .item_count_max = counts[shape % 4],
        .reservation_count_max = counts[shape / 4 % 4],
        .buyer_count_max = counts[shape / 16 % 4],
        .retention_ms = retentions_ms[shape / 64],
    };
    const struct stock_wanted wanted = {how % 4 == 0 ? is_even : NULL, NULL};
    struct stock_model_snapshot snapshot;
    run_script(&tape, &script);
    make_snapshot(&script, &snapshot);
    struct stock *stock = open_stock(options, 0x1234567);
    struct stock *other = open_stock(options, 0xfedcba987654321);
    struct stock_model *model = stock_model_create(&options);
    const char *problem = load(stock, snapshot.bytes, snapshot.bytes_count, snapshot.entry_count,
                               1 + how / 4, &snapshot.saved, wanted);
    hf_assert(load(other, snapshot.bytes, snapshot.bytes_count, snapshot.entry_count, 1000,
                   &snapshot.saved, wanted) == problem);
    const char *expected = stock_model_load(model, &snapshot, wanted);
    hf_assert((problem == NULL) == (expected == NULL));
    hf_assert((problem == stock_check_full) == (expected == stock_model_full));
    if (problem == NULL)
        check_taken(stock, model, &options);
    stock_destroy(&stock);
    stock_destroy(&other);
    stock_model_destroy(&model);
    stock_model_snapshot_free(&snapshot);
    return 0;
}
