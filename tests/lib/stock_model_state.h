#ifndef HF_TESTS_STOCK_MODEL_STATE_H
#define HF_TESTS_STOCK_MODEL_STATE_H
/* Private to the model: three arrays, searched from the front to the end.
 *
 *     stock_model.c         life, searching, looking at it, the hash
 *     stock_model_decide.c  answers: docs/guarantees.md, in the order of that page
 *     stock_model_apply.c   records, legal or not, and what they do: docs/log-format.md
 *     stock_model_load.c    snapshots, true or not, and what they make: docs/log-format.md
 *
 * Where a number stands in those pages it stands here once more, and is not taken from the engine's
 * headers. */

#include "stock_model.h"

enum { MODEL_QUANTITY_MAX = 1000000, MODEL_SKU_MAX = 64 };
#define MODEL_UNLIMITED          (-1)
#define MODEL_THIRTY_DAYS_MS     (30ull * 24 * 60 * 60 * 1000)
#define MODEL_FIFTEEN_MINUTES_MS (15ull * 60 * 1000)
#define MODEL_TIME_MS_MAX        ((1ull << 43) - 1)
#define MODEL_STOCK_MAX          (1ll << 48)
#define MODEL_BUYER_UNITS_MAX    4294967295ull

struct model_item {
    struct stock_item_settings settings;
    uint64_t held, sold;
    uint64_t next_sequence;
    uint64_t created_ms;
};

struct model_reservation {
    uint64_t item_id;
    struct id128 id;
    uint64_t buyer_id, user_data;
    uint32_t quantity, quantity_confirmed;
    uint64_t sequence, created_ms, expires_ms;
    uint8_t state;
    /* Of its expiry while it is held, of its forgetting afterwards. */
    uint64_t due_ms, due_set_ms, due_set_order;
};

/* What one buyer has of one item, while there is any. */
struct model_buyer {
    uint64_t item_id, buyer_id;
    uint64_t units_held, units_sold, open_holds;
};

struct stock_model {
    struct stock_options limits;
    struct model_item *items;
    struct model_reservation *reservations;
    struct model_buyer *buyers;
    size_t item_count, reservation_count, buyer_count;
    size_t item_room, reservation_room, buyer_room;
    uint64_t due_set_count;
    uint64_t time_ms;
};

/* NULL when there is none. */
struct model_item *model_item_find(const struct stock_model *model, uint64_t item_id);
struct model_reservation *model_reservation_find(const struct stock_model *model, uint64_t item_id,
                                                 struct id128 id);
struct model_buyer *model_buyer_find(const struct stock_model *model, uint64_t item_id,
                                     uint64_t buyer_id);

/* Places for one more. */
struct model_item *model_item_add(struct stock_model *model);
struct model_reservation *model_reservation_add(struct stock_model *model);
struct model_buyer *model_buyer_add(struct stock_model *model);

/* What each adds to the hash of the state. */
uint64_t model_item_hash(const struct model_item *item);
uint64_t model_reservation_hash(const struct model_reservation *reservation);
uint64_t model_buyer_hash(const struct model_buyer *buyer);

/* Units free now, or MODEL_UNLIMITED. */
int64_t model_available(const struct model_item *item);

/* The first setting that is out of range. */
enum stock_field model_invalid_setting(const struct stock_item_settings *settings);
bool model_same_sku(const struct stock_item_settings *a, const struct stock_item_settings *b);

#endif
