#include "stock/layout.h"
#include "stock/state.h"
#include "stock/touch.h"

/* Records are worked off in batches: all are decoded and hashed; then the lines of the indexes are
 * touched, then the slots that they name, then what these name, each in a short loop; and then each
 * record is checked and committed in its turn. A record may well depend on an earlier one of its
 * batch: what is touched is only a guess. */

enum { BATCH = 64 };
_Static_assert(BATCH * 3 <= TOUCH_MAX, "three lines of a record at a time");

struct read_record {
    struct stock_record record;
    bool is_wanted;
    uint64_t item_hash;
    uint32_t reservation_slot; /* of a change: most likely this one */
};

struct batch {
    struct read_record reads[BATCH];
    uint32_t count;
};

static bool is_held_by_buyer(const struct stock_record *record)
{
    return record->type == STOCK_RECORD_HELD && record->hold.buyer_id != 0;
}

/* ---- reading ---- */

/* Decodes the first of the rest, and takes it off. */
static const char *decode_first(struct stock_records *rest, struct stock_record *record)
{
    uint32_t record_bytes = layout_first_bytes(rest->from, rest->bytes);
    if (record_bytes == 0)
        return "records do not fill their bytes";
    const char *problem = stock_record_decode(rest->from, record_bytes, record);
    if (problem != NULL)
        return problem;
    record->lsn = rest->first_lsn;
    rest->first_lsn += rest->first_lsn != 0;
    rest->from += record_bytes;
    rest->bytes -= record_bytes;
    rest->count--;
    return NULL;
}

/* The next records of the rest. Returns why there are fewer than there could be. */
static const char *fill(const struct stock *stock, struct batch *batch, struct stock_records *rest,
                        struct stock_wanted wanted)
{
    batch->count = 0;
    while (batch->count < BATCH && rest->count > 0) {
        struct read_record *read = &batch->reads[batch->count];
        struct stock_record *record = &read->record;
        const char *problem = decode_first(rest, record);
        if (problem != NULL)
            return problem;
        read->is_wanted = wanted_takes(wanted, stock_record_item_id(record));
        if (read->is_wanted)
            read->item_hash = record_hash_keys(stock, record);
        batch->count++;
    }
    return NULL;
}

/* ---- touching ---- */

static void add_index_lines(const struct stock *stock, const struct read_record *read,
                            struct touch_list *list)
{
    const struct stock_record *record = &read->record;
    touch_add(list, index_line(&stock->item_index, read->item_hash));
    if (stock_record_is_of_item(record))
        return;
    touch_add(list, index_line(&stock->reservation_index, record->reservation_hash));
    if (is_held_by_buyer(record))
        touch_add(list, index_line(&stock->buyer_index, record->buyer_hash));
}

static void add_slots(const struct stock *stock, struct read_record *read, struct touch_list *list)
{
    const struct stock_record *record = &read->record;
    read->reservation_slot = INDEX_SLOT_NONE;
    (void)touch_add_slot(list, &stock->item_index, read->item_hash, &stock->items);
    if (is_held_by_buyer(record))
        (void)touch_add_slot(list, &stock->buyer_index, record->buyer_hash, &stock->buyers);
    if (stock_record_is_of_item(record) || record->type == STOCK_RECORD_HELD)
        return;
    read->reservation_slot = touch_add_slot(list, &stock->reservation_index,
                                            record->reservation_hash, &stock->reservations);
    if (read->reservation_slot != INDEX_SLOT_NONE)
        timer_prefetch(stock->timer, read->reservation_slot);
}

/* A hold ends without a sale, and so its buyer may go. */
static bool is_end_without_sale(const struct stock_record *record)
{
    return record->type == STOCK_RECORD_CANCELLED || record->type == STOCK_RECORD_EXPIRED;
}

/* The buyer of a reservation that changes, and what names him. */
static void add_links(const struct stock *stock, const struct read_record *read,
                      struct touch_list *list)
{
    if (read->reservation_slot == INDEX_SLOT_NONE)
        return;
    const struct reservation *reservation = reservation_at(stock, read->reservation_slot);
    if (reservation->buyer_slot == STOCK_SLOT_NONE)
        return;
    touch_add(list, buyer_at(stock, reservation->buyer_slot));
    if (is_end_without_sale(&read->record)) {
        uint64_t item_id = stock_record_item_id(&read->record);
        uint64_t hash = buyer_hash(stock, item_id, reservation->buyer_id);
        touch_add(list, index_line(&stock->buyer_index, hash));
    }
}

static void touch_batch(const struct stock *stock, struct batch *batch)
{
    struct touch_list list;
    touch_begin(&list);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->reads[i].is_wanted)
            add_index_lines(stock, &batch->reads[i], &list);
    }
    touch_all(&list);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->reads[i].is_wanted)
            add_slots(stock, &batch->reads[i], &list);
    }
    touch_all(&list);
    for (uint32_t i = 0; i < batch->count; i++) {
        if (batch->reads[i].is_wanted)
            add_links(stock, &batch->reads[i], &list);
    }
    touch_all(&list);
}

/* ---- doing ---- */

static const char *commit_all(struct stock *stock, struct batch *batch,
                              struct stock_replayed *replayed)
{
    for (uint32_t i = 0; i < batch->count; i++) {
        struct read_record *read = &batch->reads[i];
        if (read->is_wanted) {
            const char *problem = check_hashed(stock, &read->record, read->item_hash);
            if (problem != NULL)
                return problem;
            stock_commit(stock, &read->record);
            replayed->committed_count++;
        }
        replayed->read_count++;
    }
    return NULL;
}

const char *stock_replay(struct stock *stock, const struct stock_records *records,
                         struct stock_wanted wanted, struct stock_replayed *replayed_out)
{
    struct stock_records rest = *records;
    struct batch batch;
    *replayed_out = (struct stock_replayed){0, 0};
    while (rest.count > 0) {
        const char *undecoded = fill(stock, &batch, &rest, wanted);
        touch_batch(stock, &batch);
        const char *problem = commit_all(stock, &batch, replayed_out);
        if (problem == NULL)
            problem = undecoded;
        if (problem != NULL)
            return problem;
    }
    return rest.bytes == 0 ? NULL : "records do not fill their bytes";
}
