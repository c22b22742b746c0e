/* CAPACITY says that a table of the item's core was full. How items are spread over cores is not
 * asked here: what all cores have together is at least what that one has. So the answer is possible
 * only if all together reached the limit of one, at a moment at which the core decided it. Those
 * moments lie between the question and the answer, because an answer waits for all that filled the
 * table; the log passes through the state that the core saw, record by record.
 *
 * Most runs never fill a table, so the counting is done when first asked for. */
#include "history_private.h"

#include "base/assert.h"

#include <stdlib.h>

struct totals {
    uint64_t of[3]; /* by enum book_table */
};

static struct {
    struct totals *after; /* each record of the book */
    uint32_t count;
    struct stock_model **models; /* by item */
} tables;

void check_table_begin(void)
{
    free(tables.after);
    tables.after = NULL;
    tables.count = 0;
}

static struct totals totals_of(const struct stock_model *model)
{
    const struct stock_counts counts = stock_model_counts(model);
    return (struct totals){{[BOOK_TABLE_ITEMS] = counts.items,
                            [BOOK_TABLE_HOLDS] = counts.reservations,
                            [BOOK_TABLE_BUYERS] = counts.buyers}};
}

static void add_record(const struct book_record *noted, struct totals *sum)
{
    struct stock_model **model = &tables.models[noted->item];
    if (*model == NULL)
        *model = book_new_model();
    const struct totals before = totals_of(*model);
    const char *wrong = stock_model_apply(*model, &noted->record);
    hf_assert(wrong == NULL); /* check_record() asked the same */
    const struct totals after = totals_of(*model);
    for (int table = 0; table < 3; table++)
        sum->of[table] += after.of[table] - before.of[table];
}

static void count_all(void)
{
    struct totals sum = {{0}};
    tables.models = calloc(book.item_count, sizeof(struct stock_model *));
    tables.after = calloc((size_t)book.record_count + 1, sizeof *tables.after);
    hf_assert(tables.models != NULL && tables.after != NULL);
    tables.count = book.record_count;
    for (uint32_t i = 0; i < book.record_count; i++) {
        add_record(&book.records[i], &sum);
        tables.after[i] = sum;
    }
    for (uint32_t i = 0; i < book.item_count; i++)
        stock_model_destroy(&tables.models[i]);
    free(tables.models);
}

/* The first record that was on disk after the event. */
static uint32_t first_record_after(uint32_t event)
{
    uint32_t low = 0;
    uint32_t high = book.record_count;
    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;
        if (book.records[middle].event < event)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Without sync the answer may come before the records that it depends on, of the same life. */
static bool is_within(const struct book_record *noted, const struct book_call *call)
{
    return book.options.is_sync ? noted->event < call->answered_event : noted->life <= call->life;
}

bool check_table_may_be_full(const struct book_call *call, enum book_table table)
{
    const struct stock_options *options = &book.options.tables;
    const uint64_t limits[] = {[BOOK_TABLE_ITEMS] = options->item_count_max,
                               [BOOK_TABLE_HOLDS] = options->reservation_count_max,
                               [BOOK_TABLE_BUYERS] = options->buyer_count_max};
    if (tables.count != book.record_count)
        count_all();
    const uint32_t first = first_record_after(call->asked_event);
    if (first > 0 && tables.after[first - 1].of[table] >= limits[table])
        return true;
    for (uint32_t i = first; i < book.record_count && is_within(&book.records[i], call); i++)
        if (tables.after[i].of[table] >= limits[table])
            return true;
    return false;
}
