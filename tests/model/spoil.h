#ifndef HF_MODEL_SPOIL_H
#define HF_MODEL_SPOIL_H
/* Makes a record untrue, or nearly so: it stays one that can be encoded. */

#include "random.h"

#include "stock/record.h"

/* Changes one field of it. */
void spoil_record(struct stock_record *record, struct test_random *random);

#endif
