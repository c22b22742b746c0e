/* What a person needs to understand why no point of the item's history explains an answer: the
 * question and the answer, the points that were possible, the records around them, what the model
 * says at their ends, and at which other points the answer would have been right. */
#include "check_answer.h"

#include "world.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

enum { LINES_AROUND = 3, STORY_BYTES = 32768 };

static struct {
    char text[STORY_BYTES];
    size_t bytes;
} story;

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int bytes =
        vsnprintf(story.text + story.bytes, sizeof story.text - story.bytes, format, arguments);
    va_end(arguments);
    if (bytes > 0 && story.bytes + (size_t)bytes < sizeof story.text)
        story.bytes += (size_t)bytes;
}

static void tell_decision(const struct stage *stage, const struct book_call *call)
{
    struct decision decision;
    const uint64_t from_ms = call->from_ms > stage->from_ms ? call->from_ms : stage->from_ms;
    stage_decide(stage, call, from_ms, &decision);
    tell("  after %" PRIu32 " records, at %" PRIu64 " ms, the model says: %s\n",
         stage->record_count, from_ms, describe_reply(&decision.reply));
    if (call->asked.op != HISTORY_ROW)
        tell("    with %s\n", describe_view(decision.has_view ? &decision.view : NULL));
    if (decision.record.type != STOCK_RECORD_NONE)
        tell("    with the record %s\n", describe_record(&decision.record));
}

/* The points at which the answer, or the record that it claims, would have been right. */
static bool is_right_here(const struct stage *stage, const struct book_call *call)
{
    if (call->record == BOOK_NONE)
        return stage_explains_answer(stage, call);
    const struct book_record *next = stage_next_record(stage);
    return next == &book.records[call->record] && stage_explains_record(stage, call, &next->record);
}

void explain_answer(uint32_t call_number, uint32_t from_count, uint32_t after_call)
{
    const struct book_call *call = &book.calls[call_number];
    const uint32_t to_count = call->known_count;
    bool is_lost = false; /* what it saw was not on the disk then, or never was */
    struct stage stage;
    story.bytes = 0;
    tell("%s\n  was answered %s\n", describe_call(call_number), describe_reply(&call->reply));
    if (call->has_view)
        tell("  with %s\n", describe_view(&call->view));
    tell("  by %" PRIu64 " ms; it may have seen %" PRIu32 " to %" PRIu32 " records of its item\n",
         call->to_ms, from_count, to_count);
    if (after_call != BOOK_NONE)
        tell("  it comes on its connection after %s\n    which was answered %s\n",
             describe_call(after_call), describe_reply(&book.calls[after_call].reply));
    for (stage_open(&stage, &book.items[call->item]);; stage_advance(&stage)) {
        const uint32_t count = stage.record_count;
        const struct book_record *next = stage_next_record(&stage);
        if (is_right_here(&stage, call)) {
            tell("  after %" PRIu32 " records it would be right\n", count);
            is_lost |= count > to_count;
        } else if (call->record == BOOK_NONE && count <= to_count &&
                   stage_misses_record(&stage, call)) {
            tell("  after %" PRIu32 " records it would be right with a record that is missing\n",
                 count);
            is_lost = true;
        }
        if (count == from_count || count == to_count)
            tell_decision(&stage, call);
        if (next == NULL)
            break;
        if (count + LINES_AROUND >= from_count && count <= to_count + LINES_AROUND)
            tell("  record %" PRIu32 ": %s\n", count + 1, describe_noted(next));
    }
    stage_close(&stage);
    sim_fail(is_lost ? "durability" : "linearizable", "%s", story.text);
}
