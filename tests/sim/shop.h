#ifndef HF_SIM_SHOP_H
#define HF_SIM_SHOP_H
/* What the clients of a run talk about: the items of the sale and the reservations that somebody
 * has asked for. Chooses the content of requests; knows nothing of connections. All clients share
 * it, so that they meet on the same items and the same reservations. */

#include "history.h"
#include "plan.h"

/* A new run. Kept: `plan`. */
void shop_begin(const struct sim_plan *plan);

/* The row of one request of this kind: of those that the history knows (SIM_ASK_RESERVE to
 * SIM_ASK_ITEM_GET). `now_ms` is the engine's time, as far as clients know. */
void shop_choose(enum sim_ask ask, uint64_t now_ms, struct history_call *call_out);

/* The seller's request that creates item `index` of the plan's items. */
void shop_create_item(uint32_t index, struct history_call *call_out);

/* The answer to a row: from now on the reservation is a better one to talk about. */
void shop_hear(const struct stock_request *request, const struct stock_reply *reply);

/* A Get of the reservation `index` of those asked for last, or an item's Get behind them: for
 * reading all at the end. False past the last. */
bool shop_read(uint32_t index, struct history_call *call_out);

/* What Extend has asked for and Reserve may have got: no hold lasts longer. */
uint64_t shop_latest_expiry_ms(void);

#endif
