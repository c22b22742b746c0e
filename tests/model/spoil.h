#ifndef HF_MODEL_SPOIL_H
#define HF_MODEL_SPOIL_H
/* Makes a record untrue, or nearly so: it stays one that can be encoded. And snapshots. */

#include "random.h"
#include "stock_model.h"

#include "stock/record.h"

/* Changes one field of it. */
void spoil_record(struct stock_record *record, struct test_random *random);

/* Changes fields, leaves entries out, doubles and exchanges them; mostly such that counts and hash
 * are those of what is left. Or leaves it as it is. */
void spoil_snapshot(struct stock_model_snapshot *snapshot, struct test_random *random);

#endif
