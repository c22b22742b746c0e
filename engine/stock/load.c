#include "stock/layout.h"
#include "stock/state.h"
#include "stock/touch.h"

#include "base/assert.h"
#include "base/memory.h"

/* Entries come in an order in which what they refer to is there: an item, then what its buyers
 * have, then the reservations. What an item or a buyer has in all stands in its own entry, and is
 * also the sum of its reservations. So the sums are counted in the tables while reservations come,
 * what the entries claim is kept beside, and both are compared in the end. Units sold may be more
 * than the reservations say, because some are forgotten.
 *
 * Entries are worked off in batches: all are decoded and hashed; the lines of the indexes are
 * touched, and then those that they name; then each entry is looked at in its turn. */

enum { BATCH = 64 };
_Static_assert(BATCH * 3 <= TOUCH_MAX, "three lines of an entry at a time");

/* Bounds that no server reaches, so that nothing overflows that is counted on from here. */
#define NEXT_SEQUENCE_MAX (1ull << 60)
#define UNITS_MAX         ((uint64_t)INT64_MAX)

struct item_claim {
    uint64_t held;
    uint64_t sold;
};

struct buyer_claim {
    uint32_t slot;
    uint32_t units_held;
    uint32_t units_sold;
    uint32_t open_holds;
};

/* Buyers' behind items'. */
static size_t claims_bytes(const struct stock *stock)
{
    return stock->items.slot_count * sizeof(struct item_claim) +
           stock->buyers.slot_count * sizeof(struct buyer_claim);
}

/* ---- values, whatever else there is ---- */

static const char *check_item(const struct stock_item_entry *item)
{
    const struct stock_item_settings *settings = &item->settings;
    if (settings_invalid_field(settings) != STOCK_FIELD_NONE)
        return "item settings are out of range";
    if (item->next_sequence == 0 || item->next_sequence > NEXT_SEQUENCE_MAX)
        return "item's next sequence is out of range";
    if (item->held > UNITS_MAX || item->sold > UNITS_MAX)
        return "item's units are out of range";
    if (settings->stock != STOCK_UNLIMITED && item->held + item->sold > (uint64_t)settings->stock)
        return "more units held and sold than there are";
    return NULL;
}

static const char *check_buyer(const struct stock_buyer_entry *buyer)
{
    uint64_t units = (uint64_t)buyer->units_held + buyer->units_sold;
    if (buyer->buyer_id == 0)
        return "buyer without an id";
    if (units == 0)
        return "buyer without units";
    if (units > BUYER_UNITS_MAX)
        return "buyer has more units than can be counted";
    return NULL;
}

static const char *check_held(const struct stock_reservation_entry *reservation)
{
    const struct stock_hold_event *hold = &reservation->hold;
    if (hold->quantity_confirmed != 0)
        return "quantity confirmed of a hold is out of range";
    if (hold->expires_ms <= reservation->set_ms ||
        hold->expires_ms - reservation->set_ms > STOCK_HOLD_MS_MAX)
        return "hold time is out of range";
    return NULL;
}

static const char *check_ended(const struct stock_reservation_entry *reservation)
{
    const struct stock_hold_event *hold = &reservation->hold;
    bool is_confirmed = reservation->state == STOCK_STATE_CONFIRMED;
    bool is_overdue = reservation->set_ms >= hold->expires_ms;
    if (is_overdue != (reservation->state == STOCK_STATE_EXPIRED))
        return "reservation ended at a time that does not fit its deadline";
    if (is_confirmed != (hold->quantity_confirmed != 0) ||
        hold->quantity_confirmed > hold->quantity)
        return "quantity confirmed is out of range";
    return NULL;
}

static const char *check_reservation(const struct stock_reservation_entry *reservation)
{
    const struct stock_hold_event *hold = &reservation->hold;
    if (id128_is_zero(hold->reservation_id))
        return "reservation without an id";
    if (hold->quantity == 0 || hold->quantity > STOCK_QUANTITY_MAX)
        return "quantity is out of range";
    if (reservation->created_ms > reservation->set_ms)
        return "change of a reservation before it was made";
    if (hold->expires_ms <= reservation->created_ms ||
        hold->expires_ms > STOCK_TIME_MS_MAX + STOCK_HOLD_MS_MAX)
        return "deadline is out of range";
    if (hold->sequence == 0)
        return "reservation without a sequence";
    switch (reservation->state) {
    case STOCK_STATE_HELD:
        return check_held(reservation);
    case STOCK_STATE_CONFIRMED:
    case STOCK_STATE_CANCELLED:
    case STOCK_STATE_EXPIRED:
        return check_ended(reservation);
    default:
        return "unknown state of a reservation";
    }
}

static const char *check_entry(const struct stock_entry *entry)
{
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        return check_item(&entry->item);
    case STOCK_ENTRY_BUYER:
        return check_buyer(&entry->buyer);
    default:
        return check_reservation(&entry->reservation);
    }
}

/* ---- a batch ---- */

struct loaded {
    struct stock_entry entry;
    uint64_t item_id;
    uint64_t item_hash;
    uint64_t key_hash;   /* of the reservation; of the buyer when the entry is one */
    uint64_t buyer_hash; /* of the reservation's buyer, if it counts for one */
    uint32_t item_slot;  /* where these most likely are, or INDEX_SLOT_NONE */
    uint32_t buyer_slot;
    bool is_wanted;
    bool has_buyer;
};

static uint64_t item_id_of(const struct stock_entry *entry)
{
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        return entry->item.settings.item_id;
    case STOCK_ENTRY_BUYER:
        return entry->buyer.item_id;
    default:
        return entry->reservation.hold.item_id;
    }
}

/* Whether this reservation is among what its buyer has. */
static bool counts_for_buyer(const struct stock_reservation_entry *reservation)
{
    return reservation->hold.buyer_id != 0 &&
           (reservation->state == STOCK_STATE_HELD || reservation->state == STOCK_STATE_CONFIRMED);
}

static void hash_keys(const struct stock *stock, struct loaded *loaded)
{
    const struct stock_entry *entry = &loaded->entry;
    const struct stock_hold_event *hold = &entry->reservation.hold;
    loaded->item_hash = item_hash(stock, loaded->item_id);
    loaded->has_buyer = false;
    if (entry->type == STOCK_ENTRY_BUYER) {
        loaded->key_hash = buyer_hash(stock, loaded->item_id, entry->buyer.buyer_id);
    } else if (entry->type == STOCK_ENTRY_RESERVATION) {
        loaded->key_hash = reservation_hash(stock, loaded->item_id, hold->reservation_id);
        loaded->has_buyer = counts_for_buyer(&entry->reservation);
    }
    if (loaded->has_buyer)
        loaded->buyer_hash = buyer_hash(stock, loaded->item_id, hold->buyer_id);
}

static void add_index_lines(const struct stock *stock, const struct loaded *loaded,
                            struct touch_list *list)
{
    touch_add(list, index_line(&stock->item_index, loaded->item_hash));
    if (loaded->entry.type == STOCK_ENTRY_RESERVATION)
        touch_add(list, index_line(&stock->reservation_index, loaded->key_hash));
    if (loaded->entry.type == STOCK_ENTRY_BUYER)
        touch_add(list, index_line(&stock->buyer_index, loaded->key_hash));
    if (loaded->has_buyer)
        touch_add(list, index_line(&stock->buyer_index, loaded->buyer_hash));
}

static void add_slots(const struct stock *stock, struct loaded *loaded, struct touch_list *list)
{
    loaded->item_slot = touch_add_slot(list, &stock->item_index, loaded->item_hash, &stock->items);
    if (loaded->has_buyer)
        loaded->buyer_slot =
            touch_add_slot(list, &stock->buyer_index, loaded->buyer_hash, &stock->buyers);
}

static void touch_batch(const struct stock *stock, struct loaded *batch, uint32_t count)
{
    struct touch_list list;
    touch_begin(&list);
    for (uint32_t i = 0; i < count; i++) {
        if (batch[i].is_wanted)
            add_index_lines(stock, &batch[i], &list);
    }
    touch_all(&list);
    for (uint32_t i = 0; i < count; i++) {
        if (batch[i].is_wanted)
            add_slots(stock, &batch[i], &list);
    }
    touch_all(&list);
}

/* ---- taking an entry ---- */

/* Of the snapshot that is being loaded: an older item has all that it has. */
static uint32_t own_item_find(const struct stock *stock, const struct loaded *loaded)
{
    uint32_t slot = loaded->item_slot;
    if (slot == INDEX_SLOT_NONE || item_at(stock, slot)->settings.item_id != loaded->item_id)
        slot = item_find(stock, loaded->item_id, loaded->item_hash);
    return slot != STOCK_SLOT_NONE && slot < stock->load.first_item ? STOCK_SLOT_NONE : slot;
}

static uint32_t counted_buyer_find(const struct stock *stock, const struct loaded *loaded,
                                   uint32_t item_slot)
{
    uint64_t buyer_id = loaded->entry.reservation.hold.buyer_id;
    if (loaded->buyer_slot != INDEX_SLOT_NONE) {
        const struct buyer *buyer = buyer_at(stock, loaded->buyer_slot);
        if (buyer->buyer_id == buyer_id && buyer->item_slot == item_slot)
            return loaded->buyer_slot;
    }
    return buyer_find(stock, item_slot, buyer_id, loaded->buyer_hash);
}

static const char *take_item(struct stock *stock, const struct loaded *loaded)
{
    const struct stock_item_entry *entry = &loaded->entry.item;
    if (item_find(stock, loaded->item_id, loaded->item_hash) != STOCK_SLOT_NONE)
        return "item exists already";
    if (slab_is_full(&stock->items))
        return stock_check_full;
    uint32_t slot = slab_take(&stock->items);
    struct item *item = item_at(stock, slot);
    item->settings = entry->settings;
    item->created_ms = entry->created_ms;
    item->next_sequence = entry->next_sequence;
    index_insert(&stock->item_index, loaded->item_hash, slot);
    stock->load.item_claims[slot - stock->load.first_item] =
        (struct item_claim){.held = entry->held, .sold = entry->sold};
    return NULL;
}

static const char *take_buyer(struct stock *stock, const struct loaded *loaded)
{
    const struct stock_buyer_entry *entry = &loaded->entry.buyer;
    uint32_t item_slot = own_item_find(stock, loaded);
    if (item_slot == STOCK_SLOT_NONE)
        return "buyer of an unknown item";
    if (buyer_find(stock, item_slot, entry->buyer_id, loaded->key_hash) != STOCK_SLOT_NONE)
        return "buyer exists already";
    if (slab_is_full(&stock->buyers))
        return stock_check_full;
    uint32_t slot = slab_take(&stock->buyers);
    struct buyer *buyer = buyer_at(stock, slot);
    buyer->item_slot = item_slot;
    buyer->buyer_id = entry->buyer_id;
    index_insert(&stock->buyer_index, loaded->key_hash, slot);
    stock->load.buyer_claims[stock->load.buyer_claim_count++] = (struct buyer_claim){
        .slot = slot,
        .units_held = entry->units_held,
        .units_sold = entry->units_sold,
        .open_holds = entry->open_holds,
    };
    return NULL;
}

static uint32_t units_for_buyer(const struct stock_reservation_entry *reservation)
{
    return reservation->state == STOCK_STATE_HELD ? reservation->hold.quantity
                                                  : reservation->hold.quantity_confirmed;
}

static void count_for_buyer(struct buyer *buyer, const struct stock_reservation_entry *reservation)
{
    if (reservation->state == STOCK_STATE_HELD) {
        buyer->units_held += units_for_buyer(reservation);
        buyer->open_holds++;
    } else {
        buyer->units_sold += units_for_buyer(reservation);
    }
}

/* The buyer for whom the reservation counts, STOCK_SLOT_NONE when there is none. */
static const char *find_buyer(const struct stock *stock, const struct loaded *loaded,
                              uint32_t item_slot, uint32_t *slot_out)
{
    const struct stock_reservation_entry *entry = &loaded->entry.reservation;
    *slot_out = STOCK_SLOT_NONE;
    if (!loaded->has_buyer)
        return NULL;
    *slot_out = counted_buyer_find(stock, loaded, item_slot);
    if (*slot_out == STOCK_SLOT_NONE)
        return "reservation of an unknown buyer";
    const struct buyer *buyer = buyer_at(stock, *slot_out);
    if ((uint64_t)buyer->units_held + buyer->units_sold + units_for_buyer(entry) > BUYER_UNITS_MAX)
        return "buyer has more units than can be counted";
    return NULL;
}

static void count_reservation(struct stock *stock, struct item *item,
                              const struct stock_reservation_entry *reservation)
{
    const struct stock_hold_event *hold = &reservation->hold;
    if (reservation->state != STOCK_STATE_HELD) {
        item->sold += hold->quantity_confirmed;
        (*count_of_ended(stock, reservation->state))++;
        return;
    }
    item->held += hold->quantity;
    stock->counts.held++;
    stock->counts.units_held += hold->quantity;
}

static void set_deadline(struct stock *stock, uint32_t slot,
                         const struct stock_reservation_entry *reservation)
{
    uint64_t deadline_ms = reservation->set_ms + stock->options.retention_ms;
    if (reservation->state == STOCK_STATE_HELD)
        deadline_ms = reservation->hold.expires_ms;
    timer_insert(stock->timer, slot, deadline_ms, deadline_ms - reservation->set_ms);
}

static const char *take_reservation(struct stock *stock, const struct loaded *loaded)
{
    const struct stock_reservation_entry *entry = &loaded->entry.reservation;
    const struct stock_hold_event *hold = &entry->hold;
    uint32_t item_slot = own_item_find(stock, loaded);
    if (item_slot == STOCK_SLOT_NONE)
        return "reservation of an unknown item";
    struct item *item = item_at(stock, item_slot);
    if (hold->sequence >= item->next_sequence)
        return "reservation has a sequence that its item has not given out";
    if (reservation_find(stock, item_slot, hold->reservation_id, loaded->key_hash) !=
        STOCK_SLOT_NONE)
        return "reservation exists already";
    uint32_t buyer_slot;
    const char *problem = find_buyer(stock, loaded, item_slot, &buyer_slot);
    if (problem != NULL)
        return problem;
    if (slab_is_full(&stock->reservations))
        return stock_check_full;
    if (buyer_slot != STOCK_SLOT_NONE)
        count_for_buyer(buyer_at(stock, buyer_slot), entry);
    uint32_t slot = slab_take(&stock->reservations);
    *reservation_at(stock, slot) = (struct reservation){
        .item_slot = item_slot,
        .buyer_slot = buyer_slot,
        .id = hold->reservation_id,
        .buyer_id = hold->buyer_id,
        .user_data = hold->user_data,
        .created_ms = entry->created_ms,
        .quantity = hold->quantity,
        .expires_ms = hold->expires_ms,
        .quantity_confirmed = hold->quantity_confirmed,
        .sequence = hold->sequence,
        .state = entry->state,
    };
    index_insert(&stock->reservation_index, loaded->key_hash, slot);
    count_reservation(stock, item, entry);
    set_deadline(stock, slot, entry);
    return NULL;
}

static void find_time(struct stock_saved *found, uint64_t time_ms)
{
    if (time_ms > found->time_ms)
        found->time_ms = time_ms;
}

/* Counts what the snapshot has, wanted or not. */
static void find_entry(struct stock_saved *found, const struct stock_entry *entry)
{
    found->state_hash += stock_entry_hash(entry);
    switch (entry->type) {
    case STOCK_ENTRY_ITEM:
        found->item_count++;
        find_time(found, entry->item.created_ms);
        break;
    case STOCK_ENTRY_BUYER:
        found->buyer_count++;
        break;
    default:
        found->reservation_count++;
        find_time(found, entry->reservation.set_ms);
        break;
    }
}

static const char *take_entry(struct stock *stock, const struct loaded *loaded)
{
    const char *problem = check_entry(&loaded->entry);
    if (problem != NULL)
        return problem;
    find_entry(&stock->load.found, &loaded->entry);
    if (stock->load.found.time_ms > STOCK_TIME_MS_MAX)
        return "time is out of range";
    if (!loaded->is_wanted)
        return NULL;
    switch (loaded->entry.type) {
    case STOCK_ENTRY_ITEM:
        return take_item(stock, loaded);
    case STOCK_ENTRY_BUYER:
        return take_buyer(stock, loaded);
    default:
        return take_reservation(stock, loaded);
    }
}

/* ---- public: a snapshot ---- */

void stock_load_begin(struct stock *stock)
{
    hf_assert(!stock->load.is_on);
    hf_assert(!stock_is_saving(stock));
    hf_assert(stock->items.used_count == 0);
    stock->load.is_on = true;
    timer_load_begin(stock->timer);
}

bool stock_load_snapshot_begin(struct stock *stock, struct stock_wanted wanted)
{
    struct load *load = &stock->load;
    hf_assert(load->is_on);
    hf_assert(!load->is_in_snapshot);
    load->item_claims = memory_map(claims_bytes(stock));
    if (load->item_claims == NULL)
        return false;
    load->buyer_claims = (void *)(load->item_claims + stock->items.slot_count);
    load->is_in_snapshot = true;
    load->wanted = wanted;
    load->found = (struct stock_saved){.item_count = 0};
    load->first_item = stock->items.used_count;
    load->buyer_claim_count = 0;
    return true;
}

void load_deinit(struct stock *stock)
{
    memory_unmap(stock->load.item_claims, claims_bytes(stock));
    stock->load.item_claims = NULL;
}

/* Decodes the entry at `*at` and steps over it. */
static const char *decode_next(const struct stock *stock, const uint8_t **at, uint32_t *bytes_left,
                               struct loaded *loaded)
{
    uint32_t entry_bytes = layout_first_bytes(*at, *bytes_left);
    if (entry_bytes == 0)
        return "entries do not fill their bytes";
    const char *problem = stock_entry_decode(*at, entry_bytes, &loaded->entry);
    if (problem != NULL)
        return problem;
    *at += entry_bytes;
    *bytes_left -= entry_bytes;
    loaded->item_id = item_id_of(&loaded->entry);
    loaded->is_wanted = wanted_takes(stock->load.wanted, loaded->item_id);
    if (loaded->is_wanted)
        hash_keys(stock, loaded);
    return NULL;
}

/* Decodes up to `count` entries into the batch. Returns how many there are before the first one
 * that can't be decoded; `*problem_out` says why. */
static uint32_t decode_batch(const struct stock *stock, const uint8_t **at, uint32_t *bytes_left,
                             uint32_t count, struct loaded *batch, const char **problem_out)
{
    for (uint32_t i = 0; i < count; i++) {
        *problem_out = decode_next(stock, at, bytes_left, &batch[i]);
        if (*problem_out != NULL)
            return i;
    }
    return count;
}

const char *stock_load_entries(struct stock *stock, const uint8_t *entries, uint32_t bytes,
                               uint32_t entry_count, uint32_t *refused_index_out)
{
    struct loaded batch[BATCH];
    const char *problem = NULL;
    uint32_t done_count = 0;
    hf_assert(stock->load.is_in_snapshot);
    while (done_count < entry_count && problem == NULL) {
        const char *undecoded = NULL; /* why the batch ends early */
        uint32_t left_count = entry_count - done_count;
        uint32_t count = decode_batch(stock, &entries, &bytes,
                                      left_count < BATCH ? left_count : BATCH, batch, &undecoded);
        touch_batch(stock, batch, count);
        for (uint32_t i = 0; i < count && problem == NULL; i++) {
            problem = take_entry(stock, &batch[i]);
            done_count += problem == NULL;
        }
        if (problem == NULL)
            problem = undecoded;
    }
    if (problem == NULL && bytes != 0)
        problem = "entries do not fill their bytes";
    if (problem != NULL)
        *refused_index_out = done_count;
    return problem;
}

static const char *settle_items(struct stock *stock)
{
    const struct load *load = &stock->load;
    for (uint32_t slot = load->first_item; slot < stock->items.used_count; slot++) {
        const struct item_claim *claim = &load->item_claims[slot - load->first_item];
        struct item *item = item_at(stock, slot);
        if (item->held != claim->held)
            return "units held of an item are not those of its reservations";
        if (item->sold > claim->sold)
            return "fewer units of an item sold than its reservations say";
        item->sold = claim->sold;
        stock->counts.units_sold += claim->sold;
    }
    return NULL;
}

static const char *settle_buyers(struct stock *stock)
{
    const struct load *load = &stock->load;
    for (uint32_t i = 0; i < load->buyer_claim_count; i++) {
        const struct buyer_claim *claim = &load->buyer_claims[i];
        struct buyer *buyer = buyer_at(stock, claim->slot);
        if (buyer->units_held != claim->units_held || buyer->open_holds != claim->open_holds)
            return "what a buyer holds is not what the reservations say";
        if (buyer->units_sold > claim->units_sold)
            return "fewer units sold to a buyer than the reservations say";
        buyer->units_sold = claim->units_sold;
    }
    return NULL;
}

static const char *settle(struct stock *stock, const struct stock_saved *expected)
{
    const struct stock_saved *found = &stock->load.found;
    if (found->item_count != expected->item_count || found->buyer_count != expected->buyer_count ||
        found->reservation_count != expected->reservation_count)
        return "snapshot has another number of entries than it says";
    if (found->state_hash != expected->state_hash)
        return "snapshot has another state hash than it says";
    if (expected->time_ms > STOCK_TIME_MS_MAX || found->time_ms > expected->time_ms)
        return "time of the snapshot is out of range";
    const char *problem = settle_items(stock);
    if (problem == NULL)
        problem = settle_buyers(stock);
    if (problem == NULL && expected->time_ms > stock->time_ms)
        stock->time_ms = expected->time_ms;
    return problem;
}

const char *stock_load_snapshot_end(struct stock *stock, const struct stock_saved *expected)
{
    hf_assert(stock->load.is_in_snapshot);
    const char *problem = settle(stock, expected);
    load_deinit(stock);
    stock->load.is_in_snapshot = false;
    return problem;
}

/* ---- public: the end ---- */

_Static_assert((int)TIMER_TIES_MAX <= (int)TOUCH_MAX, "a line for each slot");

static void ties_of_reservations(const void *context, const uint32_t *slots, uint32_t slot_count,
                                 struct timer_tie *ties_out)
{
    const struct stock *stock = context;
    struct touch_list list;
    touch_begin(&list);
    for (uint32_t i = 0; i < slot_count; i++)
        touch_add(&list, reservation_at(stock, slots[i]));
    touch_all(&list);
    for (uint32_t i = 0; i < slot_count; i++) {
        const struct reservation *reservation = reservation_at(stock, slots[i]);
        ties_out[i] =
            (struct timer_tie){.first = reservation->item_slot, .second = reservation->sequence};
    }
}

bool stock_load_end(struct stock *stock)
{
    hf_assert(stock->load.is_on);
    hf_assert(!stock->load.is_in_snapshot);
    if (!timer_load_end(stock->timer, ties_of_reservations, stock))
        return false;
    stock->load.is_on = false;
    return true;
}
